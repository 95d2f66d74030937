// The doorbell: wakes a sleeping consumer, and costs an awake one nothing but a fence.
//
//   producer                          consumer
//   publish a record                  found nothing to read
//   fence (seq_cst)        <----->    parked = 1
//   parked == 1 ?                     fence (seq_cst)
//     exchange it to 0; ring          look again: something there?  yes: parked = 0, go on
//                                                                   no:  sleep
//
// The producer finds `parked`, or the consumer finds the record, or both do, because both sides have a full fence
// between their store and their load. Without the fences, a store may still be in the store buffer when the load is
// done, and the wake-up is lost. Only the producer that takes `parked` from 1 to 0 makes a system call, so a burst
// rings once. The core does not ring the bell itself (an eventfd, a uv_async): its caller does.
//
// A consumer that dies asleep leaves parked = 1. That causes at most one useless ring, because the next consumer looks
// for records before it parks.
#pragma once

#include <cstdint>

#include "core/base/atomics.h"

namespace sluice {

template <class A = StdAtomics>
class Doorbell {
 public:
  // Called by a producer after publishing (or closing). Returns whether it must ring the bell.
  bool must_ring() noexcept {
    // Pairs with the fence in park().
    A::fence(std::memory_order_seq_cst);
    // Relaxed: the fence orders it, and the exchange decides.
    if (parked_.load(std::memory_order_relaxed) == 0) return false;
    // Relaxed: only the thread that changes 1 to 0 rings. The stamp publishes the record, not this word.
    return parked_.exchange(0, std::memory_order_relaxed) != 0;
  }

  // Called by a consumer that has found nothing, to announce that it is about to sleep. It must look again before it
  // sleeps.
  void park() noexcept {
    parked_.store(1, std::memory_order_relaxed);
    // Pairs with the fence in must_ring().
    A::fence(std::memory_order_seq_cst);
  }

  // Called by a consumer that is awake. A producer that has just exchanged 1 for 0 rings once for nothing.
  void unpark() noexcept { parked_.store(0, std::memory_order_relaxed); }

 private:
  alignas(kCacheLine) typename A::template atomic<std::uint32_t> parked_{0};
};

}  // namespace sluice
