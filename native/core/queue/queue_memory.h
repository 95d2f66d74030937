// The view that one thread has of the parts of a queue in its segment, and the figures that any thread can read.
//
//   segment body:  | QueueControl | ThreadSlots | RoomWaiters | lane 0: RingControl, slots | lane 1 ... | tags |
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>

#include "core/base/histogram.h"
#include "core/base/layout.h"
#include "core/base/segment.h"
#include "core/base/thread_slots.h"
#include "core/queue/queue_control.h"
#include "core/queue/queue_shape.h"
#include "core/queue/ring.h"
#include "core/queue/room_waiters.h"
#include "core/queue/slot_tags.h"

namespace sluice {

struct QueuePlaces {
  explicit QueuePlaces(const QueueShape& shape)
      : control(layout.place<QueueControl>()),
        slots(layout.place<ThreadSlots>()),
        waiters(layout.place(RoomWaiters<>::layout(shape.waiters, shape.payload_bytes()))),
        lane(Ring<>::layout(shape.ring_capacity(), shape.payload_bytes())),
        lanes(layout.place(lane, shape.lanes)),
        tags(layout.place_bytes(shape.tag_bytes, std::bit_ceil(shape.ring_capacity()))) {}

  Layout layout;
  std::uint64_t control, slots, waiters;
  Layout lane;
  std::uint64_t lanes, tags;
};

class QueueMemory {
 public:
  // The counters of a thread. kPermits and the counters after it, one for each lane, are the permits that the thread
  // holds now.
  enum Counter : std::uint32_t { kRejected, kWaitersRefused, kPermits };
  static_assert(kPermits + kLanesMax <= kThreadCounters);

  // For check_segment(): see core/base/segment.h.
  static constexpr SegmentKind kKind = SegmentKind::kQueue;
  using Shape = QueueShape;
  static Layout layout(const QueueShape& shape) {
    Layout layout = QueuePlaces(shape).layout;
    shape.note_in(layout);
    layout.note(kLanesMax, kThreadsMax, kThreadCounters, kPermits, kDropReasons, WaiterState::kEnded);
    return layout;
  }
  static std::uint64_t bytes(const QueueShape& shape) { return layout(shape).bytes(); }
  // The size of all tags, which are at the end of the segment. The user of the tags makes that memory resident, not the
  // thread that creates the queue.
  static std::uint64_t tags_bytes(const QueueShape& shape) { return bytes(shape) - QueuePlaces(shape).tags; }

  // A view of the memory at `memory`, which format() has filled before.
  explicit QueueMemory(void* memory) : QueueMemory(memory, shape_in<QueueMemory>(memory)) {}
  // A view of memory that may still be zeroed, so that format() can fill it.
  QueueMemory(void* memory, const QueueShape& shape)
      : QueueMemory(static_cast<std::byte*>(memory), shape, QueuePlaces(shape)) {}

  void format(std::uint64_t start) {
    new (control_) QueueControl{};
    control_->shape = shape_;
    control_->start = start;
    waiters_.format();
    for (std::uint32_t lane = 0; lane < shape_.lanes; ++lane) {
      control_->measured[lane] = start;
      rings_[lane].format(start);
    }
  }

  const QueueControl& control() const noexcept { return *control_; }
  ThreadSlots& thread_slots() noexcept { return *thread_slots_; }
  const QueueShape& shape() const noexcept { return shape_; }
  bool overwrites() const noexcept { return overwrites_; }
  Ring<>& ring(std::uint32_t lane = 0) noexcept { return rings_[lane]; }
  const Ring<>& ring(std::uint32_t lane = 0) const noexcept { return rings_[lane]; }
  RoomWaiters<>& room_waiters() noexcept { return waiters_; }
  SlotTags<>& tags() noexcept { return tags_; }
  // How many slots the ring of each lane has.
  std::uint64_t slots() const noexcept { return std::bit_ceil(shape_.ring_capacity()); }

  // ---- figures -------------------------------------------------------------------------------------------

  std::uint64_t depth() const noexcept {
    std::uint64_t total = 0;
    for (std::uint32_t lane = 0; lane < shape_.lanes; ++lane) total += rings_[lane].depth();
    return total;
  }
  std::uint64_t pushed() const noexcept {
    std::uint64_t total = 0;
    for (std::uint32_t lane = 0; lane < shape_.lanes; ++lane) {
      total += (rings_[lane].claimed() - control_->start) >> kRingPositionShift;
    }
    return total;
  }
  std::uint64_t dropped(Dropped reason) const noexcept {
    return control_->dropped[static_cast<std::uint32_t>(reason)].load(std::memory_order_relaxed);
  }
  std::uint64_t popped() const noexcept {
    std::uint64_t total = 0;
    for (std::uint32_t lane = 0; lane < shape_.lanes; ++lane) {
      total += (rings_[lane].head() - control_->start) >> kRingPositionShift;
    }
    const std::uint64_t drops =
        dropped(Dropped::kExpired) + dropped(Dropped::kOldest) + dropped(Dropped::kShed);
    return total > drops ? total - drops : 0;  // a drop is counted a moment before its head moves
  }
  std::uint64_t permits() const noexcept {
    std::uint64_t total = 0;
    for (std::uint32_t lane = 0; lane < shape_.lanes; ++lane) total += rings_[lane].permits();
    return total;
  }
  std::uint64_t rejected() const noexcept { return thread_slots_->sum(kRejected); }
  std::uint64_t waiters_refused() const noexcept { return thread_slots_->sum(kWaitersRefused); }
  std::uint32_t waiting() const noexcept { return waiters_.waiting(); }
  std::uint64_t wakeups() const noexcept { return control_->wakeups.load(std::memory_order_relaxed); }
  std::uint64_t high_water() const noexcept {
    const std::uint64_t seen = control_->high_water.load(std::memory_order_relaxed);
    const std::uint64_t now = depth();
    return now > seen ? now : seen;
  }
  const Histogram& waits() const noexcept { return control_->waits; }

 protected:
  QueueControl* control_;
  ThreadSlots* thread_slots_;
  RoomWaiters<> waiters_;
  Ring<> rings_[kLanesMax];
  QueueShape shape_;
  std::uint64_t meta_bytes_;  // the size of the times before each record; 0: the queue needs no times
  bool overwrites_;
  SlotTags<> tags_;

 private:
  QueueMemory(std::byte* memory, const QueueShape& shape, const QueuePlaces& at)
      : control_(reinterpret_cast<QueueControl*>(memory + at.control)),
        thread_slots_(reinterpret_cast<ThreadSlots*>(memory + at.slots)),
        waiters_(memory + at.waiters, shape.waiters, shape.payload_bytes()),
        shape_(shape),
        meta_bytes_(shape.meta_bytes()),
        overwrites_(shape.overwrites()),
        tags_(control_->tags, memory + at.tags, shape.tag_bytes) {
    for (std::uint32_t i = 0; i < kLanesMax; ++i) {
      // The view of a lane that does not exist shows the last lane.
      const std::uint32_t lane = std::min(i, shape.lanes - 1);
      rings_[i] =
          Ring<>(memory + at.lanes + lane * at.lane.bytes(), shape.ring_capacity(), shape.payload_bytes());
    }
  }
};

}  // namespace sluice
