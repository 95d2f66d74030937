// A token bucket by the generic cell rate algorithm (GCRA, ITU-T I.371). The theoretical arrival time is kept in tokens
// instead of nanoseconds, so that the time between two tokens need not be a whole number of nanoseconds. One 64-bit
// word, `spent`, decides; a second one, `moved`, is for refunds.
//
// `spent` counts the units handed out, on the scale of the units accrued since the bucket's origin. A unit is a
// fraction of a token (see token_rate.h). A request passes if spent + cost <= accrued + burst. Units that accrue while
// the bucket is full are lost: take() first raises `spent` to what has accrued. Only whole units count as accrued, so
// the first token after a full bucket may come early by up to the time of one unit. At rates up to 32 tokens a second
// that is 2^-28 of a token's time.
//
// The units that a request took are its slot: the last `cost` units of `spent` at that time. A later refund() gives
// back the part of the slot that has not accrued yet. The slots of later requests then end earlier than their receipts
// say. `moved` is the sum of these moves. refund() assumes that each move since a request has moved the slot of that
// request. This is strict: a bucket never has more left than if the refunded request had never been made.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/base/spin_lock.h"
#include "core/limiter/token_rate.h"

namespace sluice {

inline constexpr std::uint64_t kNever = ~0ULL;  // a wait that never ends: the request can never pass

// How tokens accrue: at `rate` since `origin`. During a warm-up the rate rises evenly from a third of `rate` to all of
// it, as in Guava's SmoothWarmingUp with its cold factor of 3.
struct TokenBucketConfig {
  TokenRate rate;
  std::uint64_t burst = 0;         // tokens, 1 to 2^32
  std::uint64_t origin = 0;        // limiter's time from which tokens accrue
  std::uint64_t warm_up_ns = 0;    // 0: none
  std::uint64_t warm_up_from = 0;  // limiter's time at which the warm-up began
  double per_second = 0;           // the rate as it was given, for display

  // Whether tokens accrue in the same way in both configurations, so that `spent` keeps its meaning.
  bool accrues_as(const TokenBucketConfig& other) const noexcept {
    return rate == other.rate && origin == other.origin && warm_up_ns == other.warm_up_ns &&
           warm_up_from == other.warm_up_from;
  }

  // Returns the units accrued until `now`. Returns 0 if `now` is before `origin`: a thread may read the time before
  // configure() sets a new origin, and use it afterwards.
  std::uint64_t accrued(std::uint64_t now) const noexcept {
    if (now <= origin) return 0;
    if (warm_up_ns == 0) return rate.accrued(now - origin);
    return rate.accrued(warmed(now) - warmed(origin));
  }
  // Returns the first time at which `units` have accrued; kNever if that takes longer than 36 years.
  std::uint64_t time_of(std::uint64_t units) const noexcept {
    const std::uint64_t full_rate_ns = rate.time_of(units);
    if (full_rate_ns == TokenRate::kTimeMax) return kNever;
    if (warm_up_ns == 0) return origin + full_rate_ns;
    const std::uint64_t target = warmed(origin) + full_rate_ns;
    const std::uint64_t end = warm_up_from + warm_up_ns;
    if (target >= warmed(end)) return end + (target - warmed(end));
    std::uint64_t low = origin, high = end;
    while (low < high) {
      const std::uint64_t middle = low + (high - low) / 2;
      if (warmed(middle) >= target) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  // Converts the units of a debt to the scale of `other`, rounded up.
  std::uint64_t debt_in(const TokenBucketConfig& other, std::uint64_t units) const noexcept {
    const std::uint64_t one = rate.units(1), other_one = other.rate.units(1);
    if (other_one >= one) return units * (other_one / one);
    const std::uint64_t step = one / other_one;
    return (units + step - 1) / step;
  }

 private:
  // Returns the time at which as much has accrued without the warm-up as until `now` with it. The result grows with
  // `now`. At time t of a warm-up of length w, it is t/3 + t^2 / 3w after the warm-up's beginning; from the warm-up's
  // end on, it is w/3 before `now`. It is computed in doubles, exact to a few nanoseconds.
  std::uint64_t warmed(std::uint64_t now) const noexcept {
    if (now <= warm_up_from) return now;
    const std::uint64_t in = now - warm_up_from;
    if (in >= warm_up_ns) return now - warm_up_ns / 3;
    const auto t = static_cast<double>(in), w = static_cast<double>(warm_up_ns);
    return warm_up_from +
           std::min(static_cast<std::uint64_t>(t * (w + t) / (3 * w)), warm_up_ns - warm_up_ns / 3);
  }
};

// The most tokens that a bucket can owe, for a burst and penalties together.
inline constexpr std::uint64_t kTokenDebtMax = 1ULL << 33;

class TokenBucket {
 public:
  // What take() records. `end`: the end of the slot that it took (`spent` afterwards), plus `moved` at that time.
  struct Slot {
    std::uint64_t end = 0;
  };

  // Takes `cost` tokens at time `now` (ns since the limiter's epoch), or nothing.
  bool take(const TokenBucketConfig& config, std::uint64_t cost, std::uint64_t now) noexcept {
    Slot slot;
    return take(config, cost, now, slot);
  }
  bool take(const TokenBucketConfig& config, std::uint64_t cost, std::uint64_t now, Slot& slot) noexcept {
    if (cost > config.burst) return false;  // its units might not fit in a word
    const std::uint64_t accrued = config.accrued(now);
    const std::uint64_t most = accrued + config.rate.units(config.burst);
    const std::uint64_t units = config.rate.units(cost);
    // ACQ moved: pairs with REL in lower(). A take() that reads a move from `moved` also reads the `spent_` that was
    // lowered with that move, so refund() must not apply the move to the slot of this take(), and does not.
    const std::uint64_t moved = moved_.load(std::memory_order_acquire);
    // Relaxed: `spent_` alone decides, and it publishes no other memory.
    std::uint64_t spent = spent_.load(std::memory_order_relaxed);
    for (;;) {
      const std::uint64_t after = (spent > accrued ? spent : accrued) + units;
      if (after > most) return false;
      if (spent_.compare_exchange_weak(spent, after, std::memory_order_relaxed, std::memory_order_relaxed)) {
        slot.end = after + moved;
        return true;
      }
    }
  }

  // Undoes a take() that was made at `then`. Called right after it. Cannot fail. `clock_now` reads the clock anew, and
  // is called only if other threads changed the bucket in between. In that case the units that have accrued since
  // `then` are not given back.
  template <class ReadClock>
  void undo(const TokenBucketConfig& config, std::uint64_t cost, std::uint64_t then, const Slot& slot,
            SpinLock<>* lock, ReadClock&& clock_now) noexcept {
    const std::uint64_t units = config.rate.units(cost);
    std::uint64_t end = slot.end - moved_.load(std::memory_order_relaxed);
    // If this CAS succeeds, no other thread has changed the bucket since, so no slot is behind this one. (Or a refund
    // and a take() of the same size came in between. Then refund() may assume that the slot of that take() ends too
    // late, by at most `cost`.)
    if (spent_.compare_exchange_strong(end, end - units, std::memory_order_relaxed,
                                       std::memory_order_relaxed)) {
      return;
    }
    // At most `gone` units of the slot have accrued again. Other requests may have taken them, if this thread lost the
    // processor, so they are not given back.
    const std::uint64_t gone = config.accrued(clock_now()) - config.accrued(then);
    if (gone >= units) return;
    const Locked locked(lock);
    lower(units - gone, kNowhere);
  }
  void give(const TokenBucketConfig& config, std::uint64_t cost, SpinLock<>* lock) noexcept {
    const Locked locked(lock);
    lower(config.rate.units(cost), kNowhere);
  }
  // Gives back the part of a slot that has not accrued until `now`, or less: see the head of this file.
  void refund(const TokenBucketConfig& config, std::uint64_t cost, std::uint64_t now, const Slot& slot,
              SpinLock<>* lock) noexcept {
    const Locked locked(lock);
    const std::uint64_t end = slot.end - moved_.load(std::memory_order_relaxed);
    const std::uint64_t accrued = config.accrued(now);
    // If `end` is greater than `spent_`, the subtraction has wrapped around below 0, because more than `slot.end` units
    // were given back since; or `end` is too late, as undo() describes. In both cases nothing is given back.
    if (end <= accrued || end > spent_.load(std::memory_order_relaxed)) return;
    lower(std::min(config.rate.units(cost), end - accrued), end);
  }

  // Takes `cost` tokens even if they are not there: the bucket then owes them, up to kTokenDebtMax.
  void charge(const TokenBucketConfig& config, std::uint64_t cost, std::uint64_t now) noexcept {
    const std::uint64_t accrued = config.accrued(now);
    const std::uint64_t most = accrued + config.rate.units(kTokenDebtMax);
    std::uint64_t spent = spent_.load(std::memory_order_relaxed);
    std::uint64_t after;
    do {
      after = std::max(spent, std::min(most, std::max(spent, accrued) + config.rate.units(cost)));
    } while (
        !spent_.compare_exchange_weak(spent, after, std::memory_order_relaxed, std::memory_order_relaxed));
  }

  bool full(const TokenBucketConfig& config, std::uint64_t now) const noexcept {
    return spent_.load(std::memory_order_relaxed) <= config.accrued(now);
  }
  // Makes the bucket full, whatever `now` the next call has.
  void clear() noexcept { spent_.store(0, std::memory_order_relaxed); }

  // Changes to the rate of `to`, whose origin is `now`. The bucket keeps its debt. Called while no other thread is
  // inside an operation.
  void rebase(const TokenBucketConfig& from, const TokenBucketConfig& to, std::uint64_t now) noexcept {
    const std::uint64_t spent = spent_.load(std::memory_order_relaxed);
    const std::uint64_t accrued = from.accrued(now);
    spent_.store(spent > accrued ? from.debt_in(to, spent - accrued) : 0, std::memory_order_relaxed);
  }

  std::uint64_t remaining(const TokenBucketConfig& config, std::uint64_t now) const noexcept {
    const std::uint64_t accrued = config.accrued(now);
    const std::uint64_t spent = spent_.load(std::memory_order_relaxed);
    const std::uint64_t most = accrued + config.rate.units(config.burst);
    const std::uint64_t used = spent > accrued ? spent : accrued;
    return used >= most ? 0 : config.rate.whole_tokens(most - used);
  }

  // Returns the nanoseconds from `now` until take(cost) passes if no other request takes tokens. 0: at once. kNever:
  // cost > burst, or it takes longer than 36 years.
  std::uint64_t retry_after(const TokenBucketConfig& config, std::uint64_t cost,
                            std::uint64_t now) const noexcept {
    if (cost > config.burst) return kNever;
    return retry_after_all(config, cost, now);
  }
  // Returns the nanoseconds from `now` until `cost` tokens can have been taken, one by one as they accrue, if no other
  // request takes tokens. `cost` may exceed the burst. kNever: it takes longer than TokenRate can compute (17 years or
  // more).
  std::uint64_t retry_after_all(const TokenBucketConfig& config, std::uint64_t cost,
                                std::uint64_t now) const noexcept {
    if (!config.rate.fits(cost)) return kNever;
    const std::uint64_t spent = std::max(spent_.load(std::memory_order_relaxed), config.accrued(now));
    const std::uint64_t needed = spent + config.rate.units(cost);
    const std::uint64_t burst = config.rate.units(config.burst);
    if (needed <= burst) return 0;
    const std::uint64_t due = config.time_of(needed - burst);
    if (due == kNever) return kNever;
    return due > now ? due - now : 0;
  }

 private:
  static constexpr std::uint64_t kNowhere = ~0ULL;

  // Holds `lock` while units are given back, so that a thread that gives back sees how far others have moved its slot.
  // nullptr: no other thread can use the bucket, because the caller has the lock of its key.
  class Locked {
   public:
    explicit Locked(SpinLock<>* lock) noexcept : lock_(lock) {
      if (lock_ != nullptr) lock_->lock();
    }
    ~Locked() {
      if (lock_ != nullptr) lock_->unlock();
    }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

   private:
    SpinLock<>* lock_;
  };

  // Gives `units` back. `end`: the end of the slot to which they belong. If it equals `spent_`, no slot is behind that
  // one, so no slot moves. kNowhere: the units count as lying before every slot, so every slot moves.
  void lower(std::uint64_t units, std::uint64_t end) noexcept {
    std::uint64_t spent = spent_.load(std::memory_order_relaxed);
    while (!spent_.compare_exchange_weak(spent, spent > units ? spent - units : 0, std::memory_order_relaxed,
                                         std::memory_order_relaxed)) {
    }
    const std::uint64_t moved = moved_.load(std::memory_order_relaxed) + std::min(units, spent);
    // REL moved: pairs with ACQ in take(). Stored after `spent_`. So if a take() reads the lowered `spent_` but the old
    // `moved`, refund() applies this move to the slot of that take(), too, and gives back too little, not too much.
    if (spent != end) moved_.store(moved, std::memory_order_release);
  }

  std::atomic<std::uint64_t> spent_{0};
  std::atomic<std::uint64_t> moved_{0};
};

}  // namespace sluice
