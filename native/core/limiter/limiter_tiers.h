// The tiers of one state, which is that of the whole limiter or of one key. A decision charges all tiers or none: if a
// later tier refuses, the charges of the earlier ones are undone.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base/atomics.h"
#include "core/base/waiter_list.h"
#include "core/limiter/depth_gate.h"
#include "core/limiter/limiter_config.h"

namespace sluice {

// The waiters of one state: see limiter_waiters.h. Zeroed: there are none.
struct StateLine {
  std::atomic<std::uint32_t> waiting;
  WaiterChain chain;
  std::uint64_t serial;             // changes when earlier charges can no longer be refunded; never repeats
  std::atomic<std::uint64_t> cost;  // the costs of all waiters together
};

// The charges of one decision. A refund gives back no more than the part of these that is still in force.
struct Receipt {
  std::uint64_t charged[kWindowsMax]{};  // per window: SlidingWindow::Charge::bucket
  TokenBucket::Slot slot;
  std::uint64_t serial = 0;
};

// Pointers to the parts of one state.
struct LimiterState {
  TokenBucket* bucket;
  DepthGate* depth;
  std::atomic<std::uint64_t>* blocked_until;  // limiter's time
  StateLine* line;
  std::byte* window;
  CalendarMemory* calendars;
  SpinLock<>* refunds;  // held to give tokens back; nullptr: the caller has the key's lock
};

class Tiers {
 public:
  // The tier that refuses a request, or would refuse it.
  struct Refusal {
    Tier tier = Tier::kNone;
    bool oversized = false;   // the cost exceeds what the tier allows at most: it can never pass
    std::uint8_t window = 0;  // the index of the window, for kSlidingWindow
  };
  struct Taken {
    Tier refused_by = Tier::kNone;
    std::uint8_t window = 0;  // the index of the window that refused
    Receipt receipt;
  };

  Tiers(const LimiterConfig& config, const LimiterState& state) : config_(config), state_(state) {}

  // Charges every tier, or none.
  template <class ReadClock>
  Taken take(std::uint64_t cost, std::uint64_t now, std::uint64_t queue_depth,
             ReadClock&& clock_now) noexcept {
    Taken taken;
    taken.receipt.serial = state_.line->serial;
    if (now < state_.blocked_until->load(std::memory_order_relaxed)) {
      taken.refused_by = Tier::kBlocked;
    } else if (cost == 0) [[unlikely]] {
      return taken;  // a request of cost 0 passes, whatever the state owes
    } else if (config_.has_bucket && !state_.bucket->take(config_.bucket, cost, now, taken.receipt.slot)) {
      taken.refused_by = Tier::kTokenBucket;
    } else if (config_.window_count != 0 && !take_windows(cost, now, clock_now, taken)) {
      if (config_.has_bucket) undo_bucket(taken.receipt, cost, now, clock_now);
      taken.refused_by = Tier::kSlidingWindow;
    } else if (config_.has_depth && !enter_depth(cost, queue_depth)) {
      undo_rates(taken.receipt, cost, now, clock_now);
      taken.refused_by = Tier::kQueueDepth;
    }
    return taken;
  }

  // Undoes what take() charged the token bucket and the windows. Called right after it. `now`: the time of the take().
  template <class ReadClock>
  void undo_rates(const Receipt& receipt, std::uint64_t cost, std::uint64_t now,
                  ReadClock&& clock_now) noexcept {
    if (receipt.serial != state_.line->serial) return;
    refund_windows(config_.window_count, receipt, cost, now);
    if (config_.has_bucket) undo_bucket(receipt, cost, now, clock_now);
  }
  // Gives the token bucket and the windows back the part of the charge that is still in force at `now`.
  void refund_rates(const Receipt& receipt, std::uint64_t cost, std::uint64_t now) noexcept {
    if (receipt.serial != state_.line->serial) return;
    refund_windows(config_.window_count, receipt, cost, now);
    if (config_.has_bucket) state_.bucket->refund(config_.bucket, cost, now, receipt.slot, state_.refunds);
  }
  // Whether the depth tier counts requests in flight itself.
  bool holds_depth() const noexcept { return config_.has_depth && !config_.depth_of_queue; }
  // Counts `cost` as in flight even beyond the limit.
  void force_depth(std::uint64_t cost) noexcept {
    if (holds_depth()) state_.depth->force(cost);
  }
  // Returns false, and changes nothing, if less than `cost` is in flight. Returns true if the tier does not count the
  // depth itself.
  bool leave_depth(std::uint64_t cost) noexcept { return !holds_depth() || state_.depth->leave(cost); }

  std::uint64_t in_flight() const noexcept { return state_.depth->in_flight(); }

  StateLine& line() noexcept { return *state_.line; }

  // Returns the first tier whose present limit `cost` exceeds.
  Refusal exceeded(std::uint64_t cost) const noexcept {
    if (config_.has_bucket && cost > config_.bucket.burst) return {Tier::kTokenBucket, true};
    for (std::uint32_t i = 0; i < config_.window_count; ++i) {
      if (cost > config_.windows[i].sliding.limit) return of_window(i, true);
    }
    if (config_.has_depth && cost > config_.depth_max) return {Tier::kQueueDepth, true};
    return {};
  }
  // Returns the refusal to report to the caller. If `cost` exceeds the limit of a tier, so that it can never pass, the
  // refusal names that tier, whichever tier refused.
  Refusal named(const Refusal& refusal, std::uint64_t cost) const noexcept {
    if (refusal.tier == Tier::kNone) return {};
    const Refusal never = exceeded(cost);
    return never.oversized ? never : refusal;
  }

  // Returns a tier that would refuse `cost` now, or kNone. If there are several, returns the first one in the order of
  // the code below, which asks for waiters last. Charges nothing.
  Refusal refuses(std::uint64_t cost, std::uint64_t now, std::uint64_t queue_depth) const noexcept {
    if (now < state_.blocked_until->load(std::memory_order_relaxed)) return {Tier::kBlocked};
    if (cost == 0) return {};
    if (config_.has_bucket && state_.bucket->retry_after(config_.bucket, cost, now) != 0)
      return {Tier::kTokenBucket};
    for (std::uint32_t i = 0; i < config_.window_count; ++i) {
      if (window(i).retry_after(cost, now) != 0) return of_window(i, false);
    }
    if (config_.has_depth && depth_left(queue_depth) < cost) return {Tier::kQueueDepth};
    if (state_.line->waiting.load(std::memory_order_relaxed) != 0) return {Tier::kLine};
    return {};
  }

  // Returns the nanoseconds until every tier that follows a clock would allow `cost`. The depth tier adds nothing,
  // because it cannot be foreseen when work ends; but if `cost` exceeds its limit, the result is kNever.
  std::uint64_t retry_after(std::uint64_t cost, std::uint64_t now) const noexcept {
    std::uint64_t wait = blocked_for(now);
    if (cost == 0) return wait;
    if (config_.has_bucket) wait = std::max(wait, state_.bucket->retry_after(config_.bucket, cost, now));
    for (std::uint32_t i = 0; i < config_.window_count; ++i) {
      wait = std::max(wait, window(i).retry_after(cost, now));
    }
    if (config_.has_depth && cost > config_.depth_max) wait = kNever;
    return wait;
  }
  // Returns a lower bound of the time until `cost` can be allowed, after requests whose costs add up to `ahead`.
  std::uint64_t least_wait(std::uint64_t ahead, std::uint64_t cost, std::uint64_t now) const noexcept {
    std::uint64_t wait = retry_after(cost, now);
    if (wait == kNever || ahead == 0) return wait;
    const std::uint64_t all = ahead + cost;
    if (config_.has_bucket) wait = std::max(wait, state_.bucket->retry_after_all(config_.bucket, all, now));
    for (std::uint32_t i = 0; i < config_.window_count; ++i) {
      wait = std::max(wait, window(i).least_wait(all, now));
    }
    return wait;
  }

  // Returns how long a new request would wait behind the present waiters, in nanoseconds. Their cost is read without
  // the lock, so the result is a forecast.
  std::uint64_t wait(std::uint64_t cost, std::uint64_t now) const noexcept {
    if (state_.line->waiting.load(std::memory_order_relaxed) == 0 || cost == 0) return retry_after(cost, now);
    return least_wait(state_.line->cost.load(std::memory_order_relaxed), cost, now);
  }

  // The tier that would allow the least now, and how much that is. kNone: there are no tiers. A block counts as a tier
  // that allows nothing.
  struct Tightest {
    Tier tier;
    std::uint64_t left;
  };
  Tightest tightest(std::uint64_t now, std::uint64_t queue_depth) const noexcept {
    if (blocked_for(now) != 0) return {Tier::kBlocked, 0};
    Tightest found{Tier::kNone, kNever};
    const auto consider = [&](Tier tier, std::uint64_t left) {
      if (left < found.left) found = {tier, left};
    };
    if (config_.has_bucket) consider(Tier::kTokenBucket, state_.bucket->remaining(config_.bucket, now));
    if (config_.has_depth) consider(Tier::kQueueDepth, depth_left(queue_depth));
    for (std::uint32_t i = 0; i < config_.window_count; ++i) {
      consider(Tier::kSlidingWindow, window(i).remaining(now));
    }
    return found;
  }

  // `left`: how much one tier by itself would allow now. `more_in`: the nanoseconds until it would allow one more;
  // kNever if the tier does not follow a clock, or allows its whole limit already. For a calendar window it is always
  // the time until its period may be over.
  struct Room {
    std::uint64_t left = kNever;  // kNever: the limiter has no such tier
    std::uint64_t more_in = kNever;
  };
  struct Rooms {
    Room bucket, depth, windows[kWindowsMax];
  };
  // Ignores a block, waiters and the adaptive tier, which refuse whatever room there is.
  Rooms rooms(std::uint64_t now, std::uint64_t queue_depth) const noexcept {
    Rooms rooms;
    if (config_.has_bucket) {
      rooms.bucket.left = state_.bucket->remaining(config_.bucket, now);
      rooms.bucket.more_in = state_.bucket->retry_after(config_.bucket, rooms.bucket.left + 1, now);
    }
    for (std::uint32_t i = 0; i < config_.window_count; ++i) {
      rooms.windows[i].left = window(i).remaining(now);
      rooms.windows[i].more_in = window(i).more_in(rooms.windows[i].left, now);
    }
    if (config_.has_depth) rooms.depth.left = depth_left(queue_depth);
    return rooms;
  }

  // Whether this state must not be forgotten, because it is blocked or has waiters.
  bool stays(std::uint64_t now) const noexcept {
    return blocked_for(now) != 0 || state_.line->waiting.load(std::memory_order_relaxed) != 0;
  }
  // Whether this state decides like a zeroed one, so that forgetting it changes nothing.
  bool fresh(std::uint64_t now) const noexcept {
    return blocked_for(now) == 0 && state_.line->waiting.load(std::memory_order_relaxed) == 0 &&
           (!config_.has_depth || state_.depth->in_flight() == 0) &&
           (!config_.has_bucket || state_.bucket->full(config_.bucket, now)) && windows_empty(now);
  }

  void block(std::uint64_t until) noexcept { state_.blocked_until->store(until, std::memory_order_relaxed); }
  // Ends a block, makes the token bucket full and clears the windows. The depth in flight and the waiters stay. Called
  // while no other thread is inside an operation, or with the key's lock.
  void reset(std::uint64_t serial) noexcept {
    state_.line->serial = serial;
    block(0);
    if (config_.has_bucket) state_.bucket->clear();
    for (std::uint32_t i = 0; i < config_.window_count; ++i) window(i).clear();
  }
  template <class ReadClock>
  void penalize(std::uint64_t cost, std::uint64_t now, ReadClock&& clock_now) noexcept {
    if (config_.has_bucket) state_.bucket->charge(config_.bucket, cost, now);
    for (std::uint32_t i = 0; i < config_.window_count; ++i) window(i).add(cost, now, clock_now);
  }
  void reward(std::uint64_t cost, std::uint64_t now) noexcept {
    if (config_.has_bucket) state_.bucket->give(config_.bucket, cost, state_.refunds);
    for (std::uint32_t i = 0; i < config_.window_count; ++i) window(i).forget(cost, now);
  }

  // Converts the state from this configuration to `to`. Earlier charges cannot be refunded on the new scales, so the
  // state gets a new serial. Called while no other thread is inside an operation.
  void rebase(const LimiterConfig& to, std::uint64_t now, std::uint64_t* scratch,
              std::uint64_t serial) noexcept {
    state_.line->serial = serial;
    if (config_.has_bucket && !to.bucket.accrues_as(config_.bucket)) {
      state_.bucket->rebase(config_.bucket, to.bucket, now);
    }
    for (std::uint32_t i = 0; i < config_.window_count; ++i) window(i).rebase(to.windows[i], now, scratch);
  }

 private:
  template <class ReadClock>
  void undo_bucket(const Receipt& receipt, std::uint64_t cost, std::uint64_t then,
                   ReadClock&& clock_now) noexcept {
    state_.bucket->undo(config_.bucket, cost, then, receipt.slot, state_.refunds, clock_now);
  }
  // Refunds the first `count` windows.
  void refund_windows(std::uint32_t count, const Receipt& receipt, std::uint64_t cost,
                      std::uint64_t now) noexcept {
    for (std::uint32_t i = 0; i < count; ++i) window(i).refund(receipt.charged[i], cost, now);
  }
  LimiterWindow window(std::uint32_t i) const noexcept {
    const std::uint64_t cells = i == 0 ? 0 : config_.cells_before(i);
    const std::uint64_t times =
        config_.windows[i].exact ? config_.window_cleared_bytes() + config_.times_before(i) : 0;
    return LimiterWindow(config_.windows[i], state_.window + cells, state_.window + times, state_.calendars,
                         i);
  }
  static Refusal of_window(std::uint32_t i, bool oversized) noexcept {
    return {Tier::kSlidingWindow, oversized, static_cast<std::uint8_t>(i)};
  }
  bool windows_empty(std::uint64_t now) const noexcept {
    for (std::uint32_t i = 0; i < config_.window_count; ++i) {
      if (!window(i).empty(now)) return false;
    }
    return true;
  }

  // Charges all windows, or none.
  template <class ReadClock>
  SLUICE_APART bool take_windows(std::uint64_t cost, std::uint64_t now, ReadClock&& clock_now,
                                 Taken& taken) noexcept {
    const SlidingWindow::Charge charge = window(0).take(cost, now, clock_now);
    taken.receipt.charged[0] = charge.bucket;
    if (!charge.taken || config_.window_count == 1) [[likely]]
      return charge.taken;
    return take_further_windows(cost, now, clock_now, taken);
  }
  template <class ReadClock>
  SLUICE_APART bool take_further_windows(std::uint64_t cost, std::uint64_t now, ReadClock&& clock_now,
                                         Taken& taken) noexcept {
    for (std::uint32_t i = 1; i < config_.window_count; ++i) {
      const SlidingWindow::Charge charge = window(i).take(cost, now, clock_now);
      taken.receipt.charged[i] = charge.bucket;
      if (charge.taken) continue;
      taken.window = static_cast<std::uint8_t>(i);
      refund_windows(i, taken.receipt, cost, now);
      return false;
    }
    return true;
  }
  std::uint64_t blocked_for(std::uint64_t now) const noexcept {
    const std::uint64_t until = state_.blocked_until->load(std::memory_order_relaxed);
    return until > now ? until - now : 0;
  }
  std::uint64_t depth_left(std::uint64_t queue_depth) const noexcept {
    const std::uint64_t used = config_.depth_of_queue ? queue_depth : state_.depth->in_flight();
    return used >= config_.depth_max ? 0 : config_.depth_max - used;
  }
  bool enter_depth(std::uint64_t cost, std::uint64_t queue_depth) noexcept {
    if (config_.depth_of_queue) return cost <= config_.depth_max && queue_depth <= config_.depth_max - cost;
    return state_.depth->enter(config_.depth_max, cost);
  }

  const LimiterConfig& config_;
  LimiterState state_;
};

}  // namespace sluice
