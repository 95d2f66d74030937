// Waits until done() returns true. As a rule the caller waits for a step that another thread finishes within
// nanoseconds, unless that thread was preempted. (A wait for the end of a snapshot takes longer: see quiesce.h.) So
// spin_wait() first pauses 1,000 times, and only then sleeps, for about 50 microseconds at a time. It never yields: see
// cpu_pause().
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
