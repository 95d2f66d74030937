// Waits for a step that another thread finishes within nanoseconds, unless that thread was preempted. It spins for a
// bounded time, and then sleeps for short times; it does not yield in a loop.
#pragma once

#include "core/base/atomics.h"
#include "core/base/system.h"

namespace sluice {

template <class A = StdAtomics, class Done>
void spin_wait(Done&& done) noexcept {
  for (int spins = 0; !done(); ++spins) {
    if (spins < 1000) {
      A::pause();
    } else {
      system::rest();
    }
  }
}

}  // namespace sluice
