// Monotonic time in nanoseconds. Only the periods of calendar windows follow the wall clock.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/base/atomics.h"
#include "core/base/system.h"

namespace sluice {

// A clock for tests and simulations, which moves only when a thread calls advance(). Several threads can share it.
class ManualClock {
 public:
  explicit ManualClock(std::uint64_t start_ns = 0) : now_ns_(start_ns) {}

  // REL now: pairs with ACQ in now(): a thread that reads the new time sees everything that this thread wrote before.
  // ACQ now: pairs with REL in an earlier advance() of another thread.
  std::uint64_t advance(std::uint64_t by_ns) noexcept {
    return now_ns_.fetch_add(by_ns, std::memory_order_acq_rel) + by_ns;
  }
  std::uint64_t now() const noexcept { return now_ns_.load(std::memory_order_acquire); }

 private:
  std::atomic<std::uint64_t> now_ns_;
};

// A clock as the objects of the core use it: the monotonic clock of the machine, or a manual clock.
class Clock {
 public:
  Clock() = default;
  explicit Clock(const ManualClock* manual) : manual_(manual) {}

  std::uint64_t now() const noexcept {
    if (manual_ != nullptr) [[unlikely]]
      return manual_->now();
    return system::monotonic_ns();
  }
  // Reads a clock that goes on while the machine is suspended. Its times are not comparable with those of now(), unless
  // the clock is a manual one, which has one time.
  SLUICE_APART std::uint64_t boot_now() const noexcept {
    return manual_ != nullptr ? manual_->now() : system::boot_ns();
  }

 private:
  const ManualClock* manual_ = nullptr;
};

// The time of one call, for which the clock is read at most once: the first now() reads it, and later calls of now()
// return the same time.
class CallTime {
 public:
  explicit CallTime(const Clock& clock) : clock_(clock) {}

  std::uint64_t now() noexcept {
    if (!read_) {
      now_ = clock_.now();
      read_ = true;
    }
    return now_;
  }

 private:
  const Clock& clock_;
  std::uint64_t now_ = 0;
  bool read_ = false;
};

}  // namespace sluice
