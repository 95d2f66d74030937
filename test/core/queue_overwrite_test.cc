// A queue that overwrites: the newest always fits, and what is in it is the newest.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>

#include "queue_numbers.h"
#include "stress.h"

TEST_SUITE_BEGIN("queue that overwrites");

using namespace sluice;
using namespace sluice::test;

namespace {

QueueShape overwriting(std::uint64_t capacity) {
  QueueShape shape = shape_of(capacity);
  shape.overflow = Overflow::kOverwrite;
  return shape;
}

}  // namespace

TEST_CASE("it keeps the newest, in exactly its capacity, over the wrap-around of its positions") {
  Numbers it(overwriting(3));
  for (std::uint64_t number = 0; number < 20; ++number) CHECK(it.push(number) == PushResult::kPushed);
  CHECK(it.queue.depth() == 3);
  CHECK(it.queue.dropped(Dropped::kOldest) == 17);
  CHECK(it.take(2) == List{17, 18});
  CHECK(it.push_many({20, 21, 22, 23, 24}).count == 5);
  CHECK(it.take(9) == List{22, 23, 24});
  CHECK(it.queue.pushed() == 25);
  CHECK(it.queue.popped() == 5);
  CHECK(it.queue.high_water() == 3);
}

TEST_CASE("permits are leave to push, and take no room") {
  Numbers it(overwriting(2));
  CHECK(it.queue.reserve(0, 2).count == 2);
  for (std::uint64_t number = 0; number < 4; ++number) CHECK(it.push(number) == PushResult::kPushed);
  it.queue.close([](std::uint64_t) {});
  CHECK(it.push(9) == PushResult::kClosed);
  it.push_reserved({4}, 1);
  CHECK(it.take(9) == List{3, 4});
}

TEST_CASE("threads push over each other and over the consumer: in order, and all are taken or counted") {
  constexpr unsigned kProducers = 3;
  const std::uint64_t each = repetitions(10'000);
  for (const std::uint64_t capacity : {1, 5}) {
    Numbers it(overwriting(capacity));
    std::atomic<unsigned> pushing{kProducers};
    std::uint64_t taken = 0;
    std::uint64_t next[kProducers] = {};
    in_threads(kProducers + 1, [&](unsigned thread) {
      if (thread < kProducers) {
        for (std::uint64_t sequence = 0; sequence < each; ++sequence) {
          const std::uint64_t number = sequence * kProducers + thread;
          const PushResult pushed = it.queue.push(0, &number, 0, kNoDeadline, [](std::uint64_t) {});
          if (pushed != PushResult::kPushed) FAIL_CHECK("a push was refused");
        }
        pushing.fetch_sub(1);
        return;
      }
      for (bool last = false; !last;) {
        last = pushing.load() == 0;
        if (it.queue.depth() == 0) continue;
        const Queue::Front front(it.queue);
        for (const std::uint64_t number : it.take(2)) {
          const std::uint64_t sequence = number / kProducers;
          if (sequence < next[number % kProducers]) FAIL_CHECK("out of order");
          next[number % kProducers] = sequence + 1;
          ++taken;
        }
      }
    });
    taken += it.take(64).size();
    CHECK(it.queue.pushed() == kProducers * each);
    CHECK(it.queue.dropped(Dropped::kOldest) + taken == kProducers * each);
    CHECK(it.queue.depth() == 0);
  }
}

TEST_SUITE_END();
