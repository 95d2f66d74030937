// Answers of a stock ledger's functions that are JavaScript values other than numbers.
#pragma once

#include <napi.h>

#include "addon/objects.h"
#include "addon/stock_attachment.h"

namespace sluice {

inline Napi::Value sku_of(napi_env env, const Item<>& item) {
  if (item.name_length != 0) return Napi::String::New(env, item.name, item.name_length);
  return Napi::Number::New(env, static_cast<double>(item.sku.low));
}

// Sets the property `user`, if the request named a user.
inline void set_user(napi_env env, Napi::Object& result, const LedgerUser& user) {
  if (user.text_length != 0) {
    put(result, "user", Napi::String::New(env, reinterpret_cast<const char*>(user.text), user.text_length));
  } else if (is_number(user.key)) {
    put(result, "user", Napi::BigInt::New(env, user.key.low));
  }
}

}  // namespace sluice
