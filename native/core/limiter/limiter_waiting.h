// The structs of a limiter's waiters: their places in memory, and the parameters and results of calls about them.
#pragma once

#include <cstdint>

#include "core/base/clock.h"
#include "core/base/thread_slots.h"
#include "core/base/waiter_list.h"
#include "core/limiter/limiter.h"

namespace sluice {

struct LimiterWaiting {
  // In state kEnded the waiter has expired.
  struct Waiter : WaiterPlace<> {
    std::uint32_t list;   // the index of its owner's list
    WaiterLinks notice;   // its neighbours in that list
    std::uint64_t owner;  // the session that waits
    std::uint64_t cost;
    std::uint64_t deadline;  // limiter's time, or kNever
    std::uint64_t wait;      // once expired: how long a new waiter would wait
    Key key;                 // {}: of a limiter without keys
    Receipt receipt;         // once served
    Tiers::Refusal refusal;  // once expired: the refusal; once served: what only a dry run let pass
    bool keyed;              // it waits for the state of `key`
    bool listed;             // it is in the list of its owner
  };
  // The news that an owner has not taken yet: its waiters that were served, have expired, or have come to the front.
  struct OwnerList {
    std::uint64_t owner;  // 0: free
    WaiterChain notices;
    std::uint32_t waiters;  // places that the owner has, listed or not
    std::uint32_t next;     // the next free list + 1; 0: none
  };
  struct alignas(kCacheLine) Control : WaiterControl<> {
    std::uint32_t free_lists;  // the first free list + 1; not 0 while a place is free
  };
  using Places = WaiterList<Waiter>;

  static_assert(sizeof(Waiter) % kCacheLine == 0);  // so that the lists begin where the last waiter ends

  using Woken = WokenOwners;

  // The parameters of every call about waiters.
  struct Asking {
    ThreadSlot& slot;  // of the calling thread
    const Clock& clock;
    std::uint64_t queue_depth;
    Woken& woken;
  };

  static constexpr std::uint32_t kNone = kNoWaiter;
  // A session whose callers wait. Its own thread keeps this struct.
  struct Owner {
    const std::uint64_t number;  // no other session has or had it; not 0
    std::uint32_t list = kNone;  // the index of its list, if the owner of that list is `number`
  };
  // A caller's request: its cost, and the longest time that it would wait, in ns (kNever: without end).
  struct Wish {
    std::uint64_t cost, patience;
    Owner& owner;
    const Key* key;  // nullptr: the limiter has no keys
  };
  struct Joined {
    Limiter::Decision decision;  // why the caller was refused, or why it waits
    std::uint32_t waiter = kNone;
    std::uint64_t wait = 0;  // at least so many ns until it is worth asking again
  };
  // One entry of an owner's list. kFront: the waiter is the front now, or the wait of the front has changed; tend()
  // returns that wait.
  struct Told {
    enum Outcome : std::uint8_t { kNothing, kServed, kExpired, kFront } outcome;
    std::uint32_t waiter;
    Tiers::Refusal refusal;  // as Waiter::refusal
    std::uint64_t wait;
    std::uint64_t cost;
    Key key;          // {}: of a limiter without keys
    Receipt receipt;  // of one that was served
  };
  struct Tended {
    // ns until the front may be served; kNever: only another thread can make that possible
    std::uint64_t wait;
    std::uint64_t left;  // ns until the waiter's deadline; kNever: it has none, or waits no more
    Key key;
  };
};

}  // namespace sluice
