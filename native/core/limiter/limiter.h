// A limiter decides about requests by the tiers of limiter_tiers.h. It has one state for all callers, or one for each
// key (see limiter_states.h). All threads share it.
//
// Every operation on a state runs inside a Quiesce section; configure(), and reset() without a key, pause all of these
// instead. So configure() changes the configuration, and converts the states if it has to, at one instant for all
// threads.
//
//   memory:  | LimiterControl | ThreadSlots | windows of the shared state | KeyTable | GuestRing | CalendarMemory |
//            | scratch |
#pragma once

#include <atomic>
#include <cstdint>
#include <new>

#include "core/base/clock.h"
#include "core/base/thread_slots.h"
#include "core/limiter/limiter_memory.h"
#include "core/limiter/limiter_states.h"
#include "core/limiter/limiter_tiers.h"
#include "core/queue/queue_watch.h"

namespace sluice {

class Limiter : public LimiterStates {
  // Reads the limiter's time anew.
  struct ReadTime {
    const Clock& clock;
    const LimiterControl& control;
    std::uint64_t operator()() const noexcept { return control.time_at(clock.now()); }
  };

 public:
  struct Decision {
    Tier refused_by = Tier::kNone;
    Tier would_refuse = Tier::kNone;  // the tier that refused, in a dry run too
    bool oversized = false;           // the cost exceeds the limit of that tier, so it can never pass
    std::uint8_t window = 0;          // the index of the window that refused, for kSlidingWindow
    Receipt receipt;                  // what the decision charged
  };

  static Layout layout(const LimiterConfig& config) { return LimiterPlaces(config).layout; }
  static std::uint64_t bytes(const LimiterConfig& config) { return layout(config).bytes(); }

  // Makes a view of the limiter at `memory`. `config` must have the same shape as the one that format() was given.
  Limiter(void* memory, const LimiterConfig& config)
      : LimiterStates(static_cast<std::byte*>(memory), config, LimiterPlaces(config)) {}

  // Makes the adaptive tier refuse while the queue that `watch` watches is congested.
  void watch_with(const QueueWatch& watch) { watch_ = watch; }

  void format(const LimiterConfig& config, std::uint64_t now, const KeySecret& secret = {}) {
    new (control_) LimiterControl{config, now, secret, {}, {}, {}, {}, {}, {}, {}, {}, {}};
    if (config.calendar_bytes() != 0) new (calendars_) CalendarMemory{now, config.is_manual, {}};
  }

  // The zone changes of all calendar windows. The caller fills them in before the limiter is used.
  ZoneChange* zone_changes() noexcept { return calendars_->changes(); }

  // A caller may read only the fields that are fixed at creation; configure() changes all others.
  const LimiterConfig& config() const noexcept { return control_->config; }
  ThreadSlots& thread_slots() noexcept { return *thread_slots_; }
  // A thread holds this lock while it uses the slot of ThreadSlots::kReturns, from acquire() to release().
  SpinLock<>& returns_lock() noexcept { return control_->returns_slot; }
  Key key(KeyKind kind, const void* octets, std::size_t size) const noexcept {
    return KeyHash::of(control_->secret, kind, octets, size);
  }

  // Decides at time `now` about a request of `cost`. `key` is needed if the limiter has keys. `queue_depth` is read
  // only if the depth tier follows a queue. A request of cost 0 is charged nothing and takes no place for its key; only
  // a block or the adaptive tier refuses it.
  Decision decide(ThreadSlot& thread, const Clock& clock, std::uint64_t now, std::uint64_t cost,
                  std::uint64_t queue_depth, const Key* key = nullptr) noexcept {
    Decision decision;
    visit(thread, now, key, need_of(cost), [&](Tiers& tiers, std::uint64_t time, bool) {
      decision = decide_in(tiers, thread, clock, time, cost, queue_depth);
      count(thread, decision, cost, key != nullptr && tiers.holds_depth());
    });
    return decision;
  }

  // Undoes an allowed decision that was just made at `now`: gives back its charge and its depth, and takes it out of
  // the counters (except kOverflowed). Cannot fail.
  SLUICE_APART void undo(ThreadSlot& thread, const Clock& clock, std::uint64_t now, const Decision& decision,
                         std::uint64_t cost, const Key* key = nullptr) noexcept {
    bool left = false;
    visit(thread, now, key, Need::kFound, [&](Tiers& tiers, std::uint64_t time, bool) {
      left = leave(thread, tiers, cost);
      if (decision.would_refuse == Tier::kNone)
        tiers.undo_rates(decision.receipt, cost, time, read_time(clock));
    });
    if (!left) leave_behind(thread, cost);
    uncount(thread, decision.would_refuse);
  }

  // Gives the token bucket and the windows back the part of an allowed decision's charge that is still in force at
  // `now`. Does not change the depth.
  void refund(ThreadSlot& thread, std::uint64_t now, const Receipt& receipt, std::uint64_t cost,
              const Key* key = nullptr) noexcept {
    visit(thread, now, key, Need::kFound,
          [&](Tiers& tiers, std::uint64_t time, bool) { tiers.refund_rates(receipt, cost, time); });
  }

  // Ends work of `cost` that was in flight. Returns false, and changes nothing, if less was in flight. Returns true if
  // the limiter itself counts no depth.
  bool release(ThreadSlot& thread, std::uint64_t cost, const Key* key = nullptr) noexcept {
    bool left = false;
    visit(thread, control_->epoch_ns, key, Need::kFound,
          [&](Tiers& tiers, std::uint64_t, bool) { left = leave(thread, tiers, cost); });
    return left || leave_behind(thread, cost);
  }

  SLUICE_APART std::uint64_t retry_after(ThreadSlot& thread, std::uint64_t now, std::uint64_t cost,
                                         const Key* key = nullptr) noexcept {
    std::uint64_t wait = 0;
    visit(thread, now, key, Need::kState, [&](Tiers& tiers, std::uint64_t time, bool) {
      wait = std::max(tiers.wait(cost, time), recovers_in(thread, time));
    });
    return wait;
  }

  struct Outlook {
    Tiers::Refusal refusal;
    std::uint64_t remaining;
    std::uint64_t retry_after;
    Tier tightest;  // the tier that has only `remaining` left
  };
  // Returns whether decide() would refuse the request now (or, in a dry run, count it as refused), and the tier that
  // would. If several tiers would, decide() may name another one of these. Charges nothing.
  Outlook peek(ThreadSlot& thread, const Clock& clock, std::uint64_t now, std::uint64_t cost,
               std::uint64_t queue_depth, const Key* key = nullptr) noexcept {
    Outlook outlook{};
    visit(thread, now, key, Need::kState, [&](Tiers& tiers, std::uint64_t time, bool) {
      const Tiers::Refusal refusal = overloaded(thread, clock, time) ? Tiers::Refusal{Tier::kAdaptive}
                                                                     : tiers.refuses(cost, time, queue_depth);
      const Tiers::Tightest tightest = tiers.tightest(time, queue_depth);
      // If nothing refuses the request, it need not wait.
      const std::uint64_t wait =
          refusal.tier == Tier::kNone ? 0 : std::max(recovers_in(thread, time), tiers.wait(cost, time));
      outlook = {tiers.named(refusal, cost), tightest.left, wait, tightest.tier};
    });
    return outlook;
  }

  // Returns what each tier has left. Charges nothing.
  Tiers::Rooms rooms(ThreadSlot& thread, std::uint64_t now, std::uint64_t queue_depth,
                     const Key* key = nullptr) noexcept {
    Tiers::Rooms rooms;
    visit(thread, now, key, Need::kState,
          [&](Tiers& tiers, std::uint64_t time, bool) { rooms = tiers.rooms(time, queue_depth); });
    return rooms;
  }

  // penalize() charges `cost` whether or not it fits; reward() gives `cost` back. Neither changes the depth.
  void penalize(ThreadSlot& thread, const Clock& clock, std::uint64_t now, std::uint64_t cost,
                const Key* key = nullptr) noexcept {
    visit(thread, now, key, Need::kPlace,
          [&](Tiers& tiers, std::uint64_t time, bool) { tiers.penalize(cost, time, read_time(clock)); });
  }
  void reward(ThreadSlot& thread, std::uint64_t now, std::uint64_t cost, const Key* key = nullptr) noexcept {
    visit(thread, now, key, Need::kFound,
          [&](Tiers& tiers, std::uint64_t time, bool) { tiers.reward(cost, time); });
  }
  // Ends a block, makes the token bucket full and clears the windows. The depth in flight and the waiters stay.
  void reset(ThreadSlot& thread, const Key* key = nullptr) noexcept {
    if (key == nullptr) {
      // Pauses all operations, so that each charge is made either before the reset, with the old serial, or after it.
      const Paused paused(control_->quiesce, *thread_slots_);
      Tiers(control_->config, shared_state()).reset(next_serial());
      return;
    }
    visit(thread, control_->epoch_ns, key, Need::kFound,
          [&](Tiers& tiers, std::uint64_t, bool) { tiers.reset(next_serial()); });
  }
  // Refuses every request for the next `ns` nanoseconds; 0 ends a block. Returns false, and blocks nothing, if the
  // table has no place for the key and no more guests can stay.
  bool block(ThreadSlot& thread, std::uint64_t now, std::uint64_t ns, const Key* key = nullptr) noexcept {
    if (ns == 0) {
      visit(thread, now, key, Need::kFound, [](Tiers& tiers, std::uint64_t, bool) { tiers.block(0); });
      return true;
    }
    return visit(thread, now, key, Need::kStay,
                 [&](Tiers& tiers, std::uint64_t time, bool) { tiers.block(time + ns); });
  }
  // Makes this thread refuse every request for the next `ns` nanoseconds; 0: no longer.
  void overload(ThreadSlot& thread, std::uint64_t now, std::uint64_t ns) noexcept {
    thread.counters[kOverloadedUntil].store(ns == 0 ? 0 : control_->time_at(now) + ns,
                                            std::memory_order_relaxed);
  }

  // Changes the configuration for all threads at one instant. What was counted before goes on counting, except what
  // the new settings no longer count. `change(next, time)` gets a copy of the present configuration and the limiter's
  // time, and sets the fields that may change. If the rate, the warm-up or the length of a window changes, the call
  // takes time in proportion to `keys_max`.
  template <class Change>
  void configure(const Clock& clock, Change&& change) {
    control_->quiesce.pause(*thread_slots_);
    const std::uint64_t time = control_->time_at(clock.now());
    LimiterConfig next = control_->config;
    change(next, time);
    bool moved = !next.bucket.accrues_as(control_->config.bucket);
    for (std::uint32_t i = 0; i < next.window_count; ++i) {
      moved |= next.windows[i].sliding.bucket_ns != control_->config.windows[i].sliding.bucket_ns;
    }
    const std::uint64_t serial = moved ? next_serial() : 0;
    if (moved) for_each_state([&](Tiers tiers) { tiers.rebase(next, time, scratch_, serial); });
    control_->config.change_to(next);
    control_->quiesce.resume();
  }
  LimiterConfig current_config(ThreadSlot& thread) noexcept {
    control_->quiesce.enter(thread);
    const LimiterConfig config = control_->config;
    control_->quiesce.leave(thread);
    return config;
  }

  std::uint64_t in_flight() const noexcept {
    return control_->config.keys_max == 0 ? control_->depth.in_flight() : thread_slots_->sum(kInFlight);
  }

 private:
  friend class LimiterWaiters;

  ReadTime read_time(const Clock& clock) const noexcept { return {clock, *control_}; }

  static std::uint64_t recovers_in(const ThreadSlot& thread, std::uint64_t time) noexcept {
    const std::uint64_t until = thread.counters[kOverloadedUntil].load(std::memory_order_relaxed);
    return until > time ? until - time : 0;
  }
  bool overloaded(const ThreadSlot& thread, const Clock& clock, std::uint64_t time) noexcept {
    return recovers_in(thread, time) != 0 || watch_.standing(time, read_time(clock));
  }

  // Decides about a request by one state. Does not change the thread's counters. While a waiter waits for the state,
  // every other request is refused, except one of cost 0.
  Decision decide_in(Tiers& tiers, ThreadSlot& thread, const Clock& clock, std::uint64_t time,
                     std::uint64_t cost, std::uint64_t queue_depth) noexcept {
    Tiers::Taken taken;
    if (overloaded(thread, clock, time)) [[unlikely]] {
      taken.refused_by = Tier::kAdaptive;
    } else if (tiers.line().waiting.load(std::memory_order_relaxed) != 0 && cost != 0) [[unlikely]] {
      taken.refused_by = Tier::kLine;
    } else {
      taken = tiers.take(cost, time, queue_depth, read_time(clock));
    }
    const Tiers::Refusal refusal = tiers.named({taken.refused_by, false, taken.window}, cost);
    Decision decision{refusal.tier, refusal.tier, refusal.oversized, refusal.window, taken.receipt};
    if (refusal.tier != Tier::kNone && !control_->config.enforce) {
      tiers.force_depth(cost);  // the caller releases it like one that was not refused
      decision.refused_by = Tier::kNone;
    }
    return decision;
  }
  static void count(ThreadSlot& thread, const Decision& decision, std::uint64_t cost,
                    bool in_flight) noexcept {
    thread.count(kAllowed + static_cast<std::uint32_t>(decision.would_refuse));
    if (decision.refused_by != Tier::kNone) return;
    if (decision.would_refuse != Tier::kNone) thread.count(kDryRefusals);
    if (in_flight) thread.count(kInFlight, cost);
  }
  // Takes an allowed decision out of the counters that count() raises, except kInFlight, which leave() lowers.
  static void uncount(ThreadSlot& thread, Tier would_refuse) noexcept {
    thread.count(kAllowed + static_cast<std::uint32_t>(would_refuse), ~0ULL);  // one less
    if (would_refuse != Tier::kNone) thread.count(kDryRefusals, ~0ULL);
  }

  // Takes `cost` out of the depth. If the key was forgotten since the request entered, `left_behind` may count a part
  // of `cost` instead of the key's state.
  bool leave(ThreadSlot& thread, Tiers& tiers, std::uint64_t cost) noexcept {
    const bool keyed = control_->config.keys_max != 0 && tiers.holds_depth();
    if (!tiers.leave_depth(cost) && !(keyed && leave_in_parts(tiers, cost))) return false;
    if (keyed) thread.count(kInFlight, 0 - cost);
    return true;
  }
  // Takes all that the locked state has in flight, and the rest of `cost` from `left_behind`. Returns false, and takes
  // nothing, if the state has nothing in flight, or both together have less than `cost`.
  SLUICE_APART bool leave_in_parts(Tiers& tiers, std::uint64_t cost) noexcept {
    const std::uint64_t here = tiers.in_flight();
    return here != 0 && control_->left_behind.leave(cost - here) && tiers.leave_depth(here);
  }

  // Takes `cost` from `left_behind`, which is what forgotten keys have in flight. Returns false, and takes nothing, if
  // that is less. Returns true if the limiter itself counts no depth.
  bool leave_behind(ThreadSlot& thread, std::uint64_t cost) noexcept {
    const LimiterConfig& config = control_->config;
    if (!config.has_depth || config.depth_of_queue) return true;
    if (config.keys_max == 0 || !control_->left_behind.leave(cost)) return false;
    thread.count(kInFlight, 0 - cost);
    return true;
  }

  QueueWatch watch_;
};

}  // namespace sluice
