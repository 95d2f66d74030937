#include "core/queue/shedding.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "queue_numbers.h"
#include "stress.h"

TEST_SUITE_BEGIN("shedding");

namespace {

using namespace sluice;
using sluice::test::List;
using sluice::test::Numbers;
using sluice::test::Random;

constexpr SheddingConfig kConfig{5, 100};

TEST_CASE("drops begin after a slow interval, with records that waited more than twice the target") {
  Shedding shedding;
  CHECK_FALSE(shedding.drops(kConfig, 1'000, 1'000));
  CHECK_FALSE(shedding.drops(kConfig, 1'000, 1'099));
  CHECK(shedding.drops(kConfig, 11, 1'100));
  CHECK_FALSE(shedding.drops(kConfig, 10, 1'101));
  CHECK(shedding.drops(kConfig, 11, 1'199));
}

TEST_CASE("an interval with one record that waited no longer than the target is not slow") {
  Shedding shedding;
  shedding.drops(kConfig, 50, 1'000);
  shedding.drops(kConfig, 5, 1'050);
  shedding.drops(kConfig, 50, 1'099);
  CHECK_FALSE(shedding.drops(kConfig, 50, 1'100));
  CHECK(shedding.drops(kConfig, 50, 1'200));  // each record of the last interval waited too long
}

TEST_CASE("when the queue was empty once in an interval, dropping ends with that interval") {
  Shedding shedding;
  shedding.drops(kConfig, 50, 1'000);
  REQUIRE(shedding.drops(kConfig, 50, 1'100));
  shedding.idle();
  CHECK_FALSE(shedding.drops(kConfig, 50, 1'200));
  CHECK_FALSE(shedding.drops(kConfig, 50, 1'299));
}

TEST_CASE(
    "records are dropped as by the definition: if the shortest wait of the last interval exceeded the "
    "target") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    const SheddingConfig config{random.between(1, 50), random.between(10, 300)};
    Shedding shedding;
    std::vector<std::uint64_t> waits;  // in the running interval
    std::uint64_t now = random.between(1, 1'000), end = 0;
    bool standing = false;
    for (int i = 0; i < 500; ++i) {
      now += random.once_in(3) ? 0 : random.below(60);
      if (random.once_in(20)) {
        shedding.idle();
        waits.push_back(0);
      }
      const std::uint64_t wait = random.below(config.target_ns * 4);
      if (now >= end) {
        standing = end != 0 && *std::min_element(waits.begin(), waits.end()) > config.target_ns;
        end = now + config.interval_ns;
        waits.clear();
      }
      waits.push_back(wait);
      REQUIRE(shedding.drops(config, wait, now) == (standing && wait > 2 * config.target_ns));
    }
  }
}

QueueShape shedding_shape(std::uint64_t capacity) {
  QueueShape shape = sluice::test::shape_of(capacity);
  shape.shedding = kConfig;
  return shape;
}

TEST_CASE("a queue whose consumer is too slow sheds records that waited too long, and shows the others") {
  Numbers numbers(shedding_shape(64));
  std::uint64_t next = 0, shown = 0;
  for (int tick = 0; tick < 400; ++tick) {
    numbers.push(next++);
    numbers.push(next++);
    numbers.manual.advance(1);
    const std::size_t before = numbers.drops.size();
    const List list = numbers.take(1);
    shown += list.size();
    REQUIRE(numbers.conserved());
    for (std::size_t i = before; i < numbers.drops.size(); ++i) {
      REQUIRE(numbers.drops[i].reason == Dropped::kShed);
      REQUIRE(tick + 1 - static_cast<int>(numbers.drops[i].number / 2) >
              10);  // waited more than twice the target
    }
    if (tick < 100) REQUIRE(numbers.drops.empty());
    // While it sheds, no shown record has waited longer than twice the target.
    if (numbers.drops.size() > before) REQUIRE(tick + 1 - static_cast<int>(list.at(0) / 2) <= 10);
  }
  CHECK(numbers.queue.dropped(Dropped::kShed) == numbers.drops.size());
  CHECK(numbers.drops.size() > 50);
  CHECK(numbers.queue.popped() == shown);
}

TEST_CASE(
    "a consumer that keeps up sheds nothing, nor does one that finds the queue empty after each record") {
  Numbers numbers(shedding_shape(64));
  for (std::uint64_t i = 0; i < 300; ++i) {
    numbers.push(i);
    numbers.manual.advance(4);
    REQUIRE(numbers.take(9) == List{i});
  }
  CHECK(numbers.drops.empty());
  // Each record waits long, but the queue is empty between them.
  for (std::uint64_t i = 0; i < 300; ++i) {
    numbers.push(i);
    numbers.manual.advance(40);
    REQUIRE(numbers.take(9) == List{i});
    REQUIRE(numbers.take(9) == List{});
  }
  CHECK(numbers.drops.empty());
}

}  // namespace

TEST_SUITE_END();
