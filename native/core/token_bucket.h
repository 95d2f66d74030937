// A token bucket as one 64-bit word: the generic cell rate algorithm (GCRA, ITU-T I.371) with its theoretical
// arrival time kept in tokens instead of nanoseconds, so that no rate is rounded to a whole interval.
//
// `spent` is the number of token units handed out, on the same scale as the units accrued since the epoch.
// While the bucket is full, accrual is lost: spent is taken to be at least what has accrued.
// A request passes if spent + cost <= accrued + burst.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/token_rate.h"

namespace sluice {

inline constexpr std::uint64_t kNever = ~0ULL;  // a retry_after that no waiting can satisfy

struct TokenBucketConfig {
  TokenRate rate;
  std::uint64_t burst = 0;  // tokens, 1 to 2^32
};

class TokenBucket {
 public:
  // Takes `cost` tokens at time `now` (ns since the limiter's epoch), or nothing.
  bool take(const TokenBucketConfig& config, std::uint64_t cost, std::uint64_t now) noexcept {
    if (cost > config.burst) return false;  // and its units might not fit in a word
    const std::uint64_t accrued = config.rate.accrued(now);
    const std::uint64_t most = accrued + config.rate.units(config.burst);
    const std::uint64_t units = config.rate.units(cost);
    // Relaxed throughout: the word is all there is to this state, and it publishes nothing else.
    std::uint64_t spent = spent_.load(std::memory_order_relaxed);
    for (;;) {
      const std::uint64_t after = (spent > accrued ? spent : accrued) + units;
      if (after > most) return false;
      if (spent_.compare_exchange_weak(spent, after, std::memory_order_relaxed, std::memory_order_relaxed)) {
        return true;
      }
    }
  }

  // Undoes a take(). Cannot fail. Returning tokens to a bucket that has filled meanwhile changes nothing.
  void refund(const TokenBucketConfig& config, std::uint64_t cost) noexcept {
    spent_.fetch_sub(config.rate.units(cost), std::memory_order_relaxed);
  }

  std::uint64_t remaining(const TokenBucketConfig& config, std::uint64_t now) const noexcept {
    const std::uint64_t accrued = config.rate.accrued(now);
    const std::uint64_t spent = spent_.load(std::memory_order_relaxed);
    const std::uint64_t most = accrued + config.rate.units(config.burst);
    const std::uint64_t used = spent > accrued ? spent : accrued;
    return used >= most ? 0 : config.rate.whole_tokens(most - used);
  }

  // Nanoseconds from `now` until take(cost) would pass if nobody else took any: 0 if now, kNever if cost > burst.
  std::uint64_t retry_after(const TokenBucketConfig& config, std::uint64_t cost,
                            std::uint64_t now) const noexcept {
    if (cost > config.burst) return kNever;
    const std::uint64_t needed = spent_.load(std::memory_order_relaxed) + config.rate.units(cost);
    const std::uint64_t burst = config.rate.units(config.burst);
    if (needed <= burst) return 0;
    const std::uint64_t due = config.rate.time_of(needed - burst);
    return due > now ? due - now : 0;
  }

 private:
  std::atomic<std::uint64_t> spent_{0};
};

}  // namespace sluice
