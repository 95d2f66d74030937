// One cache line for each attached thread: counters that cost their writer no contention, and a flag that is set while
// the thread is inside an operation, so that a reader can wait for a moment at which no thread is (see quiesce.h).
//
//   slot i: | owner | inside | users | counters[kThreadCounters] |   written by its owner only, read by anyone
//
// An owner is a thread, named by a number that no other thread has. All its attachments of one object share one slot,
// so that attachments that wait for the garbage collector take no slot from another thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base/atomics.h"

namespace sluice {

inline constexpr std::uint32_t kThreadsMax = 256;  // attached at one time; one more is refused
inline constexpr std::uint32_t kThreadCounters = 14;

struct alignas(kCacheLine) ThreadSlot {
  std::atomic<std::uint64_t> owner;   // 0: free
  std::atomic<std::uint32_t> inside;  // 1 while its owner is inside an operation
  std::uint32_t users;                // how many times the owner has acquired it; only the owner reads it
  std::atomic<std::uint64_t> counters[kThreadCounters];

  // Only the owner adds, so a plain load and store do: no locked instruction.
  void count(std::uint32_t counter, std::uint64_t by = 1) noexcept {
    counters[counter].store(counters[counter].load(std::memory_order_relaxed) + by,
                            std::memory_order_relaxed);
  }
};
static_assert(sizeof(ThreadSlot) == kCacheLine);

class ThreadSlots {
 public:
  static constexpr std::uint64_t kNameless = ~0ULL;  // each acquire() takes another slot
  static constexpr std::uint64_t kReturns = ~1ULL;   // GateReturns of all gates, under a lock

  // The slot of `owner`, taken if it has none; nullptr when kThreadsMax owners have one. Its counters go on from where
  // an earlier owner left them, so that sums never shrink. Calls of one owner never overlap.
  ThreadSlot* acquire(std::uint64_t owner = kNameless) noexcept {
    ThreadSlot* slot = owner == kNameless ? nullptr : find(owner);
    if (slot == nullptr) slot = take(owner);
    if (slot != nullptr) ++slot->users;
    return slot;
  }
  // Called once for each acquire(): after the last one the slot is free.
  void release(ThreadSlot* slot) noexcept {
    if (--slot->users != 0) return;
    // REL owner: pairs with ACQ in take().
    slot->owner.store(0, std::memory_order_release);
  }

  // 0 to kThreadsMax - 1: which of the slots it is.
  std::uint32_t number(const ThreadSlot& slot) const noexcept {
    return static_cast<std::uint32_t>(&slot - slots_);
  }

  std::uint64_t sum(std::uint32_t counter) const noexcept {
    std::uint64_t total = 0;
    for (const ThreadSlot& slot : slots_) total += slot.counters[counter].load(std::memory_order_relaxed);
    return total;
  }

  const ThreadSlot* begin() const noexcept { return slots_; }
  const ThreadSlot* end() const noexcept { return slots_ + kThreadsMax; }

 private:
  ThreadSlot* find(std::uint64_t owner) noexcept {
    for (ThreadSlot& slot : slots_) {
      // Relaxed: a thread that asks for its own number has written it itself.
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
