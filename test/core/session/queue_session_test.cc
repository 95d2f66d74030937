// One thread's session of a queue, and what the thread leaves when it ends.
#include "session/queue_session.h"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "queue_host.h"
#include "stress.h"

TEST_SUITE_BEGIN("queue session");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::List;
using sluice::test::NumberSession;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::shape_of;
using sluice::test::SharedNumbers;

QueueShape with_waiters(std::uint64_t capacity, std::uint32_t waiters = 4, std::uint32_t lanes = 1) {
  QueueShape shape = shape_of(capacity, lanes);
  shape.waiters = waiters;
  return shape;
}
QueueShape tagged(std::uint64_t capacity, Overflow overflow = Overflow::kReject) {
  QueueShape shape = shape_of(capacity);
  shape.tag_bytes = 8;
  shape.overflow = overflow;
  return shape;
}

// Pushes `number` with a tag of the same number.
void push_tagged(NumberSession& session, std::uint64_t number) {
  SlotTags<>& tags = session->queue().tags();
  const auto write = [&](std::uint64_t slot) { std::memcpy(tags.memory() + slot * 8, &number, 8); };
  const PushResult pushed = session->queue().push(0, &number, 0, kNoDeadline, write);
  REQUIRE(pushed == PushResult::kPushed);
}

}  // namespace

TEST_CASE("a session takes only buffers that are large enough") {
  SharedNumbers shared(shape_of(4));
  QueueSession session(shared.view(), shared.host, *shared.view().thread_slots().acquire(), shared.clock, 1);
  List one(1), most(64), words(QueueStaging::kBytes / 8);
  const auto bytes = [](List& list) { return std::as_writable_bytes(std::span(list)); };
  CHECK_FALSE(session.use({bytes(one).first(7), 8, bytes(one), bytes(most), Words(bytes(words))}));
  CHECK_FALSE(session.use({bytes(one), 8, bytes(one).first(7), bytes(most), Words(bytes(words))}));
  CHECK_FALSE(session.use({bytes(one), 8, bytes(one), bytes(most).first(511), Words(bytes(words))}));
  CHECK_FALSE(session.use({bytes(one), 8, bytes(one), bytes(most), Words(bytes(words).first(8))}));
  CHECK_FALSE(session.use({bytes(one), 7, bytes(one), bytes(most), Words(bytes(words))}));
  REQUIRE(session.use({bytes(one), 8, bytes(one), bytes(most), Words(bytes(words))}));
  for (std::uint64_t i = 1; i <= 3; ++i) {
    one[0] = i;
    REQUIRE(session.push_many(0, 64, 0, kNoDeadline).count == 1);  // as many as `in` holds
  }
  REQUIRE(session.consumes());
  CHECK(session.take(64) == 1);  // as many as `out` has room for
  CHECK(one[0] == 1);
  CHECK(session.next(0, 64) == 1);
  session.end();
}

TEST_CASE("words are read and written only within their buffer") {
  std::array<std::uint64_t, 3> memory{1, 2, 3};
  const Words words(std::as_writable_bytes(std::span(memory)).first(16));
  words.put(12, std::uint64_t{0});
  words.put(16, std::uint32_t{9});
  words.put(~std::size_t{0} - 2, std::uint32_t{9});
  CHECK(words.get<std::uint64_t>(12) == 0);
  CHECK(words.get<std::uint64_t>(8) == 2);
  CHECK(memory == std::array<std::uint64_t, 3>{1, 2, 3});
}

TEST_CASE("a session keeps its permits until they are used or returned, and returns them when it ends") {
  SharedNumbers shared(with_waiters(4, 4, 2));
  NumberSession one(shared, 1, 7), other(shared, 2, 7), waiting(shared, 3);
  CHECK(one->reserve(0, 3) == 3);
  CHECK(one->reserve(1, 1) == 1);
  CHECK(other->reserve(0, 9) == 1);
  CHECK(shared.permits_held() == 5);
  CHECK(shared.view().permits() == 5);
  CHECK_FALSE(one->has_permits(0, 2, 2));
  CHECK_FALSE(one->has_permits(2, 0, 0));
  REQUIRE(one->has_permits(0, 1, 1));
  one.push_reserved({5}, 1);
  CHECK(shared.permits_held() == 3);
  const std::uint32_t waiter = waiting->wait_to_reserve(0, 2);
  REQUIRE(waiter != kNoWaiter);
  CHECK(waiting->waiter_state(waiter) == WaiterState::kWaiting);
  one->end();
  // The returned permits serve a waiter, whose bell rings.
  CHECK(waiting->waiter_state(waiter) == WaiterState::kServed);
  CHECK(shared.host.bell(3).listen());
  REQUIRE(waiting->retire(waiter));
  CHECK(shared.permits_held() == 3);
  CHECK(shared.view().permits() == 3);
  other->end();
  waiting->end();
  CHECK(shared.permits_held() == 0);
  CHECK(shared.view().permits() == 0);
  CHECK(shared.view().depth() == 1);
}

TEST_CASE("permits that a waiter got, unseen by its session, are returned when the session ends") {
  SharedNumbers shared(with_waiters(2));
  NumberSession full(shared, 1), waiting(shared, 2), next(shared, 3);
  CHECK(full->reserve(0, 2) == 2);
  const std::uint32_t served = waiting->wait_to_reserve(0, 2);
  full.push_reserved({}, 2);
  CHECK(waiting->waiter_state(served) == WaiterState::kServed);
  const std::uint32_t behind = next->wait_to_reserve(0, 1);
  waiting->end();
  CHECK(next->waiter_state(behind) == WaiterState::kServed);
  next->end();
  full->end();
  CHECK(shared.view().permits() == 0);
  CHECK(shared.view().waiting() == 0);
}

TEST_CASE("a session has the lease until it gives it back or ends; shown records are shown again") {
  SharedNumbers shared(shape_of(4));
  NumberSession one(shared, 1), other(shared, 2);
  for (std::uint64_t i = 0; i < 3; ++i) one.push(i);
  CHECK(one.next(0, 2) == List{0, 1});
  CHECK_FALSE(other->consumes());
  CHECK(one->has_lease());
  one->give_lease();
  CHECK(other.next(0, 3) == List{0, 1, 2});
  CHECK_FALSE(one->consumes());
  CHECK(other.next(1, 0).empty());
  other->end();
  CHECK(one.take(4) == List{1, 2});
  one->end();
}

TEST_CASE("a session acts only for its own waiters, and leaves none behind") {
  SharedNumbers shared(with_waiters(1, 2));
  NumberSession full(shared, 1), waiting(shared, 2), other(shared, 3);
  full.push(0);
  CHECK(full.push(9) == PushResult::kFull);
  CHECK(shared.view().rejected() == 1);
  const std::uint32_t first = waiting.wait_to_push(1), second = other.wait_to_push(2);
  CHECK(full.wait_to_push(3) == kNoWaiter);
  CHECK(waiting->owns(first));
  CHECK_FALSE(waiting->owns(second));
  CHECK_FALSE(waiting->owns(99));
  CHECK_FALSE(waiting->retire(first));
  REQUIRE(waiting->leave(first));
  CHECK_FALSE(waiting->owns(first));
  CHECK(full.take(1) == List{0});
  CHECK(other->waiter_state(second) == WaiterState::kServed);
  CHECK_FALSE(other->leave(second));
  const std::uint32_t third = waiting.wait_to_push(3);
  waiting->end();
  CHECK(shared.view().waiting() == 0);
  CHECK(full.take(8) == List{2});
  CHECK(full->queue().room_waiters().state(third) == WaiterState::kFree);
  other->end();
  full->end();
}

TEST_CASE("waiters for the end are woken at the close, and with the last record, permit, and lease") {
  SharedNumbers shared(with_waiters(4));
  NumberSession producer(shared, 1), consumer(shared, 2), waiting(shared, 3);
  producer.push(1);
  REQUIRE(producer->reserve(0, 2) == 2);
  REQUIRE(consumer->consumes());
  CHECK(waiting->close());
  CHECK_FALSE(waiting->close());
  CHECK(shared.host.rung_all() == 1);
  CHECK(producer.push(2) == PushResult::kClosed);
  CHECK(consumer.take(4) == List{1});
  CHECK(consumer->park() == Park::kParked);  // permits keep the queue from ending
  CHECK(shared.host.rung_all() == 0);
  producer.push_reserved({3}, 0);
  CHECK(shared.host.rung() == 1);
  consumer->woke();
  CHECK(consumer.take(4) == List{3});
  CHECK(consumer->await_record([] {}) == Park::kParked);
  producer->end();
  CHECK(shared.host.rung_all() == 1);
  CHECK(consumer->park() == Park::kEnded);
  CHECK(consumer->await_record([] { FAIL("there is nothing to wait for"); }) == Park::kEnded);
  CHECK(shared.host.rung_all() == 0);  // they were woken already
  consumer->end();
  CHECK(shared.host.rung_all() != 0);
  waiting->end();
}

TEST_CASE("waiters for the end are woken once, by the record or the unused permit that goes last") {
  for (const bool permit_last : {false, true}) {
    SharedNumbers shared(shape_of(4));
    NumberSession producer(shared, 1), consumer(shared, 2);
    producer.push(1);
    REQUIRE(producer->reserve(0, 1) == 1);
    REQUIRE(producer->close());
    shared.host.rung_all();
    const auto go = [&](bool permit) {
      if (permit) {
        producer.push_reserved({}, 1);
      } else {
        CHECK(consumer.take(4) == List{1});
      }
    };
    go(!permit_last);
    CHECK(shared.host.rung_all() == 0);
    go(permit_last);
    CHECK(shared.host.rung_all() == 1);
    producer->end();
    consumer->end();
  }
}

TEST_CASE("waiters for the end learn that a closed queue with records in it has lost its consumer") {
  SharedNumbers shared(shape_of(4));
  NumberSession producer(shared, 1), consumer(shared, 2);
  producer.push(1);
  REQUIRE(consumer->consumes());
  REQUIRE(producer->close());
  shared.host.rung_all();
  consumer->give_lease();
  CHECK(shared.host.rung_all() == 1);
  consumer->end();
  producer->end();
}

TEST_CASE("waiters for an empty queue are woken, and forgotten when their session ends") {
  SharedNumbers shared(shape_of(4));
  NumberSession producer(shared, 1), waiting(shared, 2);
  producer.push(1);
  const std::uint64_t before = waiting->await_empty(true);
  CHECK(producer.take(1) == List{1});
  CHECK(shared.host.rung_all() == 1);
  CHECK(shared.view().emptied() == before + 1);
  waiting->end();
  producer.push(2);
  CHECK(producer.take(1) == List{2});
  CHECK(shared.host.rung_all() == 0);
  producer->end();
}

TEST_CASE("a dropped record's tag is given back once; a taken record's tag goes with it") {
  for (const Overflow overflow : {Overflow::kDropOldest, Overflow::kOverwrite}) {
    SharedNumbers shared(tagged(2, overflow));
    NumberSession producer(shared, 1), consumer(shared, 2);
    REQUIRE(producer->queue().tags().begin());
    push_tagged(producer, 1);
    push_tagged(producer, 20);
    CHECK(producer.push(300) == PushResult::kPushed);
    CHECK(producer.push(301) == PushResult::kPushed);
    CHECK(consumer.take(8) == List{300, 301});
    CHECK(shared.host.given_back() == 21);
    push_tagged(producer, 4'000);
    CHECK(consumer.take(8) == List{4'000});
    producer->queue().end_tags([](const Tag&) { FAIL("it was taken"); });
    CHECK(shared.host.given_back() == 21);
    producer->end();
    consumer->end();
  }
}

TEST_CASE("pushes on permits of a queue that overwrites drop tags too, many at a time") {
  SharedNumbers shared(tagged(64, Overflow::kOverwrite));
  NumberSession producer(shared, 1);
  REQUIRE(producer->queue().tags().begin());
  std::uint64_t sum = 0;
  for (std::uint64_t i = 1; i <= 64; ++i) {
    push_tagged(producer, i);
    sum += i;
  }
  REQUIRE(producer->reserve(0, 64) == 64);
  producer.push_reserved(List(60, 7), 4);
  CHECK(shared.host.given_back() == sum - (61 + 62 + 63 + 64));
  CHECK(producer->push_many(0, 64, 0, kNoDeadline).count == 64);
  CHECK(shared.host.given_back() == sum);
  producer->end();
}

TEST_CASE(
    "a record with a tag that next() shows has left the queue, and a user that ends does not get the tag") {
  SharedNumbers shared(tagged(8));
  NumberSession producer(shared, 1), consumer(shared, 2);
  producer.push(1);
  producer.push(2);
  CHECK(consumer.next(0, 8) == List{1, 2});
  CHECK(consumer.answer == 2);
  REQUIRE(producer->queue().tags().begin());
  for (const std::uint64_t number : {3, 40, 500}) push_tagged(producer, number);
  // Records 1 and 2 were pushed and shown before the tags had a user, so they have no tags.
  CHECK(consumer.next(2, 8) == List{3});
  CHECK(consumer.answer == kShownAndGone);
  CHECK(shared.view().depth() == 2);
  CHECK(consumer.next(0, 8) == List{40});
  std::uint64_t left = 0;
  producer->queue().end_tags([&](const Tag& tag) {
    std::uint64_t number;
    std::memcpy(&number, tag.bytes, sizeof number);
    left += number;
  });
  CHECK(left == 500);
  producer.push(6);
  CHECK(consumer.next(0, 8) == List{500, 6});
  CHECK(consumer.answer == 2);
  producer->end();
  consumer->end();
}

TEST_CASE("dropped records are copied with their reasons, for a session that wants them") {
  QueueShape shape = shape_of(2);
  shape.overflow = Overflow::kDropOldest;
  SharedNumbers shared(shape);
  NumberSession session(shared, 1);
  session->want_dropped(true);
  for (std::uint64_t i = 1; i <= 4; ++i) session.push(i);
  CHECK(session.take(8) == List{3, 4});
  const Words words(std::as_writable_bytes(std::span(session.words)));
  CHECK(words.get<double>(QueueStaging::kDropped) == 2);
  CHECK(words.get<double>(QueueStaging::kReasons) == static_cast<double>(Dropped::kOldest));
  CHECK(session.dropped[0] == 1);
  CHECK(session.dropped[1] == 2);
  session->end();
}

TEST_CASE("sessions of threads that come and go lose no record, no permit and no wait") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  SharedNumbers shared(with_waiters(4, 8));
  constexpr unsigned kProducers = 3;
  std::atomic<std::uint64_t> pushed{0}, sum{0};
  std::atomic<unsigned> producing{kProducers};
  std::uint64_t popped = 0, popped_sum = 0;
  in_threads(kProducers + 1, [&](unsigned thread) {
    Random random(thread);
    if (thread == kProducers) {
      while (producing.load() != 0 || shared.view().depth() != 0) {
        NumberSession consumer(shared, 1);
        for (std::uint64_t turn = random.below(8) + 1; turn != 0; --turn) {
          for (const std::uint64_t number : consumer.take(static_cast<std::uint32_t>(random.between(1, 4)))) {
            ++popped;
            popped_sum += number;
          }
          if (popped != 0 && random.once_in(4)) std::this_thread::yield();
        }
        consumer->end();
      }
      return;
    }
    for (std::uint64_t round = 0; round < repetitions(4'000); ++round) {
      const std::uint64_t number = random.below(1'000) + 1;
      NumberSession producer(shared, 2 + thread);
      if (producer.push(number) == PushResult::kPushed) {
        pushed.fetch_add(1);
        sum.fetch_add(number);
      } else if (random.once_in(2)) {
        const std::uint32_t waiter = producer.wait_to_push(number);
        if (waiter != kNoWaiter && random.once_in(2)) {
          while (producer->waiter_state(waiter) == WaiterState::kWaiting)
            shared.host.bell(2 + thread).listen();
        }
        // If the waiter could not leave, it was served.
        if (waiter != kNoWaiter && !producer->leave(waiter)) {
          pushed.fetch_add(1);
          sum.fetch_add(number);
        }
      } else {
        const std::uint32_t permits = producer->reserve(0, 2);
        if (permits != 0 && random.once_in(2)) {
          producer.push_reserved({number}, permits - 1);
          pushed.fetch_add(1);
          sum.fetch_add(number);
        }
      }
      producer->end();
    }
    producing.fetch_sub(1);
  });
  CHECK(popped == pushed.load());
  CHECK(popped_sum == sum.load());
  CHECK(shared.permits_held() == 0);
  CHECK(shared.view().permits() == 0);
  CHECK(shared.view().waiting() == 0);
}

TEST_SUITE_END();
