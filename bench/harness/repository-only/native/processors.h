// Chooses the processor of a thread, because measurements between threads depend on it. It does so only on Linux, and
// only if the process has at least two processors.
#pragma once

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

namespace bench {

#if defined(__linux__)
// Restricts the calling thread to the processors of the process for which `chosen(index)` is true; index 0 is the
// first.
template <class Chosen>
void keep_to(Chosen&& chosen) {
  cpu_set_t all;
  cpu_set_t some;
  CPU_ZERO(&some);
  if (sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) < 2) return;
  for (int processor = 0, index = 0; processor < CPU_SETSIZE; ++processor) {
    if (CPU_ISSET(processor, &all) && chosen(index++)) CPU_SET(processor, &some);
  }
  pthread_setaffinity_np(pthread_self(), sizeof some, &some);
}
#else
template <class Chosen>
void keep_to(Chosen&&) {}
#endif

inline void use_processor(int number) {
  keep_to([number](int index) { return index == number; });
}
inline void avoid_processor(int number) {
  keep_to([number](int index) { return index != number; });
}

}  // namespace bench
