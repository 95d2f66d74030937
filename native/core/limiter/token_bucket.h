// A token bucket as one 64-bit word: the generic cell rate algorithm (GCRA, ITU-T I.371) with its theoretical
// arrival time kept in tokens instead of nanoseconds, so that no rate is rounded to a whole interval.
//
// `spent` is the number of token units handed out, on the same scale as the units accrued since the epoch. While the
// bucket is full, accrual is lost: spent is raised to what has accrued. That is a whole number of units, so the first
// token after a full bucket may come early by up to the time of one unit: at rates up to 32 tokens a second, 2^-28 of a
// token's time. A request passes if spent + cost <= accrued + burst.
//
// The units that a request took are its slot: the last `cost` units of `spent` at that time. A later refund() gives
// back the part of the slot that has not accrued yet. This moves the slots behind it down, so that they end earlier
// than their receipts say. `moved` is the sum of these moves, and each slot is assumed to lie behind all that was given
// back since. That errs on the strict side: a bucket never has more left than if the refunded request had never been
// made.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/base/spin_lock.h"
#include "core/limiter/token_rate.h"

namespace sluice {

inline constexpr std::uint64_t kNever = ~0ULL;  // a retry_after that no waiting can satisfy

// How tokens accrue: at `rate` since `origin`. During a warm-up the rate climbs evenly from a third of `rate` to all
// of it, as in Guava's SmoothWarmingUp with its cold factor of 3.
struct TokenBucketConfig {
  TokenRate rate;
  std::uint64_t burst = 0;         // tokens, 1 to 2^32
  std::uint64_t origin = 0;        // limiter's time from which tokens accrue
  std::uint64_t warm_up_ns = 0;    // 0: none
  std::uint64_t warm_up_from = 0;  // limiter's time at which it began
  double per_second = 0;           // the rate as it was given, for display

  // Whether tokens accrue in the same way, so that one count of them means the same in both.
  bool accrues_as(const TokenBucketConfig& other) const noexcept {
    return rate == other.rate && origin == other.origin && warm_up_ns == other.warm_up_ns &&
           warm_up_from == other.warm_up_from;
  }

  // Units accrued until `now`. 0 for a thread whose time is before `origin`.
  std::uint64_t accrued(std::uint64_t now) const noexcept {
    if (now <= origin) return 0;
    if (warm_up_ns == 0) return rate.accrued(now - origin);
    return rate.accrued(warmed(now) - warmed(origin));
  }
  // The first time at which `units` have accrued; kNever if that takes longer than 36 years.
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

  // The units of a debt on the scale of `other`, rounded up.
  std::uint64_t debt_in(const TokenBucketConfig& other, std::uint64_t units) const noexcept {
    const std::uint64_t one = rate.units(1), other_one = other.rate.units(1);
    if (other_one >= one) return units * (other_one / one);
    const std::uint64_t step = one / other_one;
    return (units + step - 1) / step;
  }

 private:
  // Returns how many nanoseconds at the full rate accrue as much as the time until `now`; it grows with `now`. At time
  // t of a warm-up of length w it is t/3 + t^2 / 3w after the warm-up's beginning, and from its end on it lags w/3
  // behind. Computed in doubles, exact to a few nanoseconds.
  std::uint64_t warmed(std::uint64_t now) const noexcept {
    if (now <= warm_up_from) return now;
    const std::uint64_t in = now - warm_up_from;
    if (in >= warm_up_ns) return now - warm_up_ns / 3;
    const auto t = static_cast<double>(in), w = static_cast<double>(warm_up_ns);
    return warm_up_from +
           std::min(static_cast<std::uint64_t>(t * (w + t) / (3 * w)), warm_up_ns - warm_up_ns / 3);
  }
};

// The most that a bucket can owe, in tokens: a burst, and penalties.
inline constexpr std::uint64_t kTokenDebtMax = 1ULL << 33;

class TokenBucket {
 public:
  // What take() records: the end of the units that it took, plus `moved` at that time.
  struct Slot {
    std::uint64_t end = 0;
  };

  // Takes `cost` tokens at time `now` (ns since the limiter's epoch), or nothing.
  bool take(const TokenBucketConfig& config, std::uint64_t cost, std::uint64_t now) noexcept {
    Slot slot;
    return take(config, cost, now, slot);
  }
  bool take(const TokenBucketConfig& config, std::uint64_t cost, std::uint64_t now, Slot& slot) noexcept {
    if (cost > config.burst) return false;  // and its units might not fit in a word
    const std::uint64_t accrued = config.accrued(now);
    const std::uint64_t most = accrued + config.rate.units(config.burst);
    const std::uint64_t units = config.rate.units(cost);
    // ACQ moved: pairs with REL in lower(): a take that sees the new `moved` also sees the lowered `spent_`, so its
    // slot does not count that move.
    const std::uint64_t moved = moved_.load(std::memory_order_acquire);
    // Relaxed throughout: the word is the whole state, and it publishes nothing else.
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

  // Undoes a take() that was made at `then`, right after it. Cannot fail. If the bucket has filled meanwhile, nothing
  // changes. `clock_now` reads the clock anew, and is called only if other threads came in between.
  template <class ReadClock>
  void undo(const TokenBucketConfig& config, std::uint64_t cost, std::uint64_t then, const Slot& slot,
            SpinLock<>* lock, ReadClock&& clock_now) noexcept {
    const std::uint64_t units = config.rate.units(cost);
    std::uint64_t end = slot.end - moved_.load(std::memory_order_relaxed);
    // No other thread came in between, so no slot is behind this one. (Or a refund and a take of the same size came in
    // these nanoseconds: then the slot of that take may be assumed to end too late, by no more than `cost`.)
    if (spent_.compare_exchange_strong(end, end - units, std::memory_order_relaxed,
                                       std::memory_order_relaxed)) {
      return;
    }
    // At most `gone` units of the slot have accrued again. Other requests may have taken them, if this thread lost the
    // processor.
    const std::uint64_t gone = config.accrued(clock_now()) - config.accrued(then);
    if (gone >= units) return;
    const Locked locked(lock);
    lower(units - gone, kNowhere);
  }
  void give(const TokenBucketConfig& config, std::uint64_t cost, SpinLock<>* lock) noexcept {
    const Locked locked(lock);
    lower(config.rate.units(cost), kNowhere);
  }
  // Gives back the part of a slot that has not accrued at `now`.
  void refund(const TokenBucketConfig& config, std::uint64_t cost, std::uint64_t now, const Slot& slot,
              SpinLock<>* lock) noexcept {
    const Locked locked(lock);
    const std::uint64_t end = slot.end - moved_.load(std::memory_order_relaxed);
    const std::uint64_t accrued = config.accrued(now);
    // If `end` is beyond `spent_`, the subtraction went below 0: more units than the slot's end were given back since.
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
  // Makes the bucket full at any time.
  void clear() noexcept { spent_.store(0, std::memory_order_relaxed); }

  // Changes to another rate at time `now`, its origin; what the bucket owes stays owed. Called while no other thread is
  // inside.
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

  // Nanoseconds from `now` until take(cost) would pass if no other request took any: 0 if at once, kNever if cost >
  // burst.
  std::uint64_t retry_after(const TokenBucketConfig& config, std::uint64_t cost,
                            std::uint64_t now) const noexcept {
    if (cost > config.burst) return kNever;
    return retry_after_all(config, cost, now);
  }
  // The same for `cost` tokens that are taken one by one as they come; may be more than the burst.
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

  // Holds `lock`, if there is one, while units are given back: a thread that gives back must see how far others have
  // moved its slot. Without a lock the caller is alone.
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

  // Gives `units` back. `end`: the end of the slot that is given back; if `spent_` ends there too, no slot is behind it
  // to be moved.
  void lower(std::uint64_t units, std::uint64_t end) noexcept {
    std::uint64_t spent = spent_.load(std::memory_order_relaxed);
    while (!spent_.compare_exchange_weak(spent, spent > units ? spent - units : 0, std::memory_order_relaxed,
                                         std::memory_order_relaxed)) {
    }
    const std::uint64_t moved = moved_.load(std::memory_order_relaxed) + std::min(units, spent);
    // REL moved: pairs with ACQ in take(). Stored after `spent_`: a take that sees the lowered `spent_` but not this
    // counts the move against its slot, which errs on the strict side.
    if (spent != end) moved_.store(moved, std::memory_order_release);
  }

  std::atomic<std::uint64_t> spent_{0};
  std::atomic<std::uint64_t> moved_{0};
};

}  // namespace sluice
