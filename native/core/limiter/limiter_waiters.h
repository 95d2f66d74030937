// The waiters of a limiter. The waiters of one key (or of a limiter without keys) are served in the order in which they
// came, in whichever threads they wait. While a state has waiters, it refuses every other request, except one of cost
// 0.
//
//            join               serve                     told (to its owner)
//   free ---------> waiting ----------------> served -----------------------> free
//    ^                 |  \ expire                 |
//    |                 |   +---------> expired ----|---------------------------^
//    +-----------------+-------- leave: the charge of one that was served is refunded
//
// If there is news about a waiter, the waiter is in its owner's list (see owner_lists.h), and the owner's bell is rung.
// Only review() and review_of(), which are called after the limits have changed or a key was blocked, walk over all
// waiters of a state.
//
//   memory:  | Control | Waiter[max] | OwnerList[max] |
//
// No background thread serves waiters. Their owners do: an owner calls tend() again when the time is over that tend()
// returned for the front. A thread that gives capacity back also serves them, with given_back(). The handshake of
// waiter_list.h lets no wake-up get lost: join() counts the waiter in its state and in the list, then calls
// before_look(), then asks the tiers once more. A thread gives capacity back, then calls made_room(), then reads the
// counts.
//
// A thread takes the lock of the list while it has the lock of a key's set, never the other way round.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/base/layout.h"
#include "core/limiter/limiter.h"
#include "core/limiter/limiter_waiting.h"
#include "core/limiter/owner_lists.h"

namespace sluice {

class LimiterWaiters : public LimiterWaiting {
 public:
  static Layout layout(std::uint32_t max) { return layout_of<Control, Waiter, OwnerList>(1, max, max); }
  static std::uint64_t bytes(std::uint32_t max) { return layout(max).bytes(); }

  LimiterWaiters(Limiter& limiter, void* memory, std::uint32_t max)
      : LimiterWaiters(limiter, *static_cast<Control*>(memory),
                       reinterpret_cast<Waiter*>(static_cast<Control*>(memory) + 1), max) {}

  void format() noexcept {
    list_.format();
    lists_.format();
  }
  std::uint32_t waiting() const noexcept { return list_.waiting(); }
  bool is_of(std::uint32_t index, const Owner& owner) const noexcept {
    return list_.is_of(index, owner.number);
  }

  // Allows `wish.cost` now; or refuses it, because it cannot be allowed within the caller's patience, because too many
  // wait, or because the adaptive tier refuses it; or lets it wait.
  Joined join(const Asking& asking, std::uint64_t now, const Wish& wish) noexcept {
    Joined joined;
    bool must_stay = false;
    const auto ask = [&](Tiers& tiers, std::uint64_t time, bool stays) {
      must_stay = !join_in(tiers, asking, time, wish, stays, joined);
    };
    limiter_.visit(asking.slot, now, wish.key, Limiter::need_of(wish.cost), ask);
    if (!must_stay) return joined;
    // The key is a guest that may be forgotten at any time, so its state can have no waiters. Asks again in a state
    // that stays, if there is room for one.
    if (!limiter_.visit(asking.slot, now, wish.key, Limiter::Need::kStay, ask)) {
      joined.decision.refused_by = joined.decision.would_refuse = Tier::kLine;
      limiter_.count(asking.slot, joined.decision, wish.cost, false);
    }
    return joined;
  }

  // Called by a waiter's owner. Serves the waiters of the state for which it waits. Then ends the waiter's wait if its
  // deadline has passed, or if the waiter is the front and cannot be served at all, or not before its deadline.
  Tended tend(const Asking& asking, std::uint64_t now, std::uint32_t index) noexcept {
    Waiter& waiter = list_[index];
    Tended tended{kNever, kNever, waiter.key};
    visit(asking.slot, now, waiter, [&](Tiers& tiers, std::uint64_t time, bool) {
      const Locked locked(list_.lock());
      serve(tiers, asking, time);
      tended.left = expire_if_late(tiers, asking, time, waiter);
      const Waiter* front = list_.front(tiers.line().chain);
      if (front != nullptr) tended.wait = tiers.retry_after(front->cost, time);
      // The front then waits for depth: the thread that gives depth back serves the front. (Or `asking.woken` was full:
      // then the caller serves the state again.)
      if (tended.wait == 0) tended.wait = kNever;
    });
    return tended;
  }

  // Takes the next entry out of the list of `owner`, and returns it. If that waiter was served or has expired, this
  // frees its place.
  Told told(const Owner& owner) noexcept {
    const Locked locked(list_.lock());
    Waiter* waiter = lists_.next_of(owner);
    if (waiter == nullptr) return {};
    Told told{Told::kFront, list_.index_of(*waiter), waiter->refusal, waiter->wait, waiter->cost,
              waiter->key,  waiter->receipt};
    if (const WaiterState state = Places::state(*waiter); state != WaiterState::kWaiting) {
      told.outcome = state == WaiterState::kServed ? Told::kServed : Told::kExpired;
      release(*waiter);
    }
    return told;
  }

  // Called when the owner gives the waiter up. If it was served, its charge is refunded. Returns the key for which it
  // waited; {}: the limiter has no keys.
  Key leave(const Asking& asking, std::uint64_t now, std::uint32_t index) noexcept {
    Waiter& waiter = list_[index];
    const Key key = waiter.key;
    bool left = false;
    visit(asking.slot, now, waiter, [&](Tiers& tiers, std::uint64_t time, bool) {
      const Locked locked(list_.lock());
      left = leave_in(tiers, asking, time, waiter);
    });
    const Locked locked(list_.lock());
    const WaiterState state = Places::state(waiter);
    if (state == WaiterState::kFree) return key;
    if (state == WaiterState::kServed) {
      if (!left) limiter_.leave_behind(asking.slot, waiter.cost);
      Limiter::uncount(asking.slot, waiter.refusal.tier);
    }
    release(waiter);
    return key;
  }

  // How far a call that goes over all places has come. It stops when `asking.woken` is full. The caller then serves the
  // other waiters of `key`, and calls again with `next` as `from`, until `next` is `max`.
  struct Passed {
    std::uint32_t next;
    Key key;  // {}: the limiter has no keys
  };
  // Gives up all waiters of `owner`. `from` is 0 in the first call.
  Passed abandon(const Asking& asking, std::uint64_t now, const Owner& owner, std::uint32_t from) noexcept {
    for (std::uint32_t index = from; index < list_.max(); ++index) {
      if (!is_of(index, owner)) continue;
      const Key key = leave(asking, now, index);
      if (asking.woken.full()) return {index + 1, key};
    }
    return {list_.max(), {}};
  }

  // Called after something was given back to the state of `key`. Serves its waiters. If none can be served yet, the
  // owner of the front is woken, because the front's wait may be shorter now.
  void given_back(const Asking& asking, std::uint64_t now, const Key* key) noexcept {
    if (list_.max() == 0) return;
    Places::made_room();
    if (waiting() == 0) return;
    visit_line(asking.slot, now, key, [&](Tiers& tiers, std::uint64_t time) {
      if (!serve(tiers, asking, time)) notify_front(tiers.line(), asking);
    });
  }

  // Called after the limits have changed. Ends at once the wait of each waiter that can no longer be served before its
  // deadline, serves those that the new limits allow, and wakes the owner of each front, which then calls tend(). Takes
  // time in proportion to the places. `from` is 0 in the first call.
  Passed review(const Asking& asking, std::uint64_t now, std::uint32_t from) noexcept {
    if (waiting() == 0) return {list_.max(), {}};
    for (std::uint32_t index = from; index < list_.max(); ++index) {
      Key key;
      if (!is_front_of(index, key)) continue;
      review_of(asking, now, key == Key{} ? nullptr : &key);
      if (asking.woken.full()) return {index + 1, key};
    }
    return {list_.max(), {}};
  }
  // Does what review() does, for the waiters of one state: that of `key`; nullptr: the limiter has no keys.
  void review_of(const Asking& asking, std::uint64_t now, const Key* key) noexcept {
    if (waiting() == 0) return;
    visit_line(asking.slot, now, key,
               [&](Tiers& tiers, std::uint64_t time) { review_line(tiers, asking, time); });
  }

  // Adds to `woken` the owners whose lists are not empty, as many as fit. `from` is 0 in the first call. Returns `from`
  // for the next call; `max`: there are no more.
  std::uint32_t listed(Woken& woken, std::uint32_t from) const noexcept {
    const Locked locked(list_.lock());
    return lists_.collect(woken, from);
  }

 private:
  LimiterWaiters(Limiter& limiter, Control& control, Waiter* waiters, std::uint32_t max)
      : limiter_(limiter),
        list_(control, waiters, max),
        lists_(control, list_, reinterpret_cast<OwnerList*>(waiters + max)) {}

  template <class Act>
  void visit(ThreadSlot& slot, std::uint64_t now, const Waiter& waiter, Act&& act) noexcept {
    limiter_.visit(slot, now, waiter.keyed ? &waiter.key : nullptr, Limiter::Need::kFound, act);
  }
  // Calls act(tiers, limiter's time) under the lock of the list, if the state of `key` has waiters.
  template <class Act>
  void visit_line(ThreadSlot& slot, std::uint64_t now, const Key* key, Act&& act) noexcept {
    const auto locked_act = [&](Tiers& tiers, std::uint64_t time, bool) {
      if (tiers.line().waiting.load(std::memory_order_relaxed) == 0) return;
      const Locked locked(list_.lock());
      act(tiers, time);
    };
    limiter_.visit(slot, now, key, Limiter::Need::kFound, locked_act);
  }

  // ---- join(), in steps ------------------------------------------------------------------------------------------

  // join() with the state of the key. Returns false, and changes nothing, if the caller would wait, but the state does
  // not stay.
  bool join_in(Tiers& tiers, const Asking& asking, std::uint64_t time, const Wish& wish, bool stays,
               Joined& joined) noexcept {
    const Locked locked(list_.lock());
    Limiter::Decision& decision = joined.decision;
    decision = limiter_.decide_in(tiers, asking.slot, asking.clock, time, wish.cost, asking.queue_depth);
    const bool allowed = decision.refused_by == Tier::kNone;
    if (!allowed && (wish.cost != 0 || stays))
      return wait_or_refuse(tiers, asking, time, wish, stays, joined);
    // Only the adaptive tier refuses a cost of 0 whose key has no state that stays. Such a request does not wait.
    if (!allowed) joined.wait = tiers.retry_after(wish.cost, time);
    limiter_.count(asking.slot, decision, wish.cost, allowed && wish.key != nullptr && tiers.holds_depth());
    return true;
  }

  bool wait_or_refuse(Tiers& tiers, const Asking& asking, std::uint64_t time, const Wish& wish, bool stays,
                      Joined& joined) noexcept {
    // The waiter is counted before the tiers are asked again, so that callers that come later are refused meanwhile.
    StateLine& line = tiers.line();
    const std::uint32_t before = line.waiting.fetch_add(1, std::memory_order_relaxed);
    joined.wait = tiers.least_wait(line.cost.load(std::memory_order_relaxed), wish.cost, time);
    const bool hopeless =
        joined.decision.refused_by == Tier::kAdaptive || joined.wait == kNever || joined.wait > wish.patience;
    const bool waits = !hopeless && has_room(wish, before);
    if (waits && stays) {
      start_waiting(tiers, asking, time, wish, joined);
      return true;
    }
    line.waiting.fetch_sub(1, std::memory_order_relaxed);
    if (waits) return false;
    if (!hopeless) joined.decision.refused_by = joined.decision.would_refuse = Tier::kLine;
    limiter_.count(asking.slot, joined.decision, wish.cost, false);
    return true;
  }

  // Whether one more caller may wait for a state for which `before` wait already.
  bool has_room(const Wish& wish, std::uint32_t before) const noexcept {
    return !list_.full() && (wish.key == nullptr || before < limiter_.config().waiting_per_key);
  }

  // `line.waiting` counts the waiter already.
  void start_waiting(Tiers& tiers, const Asking& asking, std::uint64_t time, const Wish& wish,
                     Joined& joined) noexcept {
    StateLine& line = tiers.line();
    Waiter& waiter = list_.take(wish.owner.number);
    lists_.add(wish.owner, waiter);
    waiter.cost = wish.cost;
    waiter.deadline = wish.patience == kNever ? kNever : time + wish.patience;
    waiter.wait = 0;
    waiter.keyed = wish.key != nullptr;
    waiter.key = waiter.keyed ? *wish.key : Key{};
    waiter.receipt = {};
    waiter.refusal = {};
    line.cost.fetch_add(wish.cost, std::memory_order_relaxed);
    list_.enter(line.chain, waiter);
    Places::before_look();
    joined.waiter = list_.index_of(waiter);
    serve(tiers, asking, time);
  }

  // ---- steps of a line, under the lock ---------------------------------------------------------------------------

  // Serves the waiters of a state, from the front on, while the tiers allow it (in a dry run, always) and
  // `asking.woken` is not full. Returns whether it served any.
  bool serve(Tiers& tiers, const Asking& asking, std::uint64_t time) noexcept {
    StateLine& line = tiers.line();
    bool served = false;
    while (!line.chain.empty() && !asking.woken.full()) {
      Waiter& front = *list_.front(line.chain);
      const Tiers::Taken taken =
          tiers.take(front.cost, time, asking.queue_depth, limiter_.read_time(asking.clock));
      if (taken.refused_by != Tier::kNone) {
        if (enforces()) break;
        tiers.force_depth(front.cost);
      }
      front.receipt = taken.receipt;
      front.refusal = tiers.named({taken.refused_by, false, taken.window}, front.cost);
      unlink(line, front, WaiterState::kServed);
      Limiter::Decision decision;
      decision.would_refuse = front.refusal.tier;
      Limiter::count(asking.slot, decision, front.cost, front.keyed && tiers.holds_depth());
      lists_.notify(front, asking.woken);
      asking.queue_depth += front.cost;
      served = true;
    }
    if (served) notify_front(line, asking);
    return served;
  }

  // Ends the wait if it is too late for the waiter. Returns the nanoseconds until its deadline; kNever: it has none, or
  // waits no more.
  std::uint64_t expire_if_late(Tiers& tiers, const Asking& asking, std::uint64_t time,
                               Waiter& waiter) noexcept {
    if (Places::state(waiter) != WaiterState::kWaiting) return kNever;
    if (too_late(tiers, time, waiter)) {
      expire(tiers, asking, time, waiter);
      serve(tiers, asking, time);
      return kNever;
    }
    return waiter.deadline == kNever ? kNever : waiter.deadline - time;
  }

  // Only for the front does this foresee the wait, so only the front is too late before its deadline. For the waiters
  // behind it, expire_hopeless() foresees the wait.
  bool too_late(const Tiers& tiers, std::uint64_t time, const Waiter& waiter) const noexcept {
    if (!enforces()) return false;
    if (waiter.deadline != kNever && time >= waiter.deadline) return true;
    if (!Places::is_front(waiter)) return false;
    const std::uint64_t wait = tiers.least_wait(0, waiter.cost, time);
    return wait == kNever || (waiter.deadline != kNever && wait > waiter.deadline - time);
  }

  void expire(Tiers& tiers, const Asking& asking, std::uint64_t time, Waiter& waiter) noexcept {
    StateLine& line = tiers.line();
    const bool was_front = Places::is_front(waiter);
    waiter.refusal = tiers.named(tiers.refuses(waiter.cost, time, asking.queue_depth), waiter.cost);
    unlink(line, waiter, WaiterState::kEnded);
    waiter.wait = tiers.least_wait(line.cost.load(std::memory_order_relaxed), waiter.cost, time);
    asking.slot.count(Limiter::kAllowed + static_cast<std::uint32_t>(waiter.refusal.tier));
    lists_.notify(waiter, asking.woken);
    if (was_front) notify_front(line, asking);
  }

  // leave() with the state of the waiter's key. Returns whether it took the waiter's cost out of the depth.
  bool leave_in(Tiers& tiers, const Asking& asking, std::uint64_t time, Waiter& waiter) noexcept {
    bool left = false;
    const WaiterState state = Places::state(waiter);
    if (state == WaiterState::kWaiting) {
      const bool was_front = Places::is_front(waiter);
      unlink(tiers.line(), waiter, WaiterState::kEnded);
      if (was_front) notify_front(tiers.line(), asking);
    } else if (state == WaiterState::kServed) {
      left = limiter_.leave(asking.slot, tiers, waiter.cost);
      if (waiter.refusal.tier == Tier::kNone) tiers.refund_rates(waiter.receipt, waiter.cost, time);
    }
    serve(tiers, asking, time);
    return left;
  }

  // Whether the waiter at `index` is the front of its state. Sets `key` to the key of that state.
  bool is_front_of(std::uint32_t index, Key& key) const noexcept {
    const Locked locked(list_.lock());
    const Waiter& waiter = list_[index];
    key = waiter.key;
    return Places::state(waiter) == WaiterState::kWaiting && Places::is_front(waiter);
  }

  void review_line(Tiers& tiers, const Asking& asking, std::uint64_t time) noexcept {
    if (enforces()) expire_hopeless(tiers, asking, time);
    if (!serve(tiers, asking, time)) notify_front(tiers.line(), asking);
  }

  // Walks over the waiters of the state once, however many of them expire: it looks at none twice.
  void expire_hopeless(Tiers& tiers, const Asking& asking, std::uint64_t time) noexcept {
    std::uint64_t ahead = 0;
    for (Waiter* next = list_.front(tiers.line().chain); next != nullptr;) {
      Waiter& waiter = *next;
      next = list_.behind(waiter);
      const std::uint64_t wait = tiers.least_wait(ahead, waiter.cost, time);
      const bool late =
          waiter.deadline != kNever && (time >= waiter.deadline || wait > waiter.deadline - time);
      if (wait == kNever || late) {
        expire(tiers, asking, time, waiter);
      } else {
        ahead += waiter.cost;
      }
    }
  }

  // Wakes the owner of the front, which then calls tend(). Does nothing if `asking.woken` is full: the caller then
  // serves this state again, which calls this function again.
  void notify_front(const StateLine& line, const Asking& asking) noexcept {
    if (!line.chain.empty() && !asking.woken.full()) lists_.notify(*list_.front(line.chain), asking.woken);
  }

  // False in a dry run: then nothing keeps a waiter waiting. Called inside a visit, where no other thread changes the
  // setting.
  bool enforces() const noexcept { return limiter_.config().enforce; }

  void unlink(StateLine& line, Waiter& waiter, WaiterState becomes) noexcept {
    list_.leave(line.chain, waiter, becomes);
    line.cost.fetch_sub(waiter.cost, std::memory_order_relaxed);
    line.waiting.fetch_sub(1, std::memory_order_relaxed);
  }
  // Frees the place of a waiter that waits no more.
  void release(Waiter& waiter) noexcept {
    lists_.remove(waiter);
    list_.release(waiter);
  }

  Limiter& limiter_;
  Places list_;
  OwnerLists lists_;
};

}  // namespace sluice
