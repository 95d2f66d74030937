#include "core/limiter/depth_gate.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>

#include "stress.h"

TEST_SUITE_BEGIN("depth gate");

namespace {

using sluice::DepthGate;
using sluice::test::in_threads;
using sluice::test::Random;
using sluice::test::repetitions;

TEST_CASE("a depth gate admits exactly its maximum, and one more for each that left") {
  DepthGate gate;
  for (std::uint64_t i = 0; i < 50; ++i) REQUIRE(gate.enter(50, 1));
  CHECK_FALSE(gate.enter(50, 1));
  CHECK(gate.in_flight() == 50);
  CHECK(gate.leave(1));
  CHECK(gate.enter(50, 1));
  CHECK_FALSE(gate.enter(50, 1));
}

TEST_CASE("a cost is admitted whole or not at all") {
  DepthGate gate;
  REQUIRE(gate.enter(10, 7));
  CHECK_FALSE(gate.enter(10, 4));
  CHECK(gate.in_flight() == 7);
  CHECK(gate.enter(10, 3));
}

TEST_CASE("a cost above the maximum is refused, however large it is") {
  DepthGate gate;
  REQUIRE(gate.enter(10, 3));
  for (const std::uint64_t cost :
       {std::uint64_t{11}, std::uint64_t{1} << 63, ~std::uint64_t{0}, ~std::uint64_t{2}}) {
    CHECK_FALSE(gate.enter(10, cost));
  }
  CHECK(gate.in_flight() == 3);
}

TEST_CASE("no more depth can leave than is inside") {
  DepthGate gate;
  CHECK_FALSE(gate.leave(1));
  REQUIRE(gate.enter(10, 3));
  CHECK_FALSE(gate.leave(4));
  CHECK(gate.in_flight() == 3);
  CHECK(gate.leave(3));
  CHECK_FALSE(gate.leave(1));
}

TEST_CASE("a maximum lowered below the depth admits no request until enough have left") {
  DepthGate gate;
  REQUIRE(gate.enter(10, 8));
  CHECK_FALSE(gate.enter(5, 1));
  REQUIRE(gate.leave(4));
  CHECK(gate.enter(5, 1));
  CHECK_FALSE(gate.enter(5, 1));
}

TEST_CASE("threads that enter and leave never exceed the maximum, and the gate is empty afterwards") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr std::uint64_t kMax = 5;
  DepthGate gate;
  std::atomic<std::uint64_t> inside{0}, too_many{0}, not_left{0};
  in_threads(4, [&](unsigned index) {
    Random random(index);
    for (std::uint64_t i = 0; i < repetitions(200'000); ++i) {
      const std::uint64_t cost = random.between(1, 3);
      if (!gate.enter(kMax, cost)) continue;
      too_many += inside.fetch_add(cost) + cost > kMax;
      inside -= cost;
      not_left += !gate.leave(cost);
    }
  });
  CHECK(too_many == 0);
  CHECK(not_left == 0);
  CHECK(gate.in_flight() == 0);
}

}  // namespace

TEST_SUITE_END();
