#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "bell.h"
#include "queue_numbers.h"
#include "stress.h"

TEST_SUITE_BEGIN("waiting line under threads");

namespace {

using namespace sluice;
using sluice::test::Bell;
using sluice::test::in_threads;
using sluice::test::List;
using sluice::test::Numbers;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::shape_of;

// Sleeps until the bell rings. Aborts if a wake-up was lost, because then not all threads can be joined.
void hear(Bell& bell) {
  if (bell.listen()) return;
  std::fprintf(stderr, "a wake-up was lost; replay with SLUICE_SEED=%llu\n",
               static_cast<unsigned long long>(sluice::test::run_seed()));
  std::abort();
}

// A queue that threads share. Each thread has a bell of its own, and sleeps until that rings.
struct Shared {
  Shared(unsigned producers, std::uint64_t capacity, std::uint32_t waiters)
      : shape([&] {
          QueueShape made = shape_of(capacity);
          made.waiters = waiters;
          return made;
        }()),
        memory(Queue::bytes(shape)),
        bells(producers) {
    view().format(0 - 100 * kRingStep);
  }
  Queue view() const { return Queue(memory.get(), shape); }
  void serve(Queue& queue) {
    queue.serve_waiting(0, [this](std::uint64_t owner) { bells[owner].ring(); });
    ring_if_parked(queue);
  }
  void ring_if_parked(Queue& queue) {
    if (queue.must_ring()) consumer_bell.ring();
  }

  const QueueShape shape;
  const sluice::test::ZeroedMemory memory;
  std::vector<Bell> bells;
  Bell consumer_bell;
};

// A thread that pushes numbers in several ways, drawn at random.
class Producer {
 public:
  Producer(Shared& shared, unsigned index, std::uint64_t first)
      : shared_(shared), queue_(shared.view()), index_(index), next_(first), random_(index) {
    thread_ = queue_.thread_slots().acquire();
  }
  ~Producer() { queue_.thread_slots().release(thread_); }

  std::uint64_t next() const { return next_; }

  // Pushes up to `most` numbers; fewer, or none, if the queue was full, or if the waiter left (only if not `patient`).
  void push_some(std::uint64_t most, bool patient) {
    switch (random_.below(4)) {
      case 0:
        return pushed(push_one());
      case 1:
        return push_on_permits(most, patient);
      default:
        return push_waiting(patient);
    }
  }

 private:
  void pushed(bool was) {
    next_ += was;
    if (was) shared_.ring_if_parked(queue_);
    if (!was) std::this_thread::yield();
  }
  bool push_one() {
    const std::uint64_t now = queue_.push_time(clock_);
    return queue_.push(0, &next_, now, kNoDeadline, [](std::uint64_t) {}) == PushResult::kPushed;
  }
  void push_waiting(bool patient) {
    if (push_one()) return pushed(true);
    const std::uint32_t waiter = queue_.wait_to_push(*thread_, 0, index_, &next_, 0, kNoDeadline);
    next_ += waiter != kNoWaiter && served(waiter, patient);
  }
  void push_on_permits(std::uint64_t most, bool patient) {
    const auto wanted = static_cast<std::uint32_t>(random_.between(1, shared_.shape.capacity));
    const std::uint32_t waiter = queue_.wait_to_reserve(*thread_, 0, index_, wanted);
    if (waiter == kNoWaiter || !served(waiter, patient)) return;
    const auto used = static_cast<std::uint32_t>(random_.below(std::min<std::uint64_t>(wanted, most) + 1));
    List numbers(used);
    for (std::uint64_t& number : numbers) number = next_++;
    queue_.push_reserved(0, Numbers::octets(numbers), used, wanted - used, queue_.push_time(clock_),
                         kNoDeadline);
    if (used != wanted) shared_.serve(queue_);
    shared_.ring_if_parked(queue_);
  }
  // Sleeps until the waiter is served. Returns false if the waiter left before, which it does only if not `patient`.
  bool served(std::uint32_t waiter, bool patient) {
    shared_.serve(queue_);
    while (queue_.room_waiters().state(waiter) == WaiterState::kWaiting) {
      if (!patient && random_.once_in(2)) {
        std::uint32_t lane = 0;
        if (!queue_.leave(waiter, lane)) break;
        shared_.serve(queue_);
        return false;
      }
      hear(shared_.bells[index_]);
    }
    queue_.room_waiters().retire(waiter);
    return true;
  }

  Shared& shared_;
  Queue queue_;
  const unsigned index_;
  std::uint64_t next_;
  Random random_;
  Clock clock_;
  ThreadSlot* thread_;
};

// The thread that consumes until it has seen `wanted` numbers. It sleeps whenever there are none.
struct Consumer {
  Consumer(Shared& shared, unsigned producers, std::uint64_t each)
      : shared(shared), each(each), next(producers) {}

  void run(std::uint64_t wanted) {
    Queue queue = shared.view();
    QueueConsumer consumer(queue);
    Random random(1'000);
    List numbers(QueueConsumer::kShownMax);
    while (seen < wanted) {
      const std::uint32_t shown = consumer.show(
          reinterpret_cast<std::byte*>(numbers.data()), static_cast<std::uint32_t>(random.between(1, 4)),
          Clock(), [](auto...) {}, [](auto...) { return true; });
      const auto freed = static_cast<std::uint32_t>(random.between(shown == 0 ? 0 : 1, shown));
      for (std::uint32_t i = 0; i < freed; ++i)
        out_of_order += next[numbers[i] / each]++ != numbers[i] % each;
      seen += freed;
      consumer.free_shown(freed);
      if (freed != 0 && consumer.somebody_waits()) shared.serve(queue);
      if (shown == 0 && consumer.park()) {
        hear(shared.consumer_bell);
        consumer.unpark();
      }
    }
  }

  Shared& shared;
  std::uint64_t each;
  std::vector<std::uint64_t> next;
  std::uint64_t seen = 0, out_of_order = 0;
};

void check_at_rest(const Shared& shared) {
  const Queue queue = shared.view();
  CHECK(queue.depth() == 0);
  CHECK(queue.permits() == 0);
  CHECK(queue.waiting() == 0);
  CHECK_FALSE(queue.somebody_waits(0));
  CHECK(queue.pushed() == queue.popped());
}

TEST_CASE(
    "records of waiting producers arrive once and in order, beside producers that do not wait or that "
    "leave") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (const std::uint64_t capacity : {1, 2, 5}) {
    for (const bool patient : {true, false}) {
      for (const std::uint32_t waiters : {1u, 4u}) {
        CAPTURE(capacity);
        CAPTURE(patient);
        CAPTURE(waiters);
        constexpr unsigned kProducers = 4;
        const std::uint64_t each = repetitions(2'000);
        Shared shared(kProducers, capacity, waiters);
        Consumer consumer(shared, kProducers, each);
        in_threads(kProducers + 1, [&](unsigned index) {
          if (index == kProducers) return consumer.run(kProducers * each);
          Producer producer(shared, index, index * each);
          while (producer.next() < (index + 1) * each) {
            producer.push_some((index + 1) * each - producer.next(), patient);
          }
        });
        CHECK(consumer.out_of_order == 0);
        for (const std::uint64_t from : consumer.next) CHECK(from == each);
        check_at_rest(shared);
      }
    }
  }
}

TEST_CASE("a close ends all waits, whenever it comes, and records served before it arrive") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (std::uint64_t round = 0; round < repetitions(300); ++round) {
    constexpr unsigned kProducers = 3;
    Shared shared(kProducers, 1 + round % 2, 2);
    std::uint64_t served[kProducers] = {}, arrived[kProducers] = {};
    in_threads(kProducers + 2, [&](unsigned index) {
      Queue queue = shared.view();
      Random random(round * 8 + index);
      if (index < kProducers) {
        ThreadSlot* thread = queue.thread_slots().acquire();
        for (;;) {
          const std::uint64_t number = index;
          const std::uint32_t waiter = queue.wait_to_push(*thread, 0, index, &number, 0, kNoDeadline);
          if (waiter == kNoWaiter) {
            std::this_thread::yield();
            continue;
          }
          shared.serve(queue);
          while (queue.room_waiters().state(waiter) == WaiterState::kWaiting) {
            hear(shared.bells[index]);
          }
          const bool was_served = queue.room_waiters().state(waiter) == WaiterState::kServed;
          queue.room_waiters().retire(waiter);
          if (!was_served) break;
          ++served[index];
        }
      } else if (index == kProducers) {
        for (std::uint64_t i = random.below(3'000); i != 0; --i) cpu_pause();
        queue.close([&](std::uint64_t owner) { shared.bells[owner].ring(); });
        shared.ring_if_parked(queue);
      } else {
        QueueConsumer consumer(queue);
        while (!consumer.drained()) {
          std::uint64_t number = 0;
          const auto shown = consumer.show(
              reinterpret_cast<std::byte*>(&number), 1, Clock(), [](auto...) {},
              [](auto...) { return true; });
          arrived[number] += shown;
          consumer.free_shown(shown);
          if (shown != 0 && consumer.somebody_waits()) shared.serve(queue);
          if (shown == 0 && consumer.park()) {
            hear(shared.consumer_bell);
            consumer.unpark();
          }
        }
      }
    });
    for (unsigned i = 0; i < kProducers; ++i) REQUIRE(arrived[i] == served[i]);
    check_at_rest(shared);
  }
}

}  // namespace

TEST_SUITE_END();
