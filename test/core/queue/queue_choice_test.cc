// The consumer chooses records by lane, drops them by deadline and by drop-oldest, and measures the wait of each
// record.
#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "queue_numbers.h"

TEST_SUITE_BEGIN("queue's choice");

namespace {

using namespace sluice;
using sluice::test::List;
using sluice::test::Numbers;
using sluice::test::shape_of;
using Drops = std::vector<Numbers::Drop>;

QueueShape expiring(std::uint64_t capacity, std::uint64_t ttl = kNoDeadline) {
  QueueShape shape = shape_of(capacity);
  shape.expires = true;
  shape.ttl_ns = ttl;
  return shape;
}

QueueShape dropping_oldest(std::uint64_t capacity, std::uint32_t lanes = 1) {
  QueueShape shape = shape_of(capacity, lanes);
  shape.overflow = Overflow::kDropOldest;
  return shape;
}

QueueShape weighted(std::uint64_t capacity, const std::vector<std::uint32_t>& weights) {
  QueueShape shape = shape_of(capacity, static_cast<std::uint32_t>(weights.size()));
  std::copy(weights.begin(), weights.end(), shape.weights);
  return shape;
}

TEST_CASE("a record is shown until the last nanosecond of its time, and dropped at its deadline exactly") {
  for (const std::uint64_t ttl : {std::uint64_t{1}, std::uint64_t{1'000}, std::uint64_t{1} << 40}) {
    Numbers numbers(expiring(4, ttl));
    numbers.push(7);
    numbers.manual.advance(ttl - 1);
    CHECK(numbers.show(1) == List{7});
    numbers.manual.advance(1);
    CHECK(numbers.show(1) == List{});
    CHECK(numbers.drops == Drops{{Dropped::kExpired, 7, 0}});
    CHECK(numbers.queue.dropped(Dropped::kExpired) == 1);
    CHECK(numbers.queue.popped() == 0);
    CHECK(numbers.conserved());
  }
}

TEST_CASE("a record's own ttl replaces the queue's, and without any ttl it never expires") {
  Numbers numbers(expiring(8, 100));
  numbers.push(1);
  numbers.push(2, 0, 1'000);
  numbers.push(3, 0, kNoDeadline);
  numbers.push(4, 0, kNoDeadline - 1'000);  // now + ttl is the latest possible deadline
  numbers.push(5, 0, kNoDeadline - 999);    // now + ttl would be later than that
  numbers.push(6, 0, 0);
  numbers.manual.advance(100);
  CHECK(numbers.show(9) == List{2, 3, 4, 5});
  numbers.manual.advance(900);
  CHECK(numbers.take(9) == List{3, 4, 5});
  CHECK(numbers.drops == Drops{{Dropped::kExpired, 1, 0}, {Dropped::kExpired, 2, 0}});
  CHECK(numbers.take(9) == List{});
  CHECK(numbers.drops.back() == Numbers::Drop{Dropped::kExpired, 6, 0});
}

TEST_CASE("an expired record behind a shown one ends the show, and is dropped when it is at the front") {
  Numbers numbers(expiring(8));
  numbers.push(1, 0, 1'000);
  numbers.push(2, 0, 10);
  numbers.push(3, 0, 1'000);
  numbers.manual.advance(10);
  CHECK(numbers.show(9) == List{1});
  CHECK(numbers.drops.empty());
  CHECK(numbers.show(9) == List{1});
  numbers.consumer.free_shown(1);
  CHECK(numbers.show(9) == List{3});
  CHECK(numbers.drops == Drops{{Dropped::kExpired, 2, 0}});
}

TEST_CASE("a record that was shown and not freed can still expire before it is shown again") {
  Numbers numbers(expiring(8, 100));
  numbers.push(1);
  CHECK(numbers.show(1) == List{1});
  numbers.manual.advance(100);
  CHECK(numbers.show(1) == List{});
  CHECK(numbers.drops == Drops{{Dropped::kExpired, 1, 0}});
}

TEST_CASE("without room for more dropped records the next call drops the rest, and skips none") {
  Numbers numbers(expiring(8, 100));
  for (std::uint64_t i = 0; i < 5; ++i) numbers.push(i);
  numbers.push(9, 0, 1'000);
  numbers.manual.advance(100);
  numbers.drops_max = 2;
  CHECK(numbers.show(9) == List{});
  CHECK(numbers.drops.size() == 2);
  CHECK(numbers.conserved());
  CHECK(numbers.show(9) == List{});
  CHECK(numbers.drops.size() == 3);
  numbers.drops_max = 5;
  CHECK(numbers.show(9) == List{9});
  CHECK(numbers.drops.size() == 5);
}

TEST_CASE("drop-oldest keeps the newest records, as many as the capacity, and reports which it dropped") {
  Numbers numbers(dropping_oldest(3));
  for (std::uint64_t i = 0; i < 5; ++i) REQUIRE(numbers.push(i) == PushResult::kPushed);
  CHECK(numbers.take(9) == List{2, 3, 4});
  CHECK(numbers.drops == Drops{{Dropped::kOldest, 0, 0}, {Dropped::kOldest, 1, 0}});
  CHECK(numbers.queue.dropped(Dropped::kOldest) == 2);
  CHECK(numbers.queue.popped() == 3);
  CHECK(numbers.conserved());
}

TEST_CASE("drop-oldest refuses a push, and counts it, when the consumer is a whole capacity behind") {
  Numbers numbers(dropping_oldest(2));
  for (std::uint64_t i = 0; i < 4; ++i) REQUIRE(numbers.push(i) == PushResult::kPushed);
  CHECK(numbers.push(4) == PushResult::kFull);
  CHECK(numbers.queue.rejected() == 1);
  CHECK(numbers.take(1) == List{2});
  CHECK(numbers.push(4) == PushResult::kPushed);
}

TEST_CASE("drop-oldest drops nothing that fits, and each lane has a capacity of its own") {
  Numbers numbers(dropping_oldest(2, 2));
  for (std::uint64_t i = 0; i < 2; ++i) numbers.push(i, 0);
  for (std::uint64_t i = 10; i < 13; ++i) numbers.push(i, 1);
  CHECK(numbers.take(9).size() == 4);
  CHECK(numbers.drops == Drops{{Dropped::kOldest, 10, 1}});
}

TEST_CASE("the more urgent lane comes first, and each lane in its own order") {
  Numbers numbers(weighted(8, {98, 1, 1}));
  for (std::uint64_t i = 0; i < 3; ++i) {
    for (std::uint32_t lane = 3; lane-- > 0;) numbers.push(lane * 10 + i, lane);
  }
  CHECK(numbers.take(64) == List{0, 1, 2, 10, 11, 12, 20, 21, 22});
}

TEST_CASE("a late record in a more urgent lane overtakes records that were only shown") {
  Numbers numbers(weighted(8, {99, 1}));
  numbers.push(10, 1);
  CHECK(numbers.show(9) == List{10});
  numbers.push(0, 0);
  CHECK(numbers.show(9) == List{0, 10});
  numbers.consumer.free_shown(1);
  CHECK(numbers.show(9) == List{10});
}

TEST_CASE(
    "a flooded urgent lane leaves the others their share, however few shown records are freed at a time") {
  for (const std::uint32_t shown : {1u, 2u, 5u, 10u, 11u, 55u, 64u}) {
    for (const std::uint32_t freed : {1u, 2u, 5u}) {
      if (freed > shown) continue;
      CAPTURE(shown);
      CAPTURE(freed);
      Numbers numbers(weighted(64, {9, 1}));
      std::uint64_t of_lane[2] = {};
      for (int round = 0; round < 200; ++round) {
        for (std::uint32_t lane = 0; lane < 2; ++lane) {
          while (numbers.push(lane, lane) == PushResult::kPushed) {
          }
        }
        const List list = numbers.show(shown);
        REQUIRE(list.size() == shown);
        for (std::uint32_t i = 0; i < freed; ++i) ++of_lane[list[i]];
        numbers.consumer.free_shown(freed);
      }
      CHECK(of_lane[0] + of_lane[1] == 200 * freed);
      CHECK(of_lane[1] >= 20 * freed - 1);
      CHECK(of_lane[1] <= 20 * freed + 1);
    }
  }
}

TEST_CASE(
    "the histogram gets the wait of each record once, in every lane, however often the record is shown") {
  QueueShape shape = weighted(4, {9, 1});
  shape.latency = true;
  Numbers numbers(shape);
  numbers.push(10, 1);
  numbers.manual.advance(300);
  numbers.push(0, 0);
  numbers.manual.advance(100);
  for (int i = 0; i < 3; ++i) CHECK(numbers.show(9) == List{0, 10});
  CHECK(numbers.queue.waits().count() == 2);
  CHECK(numbers.queue.waits().max() == 400);
  CHECK(numbers.queue.waits().mean() == 250);
  numbers.consumer.free_shown(1);
  numbers.manual.advance(100);
  CHECK(numbers.take(9) == List{10});
  CHECK(numbers.queue.waits().count() == 2);
}

TEST_CASE("the wait of a dropped record is not measured, and the wait of the record behind it is") {
  QueueShape shape = expiring(4, 100);
  shape.latency = true;
  Numbers numbers(shape);
  numbers.push(1);
  numbers.manual.advance(60);
  numbers.push(2);
  numbers.manual.advance(50);
  CHECK(numbers.take(9) == List{2});
  CHECK(numbers.queue.waits().count() == 1);
  CHECK(numbers.queue.waits().max() == 50);
}

TEST_CASE(
    "only the first close of a queue of several lanes succeeds; the queue is drained when its last lane is") {
  Numbers numbers(weighted(4, {9, 1}));
  numbers.push(10, 1);
  const auto nobody = [](std::uint64_t) {};
  CHECK_FALSE(numbers.queue.closed());
  CHECK(numbers.queue.close(nobody));
  CHECK_FALSE(numbers.queue.close(nobody));
  CHECK(numbers.queue.closed());
  CHECK(numbers.push(1, 0) == PushResult::kClosed);
  CHECK(numbers.push(1, 1) == PushResult::kClosed);
  CHECK_FALSE(numbers.consumer.drained());
  CHECK_FALSE(numbers.consumer.park());
  CHECK(numbers.take(9) == List{10});
  CHECK(numbers.consumer.drained());
}

TEST_CASE("a consumer of several lanes parks only when all of them are empty, and a push to any rings") {
  Numbers numbers(weighted(4, {9, 1, 1}));
  for (std::uint32_t lane = 0; lane < 3; ++lane) {
    REQUIRE(numbers.consumer.park());
    numbers.push(lane, lane);
    CHECK(numbers.queue.must_ring());
    CHECK_FALSE(numbers.consumer.park());
    CHECK(numbers.take(1) == List{lane});
  }
}

TEST_CASE("a closed queue with permits outstanding ends, and rings, when they are returned") {
  Numbers numbers(shape_of(4));
  REQUIRE(numbers.queue.ring().reserve(3).count == 3);
  numbers.queue.close([](std::uint64_t) {});
  REQUIRE(numbers.consumer.park());
  numbers.push_reserved({7}, 0);
  CHECK(numbers.queue.must_ring());
  CHECK(numbers.take(9) == List{7});
  REQUIRE(numbers.consumer.park());
  numbers.push_reserved({}, 2);
  CHECK(numbers.queue.must_ring());
  CHECK_FALSE(numbers.consumer.park());
  CHECK(numbers.consumer.drained());
}

}  // namespace

TEST_SUITE_END();
