// One cache line for each attached thread. It contains counters, which the thread adds to without contention, and a
// flag that is set while the thread is inside an operation, so that a reader can wait until no thread is inside one
// (see quiesce.h).
//
//   slot i: | owner | inside | users | counters[kThreadCounters] |   only its owner writes it, any thread reads it
//
// An owner is a thread, named by a number that no other thread has. All attachments of one thread to one object share a
// slot, so that attachments that wait for the garbage collector take no slots from other threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base/atomics.h"

namespace sluice {

inline constexpr std::uint32_t kThreadsMax = 256;  // threads attached at one time; one more is refused
inline constexpr std::uint32_t kThreadCounters = 14;

struct alignas(kCacheLine) ThreadSlot {
  std::atomic<std::uint64_t> owner;   // 0: free
  std::atomic<std::uint32_t> inside;  // 1 while its owner is inside an operation
  std::uint32_t users;                // acquire() calls that are not released yet; only the owner reads it
  std::atomic<std::uint64_t> counters[kThreadCounters];

  // Only the owner adds, so a plain load and store are enough, without a locked instruction.
  void count(std::uint32_t counter, std::uint64_t by = 1) noexcept {
    counters[counter].store(counters[counter].load(std::memory_order_relaxed) + by,
                            std::memory_order_relaxed);
  }
};
static_assert(sizeof(ThreadSlot) == kCacheLine);

class ThreadSlots {
 public:
  static constexpr std::uint64_t kNameless = ~0ULL;  // each acquire() takes another slot
  static constexpr std::uint64_t kReturns = ~1ULL;   // GateReturns of all gates share this slot, under a lock

  // Returns the slot of `owner`; if it has none, takes a free one. nullptr: no slot is free. The counters go on from
  // where the last owner of the slot left them, so that sums never shrink. Calls of one owner never overlap.
  ThreadSlot* acquire(std::uint64_t owner = kNameless) noexcept {
    ThreadSlot* slot = owner == kNameless ? nullptr : find(owner);
    if (slot == nullptr) slot = take(owner);
    if (slot != nullptr) ++slot->users;
    return slot;
  }
  // Called once for each acquire(). After the last call the slot is free.
  void release(ThreadSlot* slot) noexcept {
    if (--slot->users != 0) return;
    // REL owner: pairs with ACQ in take().
    slot->owner.store(0, std::memory_order_release);
  }

  // Returns the index of the slot: 0 to kThreadsMax - 1.
  std::uint32_t number(const ThreadSlot& slot) const noexcept {
    return static_cast<std::uint32_t>(&slot - slots_);
  }

  // The slots are read one after another, while threads count. What one thread adds and another one subtracts may
  // therefore be counted in part: the sum may be too large by that, and is 0 where it would be negative.
  std::uint64_t sum(std::uint32_t counter) const noexcept {
    std::uint64_t total = 0;
    for (const ThreadSlot& slot : slots_) total += slot.counters[counter].load(std::memory_order_relaxed);
    return static_cast<std::int64_t>(total) < 0 ? 0 : total;
  }

  const ThreadSlot* begin() const noexcept { return slots_; }
  const ThreadSlot* end() const noexcept { return slots_ + kThreadsMax; }

 private:
  ThreadSlot* find(std::uint64_t owner) noexcept {
    for (ThreadSlot& slot : slots_) {
      // Relaxed: this thread wrote its own number itself; for kReturns, the lock orders the threads that use it.
      if (slot.owner.load(std::memory_order_relaxed) == owner) return &slot;
    }
    return nullptr;
  }
  ThreadSlot* take(std::uint64_t owner) noexcept {
    for (ThreadSlot& slot : slots_) {
      std::uint64_t free = 0;
      // ACQ owner: pairs with REL in release(): the new owner sees the counters of the old one.
      if (slot.owner.compare_exchange_strong(free, owner, std::memory_order_acquire,
                                             std::memory_order_relaxed)) {
        return &slot;
      }
    }
    return nullptr;
  }

  ThreadSlot slots_[kThreadsMax];
};

}  // namespace sluice
