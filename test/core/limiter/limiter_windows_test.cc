// Several windows in one limiter, compared with the list of all admitted requests.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "core/limiter/limiter.h"
#include "limiter_tiers.h"
#include "stress.h"
#include "timed_limiter.h"
#include "window_audit.h"

TEST_SUITE_BEGIN("limiter windows");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::kEpoch;
using sluice::test::kSecond;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::TimedLimiter;
using sluice::test::WindowAudit;

WindowConfig buckets_of(std::uint64_t limit, std::uint64_t length_ns, std::uint32_t buckets) {
  WindowConfig window;
  window.sliding = {limit, length_ns / buckets, buckets};
  return window;
}
WindowConfig exact_of(std::uint64_t limit, std::uint64_t length_ns) {
  WindowConfig window = buckets_of(limit, length_ns, 1);
  window.exact = true;
  window.log_capacity = limit;
  return window;
}
LimiterConfig config_with(const std::vector<WindowConfig>& windows, std::uint64_t keys = 0) {
  LimiterConfig config;
  for (const WindowConfig& window : windows) config.windows[config.window_count++] = window;
  config.keys_max = keys;
  return config;
}

struct Timed : TimedLimiter {
  using TimedLimiter::TimedLimiter;

  std::uint64_t left(std::uint32_t window) {
    return limiter.rooms(*thread, clock.now(), 0, key).windows[window].left;
  }
  std::uint64_t now() const { return clock.now() - kEpoch; }
};

struct Admitted {
  std::uint64_t at, cost;
  Limiter::Decision decision;
};

// Returns what a window has left, computed from all requests that were admitted and not given back.
std::uint64_t left_of(const WindowConfig& window, const std::vector<Admitted>& all, std::uint64_t now) {
  const auto& [limit, bucket_ns, buckets] = window.sliding;
  std::uint64_t used = 0;
  for (const Admitted& one : all) {
    const bool inside =
        window.exact ? one.at + bucket_ns > now : one.at / bucket_ns + buckets >= now / bucket_ns;
    if (inside) used += one.cost;
  }
  return used >= limit ? 0 : limit - used;
}

TEST_CASE("a request must fit in every window, and is charged to all or none") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(21);
  for (std::uint64_t round = 0; round < repetitions(300); ++round) {
    std::vector<WindowConfig> windows;
    for (std::uint64_t count = random.between(2, kWindowsMax), length = kSecond; windows.size() < count;) {
      const std::uint64_t limit = random.between(1, 12) * (windows.size() + 1);
      windows.push_back(random.once_in(2)
                            ? exact_of(limit, length)
                            : buckets_of(limit, length, static_cast<std::uint32_t>(random.between(1, 20))));
      length *= random.between(2, 60);
    }
    Timed timed(config_with(windows, round % 2 == 0 ? 0 : 8));
    std::vector<Admitted> all;
    for (int step = 0; step < 200; ++step) {
      if (random.once_in(2)) timed.manual.advance(random.below(kSecond << random.below(5)));
      const std::uint64_t now = timed.now(), cost = random.once_in(3) ? random.between(1, 6) : 1;
      std::uint32_t refusing = 0;
      while (refusing < windows.size() && left_of(windows[refusing], all, now) >= cost) ++refusing;
      std::uint32_t never = 0;
      while (never < windows.size() && windows[never].sliding.limit >= cost) ++never;
      const std::uint64_t wait = timed.peek(cost).retry_after;
      const Limiter::Decision decision = timed.decide(cost);
      const bool allowed = decision.refused_by == Tier::kNone;
      REQUIRE(allowed == (refusing == windows.size()));
      REQUIRE((wait == 0) == allowed);
      REQUIRE(decision.oversized == (never != windows.size()));
      if (!allowed) REQUIRE(decision.window == (decision.oversized ? never : refusing));
      if (allowed) all.push_back({now, cost, decision});
      if (!all.empty() && random.once_in(4)) {
        const std::uint64_t which = random.below(all.size());
        timed.limiter.refund(*timed.thread, timed.clock.now(), all[which].decision.receipt, all[which].cost,
                             timed.key);
        all.erase(all.begin() + static_cast<std::ptrdiff_t>(which));
      }
      for (std::uint32_t i = 0; i < windows.size(); ++i)
        REQUIRE(timed.left(i) == left_of(windows[i], all, now));
      if (!allowed && !decision.oversized && random.once_in(4) && all.size() < 3) {
        timed.manual.advance(wait);
        REQUIRE(timed.peek(cost).retry_after == 0);
      }
    }
  }
}

TEST_CASE("the reported wait is exact over all windows") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(22);
  for (std::uint64_t round = 0; round < repetitions(200); ++round) {
    Timed timed(
        config_with({buckets_of(3, kSecond, 20), exact_of(8, 10 * kSecond), exact_of(20, 60 * kSecond)},
                    round % 2 == 0 ? 0 : 8));
    for (int step = 0; step < 100; ++step) {
      const std::uint64_t cost = random.between(1, 3), wait = timed.peek(cost).retry_after;
      if (wait != 0) {
        timed.manual.advance(wait - 1);
        REQUIRE(timed.decide(cost).refused_by == Tier::kSlidingWindow);
        timed.manual.advance(1);
      }
      REQUIRE(timed.decide(cost).refused_by == Tier::kNone);
      timed.manual.advance(random.below(kSecond));
    }
  }
}

TEST_CASE("a key is forgotten only when all of its windows are empty") {
  Timed timed(config_with({buckets_of(5, kSecond, 10), exact_of(9, 100 * kSecond)}, 8));
  REQUIRE(timed.decide(5).refused_by == Tier::kNone);
  timed.manual.advance(2 * kSecond);
  CHECK(timed.left(0) == 5);
  CHECK(timed.left(1) == 4);
  const auto crowd = [&](std::uint64_t first) {
    for (std::uint64_t number = first; number < first + 2'000; ++number) {
      const Key other = timed.limiter.key(KeyKind::kNumber, &number, sizeof number);
      timed.limiter.decide(*timed.thread, timed.clock, timed.clock.now(), 1, 0, &other);
    }
  };
  crowd(100);
  CHECK(timed.left(1) == 4);
  timed.manual.advance(99 * kSecond);
  crowd(10'000);
  CHECK(timed.left(1) == 9);
}

TEST_CASE("penalties, rewards and resets apply to all windows, and each window can change its length") {
  Timed timed(config_with({buckets_of(10, kSecond, 10), exact_of(20, 10 * kSecond)}));
  timed.limiter.penalize(*timed.thread, timed.clock, timed.clock.now(), 8);
  CHECK(timed.left(0) == 2);
  CHECK(timed.left(1) == 12);
  timed.limiter.reward(*timed.thread, timed.clock.now(), 3);
  CHECK(timed.left(0) == 5);
  CHECK(timed.left(1) == 15);
  const auto longer = [](std::uint32_t window) {
    return [window](LimiterConfig& config, std::uint64_t) { config.windows[window].sliding.bucket_ns *= 5; };
  };
  timed.manual.advance(kSecond / 2);
  timed.limiter.configure(timed.clock, longer(0));
  timed.manual.advance(4 * kSecond);
  CHECK(timed.left(0) == 5);
  timed.limiter.configure(timed.clock, longer(1));
  timed.manual.advance(20 * kSecond);
  CHECK(timed.left(0) == 10);
  CHECK(timed.left(1) == 15);
  timed.limiter.reset(*timed.thread);
  CHECK(timed.left(1) == 20);
}

TEST_CASE("threads that share several windows get no more than the limit of each") {
  for (const std::uint64_t keys : {0, 8}) {
    Timed timed(config_with(
        {buckets_of(40, kSecond, 10), exact_of(100, 5 * kSecond), buckets_of(150, 9 * kSecond, 9)}, keys));
    WindowAudit audit;
    std::mutex mutex;
    std::atomic<int> running{3};
    std::atomic<std::uint64_t> attempts{0};
    in_threads(4, [&](int index) {
      if (index == 3) {
        // The clock stands still for a few attempts, however the threads are scheduled.
        for (std::uint64_t seen = 0; running.load() != 0;) {
          if (attempts.load() < seen + 8) {
            std::this_thread::yield();
            continue;
          }
          seen = attempts.load();
          timed.manual.advance(kSecond / 100);
        }
        return;
      }
      ThreadSlot* thread = timed.limiter.thread_slots().acquire();
      WindowAudit own;
      for (std::uint64_t i = 0; i < repetitions(20'000); ++i) {
        const std::uint64_t before = timed.clock.now();
        const auto decision = timed.limiter.decide(*thread, timed.clock, before, 1, 0, timed.key);
        ++attempts;
        if (decision.refused_by != Tier::kNone) continue;
        if (i % 3 == 0) {
          timed.limiter.undo(*thread, timed.clock, before, decision, 1, timed.key);
        } else if (timed.clock.now() == before) {
          own.admit(before, 1);  // counted only if the clock stood still, so that the time is certain
        }
      }
      const std::lock_guard<std::mutex> guard(mutex);
      audit.add(own);
      --running;
    });
    CHECK(audit.total() > 0);
    CHECK(audit.fullest(kSecond) <= 40);
    CHECK(audit.fullest(5 * kSecond) <= 100);
    CHECK(audit.fullest(9 * kSecond) <= 150);
  }
}

}  // namespace

TEST_SUITE_END();
