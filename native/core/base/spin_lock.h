// A lock for rare and short work. A thread that finds it locked waits as spin_wait() does. A push to a queue, or a pop,
// takes no such lock, unless the queue overwrites, has waiters for room, or drops an order of a gate.
#pragma once

#include <cstdint>

#include "core/base/atomics.h"
#include "core/base/spin_wait.h"

namespace sluice {

template <class A = StdAtomics>
class SpinLock {
 public:
  void lock() noexcept {
    // ACQ locked: pairs with REL in unlock().
    while (locked_.exchange(1, std::memory_order_acquire) != 0) {
      spin_wait<A>([this] { return locked_.load(std::memory_order_relaxed) == 0; });
    }
  }
  // REL locked: pairs with ACQ in lock().
  void unlock() noexcept { locked_.store(0, std::memory_order_release); }

 private:
  typename A::template atomic<std::uint32_t> locked_{0};
};

// Holds `lock` while it lives.
template <class A>
class Locked {
 public:
  explicit Locked(SpinLock<A>& lock) noexcept : lock_(lock) { lock_.lock(); }
  ~Locked() { lock_.unlock(); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  SpinLock<A>& lock_;
};

}  // namespace sluice
