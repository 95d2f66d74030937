// The consumer's side of a Queue: shows records in their order, drops those that must not be consumed, and frees
// records that were consumed. Each session has a QueueConsumer, which remembers between two calls which records it has
// shown. Any session may ask readable() and drained(); for all other functions it must have the lease.
//
// A record is dropped only from the head of its lane, before any record of that lane is shown in the same call. So the
// records that are shown, and then freed, are always the first ones of their lanes.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "core/base/check.h"
#include "core/base/probe.h"
#include "core/queue/plain_consumer.h"
#include "core/queue/queue.h"

namespace sluice {

class QueueConsumer {
 public:
  static constexpr std::uint32_t kShownMax = 64;

  explicit QueueConsumer(Queue& queue)
      : queue_(queue), shape_(queue.shape()), control_(*queue.control_), plain_(shape_.plain()) {}
  QueueConsumer(const QueueConsumer&) = delete;
  QueueConsumer& operator=(const QueueConsumer&) = delete;

  // From now on `shown` contains how many records can be freed, so that the session's other face (see
  // session/queue_cell.h) finds it.
  void remember_in(std::uint32_t& shown) noexcept { shown_ = &shown; }

  // Copies the next records, up to `max` and at most kShownMax, to `out`, `record_bytes` apart, and leaves them in the
  // queue. Calls `shown(i, lane, slot index)` for each. Calls `dropped(reason, record, lane, slot index)` for each
  // record that it drops; dropped() returns whether it can take another one. Returns how many records it has shown.
  template <class Shown, class Drop>
  std::uint32_t show(std::byte* out, std::uint32_t max, const Clock& clock, Shown&& shown,
                     Drop&& dropped) noexcept {
    max = std::min(max, kShownMax);
    *shown_ = 0;
    if (plain_) {
      const Ring<>& ring = queue_.ring();
      *shown_ = plain().show(max, [&](std::uint32_t i, const Ring<>::Cursor& at) {
        std::memcpy(out + i * shape_.record_bytes, at.record(), shape_.record_bytes);
        shown(i, 0, ring.slot_index(at.position()));
      });
    } else {
      show_chosen(out, max, clock, shown, dropped);
    }
    return *shown_;
  }

  // Called in place of show() when the queue is empty.
  void show_nothing() noexcept {
    *shown_ = 0;
    control_.shedding.idle();
  }

  // Forgets which records were shown: these stay in the queue for the next consumer.
  void forget_shown() noexcept { *shown_ = 0; }

  // How many records can be freed now.
  std::uint32_t shown() const noexcept { return *shown_; }
  // Frees the first `count` of the records that the last show() has shown. The rest of these stay, and are shown again.
  void free_shown(std::uint32_t count) noexcept {
    if (count == 0) return;
    SLUICE_CHECK(count <= *shown_, "only records that were shown are freed");
    note_depth();
    if (shape_.lanes == 1) {
      advance(0, count);
    } else {
      advance_chosen(count);
    }
    *shown_ = 0;
  }

  // The caller has freed or dropped records; one call for all of them is enough. Returns whether there are waiters for
  // room. The fence in it is also between the stores of the heads and the caller's later reads of closing() and of the
  // count of waiters for an empty queue. The fence in Queue::close() is between the store of `closing` and later reads
  // of the heads. So the consumer that frees the last record, or the thread that closes the queue, or both find the
  // queue drained.
  bool somebody_waits() noexcept {
    RoomWaiters<>::freed_room();
    return queue_.waiting() != 0;
  }

  bool readable() const noexcept {
    for (std::uint32_t lane = 0; lane < shape_.lanes; ++lane) {
      if (queue_.ring(lane).readable(queue_.ring(lane).head())) return true;
    }
    return false;
  }
  bool drained() const noexcept {
    for (std::uint32_t lane = 0; lane < shape_.lanes; ++lane) {
      if (!queue_.ring(lane).drained()) return false;
    }
    return true;
  }

  // Announces that the consumer is about to sleep. If there is a record to consume, or the queue is drained, withdraws
  // the announcement and returns false.
  bool park() noexcept {
    control_.doorbell.park();
    if (!readable() && !drained()) {
      SLUICE_PROBE(park, queue_.ring().id());
      return true;
    }
    control_.doorbell.unpark();
    return false;
  }
  void unpark() noexcept { control_.doorbell.unpark(); }
  // Counts a wake-up of the consumer.
  void woke() noexcept {
    SLUICE_PROBE(wake, queue_.ring().id());
    add(control_.wakeups, 1);
  }

 private:
  static void add(std::atomic<std::uint64_t>& word, std::uint64_t by) noexcept {
    word.store(word.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  void advance(std::uint32_t lane, std::uint32_t count) noexcept {
    Ring<>& ring = queue_.ring(lane);
    ring.advance(ring.head() + count * kRingStep);
  }
  // Frees the first `count` records shown. A lane counts as served when its record is freed, not when it is shown, so
  // this makes the choices of show_chosen() once more, now with the queue's own LaneOrder.
  void advance_chosen(std::uint32_t count) noexcept {
    std::uint32_t of_lane[kLanesMax] = {};
    const std::uint32_t sum = weight_sum();
    for (std::uint32_t i = 0; i < count; ++i) ++of_lane[control_.order.next(ready_[i], shape_.weights, sum)];
    for (std::uint32_t lane = 0; lane < shape_.lanes; ++lane) {
      if (of_lane[lane] != 0) advance(lane, of_lane[lane]);
    }
  }
  PlainConsumer plain() noexcept { return {control_, queue_.ring()}; }
  // Raises the high-water mark to the present depth: see PlainConsumer::note_depth().
  void note_depth() noexcept {
    if (plain_) {
      plain().note_depth(*shown_);
    } else {
      control_.note_depth(queue_.depth());
    }
  }

  // The state of one call of show_chosen().
  struct Look {
    std::uint64_t position[kLanesMax];  // by lane: the position of the next record
    std::uint32_t open = 0;             // as bits: the lanes that may still show records in this call
    std::uint64_t now = 0;
    bool room_for_dropped = true;
  };

  template <class Shown, class Drop>
  void show_chosen(std::byte* out, std::uint32_t max, const Clock& clock, Shown&& shown,
                   Drop&& dropped) noexcept {
    if (!readable()) return control_.shedding.idle();
    Look look = begin_look(clock);
    LaneOrder order = control_.order;
    const std::uint32_t sum = weight_sum();
    while (*shown_ < max) {
      const std::uint32_t ready = ready_lanes(look);
      if (ready == 0) return;
      // A lane whose record is dropped does not count as served, so the next record of every ready lane is checked
      // before a lane is chosen.
      if (drop_one(look, ready, dropped)) continue;
      const std::uint32_t lane = shape_.lanes == 1 ? 0 : order.next(ready, shape_.weights, sum);
      show_next(out, look, lane, shown);
      ready_[*shown_] = static_cast<std::uint8_t>(ready);
      ++*shown_;
    }
  }

  Look begin_look(const Clock& clock) const noexcept {
    Look look;
    for (std::uint32_t lane = 0; lane < shape_.lanes; ++lane) {
      look.position[lane] = queue_.ring(lane).head();
      look.open |= 1u << lane;
    }
    if (shape_.needs_time()) look.now = clock.now();
    return look;
  }

  // Returns the lanes whose next record can be read, as bits.
  std::uint32_t ready_lanes(const Look& look) const noexcept {
    std::uint32_t ready = 0;
    for (std::uint32_t lane = 0; lane < shape_.lanes; ++lane) {
      if ((look.open >> lane & 1) != 0 && queue_.ring(lane).readable(look.position[lane]))
        ready |= 1u << lane;
    }
    return ready;
  }

  // Looks at the next record of each ready lane, and drops the first one that must be dropped. If this show() cannot
  // drop that record, it shows no more records of that lane. Returns whether there was a record that must be dropped.
  template <class Drop>
  bool drop_one(Look& look, std::uint32_t ready, Drop&& dropped) noexcept {
    for (std::uint32_t rest = ready; rest != 0; rest &= rest - 1) {
      const auto lane = static_cast<std::uint32_t>(std::countr_zero(rest));
      Dropped reason;
      if (!must_drop(lane, look.position[lane], look.now, reason)) continue;
      if (look.position[lane] != queue_.ring(lane).head() || !look.room_for_dropped) {
        look.open &= ~(1u << lane);  // not the head, or dropped() cannot take it: left to a later show()
      } else {
        drop_head(look, lane, reason, dropped);
      }
      return true;
    }
    return false;
  }

  template <class Drop>
  void drop_head(Look& look, std::uint32_t lane, Dropped reason, Drop&& dropped) noexcept {
    Ring<>& ring = queue_.ring(lane);
    std::uint64_t& head = look.position[lane];
    const auto* payload = static_cast<const std::byte*>(ring.record(head));
    look.room_for_dropped = dropped(reason, shape_.record(payload), lane, ring.slot_index(head));
    note_depth();
    SLUICE_PROBE(drop, ring.id(), head, reason);
    add(control_.dropped[static_cast<std::uint32_t>(reason)], 1);
    if (head == control_.measured[lane]) control_.measured[lane] += kRingStep;
    advance(lane, 1);
    head += kRingStep;
  }

  // Copies the next record of the lane to its place in `out`.
  template <class Shown>
  void show_next(std::byte* out, Look& look, std::uint32_t lane, Shown&& shown) noexcept {
    Ring<>& ring = queue_.ring(lane);
    std::uint64_t& next = look.position[lane];
    const Ring<>::Cursor at(ring, next);
    const std::byte* payload = at.record();
    SLUICE_PROBE(pop, ring.id(), next);
    if (shape_.latency && next == control_.measured[lane]) {  // not shown before
      control_.waits.record(waited(payload, look.now));
      control_.measured[lane] += kRingStep;
    }
    std::memcpy(out + *shown_ * shape_.record_bytes, shape_.record(payload), shape_.record_bytes);
    at.pull_stamp_line();
    shown(*shown_, lane, ring.slot_index(next));
    next += kRingStep;
  }

  bool must_drop(std::uint32_t lane, std::uint64_t position, std::uint64_t now, Dropped& reason) noexcept {
    Ring<>& ring = queue_.ring(lane);
    const auto* payload = static_cast<const std::byte*>(ring.record(position));
    if (shape_.expires && now >= shape_.deadline(payload)) {
      reason = Dropped::kExpired;
      return true;
    }
    if (shape_.overflow == Overflow::kDropOldest &&
        ((ring.claimed() - position) >> kRingPositionShift) > shape_.capacity) {
      reason = Dropped::kOldest;
      return true;
    }
    reason = Dropped::kShed;
    return shape_.shedding.target_ns != 0 &&
           control_.shedding.drops(shape_.shedding, waited(payload, now), now);
  }

  std::uint64_t waited(const std::byte* payload, std::uint64_t now) const noexcept {
    const std::uint64_t enqueued = shape_.enqueued(payload);
    return now > enqueued ? now - enqueued : 0;
  }
  std::uint32_t weight_sum() const noexcept {
    std::uint32_t sum = 0;
    for (std::uint32_t lane = 0; lane < shape_.lanes; ++lane) sum += shape_.weights[lane];
    return sum;
  }

  Queue& queue_;
  const QueueShape& shape_;
  QueueControl& control_;
  const bool plain_;
  std::uint32_t own_shown_ = 0;
  std::uint32_t* shown_ = &own_shown_;
  std::uint8_t ready_[kShownMax] = {};  // for each shown record, as bits: the lanes that had a record then
};

}  // namespace sluice
