#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "core/base/clock.h"
#include "core/limiter/sliding_window.h"
#include "stress.h"
#include "window_audit.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("sliding window under threads");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::WindowAudit;
using sluice::test::ZeroedMemory;

constexpr unsigned kThreads = 4;

struct Shared {
  Shared(std::uint64_t limit, std::uint64_t bucket_ns, std::uint32_t buckets, std::uint64_t start_ns)
      : config{limit, bucket_ns, buckets},
        memory(SlidingWindow::cells(buckets) * sizeof(SlidingWindow::Cell)),
        clock(start_ns) {}
  SlidingWindow window() const { return {config, reinterpret_cast<SlidingWindow::Cell*>(memory.get())}; }
  std::uint64_t length() const { return config.bucket_ns * config.buckets; }

  SlidingWindowConfig config;
  ZeroedMemory memory;
  ManualClock clock;
  std::atomic<unsigned> asking{0};  // threads that have asked at least once
  std::atomic<bool> admitted{false};
};

// The requests of one thread that passed, at the times to which they were charged.
struct Admissions {
  WindowAudit audit;
  std::uint64_t misdated = 0;  // charged to a bucket other than that of the time that the thread read last
};

// Takes, and refunds some of what it took, until the clock has stopped.
void take_until(const std::atomic<bool>& stopped, Shared& shared, unsigned index, Admissions& admissions) {
  Random random(index);
  SlidingWindow window = shared.window();
  for (bool first = true; !stopped.load(std::memory_order_relaxed); first = false) {
    const std::uint64_t cost = random.once_in(4) ? 2 : 1;
    std::uint64_t time = shared.clock.now();
    // Yields now and then, as if preempted between reading the time and using it.
    if (random.once_in(64)) std::this_thread::yield();
    const auto charge = window.take(cost, time, [&] { return time = shared.clock.now(); });
    if (first) ++shared.asking;
    if (!charge.taken) {
      // Gives the processor to the thread that moves the clock.
      if (random.once_in(8)) std::this_thread::yield();
    } else if (random.once_in(8)) {
      window.refund(charge, cost, time);
    } else {
      admissions.audit.admit(time, cost);
      admissions.misdated += charge.bucket != time / shared.config.bucket_ns + shared.config.buckets + 1;
      shared.admitted.store(true, std::memory_order_relaxed);
    }
  }
}

TEST_CASE(
    "no time span of the window's length is above the limit while threads race each other into new buckets") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(100);
  for (std::uint64_t round = 0; round < 12; ++round) {
    const std::uint32_t buckets[] = {1, 2, 3, 20};
    const std::uint64_t bucket_ns = random.between(1'000, 3'000);
    // Some rounds begin shortly before bucket numbers wrap around.
    const std::uint64_t start =
        round % 3 == 0 ? ((1ULL << 33) - 2'000) * bucket_ns : random.below(1ULL << 40);
    Shared shared(random.between(1, 40), bucket_ns, buckets[round % 4], start);
    CAPTURE(shared.config.limit);
    CAPTURE(shared.config.bucket_ns);
    CAPTURE(shared.config.buckets);
    std::vector<Admissions> admissions(kThreads);
    std::atomic<bool> stopped{false};
    in_threads(kThreads + 1, [&](unsigned index) {
      if (index < kThreads) return take_until(stopped, shared, index, admissions[index]);
      // Otherwise the clock could have stopped before another thread gets its first turn.
      while (shared.asking != kThreads || !shared.admitted) std::this_thread::yield();
      // The clock moves mostly within a bucket, sometimes into the next one, rarely past the window.
      Random steps(200 + round);
      for (std::uint64_t i = 0; i < repetitions(20'000); ++i) {
        const std::uint64_t reach = steps.once_in(500) ? 3 * shared.length() : bucket_ns / 2;
        shared.clock.advance(steps.below(reach));
        if (steps.once_in(4)) std::this_thread::yield();
      }
      stopped = true;
    });
    WindowAudit all;
    std::uint64_t misdated = 0;
    for (const Admissions& one : admissions) {
      all.add(one.audit);
      misdated += one.misdated;
    }
    REQUIRE(all.total() > 0);
    REQUIRE(all.fullest(shared.length()) <= shared.config.limit);
    REQUIRE(misdated == 0);
  }
}

TEST_CASE("threads that ask at the same time get exactly the limit, and again after refunds") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (std::uint64_t round = 0; round < repetitions(200); ++round) {
    Shared shared(1 + round % 60, 1'000, 5, 0);
    std::atomic<std::uint64_t> taken{0};
    in_threads(kThreads, [&](unsigned index) {
      Random random(round * kThreads + index);
      SlidingWindow window = shared.window();
      for (int refused = 0; refused < 3;) {
        const auto charge = window.take(1, 0, [] { return std::uint64_t{0}; });
        if (!charge.taken) {
          ++refused;
        } else if (random.once_in(3)) {
          window.refund(charge, 1, 0);
        } else {
          taken += 1;
        }
      }
    });
    // A request may have been refused because of a refund under way; what is left can be taken now.
    while (shared.window().take(1, 0, [] { return std::uint64_t{0}; }).taken) taken += 1;
    REQUIRE(taken.load() == shared.config.limit);
  }
}

}  // namespace

TEST_SUITE_END();
