// An atomics policy for the core that counts the loads of a thread: a measure of a look-up's cost on any machine.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/base/atomics.h"

namespace sluice::test {

inline thread_local std::uint64_t loads_counted = 0;

template <class T>
class CountingAtomic : public std::atomic<T> {
 public:
  using std::atomic<T>::atomic;

  T load(std::memory_order order) const noexcept {
    ++loads_counted;
    return std::atomic<T>::load(order);
  }
};

struct CountingAtomics : StdAtomics {
  template <class T>
  using atomic = CountingAtomic<T>;
};

// Returns how many atomic loads `work()` makes.
template <class Work>
std::uint64_t loads_of(Work&& work) {
  const std::uint64_t before = loads_counted;
  work();
  return loads_counted - before;
}

}  // namespace sluice::test
