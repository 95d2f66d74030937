// Skus, users and ids as keys of 112 bits: a whole number as itself, a text as its fingerprint (see key_hash.h), of
// which 111 bits are kept. The probability that any two of a billion texts share a key is below 10^-15. No number has
// the key of a text. The upper 16 bits are 0 and free for the number of an item (see user_table.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/base/key_hash.h"

namespace sluice {

inline constexpr int kKeyBits = 48;  // how many bits of a key's high half are used

inline constexpr Key number_key(std::uint64_t number) noexcept { return {number, 1}; }

inline Key text_key(const KeySecret& secret, std::string_view text) noexcept {
  Key key = KeyHash::of(secret, KeyKind::kString, text.data(), text.size());
  key.high = key.high >> (65 - kKeyBits) | 1ULL << (kKeyBits - 1);
  return key;
}

inline constexpr std::size_t kIdTextMax = 256;  // the longest id that is a text, in octets of UTF-8

inline constexpr bool is_ledger_key(const Key& key) noexcept { return key.high >> kKeyBits == 0; }
inline constexpr bool is_number(const Key& key) noexcept { return key.high == 1; }

// The user that reserves, as movements show it: the key, and the text if the user is named by one.
struct LedgerUser {
  static constexpr std::size_t kTextMax = 64;  // octets of UTF-8
  static constexpr std::size_t kWords = kTextMax / sizeof(std::uint64_t);

  Key key;                        // {0, 0}: no user
  std::uint32_t text_length = 0;  // 0: not a text
  // The octets of the text, in text_words() words; the last one ends in zeros. The others are not set, because to set
  // them all takes a tenth of the time of an admission.
  std::uint64_t text[kWords];

  // NOLINTBEGIN(cppcoreguidelines-pro-type-member-init): `text`, see above
  LedgerUser() noexcept {}
  LedgerUser(const Key& key, std::string_view octets) noexcept
      : key(key), text_length(static_cast<std::uint32_t>(octets.size())) {
    if (octets.empty()) return;
    text[text_words() - 1] = 0;
    std::memcpy(text, octets.data(), octets.size());
  }
  LedgerUser(const LedgerUser& user) noexcept : LedgerUser(user.key, user.octets()) {}
  // NOLINTEND(cppcoreguidelines-pro-type-member-init)
  LedgerUser& operator=(const LedgerUser& user) noexcept {
    if (this == &user) return *this;
    key = user.key;
    text_length = user.text_length;
    std::copy_n(user.text, user.text_words(), text);
    return *this;
  }

  static LedgerUser number(std::uint64_t number) noexcept { return {number_key(number), {}}; }
  static LedgerUser named(const KeySecret& secret, std::string_view text) noexcept {
    return {text_key(secret, text), text};
  }
  std::uint32_t text_words() const noexcept { return (text_length + 7) / 8; }
  std::string_view octets() const noexcept { return {reinterpret_cast<const char*>(text), text_length}; }
};

// A key, and the hash that names its place in a table.
struct HashedKey {
  Key key;
  std::uint64_t hash = 0;

  HashedKey(const Key& key, std::uint64_t hash) noexcept : key(key), hash(hash) {}
  // The hash of a text is the low half of its fingerprint, which is a keyed hash already.
  HashedKey(const KeySecret& secret, const Key& key) noexcept
      : HashedKey(key, is_number(key) ? KeyHash::of(secret, HashOf::kPlace, key.low) : key.low) {}
};

// The hash of a key, computed at its first use.
class HashOnce {
 public:
  HashedKey of(const KeySecret& secret, const Key& key) noexcept {
    if (hash_ == 0) hash_ = HashedKey(secret, key).hash;
    return {key, hash_};
  }

 private:
  std::uint64_t hash_ = 0;
};

}  // namespace sluice
