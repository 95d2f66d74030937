// A queue of 64-bit numbers on a clock that the test moves, its consumer, and what the consumer dropped.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/queue/queue_consumer.h"
#include "zeroed_memory.h"

namespace sluice::test {

using List = std::vector<std::uint64_t>;

inline QueueShape shape_of(std::uint64_t capacity, std::uint32_t lanes = 1) {
  QueueShape shape;
  shape.capacity = capacity;
  shape.record_bytes = sizeof(std::uint64_t);
  shape.lanes = lanes;
  for (std::uint32_t lane = 0; lane < lanes; ++lane) shape.weights[lane] = 1;
  return shape;
}

struct Numbers {
  struct Drop {
    Dropped reason;
    std::uint64_t number;
    std::uint32_t lane;
    bool operator==(const Drop&) const = default;
  };

  static constexpr auto kNothing = [](std::uint64_t) {};
  static constexpr std::uint64_t kStart = 0 - 4 * kRingStep;  // positions wrap around after four records

  explicit Numbers(const QueueShape& shape)
      : memory(Queue::bytes(shape)), queue(memory, shape), clock(&manual) {
    queue.format(kStart);
    thread = queue.thread_slots().acquire();
  }

  PushResult push(std::uint64_t number, std::uint32_t lane = 0) {
    return push(number, lane, queue.shape().ttl_ns);
  }
  PushResult push(std::uint64_t number, std::uint32_t lane, std::uint64_t ttl) {
    const std::uint64_t now = queue.push_time(clock);
    PushResult result = queue.push(lane, &number, now, ttl, kNothing);
    if (result == PushResult::kFull && queue.overwrites())
      result = queue.push_over(lane, &number, now, ttl, kNothing, kNothing);
    if (result == PushResult::kFull) thread->count(Queue::kRejected);
    return result;
  }
  Ring<>::Claim push_many(const List& numbers, std::uint32_t lane = 0) {
    const auto count = static_cast<std::uint32_t>(numbers.size());
    Ring<>::Claim claim = queue.push_many(lane, octets(numbers), count, queue.push_time(clock), ttl());
    while (queue.overwrites() && !claim.closed && claim.count < count)
      claim.count += push_over(numbers, claim.count, false, lane);
    if (!claim.closed) thread->count(Queue::kRejected, count - claim.count);
    return claim;
  }
  void push_reserved(const List& numbers, std::uint32_t unused, std::uint32_t lane = 0) {
    const auto used = static_cast<std::uint32_t>(numbers.size());
    if (!queue.overwrites())
      return queue.push_reserved(lane, octets(numbers), used, unused, queue.push_time(clock), ttl());
    for (std::uint32_t pushed = 0; pushed < used;) pushed += push_over(numbers, pushed, true, lane);
    queue.return_permits(lane, unused);
  }
  // Shows records and leaves them in the queue.
  List show(std::uint32_t max) {
    List numbers(std::min(max, QueueConsumer::kShownMax));
    lanes.clear();
    const std::uint32_t count = consumer.show(
        reinterpret_cast<std::byte*>(numbers.data()), max, clock,
        [this](std::uint32_t, std::uint32_t lane, std::uint64_t) { lanes.push_back(lane); },
        [this](Dropped reason, const std::byte* record, std::uint32_t lane, std::uint64_t) {
          std::uint64_t number;
          std::memcpy(&number, record, sizeof number);
          drops.push_back({reason, number, lane});
          return drops.size() < drops_max;
        });
    numbers.resize(count);
    return numbers;
  }
  List take(std::uint32_t max) {
    const List numbers = show(max);
    consumer.free_shown(static_cast<std::uint32_t>(numbers.size()));
    return numbers;
  }
  // Pushes the numbers from index `from` on, over older records if there is no room. Returns how many were pushed.
  std::uint32_t push_over(const List& numbers, std::uint32_t from, bool on_permits, std::uint32_t lane) {
    const auto rest = static_cast<std::uint32_t>(numbers.size() - from);
    return queue
        .push_many_over(lane, octets(numbers).from(from), rest, on_permits, queue.push_time(clock), ttl(),
                        kNothing)
        .count;
  }
  bool conserved() const {
    return queue.pushed() == queue.popped() + queue.dropped(Dropped::kExpired) +
                                 queue.dropped(Dropped::kOldest) + queue.dropped(Dropped::kShed) +
                                 queue.depth();
  }

  static Queue::Records octets(const List& numbers) {
    return {reinterpret_cast<const std::byte*>(numbers.data()), sizeof(std::uint64_t)};
  }
  std::uint64_t ttl() const { return queue.shape().ttl_ns; }

  ZeroedMemory memory;
  Queue queue;
  QueueConsumer consumer{queue};
  ManualClock manual{1'000};
  Clock clock;
  ThreadSlot* thread = nullptr;
  std::vector<std::uint32_t> lanes;  // of the records shown last
  std::vector<Drop> drops;           // from all calls of show()
  std::size_t drops_max = ~std::size_t{0};
};

}  // namespace sluice::test
