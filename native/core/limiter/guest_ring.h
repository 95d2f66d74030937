// Guests are keys for which the key table has no place, because all 16 keys of their set owe something. Each guest has
// a state of its own in a slot of the ring. A new guest takes the slot that the index `hand` names, and `hand` moves
// on. So the guest that came first is forgotten, whatever its key is, and an attacker cannot learn which keys push out
// which.
//
// A guest that is blocked or has waiters stays: the hand passes over its slot. One slot in kStride never holds a guest
// that stays, so the hand finds a slot within kStride steps, and a new guest always gets one, unless it is to stay. If
// the guest of such a slot is to stay, it must first move to a slot nearby, or change places with the guest there.
//
//   | Control | heads[2 x slots] | Entry[slots] | states[slots], `state_bytes` each |
//
// One lock guards the whole ring. A thread takes this lock while it has the lock of the key's set.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/atomics.h"
#include "core/base/key_hash.h"
#include "core/base/layout.h"
#include "core/base/spin_lock.h"

namespace sluice {

class GuestRing {
 public:
  static constexpr std::uint32_t kNone = ~0u;
  static constexpr std::uint32_t kStride = 16;

  struct alignas(kCacheLine) Control {
    SpinLock<> lock;
    std::uint32_t hand;
  };
  struct Entry {
    Key key;             // {0, 0}: free
    std::uint32_t next;  // the next entry of its chain: slot + 1; 0: none
  };

  // Half of `max`, and at least 64; rounded up to a multiple of kStride.
  static std::uint64_t slots(std::uint64_t max) {
    return round_up(max / 2 < 64 ? std::uint64_t{64} : max / 2, std::uint64_t{kStride});
  }
  static Layout layout(std::uint64_t max, std::uint64_t state_bytes) {
    return max == 0 ? Layout() : Places(slots(max), state_bytes).layout;
  }
  static std::uint64_t bytes(std::uint64_t max, std::uint64_t state_bytes) {
    return layout(max, state_bytes).bytes();
  }

  // The first `cleared_bytes` of a state are zeroed when a new key gets it.
  GuestRing(void* memory, std::uint64_t max, std::uint64_t state_bytes, std::uint64_t cleared_bytes)
      : GuestRing(static_cast<std::byte*>(memory), max == 0 ? 0 : slots(max), state_bytes, cleared_bytes,
                  Places(max == 0 ? 0 : slots(max), state_bytes)) {}

  std::uint32_t size() const noexcept { return slots_; }
  bool used(std::uint32_t slot) const noexcept { return !(entries_[slot].key == Key{}); }
  std::byte* state(std::uint32_t slot) const noexcept { return states_ + slot * state_bytes_; }
  // Whether the guest of this slot may be blocked or have waiters.
  static bool may_stay(std::uint32_t slot) noexcept { return slot % kStride != 0; }

  // Returns false if `key` is certainly no guest. The caller has the lock of the key's set, and each thread that makes
  // the key a guest has that lock, too. So relaxed is enough: a guest that the lock does not order before this read has
  // another key. settle() moves other guests without the lock of their sets, but meanwhile the heads of their chains
  // are not 0.
  bool may_know(const Key& key) const noexcept { return head(key).load(std::memory_order_relaxed) != 0; }

  void lock() noexcept { control_->lock.lock(); }
  void unlock() noexcept { control_->lock.unlock(); }

  // The callers of the functions below have the lock.

  std::uint32_t find(const Key& key) const noexcept {
    std::uint32_t at = head(key).load(std::memory_order_relaxed);
    while (at != 0 && !(entries_[at - 1].key == key)) at = entries_[at - 1].next;
    return at == 0 ? kNone : at - 1;
  }

  // Makes `key` a guest with a zeroed state, and returns its slot. kNone: `to_stay` is true, and in the next 2 *
  // kStride slots every slot in which a guest may stay has one that stays. `stays(state)` reports whether a guest
  // stays; `leave(state)` is called for the guest that is forgotten.
  template <class Stays, class Leave>
  std::uint32_t take(const Key& key, bool to_stay, Stays&& stays, Leave&& leave) noexcept {
    for (std::uint32_t step = 0; step < 2 * kStride; ++step) {
      const std::uint32_t slot = control_->hand;
      control_->hand = slot + 1 == slots_ ? 0 : slot + 1;
      if (to_stay && !may_stay(slot)) continue;
      if (used(slot)) {
        if (stays(state(slot))) continue;
        leave(state(slot));
        remove(slot);
      }
      std::memset(state(slot), 0, cleared_bytes_);
      link(slot, key);
      return slot;
    }
    return kNone;
  }

  // Moves the guest in `from` to a slot where it may stay, and returns that slot. If a guest that does not stay has
  // that slot, the two change places, so that none is forgotten. kNone: no slot nearby can be used.
  template <class Stays>
  std::uint32_t settle(std::uint32_t from, Stays&& stays) noexcept {
    for (std::uint32_t tried = 0; tried < 6 * kStride; ++tried) {
      // Tries slots ahead first, then slots behind, and only then slots ahead that are past the hand: a guest there
      // would soon be the next to be forgotten, once it no longer stays.
      const std::uint32_t step = 1 + tried % (2 * kStride);
      const bool behind = tried >= 2 * kStride && tried < 4 * kStride;
      const std::uint32_t to = (from + (behind ? slots_ - step : step)) % slots_;
      const bool passes = behind ? due(to) + step != due(from) : due(to) != due(from) + step;
      if (!takes(to, stays) || (passes && tried < 4 * kStride)) continue;
      const Key guest = entries_[from].key, other = entries_[to].key;
      remove(from);
      if (other == Key{}) {
        std::memcpy(state(to), state(from), state_bytes_);
      } else {
        // `other` is linked here before it is removed there, because a thread that has only the lock of its set may
        // call may_know() for it.
        link(from, other);
        remove(to);
        std::swap_ranges(state(to), state(to) + state_bytes_, state(from));
      }
      link(to, guest);
      return to;
    }
    return kNone;
  }

  void remove(std::uint32_t slot) noexcept {
    Entry& entry = entries_[slot];
    std::atomic<std::uint32_t>& first = head(entry.key);
    std::uint32_t at = first.load(std::memory_order_relaxed);
    if (at == slot + 1) {
      first.store(entry.next, std::memory_order_relaxed);
    } else {
      while (entries_[at - 1].next != slot + 1) at = entries_[at - 1].next;
      entries_[at - 1].next = entry.next;
    }
    entry = {};
  }

 private:
  struct Places {
    Places(std::uint64_t slots, std::uint64_t state_bytes)
        : control(layout.place<Control>()),
          heads(layout.place<std::atomic<std::uint32_t>>(2 * slots)),
          entries(layout.place<Entry>(slots)),
          states(layout.place_bytes(state_bytes, slots)) {}

    Layout layout;
    std::uint64_t control, heads, entries, states;
  };

  GuestRing(std::byte* memory, std::uint64_t slots, std::uint64_t state_bytes, std::uint64_t cleared_bytes,
            const Places& at)
      : control_(reinterpret_cast<Control*>(memory + at.control)),
        heads_(reinterpret_cast<std::atomic<std::uint32_t>*>(memory + at.heads)),
        slots_(static_cast<std::uint32_t>(slots)),
        entries_(reinterpret_cast<Entry*>(memory + at.entries)),
        states_(memory + at.states),
        state_bytes_(state_bytes),
        cleared_bytes_(cleared_bytes) {}

  // Returns how many slots the hand visits before this one.
  std::uint32_t due(std::uint32_t slot) const noexcept { return (slot + slots_ - control_->hand) % slots_; }
  template <class Stays>
  bool takes(std::uint32_t slot, Stays& stays) const noexcept {
    return may_stay(slot) && !(used(slot) && stays(state(slot)));
  }

  void link(std::uint32_t slot, const Key& key) noexcept {
    std::atomic<std::uint32_t>& first = head(key);
    entries_[slot] = {key, first.load(std::memory_order_relaxed)};
    first.store(slot + 1, std::memory_order_relaxed);
  }

  std::atomic<std::uint32_t>& head(const Key& key) const noexcept {
    return heads_[(static_cast<std::uint64_t>(static_cast<std::uint32_t>(key.high)) * (2ULL * slots_)) >> 32];
  }

  Control* control_;
  std::atomic<std::uint32_t>* heads_;
  std::uint32_t slots_;
  Entry* entries_;
  std::byte* states_;
  std::uint64_t state_bytes_;
  std::uint64_t cleared_bytes_;
};

}  // namespace sluice
