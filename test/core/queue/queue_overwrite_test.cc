// A queue that overwrites: a new record always finds room, and the queue contains the newest records.
#include <doctest/doctest.h>

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

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

TEST_CASE("the queue keeps the newest records, as many as its capacity, also where positions wrap around") {
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

TEST_CASE("permits allow pushes, and take no room") {
  Numbers it(overwriting(2));
  CHECK(it.queue.reserve(0, 2).count == 2);
  for (std::uint64_t number = 0; number < 4; ++number) CHECK(it.push(number) == PushResult::kPushed);
  it.queue.close([](std::uint64_t) {});
  CHECK(it.push(9) == PushResult::kClosed);
  it.push_reserved({4}, 1);
  CHECK(it.take(9) == List{3, 4});
}

TEST_CASE(
    "each dropped record is reported with its slot, while the bytes beside the slot are still the record's") {
  Numbers it(overwriting(3));
  std::uint64_t tags[4] = {};
  List gone;
  for (std::uint64_t number = 1; number <= 8; ++number) {
    const auto write = [&](std::uint64_t slot) { tags[slot] = number * 10; };
    const auto drop = [&](std::uint64_t slot) { gone.push_back(tags[slot]); };
    if (it.queue.push(0, &number, 0, kNoDeadline, write) == PushResult::kPushed) continue;
    CHECK(it.queue.push_over(0, &number, 0, kNoDeadline, write, drop) == PushResult::kPushed);
  }
  CHECK(gone == List{10, 20, 30, 40, 50});
  CHECK(it.queue.promise_over(0) == PushResult::kPushed);
  it.queue.close([](std::uint64_t) {});
  CHECK_FALSE(it.consumer.drained());
  const std::uint64_t last = 9;
  it.queue.push_promised_over(
      0, &last, 0, kNoDeadline, [&](std::uint64_t slot) { tags[slot] = 90; },
      [&](std::uint64_t slot) { gone.push_back(tags[slot]); });
  CHECK(gone == List{10, 20, 30, 40, 50, 60});
  CHECK(it.take(9) == List{7, 8, 9});
  CHECK(it.consumer.drained());
}

TEST_CASE("one claim takes as many positions as have room, or as are published at the front") {
  Numbers it(overwriting(4));
  const std::uint64_t number = 7;
  Ring<>& ring = it.queue.ring();
  CHECK(it.push(1) == PushResult::kPushed);
  const std::uint64_t late = ring.claim(1).position;  // as if its producer had lost the processor
  CHECK(it.push(3) == PushResult::kPushed);
  std::uint32_t over = 0;
  const Ring<>::Claim some = ring.claim_over(9, false, over);
  CHECK(some.count == 2);  // the last free place, and the place of the first record
  CHECK(over == 1);
  ring.advance(ring.head() + kRingStep);
  CHECK(ring.claim_over(1, false, over).count == 0);  // the oldest is not published yet
  std::memcpy(ring.record(late), &number, sizeof number);
  ring.publish(late);
  CHECK(ring.claim_over(1, false, over).count == 1);
  CHECK(over == 1);
}

// A queue, and a number beside each of its slots, as a gate keeps a tag beside each slot.
struct Tagged {
  explicit Tagged(std::uint64_t capacity) : it(overwriting(capacity)), tags(std::bit_ceil(capacity)) {}

  auto write(std::uint64_t number) {
    return [this, number](std::uint64_t slot) { tags[slot] = number; };
  }

  Numbers it;
  List tags;
};

TEST_CASE(
    "threads overwrite each other's records: they come in order, and each is taken or reported as dropped") {
  constexpr unsigned kProducers = 3;
  const std::uint64_t each = repetitions(10'000);
  for (const std::uint64_t capacity : {1, 5, 64}) {
    Tagged tagged(capacity);
    Numbers& it = tagged.it;
    std::atomic<unsigned> pushing{kProducers};
    List told[kProducers];
    std::uint64_t taken = 0;
    std::uint64_t next[kProducers] = {};
    in_threads(kProducers + 1, [&](unsigned thread) {
      if (thread < kProducers) {
        Random random(thread + 1);
        const auto drop = [&](std::uint64_t slot) { told[thread].push_back(tagged.tags[slot]); };
        for (std::uint64_t sequence = 0; sequence < each; ++sequence) {
          const std::uint64_t number = sequence * kProducers + thread;
          const std::size_t before = told[thread].size();
          if (random.once_in(3)) {  // on a promise, as for an order that a ledger must accept first
            if (it.queue.promise_over(0) != PushResult::kPushed) FAIL_CHECK("no promise");
            it.queue.push_promised_over(0, &number, 0, kNoDeadline, tagged.write(number), drop);
          } else if (it.queue.push(0, &number, 0, kNoDeadline, tagged.write(number)) == PushResult::kFull &&
                     it.queue.push_over(0, &number, 0, kNoDeadline, tagged.write(number), drop) !=
                         PushResult::kPushed) {
            FAIL_CHECK("a push was refused");
          }
          if (told[thread].size() > before + 1) FAIL_CHECK("a push has dropped more than one record");
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
    std::vector<bool> gone(kProducers * each);
    std::uint64_t told_of = 0;
    for (const List& list : told) {
      for (const std::uint64_t number : list) {
        if (gone[number]) FAIL_CHECK("reported twice");
        gone[number] = true;
        ++told_of;
      }
    }
    CHECK(it.queue.pushed() == kProducers * each);
    CHECK(it.queue.dropped(Dropped::kOldest) == told_of);
    CHECK(told_of + taken == kProducers * each);
    CHECK(it.queue.depth() == 0);
    CHECK(it.queue.permits() == 0);
  }
}

TEST_CASE("threads overwrite with many records at once: each record is taken or counted") {
  constexpr unsigned kProducers = 3;
  const std::uint64_t each = repetitions(2'000);
  Numbers it(overwriting(7));
  std::atomic<std::uint64_t> dropped{0};
  in_threads(kProducers, [&](unsigned thread) {
    Random random(thread + 1);
    for (std::uint64_t round = 0; round < each; ++round) {
      const List list(random.between(1, 12), round);
      const auto count = static_cast<std::uint32_t>(list.size());
      const bool on_permits = random.once_in(2);
      if (on_permits && it.queue.reserve(0, count).count != count) FAIL_CHECK("no permits");
      for (std::uint32_t pushed = 0; pushed < count;) {
        const auto drop = [&](std::uint64_t) { dropped.fetch_add(1, std::memory_order_relaxed); };
        const std::uint32_t some = it.queue
                                       .push_many_over(0, Numbers::octets(list).from(pushed), count - pushed,
                                                       on_permits, 0, kNoDeadline, drop)
                                       .count;
        if (some == 0) FAIL_CHECK("refused");
        pushed += some;
      }
    }
  });
  CHECK(it.queue.dropped(Dropped::kOldest) == dropped.load());
  CHECK(it.queue.pushed() == dropped.load() + 7);
  CHECK(it.take(9).size() == 7);
  CHECK(it.queue.permits() == 0);
}

TEST_SUITE_END();
