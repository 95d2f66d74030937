// The structs of a limiter's waiters: their places in memory, and the parameters and results of calls about them.
#pragma once

#include <cstdint>

#include "core/base/clock.h"
#include "core/base/thread_slots.h"
#include "core/base/waiter_list.h"
#include "core/limiter/limiter.h"

namespace sluice {

struct LimiterWaiting {
  // In state kEnded the waiter has expired, or LimiterWaiters::leave() is about to free its place.
  struct Waiter : WaiterPlace<> {
    std::uint32_t list;   // the index of its owner's list
    WaiterLinks notice;   // its neighbours in that list
    std::uint64_t owner;  // the session that waits
    std::uint64_t cost;
    std::uint64_t deadline;  // limiter's time, or kNever
    std::uint64_t wait;      // once expired: how long another request of this cost would wait
    Key key;                 // {}: the limiter has no keys
    Receipt receipt;         // once served: its charge
    // Once expired: why it was refused. Once served in a dry run: why it would have been refused, if it would.
    Tiers::Refusal refusal;
    bool keyed;   // it waits for the state of `key`
    bool listed;  // it is in the list of its owner
  };
  // The news that an owner has not taken yet: its waiters that were served, have expired, or have come to the front.
  struct OwnerList {
    std::uint64_t owner;  // 0: free
    WaiterChain notices;
    std::uint32_t waiters;  // how many waiters of the owner have a place, in `notices` or not
    std::uint32_t next;     // the index of the next free list, + 1; 0: none
  };
  struct alignas(kCacheLine) Control : WaiterControl<> {
    std::uint32_t free_lists;  // the index of the first free list, + 1; not 0 while a place is free
  };
  using Places = WaiterList<Waiter>;

  static_assert(sizeof(Waiter) % kCacheLine == 0);  // so that the lists begin where the last waiter ends

  using Woken = WokenOwners;

  // The parameters of each call that may serve waiters.
  struct Asking {
    ThreadSlot& slot;  // of the calling thread
    const Clock& clock;
    // The depth of the queue that the depth tier follows. Each waiter that is served adds its cost, because what the
    // waiter will push is not in the queue yet.
    std::uint64_t& queue_depth;
    Woken& woken;
  };

  static constexpr std::uint32_t kNone = kNoWaiter;
  // A session whose callers wait. The session's thread keeps this struct.
  struct Owner {
    const std::uint64_t number;  // no other session has or had it; not 0
    // The index of the list that the session had last. The session still has this list if the list's owner is `number`.
    std::uint32_t list = kNone;
  };
  // A caller's request: its cost, and the longest time that it would wait, in ns (kNever: without end).
  struct Wish {
    std::uint64_t cost, patience;
    Owner& owner;
    const Key* key;  // nullptr: the limiter has no keys
  };
  struct Joined {
    Limiter::Decision decision;  // allowed, or why the caller was refused or waits
    // kNone: the caller does not wait.
    std::uint32_t waiter = kNone;
    std::uint64_t wait = 0;  // if not allowed: after so many ns the cost may be allowed, at the earliest
  };
  // One entry of an owner's list. kFront: the waiter has come to the front, or the wait of the front has changed. In
  // both cases the owner calls tend(), which returns the wait.
  struct Told {
    enum Outcome : std::uint8_t { kNothing, kServed, kExpired, kFront } outcome;
    std::uint32_t waiter;
    Tiers::Refusal refusal;  // see Waiter::refusal
    std::uint64_t wait;
    std::uint64_t cost;
    Key key;          // {}: the limiter has no keys
    Receipt receipt;  // see Waiter::receipt
  };
  struct Tended {
    // ns until the front of the waiter's state may be served; kNever: time alone does not make that possible, or there
    // is no front
    std::uint64_t wait;
    std::uint64_t left;  // ns until the waiter's deadline; kNever: it has none, or waits no more
    Key key;
  };
};

}  // namespace sluice
