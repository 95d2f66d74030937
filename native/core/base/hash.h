// Mixes 64-bit words into hashes: of layouts, of snapshots, and of places in the table of items.
#pragma once

#include <cstdint>

namespace sluice {

// A bijection of 64-bit words: each bit of `key` changes about half of the bits of the result (MurmurHash3's finaliser,
// A. Appleby; constants by D. Stafford).
constexpr std::uint64_t mix(std::uint64_t key) noexcept {
  key ^= key >> 30;
  key *= 0xbf58476d1ce4e5b9ULL;
  key ^= key >> 27;
  key *= 0x94d049bb133111ebULL;
  key ^= key >> 31;
  return key;
}

constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  return mix(mix(a) + 0x9e3779b97f4a7c15ULL + b);
}

}  // namespace sluice
