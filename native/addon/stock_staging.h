// The staging buffer of a stock ledger, and what its functions show in common.
#pragma once

#include <napi.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "addon/objects.h"
#include "addon/stock_attachment.h"

namespace sluice {

// A key as it stands in staging: see StockStaging.
class StagedKey {
 public:
  StagedKey(const Staging& words, std::size_t at)
      : tag_(words.get<std::uint64_t>(at)),
        value_(words.get<std::uint64_t>(at + 8)),
        text_(tag_ > 1 ? text_in(words, value_, tag_ - 1) : std::string_view()) {}

  std::string_view text() const { return text_; }
  std::string_view sku() const { return text_.substr(0, kSkuTextMax); }
  Key key(const KeySecret& secret) const {
    return tag_ == 0 ? Key{} : tag_ == 1 ? number_key(value_) : text_key(secret, text_);
  }
  LedgerUser user(const KeySecret& secret) const {
    return tag_ == 0   ? LedgerUser{}
           : tag_ == 1 ? LedgerUser::number(value_)
                       : LedgerUser::named(secret, text_.substr(0, LedgerUser::kTextMax));
  }

 private:
  // As far as it lies within the buffer.
  static std::string_view text_in(const Staging& words, std::uint64_t at, std::uint64_t length) {
    if (at >= words.bytes()) return {};
    return {reinterpret_cast<const char*>(words.data() + at), std::min(length, words.bytes() - at)};
  }

  std::uint64_t tag_, value_;
  std::string_view text_;
};

inline Key staged_sku(StockAttachment& self) {
  return StagedKey(self.words(), StockStaging::kLines).key(self.ledger().secret());
}

inline Napi::Value sku_of(napi_env env, const Item<>& item) {
  if (item.name_length != 0) return Napi::String::New(env, item.name, item.name_length);
  return Napi::Number::New(env, static_cast<double>(item.sku.low));
}

// A user that was named, as `user`.
inline void set_user(napi_env env, Napi::Object& result, const LedgerUser& user) {
  if (user.text_length != 0) {
    put(result, "user", Napi::String::New(env, reinterpret_cast<const char*>(user.text), user.text_length));
  } else if (is_number(user.key)) {
    put(result, "user", Napi::BigInt::New(env, user.key.low));
  }
}

}  // namespace sluice
