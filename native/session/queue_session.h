// One thread's use of a queue: its pushes, permits, batches and waiters, and its consuming. When it ends, it publishes
// the records of its batches and gives back everything else.
//
// A session makes no system call and allocates nothing: its face (such as native/addon) rings bells for it, lets its
// thread sleep, and owns the buffers. One thread at a time uses a session.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "contract/answers.h"
#include "contract/staging.h"
#include "core/base/clock.h"
#include "core/base/probe.h"
#include "core/queue/queue.h"
#include "core/queue/queue_consumer.h"
#include "session/queue_cell.h"
#include "session/words.h"

namespace sluice {

// The functions that the face has for all sessions of one queue. Any thread may call them at any time.
struct QueueHost : TagReturns {
  virtual void ring_consumer() noexcept = 0;
  // Rings the bell of the session with that number, if it has one.
  virtual void ring(std::uint64_t session) noexcept = 0;
  virtual void ring_all() noexcept = 0;
};

class QueueSession {
 public:
  // `in` is for records to push, which are `in_apart` bytes apart; `out` for records that are shown, and `dropped` for
  // records that were dropped, both without gaps. `words` has the layout of QueueStaging. `state`: where the session
  // keeps what its other face uses, too; nullptr: it has no other face.
  struct Buffers {
    std::span<std::byte> in;
    std::uint64_t in_apart;
    std::span<std::byte> out, dropped;
    Words words;
    QueueState* state = nullptr;
  };

  // `slot`: its thread's slot in the queue, which the session releases when it ends. `number`: not 0, and no other
  // session of this queue has it.
  QueueSession(const Queue& queue, QueueHost& host, ThreadSlot& slot, const Clock& clock,
               std::uint64_t number)
      : queue_(queue),
        consumer_(queue_),
        host_(host),
        slot_(slot),
        clock_(clock),
        number_(number),
        record_bytes_(queue.shape().record_bytes) {}
  QueueSession(const QueueSession&) = delete;
  QueueSession& operator=(const QueueSession&) = delete;

  // False: the buffers are too small.
  bool use(const Buffers& buffers);
  // Publishes the records of its batches, and gives back its permits, its waiters, the lease and its thread slot.
  // Nothing may be called afterwards.
  void end();

  Queue& queue() { return queue_; }
  const Queue& queue() const { return queue_; }
  const QueueConsumer& consumer() const { return consumer_; }
  ThreadSlot& slot() { return slot_; }
  const Clock& clock() const { return clock_; }
  std::uint64_t number() const { return number_; }
  std::byte* in() const { return in_; }
  Queue::Records in_from(std::uint32_t i) const { return Queue::Records{in_, in_apart_}.from(i); }
  std::byte* out() const { return out_; }
  std::uint64_t record_bytes() const { return record_bytes_; }
  std::uint32_t in_records() const { return in_records_; }
  std::uint32_t out_records() const { return out_records_; }
  std::uint32_t lanes() const { return queue_.shape().lanes; }
  std::uint64_t ttl(bool given) const {
    return given ? words_.get<std::uint64_t>(QueueStaging::kTtlNs) : queue_.shape().ttl_ns;
  }

  // ---- producing -------------------------------------------------------------------------------------------------

  // Called after records were pushed, or may have been (for waiters that were served), and after the queue was closed.
  // Rings the consumer's bell, if the consumer is parked.
  void ring_if_parked() {
    if (!queue_.must_ring()) return;
    SLUICE_PROBE(ring, queue_.ring().id());
    host_.ring_consumer();
  }
  // Pushes the record in `in`. `waits`: the caller will wait for room, so a full queue does not count as a rejection.
  PushResult push(std::uint32_t lane, std::uint64_t ttl, bool waits = false) {
    const std::uint64_t now = queue_.push_time(clock_);
    const PushResult result = queue_.push(lane, in_, now, ttl, [](std::uint64_t) {});
    return result == PushResult::kFull ? push_when_full(lane, now, ttl, waits) : result;
  }
  // Pushes up to `count` records from `in`. Returns how many; `closed` if none was pushed because the queue is closed.
  // `more`: how many further records the caller would push next. If one of `count` finds no room, the further records
  // count as rejected, too (unless the queue overwrites).
  Ring<>::Claim push_many(std::uint32_t lane, std::uint32_t count, std::uint32_t more, std::uint64_t ttl);

  // ---- waiting for room: the thread's bell rings when a waiter was served, or the queue was closed ----------------

  // The two functions below return the waiter's number; kNoWaiter: too many wait already. The session must have a bell.
  std::uint32_t wait_to_push(std::uint32_t lane, std::uint64_t ttl);
  std::uint32_t wait_to_reserve(std::uint32_t lane, std::uint32_t permits);
  // Whether this is a waiter of this session. The functions below must only be called for such waiters.
  bool owns(std::uint32_t waiter) {
    return waiter < queue_.shape().waiters && queue_.room_waiters().is_of(waiter, number_);
  }
  WaiterState waiter_state(std::uint32_t waiter) { return queue_.room_waiters().state(waiter); }
  // Ends the wait. False: the waiter was served, or its wait had ended because the queue was closed.
  bool leave(std::uint32_t waiter);
  // Frees the place of a waiter that was served, or whose wait has ended because the queue was closed. The session gets
  // the permits that the waiter was given. False: the waiter still waits.
  bool retire(std::uint32_t waiter);
  // Serves those waiters of `lane` for which there is room. Called after room may have become free, and after a waiter
  // has joined, because the room may have become free just before that.
  void serve_waiting(std::uint32_t lane);

  // ---- permits: they belong to the session until it uses or returns them, or ends ---------------------------------

  std::uint32_t reserve(std::uint32_t lane, std::uint32_t want);
  // Whether push_reserved() may be called with these numbers: the lane exists, `in` has room for `used` records, and
  // the session has `used` + `unused` permits for the lane.
  bool has_permits(std::uint32_t lane, std::uint32_t used, std::uint32_t unused) const {
    return lane < lanes() && used <= in_records_ && std::uint64_t{used} + unused <= permits_[lane];
  }
  void push_reserved(std::uint32_t lane, const Queue::Records& records, std::uint32_t used,
                     std::uint32_t unused, std::uint64_t ttl);
  // Called after permits were used or returned, or a promise of room was broken: wakes threads that wait for room, or
  // for the queue's end.
  void permits_returned(std::uint32_t lane);

  // ---- batches ---------------------------------------------------------------------------------------------------

  // Gathers records in a buffer of the face: see BatchStaging.
  struct Batch {
    std::span<std::byte> buffer;
    std::uint32_t lane = 0;
    Batch *next = nullptr, **link = nullptr;  // in the list of its session's open batches
  };
  // False: its buffer has no room for a record. The caller must not move an open batch, nor its buffer, until the batch
  // is closed or the session has ended.
  bool open_batch(Batch& batch);
  // Takes permits, so that the batch has one for each record that it can hold, if there is room. Returns how many it
  // has.
  std::uint32_t fill_batch(Batch& batch);
  // Publishes the gathered records. Returns how many.
  std::uint32_t flush_batch(Batch& batch);
  void close_batch(Batch& batch);

  // ---- consuming -------------------------------------------------------------------------------------------------

  // Whether this session is the consumer. It becomes the consumer if there is none.
  bool consumes() { return has_lease() || take_lease(); }
  bool has_lease() const { return state_->leased != 0; }
  void give_lease();
  // Sets whether dropped records are copied to `dropped`.
  void want_dropped(bool wanted) { wants_dropped_ = wanted; }

  // Copies up to `max` records to `out` and leaves them in the queue: see QueueConsumer. Calls `drop(slot index)` for
  // each record that is dropped on the way; the caller must deal with that record's tag.
  template <class Shown, class Drop>
  std::uint32_t show(std::uint32_t max, Shown&& shown, Drop&& drop);
  // Removes the first `count` of the records shown last, with their tags.
  void free_shown(std::uint32_t count);
  // Called in place of show() when the queue is empty. Returns 0.
  std::uint32_t find_nothing() {
    consumer_.show_nothing();
    show_nothing();
    return 0;
  }
  // Called in place of show() by a caller that hands out records again.
  void show_nothing() { words_.put(QueueStaging::kDropped, 0.0); }

  // Removes up to `max` records.
  std::uint32_t take(std::uint32_t max);
  // Removes the first `consumed` of the records shown last, then shows up to `max` more. The caller visits the records,
  // and removes them with its next call. Where records have tags, this shows one record, and removes it at once
  // (kShownAndGone): the user of the tags may end before the next call, and must not give a visited record back.
  std::uint32_t next(std::uint32_t consumed, std::uint32_t max);

  // Called after records have left the queue: wakes threads as tell_if_empty() does, and serves the waiters for room.
  void tell_of_room() {
    const bool somebody_waits = consumer_.somebody_waits();
    tell_if_empty();
    for (std::uint32_t lane = 0; somebody_waits && lane < lanes(); ++lane) serve_waiting(lane);
  }

  // kParked: the consumer's bell will ring when there is something to do. unpark() must follow.
  Park park();
  void unpark() { consumer_.unpark(); }
  // Called after the consumer's bell has rung.
  void woke() {
    consumer_.unpark();
    consumer_.woke();
  }
  // Calls sleep(), unless there is something to do already. sleep() must return when the consumer's bell rings, at the
  // latest. kParked: there is still nothing to do.
  template <class Sleep>
  Park await_record(Sleep&& sleep) {
    if (consumer_.park()) {
      sleep();
      consumer_.unpark();
    }
    return consumer_.readable() ? Park::kReady : consumer_.drained() ? Park::kEnded : Park::kParked;
  }

  // ---- the end -----------------------------------------------------------------------------------------------------

  // Returns whether this call closed the queue.
  bool close();
  // If `begins`, begins a wait of this session for an empty queue; otherwise ends such a wait. Returns how often the
  // queue has been found empty so far while a session waited for that.
  std::uint64_t await_empty(bool begins);

 private:
  // How many records fit into the buffer. It does not depend on the counts that JavaScript writes in front of the
  // records.
  std::uint32_t batch_records(const Batch& batch) const {
    return static_cast<std::uint32_t>((batch.buffer.size() - BatchStaging::kRecords) / record_bytes_);
  }
  // Counts records of the lane that were rejected.
  void count_rejected([[maybe_unused]] std::uint32_t lane, std::uint64_t count) {
    SLUICE_PROBE(full, queue_.ring(lane).id(), count);
    slot_.count(Queue::kRejected, count);
  }
  PushResult push_when_full(std::uint32_t lane, std::uint64_t now, std::uint64_t ttl, bool waits);
  // Pushes to a queue that overwrites. Returns how many records it accepted: all, unless the queue is closed and they
  // are not on permits.
  std::uint32_t push_over(std::uint32_t lane, const Queue::Records& records, std::uint32_t count,
                          bool on_permits, std::uint64_t now, std::uint64_t ttl);
  // Counts the session's permits in its thread's slot, too, where the permits of a dead thread can be found.
  void count_permits(std::uint32_t lane, std::uint32_t more, std::uint32_t less) {
    permits_[lane] += more - less;
    slot_.count(Queue::kPermits + lane, std::uint64_t{more} - less);
  }
  void copy_dropped(Dropped reason, const std::byte* record) {
    std::memcpy(dropped_records_ + dropped_ * record_bytes_, record, record_bytes_);
    words_.put(QueueStaging::kReasons + dropped_ * QueueStaging::kReasonBytes, static_cast<double>(reason));
  }
  bool take_lease();
  // take() from a queue that overwrites.
  std::uint32_t take_over(std::uint32_t max);
  // Shows records to a caller that takes them without their tags. Gives back the tags of dropped records.
  std::uint32_t show_untagged(std::uint32_t max);
  // Called after records have left the queue, and after a fence: wakes threads that wait for the queue to be empty, or
  // for its end.
  void tell_if_empty() {
    if (queue_.note_empty() || (queue_.closing() && consumer_.drained())) host_.ring_all();
  }
  // Called after records or permits are gone: wakes threads that wait for the queue's end.
  void tell_if_drained() {
    if (queue_.closing() && consumer_.drained()) host_.ring_all();
  }
  Queue queue_;
  QueueConsumer consumer_;
  QueueHost& host_;
  ThreadSlot& slot_;
  Clock clock_;
  const std::uint64_t number_;  // names this session as the owner of the lease and of its waiters
  const std::uint64_t record_bytes_;
  std::byte *in_ = nullptr, *out_ = nullptr, *dropped_records_ = nullptr;
  std::uint64_t in_apart_ = 0;
  std::uint32_t in_records_ = 0, out_records_ = 0;
  Words words_;
  QueueState own_state_{};
  QueueState* state_ = &own_state_;
  bool wants_dropped_ = false;
  std::uint32_t dropped_ = 0;  // how many records the last show() has dropped
  std::uint32_t awaits_empty_ = 0;
  std::uint32_t permits_[kLanesMax] = {};
  Batch *batches_ = nullptr, **last_batch_ = &batches_;  // the open ones, the oldest first
};

// The functions below are defined in the header, so that the compiler can inline them into the hot functions of a face.
template <class Shown, class Drop>
std::uint32_t QueueSession::show(std::uint32_t max, Shown&& shown, Drop&& drop) {
  dropped_ = 0;
  const std::uint32_t count =
      consumer_.show(out_, max < out_records_ ? max : out_records_, clock_, shown,
                     [&](Dropped reason, const std::byte* record, std::uint32_t, std::uint64_t slot) {
                       if (wants_dropped_) copy_dropped(reason, record);
                       drop(slot);
                       // If dropped records are copied to a buffer, or their tags are kept until `front` is unlocked,
                       // only kDroppedMax of them fit.
                       const bool kept = wants_dropped_ || queue_.overwrites();
                       return ++dropped_ < (kept ? kDroppedMax : 1'024);
                     });
  words_.put(QueueStaging::kDropped, static_cast<double>(dropped_));
  if (dropped_ != 0) tell_of_room();
  return count;
}

inline void QueueSession::free_shown(std::uint32_t count) {
  if (count == 0) return;
  if (SlotTags<>& tags = queue_.tags(); tags.used()) {
    const Ring<>& ring = queue_.ring();
    for (std::uint32_t i = 0; i < count; ++i) tags.clear(ring.slot_index(ring.head() + i * kRingStep));
  }
  consumer_.free_shown(count);
  tell_of_room();
}

inline std::uint32_t QueueSession::show_untagged(std::uint32_t max) {
  // Each dropped record is checked for a user of the tags, because the first user may begin meanwhile.
  return show(
      max, [](auto...) {},
      [this](std::uint64_t slot) { const CarriedTags<1> dropped(queue_.tags(), host_, slot); });
}

inline std::uint32_t QueueSession::take(std::uint32_t max) {
  if (queue_.overwrites()) [[unlikely]]
    return take_over(max);
  const std::uint32_t count = show_untagged(max);
  free_shown(count);
  return count;
}

}  // namespace sluice
