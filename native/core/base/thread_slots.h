// An object's thread slots: one cache line for each attached thread. It contains counters, which the thread adds to
// without contention, and a flag that is set while the thread is inside an operation, so that a reader can wait until
// no thread is inside one (see quiesce.h).
//
//   slot i: | owner | inside | users | counters[kThreadCounters] |   only its owner writes it, any thread reads all
//                                                                    but `users`
//
// An owner is a thread, named by a number that no other thread has; exceptions are kNameless and kReturns. All
// attachments of one thread to one object share a slot, so that attachments that wait for the garbage collector take no
// slots from other threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base/atomics.h"

namespace sluice {

inline constexpr std::uint32_t kThreadsMax = 256;  // the most threads attached to one object at one time
inline constexpr std::uint32_t kThreadCounters = 14;

struct alignas(kCacheLine) ThreadSlot {
  std::atomic<std::uint64_t> owner;   // 0: free
  std::atomic<std::uint32_t> inside;  // 1 while its owner is inside an operation
  std::uint32_t users;                // acquire() calls that are not released yet; only the owner reads it
  std::atomic<std::uint64_t> counters[kThreadCounters];

  // Only the owner adds, so a load and a store are enough, without a locked instruction.
  void count(std::uint32_t counter, std::uint64_t by = 1) noexcept {
    counters[counter].store(counters[counter].load(std::memory_order_relaxed) + by,
                            std::memory_order_relaxed);
  }
};
static_assert(sizeof(ThreadSlot) == kCacheLine);

class ThreadSlots {
 public:
  // In place of an owner's number: each acquire() takes a slot of its own.
  static constexpr std::uint64_t kNameless = ~0ULL;
  // In place of an owner's number: all gates share one slot, for orders that they give back (see
  // session/gate_returns.h). A thread that uses it holds a lock of the object.
  static constexpr std::uint64_t kReturns = ~1ULL;

  // Returns the slot of `owner`; if it has none, takes a free one. nullptr: no slot is free. The counters of the slot
  // keep the values that its last owner left, so that sums still contain them. Calls for one owner must not overlap.
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

  // The sum of a counter over all slots. The slots are read one after another, while threads count. If one thread adds
  // an amount and another one subtracts it, the sum may contain only one of both changes, and so be too large or too
  // small. Returns 0 in place of a negative sum.
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
      // Relaxed: this thread wrote its own number itself; for kReturns, the lock orders the threads that use that slot.
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
