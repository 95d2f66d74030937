#include "core/queue.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "stress.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("queue");

namespace {

using namespace sluice;
using sluice::test::Random;
using sluice::test::ZeroedMemory;

constexpr std::uint64_t kStart = 0 - 4 * kRingStep;  // positions wrap around after four records

// A queue of 64-bit numbers on a clock that the test moves.
struct Numbers {
  Numbers(std::uint64_t capacity, bool timed)
      : shape{capacity, sizeof(std::uint64_t), timed},
        memory(Queue::bytes(shape)),
        queue(memory, shape),
        clock(&manual) {
    queue.format(kStart);
    line = queue.lines().acquire();
  }
  PushResult push(std::uint64_t number) { return queue.push(*line, &number, clock); }
  std::vector<std::uint64_t> peek(std::uint32_t max) {
    std::vector<std::uint64_t> numbers(max);
    const std::uint32_t count = queue.peek(reinterpret_cast<std::byte*>(numbers.data()), max, clock,
                                           [](std::uint32_t, std::uint64_t) {});
    numbers.resize(count);
    return numbers;
  }
  std::vector<std::uint64_t> take(std::uint32_t max) {
    const auto numbers = peek(max);
    queue.advance(static_cast<std::uint32_t>(numbers.size()));
    return numbers;
  }

  QueueShape shape;
  ZeroedMemory memory;
  Queue queue;
  ManualClock manual{1'000};
  Clock clock;
  ThreadLine* line = nullptr;
};

using List = std::vector<std::uint64_t>;

TEST_CASE("records go in one by one or many at a time and come out in order, with and without time stamps") {
  for (const bool timed : {false, true}) {
    Numbers numbers(5, timed);
    REQUIRE(numbers.push(1) == PushResult::kPushed);
    const List more = {2, 3, 4, 5, 6, 7};
    const auto claim = numbers.queue.push_many(*numbers.line, reinterpret_cast<const std::byte*>(more.data()),
                                               6, numbers.clock);
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

TEST_CASE("what is peeked at stays until it is advanced over") {
  Numbers numbers(4, true);
  for (std::uint64_t i = 0; i < 4; ++i) numbers.push(i);
  CHECK(numbers.peek(2) == List{0, 1});
  CHECK(numbers.peek(3) == List{0, 1, 2});
  CHECK(numbers.push(9) == PushResult::kFull);
  numbers.queue.advance(2);
  CHECK(numbers.push(9) == PushResult::kPushed);
  CHECK(numbers.take(9) == List{2, 3, 9});
  numbers.queue.advance(0);
  CHECK(numbers.queue.popped() == 5);
}

TEST_CASE("each record's wait is measured once, from its push to when it is first shown") {
  Numbers numbers(4, true);
  numbers.push(0);
  numbers.manual.advance(100);
  numbers.push(1);
  numbers.manual.advance(500);
  numbers.peek(2);
  numbers.manual.advance(1'000'000);
  numbers.peek(2);
  CHECK(numbers.queue.waits().count() == 2);
  CHECK(numbers.queue.waits().max() == 600);
  CHECK(numbers.queue.waits().mean() == 550);
  numbers.queue.advance(2);
  numbers.push(2);
  numbers.take(1);
  CHECK(numbers.queue.waits().count() == 3);
}

TEST_CASE("a queue that does not measure takes no time and counts no waits") {
  Numbers numbers(4, false);
  numbers.push(0);
  numbers.manual.advance(100);
  numbers.take(1);
  CHECK(numbers.queue.waits().count() == 0);
  CHECK(Queue::slot_payload(numbers.shape) == 8);
}

TEST_CASE("what is written beside a record is found beside it") {
  Numbers numbers(3, false);
  std::uint64_t tags[4] = {};
  for (std::uint64_t i = 0; i < 20; ++i) {
    REQUIRE(numbers.queue.push(&i, 0, [&](std::uint64_t slot) { tags[slot] = i * 10; }) ==
            PushResult::kPushed);
    std::uint64_t number = 0, tag = 0;
    numbers.queue.peek(reinterpret_cast<std::byte*>(&number), 1, numbers.clock,
                       [&](std::uint32_t, std::uint64_t slot) { tag = tags[slot]; });
    CHECK(number == i);
    CHECK(tag == i * 10);
    numbers.queue.advance(1);
  }
}

TEST_CASE("nothing is written beside a record that found no room") {
  Numbers numbers(1, false);
  const std::uint64_t number = 1;
  bool written = false;
  const auto write = [&](std::uint64_t) { written = true; };
  numbers.push(0);
  CHECK(numbers.queue.push(&number, 0, write) == PushResult::kFull);
  numbers.queue.close();
  CHECK(numbers.queue.push(&number, 0, write) == PushResult::kClosed);
  CHECK_FALSE(written);
}

TEST_CASE(
    "a closed queue refuses without counting a rejection, and is drained when the last record is taken") {
  Numbers numbers(3, false);
  numbers.push(1);
  CHECK(numbers.queue.close());
  CHECK_FALSE(numbers.queue.close());
  CHECK(numbers.push(2) == PushResult::kClosed);
  const List more = {2, 3};
  const auto claim = numbers.queue.push_many(*numbers.line, reinterpret_cast<const std::byte*>(more.data()),
                                             2, numbers.clock);
  CHECK(claim.closed);
  CHECK(claim.count == 0);
  CHECK(numbers.queue.rejected() == 0);
  CHECK_FALSE(numbers.queue.drained());
  CHECK(numbers.take(5) == List{1});
  CHECK(numbers.queue.drained());
  CHECK(numbers.queue.pushed() == 1);
}

TEST_CASE("a consumer parks only when there is nothing to do, and then the next push rings, or the close") {
  Numbers numbers(3, false);
  REQUIRE(numbers.queue.park());
  numbers.push(1);
  CHECK(numbers.queue.must_ring());
  CHECK_FALSE(numbers.queue.must_ring());
  CHECK_FALSE(numbers.queue.park());
  numbers.push(2);
  CHECK_FALSE(numbers.queue.must_ring());
  numbers.take(5);
  REQUIRE(numbers.queue.park());
  numbers.queue.close();
  CHECK(numbers.queue.must_ring());
  CHECK_FALSE(numbers.queue.park());
}

TEST_CASE("one consumer holds the lease until it gives it back, and nobody gives back another's") {
  Numbers numbers(3, false);
  CHECK(numbers.queue.take_lease(7));
  CHECK(numbers.queue.take_lease(7));
  CHECK_FALSE(numbers.queue.take_lease(8));
  numbers.queue.give_lease(8);
  CHECK_FALSE(numbers.queue.take_lease(8));
  numbers.queue.give_lease(7);
  CHECK(numbers.queue.take_lease(8));
}

TEST_CASE("the high-water mark is the largest depth there was, and includes what is there now") {
  Numbers numbers(10, false);
  for (std::uint64_t i = 0; i < 6; ++i) numbers.push(i);
  CHECK(numbers.queue.high_water() == 6);
  numbers.take(6);
  numbers.push(1);
  CHECK(numbers.queue.high_water() == 6);
  numbers.take(1);
  CHECK(numbers.queue.high_water() == 6);
}

TEST_CASE("random pushes, peeks and takes do what a plain list would") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  for (int round = 0; round < 20; ++round) {
    const std::uint64_t capacity = random.between(1, 12);
    Numbers numbers(capacity, random.once_in(2));
    List list;
    std::uint64_t next = 0, rejected = 0;
    for (int i = 0; i < 500; ++i) {
      if (random.once_in(2)) {
        List batch(random.between(1, 6));
        for (std::uint64_t& number : batch) number = next++;
        const auto room = static_cast<std::ptrdiff_t>(std::min(capacity - list.size(), batch.size()));
        const auto claim =
            numbers.queue.push_many(*numbers.line, reinterpret_cast<const std::byte*>(batch.data()),
                                    static_cast<std::uint32_t>(batch.size()), numbers.clock);
        REQUIRE(claim.count == static_cast<std::uint64_t>(room));
        list.insert(list.end(), batch.begin(), batch.begin() + room);
        rejected += batch.size() - claim.count;
      } else {
        const std::size_t count = std::min<std::size_t>(random.between(1, 6), list.size());
        const List expected(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count));
        REQUIRE(numbers.peek(static_cast<std::uint32_t>(count)) == expected);
        numbers.queue.advance(static_cast<std::uint32_t>(count));
        list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count));
      }
      REQUIRE(numbers.queue.ring().depth() == list.size());
      REQUIRE(numbers.queue.rejected() == rejected);
    }
  }
}

}  // namespace

TEST_SUITE_END();
