// Those who wait until a limiter allows them: for each key (or for the limiter without keys) served in the order in
// which they came, over all threads. While somebody waits for a state, nobody else is allowed by it.
//
//            join               serve                     check (by the owner)
//   free ---------> waiting ----------------> served ---------------------------> free
//    ^                 |  leave, expire           |  leave: the charge is refunded
//    +-----------------+--------------------------+
//
// Nobody comes by himself to serve: the owners of waiters do, when the time that check() told them has passed, and
// whoever gives something back. No wake-up is lost: join() marks the state as waited for, then a fence, then asks
// the tiers once more; whoever leaves the depth does so, then a fence, then looks at the mark. One sees the other.
//
// A lock for all waiters; taken inside the lock of a key's set, never the other way round.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/limiter.h"
#include "core/spin_lock.h"

namespace sluice {

class LimiterLine {
 public:
  enum class State : std::uint32_t { kFree = 0, kWaiting = 1, kServed = 2 };

  struct Waiter {
    State state;               // changed under the lock
    std::uint32_t next, prev;  // in the line of its state; waiter + 1. `next` also in the free list
    std::uint64_t owner;       // the attachment that waits
    std::uint64_t cost;
    std::uint64_t deadline;  // limiter's time, or kNever
    Key key;
    bool keyed;
    SlidingWindow::Charge charge;  // once served
  };
  struct alignas(kCacheLine) Control {
    SpinLock<> lock;
    std::uint32_t free;  // waiter + 1
    std::atomic<std::uint32_t> waiting;
  };

  static_assert(sizeof(Control) % alignof(Waiter) == 0);

  // Owners to be woken, a few at a time.
  struct Woken {
    static constexpr std::uint32_t kMax = 64;
    std::uint64_t owners[kMax];
    std::uint32_t count = 0;
    bool full() const noexcept { return count == kMax; }
    void add(std::uint64_t owner) noexcept {
      if (count == 0 || owners[count - 1] != owner) owners[count++] = owner;
    }
  };

  // What is asked for, by whom: of one call.
  struct Asking {
    ThreadLine& line;
    const Clock& clock;
    std::uint64_t queue_depth;
    Woken& woken;
  };

  static constexpr std::uint32_t kNone = ~0u;
  struct Joined {
    Limiter::Decision decision;  // refused_by: of who was refused; and of who waits, why
    std::uint32_t waiter = kNone;
    std::uint64_t wait = 0;  // ns: until it is worth asking again; of a refusal: at least
  };
  struct Checked {
    enum Outcome : std::uint8_t { kServed, kWaiting, kExpired } outcome;
    Tier tier;
    std::uint64_t wait;
    std::uint64_t cost;
    Key key;  // {}: of a limiter without keys
  };

  static std::uint64_t bytes(std::uint32_t max) {
    return round_up(sizeof(Control) + max * sizeof(Waiter), kCacheLine);
  }

  LimiterLine(Limiter& limiter, void* memory, std::uint32_t max)
      : limiter_(limiter),
        control_(static_cast<Control*>(memory)),
        waiters_(reinterpret_cast<Waiter*>(control_ + 1)),
        max_(max) {}

  void format() noexcept {
    control_->free = max_ == 0 ? 0 : 1;
    for (std::uint32_t i = 0; i < max_; ++i) waiters_[i].next = i + 1 == max_ ? 0 : i + 2;
  }
  std::uint32_t waiting() const noexcept { return control_->waiting.load(std::memory_order_relaxed); }

  // Allows `cost` now, or refuses it because it cannot be allowed within `patience` ns (or ever, or the line is
  // full), or lets it wait.
  Joined join(const Asking& asking, std::uint64_t now, std::uint64_t cost, std::uint64_t patience,
              std::uint64_t owner, const Key* key) noexcept {
    Joined joined;
    limiter_.visit(
        asking.line, now, key, Limiter::Need::kUse, [&](Tiers& tiers, std::uint64_t time, bool may_wait) {
          const Locked locked(control_->lock);
          StateLine& state = tiers.line();
          joined.decision =
              limiter_.decide_in(tiers, asking.line, asking.clock, time, cost, asking.queue_depth);
          if (joined.decision.refused_by == Tier::kNone) {
            limiter_.count(asking.line, joined.decision, cost, key != nullptr && tiers.holds_depth());
            return;
          }
          // Pairs with the fence in given_back().
          state.waiting.fetch_add(1, std::memory_order_relaxed);
          std::atomic_thread_fence(std::memory_order_seq_cst);
          joined.wait = tiers.least_wait(state.cost.load(std::memory_order_relaxed), cost, time);
          const bool hopeless = joined.decision.refused_by == Tier::kAdaptive || joined.wait == kNever ||
                                joined.wait > patience;
          const std::uint32_t index = control_->free;
          if (hopeless || index == 0 || !may_wait) {
            state.waiting.fetch_sub(1, std::memory_order_relaxed);
            if (!hopeless) joined.decision.refused_by = joined.decision.would_refuse = Tier::kLine;
            limiter_.count(asking.line, joined.decision, cost, false);
            return;
          }
          Waiter& waiter = waiters_[index - 1];
          control_->free = waiter.next;
          const std::uint64_t deadline = patience == kNever ? kNever : time + patience;
          waiter = {State::kWaiting, 0, state.last, owner, cost, deadline, key == nullptr ? Key{} : *key,
                    key != nullptr,  {}};
          (state.last == 0 ? state.first : waiters_[state.last - 1].next) = index;
          state.last = index;
          state.cost.fetch_add(cost, std::memory_order_relaxed);
          control_->waiting.fetch_add(1, std::memory_order_relaxed);
          joined.waiter = index - 1;
          serve(tiers, asking, time);
        });
    return joined;
  }

  // What has become of a waiter, by its owner: serves its line first. A waiter that was served or whose time is over
  // is free afterwards. `wait` of one that still waits: until it is worth looking again; kNever if somebody will tell.
  Checked check(const Asking& asking, std::uint64_t now, std::uint32_t index) noexcept {
    Waiter& waiter = waiters_[index];
    Checked checked{Checked::kWaiting, Tier::kNone, 0, waiter.cost, waiter.key};
    visit(asking.line, now, waiter, [&](Tiers& tiers, std::uint64_t time, bool) {
      const Locked locked(control_->lock);
      if (waiter.state != State::kWaiting) return;
      serve(tiers, asking, time);
      if (waiter.state != State::kWaiting) return;
      const std::uint64_t ahead = ahead_of(waiter);
      checked.wait = tiers.least_wait(ahead, waiter.cost, time);
      if (time < waiter.deadline && checked.wait != kNever) {
        const std::uint64_t left = waiter.deadline == kNever ? kNever : waiter.deadline - time;
        // A wait that has become longer than the deadline ends at once.
        if (checked.wait <= left) {
          // No clock tells: whoever gives back serves it, and only its deadline is left to look for.
          if (checked.wait == 0) checked.wait = left;
          return;
        }
      }
      checked.outcome = Checked::kExpired;
      checked.tier = tiers.refuses(waiter.cost, time, asking.queue_depth);
      if (checked.tier == Tier::kNone) checked.tier = Tier::kLine;
      asking.line.count(Limiter::kAllowed + static_cast<std::uint32_t>(checked.tier));
      unlink(tiers.line(), waiter);
      serve(tiers, asking, time);
    });
    const Locked locked(control_->lock);
    if (waiter.state == State::kServed) checked.outcome = Checked::kServed;
    if (checked.outcome != Checked::kWaiting) release(index);
    return checked;
  }

  // The owner gives up: whatever the waiter was charged is refunded. Returns for which key it waited; {}: the limiter
  // has none.
  Key leave(const Asking& asking, std::uint64_t now, std::uint32_t index) noexcept {
    Waiter& waiter = waiters_[index];
    const Key key = waiter.key;
    bool left = false;
    visit(asking.line, now, waiter, [&](Tiers& tiers, std::uint64_t time, bool) {
      const Locked locked(control_->lock);
      left = waiter.state == State::kWaiting;
      if (left) {
        unlink(tiers.line(), waiter);
      } else {
        left = limiter_.leave(asking.line, tiers, waiter.cost);
        tiers.refund_rates(waiter.charge, waiter.cost);
      }
      serve(tiers, asking, time);
    });
    const Locked locked(control_->lock);
    if (waiter.state == State::kServed) {
      if (!left) limiter_.leave_behind(asking.line, waiter.cost);
      asking.line.count(Limiter::kAllowed, ~0ULL);
    }
    release(index);
    return key;
  }

  // Nothing of `owner` remains. Call again while `asking.woken` came back full.
  void abandon(const Asking& asking, std::uint64_t now, std::uint64_t owner) noexcept {
    for (std::uint32_t index = 0; index < max_ && !asking.woken.full(); ++index) {
      control_->lock.lock();
      const bool own = waiters_[index].state != State::kFree && waiters_[index].owner == owner;
      control_->lock.unlock();
      if (own) leave(asking, now, index);
    }
  }

  // Something was given back to the state of `key`: whoever waits for it may be served.
  void given_back(const Asking& asking, std::uint64_t now, const Key* key) noexcept {
    if (max_ == 0) return;
    // Pairs with the fence in join().
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (waiting() == 0) return;
    limiter_.visit(asking.line, now, key, Limiter::Need::kFound, [&](Tiers& tiers, std::uint64_t time, bool) {
      if (tiers.line().waiting.load(std::memory_order_relaxed) == 0) return;
      const Locked locked(control_->lock);
      serve(tiers, asking, time);
    });
  }

 private:
  class Locked {
   public:
    explicit Locked(SpinLock<>& lock) noexcept : lock_(lock) { lock_.lock(); }
    ~Locked() { lock_.unlock(); }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

   private:
    SpinLock<>& lock_;
  };

  template <class Act>
  void visit(ThreadLine& line, std::uint64_t now, const Waiter& waiter, Act&& act) noexcept {
    limiter_.visit(line, now, waiter.keyed ? &waiter.key : nullptr, Limiter::Need::kFound, act);
  }

  // Serves from the front of a state's line while the tiers allow it.
  void serve(Tiers& tiers, const Asking& asking, std::uint64_t time) noexcept {
    StateLine& state = tiers.line();
    while (state.first != 0 && !asking.woken.full()) {
      Waiter& front = waiters_[state.first - 1];
      const Tiers::Taken taken =
          tiers.take(front.cost, time, asking.queue_depth, limiter_.since_epoch(asking.clock));
      if (taken.refused_by != Tier::kNone) return;
      front.charge = taken.window;
      unlink(state, front);
      front.state = State::kServed;
      asking.line.count(Limiter::kAllowed);
      if (front.keyed && tiers.holds_depth()) asking.line.count(Limiter::kInFlight, front.cost);
      asking.woken.add(front.owner);
    }
  }

  std::uint64_t ahead_of(const Waiter& waiter) const noexcept {
    std::uint64_t cost = 0;
    for (std::uint32_t at = waiter.prev; at != 0; at = waiters_[at - 1].prev) cost += waiters_[at - 1].cost;
    return cost;
  }
  void unlink(StateLine& state, const Waiter& waiter) noexcept {
    (waiter.prev == 0 ? state.first : waiters_[waiter.prev - 1].next) = waiter.next;
    (waiter.next == 0 ? state.last : waiters_[waiter.next - 1].prev) = waiter.prev;
    state.cost.fetch_sub(waiter.cost, std::memory_order_relaxed);
    state.waiting.fetch_sub(1, std::memory_order_relaxed);
    control_->waiting.fetch_sub(1, std::memory_order_relaxed);
  }
  void release(std::uint32_t index) noexcept {
    waiters_[index].state = State::kFree;
    waiters_[index].next = control_->free;
    control_->free = index + 1;
  }

  Limiter& limiter_;
  Control* control_;
  Waiter* waiters_;
  std::uint32_t max_;
};

}  // namespace sluice
