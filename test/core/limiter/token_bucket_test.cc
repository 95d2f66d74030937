#include "core/limiter/token_bucket.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>

#include "core/base/clock.h"
#include "stress.h"

TEST_SUITE_BEGIN("token bucket");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::Random;
using sluice::test::repetitions;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kDay = 86'400 * kSecond;

TokenBucketConfig config_of(double rate, std::uint64_t burst) { return {TokenRate::per_second(rate), burst}; }

// Takes one token at a time until a request is refused. Returns how many it took.
std::uint64_t take_all(TokenBucket& bucket, const TokenBucketConfig& config, std::uint64_t now) {
  std::uint64_t taken = 0;
  while (bucket.take(config, 1, now)) ++taken;
  return taken;
}

TEST_CASE("a fresh bucket is full and holds exactly its burst") {
  for (const std::uint64_t burst : {1, 2, 100, 12'345}) {
    TokenBucket bucket;
    const TokenBucketConfig config = config_of(0.5, burst);
    CHECK(bucket.remaining(config, 0) == burst);
    CHECK(take_all(bucket, config, 0) == burst);
    CHECK(bucket.remaining(config, 0) == 0);
  }
}

TEST_CASE("at a whole rate the n-th token comes on its nanosecond, not one earlier") {
  TokenBucket bucket;
  const TokenBucketConfig config = config_of(1'000, 5);
  REQUIRE(take_all(bucket, config, 0) == 5);
  for (std::uint64_t n = 1; n <= 10'000; ++n) {
    const std::uint64_t due = n * 1'000'000;
    REQUIRE_FALSE(bucket.take(config, 1, due - 1));
    REQUIRE(bucket.take(config, 1, due));
    REQUIRE_FALSE(bucket.take(config, 1, due));
  }
}

TEST_CASE("a bucket that is idle for days fills to its burst and no further") {
  for (const double rate : {1 / 86'400., 3., 999.999, 8'000., 1e7}) {
    CAPTURE(rate);
    TokenBucket bucket;
    const TokenBucketConfig config = config_of(rate, 7);
    REQUIRE(take_all(bucket, config, 0) == 7);
    std::uint64_t now = 0;
    for (const std::uint64_t days : {30, 31, 400, 3'650}) {
      now += days * kDay;
      CHECK(bucket.remaining(config, now) == 7);
      CHECK(bucket.retry_after(config, 7, now) == 0);
      CHECK(take_all(bucket, config, now) == 7);
    }
  }
}

TEST_CASE(
    "in any span of time a bucket gives at most its burst and the rate's tokens, and a steady taker gets "
    "them all") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  for (const double rate : {1 / 86'400., 0.3, 7., 999.999, 7'630., 1e5 / 3, 1e7}) {
    CAPTURE(rate);
    TokenBucket bucket;
    const TokenBucketConfig config = config_of(rate, 10);
    std::uint64_t now = 0, taken = 0;
    for (std::uint64_t i = 0; i < repetitions(20'000); ++i) {
      // The bucket never has the time to become full, so every token that comes is taken.
      taken += take_all(bucket, config, now);
      REQUIRE(taken == 10 + config.rate.whole_tokens(config.rate.accrued(now)));
      now += random.below(static_cast<std::uint64_t>(9e9 / rate));
    }
  }
}

TEST_CASE("retry_after is the exact wait: refused one nanosecond before, allowed then") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(2);
  for (const double rate : {1 / 86'400., 0.3, 7., 999.999, 7'630., 61'040., 1e6, 1e7}) {
    for (const std::uint64_t start : {std::uint64_t{0}, 3 * kDay, 365 * kDay, 11'000 * kDay}) {
      CAPTURE(rate);
      CAPTURE(start);
      TokenBucket bucket;
      const TokenBucketConfig config = config_of(rate, 20);
      std::uint64_t now = start;
      // The arithmetic holds for times of up to 34 years.
      for (std::uint64_t i = 0; i < repetitions(1'000) && now < 34 * 365 * kDay; ++i) {
        const std::uint64_t cost = random.between(1, 20);
        const std::uint64_t wait = bucket.retry_after(config, cost, now);
        if (wait != 0) {
          REQUIRE_FALSE(bucket.take(config, cost, now));
          REQUIRE_FALSE(bucket.take(config, cost, now + wait - 1));
        }
        now += wait;
        REQUIRE(bucket.take(config, cost, now));
        now += random.below(static_cast<std::uint64_t>(3e10 / rate));
      }
    }
  }
}

TEST_CASE("one token in 366 days comes after 366 days, year after year") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(7);
  constexpr std::uint64_t kPeriod = 366 * kDay, kUnit = (kPeriod >> 28) + 1;
  for (std::uint64_t round = 0; round < repetitions(200); ++round) {
    TokenBucket bucket;
    const TokenBucketConfig config = config_of(kTokenRateMin, 1);
    const std::uint64_t first = random.below(2 * kPeriod);
    std::uint64_t now = first, idle = 0;
    for (std::uint64_t year = 0; year < 30; ++year) {
      REQUIRE(bucket.take(config, 1, now));
      const std::uint64_t wait = bucket.retry_after(config, 1, now);
      REQUIRE(wait <= kPeriod);
      REQUIRE(wait + kUnit >= kPeriod);
      REQUIRE_FALSE(bucket.take(config, 1, now + wait - 1));
      REQUIRE(bucket.remaining(config, now + wait) == 1);
      now += wait;
      // The waits of a caller that always asks at the first possible moment are, all together, at most kUnit + 1
      // nanoseconds too short, even after 30 years. kUnit is the length of one unit.
      if (round % 2 == 0) REQUIRE(now - first + kUnit + 1 >= (year + 1) * kPeriod);
      if (round % 2 == 1) now += idle = random.below(kPeriod / 30);
    }
  }
  TokenBucket bucket;
  const TokenBucketConfig config = config_of(kTokenRateMin, 40);
  REQUIRE(bucket.take(config, 40, 0));
  const std::uint64_t thirty = bucket.retry_after(config, 30, 0);  // inexact because the rate is a double
  CHECK((thirty > 30 * kPeriod ? thirty - 30 * kPeriod : 30 * kPeriod - thirty) < 200);
  CHECK(bucket.retry_after(config, 40, 0) == kNever);
  // All waiters together ask for less than this cost.
  CHECK(bucket.retry_after_all(config, 1ULL << 48, 0) == kNever);
}

TEST_CASE("a cost above the burst is refused for ever, however large it is") {
  TokenBucket bucket;
  const TokenBucketConfig config = config_of(1'000, 5);
  for (const std::uint64_t cost :
       {std::uint64_t{6}, std::uint64_t{1} << 44, std::uint64_t{1} << 63, kNever}) {
    CAPTURE(cost);
    CHECK_FALSE(bucket.take(config, cost, 0));
    CHECK_FALSE(bucket.take(config, cost, 400 * kDay));
    CHECK(bucket.retry_after(config, cost, 400 * kDay) == kNever);
  }
  CHECK(bucket.remaining(config, 0) == 5);
}

TEST_CASE("a refused request takes nothing") {
  TokenBucket bucket;
  const TokenBucketConfig config = config_of(1, 5);
  REQUIRE(bucket.take(config, 3, 0));
  for (int i = 0; i < 10; ++i) REQUIRE_FALSE(bucket.take(config, 3, 0));
  CHECK(bucket.remaining(config, 0) == 2);
  CHECK(bucket.take(config, 2, 0));
}

TEST_CASE("a reward gives back what was taken, and no more than fills the bucket") {
  TokenBucket bucket;
  const TokenBucketConfig config = config_of(1, 5);
  REQUIRE(bucket.take(config, 5, 0));
  bucket.give(config, 2, nullptr);
  CHECK(bucket.remaining(config, 0) == 2);
  bucket.give(config, 3, nullptr);
  CHECK(bucket.remaining(config, 0) == 5);
  // The bucket is emptied, and full again after a day: the reward then changes nothing.
  REQUIRE(bucket.take(config, 5, 0));
  CHECK(bucket.remaining(config, kDay) == 5);
  bucket.give(config, 5, nullptr);
  CHECK(bucket.remaining(config, kDay) == 5);
  CHECK(take_all(bucket, config, kDay) == 5);
}

TEST_CASE("the largest burst at the largest rate does not overflow, even after 34 years") {
  TokenBucket bucket;
  const TokenBucketConfig config = config_of(1e7, 1ULL << 32);
  const std::uint64_t end = 34 * 365 * kDay;
  REQUIRE(bucket.take(config, 1ULL << 32, 0));
  CHECK_FALSE(bucket.take(config, 1, 0));
  CHECK(bucket.retry_after(config, 1, 0) == 100);
  REQUIRE(bucket.take(config, 1ULL << 32, end));
  CHECK_FALSE(bucket.take(config, 1, end));
  CHECK(bucket.retry_after(config, 1, end) == 100);
  CHECK(bucket.remaining(config, end) == 0);
}

TEST_CASE("threads that take and undo at the same time share exactly the tokens that there are") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  TokenBucket bucket;
  const TokenBucketConfig config = config_of(1'000, 50);
  SpinLock<> undoing;
  ManualClock clock;
  std::atomic<std::uint64_t> taken{0};
  constexpr unsigned kThreads = 4;
  const std::uint64_t rounds = repetitions(200);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    // The clock does not move while the threads run, because the accrued part of a take that is undone late stays
    // taken.
    in_threads(kThreads, [&](unsigned index) {
      Random random(round * kThreads + index);
      for (int i = 0; i < 250; ++i) {
        const std::uint64_t cost = random.between(1, 3);
        TokenBucket::Slot slot;
        if (!bucket.take(config, cost, clock.now(), slot)) continue;
        if (random.once_in(3)) {
          bucket.undo(config, cost, clock.now(), slot, &undoing, [&clock] { return clock.now(); });
        } else {
          taken += cost;
        }
      }
    });
    // The clock never moves so far that the bucket is full and a token is lost. At most 12 tokens are left: some take()
    // was refused because fewer than 3 were left, and since then each of the other threads has undone 3 at most.
    clock.advance(38'000'000);
  }
  taken += take_all(bucket, config, clock.now());
  CHECK(taken == 50 + config.rate.whole_tokens(config.rate.accrued(clock.now())));
}

}  // namespace

TEST_SUITE_END();
