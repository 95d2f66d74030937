#include "core/queue/queue_watch.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <deque>

#include "queue_numbers.h"
#include "stress.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("queue watch");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::Numbers;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::shape_of;
using sluice::test::ZeroedMemory;

constexpr std::uint64_t kMs = 1'000'000;

struct Watched {
  explicit Watched(const QueueWatchConfig& config, std::uint32_t lanes = 1)
      : numbers(shape_of(1'000, lanes)),
        memory(sizeof(QueueWatch::Control)),
        watch(&control(), numbers.queue, config) {}
  QueueWatch::Control& control() { return *reinterpret_cast<QueueWatch::Control*>(memory.get()); }

  bool stands() { return stands_at(time); }
  bool stands_at(std::uint64_t at) {
    return watch.standing(at, [&] { return at; });
  }
  // Asks every millisecond until `end`. Returns the time at which the watch first reported congestion, or 0.
  std::uint64_t asked_until(std::uint64_t end) {
    std::uint64_t stood = 0;
    for (; time < end; time += kMs) {
      if (stands() && stood == 0) stood = time;
    }
    return stood;
  }

  Numbers numbers;
  ZeroedMemory memory;
  QueueWatch watch;
  std::uint64_t time = 0;
};

TEST_CASE(
    "a queue is congested once records have waited longer than the target for a whole interval, not sooner") {
  Watched watched({20 * kMs, 100 * kMs});
  watched.asked_until(1'000 * kMs);
  watched.numbers.push(1);
  const std::uint64_t stood = watched.asked_until(2'000 * kMs);
  // Marks and looks (see QueueWatch) are a quarter of the target, 5 ms, apart. So the watch may be late by two of
  // these.
  CHECK(stood >= 1'000 * kMs + 120 * kMs);
  CHECK(stood <= 1'000 * kMs + 120 * kMs + 2 * 5 * kMs);
}

TEST_CASE("a queue is no longer congested when no record in it has waited so long, though it is not empty") {
  Watched watched({20 * kMs, 100 * kMs});
  watched.numbers.push(1);
  REQUIRE(watched.asked_until(1'000 * kMs) != 0);
  watched.numbers.push(2);
  watched.numbers.take(1);
  watched.time += 5 * kMs;
  CHECK_FALSE(watched.stands());
}

TEST_CASE("a burst that is gone within an interval is not congestion, however long it was") {
  Watched watched({20 * kMs, 100 * kMs});
  for (int burst = 0; burst < 20; ++burst) {
    for (std::uint64_t i = 0; i < 900; ++i) watched.numbers.push(i);
    REQUIRE(watched.asked_until(watched.time + 90 * kMs) == 0);
    while (watched.numbers.take(64).size() == 64) {
    }
    REQUIRE(watched.asked_until(watched.time + 30 * kMs) == 0);
  }
}

TEST_CASE("a thread that asks rarely finds congestion, but not in a moving queue that is never empty") {
  Watched still({20 * kMs, 100 * kMs}), moving({20 * kMs, 100 * kMs});
  still.numbers.push(1);
  for (std::uint64_t time = 0; time <= 10'000 * kMs; time += 1'000 * kMs) {
    CHECK(still.stands_at(time) == (time > 0));
    moving.numbers.push(time);
    CHECK_FALSE(moving.stands_at(time));
    moving.numbers.push(time);
    while (moving.numbers.queue.depth() > 1) moving.numbers.take(1);
  }
}

TEST_CASE("among several lanes, the one whose record has waited longest counts") {
  Watched watched({20 * kMs, 100 * kMs}, 3);
  watched.numbers.push(1, 2);
  for (; watched.time < 200 * kMs; watched.time += kMs) {
    watched.numbers.push(2, 0);
    watched.stands();
    Ring<>& urgent = watched.numbers.queue.ring(0);
    urgent.advance(urgent.head() + kRingStep);  // served at once
  }
  CHECK(watched.stands());
  watched.numbers.take(1);
  CHECK_FALSE(watched.stands_at(watched.time + 5 * kMs));
}

TEST_CASE("the watch reports congestion only where there was some, and always where it lasted long enough") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  std::uint64_t stood = 0, moved = 0;
  for (std::uint64_t round = 0; round < repetitions(100); ++round) {
    const QueueWatchConfig config{random.between(1, 60) * kMs, random.between(10, 100) * kMs};
    Watched watched(config);
    std::deque<std::uint64_t> pushed;  // push times of the records in the queue
    std::uint64_t seen_short = 0;      // the last look at which no record had waited as long as the target
    std::uint64_t surely_short = 0;    // the last time at which no wait exceeded 1.5 targets + 4 ms
    for (int step = 0; step < 2'000; ++step) {
      watched.time += random.below(2 * kMs);
      const std::uint64_t busy = random.between(1, 8);
      if (random.once_in(busy)) {
        watched.numbers.push(1);
        pushed.push_back(watched.time);
      }
      // The consumer pauses for 200 of every 500 steps.
      if (step % 500 < 300 && random.once_in(2) && !pushed.empty()) {
        watched.numbers.take(1);
        pushed.pop_front();
      }
      const std::uint64_t waited = pushed.empty() ? 0 : watched.time - pushed.front();
      const bool looks = watched.time >= watched.control().next_look;
      const bool stands = watched.stands();
      if (looks && waited < config.target_ns) seen_short = watched.time;
      if (waited <= config.target_ns * 3 / 2 + 4 * kMs) surely_short = watched.time;
      const std::uint64_t blur = std::min(config.target_ns, config.interval_ns) / 4 + 4 * kMs;
      if (stands) REQUIRE(watched.time - seen_short >= config.interval_ns);
      if (watched.time - surely_short > config.interval_ns + blur) REQUIRE(stands);
      ++(stands ? stood : moved);
    }
  }
  CHECK(stood > 100);
  CHECK(moved > 100);
}

TEST_CASE("a thread that loses the processor after it has read its clock proves nothing about that time") {
  Watched watched({20 * kMs, 100 * kMs});
  watched.numbers.push(1);
  CHECK_FALSE(watched.watch.standing(0, [] { return 1'000 * kMs; }));
  CHECK_FALSE(watched.stands_at(1'001 * kMs));
  CHECK_FALSE(watched.stands_at(1'020 * kMs));
  CHECK_FALSE(watched.stands_at(1'119 * kMs));
  CHECK(watched.stands_at(1'120 * kMs));
}

TEST_CASE("threads that ask while a consumer works never find a moving queue congested") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Watched watched({4 * kMs, 8 * kMs});
  std::atomic<std::uint64_t> time{0};
  std::atomic<std::uint64_t> stood{0};
  in_threads(4, [&](unsigned index) {
    for (std::uint64_t i = 0; i < repetitions(20'000); ++i) {
      if (index == 0) {
        watched.numbers.push(i);
        watched.numbers.take(1);
        time.fetch_add(kMs / 8);
      } else if (watched.watch.standing(time.load(), [&] { return time.load(); })) {
        ++stood;
      }
    }
  });
  CHECK(stood == 0);
}

}  // namespace

TEST_SUITE_END();
