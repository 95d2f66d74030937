// The calls of a queue's hot path, as the WebAssembly face makes them: numbers in, one number out, and records in the
// staging. They do what the functions of the same names in addon/ do, for a session whose queue allows it. All that is
// rare they leave to those: then they have done nothing and answer kElsewhere, and lib/ calls the native function.
//
//   push, push_many    if records carry no times (QueueShape::meta_bytes() is 0)
//   take_one, next     if the queue is plain and its records have no tags
//
// V8 may end the thread at the beginning of a call, at its end, and at each head of a loop. Between a claim and the
// store that publishes it there must be neither a call nor a loop, so the face compiles each call to one function.
// scripts/wasm-paths.js proves that, and test/wasm ends threads at each of these points. Such an end leaves:
//
//   after a record was published: a parked consumer that was not rung. `parked` is left for must_ring(), which
//     QueueSession::end() calls.
//   after records were freed: waiters that were not served. QueueSession::end() serves them.
//   after records were shown: nothing, because shown records stay in the queue.
#pragma once

#include <cstddef>
#include <cstdint>

#include "contract/answers.h"
#include "contract/staging.h"
#include "core/base/thread_slots.h"
#include "core/queue/plain_consumer.h"
#include "core/queue/queue_memory.h"
#include "core/queue/ring.h"
#include "core/queue/room_waiters.h"
#include "session/queue_cell.h"

namespace sluice {

class QueueCalls {
 public:
  // `base`: where the memory begins in which the cell lies. In a WebAssembly module that is address 0.
  QueueCalls(QueueCell& cell, std::uintptr_t base) noexcept
      : cell_(cell),
        base_(base),
        control_(at<QueueControl>(cell.control)),
        ring_(&at<std::byte>(cell.ring), cell.capacity, cell.record_bytes) {}

  // Pushes the record in `in`: kDone, or kNone if there is no room. Plus kThenRing: ring() must follow.
  std::int32_t push() noexcept {
    const Ring<>::Claim claim = ring_.claim(1);
    if (claim.count == 0) return refused(claim, 1, kNone);
    const Ring<>::Cursor at(ring_, claim.position);
    StdAtomics::write_bytes(at.record(), &this->at<std::byte>(cell_.in), cell_.record_bytes);
    at.publish();
    return kDone + then_ring();
  }

  // Pushes up to `count` records from `in`, as long as there is room. Returns how many. Plus kThenRing: ring() must
  // follow. If one of `count` finds no room, `more` further records count as rejected, too. With kMayWait as `more`,
  // `count` is 1, and a record without room is left to the native function.
  std::int32_t push_many(std::uint32_t count, std::uint32_t more) noexcept {
    if (count == 0 || count > kStagedRecords || cell_.overwrites != 0) return kElsewhere;
    // The records in `in` lie as in the ring, the first one behind room for its stamp.
    std::byte* run = &at<std::byte>(cell_.in) - sizeof(RingSlot<StdAtomics>);
    const Ring<>::Claim claim = ring_.claim_run(run, count);
    if (claim.count == 0) {
      if (more == static_cast<std::uint32_t>(kMayWait)) return kElsewhere;
      return refused(claim, count + more, 0);
    }
    ring_.publish_run(run, claim);
    const std::int32_t pushed = static_cast<std::int32_t>(claim.count) + then_ring();
    if (claim.count < count) slot().count(QueueMemory::kRejected, count - claim.count + more);
    return pushed;
  }

  // Takes one record to `out`: kDone, or kNone if there is none. Plus kThenTell: tell() must follow.
  std::int32_t take_one() noexcept {
    if (cell_.state.leased == 0) return kElsewhere;
    cell_.state.shown = 0;
    const Ring<>::Cursor at(ring_, ring_.head());
    if (!at.readable()) return kNone;
    if (is_tagged()) return kElsewhere;
    StdAtomics::read_bytes(&this->at<std::byte>(cell_.out), at.record(), cell_.record_bytes);
    at.pull_stamp_line();
    free(1, 1);
    return kDone + then_tell();
  }

  // Frees the first `consumed` of the records that were shown last. Then shows up to `max` more, and leaves them where
  // they lie: QueueStaging::kShownAt gets the place of the first, and they lie behind each other as in the ring. Shows
  // fewer at the end of the ring. Returns how many it shows. Plus kThenTell: tell() must follow. kShowElsewhere: it has
  // freed, and next(0, max) of the other face must follow.
  std::int32_t next(std::uint32_t consumed, std::uint32_t max) noexcept {
    const std::uint32_t shown = cell_.state.shown;
    if (cell_.state.leased == 0 || consumed > shown) return kElsewhere;
    // The native function frees all records of a look at once, then serves those that wait, and looks again.
    if (somebody_waits()) return kElsewhere;
    cell_.state.shown = 0;
    std::int32_t then = 0;
    if (consumed != 0) {
      free(consumed, shown);
      then = then_tell();
    }
    if (max == 0) return then;
    const Ring<>::Cursor first(ring_, ring_.head());
    const std::uint32_t count = plain().show(ring_.run_at(first.position(), max), [](auto...) {});
    if (count != 0 && is_tagged()) return kShowElsewhere + then;
    cell_.state.shown = count;
    at<double>(cell_.words + QueueStaging::kShownAt) = static_cast<double>(offset_of(first.record()));
    return static_cast<std::int32_t>(count) + then;
  }

 private:
  template <class T>
  T& at(std::uint32_t offset) const noexcept {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): in a WebAssembly module the memory begins at address 0
    return *reinterpret_cast<T*>(base_ + offset);
  }
  std::uint32_t offset_of(const void* address) const noexcept {
    return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(address) - base_);
  }
  ThreadSlot& slot() const noexcept { return at<ThreadSlot>(cell_.slot); }
  PlainConsumer plain() noexcept { return {control_, ring_}; }

  // The answer to a push of `count` records that found no room: `none`, if no other face knows more.
  std::int32_t refused(const Ring<>::Claim& claim, std::uint32_t count, std::int32_t none) const noexcept {
    if (claim.closed || cell_.overwrites != 0) return kElsewhere;
    slot().count(QueueMemory::kRejected, count);
    return none;
  }
  std::int32_t then_ring() const noexcept { return control_.doorbell.awaited() ? kThenRing : 0; }

  // Whether records may have tags. Called after the stamps of the records were read: see SlotTags::used().
  bool is_tagged() const noexcept { return control_.tags.used.load(std::memory_order_relaxed) != 0; }
  void free(std::uint32_t count, std::uint32_t shown) noexcept { plain().free(count, shown); }
  // Whether a thread waits for room, for an empty queue, or for the queue's end.
  bool somebody_waits() const noexcept {
    return at<RoomWaiters<>::Control>(cell_.waiters).waiting.load(std::memory_order_relaxed) != 0 ||
           control_.awaiting_empty.load(std::memory_order_relaxed) != 0 ||
           control_.closing.load(std::memory_order_relaxed) != 0;
  }
  // Called after records were freed.
  std::int32_t then_tell() const noexcept {
    RoomWaiters<>::freed_room();
    return somebody_waits() ? kThenTell : 0;
  }

  QueueCell& cell_;
  const std::uintptr_t base_;
  QueueControl& control_;
  Ring<> ring_;
};

}  // namespace sluice
