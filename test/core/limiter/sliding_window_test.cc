#include "core/limiter/sliding_window.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <map>

#include "stress.h"
#include "window_audit.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("sliding window");

namespace {

using namespace sluice;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::WindowAudit;
using sluice::test::ZeroedMemory;

// A window on a clock that the test moves.
struct Timed {
  Timed(std::uint64_t limit, std::uint64_t bucket_ns, std::uint32_t buckets)
      : config{limit, bucket_ns, buckets},
        memory(SlidingWindow::cells(buckets) * sizeof(SlidingWindow::Cell)),
        window(config, reinterpret_cast<SlidingWindow::Cell*>(memory.get())) {}

  SlidingWindow::Charge charge(std::uint64_t cost) {
    return window.take(cost, now, [this] { return now; });
  }
  bool take(std::uint64_t cost = 1) { return charge(cost).taken; }
  std::uint64_t take_all() {
    std::uint64_t taken = 0;
    while (take()) ++taken;
    return taken;
  }
  std::uint64_t length() const { return config.bucket_ns * config.buckets; }

  SlidingWindowConfig config;
  ZeroedMemory memory;
  SlidingWindow window;
  std::uint64_t now = 0;
};

// Computes the right decision: by the sum of the running bucket and the `buckets` buckets before it.
struct Oracle {
  explicit Oracle(const SlidingWindowConfig& config) : config(config) {}

  std::uint64_t used(std::uint64_t now) const {
    const std::uint64_t bucket = now / config.bucket_ns;
    std::uint64_t sum = 0;
    for (auto it = counts.lower_bound(bucket < config.buckets ? 0 : bucket - config.buckets);
         it != counts.end(); ++it) {
      sum += it->second;
    }
    return sum;
  }
  bool take(std::uint64_t cost, std::uint64_t now) {
    if (used(now) + cost > config.limit) return false;
    counts[now / config.bucket_ns] += cost;
    return true;
  }

  SlidingWindowConfig config;
  std::map<std::uint64_t, std::uint64_t> counts;
};

TEST_CASE("a fresh window admits exactly its limit at once") {
  for (const std::uint64_t limit : {1, 2, 120, 1000}) {
    for (const std::uint32_t buckets : {1u, 2u, 20u, 1000u}) {
      Timed timed(limit, 50, buckets);
      CHECK(timed.window.remaining(0) == limit);
      CHECK(timed.take_all() == limit);
      CHECK(timed.window.remaining(0) == 0);
    }
  }
}

TEST_CASE("the limit at the end of one window and again at the start of the next do not both pass") {
  for (const std::uint32_t buckets : {1u, 2u, 3u, 20u}) {
    Timed timed(10, 100, buckets);
    timed.now = timed.length() - 1;
    CHECK(timed.take_all() == 10);
    for (; timed.now < 2 * timed.length() - 1; ++timed.now) REQUIRE(timed.take_all() == 0);
  }
}

TEST_CASE(
    "one request, then limit - 1 late, then limit: other bucketed windows admit twice the limit, this one "
    "does not") {
  for (const std::uint32_t buckets : {1u, 2u, 3u, 20u, 60u}) {
    Timed timed(10, 100, buckets);
    WindowAudit audit;
    timed.now = 99;
    REQUIRE(timed.take());
    audit.admit(timed.now);
    timed.now = timed.length() + 99;
    for (int i = 0; i < 9; ++i) {
      if (timed.take()) audit.admit(timed.now);
    }
    for (; timed.now < 3 * timed.length(); ++timed.now) {
      while (timed.take()) audit.admit(timed.now);
    }
    CHECK(audit.fullest(timed.length()) <= 10);
  }
}

TEST_CASE("a window of 366 days is as strict as one of a second") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(9);
  constexpr std::uint64_t kDays = 86'400'000'000'000, kYear = 366 * kDays;
  for (std::uint64_t round = 0; round < repetitions(60); ++round) {
    const std::uint32_t buckets = std::initializer_list<std::uint32_t>{1, 20, 366, 1000}.begin()[round % 4];
    Timed timed(random.between(1, 30), (kYear + buckets - 1) / buckets, buckets);
    Oracle oracle(timed.config);
    WindowAudit audit;
    for (int i = 0; i < 400; ++i) {
      const std::uint64_t cost = random.once_in(4) ? random.between(1, timed.config.limit) : 1;
      const std::uint64_t wait = timed.window.retry_after(cost, timed.now);
      const bool taken = timed.take(cost);
      REQUIRE(taken == oracle.take(cost, timed.now));
      REQUIRE(taken == (wait == 0));
      if (taken) audit.admit(timed.now, cost);
      if (!taken) REQUIRE(timed.window.retry_after(cost, timed.now + wait - 1) == 1);
      timed.now += taken || random.once_in(2) ? random.below(random.once_in(5) ? kYear : 20 * kDays) : wait;
      if (timed.now > 34 * kYear) break;
    }
    REQUIRE(audit.fullest(kYear) <= timed.config.limit);
  }
}

TEST_CASE(
    "no time span of the window's length is above the limit, and no request is refused that the buckets "
    "allow") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  for (std::uint64_t round = 0; round < repetitions(400); ++round) {
    const auto buckets = static_cast<std::uint32_t>(random.between(1, 21));
    Timed timed(random.between(1, 30), random.between(1, 100), buckets);
    Oracle oracle(timed.config);
    WindowAudit audit;
    // Steps are from within one bucket to several windows; some rounds have mostly short ones, some mostly long ones.
    const std::uint64_t stride = 1ULL << random.below(14);
    for (int i = 0; i < 400; ++i) {
      const std::uint64_t cost = random.once_in(4) ? random.between(1, timed.config.limit + 1) : 1;
      REQUIRE(timed.window.remaining(timed.now) == timed.config.limit - oracle.used(timed.now));
      const bool taken = timed.take(cost);
      REQUIRE(taken == oracle.take(cost, timed.now));
      if (taken) audit.admit(timed.now, cost);
      timed.now += random.below(stride);
    }
    REQUIRE(audit.fullest(timed.length()) <= timed.config.limit);
  }
}

TEST_CASE("retry_after is the exact wait: refused one nanosecond before, allowed then") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(2);
  for (std::uint64_t round = 0; round < repetitions(200); ++round) {
    const auto buckets = static_cast<std::uint32_t>(random.between(1, 21));
    Timed timed(random.between(1, 30), random.between(1, 100), buckets);
    timed.now = random.below(1'000'000'000'000);
    for (int i = 0; i < 200; ++i) {
      const std::uint64_t cost = random.between(1, timed.config.limit);
      const std::uint64_t wait = timed.window.retry_after(cost, timed.now);
      REQUIRE(wait <= timed.length() + timed.config.bucket_ns);
      if (wait != 0) {
        REQUIRE_FALSE(timed.take(cost));
        timed.now += wait - 1;
        REQUIRE_FALSE(timed.take(cost));
        timed.now += 1;
      }
      REQUIRE(timed.take(cost));
      timed.now += random.below(timed.length());
    }
  }
}

TEST_CASE("a cost above the limit is refused for ever, however large it is") {
  Timed timed(10, 100, 3);
  REQUIRE(timed.take(3));
  for (const std::uint64_t cost :
       {std::uint64_t{11}, std::uint64_t{1} << 30, std::uint64_t{1} << 63, kNever - 1, kNever}) {
    CAPTURE(cost);
    CHECK_FALSE(timed.take(cost));
    CHECK(timed.window.retry_after(cost, timed.now) == kNever);
  }
  CHECK(timed.window.remaining(timed.now) == 7);
}

TEST_CASE("the largest limit is counted exactly") {
  Timed timed(kWindowLimitMax, 100, 2);
  REQUIRE(timed.take(kWindowLimitMax - 1));
  CHECK(timed.window.remaining(timed.now) == 1);
  CHECK_FALSE(timed.take(2));
  CHECK(timed.take(1));
  timed.now = 100;
  CHECK_FALSE(timed.take(1));
  timed.now = 300;
  CHECK(timed.take(kWindowLimitMax));
}

TEST_CASE("a refund frees its place at once, in the running bucket and in an older one") {
  Timed timed(10, 100, 4);
  const auto first = timed.charge(6);
  const auto second = timed.charge(4);
  REQUIRE(first.taken);
  REQUIRE(second.taken);
  CHECK_FALSE(timed.take());
  timed.window.refund(second, 4, timed.now);
  CHECK(timed.window.remaining(timed.now) == 4);
  timed.now = 250;
  CHECK(timed.take(4));
  CHECK_FALSE(timed.take());
  timed.window.refund(first, 6, timed.now);
  CHECK(timed.window.remaining(timed.now) == 6);
  CHECK(timed.take_all() == 6);
}

TEST_CASE("a refund of a bucket that has left the window changes nothing") {
  for (const std::uint64_t later : {500, 600, 5'000, 12'345'678}) {
    Timed timed(10, 100, 4);
    const auto old = timed.charge(10);
    timed.now = later;
    REQUIRE(timed.take(10));
    timed.window.refund(old, 10, timed.now);
    CHECK(timed.window.remaining(timed.now) == 0);
    CHECK_FALSE(timed.take());
  }
}

TEST_CASE("a thread whose time is out of date is charged at the present time") {
  for (const std::uint64_t late : {100, 400, 500, 900, 1'000, 123'456}) {
    Timed timed(10, 100, 4);
    REQUIRE(timed.take(4));
    timed.now = late;
    REQUIRE(timed.take(3));
    // The thread read the time 0 before the clock moved on by `late`.
    const auto charge = timed.window.take(2, 0, [&] { return timed.now; });
    CHECK(charge.taken);
    CHECK(timed.window.remaining(timed.now) == (late < 500 ? 1 : 5));
    timed.now += 399;
    CHECK(timed.window.remaining(timed.now) <= 5);
  }
}

TEST_CASE("after a long idle time a window admits its limit at once, whatever is still in its cells") {
  // Bucket numbers wrap around after 2^33, which takes 2.4 hours with the shortest buckets.
  constexpr std::uint64_t kWrap = 1ULL << 33;
  for (const std::uint32_t buckets : {1u, 3u, 20u}) {
    for (const std::uint64_t wraps : {0, 1, 2, 9}) {
      for (const std::int64_t off :
           {-(1LL << 32) - 5, -(1LL << 32), -(1LL << 31), -(1LL << 20) - 1, -(1LL << 20), -70'000LL, -3'000LL,
            -100LL, 100LL, 70'000LL, 1LL << 20, 1LL << 31}) {
        const std::int64_t idle = static_cast<std::int64_t>(wraps * kWrap) + off;
        if (idle <= 0) continue;
        CAPTURE(buckets);
        CAPTURE(idle);
        Timed timed(10, 1'000, buckets);
        for (int i = 0; i < 50; ++i, timed.now += 700) timed.take_all();
        timed.now += static_cast<std::uint64_t>(idle) * 1'000;
        WindowAudit audit;
        for (const std::uint64_t end = timed.now + 4 * timed.length(); timed.now < end; timed.now += 333) {
          while (timed.take()) audit.admit(timed.now);
        }
        REQUIRE(audit.total() >= 20);
        REQUIRE(audit.fullest(timed.length()) <= 10);
      }
    }
  }
}

TEST_CASE("bucket numbers that wrap around while a window is in use change nothing") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(3);
  for (const std::uint32_t buckets : {1u, 2u, 3u, 20u}) {
    Timed timed(10, 1'000, buckets);
    Oracle oracle(timed.config);
    timed.now = ((1ULL << 33) - 100) * 1'000;
    for (int i = 0; i < 2'000; ++i) {
      const std::uint64_t cost = random.between(1, 4);
      REQUIRE(timed.take(cost) == oracle.take(cost, timed.now));
      timed.now += random.below(1'000);
    }
  }
}

}  // namespace

TEST_SUITE_END();
