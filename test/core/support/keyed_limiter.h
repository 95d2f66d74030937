// A limiter with keys on a clock of its own, and the one thread that asks it.
#pragma once

#include <cstdint>

#include "core/limiter/limiter.h"
#include "limiter_tiers.h"
#include "zeroed_memory.h"

namespace sluice::test {

inline LimiterConfig keyed(std::uint64_t max, std::uint64_t burst, std::uint64_t window_limit,
                           std::uint64_t depth_max) {
  LimiterConfig config = config_of(1, burst, window_limit, depth_max);
  config.keys_max = max;
  return config;
}

struct Keyed {
  explicit Keyed(const LimiterConfig& config)
      : memory(Limiter::bytes(config)), limiter(memory, config), manual(kEpoch), clock(&manual) {
    limiter.format(config, kEpoch, KeySecret{{1, 2}});
    thread = limiter.thread_slots().acquire();
  }
  Key key(std::uint64_t number) const { return limiter.key(KeyKind::kNumber, &number, sizeof number); }
  Limiter::Decision decide(std::uint64_t number, std::uint64_t cost = 1) {
    const Key asked = key(number);
    return limiter.decide(*thread, clock, clock.now(), cost, 0, &asked);
  }
  Tier ask(std::uint64_t number, std::uint64_t cost = 1) { return decide(number, cost).refused_by; }
  std::uint64_t remaining(std::uint64_t number) {
    const Key asked = key(number);
    return limiter.peek(*thread, clock.now(), 1, 0, &asked).remaining;
  }
  std::uint64_t sum(Limiter::Counter counter) { return limiter.thread_slots().sum(counter); }

  ZeroedMemory memory;
  Limiter limiter;
  ManualClock manual;
  Clock clock;
  ThreadSlot* thread = nullptr;
};

}  // namespace sluice::test
