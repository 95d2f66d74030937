// Counts how many units of an item each user holds or has bought, if the item has a limit per user or a group. A
// reservation checks the limit and counts its units in one step, so that a double click cannot pass twice.
//
// At most `capacity` pairs of a user and an item have a count; one more pair is refused, and never overwrites another.
// A pair whose count is 0 again leaves its place to another pair.
//
//   bucket, one cache line:  | lock : 32 | reach : 32 | 5 entries |
//   entry:                   | low : 64 | item : 16, high : 48 | generation : 32, count : 32 |
//
// The home of a pair is the bucket that is computed from the user's keyed hash and the item's number. The pair is
// there, or in one of the `reach` buckets after it. A thread enters a pair under the home's lock, so that two threads
// cannot enter it twice. It adds to a pair that has a count with one CAS without the lock: while the count is not 0, no
// other pair can get the entry. It gives back with one subtraction. The generation is odd while a thread writes an
// entry's pair, and a new even one afterwards. So if a thread has read an earlier pair of the entry, its CAS fails. The
// generation repeats after 2^31 other pairs have had the entry. The CAS would succeed wrongly only if the thread was
// suspended between its look and its CAS for all of them, and the count is the same.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>

#include "core/base/atomics.h"
#include "core/base/check.h"
#include "core/base/layout.h"
#include "core/base/spin_lock.h"
#include "core/stock/ledger_key.h"

namespace sluice {

inline constexpr std::uint32_t kNoUser = ~0u;

template <class A = StdAtomics>
class UserTable {
 public:
  using AtomicU32 = typename A::template atomic<std::uint32_t>;
  using AtomicU64 = typename A::template atomic<std::uint64_t>;

  static constexpr std::uint32_t kWays = 5;

  struct Entry {
    AtomicU64 low, high;  // the user's key; the upper 16 bits of `high` are the item
    // | generation : 32 | count : 32 |
    AtomicU64 held;
  };
  struct alignas(kCacheLine) Bucket {
    SpinLock<A> lock;
    AtomicU32 reach;
    Entry entries[kWays];
  };
  struct Control {
    alignas(kCacheLine) AtomicU32 used;
  };

  enum class Add : std::uint8_t { kAdded, kLimit, kFull };
  struct Added {
    Add result;
    std::uint32_t entry;  // if added
  };

  static constexpr std::uint64_t buckets(std::uint32_t capacity) {
    return std::bit_ceil((capacity * 2ULL + kWays - 1) / kWays);
  }
  static constexpr std::uint64_t entries(std::uint32_t capacity) { return buckets(capacity) * kWays; }
  static constexpr Layout layout(std::uint32_t capacity) {
    return layout_of<Control, Bucket>(1, buckets(capacity));
  }
  static constexpr std::uint64_t bytes(std::uint32_t capacity) { return layout(capacity).bytes(); }

  UserTable(void* memory, std::uint32_t capacity)
      : control_(static_cast<Control*>(memory)),
        buckets_(reinterpret_cast<Bucket*>(control_ + 1)),
        capacity_(capacity),
        mask_(buckets(capacity) - 1) {}

  // Returns how many units the pair holds or has bought now. Writes nothing.
  std::uint64_t count(const HashedKey& user, std::uint32_t item) const noexcept {
    std::uint64_t held = 0;
    return find(user, item, held) == kNoUser ? 0 : count_in(held);
  }

  // Adds `quantity` (not 0) to the pair, unless that makes more than `limit`.
  Added add(const HashedKey& user, std::uint32_t item, std::uint64_t quantity, std::uint64_t limit) noexcept {
    Added added = add_to_known(user, item, quantity, limit);
    if (added.result != Add::kFull) return added;
    if (quantity > limit) return {Add::kLimit, kNoUser};
    SpinLock<A>& lock = buckets_[home(user, item)].lock;
    lock.lock();
    added = add_to_known(user, item, quantity, limit);
    if (added.result == Add::kFull) added = enter(user, item, quantity);
    lock.unlock();
    return added;
  }

  // Gives `quantity` back. Cannot fail.
  void put_back(std::uint32_t entry, std::uint64_t quantity) noexcept {
    const std::uint64_t before = at(entry).held.fetch_sub(quantity, std::memory_order_relaxed);
    SLUICE_CHECK(count_in(before) >= quantity, "a user gives back no more than was counted");
    if (count_in(before) == quantity) control_->used.fetch_sub(1, std::memory_order_relaxed);
  }

  // Returns the entry of a pair that has a count, or kNoUser.
  std::uint32_t entry_of(const HashedKey& user, std::uint32_t item) const noexcept {
    std::uint64_t held = 0;
    return find(user, item, held);
  }

  // Returns how many buckets after its home a look-up of the pair reads. In a full table of a million buckets, with
  // users that no attacker chose, it was 9 at most. A snapshot that needs more than kReachMax is refused.
  static constexpr std::uint32_t kReachMax = 64;
  std::uint32_t reach(const HashedKey& user, std::uint32_t item) const noexcept {
    return buckets_[home(user, item)].reach.load(std::memory_order_relaxed);
  }

  // For audits and snapshots, while no thread adds.
  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>((mask_ + 1) * kWays); }
  std::uint32_t used() const noexcept { return control_->used.load(std::memory_order_relaxed); }
  std::uint32_t item_of(std::uint32_t entry) const noexcept {
    return static_cast<std::uint32_t>(at(entry).high.load(std::memory_order_relaxed) >> kKeyBits);
  }
  std::uint64_t count_of(std::uint32_t entry) const noexcept { return count_in(word(entry)); }
  Key user_of(std::uint32_t entry) const noexcept {
    const std::uint64_t high = at(entry).high.load(std::memory_order_relaxed);
    return {at(entry).low.load(std::memory_order_relaxed), high & ((1ULL << kKeyBits) - 1)};
  }

 private:
  static std::uint32_t generation_in(std::uint64_t held) noexcept {
    return static_cast<std::uint32_t>(held >> 32);
  }
  static std::uint64_t count_in(std::uint64_t held) noexcept { return held & 0xffffffff; }
  static std::uint64_t held_of(std::uint32_t generation, std::uint64_t count) noexcept {
    return static_cast<std::uint64_t>(generation) << 32 | count;
  }
  static std::uint64_t high_of(const Key& user, std::uint32_t item) noexcept {
    return user.high | static_cast<std::uint64_t>(item) << kKeyBits;
  }
  std::uint64_t home(const HashedKey& user, std::uint32_t item) const noexcept {
    return (user.hash + item * 0x9e3779b97f4a7c15ULL) & mask_;
  }
  Entry& at(std::uint32_t entry) const noexcept { return buckets_[entry / kWays].entries[entry % kWays]; }
  std::uint64_t word(std::uint32_t entry) const noexcept {
    return at(entry).held.load(std::memory_order_relaxed);
  }

  // Returns the entry of the pair if it has a count, and in `held` the word that shows it; otherwise kNoUser.
  std::uint32_t find(const HashedKey& user, std::uint32_t item, std::uint64_t& held) const noexcept {
    const std::uint64_t first = home(user, item);
    // Relaxed: a thread that must find the pair has learned of it from another thread, or under the home's lock; either
    // makes the reach visible.
    const std::uint64_t reach = buckets_[first].reach.load(std::memory_order_relaxed);
    for (std::uint64_t distance = 0; distance <= reach; ++distance) {
      const std::uint64_t bucket = (first + distance) & mask_;
      for (std::uint32_t way = 0; way < kWays; ++way) {
        const Entry& entry = buckets_[bucket].entries[way];
        // ACQ held: pairs with REL in enter(). The key read below is that of this generation, or of a later one.
        held = entry.held.load(std::memory_order_acquire);
        if (count_in(held) == 0 || generation_in(held) % 2 != 0) continue;
        // ACQ key: pairs with REL in enter(). A thread that reads a later key finds a later generation below.
        if (entry.low.load(std::memory_order_acquire) != user.key.low ||
            entry.high.load(std::memory_order_acquire) != high_of(user.key, item)) {
          continue;
        }
        const std::uint64_t now = entry.held.load(std::memory_order_relaxed);
        if (generation_in(now) != generation_in(held) || count_in(now) == 0) continue;
        held = now;
        return static_cast<std::uint32_t>(bucket * kWays + way);
      }
    }
    return kNoUser;
  }

  // Adds to a pair that has a count. kFull: the pair has none.
  Added add_to_known(const HashedKey& user, std::uint32_t item, std::uint64_t quantity,
                     std::uint64_t limit) noexcept {
    std::uint64_t held = 0;
    for (;;) {
      const std::uint32_t entry = find(user, item, held);
      if (entry == kNoUser) return {Add::kFull, kNoUser};
      if (count_in(held) + quantity > limit) return {Add::kLimit, kNoUser};
      // Relaxed: the count publishes no other memory. The CAS compares the whole word, so the generation, too.
      if (at(entry).held.compare_exchange_weak(held, held + quantity, std::memory_order_relaxed,
                                               std::memory_order_relaxed)) {
        return {Add::kAdded, entry};
      }
    }
  }

  // Gives a place to the pair, which has no count. The caller has locked its home.
  Added enter(const HashedKey& user, std::uint32_t item, std::uint64_t quantity) noexcept {
    if (control_->used.fetch_add(1, std::memory_order_relaxed) >= capacity_) {
      control_->used.fetch_sub(1, std::memory_order_relaxed);
      return {Add::kFull, kNoUser};
    }
    const std::uint64_t first = home(user, item);
    // There are at least twice as many places as pairs, so a free one is near.
    for (std::uint64_t distance = 0;; ++distance) {
      const std::uint64_t bucket = (first + distance) & mask_;
      for (std::uint32_t way = 0; way < kWays; ++way) {
        Entry& entry = buckets_[bucket].entries[way];
        std::uint64_t held = entry.held.load(std::memory_order_relaxed);
        const std::uint32_t generation = generation_in(held);
        if (count_in(held) != 0 || generation % 2 != 0) continue;
        // ACQ held: pairs with the last REL below, by the thread that entered the previous pair here. So this pair's
        // key is written after that pair's key.
        if (!entry.held.compare_exchange_strong(held, held_of(generation + 1, 0), std::memory_order_acquire,
                                                std::memory_order_relaxed)) {
          continue;
        }
        // REL key: pairs with ACQ in find().
        entry.low.store(user.key.low, std::memory_order_release);
        entry.high.store(high_of(user.key, item), std::memory_order_release);
        AtomicU32& reach = buckets_[first].reach;
        // Relaxed: see find(). The reach only grows, under the home's lock.
        reach.store(std::max(reach.load(std::memory_order_relaxed), static_cast<std::uint32_t>(distance)),
                    std::memory_order_relaxed);
        // REL held: pairs with ACQ in find().
        entry.held.store(held_of(generation + 2, quantity), std::memory_order_release);
        return {Add::kAdded, static_cast<std::uint32_t>(bucket * kWays + way)};
      }
    }
  }

  Control* control_;
  Bucket* buckets_;
  std::uint32_t capacity_;
  std::uint64_t mask_;
};

static_assert(sizeof(UserTable<>::Bucket) == kCacheLine);

}  // namespace sluice
