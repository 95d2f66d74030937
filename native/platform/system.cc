#include "core/base/system.h"

#include <cstdio>
#include <cstdlib>

#if defined(__linux__)
#include <ctime>
#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>

#include "platform/tick_clock.h"
#endif
#else
#include <chrono>
#include <thread>
#if defined(__APPLE__)
#include <ctime>
#endif
#endif

namespace sluice::system {

#if defined(__linux__)

// Calls clock_gettime directly: hot paths read the clock, and std::chrono would add a call of its own.
static std::uint64_t read(clockid_t clock) noexcept {
  timespec time;
  clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}
std::uint64_t wall_ns() noexcept { return read(CLOCK_REALTIME); }
std::uint64_t boot_ns() noexcept { return read(CLOCK_BOOTTIME); }

#if defined(__x86_64__)

namespace {

struct Processor {
  static std::uint64_t ticks() noexcept { return __rdtsc(); }
  static std::uint64_t ns() noexcept { return read(CLOCK_MONOTONIC); }
};

// Whether the counter runs at one rate, whatever the processor's frequency and state of sleep ("invariant TSC").
bool ticks_evenly() noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d >> 8 & 1) != 0;
}

const bool has_ticks = ticks_evenly();
thread_local constinit TickClock<Processor> tick_clock;

}  // namespace

std::uint64_t monotonic_ns() noexcept { return has_ticks ? tick_clock.now() : Processor::ns(); }

#else

std::uint64_t monotonic_ns() noexcept { return read(CLOCK_MONOTONIC); }

#endif

void rest() noexcept {
  const timespec time{0, 50'000};
  nanosleep(&time, nullptr);
}

#else

template <class Clock>
static std::uint64_t read() noexcept {
  const auto since_start = Clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(since_start).count());
}
std::uint64_t monotonic_ns() noexcept { return read<std::chrono::steady_clock>(); }
std::uint64_t wall_ns() noexcept { return read<std::chrono::system_clock>(); }

#if defined(__APPLE__)
// The nanoseconds of mach_continuous_time().
std::uint64_t boot_ns() noexcept { return clock_gettime_nsec_np(CLOCK_MONOTONIC_RAW); }
#else
// On Windows this clock reads QueryPerformanceCounter(), which includes the time in which the machine slept.
std::uint64_t boot_ns() noexcept { return read<std::chrono::steady_clock>(); }
#endif

void rest() noexcept { std::this_thread::sleep_for(std::chrono::microseconds(50)); }

#endif

void broken(const char* what, const char* file, int line) noexcept {
  std::fprintf(stderr, "sluice: broken invariant: %s (%s:%d)\n", what, file, line);
  std::abort();
}

}  // namespace sluice::system
