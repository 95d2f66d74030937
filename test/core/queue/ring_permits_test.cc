#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <thread>

#include "core/queue/ring.h"
#include "ring_numbers.h"
#include "stress.h"

TEST_SUITE_BEGIN("permits");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::RingNumbers;

// The last three are a few records before positions reach the sign bit, or wrap around to 0.
constexpr std::uint64_t kStarts[] = {0, (1ULL << 63) - 3 * kRingStep, 0 - 3 * kRingStep, 0 - kRingStep};

struct Numbers : RingNumbers {
  using RingNumbers::RingNumbers;
  // Publishes `used` numbers on permits, from `number` on, and returns `unused` further permits.
  void push_reserved(std::uint64_t number, std::uint32_t used, std::uint32_t unused) {
    std::uint64_t position = ring.claim_reserved(used, unused);
    for (std::uint32_t i = 0; i < used; ++i, ++number, position += kRingStep) {
      StdAtomics::write_bytes(ring.record(position), &number, sizeof number);
      ring.publish(position);
    }
  }
  std::uint64_t promised() const { return ring.depth() + ring.permits(); }
};

TEST_CASE("promised room cannot be claimed by another caller, and returned room can") {
  for (const std::uint64_t start : kStarts) {
    Numbers numbers(5, start);
    CHECK(numbers.ring.reserve(3).count == 3);
    CHECK(numbers.ring.permits() == 3);
    CHECK(numbers.ring.depth() == 0);
    CHECK(numbers.ring.claim(9).count == 2);
    CHECK(numbers.push(1) == PushResult::kFull);
    CHECK(numbers.ring.reserve(1).count == 0);
    numbers.push_reserved(0, 0, 1);
    CHECK(numbers.ring.permits() == 2);
    CHECK(numbers.push(1) == PushResult::kPushed);
    CHECK(numbers.push(1) == PushResult::kFull);
    numbers.push_reserved(2, 1, 1);
    CHECK(numbers.ring.permits() == 0);
    CHECK(numbers.push(1) == PushResult::kPushed);
    CHECK(numbers.push(1) == PushResult::kFull);
    CHECK(numbers.ring.depth() == 5);
  }
}

TEST_CASE("a ring looks full when the room that is left is promised, or a waiter waits for it") {
  for (const std::uint64_t start : kStarts) {
    Numbers numbers(3, start);
    REQUIRE(numbers.push(0) == PushResult::kPushed);
    CHECK_FALSE(numbers.ring.looks_full());
    REQUIRE(numbers.ring.reserve(2).count == 2);
    CHECK(numbers.ring.looks_full());
    numbers.push_reserved(0, 0, 1);
    CHECK_FALSE(numbers.ring.looks_full());
    numbers.ring.start_waiting();
    CHECK(numbers.ring.looks_full());
    numbers.ring.stop_waiting();
    CHECK_FALSE(numbers.ring.looks_full());
  }
}

TEST_CASE("a reservation of more permits than there is room gets as many as there is room") {
  for (const std::uint64_t start : kStarts) {
    Numbers numbers(4, start);
    REQUIRE(numbers.push(0) == PushResult::kPushed);
    const auto some = numbers.ring.reserve(10);
    CHECK(some.count == 3);
    CHECK_FALSE(some.closed);
    const auto none = numbers.ring.reserve(10);
    CHECK(none.count == 0);
    CHECK_FALSE(none.closed);
  }
}

TEST_CASE("a permit is not a place: records come out in the order in which permits were used") {
  Numbers numbers(4, 0 - kRingStep);
  REQUIRE(numbers.ring.reserve(2).count == 2);
  CHECK(numbers.push(10) == PushResult::kPushed);
  numbers.push_reserved(20, 1, 0);
  CHECK(numbers.push(11) == PushResult::kPushed);
  numbers.push_reserved(21, 1, 0);
  for (const std::uint64_t number : {10, 20, 11, 21}) CHECK(numbers.pop() == number);
}

TEST_CASE("after a close, permits can be used but not taken, and the ring is drained after the last one") {
  for (const std::uint64_t start : kStarts) {
    Numbers numbers(3, start);
    REQUIRE(numbers.ring.reserve(3).count == 3);
    CHECK(numbers.ring.close());
    const auto late = numbers.ring.reserve(1);
    CHECK(late.count == 0);
    CHECK(late.closed);
    CHECK(numbers.push(0) == PushResult::kClosed);
    CHECK_FALSE(numbers.ring.drained());
    numbers.push_reserved(7, 2, 0);
    CHECK(numbers.pop() == 7);
    CHECK(numbers.pop() == 8);
    CHECK_FALSE(numbers.ring.drained());
    numbers.push_reserved(0, 0, 1);
    CHECK(numbers.ring.drained());
    CHECK(numbers.ring.closed());
  }
}

TEST_CASE("permits neither close nor open a ring, nor set or clear its flag for waiters") {
  Numbers numbers(8, 0);
  numbers.ring.start_waiting();
  REQUIRE(numbers.ring.reserve_waiting(5).count == 5);
  CHECK(numbers.ring.somebody_waits());
  CHECK_FALSE(numbers.ring.closed());
  numbers.ring.close();
  numbers.push_reserved(0, 2, 3);
  CHECK(numbers.ring.somebody_waits());
  CHECK(numbers.ring.closed());
  numbers.ring.stop_waiting();
  CHECK_FALSE(numbers.ring.somebody_waits());
  CHECK(numbers.ring.closed());
}

TEST_CASE("while there is a waiter, only waiters get room") {
  Numbers numbers(8, 0 - kRingStep);
  numbers.ring.start_waiting();
  CHECK(numbers.push(0) == PushResult::kFull);
  CHECK(numbers.ring.claim(3).count == 0);
  CHECK(numbers.ring.reserve(3).count == 0);
  CHECK_FALSE(numbers.ring.reserve(3).closed);
  CHECK(numbers.ring.claim_waiting(3).count == 3);
  CHECK(numbers.ring.reserve_waiting(3).count == 3);
  numbers.ring.stop_waiting();
  CHECK(numbers.ring.claim(3).count == 2);
}

TEST_CASE("at most 16383 permits are outstanding at a time, and the flags beside them do not change") {
  for (const std::uint64_t start : kStarts) {
    Numbers numbers(40'000, start);
    CHECK(numbers.ring.reserve(10'000).count == 10'000);
    CHECK(numbers.ring.reserve(10'000).count == 6'383);
    CHECK(numbers.ring.reserve(1).count == 0);
    CHECK(numbers.ring.permits() == kRingPermitsMax);
    CHECK(numbers.ring.claimed() == start);
    CHECK_FALSE(numbers.ring.closed());
    CHECK_FALSE(numbers.ring.somebody_waits());
    // Claims are still possible, up to the exact capacity.
    CHECK(numbers.ring.claim(40'000).count == 40'000 - 16'383);
    CHECK(numbers.ring.claimed() == start + (40'000 - 16'383) * kRingStep);
    numbers.ring.claim_reserved(16'000, 0);
    CHECK(numbers.ring.permits() == 383);
    CHECK(numbers.ring.reserve(1).count == 0);  // no room
    numbers.ring.claim_reserved(0, 383);
    CHECK(numbers.ring.permits() == 0);
    CHECK(numbers.ring.reserve(1'000).count == 383);
  }
}

// Counts the pauses of a thread that waits for another. Each pause frees a record, as the other thread would do.
struct Waits : StdAtomics {
  inline static Ring<Waits>* ring = nullptr;
  inline static int count = 0;
  static void pause() noexcept {
    ++count;
    ring->advance(ring->head() + kRingStep);
  }
};

TEST_CASE("a thread that returns permits does not wait, not even for one that is about to free records") {
  for (const std::uint64_t start : kStarts) {
    sluice::test::ZeroedMemory memory(Ring<Waits>::bytes(4, sizeof(std::uint64_t)));
    Ring<Waits> ring(memory, 4, sizeof(std::uint64_t));
    ring.format(start);
    Waits::ring = &ring;
    Waits::count = 0;
    const std::uint64_t number = 1;
    for (int i = 0; i < 3; ++i) REQUIRE(ring.push(&number) == PushResult::kPushed);
    REQUIRE(ring.reserve_waiting(2).count == 1);
    std::uint32_t over = 0;
    REQUIRE(ring.claim_over(2, false, over).count == 2);
    REQUIRE(over == 1);
    ring.claim_reserved(0, 1);
    CHECK(Waits::count == 0);
    CHECK(ring.permits() == 0);
  }
}

TEST_CASE("random claims, permits and pops never exceed the capacity, and lose nothing") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  for (int round = 0; round < 50; ++round) {
    const std::uint64_t capacity = random.between(1, 12);
    Numbers numbers(capacity, kStarts[random.below(4)]);
    std::uint64_t pushed = 0, popped = 0, permits = 0;
    for (int step = 0; step < 500; ++step) {
      const auto want = static_cast<std::uint32_t>(random.between(1, 5));
      const std::uint64_t room = capacity - (pushed - popped) - permits;
      switch (random.below(4)) {
        case 0:
          REQUIRE(numbers.push(pushed) == (room == 0 ? PushResult::kFull : PushResult::kPushed));
          pushed += room != 0;
          break;
        case 1: {
          const std::uint32_t got = numbers.ring.reserve(want).count;
          REQUIRE(got == std::min<std::uint64_t>(room, want));
          permits += got;
          break;
        }
        case 2: {
          const auto used = static_cast<std::uint32_t>(random.below(permits + 1));
          const auto unused = static_cast<std::uint32_t>(random.below(permits - used + 1));
          numbers.push_reserved(pushed, used, unused);
          pushed += used;
          permits -= used + unused;
          break;
        }
        default:
          for (std::uint32_t i = 0; i < want && popped != pushed; ++i) REQUIRE(numbers.pop() == popped++);
      }
      REQUIRE(numbers.ring.permits() == permits);
      REQUIRE(numbers.ring.depth() == pushed - popped);
      REQUIRE(numbers.promised() <= capacity);
    }
  }
}

TEST_CASE("with many threads claims and promises together never exceed the capacity, and nothing is lost") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (const std::uint64_t capacity : {1, 2, 5}) {
    constexpr unsigned kProducers = 4;
    const std::uint64_t each = repetitions(10'000);
    Numbers numbers(capacity, kStarts[2]);
    std::uint64_t seen = 0, out_of_order = 0, too_many = 0;
    in_threads(kProducers + 1, [&](unsigned index) {
      if (index == kProducers) {
        std::uint64_t next[kProducers] = {};
        while (seen < kProducers * each) {
          // Only this thread moves head, so this is the exact depth at the moment at which it reads the tail.
          const std::uint64_t tail = (numbers.ring.claimed() - numbers.ring.head()) >> kRingPositionShift;
          too_many += tail > capacity;
          const auto number = numbers.pop();
          if (!number) {
            std::this_thread::yield();
            continue;
          }
          out_of_order += *number % each != next[*number / each]++;
          ++seen;
        }
        return;
      }
      // Threads with an even index push on permits, those with an odd index by ordinary claims.
      Random random(index);
      for (std::uint64_t done = 0; done < each;) {
        if (index % 2 == 1) {
          if (numbers.push(index * each + done) == PushResult::kPushed) {
            ++done;
          } else {
            std::this_thread::yield();
          }
          continue;
        }
        const std::uint32_t got =
            numbers.ring.reserve(static_cast<std::uint32_t>(random.between(1, 3))).count;
        if (got == 0 || random.once_in(8)) std::this_thread::yield();
        if (got == 0) continue;
        const std::uint64_t left = each - done;
        const auto used = static_cast<std::uint32_t>(random.below(std::min<std::uint64_t>(got, left) + 1));
        numbers.push_reserved(index * each + done, used, got - used);
        done += used;
      }
    });
    CHECK(out_of_order == 0);
    CHECK(too_many == 0);
    CHECK(numbers.ring.permits() == 0);
    CHECK(numbers.ring.depth() == 0);
  }
}

TEST_CASE(
    "a close while permits are outstanding loses none of their records; the ring is drained after the last") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (std::uint64_t round = 0; round < repetitions(300); ++round) {
    Numbers numbers(3, kStarts[round % 4]);
    std::atomic<std::uint64_t> accepted{0};
    std::uint64_t seen = 0;
    in_threads(4, [&](unsigned index) {
      Random random(round * 4 + index);
      if (index < 2) {
        for (;;) {
          const auto claim = numbers.ring.reserve(2);
          if (claim.closed) break;
          if (claim.count == 0) std::this_thread::yield();
          if (claim.count == 0) continue;
          const auto used = static_cast<std::uint32_t>(random.below(claim.count + 1));
          numbers.push_reserved(0, used, claim.count - used);
          accepted += used;
        }
      } else if (index == 2) {
        for (std::uint64_t i = random.below(2000); i != 0; --i) cpu_pause();
        numbers.ring.close();
      } else {
        while (!numbers.ring.drained()) {
          if (numbers.pop()) {
            ++seen;
          } else {
            std::this_thread::yield();
          }
        }
      }
    });
    REQUIRE(seen == accepted);
    REQUIRE_FALSE(numbers.pop().has_value());
  }
}

}  // namespace

TEST_SUITE_END();
