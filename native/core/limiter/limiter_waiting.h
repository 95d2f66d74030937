// What the waiters of a limiter consist of in memory, and what calls about them are given and answer.
#pragma once

#include <cstdint>

#include "core/base/clock.h"
#include "core/base/thread_slots.h"
#include "core/base/waiter_list.h"
#include "core/limiter/limiter.h"

namespace sluice {

struct LimiterWaiting {
  // kEnded: the waiter has expired.
  struct Waiter : WaiterPlace<> {
    std::uint32_t list;   // that of its owner
    WaiterLinks notice;   // in that list
    std::uint64_t owner;  // the session that waits
    std::uint64_t cost;
    std::uint64_t deadline;  // limiter's time, or kNever
    std::uint64_t wait;      // once expired: what a new waiter would wait
    Key key;                 // {}: of a limiter without keys
    Receipt receipt;         // once served
    Tiers::Refusal refusal;  // once expired: what would refuse it
    bool keyed;              // it waits for the state of `key`
    bool listed;             // it is in the list of its owner
  };
  // What an owner has yet to hear: waiters that were served, have expired, or have come to the front.
  struct OwnerList {
    std::uint64_t owner;  // 0: free
    WaiterChain notices;
    std::uint32_t waiters;  // places that the owner has, listed or not
    std::uint32_t next;     // in the list of free ones; list + 1
  };
  struct alignas(kCacheLine) Control : WaiterControl<> {
    std::uint32_t free_lists;  // list + 1; never 0 while a place is free
  };
  using Places = WaiterList<Waiter>;

  static_assert(sizeof(Waiter) % kCacheLine == 0);  // so that the lists begin where the last waiter ends

  using Woken = WokenOwners;

  // What every call about waiters is given.
  struct Asking {
    ThreadSlot& slot;  // of the calling thread
    const Clock& clock;
    std::uint64_t queue_depth;
    Woken& woken;
  };

  static constexpr std::uint32_t kNone = kNoWaiter;
  // A session that waits, as its own thread knows it.
  struct Owner {
    const std::uint64_t number;  // no other session has or had it; not 0
    std::uint32_t list = kNone;  // its list, as long as that list's owner is this number
  };
  // What a caller asks for. `patience`: how long it would wait, in ns, or kNever: without end.
  struct Wish {
    std::uint64_t cost, patience;
    Owner& owner;
    const Key* key;  // nullptr: the limiter has no keys
  };
  struct Joined {
    Limiter::Decision decision;  // why the caller was refused, or why it waits
    std::uint32_t waiter = kNone;
    std::uint64_t wait = 0;  // ns until it is worth asking again; of a refusal: at least that
  };
  // One entry of an owner's list. kFront: the wait of its line has changed; tend() returns it.
  struct Told {
    enum Outcome : std::uint8_t { kNothing, kServed, kExpired, kFront } outcome;
    std::uint32_t waiter;
    Tiers::Refusal refusal;
    std::uint64_t wait;
    std::uint64_t cost;
    Key key;          // {}: of a limiter without keys
    Receipt receipt;  // of one that was served
  };
  struct Tended {
    std::uint64_t
        wait;  // ns until the front may be served; kNever: only another thread can make that possible
    std::uint64_t left;  // ns until the waiter's deadline; kNever: it has none, or waits no more
    Key key;
  };
};

}  // namespace sluice
