#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "core/limiter/limiter.h"
#include "keyed_limiter.h"
#include "limiter_tiers.h"
#include "stress.h"

TEST_SUITE_BEGIN("limiter settings");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::kEpoch;
using sluice::test::Keyed;
using sluice::test::keyed;
using sluice::test::kSecond;
using sluice::test::Random;
using sluice::test::repetitions;

TEST_CASE("a changed rate takes effect at once, and debt stays") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(9);
  for (std::uint64_t round = 0; round < repetitions(200); ++round) {
    Keyed changed(keyed(4, 100, 0, 0));
    // A model in doubles: the debt shrinks at the rate that is valid at the time.
    double owed = 0, rate = 1;
    for (int i = 0; i < 200; ++i) {
      const std::uint64_t wait = random.below(3 * kSecond);
      changed.manual.advance(wait);
      owed = std::max(0.0, owed - static_cast<double>(wait) / 1e9 * rate);
      if (random.once_in(4)) {
        rate = static_cast<double>(random.between(1, 20'000'000)) / 1'000;
        changed.limiter.configure(changed.clock, [&](LimiterConfig& config, std::uint64_t time) {
          config.bucket.rate = TokenRate::per_second(rate);
          config.bucket.origin = time;
        });
      }
      const std::uint64_t cost = random.between(1, 40);
      const bool passed = changed.ask(7, cost) == Tier::kNone;
      const double left = 100 - owed - static_cast<double>(cost);
      if (left > 0.1 || left < -0.1) REQUIRE(passed == (left > 0));
      if (passed) owed += static_cast<double>(cost);
    }
  }
}

TEST_CASE("a window that becomes longer or shorter forgets nothing too early") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(10);
  for (std::uint64_t round = 0; round < repetitions(300); ++round) {
    Keyed changed(keyed(4, 0, 10, 0));
    std::uint64_t window = kSecond;
    std::uint64_t times[400], count = 0;
    for (int i = 0; i < 400; ++i) {
      changed.manual.advance(random.below(kSecond / 8));
      if (random.once_in(40)) {
        window = random.between(kSecond / 4, 4 * kSecond);
        changed.limiter.configure(changed.clock, [&](LimiterConfig& config, std::uint64_t) {
          config.windows[0].sliding.bucket_ns = (window + 19) / 20;
        });
        // Compares only the requests from now on: older ones may have left the window while it was shorter.
        count = 0;
      }
      if (changed.ask(7) != Tier::kNone) continue;
      times[count++] = changed.clock.now();
      std::uint64_t inside = 0;
      for (std::uint64_t j = 0; j < count; ++j) inside += times[j] + window > times[count - 1] ? 1 : 0;
      REQUIRE(inside <= 10);
    }
  }
}

TEST_CASE("a window that is changed back and forth remembers what it counted") {
  Keyed changed(keyed(4, 0, 5, 0));
  for (int i = 0; i < 5; ++i) REQUIRE(changed.ask(7) == Tier::kNone);
  for (const std::uint64_t window : {4 * kSecond, kSecond, 3 * kSecond, 2 * kSecond}) {
    changed.limiter.configure(changed.clock, [&](LimiterConfig& config, std::uint64_t) {
      config.windows[0].sliding.bucket_ns = window / 20;
    });
    REQUIRE(changed.ask(7) == Tier::kSlidingWindow);
    REQUIRE(changed.remaining(7) == 0);
  }
  changed.manual.advance(2 * kSecond + kSecond / 10 + 1);
  CHECK(changed.ask(7, 5) == Tier::kNone);
}

TEST_CASE("during a warm-up tokens come at a third of the rate first, and at the full rate in the end") {
  LimiterConfig config = keyed(0, 1, 0, 0);
  config.bucket.rate = TokenRate::per_second(300);
  config.bucket.warm_up_ns = 10 * kSecond;
  TokenBucket bucket;
  REQUIRE(bucket.take(config.bucket, 1, 0));
  CHECK(config.bucket.accrued(kSecond + 10) / config.bucket.rate.units(1) == 110);  // 300 * (1/3 + 1/30)
  CHECK(config.bucket.accrued(10 * kSecond + 10) / config.bucket.rate.units(1) == 2000);  // 2/3 of 3000
  CHECK(config.bucket.accrued(11 * kSecond + 10) / config.bucket.rate.units(1) == 2300);
  for (std::uint64_t now = 0; now < 12 * kSecond; now += kSecond / 7) {
    const std::uint64_t wait = bucket.retry_after(config.bucket, 1, now);
    if (wait != 0) REQUIRE_FALSE(bucket.take(config.bucket, 1, now + wait - 1));
    REQUIRE(bucket.take(config.bucket, 1, now + wait));
  }
}

TEST_CASE("an exact window admits its whole limit in any time span of its length") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(11);
  for (std::uint64_t round = 0; round < repetitions(200); ++round) {
    LimiterConfig config = keyed(round % 2 == 0 ? 4 : 0, 0, 12, 0);
    config.windows[0].exact = true;
    config.windows[0].sliding = {12, kSecond, 1};
    config.windows[0].log_capacity = 12;
    Keyed exact(config);
    const Key seven = exact.key_of(7);
    const Key* key = config.keys_max == 0 ? nullptr : &seven;
    std::vector<std::uint64_t> times;
    for (int i = 0; i < 500; ++i) {
      exact.manual.advance(random.once_in(3) ? 0 : random.below(kSecond / 5));
      const std::uint64_t now = exact.clock.now(), cost = random.between(1, 4);
      std::uint64_t inside = 0;
      for (const std::uint64_t time : times) inside += time + kSecond > now ? 1 : 0;
      REQUIRE(exact.limiter.peek(*exact.thread, exact.clock, now, 1, 0, key).remaining == 12 - inside);
      const std::uint64_t wait = exact.limiter.retry_after(*exact.thread, now, cost, key);
      const auto decision = exact.limiter.decide(*exact.thread, exact.clock, now, cost, 0, key);
      REQUIRE((decision.refused_by == Tier::kNone) == (inside + cost <= 12));
      REQUIRE((wait == 0) == (inside + cost <= 12));
      if (decision.refused_by != Tier::kNone) continue;
      if (random.once_in(5)) {
        exact.limiter.undo(*exact.thread, exact.clock, now, decision, cost, key);
      } else {
        times.insert(times.end(), cost, now);
      }
    }
  }
}

TEST_CASE("an exact window whose place goes to another key begins empty") {
  LimiterConfig config = keyed(8, 0, 5, 0);  // one set
  config.windows[0].exact = true;
  config.windows[0].sliding = {5, kSecond, 1};
  config.windows[0].log_capacity = 5;
  Keyed small(config);
  for (std::uint64_t first = 0; first < 10 * KeyTable::kWays; first += KeyTable::kWays) {
    for (std::uint64_t key = first; key < first + KeyTable::kWays; ++key) {
      REQUIRE(small.remaining(key) == 5);
      REQUIRE(small.ask(key, 3) == Tier::kNone);
      REQUIRE(small.ask(key, 3) == Tier::kSlidingWindow);
      REQUIRE(small.ask(key, 2) == Tier::kNone);
      REQUIRE(small.remaining(key) == 0);
    }
    small.manual.advance(100 * kSecond);
  }
  CHECK(small.sum(Limiter::kEvicted) == 9 * KeyTable::kWays);
}

TEST_CASE("penalties become debt, rewards give back, and a reset forgets both") {
  Keyed limiter(keyed(4, 10, 20, 0));
  const Key key = limiter.key_of(7);
  limiter.limiter.penalize(*limiter.thread, limiter.clock, kEpoch, 15, &key);
  CHECK(limiter.remaining(7) == 0);
  CHECK(limiter.limiter.retry_after(*limiter.thread, kEpoch, 1, &key) == 6 * kSecond);
  limiter.limiter.reward(*limiter.thread, kEpoch, 8, &key);
  CHECK(limiter.remaining(7) == 3);
  limiter.limiter.reward(*limiter.thread, kEpoch, 100, &key);
  CHECK(limiter.remaining(7) == 10);
  for (int i = 0; i < 3; ++i) limiter.limiter.penalize(*limiter.thread, limiter.clock, kEpoch, ~0u, &key);
  CHECK(limiter.ask(7) == Tier::kTokenBucket);
  limiter.limiter.reset(*limiter.thread, &key);
  CHECK(limiter.remaining(7) == 10);
}

TEST_CASE("a dry run allows everything, charges what it would allow, and counts what it would refuse") {
  LimiterConfig config = keyed(4, 2, 0, 3);
  config.enforce = false;
  Keyed dry(config);
  for (int i = 0; i < 5; ++i) REQUIRE(dry.ask(7) == Tier::kNone);
  CHECK(dry.decide(7).would_refuse == Tier::kTokenBucket);
  CHECK(dry.sum(Limiter::kAllowed) == 2);
  CHECK(dry.sum(Limiter::kByTokenBucket) == 4);
  CHECK(dry.sum(Limiter::kDryRefusals) == 4);
  CHECK(dry.limiter.in_flight() == 6);
  const Key key = dry.key_of(7);
  for (int i = 0; i < 6; ++i) CHECK(dry.limiter.release(*dry.thread, 1, &key));
  CHECK_FALSE(dry.limiter.release(*dry.thread, 1, &key));
}

TEST_CASE("while one thread changes the rate, the others never see more than the rates allow") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (std::uint64_t round = 0; round < repetitions(40); ++round) {
    Keyed shared(keyed(16, 1'000, 0, 0));
    std::atomic<std::uint64_t> passed{0};
    in_threads(3, [&](unsigned index) {
      Random random(round * 3 + index);
      ThreadSlot* thread = shared.limiter.thread_slots().acquire();
      const Key key = shared.key_of(7);
      for (int i = 0; i < 600; ++i) {
        if (index == 0 && i % 20 == 0) {
          shared.limiter.configure(shared.clock, [&](LimiterConfig& config, std::uint64_t time) {
            config.bucket.rate = TokenRate::per_second(static_cast<double>(random.between(1, 10'000'000)));
            config.bucket.origin = time;
          });
        }
        const auto decision = shared.limiter.decide(*thread, shared.clock, kEpoch, 1, 0, &key);
        if (decision.refused_by == Tier::kNone) ++passed;
      }
      shared.limiter.thread_slots().release(thread);
    });
    REQUIRE(passed == 1'000);  // the clock does not move
  }
}

}  // namespace

TEST_SUITE_END();
