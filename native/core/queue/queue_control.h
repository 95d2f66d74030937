// The part of a queue that exists once for all of its lanes: the consumer's lease, the doorbell, counters, and the
// consumer's own state.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/base/histogram.h"
#include "core/base/spin_lock.h"
#include "core/queue/doorbell.h"
#include "core/queue/lane_order.h"
#include "core/queue/queue_shape.h"
#include "core/queue/ring.h"
#include "core/queue/slot_tags.h"

namespace sluice {

// The reason for which a record left the queue without being consumed.
enum class Dropped : std::uint8_t { kExpired = 0, kOldest = 1, kShed = 2 };
inline constexpr std::uint32_t kDropReasons = 3;

struct QueueControl {
  QueueShape shape;     // written at creation only
  std::uint64_t start;  // the first position; pushed() and popped() count from it
  // The number of the session that consumes, which no other session of the queue has; 0: there is no consumer.
  alignas(kCacheLine) std::atomic<std::uint64_t> lease;
  std::atomic<std::uint32_t> closing;         // 1 once all rings are closed: see Queue::closing()
  std::atomic<std::uint32_t> awaiting_empty;  // how many callers wait until the queue is empty
  std::atomic<std::uint64_t> emptied;         // how often the consumer found it empty while callers waited
  Doorbell<> doorbell;
  // Only the consumer writes the words from here to `front`; in a queue that overwrites, drop_oldest() writes some of
  // them, too.
  alignas(kCacheLine) std::atomic<std::uint64_t> high_water;
  std::atomic<std::uint64_t> wakeups;
  std::atomic<std::uint64_t> dropped[kDropReasons];
  LaneOrder order;
  Shedding shedding;
  // By lane: the first position whose record is neither measured in `waits` nor dropped.
  std::uint64_t measured[kLanesMax];
  Histogram waits;
  // In a queue that overwrites, a thread holds this lock while it moves a head: see overwriting.h.
  alignas(kCacheLine) SpinLock<> front;
  TagControl<> tags;

  // Raises the high-water mark to `depth`. Only a thread that may move a head calls this.
  void note_depth(std::uint64_t depth) noexcept {
    // Relaxed: it is a count, and one thread at a time writes it.
    if (high_water.load(std::memory_order_relaxed) < depth)
      high_water.store(depth, std::memory_order_relaxed);
  }

  // Drops the oldest record of a lane, to make room for a newer one. The caller holds `front`. `depth`: the number of
  // records in all lanes.
  void drop_oldest(Ring<>& ring, std::uint32_t lane, std::uint64_t depth) noexcept {
    note_depth(depth);
    // Relaxed: it is a count, and one thread at a time writes it.
    std::atomic<std::uint64_t>& count = dropped[static_cast<std::uint32_t>(Dropped::kOldest)];
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    SLUICE_PROBE(drop, ring.id(), ring.head(), Dropped::kOldest);
    if (ring.head() == measured[lane]) measured[lane] += kRingStep;
    ring.advance(ring.head() + kRingStep);
  }
};

}  // namespace sluice
