// What stands in memory of those who wait for a limiter, and what calls about them are given and answer.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/base/clock.h"
#include "core/base/spin_lock.h"
#include "core/base/thread_slots.h"
#include "core/limiter/limiter.h"

namespace sluice {

struct LimiterWaiting {
  enum class State : std::uint8_t { kFree = 0, kWaiting = 1, kServed = 2, kExpired = 3 };

  struct Waiter {
    State state;                         // changed under the lock
    bool keyed;                          // it waits for the state of `key`
    bool listed;                         // in the list of its owner
    Tiers::Refusal refusal;              // once expired: what would refuse it
    std::uint32_t list;                  // of its owner
    std::uint32_t next, prev;            // in the line of its state; waiter + 1. `next` also in the free list
    std::uint32_t list_next, list_prev;  // in the list of its owner; waiter + 1
    std::uint64_t owner;                 // the attachment that waits
    std::uint64_t cost;
    std::uint64_t deadline;  // limiter's time, or kNever
    std::uint64_t wait;      // once expired: what somebody new would wait
    Key key;
    Receipt receipt;  // once served
  };
  struct List {
    std::uint64_t owner;        // 0: free
    std::uint32_t first, last;  // waiter + 1
    std::uint32_t waiters;      // places that the owner has, listed or not
    std::uint32_t next;         // in the free list; list + 1
  };
  struct alignas(kCacheLine) Control {
    SpinLock<> lock;
    std::uint32_t free;        // waiter + 1
    std::uint32_t free_lists;  // list + 1; never 0 while a waiter is free
    std::atomic<std::uint32_t> waiting;
  };

  static_assert(sizeof(Waiter) % kCacheLine == 0);  // so that the lists stand where the last waiter ends

  // Owners to be woken, for a bounded number of entries in their lists: of any number, if a line was reviewed.
  struct Woken {
    static constexpr std::uint32_t kMax = 64;
    std::uint64_t owners[kMax + 1];  // tend() may add one when it is full
    std::uint32_t count = 0;
    std::uint32_t entries = 0;
    bool missed = false;  // there was no room for all owners: see LimiterWaiters::listed()
    bool full() const noexcept { return entries >= kMax; }
    void add(std::uint64_t owner) noexcept {
      ++entries;
      if (count != 0 && owners[count - 1] == owner) return;
      if (count == kMax + 1) {
        missed = true;
      } else {
        owners[count++] = owner;
      }
    }
  };

  // What is asked for, by whom: of one call.
  struct Asking {
    ThreadSlot& line;
    const Clock& clock;
    std::uint64_t queue_depth;
    Woken& woken;
  };

  static constexpr std::uint32_t kNone = ~0u;
  // Who waits: an attachment, in the words of its own thread.
  struct Owner {
    const std::uint64_t number;  // which no other has or had; not 0
    std::uint32_t list = kNone;  // its list, as long as that list's owner is it
  };
  struct Joined {
    Limiter::Decision decision;  // refused_by: of who was refused; and of who waits, why
    std::uint32_t waiter = kNone;
    std::uint64_t wait = 0;  // ns: until it is worth asking again; of a refusal: at least
  };
  // One entry of an owner's list. kFront: tend() it, the time of its line is another one.
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
    std::uint64_t wait;  // ns until the front of the line may be served; kNever if no clock tells
    std::uint64_t
        left;  // ns until the waiter's deadline; kNever without one, or if it does not wait any more
    Key key;
  };
};

}  // namespace sluice
