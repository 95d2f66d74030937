#include "core/queue/queue.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "queue_numbers.h"
#include "stress.h"

TEST_SUITE_BEGIN("queue");

namespace {

using namespace sluice;
using sluice::test::List;
using sluice::test::Numbers;
using sluice::test::Random;
using sluice::test::shape_of;

QueueShape measuring(std::uint64_t capacity, bool latency) {
  QueueShape shape = shape_of(capacity);
  shape.latency = latency;
  return shape;
}

const auto nobody = [](std::uint64_t) {};

TEST_CASE("records go in one by one or many at a time and come out in order, with and without time stamps") {
  for (const bool timed : {false, true}) {
    Numbers numbers(measuring(5, timed));
    REQUIRE(numbers.push(1) == PushResult::kPushed);
    const List more = {2, 3, 4, 5, 6, 7};
    const auto claim = numbers.push_many(more);
    CHECK(claim.count == 4);
    CHECK(numbers.push(8) == PushResult::kFull);
    CHECK(numbers.take(3) == List{1, 2, 3});
    CHECK(numbers.take(10) == List{4, 5});
    CHECK(numbers.take(10) == List{});
    CHECK(numbers.queue.pushed() == 5);
    CHECK(numbers.queue.popped() == 5);
    CHECK(numbers.queue.rejected() == 3);
  }
}

TEST_CASE("shown records stay until they are freed, and the rest is shown again") {
  Numbers numbers(measuring(4, true));
  for (std::uint64_t i = 0; i < 4; ++i) numbers.push(i);
  CHECK(numbers.show(2) == List{0, 1});
  CHECK(numbers.show(3) == List{0, 1, 2});
  CHECK(numbers.push(9) == PushResult::kFull);
  numbers.consumer.free_shown(2);
  CHECK(numbers.push(9) == PushResult::kPushed);
  CHECK(numbers.take(9) == List{2, 3, 9});
  numbers.consumer.free_shown(0);
  CHECK(numbers.queue.popped() == 5);
}

TEST_CASE("each record's wait is measured once, from its push to when it is first shown") {
  Numbers numbers(measuring(4, true));
  numbers.push(0);
  numbers.manual.advance(100);
  numbers.push(1);
  numbers.manual.advance(500);
  numbers.show(2);
  numbers.manual.advance(1'000'000);
  numbers.show(2);
  CHECK(numbers.queue.waits().count() == 2);
  CHECK(numbers.queue.waits().max() == 600);
  CHECK(numbers.queue.waits().mean() == 550);
  numbers.consumer.free_shown(2);
  numbers.push(2);
  numbers.take(1);
  CHECK(numbers.queue.waits().count() == 3);
}

// A clock that cannot be read, because its memory is inaccessible.
struct Unreadable {
  Unreadable() : page(mmap(nullptr, 4'096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  ~Unreadable() { munmap(page, 4'096); }
  Clock clock() const { return Clock(static_cast<const ManualClock*>(page)); }
  void* page;
};

TEST_CASE("a queue without ttl, shedding and measured waits never reads its clock, not even with lanes") {
  const Unreadable unreadable;
  for (const Overflow overflow : {Overflow::kReject, Overflow::kDropOldest}) {
    for (const std::uint32_t lanes : {1u, 3u}) {
      QueueShape shape = shape_of(4, lanes);
      shape.overflow = overflow;
      shape.waiters = 2;
      Numbers numbers(shape);
      numbers.clock = unreadable.clock();
      const std::uint32_t lane = lanes - 1;
      CHECK(numbers.push(0, lane) == PushResult::kPushed);
      CHECK(numbers.push_many({1, 2}, lane).count == 2);
      REQUIRE(numbers.queue.ring(lane).reserve(1).count == 1);
      numbers.push_reserved({3}, 0, lane);
      const std::uint64_t waiting = 4;
      numbers.queue.wait_to_push(*numbers.thread, lane, 1, &waiting, numbers.queue.push_time(numbers.clock),
                                 kNoDeadline);
      CHECK(numbers.take(2) == List{0, 1});
      numbers.queue.serve_waiting(lane, [](std::uint64_t) {});
      CHECK(numbers.take(64) == List{2, 3, 4});
      CHECK(numbers.take(64).empty());
      CHECK(numbers.queue.waits().count() == 0);
      CHECK(numbers.queue.shape().payload_bytes() == 8);
    }
  }
}

TEST_CASE("bytes that are written beside a record are found beside it") {
  Numbers numbers(shape_of(3));
  std::uint64_t tags[4] = {};
  for (std::uint64_t i = 0; i < 20; ++i) {
    REQUIRE(numbers.queue.push(0, &i, 0, 0, [&](std::uint64_t slot) { tags[slot] = i * 10; }) ==
            PushResult::kPushed);
    std::uint64_t number = 0, tag = 0;
    numbers.consumer.show(
        reinterpret_cast<std::byte*>(&number), 1, numbers.clock,
        [&](std::uint32_t, std::uint32_t, std::uint64_t slot) { tag = tags[slot]; },
        [](auto...) { return true; });
    CHECK(number == i);
    CHECK(tag == i * 10);
    numbers.consumer.free_shown(1);
  }
}

TEST_CASE("nothing is written beside a record that found no room") {
  Numbers numbers(shape_of(1));
  const std::uint64_t number = 1;
  bool written = false;
  const auto write = [&](std::uint64_t) { written = true; };
  numbers.push(0);
  CHECK(numbers.queue.push(0, &number, 0, 0, write) == PushResult::kFull);
  numbers.queue.close(nobody);
  CHECK(numbers.queue.push(0, &number, 0, 0, write) == PushResult::kClosed);
  CHECK_FALSE(written);
}

TEST_CASE(
    "a closed queue refuses without counting a rejection, and is drained when the last record is taken") {
  Numbers numbers(shape_of(3));
  numbers.push(1);
  CHECK(numbers.queue.close(nobody));
  CHECK_FALSE(numbers.queue.close(nobody));
  CHECK(numbers.push(2) == PushResult::kClosed);
  const List more = {2, 3};
  const auto claim = numbers.push_many(more);
  CHECK(claim.closed);
  CHECK(claim.count == 0);
  CHECK(numbers.queue.rejected() == 0);
  CHECK_FALSE(numbers.consumer.drained());
  CHECK(numbers.take(5) == List{1});
  CHECK(numbers.consumer.drained());
  CHECK(numbers.queue.pushed() == 1);
}

TEST_CASE("a consumer parks only when there is nothing to do, and then the next push rings, or the close") {
  Numbers numbers(shape_of(3));
  REQUIRE(numbers.consumer.park());
  numbers.push(1);
  CHECK(numbers.queue.must_ring());
  CHECK_FALSE(numbers.queue.must_ring());
  CHECK_FALSE(numbers.consumer.park());
  numbers.push(2);
  CHECK_FALSE(numbers.queue.must_ring());
  numbers.take(5);
  REQUIRE(numbers.consumer.park());
  numbers.queue.close(nobody);
  CHECK(numbers.queue.must_ring());
  CHECK_FALSE(numbers.consumer.park());
}

TEST_CASE("one consumer holds the lease until it gives it back, and no other can give it back") {
  Numbers numbers(shape_of(3));
  CHECK(numbers.queue.take_lease(7));
  CHECK(numbers.queue.take_lease(7));
  CHECK_FALSE(numbers.queue.take_lease(8));
  numbers.queue.give_lease(8);
  CHECK_FALSE(numbers.queue.take_lease(8));
  numbers.queue.give_lease(7);
  CHECK(numbers.queue.take_lease(8));
}

TEST_CASE("the high-water mark is the largest depth so far, including the depth now") {
  Numbers numbers(shape_of(10));
  for (std::uint64_t i = 0; i < 6; ++i) numbers.push(i);
  CHECK(numbers.queue.high_water() == 6);
  numbers.take(6);
  numbers.push(1);
  CHECK(numbers.queue.high_water() == 6);
  numbers.take(1);
  CHECK(numbers.queue.high_water() == 6);
}

TEST_CASE("random pushes, shows and partial frees behave as a plain list does") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  for (int round = 0; round < 20; ++round) {
    const std::uint64_t capacity = random.between(1, 12);
    Numbers numbers(measuring(capacity, random.once_in(2)));
    List list;
    std::uint64_t next = 0, rejected = 0;
    for (int i = 0; i < 500; ++i) {
      if (random.once_in(2)) {
        List batch(random.between(1, 6));
        for (std::uint64_t& number : batch) number = next++;
        const auto room = static_cast<std::ptrdiff_t>(std::min(capacity - list.size(), batch.size()));
        const auto claim = numbers.push_many(batch);
        REQUIRE(claim.count == static_cast<std::uint64_t>(room));
        list.insert(list.end(), batch.begin(), batch.begin() + room);
        rejected += batch.size() - claim.count;
      } else {
        const std::size_t count = std::min<std::size_t>(random.between(1, 6), list.size());
        const List expected(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count));
        REQUIRE(numbers.show(static_cast<std::uint32_t>(count)) == expected);
        numbers.consumer.free_shown(static_cast<std::uint32_t>(count));
        list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count));
      }
      REQUIRE(numbers.queue.ring().depth() == list.size());
      REQUIRE(numbers.queue.rejected() == rejected);
    }
  }
}

}  // namespace

TEST_SUITE_END();
