// The waiters for room in a queue, first come first served over all threads.
//
// A waiter leaves its record (or its wish for permits) in a bounded table and sleeps. A thread that frees room serves
// the waiters of that lane from the front: it pushes their records for them, in the order in which they came. While a
// lane has waiters its ring refuses ordinary claims, so that no push overtakes them.
//
//            join                serve                       retire (by the owner)
//   free ---------> waiting ------------------> served ---------------------------> free
//    ^                 |  close                                                       ^
//    |                 +----------------------> closed -------------------------------+
//    +-----------------+
//           leave (abort, time-out, the owner's thread ends)
//
// No wake-up is lost, whichever thread serves:
//
//   a waiter                             a thread that frees room
//   join(): waiting + 1                  Ring::advance(): head
//   fence (seq_cst)           <----->    freed_room(): fence (seq_cst)
//   serve(): room now?                   waiting() > 0?  serve()
//
// The waiter finds the room, or the other thread finds the count, or both do. The count is apart from the ring's flag
// for waiters, so that a thread that frees room need not read the line that producers write. Room that comes back by
// permits needs no fence: permits and flag are one word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "core/base/layout.h"
#include "core/base/spin_lock.h"
#include "core/queue/ring.h"

namespace sluice {

inline constexpr std::uint32_t kLanesMax = 8;
inline constexpr std::uint32_t kNoWaiter = ~0u;

enum class WaiterState : std::uint32_t { kFree = 0, kWaiting = 1, kServed = 2, kClosed = 3 };

template <class A>
struct Waiter {
  typename A::template atomic<WaiterState> state;
  std::uint32_t next, prev;  // in its lane, or next in the free list
  std::uint32_t lane;
  std::uint32_t permits;  // how many it wants; 0: it wants to push the payload that follows
  std::uint64_t owner;    // the attachment whose thread waits
};

template <class A = StdAtomics>
class RoomWaiters {
 public:
  struct Control {
    alignas(kCacheLine) SpinLock<A> lock;
    std::uint32_t free;
    typename A::template atomic<std::uint32_t> waiting;  // written under the lock, read by anyone
    std::uint32_t first[kLanesMax], last[kLanesMax];
  };

  // Owners whose threads are to be woken, a few at a time.
  struct Woken {
    static constexpr std::uint32_t kMax = 64;
    std::uint64_t owners[kMax];
    std::uint32_t count = 0;
    std::uint32_t pushed = 0;

    void add(std::uint64_t owner) noexcept {
      if (count == 0 || owners[count - 1] != owner) owners[count++] = owner;
    }
  };

  static std::uint64_t waiter_bytes(std::uint64_t payload) {
    return sizeof(Waiter<A>) + round_up(payload, 8);
  }
  static std::uint64_t bytes(std::uint32_t max, std::uint64_t payload) {
    Layout layout;
    layout.place<Control>();
    layout.place_bytes(waiter_bytes(payload), max);
    return layout.bytes();
  }

  RoomWaiters(void* memory, std::uint32_t max, std::uint64_t payload)
      : control_(static_cast<Control*>(memory)),
        waiters_(reinterpret_cast<std::byte*>(control_ + 1)),
        max_(max),
        payload_(payload),
        stride_(waiter_bytes(payload)) {}

  void format() {
    new (control_) Control{};
    control_->waiting.store(0, std::memory_order_relaxed);
    control_->free = max_ == 0 ? kNoWaiter : 0;
    for (std::uint32_t i = 0; i < max_; ++i) {
      Waiter<A>& made = *new (&waiter(i)) Waiter<A>{};
      made.state.store(WaiterState::kFree, std::memory_order_relaxed);
      made.next = i + 1 == max_ ? kNoWaiter : i + 1;
    }
    for (std::uint32_t lane = 0; lane < kLanesMax; ++lane)
      control_->first[lane] = control_->last[lane] = kNoWaiter;
  }

  // Joins the line of `ring`'s lane with a payload to push, which `write(place)` writes, or a wish for `permits`.
  // kNoWaiter: the table is full. The caller then calls serve(), which finds room that has come up meanwhile.
  template <class Write>
  std::uint32_t join(Ring<A>& ring, std::uint32_t lane, std::uint64_t owner, std::uint32_t permits,
                     Write&& write) noexcept {
    control_->lock.lock();
    const std::uint32_t index = control_->free;
    if (index != kNoWaiter) {
      Waiter<A>& joined = waiter(index);
      control_->free = joined.next;
      joined.lane = lane;
      joined.permits = permits;
      joined.owner = owner;
      write(payload_of(index));
      // Closed already: no thread will serve it.
      const bool closed = ring.closed();
      joined.state.store(closed ? WaiterState::kClosed : WaiterState::kWaiting, std::memory_order_relaxed);
      if (!closed) {
        link(index);
        ring.start_waiting();
      }
    }
    control_->lock.unlock();
    return index;
  }

  // Serves from the front of the lane while there is room; at most Woken::kMax a call.
  void serve(Ring<A>& ring, std::uint32_t lane, Woken& woken) noexcept {
    control_->lock.lock();
    // Pairs with the fence in freed_room().
    A::fence(std::memory_order_seq_cst);
    while (control_->first[lane] != kNoWaiter && woken.count < Woken::kMax && serve_one(ring, lane, woken)) {
    }
    if (control_->first[lane] == kNoWaiter) ring.stop_waiting();
    control_->lock.unlock();
  }

  // Between Ring::advance() and waiting(). Pairs with the fence in serve().
  static void freed_room() noexcept { A::fence(std::memory_order_seq_cst); }

  // Leaves the line of `lane`, which is told. False if it has been served or closed: then retire() it, and what it
  // got counts. `ring_of(lane)` is that lane's ring.
  template <class RingOf>
  bool leave(RingOf&& ring_of, std::uint32_t index, std::uint32_t& lane) noexcept {
    control_->lock.lock();
    const bool waiting = waiter(index).state.load(std::memory_order_relaxed) == WaiterState::kWaiting;
    lane = waiter(index).lane;
    if (waiting) {
      unlink(index);
      release(index);
      if (control_->first[lane] == kNoWaiter) ring_of(lane).stop_waiting();
    }
    control_->lock.unlock();
    return waiting;
  }

  // Whether this is a waiter of `owner`, which alone frees its place.
  bool is_of(std::uint32_t index, std::uint64_t owner) const noexcept {
    control_->lock.lock();
    const bool is = waiter(index).owner == owner &&
                    waiter(index).state.load(std::memory_order_relaxed) != WaiterState::kFree;
    control_->lock.unlock();
    return is;
  }

  // The owner has seen that it was served or closed: its place is free again. Returns the permits that it was served.
  struct Served {
    std::uint32_t lane = 0, permits = 0;
  };
  Served retire(std::uint32_t index) noexcept {
    control_->lock.lock();
    const Waiter<A>& left = waiter(index);
    const bool served = left.state.load(std::memory_order_relaxed) == WaiterState::kServed;
    const Served got{left.lane, served ? left.permits : 0};
    release(index);
    control_->lock.unlock();
    return got;
  }

  // All waiters of the lane learn that the queue is closed. At most Woken::kMax a call.
  void close(Ring<A>& ring, std::uint32_t lane, Woken& woken) noexcept {
    control_->lock.lock();
    while (woken.count < Woken::kMax && control_->first[lane] != kNoWaiter) {
      const std::uint32_t index = control_->first[lane];
      unlink(index);
      waiter(index).state.store(WaiterState::kClosed, std::memory_order_relaxed);
      woken.add(waiter(index).owner);
    }
    if (control_->first[lane] == kNoWaiter) ring.stop_waiting();
    control_->lock.unlock();
  }

  // Nothing of `owner` remains. `give_back(lane, permits)` gets permits that it was served but had not seen.
  template <class RingOf, class GiveBack>
  void abandon(RingOf&& ring_of, std::uint64_t owner, GiveBack&& give_back) noexcept {
    control_->lock.lock();
    for (std::uint32_t index = 0; index < max_; ++index) {
      Waiter<A>& left = waiter(index);
      const WaiterState state = left.state.load(std::memory_order_relaxed);
      if (state == WaiterState::kFree || left.owner != owner) continue;
      if (state == WaiterState::kServed && left.permits != 0) give_back(left.lane, left.permits);
      if (state == WaiterState::kWaiting) {
        unlink(index);
        if (control_->first[left.lane] == kNoWaiter) ring_of(left.lane).stop_waiting();
      }
      release(index);
    }
    control_->lock.unlock();
  }

  // Relaxed: the owner uses what it was given after retire(), whose lock orders it.
  WaiterState state(std::uint32_t index) const noexcept {
    return waiter(index).state.load(std::memory_order_relaxed);
  }
  std::uint32_t waiting() const noexcept { return control_->waiting.load(std::memory_order_relaxed); }

 private:
  Waiter<A>& waiter(std::uint32_t index) const noexcept {
    return *reinterpret_cast<Waiter<A>*>(waiters_ + index * stride_);
  }
  bool serve_one(Ring<A>& ring, std::uint32_t lane, Woken& woken) noexcept {
    const std::uint32_t index = control_->first[lane];
    Waiter<A>& served = waiter(index);
    if (served.permits != 0) {
      const typename Ring<A>::Claim claim = ring.reserve_waiting(served.permits);
      if (claim.count < served.permits) {
        if (claim.count != 0) ring.claim_reserved(0, claim.count);
        return false;
      }
    } else {
      const typename Ring<A>::Claim claim = ring.claim_waiting(1);
      if (claim.count == 0) return false;
      A::copy_bytes(ring.record(claim.position), payload_of(index), payload_);
      ring.publish(claim.position);
      ++woken.pushed;
    }
    unlink(index);
    served.state.store(WaiterState::kServed, std::memory_order_relaxed);
    woken.add(served.owner);
    return true;
  }

  void link(std::uint32_t index) noexcept {
    Waiter<A>& linked = waiter(index);
    std::uint32_t& last = control_->last[linked.lane];
    linked.prev = last;
    linked.next = kNoWaiter;
    (last == kNoWaiter ? control_->first[linked.lane] : waiter(last).next) = index;
    last = index;
    control_->waiting.fetch_add(1, std::memory_order_relaxed);
  }
  void unlink(std::uint32_t index) noexcept {
    const Waiter<A>& left = waiter(index);
    (left.prev == kNoWaiter ? control_->first[left.lane] : waiter(left.prev).next) = left.next;
    (left.next == kNoWaiter ? control_->last[left.lane] : waiter(left.next).prev) = left.prev;
    control_->waiting.fetch_sub(1, std::memory_order_relaxed);
  }
  void release(std::uint32_t index) noexcept {
    waiter(index).state.store(WaiterState::kFree, std::memory_order_relaxed);
    waiter(index).next = control_->free;
    control_->free = index;
  }

  std::byte* payload_of(std::uint32_t index) const noexcept {
    return waiters_ + index * stride_ + sizeof(Waiter<A>);
  }

  Control* control_;
  std::byte* waiters_;
  std::uint32_t max_;
  std::uint64_t payload_;
  std::uint64_t stride_;
};

}  // namespace sluice
