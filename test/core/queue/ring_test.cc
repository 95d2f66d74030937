#include "core/queue/ring.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <initializer_list>
#include <limits>

#include "ring_numbers.h"
#include "stress.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("ring");

namespace {

using namespace sluice;
using Numbers = sluice::test::RingNumbers;
using sluice::test::Random;
using sluice::test::ZeroedMemory;

// Some starts are a few records before positions exceed 32 or 33 bits, reach the sign bit, or wrap around to 0.
constexpr std::uint64_t kStarts[] = {0,
                                     kRingStep,
                                     (1ULL << 32) - 3 * kRingStep,
                                     (1ULL << 33) - 3 * kRingStep,
                                     (1ULL << 63) - 3 * kRingStep,
                                     0 - 3 * kRingStep,
                                     0 - kRingStep};

TEST_CASE("a fresh ring has nothing to read, now or a few laps ahead, wherever its positions start") {
  for (const std::uint64_t start : kStarts) {
    for (const std::uint64_t capacity : {1, 2, 3, 4, 7, 8}) {
      Numbers numbers(capacity, start);
      CHECK(numbers.ring.depth() == 0);
      CHECK(numbers.ring.head() == start);
      for (std::uint64_t i = 0; i < 4 * capacity; ++i)
        CHECK_FALSE(numbers.ring.readable(start + i * kRingStep));
    }
  }
}

TEST_CASE("the capacity is exact, although the number of slots is a power of two") {
  for (const std::uint64_t start : kStarts) {
    for (const std::uint64_t capacity : {1, 2, 3, 4, 5, 7, 8, 9, 50, 63, 64, 65, 1000}) {
      Numbers numbers(capacity, start);
      for (int lap = 0; lap < 3; ++lap) {
        for (std::uint64_t i = 0; i < capacity; ++i) {
          REQUIRE_FALSE(numbers.ring.looks_full());
          REQUIRE(numbers.push(i) == PushResult::kPushed);
        }
        REQUIRE(numbers.ring.depth() == capacity);
        REQUIRE(numbers.ring.looks_full());
        REQUIRE(numbers.push(99) == PushResult::kFull);
        for (std::uint64_t i = 0; i < capacity; ++i) REQUIRE(numbers.pop() == i);
        REQUIRE(numbers.pop() == std::nullopt);
      }
    }
  }
}

TEST_CASE("a full ring takes exactly as many records as were consumed") {
  Numbers numbers(5, kStarts[5]);
  for (std::uint64_t i = 0; i < 5; ++i) numbers.push(i);
  for (const int consumed : {1, 3, 5}) {
    for (int i = 0; i < consumed; ++i) numbers.pop();
    for (int i = 0; i < consumed; ++i) CHECK(numbers.push(7) == PushResult::kPushed);
    CHECK(numbers.push(7) == PushResult::kFull);
  }
}

TEST_CASE("records come out as they went in, in order, over many laps of random lengths") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  for (const std::uint64_t start : kStarts) {
    const std::uint64_t capacity = random.between(1, 20);
    Numbers numbers(capacity, start);
    std::uint64_t pushed = 0, popped = 0;
    for (int round = 0; round < 2000; ++round) {
      for (std::uint64_t n = random.below(capacity + 2); n != 0; --n) {
        const bool has_room = pushed - popped < capacity;
        REQUIRE(numbers.push(pushed) == (has_room ? PushResult::kPushed : PushResult::kFull));
        pushed += has_room;
      }
      for (std::uint64_t n = random.below(capacity + 2); n != 0; --n) {
        const auto number = numbers.pop();
        REQUIRE(number.has_value() == (popped != pushed));
        if (number) REQUIRE(*number == popped++);
      }
      REQUIRE(numbers.ring.depth() == pushed - popped);
    }
  }
}

TEST_CASE("a claim of several positions gets the room that there is, in one piece") {
  for (const std::uint64_t start : kStarts) {
    Numbers numbers(6, start);
    const auto first = numbers.ring.claim(4);
    CHECK(first.count == 4);
    CHECK(first.position == start);
    const auto rest = numbers.ring.claim(4);
    CHECK(rest.count == 2);
    CHECK(rest.position == start + 4 * kRingStep);
    const auto none = numbers.ring.claim(4);
    CHECK(none.count == 0);
    CHECK_FALSE(none.closed);
    CHECK(numbers.ring.depth() == 6);
  }
  Numbers small(3, 0);
  CHECK(small.ring.claim(std::numeric_limits<std::uint32_t>::max()).count == 3);
}

TEST_CASE("a claimed record that is not published holds back those after it, and only until it is") {
  Numbers numbers(4, 0);
  const auto slow = numbers.ring.claim(1);
  const auto quick = numbers.ring.claim(1);
  const std::uint64_t value = 1;
  StdAtomics::write_bytes(numbers.ring.record(quick.position), &value, sizeof value);
  numbers.ring.publish(quick.position);
  CHECK_FALSE(numbers.ring.readable(numbers.ring.head()));
  CHECK(numbers.ring.depth() == 2);
  CHECK(numbers.pop() == std::nullopt);

  const std::uint64_t earlier = 0;
  StdAtomics::write_bytes(numbers.ring.record(slow.position), &earlier, sizeof earlier);
  numbers.ring.publish(slow.position);
  CHECK(numbers.pop() == 0);
  CHECK(numbers.pop() == 1);
}

TEST_CASE("a record of the lap before is not taken for one of this lap") {
  for (const std::uint64_t start : kStarts) {
    Numbers numbers(2, start);
    for (std::uint64_t i = 0; i < 5; ++i) {
      REQUIRE(numbers.push(i) == PushResult::kPushed);
      REQUIRE(numbers.pop() == i);
      REQUIRE_FALSE(numbers.ring.readable(numbers.ring.head()));
      REQUIRE_FALSE(numbers.ring.readable(numbers.ring.head() + kRingStep));
    }
  }
}

TEST_CASE("a closed ring refuses every push, even when it is full, and gives out what it holds") {
  for (const std::uint64_t start : kStarts) {
    Numbers numbers(2, start);
    REQUIRE(numbers.push(0) == PushResult::kPushed);
    REQUIRE(numbers.push(1) == PushResult::kPushed);
    CHECK_FALSE(numbers.ring.closed());
    CHECK(numbers.ring.close());
    CHECK_FALSE(numbers.ring.close());
    CHECK(numbers.ring.closed());
    CHECK(numbers.push(2) == PushResult::kClosed);
    CHECK_FALSE(numbers.ring.drained());
    CHECK(numbers.ring.depth() == 2);
    CHECK(numbers.pop() == 0);
    CHECK(numbers.push(2) == PushResult::kClosed);
    CHECK_FALSE(numbers.ring.drained());
    CHECK(numbers.pop() == 1);
    CHECK(numbers.ring.drained());
    CHECK(numbers.pop() == std::nullopt);
    const auto claim = numbers.ring.claim(3);
    CHECK(claim.count == 0);
    CHECK(claim.closed);
  }
}

TEST_CASE("a closed ring is not drained while a claim from before the close is unpublished") {
  Numbers numbers(4, 0);
  const auto claim = numbers.ring.claim(1);
  numbers.ring.close();
  CHECK_FALSE(numbers.ring.drained());
  CHECK_FALSE(numbers.ring.readable(numbers.ring.head()));
  numbers.ring.publish(claim.position);
  CHECK(numbers.pop().has_value());
  CHECK(numbers.ring.drained());
}

TEST_CASE("a ring that is open and empty is not drained") {
  for (const std::uint64_t start : kStarts) CHECK_FALSE(Numbers(3, start).ring.drained());
}

TEST_CASE("records of any size keep to their own bytes") {
  for (const std::uint64_t bytes : {1, 3, 7, 8, 9, 13, 64, 1000}) {
    constexpr std::uint64_t kCapacity = 3;
    ZeroedMemory memory(Ring<>::bytes(kCapacity, bytes));
    Ring<> ring(memory, kCapacity, bytes);
    ring.format(0);
    std::vector<std::uint8_t> record(bytes);
    for (std::uint8_t i = 1; i <= 12; ++i) {
      std::fill(record.begin(), record.end(), i);
      REQUIRE(ring.push(record.data()) == PushResult::kPushed);
      if (i < kCapacity) continue;
      // The oldest of three is intact although its neighbours have been written.
      ring.read(ring.head(), record.data());
      const std::uint8_t oldest = i - kCapacity + 1;
      for (const std::uint8_t byte : record) REQUIRE(byte == oldest);
      ring.advance(ring.head() + kRingStep);
    }
  }
}

TEST_CASE(
    "a slot is aligned for its stamp, and producers' and consumer's words are on separate cache lines") {
  static_assert(Ring<>::slot_bytes(1) == 16);
  static_assert(Ring<>::slot_bytes(8) == 16);
  static_assert(Ring<>::slot_bytes(9) == 24);
  static_assert(Ring<>::bytes(5, 8) == 3 * kCacheLine + 8 * 16);
  CHECK(Ring<>::bytes(1, 8) ==
        4 * kCacheLine);  // the last cache line of the slots belongs to this ring alone
}

}  // namespace

TEST_SUITE_END();
