#include "session/queue_calls.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <vector>

#include "queue_host.h"
#include "stress.h"

TEST_SUITE_BEGIN("queue calls");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::List;
using sluice::test::Numbers;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::shape_of;
using sluice::test::TestHost;
using sluice::test::ZeroedMemory;

constexpr std::uint64_t kSessions = 6;

// A queue of numbers, and the cells of its sessions, in one block of memory, as they lie in the arena.
struct Arena {
  explicit Arena(const QueueShape& shape)
      : queue_bytes(Queue::bytes(shape)),
        memory(queue_bytes + kSessions * cell_bytes()),
        queue(memory, shape) {
    queue.format(Numbers::kStart);
  }
  static std::uint64_t cell_bytes() {
    return sizeof(QueueCell) + QueueStaging::Places(sizeof(std::uint64_t)).layout.bytes();
  }
  std::byte* base() { return static_cast<std::byte*>(static_cast<void*>(memory)); }
  std::uint32_t offset_of(const void* place) {
    return static_cast<std::uint32_t>(static_cast<const std::byte*>(place) - base());
  }

  std::uint64_t queue_bytes;
  ZeroedMemory memory;
  Queue queue;
  TestHost host;
  Clock clock;
};

// One session with both faces.
struct Faces {
  Faces(Arena& arena, std::uint64_t number)
      : arena(arena),
        begin(arena.base() + arena.queue_bytes + number * Arena::cell_bytes()),
        cell(*new (begin) QueueCell{}),
        session(arena.queue, arena.host, *arena.queue.thread_slots().acquire(), arena.clock, number + 1) {
    std::byte* staging = begin + sizeof(QueueCell);
    const std::uint64_t records = kStagedRecords * sizeof(std::uint64_t);
    Queue& queue = session.queue();
    cell.control = arena.offset_of(&queue.control());
    cell.ring = arena.offset_of(queue.ring().memory());
    cell.waiters = arena.offset_of(queue.room_waiters().memory());
    cell.slot = arena.offset_of(&session.slot());
    cell.words = arena.offset_of(staging + places.words);
    cell.in = arena.offset_of(staging + places.in);
    cell.out = arena.offset_of(staging + places.out);
    cell.overwrites = queue.overwrites() ? 1 : 0;
    cell.capacity = queue.shape().ring_capacity();
    cell.record_bytes = session.record_bytes();
    REQUIRE(session.use({{staging + places.in, places.in_apart * kStagedRecords - sizeof(std::uint64_t)},
                         places.in_apart,
                         {staging + places.out, records},
                         {staging + places.dropped, records},
                         Words({staging + places.words, QueueStaging::kBytes}),
                         &cell.state}));
    REQUIRE(session.in_records() == kStagedRecords);
  }
  ~Faces() { session.end(); }

  QueueCalls calls() { return {cell, reinterpret_cast<std::uintptr_t>(arena.base())}; }
  std::byte* at(std::uint32_t offset) { return arena.base() + offset; }
  void stage(const List& numbers) {
    for (std::size_t i = 0; i < numbers.size(); ++i)
      std::memcpy(at(cell.in) + i * places.in_apart, &numbers[i], sizeof numbers[i]);
  }
  std::int32_t push(std::uint64_t number) {
    stage({number});
    return calls().push();
  }
  std::int32_t push_many(const List& numbers, std::uint32_t more = 0) {
    stage(numbers);
    return calls().push_many(static_cast<std::uint32_t>(numbers.size()), more);
  }
  std::uint64_t taken() {
    std::uint64_t number;
    std::memcpy(&number, at(cell.out), sizeof number);
    return number;
  }
  // Returns the records that next() has shown in their slots.
  List shown(std::int32_t answer) {
    List numbers(static_cast<std::size_t>(answer) % kThenTell);
    double place;
    std::memcpy(&place, at(cell.words) + QueueStaging::kShownAt, sizeof place);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      std::memcpy(&numbers[i], at(static_cast<std::uint32_t>(place)) + i * places.in_apart,
                  sizeof numbers[i]);
    }
    return numbers;
  }

  Arena& arena;
  QueueStaging::Places places{sizeof(std::uint64_t)};
  std::byte* begin;
  QueueCell& cell;
  QueueSession session;
};

}  // namespace

TEST_CASE("both faces of a session push to one ring and take from it") {
  Arena arena(shape_of(6));
  Faces one(arena, 0);
  CHECK(one.calls().take_one() == kElsewhere);  // the native face takes the lease
  REQUIRE(one.session.consumes());
  for (std::uint64_t lap = 0; lap < 5; ++lap) {
    CHECK(one.push(1) == kDone);
    CHECK(one.push_many({2, 3, 4}) == 3);
    one.stage({5});
    CHECK(one.session.push(0, kNoDeadline) == PushResult::kPushed);
    CHECK(one.push_many({6, 7, 8}, 10) == 1);
    CHECK(one.push(9) == kNone);
    CHECK(arena.queue.rejected() == (lap + 1) * 13);
    CHECK(one.calls().take_one() == kDone);
    CHECK(one.taken() == 1);
    REQUIRE(one.session.take(1) == 1);
    CHECK(one.taken() == 2);
    List rest;
    std::int32_t shown = 0;
    do {
      shown = one.calls().next(static_cast<std::uint32_t>(shown), 3);
      const List some = one.shown(shown);
      rest.insert(rest.end(), some.begin(), some.end());
    } while (shown != 0);
    CHECK(rest == List{3, 4, 5, 6});
    CHECK(arena.queue.depth() == 0);
    CHECK(arena.queue.high_water() == 6);
  }
}

TEST_CASE("a face frees what the other one has shown, and no more") {
  Arena arena(shape_of(8));
  Faces one(arena, 0);
  REQUIRE(one.session.consumes());
  CHECK(one.push_many({1, 2, 3, 4, 5}) == 5);
  CHECK(one.session.next(0, 3) == 3);
  CHECK(one.calls().next(4, 1) == kElsewhere);
  CHECK(one.shown(one.calls().next(2, 2)) == List{3, 4});
  CHECK(one.session.consumer().shown() == 2);
  CHECK(one.session.next(1, 1) == 1);
  CHECK(one.taken() == 4);
  CHECK(arena.queue.depth() == 2);
}

TEST_CASE("a call leaves to the other face what is rare, and does nothing then") {
  SUBCASE("a closed queue") {
    Arena arena(shape_of(4));
    Faces one(arena, 0);
    one.session.close();
    CHECK(one.push(1) == kElsewhere);
    CHECK(one.push_many({1, 2}) == kElsewhere);
    CHECK(arena.queue.rejected() == 0);
  }
  SUBCASE("a full queue that overwrites") {
    QueueShape shape = shape_of(2);
    shape.overflow = Overflow::kOverwrite;
    Arena arena(shape);
    Faces one(arena, 0);
    CHECK(one.push_many({1, 2}) == kElsewhere);
    CHECK(one.push(1) == kDone);
    CHECK(one.push(2) == kDone);
    CHECK(one.push(3) == kElsewhere);
    CHECK(arena.queue.depth() == 2);
  }
  SUBCASE("records that may have tags") {
    QueueShape shape = shape_of(4);
    shape.tag_bytes = 8;
    Arena arena(shape);
    Faces one(arena, 0);
    REQUIRE(one.session.consumes());
    REQUIRE(one.push(1) == kDone);
    REQUIRE(one.push(2) == kDone);
    REQUIRE(one.calls().next(0, 1) == 1);
    REQUIRE(one.session.queue().tags().begin());
    CHECK(one.calls().take_one() == kElsewhere);
    CHECK(one.calls().next(0, 2) == kShowElsewhere);
    CHECK(arena.queue.depth() == 2);
    one.session.queue().tags().end();
    CHECK(one.calls().take_one() == kDone);
  }
}

TEST_CASE("a call says when a thread waits for what it has done") {
  QueueShape shape = shape_of(2);
  shape.waiters = 4;
  Arena arena(shape);
  Faces one(arena, 0), other(arena, 1);
  REQUIRE(one.session.consumes());
  REQUIRE(one.session.park() == Park::kParked);
  CHECK(other.push(1) == kDone + kThenRing);
  CHECK(other.push_many({2}) == 1 + kThenRing);
  CHECK(arena.host.rung() == 0);
  other.session.ring_if_parked();
  CHECK(arena.host.rung() == 1);
  other.stage({3});
  REQUIRE(other.session.wait_to_push(0, kNoDeadline) != kNoWaiter);
  CHECK(one.calls().take_one() == kDone + kThenTell);
  one.session.tell_of_room();
  CHECK(arena.queue.waiting() == 0);
  CHECK(arena.queue.depth() == 2);
  CHECK(one.calls().next(0, 2) == 1);  // up to the end of the ring, or both
  one.session.await_empty(true);
  CHECK(one.calls().next(0, 2) == kElsewhere);  // the native function serves those that wait
  one.session.await_empty(false);
  CHECK(one.calls().next(0, 2) == 1);
}

TEST_CASE("a session that ends does what its thread did not come to after a call") {
  QueueShape shape = shape_of(2);
  shape.waiters = 4;
  Arena arena(shape);
  Faces waiting(arena, 0);
  {
    Faces producer(arena, 1);
    REQUIRE(waiting.session.consumes());
    REQUIRE(waiting.session.park() == Park::kParked);
    CHECK(producer.push_many({1, 2}) == 2 + kThenRing);
  }
  CHECK(arena.host.rung() == 1);
  waiting.session.unpark();
  waiting.session.give_lease();
  waiting.stage({3});
  REQUIRE(waiting.session.wait_to_push(0, kNoDeadline) != kNoWaiter);
  {
    Faces consumer(arena, 2);
    REQUIRE(consumer.session.consumes());
    CHECK(consumer.calls().take_one() == kDone + kThenTell);
    CHECK(arena.queue.waiting() == 1);
  }
  CHECK(arena.queue.waiting() == 0);
}

TEST_CASE("threads of both faces lose no record and keep the order of each producer") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kProducers = 3;
  const std::uint64_t each = repetitions(20'000);
  Arena arena(shape_of(13));
  std::atomic<std::uint64_t> wrong{0};
  in_threads(kProducers + 1, [&](unsigned thread) {
    Random random(thread + 1);
    Faces faces(arena, thread);
    if (thread < kProducers) {
      for (std::uint64_t next = 0; next < each;) {
        const auto some = std::min<std::uint64_t>(random.between(1, 7), each - next);
        List numbers(some);
        for (std::uint64_t& number : numbers)
          number = (next + static_cast<std::uint64_t>(&number - numbers.data())) * kProducers + thread;
        if (random.once_in(3)) {
          faces.stage(numbers);
          next += faces.session.push_many(0, static_cast<std::uint32_t>(some), 0, kNoDeadline).count;
        } else if (random.once_in(2)) {
          next += faces.push(numbers[0]) % kThenRing == kDone ? 1 : 0;
        } else {
          next += static_cast<std::uint64_t>(faces.push_many(numbers)) % kThenRing;
        }
      }
      return;
    }
    std::uint64_t expected[kProducers] = {}, seen = 0;
    const auto take = [&](std::uint64_t number) {
      if (number / kProducers != expected[number % kProducers]++) wrong.fetch_add(1);
      ++seen;
    };
    while (!faces.session.consumes()) cpu_pause();
    while (seen < kProducers * each) {
      if (random.once_in(2)) {
        const std::int32_t shown = faces.calls().next(0, 5);
        for (const std::uint64_t number : faces.shown(shown)) take(number);
        faces.calls().next(static_cast<std::uint32_t>(shown), 0);
      } else if (faces.calls().take_one() == kDone) {
        take(faces.taken());
      }
    }
  });
  CHECK(wrong.load() == 0);
  CHECK(arena.queue.depth() == 0);
}

TEST_SUITE_END();
