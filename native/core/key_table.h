// The states of the keys of a limiter: a bounded table in sets of 16, a key lives in the set its hash names.
//
// A new key takes a free place, or that of an entry that is equal to a fresh one, which forgets nothing: of those,
// the longest idle that was used once; or one that was used more often but has been idle for a minute. If there is
// none, the key gets no place, and the limiter lets it share one state with its like. So a flood of new keys can
// neither make the limiter forget a key that owes something, nor push out the keys it has come to know.
//
// Reclaiming is part of taking a place: at most 16 entries are looked at, and there are no timers. The table has
// room for twice `max` keys, so that with `max` keys fewer than 1 % of the sets are full.
//
// A set is locked while one key in it is decided: a few hundred nanoseconds of native code that calls nothing and
// cannot be interrupted by JavaScript.
//
//   set:  | lock | keys[16] | touched[16] | uses[16] | states[16], `state_bytes` each |
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/atomics.h"
#include "core/key_hash.h"
#include "core/spin_lock.h"

namespace sluice {

inline constexpr std::uint64_t kKeysMax = 10'000'000;

class KeyTable {
 public:
  static constexpr std::uint32_t kWays = 16;
  static constexpr std::uint64_t kKnownNs = 60'000'000'000;  // a known key keeps its place this long
  static constexpr std::uint32_t kKnownUses = 2;

  struct alignas(kCacheLine) Set {
    SpinLock<> lock;
    Key keys[kWays];               // {0, 0}: free
    std::uint64_t touched[kWays];  // ns, limiter's time
    std::uint32_t uses[kWays];     // of the place by this key; stops at the largest
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
  static std::uint64_t bytes(std::uint64_t max, std::uint64_t state_bytes) {
    return max == 0 ? 0 : sets(max) * set_bytes(state_bytes);
  }

  // Of a state the first `cleared_bytes` are zeroed when it goes to a new key.
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

  // The key's set, locked, and its place in it, if it has one.
  Place lock(const Key& key) noexcept {
    Set& home = set((static_cast<std::uint64_t>(static_cast<std::uint32_t>(key.low)) * count_) >> 32);
    home.lock.lock();
    std::uint32_t way = 0;
    while (way != kWays && !(home.keys[way] == key)) ++way;
    return {&home, way};
  }
  static void unlock(const Place& place) noexcept { place.set->lock.unlock(); }

  static void touch(const Place& place, std::uint64_t now) noexcept {
    place.set->touched[place.way] = now;
    if (place.set->uses[place.way] != ~0u) ++place.set->uses[place.way];
  }

  enum class Taken : std::uint8_t { kNone, kFree, kEvicted };

  // Gives the key of a locked set without a place one, zeroed, if there is one to give. `fresh(state)` says whether
  // forgetting a state changes nothing.
  template <class Fresh>
  Taken take(Place& place, const Key& key, std::uint64_t now, Fresh&& fresh) noexcept {
    Set& home = *place.set;
    std::uint32_t best = kWays;
    Taken taken = Taken::kNone;
    for (std::uint32_t way = 0; way < kWays; ++way) {
      if (home.keys[way] == Key{}) {
        best = way;
        taken = Taken::kFree;
        break;
      }
      const std::uint64_t idle = now > home.touched[way] ? now - home.touched[way] : 0;
      if (home.uses[way] >= kKnownUses && idle < kKnownNs) continue;
      if (best != kWays && !sooner(home, way, best)) continue;
      if (!fresh(state(home, way))) continue;
      best = way;
      taken = Taken::kEvicted;
    }
    if (taken == Taken::kNone) return taken;
    std::memset(state(home, best), 0, cleared_bytes_);
    home.keys[best] = key;
    home.uses[best] = 0;
    home.touched[best] = now;
    place.way = best;
    return taken;
  }

 private:
  // Whether `way` is to go before `other`: used once before used more often, then the longest idle.
  static bool sooner(const Set& set, std::uint32_t way, std::uint32_t other) noexcept {
    const bool known = set.uses[way] >= kKnownUses, other_known = set.uses[other] >= kKnownUses;
    if (known != other_known) return other_known;
    return set.touched[way] < set.touched[other];
  }

  std::byte* sets_;
  std::uint64_t count_;
  std::uint64_t set_bytes_;
  std::uint64_t state_bytes_;
  std::uint64_t cleared_bytes_;
};

}  // namespace sluice
