// An atomics policy for the core that simulates a thread which loses the processor just before, or just after, its next
// compare_exchange_weak(). The same thread calls the functions below, which do what other threads do meanwhile.
#pragma once

#include <atomic>
#include <functional>
#include <utility>

#include "core/base/atomics.h"

namespace sluice::test {

inline std::function<void()> before_next_cas, after_next_cas;  // each called once

template <class T>
class HaltingAtomic : public std::atomic<T> {
 public:
  using std::atomic<T>::atomic;

  bool compare_exchange_weak(T& expected, T value, std::memory_order success,
                             std::memory_order failure) noexcept {
    if (const auto others = std::exchange(before_next_cas, nullptr)) others();
    const bool done = std::atomic<T>::compare_exchange_strong(expected, value, success, failure);
    if (const auto others = std::exchange(after_next_cas, nullptr)) others();
    return done;
  }
};

struct HaltingAtomics : StdAtomics {
  template <class T>
  using atomic = HaltingAtomic<T>;
};

}  // namespace sluice::test
