// A bounded list of waiters in shared memory: places for waiters, an owner for each place that is taken, and chains,
// which link the waiters in the order in which they came. RoomWaiters and LimiterWaiters define what their waiters wait
// for.
//
//           take, enter            leave                    release
//   free ---------------> waiting -------> served or ended --------> free
//
// A waiter whose wait is over before it begins goes from free to ended at once: take(), end().
//
// A list contains only numbers and indices, so it means the same wherever its memory is mapped. One lock guards all of
// it; any thread may read a waiter's state, and the count of waiters, without the lock. The cost of a step does not
// depend on how many waiters there are; only format() visits all places.
//
// No wake-up is lost, whichever thread serves:
//
//   a waiter                                     a thread that makes room
//   enter(): waiting + 1                         makes room
//   before_look(): fence (seq_cst)    <----->    made_room(): fence (seq_cst)
//   is there room now?                           waiting() > 0? then it serves
//
// The waiter finds the room, or the thread that makes room finds the count, or both do. In this file "room" means
// whatever the waiters wait for.
#pragma once

#include <cstdint>
#include <new>

#include "core/base/atomics.h"
#include "core/base/spin_lock.h"

namespace sluice {

inline constexpr std::uint32_t kNoWaiter = ~0u;

// kEnded: the wait is over, and the waiter did not get what it waited for.
enum class WaiterState : std::uint32_t { kFree = 0, kWaiting = 1, kServed = 2, kEnded = 3 };

// The neighbours of a waiter in a chain, each as its index + 1; 0: none.
struct WaiterLinks {
  std::uint32_t next, prev;
};
// A chain of waiters, first in, first out. Its ends are indices + 1; both are 0 if it is empty.
struct WaiterChain {
  std::uint32_t first, last;
  bool empty() const noexcept { return first == 0; }
};

template <class A = StdAtomics>
struct WaiterControl {
  SpinLock<A> lock;
  std::uint32_t free;  // the index of the first free place, + 1; 0: none
  // How many waiters wait. Written under the lock, read by any thread.
  typename A::template atomic<std::uint32_t> waiting;
};

// The part that all types of waiters have in common. Each type derives from it, and adds a `std::uint64_t owner`: the
// session that waits.
template <class A = StdAtomics>
struct WaiterPlace {
  typename A::template atomic<WaiterState> state;  // written under the lock
  WaiterLinks links;                               // neighbours in its chain; `next` also links free places
};

// The owners whose threads must be woken. A step serves no more waiters once this is full(). LimiterWaiters also adds
// the owners of waiters whose waits it ends, even then. If there is no place left for an owner, `missed` is set, and
// the caller finds the owners elsewhere: see LimiterWaiters::listed().
struct WokenOwners {
  static constexpr std::uint32_t kMax = 64;
  // One more than kMax: LimiterWaiters::tend() may serve kMax waiters, and then end the wait of its own waiter.
  std::uint64_t owners[kMax + 1];
  std::uint32_t count = 0;
  std::uint32_t waiters = 0;
  bool missed = false;  // an owner was not added, because there was no place

  bool full() const noexcept { return waiters >= kMax; }
  void add(std::uint64_t owner) noexcept {
    ++waiters;
    if (count != 0 && owners[count - 1] == owner) return;
    if (count == kMax + 1) {
      missed = true;
    } else {
      owners[count++] = owner;
    }
  }
};

template <class Waiter, class A = StdAtomics>
class WaiterList {
 public:
  WaiterList(WaiterControl<A>& control, Waiter* places, std::uint32_t max) noexcept
      : control_(&control), places_(places), max_(max) {}

  // Makes all places free. `control` has been constructed, and all of it is 0.
  void format() noexcept {
    control_->waiting.store(0, std::memory_order_relaxed);
    control_->free = max_ == 0 ? 0 : 1;
    for (std::uint32_t i = 0; i < max_; ++i) {
      Waiter& made = *new (&places_[i]) Waiter{};
      made.state.store(WaiterState::kFree, std::memory_order_relaxed);
      made.links.next = i + 1 == max_ ? 0 : i + 2;
    }
  }

  std::uint32_t max() const noexcept { return max_; }
  SpinLock<A>& lock() const noexcept { return control_->lock; }
  Waiter& operator[](std::uint32_t index) const noexcept { return places_[index]; }
  std::uint32_t index_of(const Waiter& waiter) const noexcept {
    return static_cast<std::uint32_t>(&waiter - places_);
  }

  // ---- without the lock ------------------------------------------------------------------------------------------

  // A thread that makes room calls made_room() before this: see the handshake above.
  std::uint32_t waiting() const noexcept { return control_->waiting.load(std::memory_order_relaxed); }
  // A thread calls this after it has made room, by a store with release or a read-modify-write, and before it calls
  // waiting(). The fence pairs with that in before_look().
  static void made_room() noexcept { A::fence_after_release(std::memory_order_seq_cst); }

  // Relaxed: the owner takes the lock before it uses what its waiter was given, and the lock orders that.
  static WaiterState state(const Waiter& waiter) noexcept {
    return waiter.state.load(std::memory_order_relaxed);
  }
  // Whether the place has a waiter of `owner`. If so, the answer stays true until that owner frees the place. Takes the
  // lock.
  bool is_of(std::uint32_t index, std::uint64_t owner) const noexcept {
    const Locked<A> locked(control_->lock);
    return has_place(places_[index], owner);
  }

  // ---- under the lock --------------------------------------------------------------------------------------------

  bool has_place(const Waiter& waiter, std::uint64_t owner) const noexcept {
    return waiter.owner == owner && state(waiter) != WaiterState::kFree;
  }
  // Whether no place is free.
  bool full() const noexcept { return control_->free == 0; }

  // Takes a free place for `owner`; there must be one. The caller then calls enter() or end() before it unlocks the
  // lock.
  Waiter& take(std::uint64_t owner) noexcept {
    Waiter& taken = places_[control_->free - 1];
    control_->free = taken.links.next;
    taken.owner = owner;
    return taken;
  }
  // Adds the waiter at the end of `chain`.
  void enter(WaiterChain& chain, Waiter& waiter) noexcept {
    append<&Waiter::links>(chain, waiter);
    waiter.state.store(WaiterState::kWaiting, std::memory_order_relaxed);
    control_->waiting.fetch_add(1, std::memory_order_relaxed);
  }
  // A waiter's thread calls this after enter(), and before it looks for room. The fence pairs with that in made_room().
  static void before_look() noexcept { A::fence(std::memory_order_seq_cst); }

  // Takes a waiter out of the chain in which it waits, and gives it the state `becomes`.
  void leave(WaiterChain& chain, Waiter& waiter, WaiterState becomes) noexcept {
    remove<&Waiter::links>(chain, waiter);
    waiter.state.store(becomes, std::memory_order_relaxed);
    control_->waiting.fetch_sub(1, std::memory_order_relaxed);
  }
  // Called in place of enter(): the wait of this waiter is over before it has begun, so it is in no chain.
  void end(Waiter& waiter) noexcept { waiter.state.store(WaiterState::kEnded, std::memory_order_relaxed); }

  // Frees the place of a waiter that is in no chain.
  void release(Waiter& waiter) noexcept {
    waiter.state.store(WaiterState::kFree, std::memory_order_relaxed);
    waiter.links.next = control_->free;
    control_->free = index_of(waiter) + 1;
  }

  // The first waiter of the chain; nullptr: the chain is empty.
  Waiter* front(const WaiterChain& chain) const noexcept { return at(chain.first); }
  // The next waiter of the chain in which `waiter` is; nullptr: `waiter` is the last one.
  Waiter* behind(const Waiter& waiter) const noexcept { return at(waiter.links.next); }
  static bool is_front(const Waiter& waiter) noexcept { return waiter.links.prev == 0; }

  // append() and remove() work on any chain: `kLinks` is the member of a waiter that contains its links in that chain.
  template <auto kLinks>
  void append(WaiterChain& chain, Waiter& waiter) noexcept {
    const std::uint32_t place = index_of(waiter) + 1;
    waiter.*kLinks = {0, chain.last};
    (chain.last == 0 ? chain.first : (places_[chain.last - 1].*kLinks).next) = place;
    chain.last = place;
  }
  template <auto kLinks>
  void remove(WaiterChain& chain, const Waiter& waiter) noexcept {
    const auto [next, prev] = waiter.*kLinks;
    (prev == 0 ? chain.first : (places_[prev - 1].*kLinks).next) = next;
    (next == 0 ? chain.last : (places_[next - 1].*kLinks).prev) = prev;
  }

 private:
  Waiter* at(std::uint32_t place) const noexcept { return place == 0 ? nullptr : &places_[place - 1]; }

  WaiterControl<A>* control_;
  Waiter* places_;
  std::uint32_t max_;
};

}  // namespace sluice
