// One thread's use of a queue: what it has pushed, reserved and gathered, what it waits for, and what it consumes. All
// that it still has when it ends goes back, or was published.
//
// A session makes no system call and allocates nothing: the face that made it (native/addon, say) rings bells for it,
// lets its thread sleep, and owns the buffers. One thread at a time uses a session.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "contract/answers.h"
#include "contract/staging.h"
#include "core/base/clock.h"
#include "core/queue/queue.h"
#include "core/queue/queue_consumer.h"
#include "session/words.h"

namespace sluice {

// What the face does for all sessions of one queue. Any thread calls it, at any time.
struct QueueHost : TagReturns {
  virtual void ring_consumer() noexcept = 0;
  // The bell of the session with that number, if it has one.
  virtual void ring(std::uint64_t session) noexcept = 0;
  virtual void ring_all() noexcept = 0;
};

class QueueSession {
 public:
  // `in` holds records to push, `out` records shown, `dropped` records dropped, each a whole number of records. For the
  // words see QueueStaging.
  struct Buffers {
    std::span<std::byte> in, out, dropped;
    Words words;
  };

  // `slot`: of its thread in the queue; the session releases it when it ends. `number`: no other session of the queue
  // has it, and it is not 0.
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

  // False: not buffers of the size that the session writes to.
  bool use(const Buffers& buffers);
  // Publishes what its batches have gathered, gives back its permits, its places in line, the lease and its thread
  // slot. Nothing may be called afterwards.
  void end();

  Queue& queue() { return queue_; }
  const Queue& queue() const { return queue_; }
  const QueueConsumer& consumer() const { return consumer_; }
  ThreadSlot& slot() { return slot_; }
  const Clock& clock() const { return clock_; }
  std::uint64_t number() const { return number_; }
  std::byte* in() const { return in_; }
  std::byte* out() const { return out_; }
  std::uint64_t record_bytes() const { return record_bytes_; }
  std::uint32_t in_records() const { return in_records_; }
  std::uint32_t out_records() const { return out_records_; }
  std::uint32_t lanes() const { return queue_.shape().lanes; }
  std::uint64_t ttl(bool given) const {
    return given ? words_.get<std::uint64_t>(QueueStaging::kTtlNs) : queue_.shape().ttl_ns;
  }

  // ---- producing -------------------------------------------------------------------------------------------------

  // After pushing or closing.
  void ring_if_parked() {
    if (queue_.must_ring()) host_.ring_consumer();
  }
  // Pushes the record in `in`; a caller that is ready to wait for room is not counted as rejected.
  PushResult push(std::uint32_t lane, std::uint64_t ttl, bool waits = false) {
    const std::uint64_t now = queue_.push_time(clock_);
    const PushResult result = queue_.push(lane, in_, now, ttl, [](std::uint64_t) {});
    return result == PushResult::kFull ? push_when_full(lane, now, ttl, waits) : result;
  }
  // Pushes up to `count` records from `in`. Returns how many, and whether it was none because the queue is closed.
  // `more` are to follow if there is room for these.
  Ring<>::Claim push_many(std::uint32_t lane, std::uint32_t count, std::uint32_t more, std::uint64_t ttl);

  // ---- waiting for room: the thread's bell rings when it is worth a look --------------------------------------------

  // Both return the waiter's number, or kNoWaiter: too many wait. The session must have a bell.
  std::uint32_t wait_to_push(std::uint32_t lane, std::uint64_t ttl);
  std::uint32_t wait_to_reserve(std::uint32_t lane, std::uint32_t permits);
  // Whether it is a waiter of this session, which speaks of no other's.
  bool owns(std::uint32_t waiter) {
    return waiter < queue_.shape().waiters && queue_.room_waiters().is_of(waiter, number_);
  }
  WaiterState waiter_state(std::uint32_t waiter) { return queue_.room_waiters().state(waiter); }
  // False: it has been served, or told of the end.
  bool leave(std::uint32_t waiter);
  // Of one that was served, or told of the end: its place is free, the permits that it got are the session's. False: it
  // still waits.
  bool retire(std::uint32_t waiter);
  // Serves those who wait in `lane`, after room in it has come up.
  void serve_waiting(std::uint32_t lane);

  // ---- permits: the session's until they are used or returned, and returned when it ends
  // -----------------------------

  std::uint32_t reserve(std::uint32_t lane, std::uint32_t want);
  // Whether so many can be used, with records from `in`, and returned.
  bool has_permits(std::uint32_t lane, std::uint32_t used, std::uint32_t unused) const {
    return lane < lanes() && used <= in_records_ && std::uint64_t{used} + unused <= permits_[lane];
  }
  void push_reserved(std::uint32_t lane, const std::byte* records, std::uint32_t used, std::uint32_t unused,
                     std::uint64_t ttl);
  // After room that was promised is free again: threads that wait for it, or for the queue's end, look again.
  void permits_returned(std::uint32_t lane);

  // ---- batches ---------------------------------------------------------------------------------------------------

  // Gathers records in a buffer of the face's: see BatchStaging.
  struct Batch {
    std::span<std::byte> buffer;
    std::uint32_t lane = 0;
    Batch *next = nullptr, **link = nullptr;  // among the open ones of its session
  };
  // False: its buffer has no room for a record. An open batch stays where it is, with its buffer, until it is closed or
  // the session has ended.
  bool open_batch(Batch& batch);
  // Returns the permits that it has now: as many as it can hold records, if there is room.
  std::uint32_t fill_batch(Batch& batch);
  // Publishes what is gathered. Returns how many records.
  std::uint32_t flush_batch(Batch& batch);
  void close_batch(Batch& batch);

  // ---- consuming -------------------------------------------------------------------------------------------------

  // Whether this session is the consumer, becoming it if there is none.
  bool consumes() { return has_lease_ || take_lease(); }
  bool has_lease() const { return has_lease_; }
  void give_lease();
  // Whether records that are dropped are copied to `dropped`.
  void want_dropped(bool wanted) { wants_dropped_ = wanted; }

  // Copies up to `max` records to `out` and leaves them in the queue: see QueueConsumer. `drop(slot index)` is called
  // for each record that is dropped on the way; what it had beside it is the caller's business.
  template <class Shown, class Drop>
  std::uint32_t show(std::uint32_t max, Shown&& shown, Drop&& drop);
  // The first `count` of the records shown last leave the queue, with what they have beside them.
  void free_shown(std::uint32_t count);
  // In place of show(), when there is nothing. Returns 0.
  std::uint32_t find_nothing() {
    consumer_.show_nothing();
    show_nothing();
    return 0;
  }
  // In place of show(), for a caller that takes what was shown before.
  void show_nothing() { words_.put(QueueStaging::kDropped, 0.0); }

  // Removes up to `max` records.
  std::uint32_t take(std::uint32_t max);
  // Removes the `consumed` records shown last, then shows up to `max` more, for a caller that visits them and removes
  // those that it has visited by the next call. Where records have tags it shows one, which leaves the queue at once
  // (kShownAndGone): the user of the tags, which may end meanwhile, then has no part in a record that was visited.
  std::uint32_t next(std::uint32_t consumed, std::uint32_t max);

  // kParked: the consumer's bell rings when there is something to do. unpark() must follow.
  Park park();
  void unpark() { consumer_.unpark(); }
  // The consumer's bell has rung.
  void woke() {
    consumer_.unpark();
    consumer_.woke();
  }
  // Calls sleep(), which returns at the latest when the consumer's bell has rung, unless there is something to do.
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
  // Counts this session among those who wait until the queue is empty, once more or once less. Returns how often it was
  // empty before.
  std::uint64_t await_empty(bool begins);

 private:
  // As many as fit into the buffer, whatever is written in front of them.
  std::uint32_t batch_records(const Batch& batch) const {
    return static_cast<std::uint32_t>((batch.buffer.size() - BatchStaging::kRecords) / record_bytes_);
  }
  PushResult push_when_full(std::uint32_t lane, std::uint64_t now, std::uint64_t ttl, bool waits);
  // Pushes to a queue that overwrites. Returns how many records it took: all, unless it is closed.
  std::uint32_t push_over(std::uint32_t lane, const std::byte* records, std::uint32_t count, bool on_permits,
                          std::uint64_t now, std::uint64_t ttl);
  // Also in the thread's slot, where those of a thread that died can be found.
  void count_permits(std::uint32_t lane, std::uint32_t more, std::uint32_t less) {
    permits_[lane] += more - less;
    slot_.count(Queue::kPermits + lane, std::uint64_t{more} - less);
  }
  bool take_lease();
  // From a queue that overwrites.
  std::uint32_t take_over(std::uint32_t max);
  // Shows records to a caller that takes them without their tags; tags of those that are dropped are given back.
  std::uint32_t show_untagged(std::uint32_t max);
  // After records are gone, and a fence: whoever waits for the queue to be empty, or for its end, looks again.
  void tell_if_empty() {
    if (queue_.note_empty() || (queue_.closing() && consumer_.drained())) host_.ring_all();
  }
  // After records or permits are gone: whoever waits for the queue's end looks again.
  void tell_if_drained() {
    if (queue_.closing() && consumer_.drained()) host_.ring_all();
  }
  // After records are gone.
  void tell_of_room() {
    const bool somebody_waits = consumer_.somebody_waits();
    tell_if_empty();
    for (std::uint32_t lane = 0; somebody_waits && lane < lanes(); ++lane) serve_waiting(lane);
  }

  Queue queue_;
  QueueConsumer consumer_;
  QueueHost& host_;
  ThreadSlot& slot_;
  Clock clock_;
  const std::uint64_t number_;  // the owner of its lease and of its waiters
  const std::uint64_t record_bytes_;
  std::byte *in_ = nullptr, *out_ = nullptr, *dropped_records_ = nullptr;
  std::uint32_t in_records_ = 0, out_records_ = 0;
  Words words_;
  bool has_lease_ = false;
  bool wants_dropped_ = false;
  std::uint32_t dropped_ = 0;  // by the last show()
  std::uint32_t awaits_empty_ = 0;
  std::uint32_t permits_[kLanesMax] = {};
  Batch *batches_ = nullptr, **last_batch_ = &batches_;  // open ones, the oldest first
};

// Here, so that the hot functions inline them.
template <class Shown, class Drop>
std::uint32_t QueueSession::show(std::uint32_t max, Shown&& shown, Drop&& drop) {
  dropped_ = 0;
  const std::uint32_t count =
      consumer_.show(out_, max < out_records_ ? max : out_records_, clock_, shown,
                     [&](Dropped reason, const std::byte* record, std::uint32_t, std::uint64_t slot) {
                       if (wants_dropped_) {
                         std::memcpy(dropped_records_ + dropped_ * record_bytes_, record, record_bytes_);
                         words_.put(QueueStaging::kReasons + dropped_ * QueueStaging::kReasonBytes,
                                    static_cast<double>(reason));
                       }
                       drop(slot);
                       // Copied out, or carried from under `front`.
                       const bool kept = wants_dropped_ || queue_.overwrites();
                       return ++dropped_ < (kept ? kDroppedMax : 1'024);
                     });
  words_.put(QueueStaging::kDropped, static_cast<double>(dropped_));
  if (dropped_ != 0) tell_of_room();
  return count;
}

inline void QueueSession::free_shown(std::uint32_t count) {
  if (count == 0) return;
  if (SlotTags& tags = queue_.tags(); tags.used()) {
    const Ring<>& ring = queue_.ring();
    for (std::uint32_t i = 0; i < count; ++i) tags.clear(ring.slot_index(ring.head() + i * kRingStep));
  }
  consumer_.free_shown(count);
  tell_of_room();
}

inline std::uint32_t QueueSession::show_untagged(std::uint32_t max) {
  // Whether there is a user of the tags is looked up for each that is dropped: the first one may come meanwhile.
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
