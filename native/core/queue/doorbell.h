// The doorbell wakes a sleeping consumer. While the consumer is awake, it costs a push only a fence and a load.
//
//   producer                          consumer
//   publish a record                  found nothing to read
//   fence (seq_cst)        <----->    parked = 1
//   parked == 1 ?                     fence (seq_cst)
//     exchange it to 0; ring          look again: something there?  yes: parked = 0, go on
//                                                                   no:  sleep
//
// The producer finds `parked`, or the consumer finds the record, or both do, because both sides have a full fence
// between their store and their load. Without the fences, a store could still be in the store buffer when the load is
// done, and the wake-up would be lost. Only the producer that changes `parked` from 1 to 0 makes a system call, so a
// burst of records rings once. The core does not ring the bell itself (an eventfd, a uv_async): its caller does.
//
// A consumer that dies asleep leaves parked = 1. The next push may then ring in vain, and stores 0. No record is
// missed, because the next consumer looks for records before it sleeps.
#pragma once

#include <cstdint>

#include "core/base/atomics.h"

namespace sluice {

template <class A = StdAtomics>
class Doorbell {
 public:
  // A thread calls this after it has published records, given permits back, or closed the queue. Returns whether it
  // must ring the bell.
  bool must_ring() noexcept {
    // Pairs with the fence in park().
    A::fence(std::memory_order_seq_cst);
    // Relaxed: the fence orders it, and the exchange decides.
    if (parked_.load(std::memory_order_relaxed) == 0) return false;
    // Relaxed: the stamps publish the records, not this word. Only the thread that changes 1 to 0 rings.
    return parked_.exchange(0, std::memory_order_relaxed) != 0;
  }

  // As must_ring(), for a thread that has published records and cannot ring the bell itself. Returns whether it must
  // call must_ring(), and leaves `parked` as it is. If the thread ends before that, its session calls must_ring().
  bool awaited() const noexcept {
    // Pairs with the fence in park(). The stamp of the last record was stored with release.
    A::fence_after_release(std::memory_order_seq_cst);
    // Relaxed: the fence orders it.
    return parked_.load(std::memory_order_relaxed) != 0;
  }

  // A consumer that has found no record calls this to announce that it is about to sleep. It must look for records once
  // more before it sleeps.
  void park() noexcept {
    parked_.store(1, std::memory_order_relaxed);
    // Pairs with the fence in must_ring().
    A::fence(std::memory_order_seq_cst);
  }

  // A consumer calls this when it does not sleep, or sleeps no more. A thread that has just changed 1 to 0 still rings,
  // in vain.
  void unpark() noexcept { parked_.store(0, std::memory_order_relaxed); }

 private:
  alignas(kCacheLine) typename A::template atomic<std::uint32_t> parked_{0};
};

}  // namespace sluice
