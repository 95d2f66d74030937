// Places the parts of an object in its memory: one after the other, each on cache lines of its own.
//
//   Layout layout;
//   const std::uint64_t control = layout.place<Control>();      // an offset
//   const std::uint64_t slots = layout.place<Slot>(capacity);   // the offset of an array
//   layout.bytes()                                              // the size of all parts
//   layout.hash()                                               // a hash of where the parts are
//
// No size wraps around: if a layout grows beyond 2^62 bytes, bytes() returns kTooLarge from then on. Segment::create()
// then refuses the layout.
#pragma once

#include <cstdint>

#include "core/base/atomics.h"
#include "core/base/hash.h"

namespace sluice {

// Returns a hash of several numbers. It depends on their order.
template <class... Numbers>
constexpr std::uint64_t layout_hash(Numbers... numbers) noexcept {
  std::uint64_t hash = mix(sizeof...(numbers));
  ((hash = mix(hash, static_cast<std::uint64_t>(numbers))), ...);
  return hash;
}

class Layout {
 public:
  static constexpr std::uint64_t kTooLarge = ~0ULL;

  // Places an array of `count` elements of `each` bytes, and returns its offset.
  constexpr std::uint64_t place_bytes(std::uint64_t each, std::uint64_t count = 1) noexcept {
    const std::uint64_t offset = bytes_;
    note(offset, each, count);
    if (each != 0 && count > kMost / each) {
      bytes_ = kTooLarge;
    } else if (bytes_ != kTooLarge) {
      const std::uint64_t end = bytes_ + round_up(each * count, kCacheLine);
      bytes_ = end > kMost ? kTooLarge : end;
    }
    return offset;
  }
  template <class T>
  constexpr std::uint64_t place(std::uint64_t count = 1) noexcept {
    static_assert(alignof(T) <= kCacheLine);
    return place_bytes(sizeof(T), count);
  }
  // Places an array of `count` parts that all have the layout `part`, and returns its offset.
  constexpr std::uint64_t place(const Layout& part, std::uint64_t count = 1) noexcept {
    note(part.hash());
    return place_bytes(part.bytes(), count);
  }

  // Makes the hash depend on further numbers, which decide where a word is, or what it means.
  template <class... Numbers>
  constexpr void note(Numbers... numbers) noexcept {
    hash_ = layout_hash(hash_, numbers...);
  }

  constexpr std::uint64_t bytes() const noexcept { return bytes_; }
  constexpr std::uint64_t hash() const noexcept { return hash_; }

 private:
  static constexpr std::uint64_t kMost = 1ULL << 62;  // so that the sum of two sizes never wraps around

  std::uint64_t bytes_ = 0;
  std::uint64_t hash_ = 0;
};

// Returns the layout of arrays that follow each other: layout_of<Control, Slot>(1, capacity).
template <class... Parts, class... Counts>
constexpr Layout layout_of(Counts... counts) noexcept {
  Layout layout;
  (layout.place<Parts>(counts), ...);
  return layout;
}

}  // namespace sluice
