// A lock for what is rare and short: a bounded spin, then short sleeps, never a yield loop. It is not on the way of
// a push that finds room or of a pop.
#pragma once

#include <chrono>
#include <cstdint>
#include <thread>

#include "core/atomics.h"

namespace sluice {

template <class A = StdAtomics>
class SpinLock {
 public:
  void lock() noexcept {
    // ACQ locked: pairs with REL in unlock().
    for (int spins = 0; locked_.exchange(1, std::memory_order_acquire) != 0; ++spins) {
      while (locked_.load(std::memory_order_relaxed) != 0) {
        if (++spins < 1000) {
          A::pause();
        } else {
          std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
      }
    }
  }
  // REL locked: pairs with ACQ in lock().
  void unlock() noexcept { locked_.store(0, std::memory_order_release); }

 private:
  typename A::template atomic<std::uint32_t> locked_{0};
};

}  // namespace sluice
