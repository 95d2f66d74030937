// A limiter with keys. It is used as a TimedLimiter, but each call names its key by a number.
#pragma once

#include <cstdint>

#include "core/limiter/limiter.h"
#include "limiter_tiers.h"
#include "timed_limiter.h"

namespace sluice::test {

inline LimiterConfig keyed(std::uint64_t max, std::uint64_t burst, std::uint64_t window_limit,
                           std::uint64_t depth_max) {
  LimiterConfig config = config_of(1, burst, window_limit, depth_max);
  config.keys_max = max;
  return config;
}

struct Keyed : TimedLimiter {
  using TimedLimiter::TimedLimiter;

  Limiter::Decision decide(std::uint64_t number, std::uint64_t cost = 1) {
    const Key asked = key_of(number);
    return limiter.decide(*thread, clock, clock.now(), cost, 0, &asked);
  }
  Tier ask(std::uint64_t number, std::uint64_t cost = 1) { return decide(number, cost).refused_by; }
  std::uint64_t remaining(std::uint64_t number) {
    const Key asked = key_of(number);
    return limiter.peek(*thread, clock, clock.now(), 1, 0, &asked).remaining;
  }
};

}  // namespace sluice::test
