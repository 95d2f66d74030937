// Late refunds: never more is given back than the part of the charge that is still in force.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "core/limiter/limiter.h"
#include "limiter_tiers.h"
#include "stress.h"
#include "timed_limiter.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("limiter refunds");

namespace {

using namespace sluice;
using sluice::test::config_of;
using sluice::test::in_threads;
using sluice::test::kEpoch;
using sluice::test::kSecond;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::TimedLimiter;

LimiterConfig exact_of(std::uint64_t limit) {
  LimiterConfig config = config_of(0, 0, limit, 0);
  config.windows[0].exact = true;
  config.windows[0].sliding = {limit, kSecond, 1};
  config.windows[0].log_capacity = limit;
  return config;
}
LimiterConfig with_keys(LimiterConfig config, std::uint64_t max) {
  config.keys_max = max;
  return config;
}

struct Charged : TimedLimiter {
  using TimedLimiter::TimedLimiter;

  bool ask(std::uint64_t cost = 1) { return decide(cost).refused_by == Tier::kNone; }
  void refund(const Limiter::Decision& decision, std::uint64_t cost = 1) {
    limiter.refund(*thread, clock.now(), decision.receipt, cost, key);
  }
  std::uint64_t take_all() {
    std::uint64_t taken = 0;
    while (ask()) ++taken;
    return taken;
  }
};

std::vector<LimiterConfig> all_shapes() {
  return {exact_of(5), config_of(0, 0, 5, 0), config_of(5, 5, 0, 0), config_of(5, 5, 5, 0)};
}

TEST_CASE("a charge that has left the window, or whose tokens have accrued again, is not given back") {
  for (const LimiterConfig& shape : all_shapes()) {
    for (const std::uint64_t keys : {0, 8}) {
      Charged limited(with_keys(shape, keys));
      std::vector<Limiter::Decision> slow;
      for (int i = 0; i < 5; ++i) slow.push_back(limited.decide());
      REQUIRE_FALSE(limited.ask());
      limited.manual.advance(3 * kSecond / 2);
      REQUIRE(limited.take_all() == 5);
      for (const auto& decision : slow) limited.refund(decision);
      CHECK(limited.take_all() == 0);
    }
  }
}

TEST_CASE("charges still in force are given back whole, in any order") {
  for (const LimiterConfig& shape : all_shapes()) {
    for (const bool newest_first : {false, true}) {
      Charged limited(shape);
      std::vector<Limiter::Decision> charges;
      for (int i = 0; i < 5; ++i) charges.push_back(limited.decide());
      REQUIRE_FALSE(limited.ask());
      if (newest_first) std::reverse(charges.begin(), charges.end());
      for (const auto& decision : charges) limited.refund(decision);
      CHECK(limited.remaining() == 5);
      CHECK(limited.take_all() == 5);
    }
  }
}

TEST_CASE("the part of a token bucket's charge that has accrued again stays taken") {
  Charged limited(config_of(1, 10, 0, 0));
  const auto six = limited.decide(6);
  REQUIRE(limited.ask(4));
  limited.manual.advance(4 * kSecond);
  CHECK(limited.remaining() == 4);
  limited.refund(six, 6);
  CHECK(limited.remaining() == 6);
  // The refund of the first charge moves the second one to the first five tokens. After 6 s these have accrued again,
  // so a refund of the second charge gives nothing back.
  Charged two(config_of(1, 10, 0, 0));
  const auto first = two.decide(5), second = two.decide(5);
  two.refund(first, 5);
  two.manual.advance(6 * kSecond);
  REQUIRE(two.ask(10));
  two.refund(second, 5);
  CHECK(two.remaining() == 0);
}

TEST_CASE("a late undo, by a thread that had lost the processor, takes nothing from others") {
  for (const LimiterConfig& shape : all_shapes()) {
    for (const std::uint64_t keys : {0, 8}) {
      Charged limited(with_keys(shape, keys));
      const std::uint64_t then = limited.clock.now();
      const auto late = limited.decide(5);
      limited.manual.advance(2 * kSecond);
      REQUIRE(limited.take_all() == 5);
      limited.limiter.undo(*limited.thread, limited.clock, then, late, 5, limited.key);
      CHECK(limited.take_all() == 0);
    }
  }
}

TEST_CASE("tokens that a reward gave back, however many, are not given back again") {
  Charged limited(config_of(1, 5, 0, 0));
  const auto before = limited.decide(5);
  for (int i = 0; i < 12; ++i) limited.limiter.reward(*limited.thread, limited.clock.now(), 0xffff'ffff);
  REQUIRE(limited.take_all() == 5);
  limited.refund(before, 5);
  CHECK(limited.take_all() == 0);
}

TEST_CASE("refunds of small requests take nothing from a large one") {
  Charged limited(config_of(1, 10, 0, 0));
  const auto slow = limited.decide();
  for (int i = 0; i < 1'000; ++i) limited.refund(limited.decide());
  CHECK(limited.remaining() == 9);
  limited.refund(slow);
  CHECK(limited.remaining() == 10);
}

TEST_CASE("a token bucket never has more left than if the refunded requests had not been made") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(3);
  struct Kept {
    TokenBucket::Slot slot;
    std::uint64_t time, cost;
    bool refunded;
  };
  for (std::uint64_t round = 0; round < repetitions(2'000); ++round) {
    const TokenBucketConfig config{TokenRate::per_second(3), random.between(3, 10)};
    TokenBucket bucket;
    std::vector<Kept> charges;
    std::uint64_t now = 0;
    for (int step = 0; step < 60; ++step) {
      if (random.once_in(3)) now += random.below(kSecond);
      Kept asked{{}, now, random.between(1, 3), false};
      if (random.once_in(2) && bucket.take(config, asked.cost, now, asked.slot)) charges.push_back(asked);
      if (!charges.empty() && random.once_in(2)) {
        Kept& back = charges[random.below(charges.size())];
        if (!back.refunded) bucket.refund(config, back.cost, now, back.slot, nullptr);
        back.refunded = true;
      }
      TokenBucket without;
      for (const Kept& kept : charges) {
        if (!kept.refunded) REQUIRE(without.take(config, kept.cost, kept.time));
      }
      REQUIRE(bucket.remaining(config, now) <= without.remaining(config, now));
    }
  }
}

TEST_CASE("no window admits more than its limit, if charges that are refunded in time are not counted") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(4);
  struct Kept {
    Limiter::Decision decision;
    std::uint64_t time, cost;
    bool refunded, forgotten;
  };
  for (std::uint64_t round = 0; round < repetitions(400); ++round) {
    Charged limited(with_keys(round % 2 == 0 ? exact_of(7) : config_of(0, 0, 7, 0), round % 4 < 2 ? 0 : 8));
    std::vector<Kept> charges;
    for (int step = 0; step < 150; ++step) {
      if (random.once_in(3)) limited.manual.advance(random.below(kSecond / 3));
      const std::uint64_t now = limited.clock.now();
      const Kept asked{limited.decide(), now, 1, false, false};
      if (asked.decision.refused_by == Tier::kNone) charges.push_back(asked);
      if (!charges.empty() && random.once_in(2)) {
        Kept& back = charges[random.below(charges.size())];
        // Each charge is refunded at most once. A bucket counts a charge for somewhat longer than the window lasts, so
        // a second refund of an old charge would give back another charge of the same bucket.
        if (!back.refunded) limited.refund(back.decision, back.cost);
        back.refunded = true;
      }
      if (random.once_in(40)) {
        limited.limiter.reset(*limited.thread, limited.key);
        for (Kept& kept : charges) kept.forgotten = true;
      }
      std::uint64_t inside = 0;
      for (const Kept& kept : charges) {
        if (!kept.forgotten && !kept.refunded && kept.time + kSecond > now) inside += kept.cost;
      }
      REQUIRE(inside <= 7);
      if (limited.limiter.config().windows[0].exact) REQUIRE(limited.remaining() == 7 - inside);
    }
  }
}

TEST_CASE("a charge from before a reset, or before a change of rate and window, is not given back") {
  for (const LimiterConfig& shape : all_shapes()) {
    for (const std::uint64_t keys : {0, 8}) {
      for (const bool resets : {true, false}) {
        Charged limited(with_keys(shape, keys));
        const auto before = limited.decide(5);
        if (resets) {
          limited.limiter.reset(*limited.thread, limited.key);
        } else {
          limited.limiter.configure(limited.clock, [&](LimiterConfig& config, std::uint64_t now) {
            config.bucket.origin = now;
            config.bucket.rate = TokenRate::per_second(50);
            config.windows[0].sliding.bucket_ns /= 2;
          });
          limited.manual.advance(kSecond);
        }
        REQUIRE(limited.take_all() == 5);
        limited.refund(before, 5);
        CHECK(limited.take_all() == 0);
      }
    }
  }
}

TEST_CASE("a charge of a key that was forgotten since is not given back") {
  Charged limited(with_keys(exact_of(5), 8));
  // The loop below fills the table with keys that owe something. So the key of `limited` becomes a guest, which is
  // forgotten after 64 newer guests.
  const auto ask = [&](std::uint64_t number) {
    const Key key = limited.key_of(number);
    return limited.limiter.decide(*limited.thread, limited.clock, kEpoch, 1, 0, &key);
  };
  for (std::uint64_t number = 100; number < 100 + KeyTable::kWays; ++number) ask(number);
  const auto before = limited.decide(5);
  for (std::uint64_t number = 1'000; number < 1'064; ++number) ask(number);
  REQUIRE(limited.take_all() == 5);
  limited.refund(before, 5);
  CHECK(limited.take_all() == 0);
}

TEST_CASE("a serial does not come again after 2^32 of them") {
  struct Aged : Limiter {
    using Limiter::Limiter;
    void give_serials(std::uint64_t count) { control_->serial.fetch_add(count, std::memory_order_relaxed); }
  };
  const LimiterConfig config = exact_of(5);
  test::ZeroedMemory memory(Limiter::bytes(config));
  Aged limiter(memory, config);
  limiter.format(config, kEpoch, KeySecret{{1, 2}});
  ThreadSlot* thread = limiter.thread_slots().acquire();
  ManualClock manual(kEpoch);
  const Clock clock(&manual);
  limiter.reset(*thread);
  const auto before = limiter.decide(*thread, clock, kEpoch, 5, 0);
  REQUIRE(before.refused_by == Tier::kNone);
  limiter.give_serials((std::uint64_t{1} << 32) - 1);
  limiter.reset(*thread);
  REQUIRE(limiter.decide(*thread, clock, kEpoch, 5, 0).refused_by == Tier::kNone);
  limiter.refund(*thread, kEpoch, before.receipt, 5);
  CHECK(limiter.decide(*thread, clock, kEpoch, 1, 0).refused_by == Tier::kSlidingWindow);
}

TEST_CASE("a dry run that would have refused has charged nothing to give back") {
  LimiterConfig config = config_of(0, 0, 5, 0);
  config.enforce = false;
  Charged limited(config);
  for (int i = 0; i < 5; ++i) REQUIRE(limited.decide().would_refuse == Tier::kNone);
  const auto decision = limited.decide();
  REQUIRE(decision.would_refuse == Tier::kSlidingWindow);
  limited.limiter.undo(*limited.thread, limited.clock, kEpoch, decision, 1);
  CHECK(limited.remaining() == 0);
}

TEST_CASE("threads with late refunds, while others reset, share no more than there is") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (std::uint64_t round = 0; round < repetitions(100); ++round) {
    Charged limited(with_keys(config_of(1, 40, 30, 0), round % 2 == 0 ? 0 : 8));
    const bool resets = round % 4 >= 2;
    std::atomic<std::uint64_t> kept{0};
    in_threads(4, [&](unsigned index) {
      Random random(round * 4 + index);
      ThreadSlot* thread = limited.limiter.thread_slots().acquire();
      std::vector<Receipt> charges;
      for (int i = 0; i < 300; ++i) {
        const auto decision = limited.limiter.decide(*thread, limited.clock, kEpoch, 1, 0, limited.key);
        if (decision.refused_by == Tier::kNone) charges.push_back(decision.receipt);
        if (!charges.empty() && random.once_in(2)) {
          std::swap(charges[random.below(charges.size())], charges.back());
          limited.limiter.refund(*thread, kEpoch, charges.back(), 1, limited.key);
          charges.pop_back();
        }
        if (resets && index == 0 && random.once_in(50)) limited.limiter.reset(*thread, limited.key);
      }
      kept += charges.size();
      limited.limiter.thread_slots().release(thread);
    });
    if (resets) continue;
    REQUIRE(kept <= 30);
    REQUIRE(limited.limiter.rooms(*limited.thread, kEpoch, 0, limited.key).windows[0].left == 30 - kept);
    // When the window is empty, the token bucket has at most the tokens that no thread kept, and those of three seconds
    // more.
    limited.manual.advance(3 * kSecond);
    REQUIRE(limited.take_all() <= std::min<std::uint64_t>(30, 40 - kept + 3));
  }
}

}  // namespace

TEST_SUITE_END();
