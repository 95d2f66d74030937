// The states of a limiter: one for all callers, or one for each key. visit() finds or makes the state of an operation's
// key.
//
// Without keys there is one state, which threads change without a lock. With keys, each key has a state in the key
// table, which threads change under the lock of the key's set. If the table has no place for a key, its state is in the
// ring of guests, and threads change it under the lock of the set and the lock of the ring. Each visit is inside a
// Quiesce section.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base/thread_slots.h"
#include "core/limiter/guest_ring.h"
#include "core/limiter/key_table.h"
#include "core/limiter/limiter_memory.h"
#include "core/limiter/limiter_tiers.h"

namespace sluice {

class LimiterStates {
 public:
  enum Counter : std::uint32_t {
    kAllowed,
    kByTokenBucket,  // from here to kByLine: refusals by each tier, in the order of Tier
    kBySlidingWindow,
    kByQueueDepth,
    kByBlock,
    kByAdaptive,
    kByLine,
    kDryRefusals,  // refusals in a dry run, which were allowed; also counted by tier
    kOverflowed,   // decisions about guests
    // Free places of the table and the ring that were taken, less those given up: the sum over all threads is how many
    // are in use.
    kPlaces,
    kEvicted,    // places that a new key took from another key
    kForgotten,  // of these, places of guests that owed something
    // With keys: cost entered less cost left. The sum over all threads is the cost in flight.
    kInFlight,
    kOverloadedUntil =
        kThreadCounters - 1,  // no count: until when this thread refuses, in the limiter's time
  };

 protected:
  LimiterStates(std::byte* memory, const LimiterConfig& config, const LimiterPlaces& at)
      : control_(reinterpret_cast<LimiterControl*>(memory + at.control)),
        thread_slots_(reinterpret_cast<ThreadSlots*>(memory + at.slots)),
        window_(memory + at.windows),
        keys_(memory + at.keys, config.keys_max, KeyState::bytes(config),
              sizeof(KeyState) + config.window_cleared_bytes()),
        guests_(memory + at.guests, config.keys_max, KeyState::bytes(config),
                sizeof(KeyState) + config.window_cleared_bytes()),
        calendars_(reinterpret_cast<CalendarMemory*>(memory + at.calendars)),
        scratch_(reinterpret_cast<std::uint64_t*>(memory + at.scratch)) {}

  // Relaxed: it matters only that no two serials are the same.
  std::uint64_t next_serial() noexcept {
    return control_->serial.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  // What an operation needs if its key has no state yet:
  //   kUse    a state in which it decides
  //   kStay   a state that is not forgotten while the key is blocked or has waiters
  //   kPlace  a state to write to
  //   kState  to read the state that the key would have
  //   kFound  nothing: without a state the operation has nothing to do
  enum class Need : std::uint8_t { kUse, kStay, kPlace, kState, kFound };
  static Need need_of(std::uint64_t cost) noexcept { return cost == 0 ? Need::kState : Need::kUse; }

  // Calls act(tiers, time, stays) for the state of `key`. `time` is the limiter's; `stays`: whether callers may wait
  // for the state. Returns false if the key has no state (kStay: none that stays), even if act() got the state that it
  // would have (kState).
  template <class Act>
  bool visit(ThreadSlot& thread, std::uint64_t now, const Key* key, Need need, Act&& act) noexcept {
    const std::uint64_t time = control_->time_at(now);
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

  // Calls act(tiers) for each state: that of all callers, and those of the keys and the guests. Called while no
  // operation is inside.
  template <class Act>
  void for_each_state(Act&& act) noexcept {
    act(Tiers(control_->config, shared_state()));
    for (std::uint64_t i = 0; i < keys_.count(); ++i) {
      KeyTable::Set& set = keys_.set(i);
      for (std::uint32_t way = 0; way < KeyTable::kWays; ++way) {
        if (set.keys[way] != Key{}) act(tiers_at(keys_.state(set, way)));
      }
    }
    for (std::uint32_t slot = 0; slot < guests_.size(); ++slot) {
      if (guests_.used(slot)) act(tiers_at(guests_.state(slot)));
    }
  }

  LimiterState shared_state() const noexcept {
    return {&control_->bucket, &control_->depth, &control_->blocked_until, &control_->line,
            window_,           calendars_,       &control_->refunds};
  }

  LimiterControl* control_;
  ThreadSlots* thread_slots_;
  std::byte* window_;
  KeyTable keys_;
  GuestRing guests_;
  CalendarMemory* calendars_;
  std::uint64_t* scratch_;  // used by configure() while it has paused all operations

 private:
  bool take_place(ThreadSlot& thread, KeyTable::Place& place, const Key& key, std::uint64_t time) noexcept {
    const KeyTable::Taken taken =
        keys_.take(place, key, [&](std::byte* state) { return tiers_at(state).fresh(time); });
    if (taken != KeyTable::Taken::kNone) key_state(keys_.state(place)).line->serial = next_serial();
    if (taken == KeyTable::Taken::kFree) thread.count(kPlaces);
    if (taken == KeyTable::Taken::kEvicted) thread.count(kEvicted);
    return taken != KeyTable::Taken::kNone;
  }

  // Makes the key a guest, and returns its slot. kNone: `to_stay` is true, and no more guests can stay.
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

  // visit() for a key that has no place in its set, which is locked.
  template <class Act>
  SLUICE_APART bool visit_other(ThreadSlot& thread, KeyTable::Place& place, const Key& key, Need need,
                                std::uint64_t time, Act& act) noexcept {
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
  LimiterState key_state(std::byte* state) const noexcept {
    auto* at = reinterpret_cast<KeyState*>(state);
    return {&at->bucket, &at->depth, &at->blocked_until, &at->line, state + sizeof(KeyState),
            calendars_,  nullptr};
  }
};

}  // namespace sluice
