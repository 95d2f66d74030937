#include "core/queue/lane_order.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "stress.h"

TEST_SUITE_BEGIN("lane order");

namespace {

using namespace sluice;
using sluice::test::Random;

TEST_CASE("a lane that alone has something to give is served") {
  const std::uint32_t weights[kLanesMax] = {3, 1, 1};
  LaneOrder order;
  for (int i = 0; i < 10; ++i) {
    for (const std::uint32_t lane : {2u, 0u, 1u, 1u}) CHECK(order.next(1u << lane, weights, 5) == lane);
  }
}

TEST_CASE("with weights 2 and 1, the lower lane gets every third record while both lanes have some") {
  const std::uint32_t weights[kLanesMax] = {2, 1};
  LaneOrder order;
  for (int i = 0; i < 10; ++i) {
    for (const std::uint32_t lane : {0u, 0u, 1u}) CHECK(order.next(0b11, weights, 3) == lane);
  }
}

TEST_CASE("a lower lane earns nothing while it has nothing to give, and so cannot save up for a burst") {
  const std::uint32_t weights[kLanesMax] = {2, 1};
  LaneOrder order;
  for (int i = 0; i < 1'000; ++i) REQUIRE(order.next(0b01, weights, 3) == 0);
  std::uint32_t lower = 0;
  for (int i = 0; i < 3; ++i) lower += order.next(0b11, weights, 3);
  CHECK(lower == 1);
}

TEST_CASE("a lane that always has something gets at least its share, whatever other lanes do") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    const auto lanes = static_cast<std::uint32_t>(random.between(2, kLanesMax));
    std::uint32_t weights[kLanesMax] = {}, sum = 0;
    for (std::uint32_t i = 0; i < lanes; ++i)
      sum += weights[i] = static_cast<std::uint32_t>(random.between(1, 50));
    const auto lane = static_cast<std::uint32_t>(random.below(lanes));
    // Each other lane has something in one of `others` rounds, on average.
    const std::uint64_t others = random.between(1, 4);
    LaneOrder order;
    std::uint64_t got = 0;
    for (std::uint64_t served = 1; served <= 20 * sum; ++served) {
      std::uint32_t ready = 1u << lane;
      for (std::uint32_t i = 0; i < lanes; ++i) ready |= random.once_in(others) ? 1u << i : 0;
      const std::uint32_t chosen = order.next(ready, weights, sum);
      REQUIRE((ready >> chosen & 1) != 0);
      got += chosen == lane;
      // The lane gets at least its share, less one record for each lane.
      REQUIRE(got * sum + std::uint64_t{lanes} * sum >= served * weights[lane]);
    }
  }
}

TEST_CASE(
    "lanes that all have something are served in proportion to their weights; a lower lane may lack one "
    "record") {
  const std::uint32_t weights[kLanesMax] = {8, 4, 2, 1, 1};
  LaneOrder order;
  std::uint32_t got[kLanesMax] = {};
  for (int i = 0; i < 16 * 100; ++i) ++got[order.next(0b11111, weights, 16)];
  for (int lane = 1; lane < 5; ++lane) {
    CHECK(got[lane] <= weights[lane] * 100);
    CHECK(got[lane] + 1 >= weights[lane] * 100);
  }
}

}  // namespace

TEST_SUITE_END();
