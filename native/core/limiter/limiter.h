// A limiter: the tiers of limiter_tiers.h for all who ask, or for each key, shared by all threads.
//
// Without keys there is one state, changed without a lock. With keys each has a state in the table, changed under
// the lock of its set, or, if the table has no place for it, in the ring of guests, changed under that one's lock too.
//
// Every operation is inside a Quiesce section, so that configure() finds a moment at which nobody is: it changes
// the configuration and re-bases every state at one instant, for all threads.
//
//   memory:  | LimiterControl | ThreadSlots | windows of the shared state | KeyTable | GuestRing | CalendarMemory |
//            | scratch |
#pragma once

#include <atomic>
#include <cstdint>
#include <new>

#include "core/base/clock.h"
#include "core/base/thread_slots.h"
#include "core/limiter/guest_ring.h"
#include "core/limiter/key_table.h"
#include "core/limiter/limiter_memory.h"
#include "core/limiter/limiter_tiers.h"
#include "core/queue/queue_watch.h"

namespace sluice {

class Limiter {
  // Reads the limiter's time anew.
  struct SinceEpoch {
    const Clock& clock;
    std::uint64_t epoch_ns;
    std::uint64_t operator()() const noexcept { return clock.now() - epoch_ns; }
  };

 public:
  enum Counter : std::uint32_t {
    kAllowed,
    kByTokenBucket,  // to kByLine: refusals, in the order of Tier
    kBySlidingWindow,
    kByQueueDepth,
    kByBlock,
    kByAdaptive,
    kByLine,
    kDryRefusals,  // refusals that were allowed all the same, counted by tier as well
    kOverflowed,   // decisions about guests
    kPlaces,       // places taken by keys, less those taken from others
    kEvicted,      // places taken from others
    kForgotten,    // of these, from guests that owed something
    kInFlight,     // with keys: entered less left, by any thread; its sum is what is in flight
    kOverloadedUntil =
        kThreadCounters - 1,  // no count: until when this thread refuses, in the limiter's time
  };

  struct Decision {
    Tier refused_by = Tier::kNone;
    Tier would_refuse = Tier::kNone;  // the same, but for a dry run
    bool oversized = false;           // the cost exceeds that tier's limit: it can never pass
    std::uint8_t window = 0;          // which window, if that tier is one
    Receipt receipt;                  // of what was charged
  };

  static std::uint64_t bytes(const LimiterConfig& config) { return LimiterPlaces(config).layout.bytes(); }

  // A view of the limiter at `memory`; `config` must have the shape of the one it was formatted with.
  Limiter(void* memory, const LimiterConfig& config)
      : Limiter(static_cast<std::byte*>(memory), config, LimiterPlaces(config)) {}

  // The adaptive tier refuses while the queue stands that `watch` watches.
  void watch_with(const QueueWatch& watch) { watch_ = watch; }

  void format(const LimiterConfig& config, std::uint64_t now, const KeySecret& secret = {}) {
    new (control_) LimiterControl{config, now, secret, {}, {}, {}, {}, {}, {}, {}, {}, {}};
    if (config.calendar_bytes() != 0) new (calendars_) CalendarMemory{now, config.is_manual, {}};
  }

  // Of all calendar windows, to be filled in before the limiter is used.
  ZoneChange* zone_changes() noexcept { return calendars_->changes(); }

  // Only the parts that are fixed at creation may be read at any time.
  const LimiterConfig& config() const noexcept { return control_->config; }
  ThreadSlots& thread_slots() noexcept { return *thread_slots_; }
  // Of threads that use the slot of ThreadSlots::kReturns, from acquire() to release().
  SpinLock<>& returns_lock() noexcept { return control_->returns_slot; }
  Key key(KeyKind kind, const void* octets, std::size_t size) const noexcept {
    return KeyHash::of(control_->secret, kind, octets, size);
  }

  // Decides at `now` for `cost`; `key` is needed if the limiter has keys. `queue_depth` is read only if the depth tier
  // follows a queue. A cost of 0 takes nothing, no place for its key either; only a block and an overload refuse it.
  Decision decide(ThreadSlot& thread, const Clock& clock, std::uint64_t now, std::uint64_t cost,
                  std::uint64_t queue_depth, const Key* key = nullptr) noexcept {
    Decision decision;
    visit(thread, now, key, need_of(cost), [&](Tiers& tiers, std::uint64_t time, bool) {
      decision = decide_in(tiers, thread, clock, time, cost, queue_depth);
      count(thread, decision, cost, key != nullptr && tiers.holds_depth());
    });
    return decision;
  }

  // Undoes an allowed decision that was just made, at `now`, as if it had never been asked for. Cannot fail.
  void undo(ThreadSlot& thread, const Clock& clock, std::uint64_t now, const Decision& decision,
            std::uint64_t cost, const Key* key = nullptr) noexcept {
    bool left = false;
    visit(thread, now, key, Need::kFound, [&](Tiers& tiers, std::uint64_t time, bool) {
      left = leave(thread, tiers, cost);
      if (decision.would_refuse == Tier::kNone)
        tiers.undo_rates(decision.receipt, cost, time, since_epoch(clock));
    });
    if (!left) leave_behind(thread, cost);
    thread.count(kAllowed + static_cast<std::uint32_t>(decision.would_refuse), ~0ULL);  // one less
    if (decision.would_refuse != Tier::kNone) thread.count(kDryRefusals, ~0ULL);
  }

  // Gives back to bucket and window what of an allowed decision's charge is still in force at `now`; the depth is left
  // alone.
  void refund(ThreadSlot& thread, std::uint64_t now, const Receipt& receipt, std::uint64_t cost,
              const Key* key = nullptr) noexcept {
    visit(thread, now, key, Need::kFound,
          [&](Tiers& tiers, std::uint64_t time, bool) { tiers.refund_rates(receipt, cost, time); });
  }

  // Work of `cost` is done. False if that much was not in flight.
  bool release(ThreadSlot& thread, std::uint64_t cost, const Key* key = nullptr) noexcept {
    bool left = false;
    visit(thread, control_->epoch_ns, key, Need::kFound,
          [&](Tiers& tiers, std::uint64_t, bool) { left = leave(thread, tiers, cost); });
    return left || leave_behind(thread, cost);
  }

  std::uint64_t retry_after(ThreadSlot& thread, std::uint64_t now, std::uint64_t cost,
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
    Tier tightest;  // the tier that `remaining` is of
  };
  // What decide() would say, charging nothing.
  Outlook peek(ThreadSlot& thread, std::uint64_t now, std::uint64_t cost, std::uint64_t queue_depth,
               const Key* key = nullptr) noexcept {
    Outlook outlook{};
    visit(thread, now, key, Need::kState, [&](Tiers& tiers, std::uint64_t time, bool) {
      const Tiers::Refusal refusal =
          overloaded(thread, time) ? Tiers::Refusal{Tier::kAdaptive} : tiers.refuses(cost, time, queue_depth);
      const Tiers::Tightest tightest = tiers.tightest(time, queue_depth);
      // What nothing refuses waits for nothing.
      const std::uint64_t wait =
          refusal.tier == Tier::kNone ? 0 : std::max(recovers_in(thread, time), tiers.wait(cost, time));
      outlook = {tiers.named(refusal, cost), tightest.left, wait, tightest.tier};
    });
    return outlook;
  }

  // What each tier has left for the key; charges nothing.
  Tiers::Rooms rooms(ThreadSlot& thread, std::uint64_t now, std::uint64_t queue_depth,
                     const Key* key = nullptr) noexcept {
    Tiers::Rooms rooms;
    visit(thread, now, key, Need::kState,
          [&](Tiers& tiers, std::uint64_t time, bool) { rooms = tiers.rooms(time, queue_depth); });
    return rooms;
  }

  // Charges `cost` whether or not it fits, or gives it back; the depth is left alone.
  void penalize(ThreadSlot& thread, const Clock& clock, std::uint64_t now, std::uint64_t cost,
                const Key* key = nullptr) noexcept {
    visit(thread, now, key, Need::kPlace,
          [&](Tiers& tiers, std::uint64_t time, bool) { tiers.penalize(cost, time, since_epoch(clock)); });
  }
  void reward(ThreadSlot& thread, std::uint64_t now, std::uint64_t cost, const Key* key = nullptr) noexcept {
    visit(thread, now, key, Need::kFound,
          [&](Tiers& tiers, std::uint64_t time, bool) { tiers.reward(cost, time); });
  }
  // As new, but for what is in flight.
  void reset(ThreadSlot& thread, const Key* key = nullptr) noexcept {
    if (key == nullptr) {
      // At one instant: a charge is of before, with the serial of before, or of after.
      const Paused paused(control_->quiesce, *thread_slots_);
      Tiers(control_->config, shared_state()).reset(next_serial());
      return;
    }
    visit(thread, control_->epoch_ns, key, Need::kFound,
          [&](Tiers& tiers, std::uint64_t, bool) { tiers.reset(next_serial()); });
  }
  // Refuses everything for `ns`; 0 ends a block. False: the key is a guest, and no guest more can stay.
  bool block(ThreadSlot& thread, std::uint64_t now, std::uint64_t ns, const Key* key = nullptr) noexcept {
    if (ns == 0) {
      visit(thread, now, key, Need::kFound, [](Tiers& tiers, std::uint64_t, bool) { tiers.block(0); });
      return true;
    }
    return visit(thread, now, key, Need::kStay,
                 [&](Tiers& tiers, std::uint64_t time, bool) { tiers.block(time + ns); });
  }
  // This thread refuses everything for `ns`.
  void overload(ThreadSlot& thread, std::uint64_t now, std::uint64_t ns) noexcept {
    thread.counters[kOverloadedUntil].store(ns == 0 ? 0 : now - control_->epoch_ns + ns,
                                            std::memory_order_relaxed);
  }

  // Changes the configuration for all threads at one instant; nothing that was counted is forgotten. `change` gets
  // the present one, and changes what configure() may. Takes time in proportion to the keys, and only if a rate or
  // the length of the window changes.
  template <class Change>
  void configure(const Clock& clock, Change&& change) {
    control_->quiesce.pause(*thread_slots_);
    const std::uint64_t time = clock.now() - control_->epoch_ns;
    LimiterConfig next = control_->config;
    change(next, time);
    bool moved = !next.bucket.accrues_as(control_->config.bucket);
    for (std::uint32_t i = 0; i < next.window_count; ++i) {
      moved |= next.windows[i].sliding.bucket_ns != control_->config.windows[i].sliding.bucket_ns;
    }
    const std::uint32_t serial = moved ? next_serial() : 0;
    if (moved) Tiers(control_->config, shared_state()).rebase(next, time, scratch_, serial);
    for (std::uint64_t i = 0; moved && i < keys_.count(); ++i) {
      KeyTable::Set& set = keys_.set(i);
      for (std::uint32_t way = 0; way < KeyTable::kWays; ++way) {
        if (set.keys[way] == Key{}) continue;
        Tiers(control_->config, key_state(keys_.state(set, way))).rebase(next, time, scratch_, serial);
      }
    }
    for (std::uint32_t slot = 0; moved && slot < guests_.size(); ++slot) {
      if (!guests_.used(slot)) continue;
      Tiers(control_->config, key_state(guests_.state(slot))).rebase(next, time, scratch_, serial);
    }
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

  Limiter(std::byte* memory, const LimiterConfig& config, const LimiterPlaces& at)
      : control_(reinterpret_cast<LimiterControl*>(memory + at.control)),
        thread_slots_(reinterpret_cast<ThreadSlots*>(memory + at.slots)),
        window_(memory + at.windows),
        keys_(memory + at.keys, config.keys_max, KeyState::bytes(config),
              sizeof(KeyState) + config.window_cleared_bytes()),
        guests_(memory + at.guests, config.keys_max, KeyState::bytes(config),
                sizeof(KeyState) + config.window_cleared_bytes()),
        calendars_(reinterpret_cast<CalendarMemory*>(memory + at.calendars)),
        scratch_(reinterpret_cast<std::uint64_t*>(memory + at.scratch)) {}

  // Relaxed: only that no two are the same matters.
  std::uint32_t next_serial() noexcept {
    return control_->serial.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  SinceEpoch since_epoch(const Clock& clock) const noexcept { return {clock, control_->epoch_ns}; }

  static std::uint64_t recovers_in(const ThreadSlot& thread, std::uint64_t time) noexcept {
    const std::uint64_t until = thread.counters[kOverloadedUntil].load(std::memory_order_relaxed);
    return until > time ? until - time : 0;
  }
  bool overloaded(const ThreadSlot& thread, std::uint64_t time) noexcept {
    return recovers_in(thread, time) != 0 || watch_.standing(time);
  }

  // Decides about one state, counting nothing. While somebody waits for it, nobody else is allowed.
  Decision decide_in(Tiers& tiers, ThreadSlot& thread, const Clock& clock, std::uint64_t time,
                     std::uint64_t cost, std::uint64_t queue_depth) noexcept {
    Tiers::Taken taken;
    if (overloaded(thread, time)) [[unlikely]] {
      taken.refused_by = Tier::kAdaptive;
    } else if (tiers.line().waiting.load(std::memory_order_relaxed) != 0 && cost != 0) [[unlikely]] {
      taken.refused_by = Tier::kLine;
    } else {
      taken = tiers.take(cost, time, queue_depth, since_epoch(clock));
    }
    const Tiers::Refusal refusal = tiers.named({taken.refused_by, false, taken.window}, cost);
    Decision decision{refusal.tier, refusal.tier, refusal.oversized, refusal.window, taken.receipt};
    if (refusal.tier != Tier::kNone && !control_->config.enforce) {
      tiers.force_depth(cost);  // it will be released like any other
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

  // What an operation needs of a key without a state: one to use; one that is kept until the operation's effect is
  // over; one to write to; the state that it would have; or nothing, for there is nothing to do.
  enum class Need : std::uint8_t { kUse, kStay, kPlace, kState, kFound };
  static Need need_of(std::uint64_t cost) noexcept { return cost == 0 ? Need::kState : Need::kUse; }

  // Of a key that was forgotten in between, a part of it may be of the state that it had before.
  bool leave(ThreadSlot& thread, Tiers& tiers, std::uint64_t cost) noexcept {
    const bool keyed = control_->config.keys_max != 0 && tiers.holds_depth();
    if (!tiers.leave_depth(cost) && !(keyed && leave_in_parts(tiers, cost))) return false;
    if (keyed) thread.count(kInFlight, 0 - cost);
    return true;
  }
  // All that the state, which is locked, has in flight, and the rest from what was left behind; or nothing.
  SLUICE_APART bool leave_in_parts(Tiers& tiers, std::uint64_t cost) noexcept {
    const std::uint64_t here = tiers.in_flight();
    return here != 0 && control_->left_behind.leave(cost - here) && tiers.leave_depth(here);
  }

  // The same for what a key had in flight when it was forgotten, and has no state.
  bool leave_behind(ThreadSlot& thread, std::uint64_t cost) noexcept {
    const LimiterConfig& config = control_->config;
    if (!config.has_depth || config.depth_of_queue) return true;
    if (config.keys_max == 0 || !control_->left_behind.leave(cost)) return false;
    thread.count(kInFlight, 0 - cost);
    return true;
  }

  bool take_place(ThreadSlot& thread, KeyTable::Place& place, const Key& key, std::uint64_t time) noexcept {
    const KeyTable::Taken taken =
        keys_.take(place, key, [&](std::byte* state) { return tiers_at(state).fresh(time); });
    if (taken != KeyTable::Taken::kNone) key_state(keys_.state(place)).line->serial = next_serial();
    if (taken == KeyTable::Taken::kFree) thread.count(kPlaces);
    if (taken == KeyTable::Taken::kEvicted) thread.count(kEvicted);
    return taken != KeyTable::Taken::kNone;
  }

  // Makes a guest of the key; kNone if it is `to_stay` and there is no room for that.
  std::uint32_t take_in(ThreadSlot& thread, const Key& key, bool to_stay, std::uint64_t time) noexcept {
    bool evicted = false;
    const std::uint32_t slot = guests_.take(
        key, to_stay, [&](std::byte* state) { return tiers_at(state).stays(time); },
        [&](std::byte* state) {
          evicted = true;
          forget(thread, tiers_at(state), time);
        });
    if (slot == GuestRing::kNone) return slot;
    key_state(guests_.state(slot)).line->serial = next_serial();
    thread.count(evicted ? kEvicted : kPlaces);
    return slot;
  }
  void forget(ThreadSlot& thread, Tiers tiers, std::uint64_t time) noexcept {
    if (!tiers.fresh(time)) thread.count(kForgotten);
    if (tiers.holds_depth()) control_->left_behind.force(tiers.in_flight());
  }

  // Calls act(tiers, limiter's time, whether the state may be waited for) for the state of `key`. False if the key
  // had none.
  template <class Act>
  bool visit(ThreadSlot& thread, std::uint64_t now, const Key* key, Need need, Act&& act) noexcept {
    const std::uint64_t time = now - control_->epoch_ns;
    control_->quiesce.enter(thread);
    bool found = true;
    if (key == nullptr) {
      Tiers tiers(control_->config, shared_state());
      act(tiers, time, true);
    } else {
      KeyTable::Place place = keys_.lock(*key);
      if (place.found()) [[likely]] {
        Tiers tiers = tiers_at(keys_.state(place));
        act(tiers, time, true);
      } else {
        found = visit_other(thread, place, *key, need, time, act);
      }
      KeyTable::unlock(place);
    }
    control_->quiesce.leave(thread);
    return found;
  }

  // The same for a key that has no place in its set, which is locked.
  template <class Act>
  bool visit_other(ThreadSlot& thread, KeyTable::Place& place, const Key& key, Need need, std::uint64_t time,
                   Act& act) noexcept {
    bool locked = guests_.may_know(key);
    if (locked) guests_.lock();
    std::uint32_t guest = locked ? guests_.find(key) : GuestRing::kNone;
    const bool is_guest = guest != GuestRing::kNone;
    const bool takes = need <= Need::kPlace;
    // A guest that owes nothing may move into the table.
    if (takes && (!is_guest || tiers_at(guests_.state(guest)).fresh(time)) &&
        take_place(thread, place, key, time)) {
      if (is_guest) {
        guests_.remove(guest);
        thread.count(kPlaces, ~0ULL);  // one less
      }
    } else if (takes && !is_guest) {
      if (!locked) guests_.lock();
      locked = true;
      guest = take_in(thread, key, need == Need::kStay, time);
    } else if (need == Need::kStay && !GuestRing::may_stay(guest)) {
      guest = guests_.settle(guest, [&](std::byte* state) { return tiers_at(state).stays(time); });
    }
    const bool has_state = place.found() || guest != GuestRing::kNone;
    if (has_state) {
      if (need == Need::kUse && !place.found()) thread.count(kOverflowed);
      Tiers tiers = tiers_at(place.found() ? keys_.state(place) : guests_.state(guest));
      act(tiers, time, place.found() || GuestRing::may_stay(guest));
    } else if (need == Need::kState) {
      Tiers tiers(control_->config, shared_state());
      act(tiers, time, false);
    }
    if (locked) guests_.unlock();
    return has_state;
  }

  Tiers tiers_at(std::byte* state) const noexcept { return Tiers(control_->config, key_state(state)); }
  LimiterState shared_state() const noexcept {
    return {&control_->bucket, &control_->depth, &control_->blocked_until, &control_->line,
            window_,           calendars_,       &control_->refunds};
  }
  LimiterState key_state(std::byte* state) const noexcept {
    auto* at = reinterpret_cast<KeyState*>(state);
    return {&at->bucket, &at->depth, &at->blocked_until, &at->line, state + sizeof(KeyState),
            calendars_,  nullptr};
  }

  LimiterControl* control_;
  ThreadSlots* thread_slots_;
  std::byte* window_;
  KeyTable keys_;
  GuestRing guests_;
  CalendarMemory* calendars_;
  std::uint64_t* scratch_;  // of configure(), while it has paused everybody
  QueueWatch watch_;
};

}  // namespace sluice
