#include "platform/affinity.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace sluice {

#if defined(__linux__)

Pinning pin_this_thread(std::uint32_t processor) noexcept {
  if (processor >= CPU_SETSIZE) return Pinning::kRefused;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  CPU_SET(processor, &allowed);
  // The system takes the process id 0 for the calling thread.
  return sched_setaffinity(0, sizeof allowed, &allowed) == 0 ? Pinning::kPinned : Pinning::kRefused;
}

#else

Pinning pin_this_thread(std::uint32_t) noexcept { return Pinning::kUnsupported; }

#endif

}  // namespace sluice
