// How many units of an item each user holds or has bought: counted in the step that reserves them, so that a
// double click cannot pass twice.
//
// Open addressing over (user, item) pairs; a pair is entered once and stays. At most `capacity` pairs: one more
// is refused, never an overwrite.
//
//   entry:  | user + 1 : 64 | item + 1 : 32, count : 32 |
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "core/atomics.h"
#include "core/check.h"
#include "core/hash.h"

namespace sluice {

inline constexpr std::uint64_t kUserMax = ~0ULL - 1;
inline constexpr std::uint32_t kNoUser = ~0u;

class UserTable {
 public:
  struct Entry {
    std::atomic<std::uint64_t> user;
    std::atomic<std::uint64_t> held;
  };
  struct Control {
    alignas(kCacheLine) std::atomic<std::uint32_t> used;
  };

  static constexpr std::uint64_t size(std::uint32_t capacity) { return std::bit_ceil(capacity * 2ULL); }
  static constexpr std::uint64_t bytes(std::uint32_t capacity) {
    return sizeof(Control) + round_up(size(capacity) * sizeof(Entry), kCacheLine);
  }

  UserTable(void* memory, std::uint32_t capacity)
      : control_(static_cast<Control*>(memory)),
        entries_(reinterpret_cast<Entry*>(control_ + 1)),
        capacity_(capacity),
        mask_(size(capacity) - 1) {}

  // The entry of this pair if there is one, else kNoUser. Writes nothing.
  std::uint32_t find(std::uint64_t user, std::uint32_t item) const noexcept {
    for (std::uint64_t at = home(user, item);; at = (at + 1) & mask_) {
      const Entry& entry = entries_[at];
      // ACQ user: pairs with REL in enter().
      const std::uint64_t owner = entry.user.load(std::memory_order_acquire);
      if (owner == 0) return kNoUser;
      if (owner == user + 1 && item_in(entry.held.load(std::memory_order_acquire)) == item + 1) {
        return static_cast<std::uint32_t>(at);
      }
    }
  }

  // The entry of this pair, made if need be; kNoUser if the table is full.
  std::uint32_t enter(std::uint64_t user, std::uint32_t item) noexcept {
    for (std::uint64_t at = home(user, item);; at = (at + 1) & mask_) {
      Entry& entry = entries_[at];
      std::uint64_t owner = entry.user.load(std::memory_order_acquire);
      if (owner == 0) {
        if (control_->used.fetch_add(1, std::memory_order_relaxed) >= capacity_) {
          control_->used.fetch_sub(1, std::memory_order_relaxed);
          return kNoUser;
        }
        // REL user: pairs with ACQ in find() and enter().
        if (!entry.user.compare_exchange_strong(owner, user + 1, std::memory_order_acq_rel,
                                                std::memory_order_acquire)) {
          control_->used.fetch_sub(1, std::memory_order_relaxed);
        } else {
          owner = user + 1;
        }
      }
      if (owner != user + 1) continue;
      // The user's entry may still lack its item: whoever comes first gives it one.
      std::uint64_t held = 0;
      if (entry.held.compare_exchange_strong(held, word_of(item, 0), std::memory_order_acq_rel,
                                             std::memory_order_acquire) ||
          item_in(held) == item + 1) {
        return static_cast<std::uint32_t>(at);
      }
    }
  }

  std::uint64_t count(std::uint32_t entry) const noexcept {
    return count_in(entries_[entry].held.load(std::memory_order_relaxed));
  }

  // Adds `quantity` unless that exceeds `limit`. Relaxed: the count is all there is to this state.
  bool add(std::uint32_t entry, std::uint64_t quantity, std::uint64_t limit) noexcept {
    std::atomic<std::uint64_t>& word = entries_[entry].held;
    std::uint64_t held = word.load(std::memory_order_relaxed);
    while (count_in(held) + quantity <= limit) {
      if (word.compare_exchange_weak(held, held + quantity, std::memory_order_relaxed,
                                     std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // Gives `quantity` back. Cannot fail.
  void put_back(std::uint32_t entry, std::uint64_t quantity) noexcept {
    const std::uint64_t before = entries_[entry].held.fetch_sub(quantity, std::memory_order_relaxed);
    SLUICE_CHECK(count_in(before) >= quantity, "a user gives back no more than was counted");
  }

  std::uint64_t size() const noexcept { return mask_ + 1; }
  // The item of an entry, or kNoItem's value if it has none. For audits.
  std::uint32_t item_of(std::uint32_t entry) const noexcept {
    return item_in(entries_[entry].held.load(std::memory_order_relaxed)) - 1;
  }

 private:
  static std::uint32_t item_in(std::uint64_t held) noexcept { return static_cast<std::uint32_t>(held >> 32); }
  static std::uint64_t count_in(std::uint64_t held) noexcept { return held & 0xffffffff; }
  static std::uint64_t word_of(std::uint32_t item, std::uint64_t count) noexcept {
    return (static_cast<std::uint64_t>(item + 1) << 32) | count;
  }
  std::uint64_t home(std::uint64_t user, std::uint32_t item) const noexcept {
    return mix(user, item) & mask_;
  }

  Control* control_;
  Entry* entries_;
  std::uint32_t capacity_;
  std::uint64_t mask_;
};

}  // namespace sluice
