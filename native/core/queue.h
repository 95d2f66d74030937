// The shared half of a Queue: the ring, its doorbell, the consumer's lease and the counters.
//
//   segment body:  | QueueControl | ThreadLines | RingControl | slots |
//   in a slot:     | stamp | enqueued_ns, if the queue measures latency | record |
#pragma once

#include <atomic>
#include <cstdint>
#include <new>

#include "core/clock.h"
#include "core/doorbell.h"
#include "core/histogram.h"
#include "core/ring.h"
#include "core/thread_lines.h"

namespace sluice {

struct QueueShape {
  std::uint64_t capacity = 0;      // records, exact
  std::uint64_t record_bytes = 0;  // without the time stamp
  bool timed = false;              // whether each record carries the time of its push
};

struct QueueControl {
  QueueShape shape;  // written at creation only
  // Who consumes: 0, or a number that no other attachment of the process has.
  alignas(kCacheLine) std::atomic<std::uint64_t> lease;
  Doorbell<> doorbell;
  // Written by the consumer only.
  alignas(kCacheLine) std::atomic<std::uint64_t> high_water;
  std::atomic<std::uint64_t> wakeups;
  std::uint64_t start;  // the first position: pushed and popped count from here
  std::uint64_t measured;  // the first position whose wait is not in `waits` yet
  Histogram waits;
};

class Queue {
 public:
  enum Counter : std::uint32_t { kRejected };

  static std::uint64_t slot_payload(const QueueShape& shape) {
    return shape.record_bytes + (shape.timed ? sizeof(std::uint64_t) : 0);
  }
  static std::uint64_t bytes(const QueueShape& shape) {
    return sizeof(QueueControl) + sizeof(ThreadLines) + Ring<>::bytes(shape.capacity, slot_payload(shape));
  }

  Queue(void* memory, const QueueShape& shape)
      : control_(static_cast<QueueControl*>(memory)),
        lines_(reinterpret_cast<ThreadLines*>(control_ + 1)),
        ring_(lines_ + 1, shape.capacity, slot_payload(shape)),
        shape_(shape),
        time_bytes_(slot_payload(shape) - shape.record_bytes) {}

  void format(std::uint64_t start) {
    new (control_) QueueControl{};
    control_->shape = shape_;
    control_->start = start;
    control_->measured = start;
    ring_.format(start);
  }

  ThreadLines& lines() noexcept { return *lines_; }
  const QueueShape& shape() const noexcept { return shape_; }
  const Ring<>& ring() const noexcept { return ring_; }

  // ---- producers: each push that returns true may owe a ring of the bell: see must_ring() -----------------

  // Pushes one record whose slot is written by `write(slot index)` beside the record itself.
  template <class Write>
  PushResult push(const void* record, std::uint64_t now, Write&& write) noexcept {
    const Ring<>::Claim claim = ring_.claim(1);
    if (claim.count == 0) return claim.closed ? PushResult::kClosed : PushResult::kFull;
    fill(claim.position, record, now);
    write(ring_.slot_index(claim.position));
    ring_.publish(claim.position);
    return PushResult::kPushed;
  }

  PushResult push(ThreadLine& line, const void* record, const Clock& clock) noexcept {
    const PushResult result = push(record, shape_.timed ? clock.now() : 0, [](std::uint64_t) {});
    if (result == PushResult::kFull) line.count(kRejected);
    return result;
  }

  // Pushes as many of `count` records, `record_bytes` apart, as find room: in order, in one claim.
  Ring<>::Claim push_many(ThreadLine& line, const std::byte* records, std::uint32_t count,
                          const Clock& clock) noexcept {
    const Ring<>::Claim claim = ring_.claim(count);
    const std::uint64_t now = shape_.timed && claim.count != 0 ? clock.now() : 0;
    for (std::uint32_t i = 0; i < claim.count; ++i) {
      fill(claim.position + i * kRingStep, records + i * shape_.record_bytes, now);
      ring_.publish(claim.position + i * kRingStep);
    }
    if (claim.count < count && !claim.closed) line.count(kRejected, count - claim.count);
    return claim;
  }

  // After pushing or closing: whether the caller must sound the bell.
  bool must_ring() noexcept { return control_->doorbell.must_ring(); }

  bool close() noexcept { return ring_.close(); }

  // ---- the consumer, who holds the lease -----------------------------------------------------------------

  bool take_lease(std::uint64_t owner) noexcept {
    std::uint64_t holder = 0;
    // ACQ lease: pairs with REL in give_lease(): the new consumer sees what the old one consumed.
    return control_->lease.compare_exchange_strong(holder, owner, std::memory_order_acquire,
                                                   std::memory_order_acquire) ||
           holder == owner;
  }
  void give_lease(std::uint64_t owner) noexcept {
    std::uint64_t holder = owner;
    // REL lease: pairs with ACQ in take_lease().
    control_->lease.compare_exchange_strong(holder, 0, std::memory_order_release, std::memory_order_relaxed);
  }

  // Copies up to `max` records from the head to `out`, `record_bytes` apart, and leaves them in the queue.
  // `visit(i, slot index)` is called for each. A record's wait ends when it is first shown.
  template <class Visit>
  std::uint32_t peek(std::byte* out, std::uint32_t max, const Clock& clock, Visit&& visit) noexcept {
    const std::uint64_t head = ring_.head();
    std::uint32_t count = 0;
    std::uint64_t now = 0;
    while (count < max && ring_.readable(head + count * kRingStep)) {
      const std::uint64_t position = head + count * kRingStep;
      const auto* payload = static_cast<const std::byte*>(ring_.record(position));
      if (shape_.timed && position == control_->measured) {
        std::uint64_t enqueued;
        std::memcpy(&enqueued, payload, sizeof enqueued);
        if (now == 0) now = clock.now();
        control_->waits.record(now > enqueued ? now - enqueued : 0);
        control_->measured = position + kRingStep;
      }
      std::memcpy(out + count * shape_.record_bytes, payload + time_bytes_, shape_.record_bytes);
      visit(count, ring_.slot_index(position));
      ++count;
    }
    return count;
  }

  // Removes the first `count` records, which peek() has shown.
  void advance(std::uint32_t count) noexcept {
    if (count == 0) return;
    // Depth is largest just before head moves, so this is where the high-water mark is taken.
    note_depth(ring_.depth());
    ring_.advance(ring_.head() + count * kRingStep);
  }

  bool readable() const noexcept { return ring_.readable(ring_.head()); }
  bool drained() const noexcept { return ring_.drained(); }

  // Announces sleep. False, and nothing announced, if there is something to do: a record, or the end.
  bool park() noexcept {
    control_->doorbell.park();
    if (!readable() && !drained()) return true;
    control_->doorbell.unpark();
    return false;
  }
  void unpark() noexcept { control_->doorbell.unpark(); }
  void woke() noexcept {
    control_->wakeups.store(control_->wakeups.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  // ---- anyone --------------------------------------------------------------------------------------------

  std::uint64_t pushed() const noexcept { return (ring_.claimed() - control_->start) / kRingStep; }
  std::uint64_t popped() const noexcept { return (ring_.head() - control_->start) / kRingStep; }
  std::uint64_t rejected() const noexcept { return lines_->sum(kRejected); }
  std::uint64_t wakeups() const noexcept { return control_->wakeups.load(std::memory_order_relaxed); }
  std::uint64_t high_water() const noexcept {
    const std::uint64_t seen = control_->high_water.load(std::memory_order_relaxed);
    const std::uint64_t depth = ring_.depth();
    return depth > seen ? depth : seen;
  }
  const Histogram& waits() const noexcept { return control_->waits; }

 private:
  void fill(std::uint64_t position, const void* record, std::uint64_t now) noexcept {
    auto* payload = static_cast<std::byte*>(ring_.record(position));
    if (shape_.timed) std::memcpy(payload, &now, sizeof now);
    std::memcpy(payload + time_bytes_, record, shape_.record_bytes);
  }
  void note_depth(std::uint64_t depth) noexcept {
    if (depth > control_->high_water.load(std::memory_order_relaxed)) {
      control_->high_water.store(depth, std::memory_order_relaxed);
    }
  }

  QueueControl* control_;
  ThreadLines* lines_;
  Ring<> ring_;
  QueueShape shape_;
  std::uint64_t time_bytes_;
};

}  // namespace sluice
