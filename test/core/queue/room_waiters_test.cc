#include "core/queue/room_waiters.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "queue_numbers.h"

TEST_SUITE_BEGIN("waiting line");

namespace {

using namespace sluice;
using sluice::test::List;
using sluice::test::shape_of;

QueueShape shape_with(std::uint32_t waiters, std::uint64_t capacity, std::uint32_t lanes = 1) {
  QueueShape shape = shape_of(capacity, lanes);
  shape.waiters = waiters;
  return shape;
}

// A queue whose lanes are each full of the numbers 0, 1, ..., and its waiters.
struct Full : sluice::test::Numbers {
  Full(std::uint32_t waiters, std::uint64_t capacity, std::uint32_t lanes = 1)
      : Numbers(shape_with(waiters, capacity, lanes)) {
    for (std::uint32_t lane = 0; lane < lanes; ++lane) {
      for (std::uint64_t i = 0; i < capacity; ++i) push(i, lane);
    }
  }
  std::uint32_t wait_to_push(std::uint64_t number, std::uint64_t owner = 1, std::uint32_t lane = 0) {
    const std::uint32_t waiter =
        queue.wait_to_push(*thread, lane, owner, &number, clock.now(), queue.shape().ttl_ns);
    if (waiter != kNoWaiter) serve(lane);
    return waiter;
  }
  std::uint32_t wait_to_reserve(std::uint32_t permits, std::uint64_t owner = 1, std::uint32_t lane = 0) {
    const std::uint32_t waiter = queue.wait_to_reserve(*thread, lane, owner, permits);
    if (waiter != kNoWaiter) serve(lane);
    return waiter;
  }
  void serve(std::uint32_t lane = 0) {
    queue.serve_waiting(lane, [this](std::uint64_t owner) { woken.push_back(owner); });
  }
  // Takes records, then serves the waiters, as a consumer does.
  List take_and_serve(std::uint32_t max) {
    const List numbers = take(max);
    if (consumer.somebody_waits()) {
      for (std::uint32_t lane = 0; lane < queue.shape().lanes; ++lane) serve(lane);
    }
    return numbers;
  }
  bool leave(std::uint32_t waiter) {
    std::uint32_t lane = 0;
    if (!queue.leave(waiter, lane)) return false;
    serve(lane);
    return true;
  }
  WaiterState state(std::uint32_t waiter) { return queue.room_waiters().state(waiter); }
  void retire(std::uint32_t waiter) { queue.room_waiters().retire(waiter); }
  bool close() {
    return queue.close([this](std::uint64_t owner) { woken.push_back(owner); });
  }
  // Checks that every place in the table is free, and that the queue takes records again.
  void check_nothing_left(std::uint32_t waiters) {
    CHECK(queue.waiting() == 0);
    for (std::uint32_t lane = 0; lane < queue.shape().lanes; ++lane) CHECK_FALSE(queue.somebody_waits(lane));
    std::vector<std::uint32_t> places;
    while (take(64).size() != 0) {
    }
    while (push(0) == PushResult::kPushed) {
    }
    for (std::uint32_t i = 0; i < waiters; ++i) {
      places.push_back(wait_to_push(i));
      REQUIRE(places.back() != kNoWaiter);
    }
    CHECK(wait_to_push(99) == kNoWaiter);
    for (const std::uint32_t place : places) CHECK(leave(place));
  }

  List woken;
};

TEST_CASE("waiters are served in the order of arrival, one for each place that becomes free") {
  Full full(8, 2);
  std::vector<std::uint32_t> waiters;
  for (std::uint64_t i = 0; i < 5; ++i) waiters.push_back(full.wait_to_push(10 + i, 100 + i));
  CHECK(full.queue.waiting() == 5);
  CHECK(full.take_and_serve(1) == List{0});
  CHECK(full.woken == List{100});
  CHECK(full.state(waiters[0]) == WaiterState::kServed);
  CHECK(full.state(waiters[1]) == WaiterState::kWaiting);
  CHECK(full.take_and_serve(2) == List{1, 10});
  CHECK(full.woken == List{100, 101, 102});
  CHECK(full.take_and_serve(2) == List{11, 12});
  CHECK(full.take_and_serve(9) == List{13, 14});
  for (const std::uint32_t waiter : waiters) {
    CHECK(full.state(waiter) == WaiterState::kServed);
    full.retire(waiter);
  }
  CHECK(full.conserved());
  full.check_nothing_left(8);
}

TEST_CASE("nothing overtakes a waiter: no push of one or many, no permits, no later waiter") {
  Full full(8, 2);
  const std::uint32_t first = full.wait_to_reserve(2);
  full.take_and_serve(1);
  REQUIRE(full.state(first) == WaiterState::kWaiting);
  CHECK(full.push(9) == PushResult::kFull);
  CHECK(full.push_many({8, 9}).count == 0);
  CHECK(full.queue.ring().reserve(1).count == 0);
  const std::uint32_t second = full.wait_to_push(7);
  CHECK(full.state(second) == WaiterState::kWaiting);
  CHECK(full.queue.rejected() == 3);
  // With the next free place there are two, and the first waiter gets both.
  CHECK(full.take_and_serve(1) == List{1});
  CHECK(full.state(first) == WaiterState::kServed);
  CHECK(full.state(second) == WaiterState::kWaiting);
  full.push_reserved({5}, 1);
  full.serve();
  CHECK(full.state(second) == WaiterState::kServed);
  CHECK(full.take(9) == List{5, 7});
  CHECK(full.push(9) == PushResult::kPushed);
}

TEST_CASE("a caller that begins to wait while there is room is served at once") {
  Full full(8, 2);
  full.take(1);
  const std::uint32_t waiter = full.wait_to_push(7);
  CHECK(full.state(waiter) == WaiterState::kServed);
  CHECK(full.take(9) == List{1, 7});
}

TEST_CASE("one waiter more than maxWaiting is refused and counted, and leaving or retiring frees a place") {
  Full full(2, 1);
  const std::uint32_t first = full.wait_to_push(10), second = full.wait_to_push(11);
  CHECK(full.wait_to_push(12) == kNoWaiter);
  CHECK(full.wait_to_reserve(1) == kNoWaiter);
  CHECK(full.queue.waiters_refused() == 2);
  CHECK(full.leave(first));
  const std::uint32_t third = full.wait_to_push(13);
  CHECK(third != kNoWaiter);
  full.take_and_serve(1);
  REQUIRE(full.state(second) == WaiterState::kServed);
  CHECK(full.wait_to_push(14) == kNoWaiter);  // `second` is served, but its owner has not retired it
  full.retire(second);
  CHECK(full.leave(full.wait_to_push(14)));
  CHECK(full.take_and_serve(1) == List{11});
  CHECK(full.take_and_serve(1) == List{13});
  full.retire(third);
  full.check_nothing_left(2);
}

TEST_CASE("with maxWaiting 0 no caller can wait") {
  Full full(0, 1);
  CHECK(full.wait_to_push(1) == kNoWaiter);
  full.take(1);
  CHECK_FALSE(full.consumer.somebody_waits());
  CHECK(full.push(1) == PushResult::kPushed);
}

TEST_CASE("a waiter that leaves from the front, the middle or the end keeps the others in order") {
  for (std::uint64_t gone = 0; gone < 4; ++gone) {
    Full full(4, 4);
    std::vector<std::uint32_t> waiters;
    for (std::uint64_t i = 0; i < 4; ++i) waiters.push_back(full.wait_to_push(10 + i));
    CHECK(full.leave(waiters[gone]));
    CHECK(full.queue.waiting() == 3);
    full.take_and_serve(4);
    List expected = {10, 11, 12, 13};
    expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(gone));
    CHECK(full.take(9) == expected);
  }
}

TEST_CASE("a waiter that was served, or saw the close, cannot leave any more") {
  Full full(4, 1);
  const std::uint32_t served = full.wait_to_push(7), closed = full.wait_to_push(8);
  full.take_and_serve(1);
  CHECK_FALSE(full.leave(served));
  CHECK(full.take(1) == List{7});
  full.close();
  CHECK_FALSE(full.leave(closed));
  CHECK(full.state(closed) == WaiterState::kEnded);
}

TEST_CASE(
    "when the waiter in front leaves, those behind that want less are served; the last opens the lane") {
  Full full(4, 3);
  const std::uint32_t greedy = full.wait_to_reserve(3);
  const std::uint32_t modest = full.wait_to_push(7);
  full.take_and_serve(2);
  CHECK(full.state(modest) == WaiterState::kWaiting);
  CHECK(full.leave(greedy));
  CHECK(full.state(modest) == WaiterState::kServed);
  CHECK(full.push(8) == PushResult::kPushed);
  CHECK(full.take(9) == List{2, 7, 8});
}

TEST_CASE("a close ends all waits, in every lane, and the waiters' records are not in the queue") {
  Full full(200, 1, 2);
  std::vector<std::uint32_t> waiters;
  for (std::uint64_t i = 0; i < 150; ++i) waiters.push_back(full.wait_to_push(i, i, i % 2));
  CHECK(full.close());
  CHECK_FALSE(full.close());
  CHECK(full.woken.size() == 150);
  for (const std::uint32_t waiter : waiters) {
    CHECK(full.state(waiter) == WaiterState::kEnded);
    full.retire(waiter);
  }
  CHECK(full.queue.waiting() == 0);
  CHECK(full.take(9).size() == 2);
  CHECK(full.consumer.drained());
}

TEST_CASE("a wait that begins after the close ends at once") {
  Full full(4, 1);
  full.close();
  CHECK(full.state(full.wait_to_push(7)) == WaiterState::kEnded);
  CHECK(full.state(full.wait_to_reserve(1)) == WaiterState::kEnded);
  CHECK(full.queue.waiting() == 0);
  full.take(1);
  CHECK(full.consumer.drained());
}

TEST_CASE("nothing remains of an owner that dies, and permits that it had not seen are given back") {
  Full full(8, 3);
  full.wait_to_push(10, 1);
  full.wait_to_reserve(2, 1);
  const std::uint32_t other = full.wait_to_push(11, 2);
  full.wait_to_push(12, 1);
  full.take_and_serve(3);  // serves the first two
  REQUIRE(full.queue.permits() == 2);
  std::uint32_t given_back = 0;
  full.queue.abandon(1, [&](std::uint32_t lane, std::uint32_t permits) {
    CHECK(lane == 0);
    given_back += permits;
  });
  CHECK(given_back == 2);
  full.push_reserved({}, given_back);
  full.serve();
  CHECK(full.state(other) == WaiterState::kServed);
  full.retire(other);
  CHECK(full.take(9) == List{10, 11});  // 10 was pushed before its owner died; 12 never is
  CHECK(full.queue.permits() == 0);
  full.check_nothing_left(8);
}

TEST_CASE("an owner that dies as the only waiter leaves the lane open") {
  Full full(8, 1, 2);
  full.wait_to_push(10, 1, 1);
  full.wait_to_push(11, 1, 1);
  full.queue.abandon(1, [](std::uint32_t, std::uint32_t) { FAIL("the owner had no permits"); });
  full.check_nothing_left(8);
}

TEST_CASE("a lane's waiters wait only for room in that lane") {
  Full full(8, 1, 2);
  full.wait_to_push(10, 1, 0);
  const std::uint32_t low = full.wait_to_push(20, 1, 1);
  CHECK(full.queue.somebody_waits(1));
  CHECK(full.take_and_serve(1) == List{0});
  CHECK(full.state(low) == WaiterState::kWaiting);
  CHECK_FALSE(full.queue.somebody_waits(0));
  CHECK(full.queue.waiting() == 1);
}

TEST_CASE("the time of a record that waits for room is when its wait began") {
  QueueShape shape = shape_with(4, 1);
  shape.latency = shape.expires = true;
  shape.ttl_ns = 500;
  sluice::test::Numbers numbers(shape);
  numbers.push(0);
  const std::uint64_t patient = 7, late = 8;
  REQUIRE(numbers.queue.wait_to_push(*numbers.thread, 0, 1, &patient, numbers.clock.now(), 1'000) !=
          kNoWaiter);
  REQUIRE(numbers.queue.wait_to_push(*numbers.thread, 0, 1, &late, numbers.clock.now(), 500) != kNoWaiter);
  numbers.manual.advance(400);
  CHECK(numbers.take(1) == List{0});
  numbers.queue.serve_waiting(0, [](std::uint64_t) {});
  numbers.manual.advance(200);
  CHECK(numbers.take(1) == List{7});
  CHECK(numbers.queue.waits().max() == 600);
  numbers.queue.serve_waiting(0, [](std::uint64_t) {});
  CHECK(numbers.take(1) == List{});
  CHECK(numbers.drops == std::vector<sluice::test::Numbers::Drop>{{Dropped::kExpired, 8, 0}});
}

TEST_CASE("a thread is woken once for all of its waiters that are served together") {
  Full full(200, 150);
  for (std::uint64_t i = 0; i < 150; ++i) full.wait_to_push(i, 7);
  while (full.queue.waiting() != 0) full.take_and_serve(64);
  CHECK(full.woken.size() <= 3);
}

}  // namespace

TEST_SUITE_END();
