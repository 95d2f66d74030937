#include "core/queue/doorbell.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "bell.h"
#include "core/queue/ring.h"
#include "stress.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("doorbell");

namespace {

using namespace sluice;
using sluice::test::Bell;
using sluice::test::in_threads;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::ZeroedMemory;

TEST_CASE("no producer rings for a consumer that is awake") {
  Doorbell<> doorbell;
  for (int i = 0; i < 3; ++i) CHECK_FALSE(doorbell.must_ring());
}

TEST_CASE("a burst rings once for a consumer that sleeps") {
  Doorbell<> doorbell;
  for (int sleep = 0; sleep < 3; ++sleep) {
    doorbell.park();
    CHECK(doorbell.must_ring());
    for (int i = 0; i < 5; ++i) CHECK_FALSE(doorbell.must_ring());
  }
}

TEST_CASE("no producer rings for a consumer that unparks before it sleeps") {
  Doorbell<> doorbell;
  doorbell.park();
  doorbell.unpark();
  CHECK_FALSE(doorbell.must_ring());
  doorbell.unpark();
  CHECK_FALSE(doorbell.must_ring());
}

TEST_CASE("when many producers see a sleeping consumer, exactly one rings") {
  for (std::uint64_t round = 0; round < repetitions(500); ++round) {
    Doorbell<> doorbell;
    doorbell.park();
    std::atomic<unsigned> rings{0};
    in_threads(3, [&](unsigned) { rings += doorbell.must_ring(); });
    REQUIRE(rings == 1);
  }
}

// The store-buffer litmus test, with the doorbell in place of the second variable: a producer publishes and asks
// whether to ring, while the consumer parks and looks again. If both miss each other, a wake-up is lost. If either of
// the two fences is removed, from a hundred to ten thousand wake-ups in a million are lost on x86-64.
TEST_CASE("producer and consumer never miss each other") {
  Doorbell<> doorbell;
  alignas(kCacheLine) std::atomic<std::uint64_t> published{0};
  alignas(kCacheLine) std::atomic<std::uint64_t> producer_round{0};
  alignas(kCacheLine) std::atomic<std::uint64_t> consumer_round{0};
  const std::uint64_t rounds = repetitions(1'000'000);
  std::uint64_t lost = 0;
  bool rang = false;
  const auto meet = [](std::atomic<std::uint64_t>& mine, std::atomic<std::uint64_t>& other,
                       std::uint64_t round) {
    mine.store(round, std::memory_order_release);
    for (int spins = 0; other.load(std::memory_order_acquire) < round; ++spins) {
      if (spins < 1'000) continue;
      std::this_thread::yield();
      spins = 0;
    }
  };
  // Varies the time between the steps of the two threads: without this, the steps hardly ever overlap.
  const auto dawdle = [](Random& random) {
    for (std::uint64_t i = random.below(300); i != 0; --i)
      std::atomic_signal_fence(std::memory_order_seq_cst);
  };
  in_threads(2, [&](unsigned index) {
    Random random(index);
    for (std::uint64_t round = 1; round <= rounds; ++round) {
      if (index == 0) {
        meet(producer_round, consumer_round, 2 * round - 1);
        dawdle(random);
        published.store(round, std::memory_order_relaxed);
        rang = doorbell.must_ring();
        meet(producer_round, consumer_round, 2 * round);
      } else {
        meet(consumer_round, producer_round, 2 * round - 1);
        dawdle(random);
        doorbell.park();
        const bool seen = published.load(std::memory_order_relaxed) == round;
        meet(consumer_round, producer_round, 2 * round);
        lost += !seen && !rang;
        doorbell.unpark();
      }
    }
  });
  CHECK(lost == 0);
}

TEST_CASE("a consumer that sleeps whenever the ring is empty is woken every time, and for the close") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (const unsigned producers : {1u, 4u}) {
    constexpr std::uint64_t kCapacity = 3;
    const std::uint64_t each = repetitions(20'000);
    const ZeroedMemory memory(Ring<>::bytes(kCapacity, sizeof(std::uint64_t)));
    Ring<> ring(memory.get(), kCapacity, sizeof(std::uint64_t));
    ring.format(0);
    Doorbell<> doorbell;
    Bell bell;
    std::atomic<unsigned> pushing{producers};
    std::atomic<bool> slept{false};
    std::uint64_t seen = 0;
    bool lost = false;
    in_threads(producers + 1, [&](unsigned index) {
      if (index < producers) {
        Random random(index);
        // So the consumer sleeps at least once, however the threads are scheduled.
        while (!slept) std::this_thread::yield();
        for (std::uint64_t i = 0; i < each; ++i) {
          while (ring.push(&i) != PushResult::kPushed) std::this_thread::yield();
          if (doorbell.must_ring()) bell.ring();
          // Lets the consumer find an empty ring now and then.
          if (random.once_in(4)) std::this_thread::yield();
        }
        if (--pushing == 0) {
          ring.close();
          if (doorbell.must_ring()) bell.ring();
        }
        return;
      }
      while (!ring.drained() && !lost) {
        if (ring.readable(ring.head())) {
          ring.advance(ring.head() + kRingStep);
          ++seen;
          continue;
        }
        doorbell.park();
        if (ring.readable(ring.head()) || ring.drained()) {
          doorbell.unpark();
        } else {
          slept = true;
          lost = !bell.listen();
        }
      }
      // Makes room after a lost wake-up, so that the producers can end.
      while (lost && pushing != 0) ring.advance(ring.claimed());
    });
    CHECK_FALSE(lost);
    CHECK(seen == producers * each);
  }
}

}  // namespace

TEST_SUITE_END();
