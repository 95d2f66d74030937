#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "queue_numbers.h"
#include "stress.h"

TEST_SUITE_BEGIN("waiting line's handshake");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::shape_of;
using sluice::test::ZeroedMemory;

// The store-buffer litmus test of waiters for room: a producer begins to wait while the consumer frees the room that it
// needs. If both miss each other, a wake-up is lost.
TEST_CASE("a producer that begins to wait and a consumer that frees room never miss each other") {
  QueueShape shape = shape_of(1);
  shape.waiters = 1;
  const ZeroedMemory memory(Queue::bytes(shape));
  Queue queues[2] = {Queue(memory.get(), shape), Queue(memory.get(), shape)};
  queues[0].format(0);
  QueueConsumer consumer(queues[1]);
  ThreadSlot* thread = queues[0].thread_slots().acquire();
  const Clock clock;
  alignas(kCacheLine) std::atomic<std::uint64_t> rounds[2] = {};
  // Cache lines that both threads write. On x86-64 the consumer's stores to these lines become visible before its store
  // of head, which is therefore delayed.
  struct alignas(kCacheLine) Line {
    std::atomic<std::uint64_t> word;
  };
  static Line contended[24];
  const auto write_all = [](std::uint64_t value) {
    for (Line& contended_line : contended) contended_line.word.store(value, std::memory_order_relaxed);
  };
  const auto meet = [&](unsigned self, std::uint64_t round) {
    rounds[self].store(round, std::memory_order_release);
    for (int spins = 0; rounds[1 - self].load(std::memory_order_acquire) < round; ++spins) {
      if (spins >= 1'000) std::this_thread::yield();
    }
  };
  std::uint64_t lost = 0;
  bool served = false, saw_waiter = false;
  in_threads(2, [&](unsigned self) {
    Random random(self);
    for (std::uint64_t round = 1; round <= repetitions(500'000); ++round) {
      std::uint64_t number = round;
      if (self == 0) queues[0].push(0, &number, 0, kNoDeadline, [](std::uint64_t) {});
      if (self == 0) write_all(round);
      meet(self, 3 * round - 2);
      for (std::uint64_t i = random.below(300); i != 0; --i)
        std::atomic_signal_fence(std::memory_order_seq_cst);
      std::uint32_t waiter = 0;
      if (self == 0) {
        waiter = queues[0].wait_to_push(*thread, 0, 0, &number, 0, kNoDeadline);
        queues[0].serve_waiting(0, [](std::uint64_t) {});
        served = queues[0].room_waiters().state(waiter) == WaiterState::kServed;
      } else {
        consumer.show(
            reinterpret_cast<std::byte*>(&number), 1, clock, [](auto...) {}, [](auto...) { return true; });
        write_all(round);
        consumer.free_shown(1);
        saw_waiter = consumer.somebody_waits();
      }
      meet(self, 3 * round - 1);
      if (self == 1) {
        lost += !served && !saw_waiter;
        queues[1].serve_waiting(0, [](std::uint64_t) {});
        consumer.show(
            reinterpret_cast<std::byte*>(&number), 1, clock, [](auto...) {}, [](auto...) { return true; });
        consumer.free_shown(1);
      }
      meet(self, 3 * round);
      if (self == 0) queues[0].room_waiters().retire(waiter);
    }
  });
  CHECK(lost == 0);
}

}  // namespace

TEST_SUITE_END();
