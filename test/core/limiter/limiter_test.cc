#include "core/limiter/limiter.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "limiter_tiers.h"
#include "stress.h"
#include "timed_limiter.h"

TEST_SUITE_BEGIN("limiter");

namespace {

using namespace sluice;
using sluice::test::config_of;
using sluice::test::in_threads;
using sluice::test::kEpoch;
using sluice::test::kSecond;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::TimedLimiter;

struct Timed : TimedLimiter {
  using TimedLimiter::TimedLimiter;

  Tier ask(std::uint64_t cost = 1, std::uint64_t queue_depth = 0) {
    return decide(cost, queue_depth).refused_by;
  }
  std::uint64_t retry_after(std::uint64_t cost) { return limiter.retry_after(*thread, clock.now(), cost); }
  bool release(std::uint64_t cost) { return limiter.release(*thread, cost); }
};

TEST_CASE("a cost above the limit of a tier is refused by that tier, even if others refuse it, too") {
  Timed limited(config_of(1, 5, 4, 3));
  const auto asked = [&](std::uint64_t cost) { return limited.decide(cost); };
  CHECK(asked(6).refused_by == Tier::kTokenBucket);
  CHECK(asked(6).oversized);
  CHECK(asked(5).refused_by == Tier::kSlidingWindow);
  CHECK(asked(4).refused_by == Tier::kQueueDepth);
  CHECK(asked(3).refused_by == Tier::kNone);
  CHECK_FALSE(asked(3).oversized);
  CHECK(asked(4).refused_by == Tier::kQueueDepth);
  limited.limiter.block(*limited.thread, limited.clock.now(), kSecond);
  CHECK(asked(5).refused_by == Tier::kSlidingWindow);
  CHECK(asked(3).refused_by == Tier::kBlocked);
  CHECK_FALSE(asked(3).oversized);
}

TEST_CASE("a clock that is behind that of the creator shows the time of the creation") {
  Timed limited(config_of(1, 2, 4, 3));
  const auto before_creation = [&](std::uint64_t cost) {
    return limited.limiter.decide(*limited.thread, limited.clock, kEpoch - 100, cost, 0).refused_by;
  };
  CHECK(before_creation(2) == Tier::kNone);
  CHECK(before_creation(1) == Tier::kTokenBucket);
  CHECK(limited.ask() == Tier::kTokenBucket);
  limited.manual.advance(kSecond);
  CHECK(limited.ask() == Tier::kNone);
}

TEST_CASE("a cost of 0 passes whatever the debt, and only a block refuses it") {
  Timed limited(config_of(1, 5, 4, 3));
  REQUIRE(limited.decide(3).refused_by == Tier::kNone);
  limited.limiter.penalize(*limited.thread, limited.clock, limited.clock.now(), 50);
  CHECK(limited.decide(1).refused_by == Tier::kTokenBucket);
  CHECK(limited.decide(0).refused_by == Tier::kNone);
  CHECK(limited.limiter.peek(*limited.thread, limited.clock, limited.clock.now(), 0, 0).retry_after == 0);
  limited.limiter.block(*limited.thread, limited.clock.now(), kSecond);
  CHECK(limited.decide(0).refused_by == Tier::kBlocked);
}

TEST_CASE("without any tier everything passes") {
  Timed timed(config_of(0, 0, 0, 0));
  for (int i = 0; i < 1'000; ++i) REQUIRE(timed.ask(1'000) == Tier::kNone);
  CHECK(timed.retry_after(1) == 0);
  CHECK(timed.release(1));
}

TEST_CASE("a refusal names the tier that refused") {
  Timed by_bucket(config_of(1, 3, 10, 10));
  Timed by_window(config_of(1, 10, 3, 10));
  Timed by_depth(config_of(1, 10, 10, 3));
  for (Timed* timed : {&by_bucket, &by_window, &by_depth}) {
    for (int i = 0; i < 3; ++i) REQUIRE(timed->ask() == Tier::kNone);
  }
  CHECK(by_bucket.ask() == Tier::kTokenBucket);
  CHECK(by_window.ask() == Tier::kSlidingWindow);
  CHECK(by_depth.ask() == Tier::kQueueDepth);
  CHECK(by_bucket.sum(Limiter::kByTokenBucket) == 1);
  CHECK(by_window.sum(Limiter::kBySlidingWindow) == 1);
  CHECK(by_depth.sum(Limiter::kByQueueDepth) == 1);
  CHECK(by_depth.sum(Limiter::kAllowed) == 3);
}

TEST_CASE("a refusal by the window leaves the token bucket uncharged") {
  Timed timed(config_of(1, 10, 3, 0));
  REQUIRE(timed.ask(3) == Tier::kNone);
  for (int i = 0; i < 20; ++i) REQUIRE(timed.ask(2) == Tier::kSlidingWindow);
  // Once the window is empty, the token bucket still has its seven tokens, and those that have come since.
  timed.manual.advance(2 * kSecond);
  CHECK(timed.ask(3) == Tier::kNone);
  timed.manual.advance(2 * kSecond);
  CHECK(timed.ask(3) == Tier::kNone);
}

TEST_CASE("a refusal by the depth leaves token bucket and window uncharged") {
  for (const bool depth_of_queue : {false, true}) {
    LimiterConfig config = config_of(1, 10, 9, 3);
    config.depth_of_queue = depth_of_queue;
    Timed timed(config);
    if (!depth_of_queue) REQUIRE(timed.ask(3) == Tier::kNone);
    for (int i = 0; i < 20; ++i) REQUIRE(timed.ask(1, 3) == Tier::kQueueDepth);
    if (!depth_of_queue) REQUIRE(timed.release(3));
    std::uint64_t passed = depth_of_queue ? 0 : 3;
    while (timed.ask(1, 0) == Tier::kNone) {
      ++passed;
      timed.release(1);
    }
    CHECK(passed == 9);  // the limit of the window; one token is left
    timed.manual.advance(2 * kSecond);
    CHECK(timed.remaining() == 3);
  }
}

TEST_CASE("an undone decision leaves no trace in any tier, nor in the count of allowed requests") {
  Timed timed(config_of(1, 5, 6, 7));
  const Limiter::Decision decision = timed.decide(4);
  REQUIRE(decision.refused_by == Tier::kNone);
  CHECK(timed.remaining() == 1);
  CHECK(timed.limiter.in_flight() == 4);
  timed.limiter.undo(*timed.thread, timed.clock, timed.clock.now(), decision, 4);
  CHECK(timed.remaining() == 5);
  CHECK(timed.limiter.in_flight() == 0);
  CHECK(timed.sum(Limiter::kAllowed) == 0);
  CHECK(timed.ask(5) == Tier::kNone);
}

TEST_CASE("remaining is what the tightest tier would still allow") {
  Timed timed(config_of(1, 30, 20, 10));
  CHECK(timed.remaining() == 10);
  REQUIRE(timed.ask(8) == Tier::kNone);
  CHECK(timed.remaining() == 2);
  timed.release(8);
  CHECK(timed.remaining() == 10);
  REQUIRE(timed.ask(9) == Tier::kNone);
  timed.release(9);
  CHECK(timed.remaining() == 3);  // in the window
}

TEST_CASE("each tier by itself reports what it has left, and when it has one more") {
  Timed timed(config_of(2, 30, 20, 10));
  const auto rooms = [&] { return timed.limiter.rooms(*timed.thread, timed.clock.now(), 0); };
  // A tier that has all of its limit left never has more.
  CHECK(rooms().bucket.left == 30);
  CHECK(rooms().windows[0].left == 20);
  CHECK(rooms().depth.left == 10);
  CHECK(rooms().bucket.more_in == kNever);
  CHECK(rooms().windows[0].more_in == kNever);
  REQUIRE(timed.ask(7) == Tier::kNone);
  timed.manual.advance(kSecond / 4);
  CHECK(rooms().bucket.left == 23);
  CHECK(rooms().bucket.more_in == kSecond / 4);
  CHECK(rooms().windows[0].left == 13);
  // The request came at the beginning of a bucket of 50 ms, so it leaves the window of a second after 1.05 s.
  CHECK(rooms().windows[0].more_in == kSecond * 4 / 5);
  CHECK(rooms().depth.left == 3);
  CHECK(rooms().depth.more_in == kNever);  // the depth does not depend on time
  // A block does not change what each tier has left.
  timed.limiter.block(*timed.thread, timed.clock.now(), kSecond);
  CHECK(timed.remaining() == 0);
  CHECK(rooms().bucket.left == 23);
}

TEST_CASE("a tier that is absent has room for everything") {
  Timed timed(config_of(0, 0, 0, 4));
  const auto rooms = timed.limiter.rooms(*timed.thread, timed.clock.now(), 0);
  CHECK(rooms.bucket.left == kNever);
  CHECK(rooms.windows[0].left == kNever);
  CHECK(rooms.depth.left == 4);
}

TEST_CASE("the depth is held until it is released, and cannot be released twice") {
  Timed timed(config_of(0, 0, 0, 2));
  REQUIRE(timed.ask() == Tier::kNone);
  REQUIRE(timed.ask() == Tier::kNone);
  timed.manual.advance(1'000'000 * kSecond);
  CHECK(timed.ask() == Tier::kQueueDepth);
  CHECK(timed.retry_after(1) == 0);  // the end of work cannot be foreseen
  CHECK(timed.release(2));
  CHECK_FALSE(timed.release(1));
  CHECK(timed.ask(2) == Tier::kNone);
}

TEST_CASE("a depth tier that follows a queue counts the records in the queue, and holds nothing itself") {
  LimiterConfig config = config_of(0, 0, 0, 5);
  config.depth_of_queue = true;
  Timed timed(config);
  CHECK(timed.ask(1, 4) == Tier::kNone);
  CHECK(timed.ask(2, 4) == Tier::kQueueDepth);
  CHECK(timed.ask(1, 5) == Tier::kQueueDepth);
  CHECK(timed.ask(~0ULL, 3) == Tier::kQueueDepth);
  CHECK(timed.ask(5, 0) == Tier::kNone);
  CHECK(timed.limiter.in_flight() == 0);
  CHECK(timed.release(1));
}

TEST_CASE("for a cost that some tier can never allow, the wait is never") {
  CHECK(Timed(config_of(1, 5, 0, 0)).retry_after(6) == kNever);
  CHECK(Timed(config_of(1, 50, 5, 0)).retry_after(6) == kNever);
  CHECK(Timed(config_of(1, 50, 50, 5)).retry_after(6) == kNever);
  CHECK(Timed(config_of(1, 50, 50, 50)).retry_after(6) == 0);
}

TEST_CASE("retry_after is exact over token bucket and window together") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  for (std::uint64_t round = 0; round < repetitions(60); ++round) {
    const double rate = static_cast<double>(random.between(1, 200)) / 3;
    Timed timed(config_of(rate, random.between(1, 40), random.between(1, 40), 0));
    const LimiterConfig& config = timed.limiter.config();
    for (int i = 0; i < 100; ++i) {
      const std::uint64_t cost =
          random.between(1, std::min(config.bucket.burst, config.windows[0].sliding.limit));
      const std::uint64_t wait = timed.retry_after(cost);
      if (wait != 0) {
        REQUIRE(timed.ask(cost) != Tier::kNone);
        timed.manual.advance(wait - 1);
        REQUIRE(timed.ask(cost) != Tier::kNone);
        timed.manual.advance(1);
      }
      REQUIRE(timed.ask(cost) == Tier::kNone);
      timed.manual.advance(random.below(kSecond));
    }
  }
}

TEST_CASE("under contention every tier is charged for what passed, and for nothing else") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (std::uint64_t round = 0; round < repetitions(100); ++round) {
    Timed timed(config_of(1, 40, 30, 6));
    std::atomic<std::uint64_t> passed{0};
    in_threads(4, [&](unsigned index) {
      Random random(round * 4 + index);
      ThreadSlot* thread = timed.limiter.thread_slots().acquire();
      for (int i = 0; i < 200; ++i) {
        const std::uint64_t cost = random.between(1, 3);
        const auto decision = timed.limiter.decide(*thread, timed.clock, kEpoch, cost, 0);
        if (decision.refused_by != Tier::kNone) continue;
        if (random.once_in(3)) {
          timed.limiter.undo(*thread, timed.clock, kEpoch, decision, cost);
        } else {
          passed += cost;
          timed.limiter.release(*thread, cost);
        }
      }
      timed.limiter.thread_slots().release(thread);
    });
    REQUIRE(timed.limiter.in_flight() == 0);
    REQUIRE(passed <= 30);
    REQUIRE(timed.remaining() == std::min<std::uint64_t>(6, 30 - passed));
    // When the window is empty, the token bucket has the tokens that no thread used, and those of three seconds more.
    timed.manual.advance(3 * kSecond);
    std::uint64_t left = 0;
    for (; timed.ask() == Tier::kNone; ++left) timed.release(1);
    REQUIRE(left == std::min<std::uint64_t>(30, std::min<std::uint64_t>(40, 40 - passed + 3)));
  }
}

}  // namespace

TEST_SUITE_END();
