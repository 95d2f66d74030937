// The operations of threads on a queue: push, wait for room, close, and become its consumer. For the parts of a queue
// see queue_memory.h; for showing and freeing records see queue_consumer.h.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/clock.h"
#include "core/base/thread_slots.h"
#include "core/queue/overwriting.h"
#include "core/queue/queue_memory.h"
#include "core/queue/ring.h"
#include "core/queue/room_waiters.h"
#include "core/queue/slot_tags.h"

namespace sluice {

class Queue : public QueueMemory {
 public:
  using QueueMemory::QueueMemory;

  // ---- producers: after a push that succeeded, call must_ring() ------------------------------------------

  std::uint64_t push_time(const Clock& clock) const noexcept { return meta_bytes_ != 0 ? clock.now() : 0; }

  // Pushes one record. `write(slot index)` may write the slot's tag; the stamp publishes record and tag. Also in a
  // queue that overwrites, this returns kFull if there is no room: the caller then calls push_over().
  template <class Write>
  PushResult push(std::uint32_t lane, const void* record, std::uint64_t now, std::uint64_t ttl,
                  Write&& write) noexcept {
    const Ring<>::Claim claim = rings_[lane].claim(1);
    if (claim.count == 0) [[unlikely]]
      return claim.closed ? PushResult::kClosed : PushResult::kFull;
    put(lane, claim.position, record, now, ttl, write);
    return PushResult::kPushed;
  }

  // Promises room for one record to the caller, which then calls push_promised() or break_promise(); these cannot fail.
  // Returns kFull also while 16,383 promises (see Ring) are outstanding.
  PushResult promise_room(std::uint32_t lane) noexcept { return promised(rings_[lane].reserve(1)); }
  template <class Write>
  void push_promised(std::uint32_t lane, const void* record, std::uint64_t now, std::uint64_t ttl,
                     Write&& write) noexcept {
    put(lane, rings_[lane].claim_reserved(1, 0), record, now, ttl, write);
  }
  // Gives the promised room back. The caller then serves the waiters for room, and wakes threads that wait until the
  // queue is drained.
  void break_promise(std::uint32_t lane) noexcept { rings_[lane].return_permits(1); }

  // Several records to push: where the first one begins, and how many bytes later the next one does.
  struct Records {
    const std::byte* first;
    std::uint64_t apart;

    const std::byte* operator[](std::uint32_t i) const noexcept { return first + i * apart; }
    Records from(std::uint32_t i) const noexcept { return {(*this)[i], apart}; }
  };

  // Pushes as many of the `count` records as find room, in order, in one claim.
  Ring<>::Claim push_many(std::uint32_t lane, const Records& records, std::uint32_t count, std::uint64_t now,
                          std::uint64_t ttl) noexcept {
    const Ring<>::Claim claim = rings_[lane].claim(count);
    publish_many(lane, claim.position, records, claim.count, now, ttl);
    return claim;
  }

  // Pushes `used` records on permits that were taken before, and gives back `unused` more permits. It cannot fail, even
  // if the queue is closed.
  void push_reserved(std::uint32_t lane, const Records& records, std::uint32_t used, std::uint32_t unused,
                     std::uint64_t now, std::uint64_t ttl) noexcept {
    const std::uint64_t position = rings_[lane].claim_reserved(used, unused);
    publish_many(lane, position, records, used, now, ttl);
  }
  // Takes up to `want` permits for the lane.
  Ring<>::Claim reserve(std::uint32_t lane, std::uint32_t want) noexcept {
    return overwrites_ ? rings_[lane].reserve_always(want) : rings_[lane].reserve(want);
  }
  void return_permits(std::uint32_t lane, std::uint32_t count) noexcept {
    rings_[lane].return_permits(count);
  }

  // ---- producers of a queue that overwrites: without room, the oldest record of the lane is dropped ---------
  //
  // These functions call drop(slot index) for each record that they drop: at most one for each record that they push.
  // drop() must not wait for anything: see overwriting.h.

  // Pushes one record. Only a closed queue refuses it.
  template <class Write, class Drop>
  PushResult push_over(std::uint32_t lane, const void* record, std::uint64_t now, std::uint64_t ttl,
                       Write&& write, Drop&& drop) noexcept {
    const Ring<>::Claim claim = claim_over(lane, 1, false, drop);
    if (claim.count == 0) return PushResult::kClosed;
    put(lane, claim.position, record, now, ttl, write);
    return PushResult::kPushed;
  }
  // As promise_room(), but the promise takes no room.
  PushResult promise_over(std::uint32_t lane) noexcept { return promised(rings_[lane].reserve_always(1)); }
  template <class Write, class Drop>
  void push_promised_over(std::uint32_t lane, const void* record, std::uint64_t now, std::uint64_t ttl,
                          Write&& write, Drop&& drop) noexcept {
    put(lane, claim_over(lane, 1, true, drop).position, record, now, ttl, write);
  }
  // Pushes 1 to `count` records. Pushes none only if the queue is closed and `on_permits` is false.
  template <class Drop>
  Ring<>::Claim push_many_over(std::uint32_t lane, const Records& records, std::uint32_t count,
                               bool on_permits, std::uint64_t now, std::uint64_t ttl, Drop&& drop) noexcept {
    const Ring<>::Claim claim = claim_over(lane, count, on_permits, drop);
    publish_many(lane, claim.position, records, claim.count, now, ttl);
    return claim;
  }

  // ---- waiters for room -------------------------------------------------------------------------------------

  // Adds a waiter for room that has a record to push. Returns the waiter's number, or kNoWaiter if no more callers may
  // wait. The caller then calls serve_waiting().
  std::uint32_t wait_to_push(ThreadSlot& thread, std::uint32_t lane, std::uint64_t owner, const void* record,
                             std::uint64_t now, std::uint64_t ttl) noexcept {
    const auto write = [&](std::byte* payload) { fill(payload, record, now, ttl); };
    return joined(thread, waiters_.join(rings_[lane], lane, owner, 0, write));
  }
  // Adds a waiter that wants `permits` permits. Otherwise as wait_to_push().
  std::uint32_t wait_to_reserve(ThreadSlot& thread, std::uint32_t lane, std::uint64_t owner,
                                std::uint32_t permits) noexcept {
    return joined(thread, waiters_.join(rings_[lane], lane, owner, permits, [](std::byte*) {}));
  }

  // Serves the waiters for room in `lane`. Calls `wake(owner)` for each owner whose thread must be woken. The caller
  // then rings for the consumer if must_ring() returns true.
  template <class Wake>
  void serve_waiting(std::uint32_t lane, Wake&& wake) noexcept {
    for (bool more = true; more;) {
      WokenOwners woken;
      waiters_.serve(rings_[lane], lane, woken);
      for (std::uint32_t i = 0; i < woken.count; ++i) wake(woken.owners[i]);
      more = woken.full();
    }
  }
  // Ends the wait of `waiter`, and sets `lane` to the lane in which it waited: see RoomWaiters::leave().
  bool leave(std::uint32_t waiter, std::uint32_t& lane) noexcept {
    return waiters_.leave([this](std::uint32_t of) -> Ring<>& { return rings_[of]; }, waiter, lane);
  }
  // See RoomWaiters::abandon().
  template <class GiveBack>
  void abandon(std::uint64_t owner, GiveBack&& give_back) noexcept {
    waiters_.abandon([this](std::uint32_t of) -> Ring<>& { return rings_[of]; }, owner, give_back);
  }

  bool somebody_waits(std::uint32_t lane) const noexcept { return rings_[lane].somebody_waits(); }

  // Called after pushing, giving permits back, or closing. Returns whether the caller must ring the bell.
  bool must_ring() noexcept { return control_->doorbell.must_ring(); }

  // Closes the queue: afterwards only pushes on permits succeed. Ends the waits for room, and calls wake(owner) for the
  // owners of their waiters. Returns whether this call closed the queue.
  template <class Wake>
  bool close(Wake&& wake) noexcept {
    bool closed = false;
    for (std::uint32_t lane = 0; lane < shape_.lanes; ++lane) {
      // If two threads close at the same time, the one that closes the last lane counts as the one that closed the
      // queue.
      closed = rings_[lane].close();
      for (bool more = true; more;) {
        WokenOwners woken;
        waiters_.close(rings_[lane], lane, woken);
        for (std::uint32_t i = 0; i < woken.count; ++i) wake(woken.owners[i]);
        more = woken.full();
      }
    }
    // The fence pairs with that in freed_room(), after which the consumer looks at `closing`.
    control_->closing.store(1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return closed;
  }
  // Whether close() has closed all lanes. The consumer asks this after it has freed records, and after the fence in
  // freed_room(). If the answer is no, the threads that close() wakes will see that these records are freed. The
  // consumer does not ask closed(), which reads the tail that producers write.
  bool closing() const noexcept { return control_->closing.load(std::memory_order_relaxed) != 0; }
  bool closed() const noexcept { return rings_[shape_.lanes - 1].closed(); }

  // In a queue that overwrites, producers drop records, too, so the consumer holds this lock from before it shows
  // records until it has freed them. The consumer must not take the lock while depth() is 0, because a consumer that
  // polls would starve the producers. It must not wait for anything while it holds the lock: see overwriting.h.
  class Front : public sluice::Front {
   public:
    explicit Front(Queue& queue) noexcept : sluice::Front(*queue.control_) {}
  };

  // ---- the user of the tags ----------------------------------------------------------------------------------

  // Ends the use of the tags: see SlotTags. Calls left(tag) for each record in the queue that has a tag; the record
  // stays, without its tag.
  template <class Left>
  void end_tags(Left&& left) noexcept {
    const Ring<>& ring = rings_[0];
    // No thread puts tags any more, so only records that are in the queue when its front is read can have one.
    const std::uint64_t front = ring.front();
    Tag tag;
    for (std::uint64_t at = front, end = ring.claimed(); at != end; at += kRingStep) {
      if (tags_.take_left(ring.slot_index(at), tag)) left(tag);
    }
    tags_.end();
  }

  // ---- waiters for an empty queue ----------------------------------------------------------------------------
  //
  //   waiter                          consumer
  //   awaiting_empty + 1              head = ... (records freed)
  //   fence (seq_cst)      <----->    fence (seq_cst), in QueueConsumer::somebody_waits()
  //   empty() ?                       awaiting_empty != 0 and empty() ?  emptied + 1, and rings
  //
  // At least one of the two sides finds what the other one has written. A waiter also compares `emptied` with the value
  // that it had when the wait began, so that an empty moment between two looks of the waiter counts, too. Only the
  // consumer makes a queue empty.

  void await_empty() noexcept {
    control_->awaiting_empty.fetch_add(1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  void stop_awaiting_empty(std::uint32_t count) noexcept {
    control_->awaiting_empty.fetch_sub(count, std::memory_order_relaxed);
  }
  std::uint64_t emptied() const noexcept { return control_->emptied.load(std::memory_order_relaxed); }
  // The consumer calls this after it has freed records, and after the fence in freed_room(). Returns whether the
  // consumer must wake the waiters for an empty queue.
  bool note_empty() noexcept {
    if (control_->awaiting_empty.load(std::memory_order_relaxed) == 0 || !empty()) return false;
    // Relaxed: it is a count, and publishes no other memory.
    control_->emptied.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  // Returns true only if there was a moment during the call at which every lane was empty.
  bool empty() const noexcept {
    std::uint64_t before = 0;
    if (!all_consumed(before)) return false;
    // With several lanes, a lane may have got a record while all_consumed() looked at another one. So this looks at all
    // lanes twice. Each round adds up how many positions were ever claimed. That number only grows, so if both sums are
    // equal, no position was claimed between the two rounds, and all lanes were empty at the end of the first round.
    std::uint64_t after = 0;
    return shape_.lanes == 1 || (all_consumed(after) && after == before);
  }

  // ---- the consumer's lease ------------------------------------------------------------------------------

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

  // How many records of `lane` were claimed since creation, and how many of these have left it. A record that a thread
  // has pushed has left the lane once `gone` is at least what `claimed` was after the push.
  std::uint64_t claimed(std::uint32_t lane) const noexcept {
    return (rings_[lane].claimed() - control_->start) >> kRingPositionShift;
  }
  std::uint64_t gone(std::uint32_t lane) const noexcept {
    return (rings_[lane].front() - control_->start) >> kRingPositionShift;
  }

  bool leased() const noexcept { return control_->lease.load(std::memory_order_relaxed) != 0; }

 private:
  friend class QueueConsumer;

  // Adds the number of positions claimed so far in all lanes to `claimed`. Returns false if a lane is not empty.
  bool all_consumed(std::uint64_t& claimed) const noexcept {
    for (std::uint32_t lane = 0; lane < shape_.lanes; ++lane) {
      // This reads the tail before the depth. So a position that is claimed between the two loads is missing in this
      // sum, and the sum of the next round is larger.
      claimed += this->claimed(lane);
      if (rings_[lane].depth() != 0) return false;
    }
    return true;
  }
  static std::byte* payload(Ring<>& ring, std::uint64_t position) noexcept {
    return static_cast<std::byte*>(ring.record(position));
  }
  void fill(std::byte* payload, const void* record, std::uint64_t now, std::uint64_t ttl) const noexcept {
    if (meta_bytes_ != 0) shape_.write_times(payload, now, ttl);
    std::memcpy(payload + meta_bytes_, record, shape_.record_bytes);
  }
  void publish_many(std::uint32_t lane, std::uint64_t position, const Records& records, std::uint32_t count,
                    std::uint64_t now, std::uint64_t ttl) noexcept {
    if (count == 0) return;
    Ring<>::Cursor at(rings_[lane], position);
    for (std::uint32_t i = 0; i < count; ++i, at.next()) {
      fill(at.record(), records[i], now, ttl);
      at.publish();
    }
  }
  // Writes the record of a claimed position, which has room, calls write(slot index), and publishes both.
  template <class Write>
  void put(std::uint32_t lane, std::uint64_t position, const void* record, std::uint64_t now,
           std::uint64_t ttl, Write&& write) noexcept {
    Ring<>& ring = rings_[lane];
    fill(payload(ring, position), record, now, ttl);
    write(ring.slot_index(position));
    ring.publish(position);
  }
  template <class Drop>
  Ring<>::Claim claim_over(std::uint32_t lane, std::uint32_t want, bool on_permits, Drop& drop) noexcept {
    return sluice::claim_over(*control_, rings_[lane], lane, want, on_permits, drop,
                              [this] { return depth(); });
  }
  static PushResult promised(const Ring<>::Claim& claim) noexcept {
    if (claim.count != 0) return PushResult::kPushed;
    return claim.closed ? PushResult::kClosed : PushResult::kFull;
  }
  std::uint32_t joined(ThreadSlot& thread, std::uint32_t waiter) noexcept {
    if (waiter == kNoWaiter) thread.count(kWaitersRefused);
    return waiter;
  }
};

}  // namespace sluice
