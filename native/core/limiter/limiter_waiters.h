// Those who wait until a limiter allows them: for each key (or for the limiter without keys) served in the order in
// which they came, over all threads. While somebody waits for a state, nobody else is allowed by it.
//
//            join               serve                     told (to its owner)
//   free ---------> waiting ----------------> served -----------------------> free
//    ^                 |  \ expire                 |
//    |                 |   +---------> expired ----|---------------------------^
//    +-----------------+-------- leave: the charge of one that was served is refunded
//
// What an owner must know stands in its list, and its bell is rung: which of its waiters were served, expired, or came
// to the front of their line. An owner has a list while one of its waiters has a place, so there are as many lists as
// places, however many owners there are. Nothing here looks at a whole line or list, but review(), which follows a
// change of limits.
//
//   | Control | Waiter[max] | List[max] |
//
// No background thread serves waiters. Owners do, by tend(), when the time has passed that it returned for the front;
// and so does any thread that gives capacity back. No wake-up is lost: join() counts the waiter, in the state and in
// all, then a fence, then asks the tiers once more; a thread that leaves the depth does so, then a fence, then looks at
// the counts. One sees the other.
//
// A lock for all waiters; taken inside the lock of a key's set, never the other way round.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/base/layout.h"
#include "core/base/spin_lock.h"
#include "core/limiter/limiter.h"
#include "core/limiter/limiter_waiting.h"

namespace sluice {

class LimiterWaiters : public LimiterWaiting {
 public:
  static std::uint64_t bytes(std::uint32_t max) { return bytes_of<Control, Waiter, List>(1, max, max); }

  LimiterWaiters(Limiter& limiter, void* memory, std::uint32_t max)
      : limiter_(limiter),
        control_(static_cast<Control*>(memory)),
        waiters_(reinterpret_cast<Waiter*>(control_ + 1)),
        lists_(reinterpret_cast<List*>(waiters_ + max)),
        max_(max) {}

  void format() noexcept {
    control_->free = control_->free_lists = max_ == 0 ? 0 : 1;
    for (std::uint32_t i = 0; i < max_; ++i) waiters_[i].next = lists_[i].next = i + 1 == max_ ? 0 : i + 2;
  }
  std::uint32_t waiting() const noexcept { return control_->waiting.load(std::memory_order_relaxed); }

  // Whether this is a waiter of `owner`, which alone frees its place.
  bool is_of(std::uint32_t index, const Owner& owner) const noexcept {
    const Locked locked(control_->lock);
    return waiters_[index].state != State::kFree && waiters_[index].owner == owner.number;
  }

  // Allows `cost` now, or refuses it because it cannot be allowed within `patience` ns (or ever, or the line is
  // full), or lets it wait.
  Joined join(const Asking& asking, std::uint64_t now, std::uint64_t cost, std::uint64_t patience,
              Owner& owner, const Key* key) noexcept {
    Joined joined;
    bool must_stay = false;
    const auto ask = [&](Tiers& tiers, std::uint64_t time, bool stays) {
      must_stay = !join_in(tiers, asking, time, cost, patience, owner, key, stays, joined);
    };
    limiter_.visit(asking.line, now, key, Limiter::need_of(cost), ask);
    if (!must_stay) return joined;
    // A guest in a slot of those that stay nowhere. It asks anew in one where it may, if there is one.
    if (!limiter_.visit(asking.line, now, key, Limiter::Need::kStay, ask)) {
      joined.decision.refused_by = joined.decision.would_refuse = Tier::kLine;
      limiter_.count(asking.line, joined.decision, cost, false);
    }
    return joined;
  }

  // Serves the line of a waiter, and ends the waiter's own wait if its deadline has passed, or cannot be met by the
  // front that it is; by its owner.
  Tended tend(const Asking& asking, std::uint64_t now, std::uint32_t index) noexcept {
    Waiter& waiter = waiters_[index];
    Tended tended{kNever, kNever, waiter.key};
    visit(asking.line, now, waiter, [&](Tiers& tiers, std::uint64_t time, bool) {
      const Locked locked(control_->lock);
      serve(tiers, asking, time);
      if (waiter.state == State::kWaiting) {
        if (too_late(tiers, time, waiter)) {
          expire(tiers, asking, time, waiter);
          serve(tiers, asking, time);
        } else if (waiter.deadline != kNever) {
          tended.left = waiter.deadline - time;
        }
      }
      const std::uint32_t front = tiers.line().first;
      if (front != 0) tended.wait = tiers.retry_after(waiters_[front - 1].cost, time);
      if (tended.wait == 0) tended.wait = kNever;  // whoever gives back serves it
    });
    return tended;
  }

  // The next entry in the list of `owner`. A waiter that was served or has expired is free afterwards.
  Told told(const Owner& owner) noexcept {
    const Locked locked(control_->lock);
    const std::uint32_t entry = has_list(owner) ? lists_[owner.list].first : 0;
    if (entry == 0) return {};
    Waiter& waiter = waiters_[entry - 1];
    unlist(waiter);
    Told told{Told::kFront, entry - 1, waiter.refusal, waiter.wait, waiter.cost, waiter.key, waiter.receipt};
    if (waiter.state != State::kWaiting) {
      told.outcome = waiter.state == State::kServed ? Told::kServed : Told::kExpired;
      release(entry - 1);
    }
    return told;
  }

  // The owner gives up: whatever the waiter was charged is refunded. Returns for which key it waited; {}: the limiter
  // has none.
  Key leave(const Asking& asking, std::uint64_t now, std::uint32_t index) noexcept {
    Waiter& waiter = waiters_[index];
    const Key key = waiter.key;
    bool left = false;
    visit(asking.line, now, waiter, [&](Tiers& tiers, std::uint64_t time, bool) {
      const Locked locked(control_->lock);
      if (waiter.state == State::kWaiting) {
        const bool front = waiter.prev == 0;
        unlink(tiers.line(), waiter);
        if (front) tell_front(tiers.line(), asking);
      } else if (waiter.state == State::kServed) {
        left = limiter_.leave(asking.line, tiers, waiter.cost);
        tiers.refund_rates(waiter.receipt, waiter.cost, time);
      }
      serve(tiers, asking, time);
    });
    const Locked locked(control_->lock);
    if (waiter.state == State::kFree) return key;
    if (waiter.state == State::kServed) {
      if (!left) limiter_.leave_behind(asking.line, waiter.cost);
      asking.line.count(Limiter::kAllowed, ~0ULL);
    }
    if (waiter.listed) unlist(waiter);
    release(index);
    return key;
  }

  // How far a call has come that goes over all places. It stops where `asking.woken` is full; the caller serves the
  // rest of the line that it has come to, and calls it again with `next`, until that is `max`.
  struct Passed {
    std::uint32_t next;
    Key key;  // of that line; {}: of a limiter without keys
  };
  // Nothing of `owner` remains. To be called with `from` 0 first.
  Passed abandon(const Asking& asking, std::uint64_t now, const Owner& owner, std::uint32_t from) noexcept {
    for (std::uint32_t index = from; index < max_; ++index) {
      control_->lock.lock();
      const bool own = waiters_[index].state != State::kFree && waiters_[index].owner == owner.number;
      control_->lock.unlock();
      if (!own) continue;
      const Key key = leave(asking, now, index);
      if (asking.woken.full()) return {index + 1, key};
    }
    return {max_, {}};
  }

  // Something was given back to the state of `key`: those who wait for it may be served, or sooner than they know.
  void given_back(const Asking& asking, std::uint64_t now, const Key* key) noexcept {
    if (max_ == 0) return;
    // Pairs with the fence in join().
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (waiting() == 0) return;
    const auto act = [&](Tiers& tiers, std::uint64_t time, bool) {
      if (tiers.line().waiting.load(std::memory_order_relaxed) == 0) return;
      const Locked locked(control_->lock);
      if (!serve(tiers, asking, time)) tell_front(tiers.line(), asking);
    };
    limiter_.visit(asking.line, now, key, Limiter::Need::kFound, act);
  }

  // The limits have changed: those who wait no longer within their deadlines are told so at once, and all owners of a
  // front to look again. Takes time in proportion to who waits. To be called with `from` 0 first.
  Passed review(const Asking& asking, std::uint64_t now, std::uint32_t from) noexcept {
    if (waiting() == 0) return {max_, {}};
    for (std::uint32_t index = from; index < max_; ++index) {
      control_->lock.lock();
      const Waiter waiter = waiters_[index];
      control_->lock.unlock();
      if (waiter.state != State::kWaiting || waiter.prev != 0) continue;
      visit(asking.line, now, waiter, [&](Tiers& tiers, std::uint64_t time, bool) {
        const Locked locked(control_->lock);
        review_line(tiers, asking, time);
      });
      if (asking.woken.full()) return {index + 1, waiter.key};
    }
    return {max_, {}};
  }
  // The same for those who wait for one state: that of `key`, or of a limiter without keys.
  void review_of(const Asking& asking, std::uint64_t now, const Key* key) noexcept {
    if (waiting() == 0) return;
    const auto act = [&](Tiers& tiers, std::uint64_t time, bool) {
      if (tiers.line().waiting.load(std::memory_order_relaxed) == 0) return;
      const Locked locked(control_->lock);
      review_line(tiers, asking, time);
    };
    limiter_.visit(asking.line, now, key, Limiter::Need::kFound, act);
  }

  // Adds owners whose list is not empty to `woken`, as many as fit. To be called with `from` 0, and again with what it
  // returned, until that is `max`.
  std::uint32_t listed(Woken& woken, std::uint32_t from) const noexcept {
    const Locked locked(control_->lock);
    for (; from < max_ && !woken.full(); ++from) {
      if (lists_[from].owner != 0 && lists_[from].first != 0) woken.add(lists_[from].owner);
    }
    return from;
  }

 private:
  template <class Act>
  void visit(ThreadSlot& line, std::uint64_t now, const Waiter& waiter, Act&& act) noexcept {
    limiter_.visit(line, now, waiter.keyed ? &waiter.key : nullptr, Limiter::Need::kFound, act);
  }

  // join() in the state of the key. False, and nothing is done: it would wait, and the state does not stay.
  bool join_in(Tiers& tiers, const Asking& asking, std::uint64_t time, std::uint64_t cost,
               std::uint64_t patience, Owner& owner, const Key* key, bool stays, Joined& joined) noexcept {
    const Locked locked(control_->lock);
    StateLine& state = tiers.line();
    joined.decision = limiter_.decide_in(tiers, asking.line, asking.clock, time, cost, asking.queue_depth);
    if (joined.decision.refused_by == Tier::kNone) {
      limiter_.count(asking.line, joined.decision, cost, key != nullptr && tiers.holds_depth());
      return true;
    }
    if (cost == 0 && !stays) {  // an overload: of nothing that is here
      joined.wait = tiers.retry_after(cost, time);
      limiter_.count(asking.line, joined.decision, cost, false);
      return true;
    }
    const std::uint32_t before = state.waiting.fetch_add(1, std::memory_order_relaxed);
    joined.wait = tiers.least_wait(state.cost.load(std::memory_order_relaxed), cost, time);
    const bool hopeless =
        joined.decision.refused_by == Tier::kAdaptive || joined.wait == kNever || joined.wait > patience;
    const std::uint32_t index = control_->free;
    const bool full = index == 0 || (key != nullptr && before >= limiter_.config().waiting_per_key);
    if (hopeless || full || !stays) {
      state.waiting.fetch_sub(1, std::memory_order_relaxed);
      if (!hopeless && !full) return false;
      if (!hopeless) joined.decision.refused_by = joined.decision.would_refuse = Tier::kLine;
      limiter_.count(asking.line, joined.decision, cost, false);
      return true;
    }
    Waiter& waiter = waiters_[index - 1];
    control_->free = waiter.next;
    const std::uint64_t deadline = patience == kNever ? kNever : time + patience;
    waiter = {};
    waiter.state = State::kWaiting;
    waiter.keyed = key != nullptr;
    waiter.list = list_of(owner);
    ++lists_[waiter.list].waiters;
    waiter.prev = state.last;
    waiter.owner = owner.number;
    waiter.cost = cost;
    waiter.deadline = deadline;
    if (key != nullptr) waiter.key = *key;
    (state.last == 0 ? state.first : waiters_[state.last - 1].next) = index;
    state.last = index;
    state.cost.fetch_add(cost, std::memory_order_relaxed);
    control_->waiting.fetch_add(1, std::memory_order_relaxed);
    // Pairs with the fence in given_back(). After both marks that it looks at, and before serve() looks at the tiers.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    joined.waiter = index - 1;
    serve(tiers, asking, time);
    return true;
  }

  // Serves from the front of a state's line while the tiers allow it. Whether it served somebody.
  bool serve(Tiers& tiers, const Asking& asking, std::uint64_t time) noexcept {
    StateLine& state = tiers.line();
    bool served = false;
    while (state.first != 0 && !asking.woken.full()) {
      Waiter& front = waiters_[state.first - 1];
      const Tiers::Taken taken =
          tiers.take(front.cost, time, asking.queue_depth, limiter_.since_epoch(asking.clock));
      if (taken.refused_by != Tier::kNone) break;
      front.receipt = taken.receipt;
      unlink(state, front);
      front.state = State::kServed;
      asking.line.count(Limiter::kAllowed);
      if (front.keyed && tiers.holds_depth()) asking.line.count(Limiter::kInFlight, front.cost);
      tell(front, asking);
      served = true;
    }
    if (served) tell_front(state, asking);
    return served;
  }

  // Only of the front is it known how long it will wait.
  bool too_late(const Tiers& tiers, std::uint64_t time, const Waiter& waiter) const noexcept {
    if (waiter.deadline != kNever && time >= waiter.deadline) return true;
    if (waiter.prev != 0) return false;
    const std::uint64_t wait = tiers.least_wait(0, waiter.cost, time);
    return wait == kNever || (waiter.deadline != kNever && wait > waiter.deadline - time);
  }

  void expire(Tiers& tiers, const Asking& asking, std::uint64_t time, Waiter& waiter) noexcept {
    StateLine& state = tiers.line();
    const bool front = waiter.prev == 0;
    waiter.refusal = tiers.named(tiers.refuses(waiter.cost, time, asking.queue_depth), waiter.cost);
    unlink(state, waiter);
    waiter.wait = tiers.least_wait(state.cost.load(std::memory_order_relaxed), waiter.cost, time);
    waiter.state = State::kExpired;
    asking.line.count(Limiter::kAllowed + static_cast<std::uint32_t>(waiter.refusal.tier));
    tell(waiter, asking);
    if (front) tell_front(state, asking);
  }

  // Walks over the line once, however many have expired: who stays is not looked at again.
  void review_line(Tiers& tiers, const Asking& asking, std::uint64_t time) noexcept {
    StateLine& state = tiers.line();
    std::uint64_t ahead = 0;
    for (std::uint32_t at = state.first; at != 0;) {
      Waiter& waiter = waiters_[at - 1];
      at = waiter.next;
      const std::uint64_t wait = tiers.least_wait(ahead, waiter.cost, time);
      const bool late =
          waiter.deadline != kNever && (time >= waiter.deadline || wait > waiter.deadline - time);
      if (wait == kNever || late) {
        expire(tiers, asking, time, waiter);
      } else {
        ahead += waiter.cost;
      }
    }
    if (!serve(tiers, asking, time)) tell_front(state, asking);
  }

  // Puts a waiter into the list of its owner, who is to be woken.
  void tell(Waiter& waiter, const Asking& asking) noexcept {
    asking.woken.add(waiter.owner);
    if (waiter.listed) return;
    List& list = lists_[waiter.list];
    const std::uint32_t index = number(waiter);
    waiter.listed = true;
    waiter.list_next = 0;
    waiter.list_prev = list.last;
    (list.last == 0 ? list.first : waiters_[list.last - 1].list_next) = index;
    list.last = index;
  }
  // The owner of the front is to look again; unless nobody more can be woken now: then this is called again.
  void tell_front(const StateLine& state, const Asking& asking) noexcept {
    if (state.first != 0 && !asking.woken.full()) tell(waiters_[state.first - 1], asking);
  }
  void unlist(Waiter& waiter) noexcept {
    List& list = lists_[waiter.list];
    (waiter.list_prev == 0 ? list.first : waiters_[waiter.list_prev - 1].list_next) = waiter.list_next;
    (waiter.list_next == 0 ? list.last : waiters_[waiter.list_next - 1].list_prev) = waiter.list_prev;
    waiter.listed = false;
  }
  std::uint32_t number(const Waiter& waiter) const noexcept {
    return static_cast<std::uint32_t>(&waiter - waiters_) + 1;
  }

  void unlink(StateLine& state, const Waiter& waiter) noexcept {
    (waiter.prev == 0 ? state.first : waiters_[waiter.prev - 1].next) = waiter.next;
    (waiter.next == 0 ? state.last : waiters_[waiter.next - 1].prev) = waiter.prev;
    state.cost.fetch_sub(waiter.cost, std::memory_order_relaxed);
    state.waiting.fetch_sub(1, std::memory_order_relaxed);
    control_->waiting.fetch_sub(1, std::memory_order_relaxed);
  }
  // The place of a waiter that is in no line and no list any more.
  void release(std::uint32_t index) noexcept {
    Waiter& waiter = waiters_[index];
    waiter.state = State::kFree;
    waiter.next = control_->free;
    control_->free = index + 1;
    List& list = lists_[waiter.list];
    if (--list.waiters != 0) return;
    list.owner = 0;
    list.next = control_->free_lists;
    control_->free_lists = waiter.list + 1;
  }

  bool has_list(const Owner& owner) const noexcept {
    return owner.list != kNone && lists_[owner.list].owner == owner.number;
  }
  // The list of an owner that gets a place, taken if it has none.
  std::uint32_t list_of(Owner& owner) noexcept {
    if (has_list(owner)) return owner.list;
    owner.list = control_->free_lists - 1;
    List& list = lists_[owner.list];
    control_->free_lists = list.next;
    list = {owner.number, 0, 0, 0, 0};
    return owner.list;
  }

  Limiter& limiter_;
  Control* control_;
  Waiter* waiters_;
  List* lists_;
  std::uint32_t max_;
};

}  // namespace sluice
