// The waiters for room in a queue, first come first served over all threads.
//
// A waiter leaves its record (or the number of permits that it wants) in a place of a WaiterList. A thread that frees
// room in a lane serves the waiters of that lane from the front: it pushes their records for them, or takes permits for
// them, in the order in which they came. While a lane has waiters, its ring refuses claims without a permit, so that no
// such push overtakes them.
//
//            join                serve                       retire (by the owner)
//   free ---------> waiting ------------------> served ---------------------------> free
//    ^                 |  close                                                       ^
//    |                 +----------------------> ended --------------------------------+
//    +-----------------+
//           leave (abort, time-out, the owner's thread ends)
//
//   memory:  | Control | Waiter[max] | payload[max] |
//
// The handshake of waiter_list.h: a waiter calls serve() after join(). A thread that frees room moves the ring's head,
// calls freed_room(), and then looks at waiting(). The count of waiters is not in the word of the ring's flag for
// waiters, so that a thread that frees room need not read the cache line that producers write. A thread that gives back
// permits looks at that flag, and needs no fence, because the permits and the flag are in one word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "core/base/layout.h"
#include "core/base/waiter_list.h"
#include "core/queue/ring.h"

namespace sluice {

inline constexpr std::uint32_t kLanesMax = 8;

template <class A>
struct RoomWaiter : WaiterPlace<A> {
  std::uint32_t lane;
  std::uint64_t owner;    // the session that waits
  std::uint32_t permits;  // how many it wants; 0: it wants to push its payload
};

template <class A = StdAtomics>
class RoomWaiters {
 public:
  using Waiter = RoomWaiter<A>;
  using List = WaiterList<Waiter, A>;
  struct alignas(kCacheLine) Control : WaiterControl<A> {
    WaiterChain lanes[kLanesMax];
  };

  static Layout layout(std::uint32_t max, std::uint64_t payload) { return places(max, payload).layout; }
  static std::uint64_t bytes(std::uint32_t max, std::uint64_t payload) {
    return layout(max, payload).bytes();
  }

  RoomWaiters(void* memory, std::uint32_t max, std::uint64_t payload)
      : RoomWaiters(static_cast<std::byte*>(memory), places(max, payload), max, payload) {}

  void format() {
    new (control_) Control{};
    list_.format();
  }

  // Adds a waiter to `lane`, whose ring is `ring`. The waiter wants `permits` permits, or, if that is 0, to push a
  // payload, which write(payload) writes. Returns the waiter's index; kNoWaiter: no place is free. The caller then
  // calls serve(), which finds room that was freed meanwhile.
  template <class Write>
  std::uint32_t join(Ring<A>& ring, std::uint32_t lane, std::uint64_t owner, std::uint32_t permits,
                     Write&& write) noexcept {
    const Locked<A> locked(list_.lock());
    if (list_.full()) return kNoWaiter;
    Waiter& joined = list_.take(owner);
    const std::uint32_t index = list_.index_of(joined);
    joined.lane = lane;
    joined.permits = permits;
    write(payload_of(index));
    if (ring.closed()) {
      list_.end(joined);  // no thread will serve it
    } else {
      list_.enter(control_->lanes[lane], joined);
      ring.start_waiting();
    }
    return index;
  }

  // Serves the waiters of the lane from the front, while there is room and `woken` is not full.
  void serve(Ring<A>& ring, std::uint32_t lane, WokenOwners& woken) noexcept {
    const Locked<A> locked(list_.lock());
    List::before_look();
    WaiterChain& chain = control_->lanes[lane];
    while (!woken.full()) {
      Waiter* front = list_.front(chain);
      if (front == nullptr || !give_room(ring, *front)) break;
      list_.leave(chain, *front, WaiterState::kServed);
      woken.add(front->owner);
    }
    if (chain.empty()) ring.stop_waiting();
  }

  // A thread calls this after Ring::advance(), which stores the head with release, and before it calls waiting(). The
  // fence pairs with that in WaiterList::before_look().
  static void freed_room() noexcept { List::made_room(); }

  // Ends the wait of a waiter and frees its place. Sets `lane` to the lane in which it waited; ring_of(lane) must
  // return the ring of that lane. Returns false if the waiter was served, or its wait had ended before: the caller must
  // then call retire(), because what the waiter got counts.
  template <class RingOf>
  bool leave(RingOf&& ring_of, std::uint32_t index, std::uint32_t& lane) noexcept {
    const Locked<A> locked(list_.lock());
    Waiter& waiter = list_[index];
    lane = waiter.lane;
    if (List::state(waiter) != WaiterState::kWaiting) return false;
    give_up(ring_of, waiter);
    list_.release(waiter);
    return true;
  }

  bool is_of(std::uint32_t index, std::uint64_t owner) const noexcept { return list_.is_of(index, owner); }

  // The owner calls retire() once it has seen that its waiter was served, or that the wait has ended. This frees the
  // place. It returns the permits that the waiter was given, and the lane in which it waited.
  struct Served {
    std::uint32_t lane = 0, permits = 0;
  };
  Served retire(std::uint32_t index) noexcept {
    const Locked<A> locked(list_.lock());
    Waiter& waiter = list_[index];
    const bool served = List::state(waiter) == WaiterState::kServed;
    const Served got{waiter.lane, served ? waiter.permits : 0};
    list_.release(waiter);
    return got;
  }

  // Called when the queue is closed. Ends the waits in the lane, until `woken` is full.
  void close(Ring<A>& ring, std::uint32_t lane, WokenOwners& woken) noexcept {
    const Locked<A> locked(list_.lock());
    WaiterChain& chain = control_->lanes[lane];
    while (!woken.full() && !chain.empty()) {
      Waiter& front = *list_.front(chain);
      list_.leave(chain, front, WaiterState::kEnded);
      woken.add(front.owner);
    }
    if (chain.empty()) ring.stop_waiting();
  }

  // Frees all places of `owner`. Calls give_back(lane, permits) for each waiter that was given permits and is not
  // retired.
  template <class RingOf, class GiveBack>
  void abandon(RingOf&& ring_of, std::uint64_t owner, GiveBack&& give_back) noexcept {
    const Locked<A> locked(list_.lock());
    for (std::uint32_t index = 0; index < list_.max(); ++index) {
      Waiter& left = list_[index];
      if (!list_.has_place(left, owner)) continue;
      const WaiterState state = List::state(left);
      if (state == WaiterState::kServed && left.permits != 0) give_back(left.lane, left.permits);
      if (state == WaiterState::kWaiting) give_up(ring_of, left);
      list_.release(left);
    }
  }

  // Reads without the lock. The owner uses what its waiter was given only after retire(), which takes the lock.
  WaiterState state(std::uint32_t index) const noexcept { return List::state(list_[index]); }
  std::uint32_t waiting() const noexcept { return list_.waiting(); }
  const Control* memory() const noexcept { return control_; }

 private:
  struct Places {
    Layout layout;
    std::uint64_t control, waiters, payloads;
  };
  static Places places(std::uint32_t max, std::uint64_t payload) noexcept {
    Places at{};
    at.control = at.layout.template place<Control>();
    at.waiters = at.layout.template place<Waiter>(max);
    at.payloads = at.layout.place_bytes(round_up(payload, 8), max);
    return at;
  }

  RoomWaiters(std::byte* memory, const Places& at, std::uint32_t max, std::uint64_t payload)
      : control_(reinterpret_cast<Control*>(memory + at.control)),
        list_(*control_, reinterpret_cast<Waiter*>(memory + at.waiters), max),
        payloads_(memory + at.payloads),
        payload_(payload) {}

  // Gives the waiter all that it wants, or nothing. Returns whether it got it.
  bool give_room(Ring<A>& ring, const Waiter& waiter) noexcept {
    if (waiter.permits == 0) return push_for(ring, waiter);
    const typename Ring<A>::Claim claim = ring.reserve_waiting(waiter.permits);
    if (claim.count == waiter.permits) return true;
    if (claim.count != 0) ring.claim_reserved(0, claim.count);
    return false;
  }
  bool push_for(Ring<A>& ring, const Waiter& waiter) noexcept {
    const typename Ring<A>::Claim claim = ring.claim_waiting(1);
    if (claim.count == 0) return false;
    A::copy_bytes(ring.record(claim.position), payload_of(list_.index_of(waiter)), payload_);
    ring.publish(claim.position);
    return true;
  }

  // Takes a waiter out of its lane.
  template <class RingOf>
  void give_up(RingOf&& ring_of, Waiter& waiter) noexcept {
    WaiterChain& chain = control_->lanes[waiter.lane];
    list_.leave(chain, waiter, WaiterState::kEnded);
    if (chain.empty()) ring_of(waiter.lane).stop_waiting();
  }

  std::byte* payload_of(std::uint32_t index) const noexcept {
    return payloads_ + index * round_up(payload_, 8);
  }

  Control* control_;
  List list_;
  std::byte* payloads_;
  std::uint64_t payload_;
};

}  // namespace sluice
