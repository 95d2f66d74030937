// Waits for a step that another thread takes within nanoseconds, unless it was preempted: a bounded spin, then short
// sleeps, never a yield loop.
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
