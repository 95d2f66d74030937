// Hashes with a secret that is different for each object: SipHash-1-3 (J.-P. Aumasson and D. J. Bernstein). A client
// that does not know the secret cannot choose keys that meet in one place of a table, nor find two keys with the same
// fingerprint.
//
// A fingerprint has 128 bits: the probability that any two of a billion keys have the same fingerprint is about 10^-21.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/atomics.h"

namespace sluice {

struct KeySecret {
  std::uint64_t words[2] = {0, 0};
};

// The fingerprint of a key; in a stock also a number (see ledger_key.h).
struct Key {
  std::uint64_t low = 0, high = 0;  // a key never has both 0: {0, 0} means no key, and marks a free place

  friend bool operator==(const Key&, const Key&) = default;
};

// Two keys with the same octets but different kinds are different keys.
enum class KeyKind : std::uint64_t { kString = 1, kNumber = 2, kBigint = 3 };

// The purpose of a hash of words. All hashes of one purpose are made from the same number of words. Hashes of different
// purposes are independent of each other. No purpose is 0xee, which marks fingerprints.
enum class HashOf : std::uint64_t { kPlace = 1, kLine = 2 };

class KeyHash {
 public:
  static Key of(const KeySecret& secret, KeyKind kind, const void* octets, std::size_t size) noexcept {
    KeyHash hash(secret, 0xee);
    hash.absorb(static_cast<std::uint64_t>(kind));
    const auto* at = static_cast<const unsigned char*>(octets);
    std::size_t left = size;
    for (; left >= 8; left -= 8, at += 8) {
      std::uint64_t word;
      std::memcpy(&word, at, 8);
      hash.absorb(word);
    }
    std::uint64_t last = static_cast<std::uint64_t>(size) << 56;
    for (std::size_t i = 0; i < left; ++i) last |= static_cast<std::uint64_t>(at[i]) << (8 * i);
    hash.absorb(last);
    return hash.finish();
  }

  // Returns the hash of a few words.
  template <class... Words>
  static std::uint64_t of(const KeySecret& secret, HashOf purpose, Words... words) noexcept {
    KeyHash hash(secret, static_cast<std::uint64_t>(purpose));
    (hash.absorb(words), ...);
    return hash.finish_short();
  }

 private:
  KeyHash(const KeySecret& secret, std::uint64_t purpose) noexcept
      : v0_(secret.words[0] ^ 0x736f6d6570736575ULL),
        v1_(secret.words[1] ^ 0x646f72616e646f6dULL ^ purpose),
        v2_(secret.words[0] ^ 0x6c7967656e657261ULL),
        v3_(secret.words[1] ^ 0x7465646279746573ULL) {}

  static std::uint64_t rotate(std::uint64_t word, int by) noexcept {
    return (word << by) | (word >> (64 - by));
  }

  SLUICE_INLINE void round() noexcept {
    v0_ += v1_;
    v1_ = rotate(v1_, 13) ^ v0_;
    v0_ = rotate(v0_, 32);
    v2_ += v3_;
    v3_ = rotate(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = rotate(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = rotate(v1_, 17) ^ v2_;
    v2_ = rotate(v2_, 32);
  }
  SLUICE_INLINE void absorb(std::uint64_t word) noexcept {
    v3_ ^= word;
    round();
    v0_ ^= word;
  }
  std::uint64_t finish_short() noexcept {
    v2_ ^= 0xff;
    for (int i = 0; i < 3; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }
  Key finish() noexcept {
    Key key;
    v2_ ^= 0xee;
    for (int i = 0; i < 3; ++i) round();
    key.low = v0_ ^ v1_ ^ v2_ ^ v3_;
    v1_ ^= 0xdd;
    for (int i = 0; i < 3; ++i) round();
    key.high = v0_ ^ v1_ ^ v2_ ^ v3_;
    if (key.low == 0 && key.high == 0) key.high = 1;
    return key;
  }

  std::uint64_t v0_, v1_, v2_, v3_;
};

}  // namespace sluice
