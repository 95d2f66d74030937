// The states of a limiter's keys, in a bounded table of sets of 16 places. A key lives in the set that its hash names.
//
// A new key takes a free place of its set, or the place of a key whose state is equal to a fresh one, so that nothing
// is lost. If the set has neither, the key becomes a guest: see guest_ring.h. So a flood of new keys cannot make the
// limiter forget a key that has a place and owes something, and each new key that is charged gets a state of its own.
//
// No timer reclaims places: a thread that needs one looks at the 16 keys of the set. The table has room for twice `max`
// keys. If `max` keys owe something, fewer than 1 in 1,000 of them are guests.
//
// A thread locks a set while it decides about one key in it. That usually takes a few hundred nanoseconds of native
// code, which calls no JavaScript.
//
//   set:  | lock | keys[16] | states[16], `state_bytes` each |
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/atomics.h"
#include "core/base/key_hash.h"
#include "core/base/layout.h"
#include "core/base/spin_lock.h"

namespace sluice {

inline constexpr std::uint64_t kKeysMax = 10'000'000;

class KeyTable {
 public:
  static constexpr std::uint32_t kWays = 16;

  struct alignas(kCacheLine) Set {
    SpinLock<> lock;
    Key keys[kWays];  // {0, 0}: free
  };

  // A place in a locked set.
  struct Place {
    Set* set;
    std::uint32_t way;
    bool found() const noexcept { return way != kWays; }
  };

  static std::uint64_t sets(std::uint64_t max) { return (2 * max + kWays - 1) / kWays; }
  static std::uint64_t set_bytes(std::uint64_t state_bytes) {
    return round_up(sizeof(Set) + kWays * state_bytes, kCacheLine);
  }
  static Layout layout(std::uint64_t max, std::uint64_t state_bytes) {
    Layout layout;
    layout.note(sizeof(Set), kWays, state_bytes);
    if (max != 0) layout.place_bytes(set_bytes(state_bytes), sets(max));
    return layout;
  }

  // The first `cleared_bytes` of a state are zeroed when a new key gets it.
  KeyTable(void* memory, std::uint64_t max, std::uint64_t state_bytes, std::uint64_t cleared_bytes)
      : sets_(static_cast<std::byte*>(memory)),
        count_(sets(max)),
        set_bytes_(set_bytes(state_bytes)),
        state_bytes_(state_bytes),
        cleared_bytes_(cleared_bytes) {}

  std::uint64_t count() const noexcept { return count_; }
  Set& set(std::uint64_t index) const noexcept { return *reinterpret_cast<Set*>(sets_ + index * set_bytes_); }
  std::byte* state(Set& set, std::uint32_t way) const noexcept {
    return reinterpret_cast<std::byte*>(&set) + sizeof(Set) + way * state_bytes_;
  }
  std::byte* state(const Place& place) const noexcept { return state(*place.set, place.way); }

  // Locks the key's set, and returns the key's place in it; found() is false if it has none.
  Place lock(const Key& key) noexcept {
    Set& home = set((static_cast<std::uint64_t>(static_cast<std::uint32_t>(key.low)) * count_) >> 32);
    home.lock.lock();
    std::uint32_t way = 0;
    while (way != kWays && !(home.keys[way] == key)) ++way;
    return {&home, way};
  }
  static void unlock(const Place& place) noexcept { place.set->lock.unlock(); }

  enum class Taken : std::uint8_t { kNone, kFree, kEvicted };

  // Gives the key, which has no place, a place in its locked set, with a zeroed state. kNone: every place has a state
  // that is not fresh. `fresh(state)` reports whether forgetting that state changes nothing.
  template <class Fresh>
  Taken take(Place& place, const Key& key, Fresh&& fresh) noexcept {
    Set& home = *place.set;
    std::uint32_t way = 0;
    while (way != kWays && !(home.keys[way] == Key{})) ++way;
    const bool free = way != kWays;
    if (!free) {
      way = 0;
      while (way != kWays && !fresh(state(home, way))) ++way;
      if (way == kWays) return Taken::kNone;
    }
    std::memset(state(home, way), 0, cleared_bytes_);
    home.keys[way] = key;
    place.way = way;
    return free ? Taken::kFree : Taken::kEvicted;
  }

 private:
  std::byte* sets_;
  std::uint64_t count_;
  std::uint64_t set_bytes_;
  std::uint64_t state_bytes_;
  std::uint64_t cleared_bytes_;
};

}  // namespace sluice
