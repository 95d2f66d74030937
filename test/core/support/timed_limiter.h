// A limiter on a clock of its own, and one thread that asks it: without a key, or for the key 7 if it has keys.
#pragma once

#include <cstdint>

#include "core/limiter/limiter.h"
#include "limiter_tiers.h"
#include "zeroed_memory.h"

namespace sluice::test {

struct TimedLimiter {
  explicit TimedLimiter(const LimiterConfig& config, std::uint64_t start = kEpoch)
      : memory(Limiter::bytes(config)), limiter(memory, config), manual(start), clock(&manual) {
    limiter.format(config, start, KeySecret{{1, 2}});
    thread = limiter.thread_slots().acquire();
    seven = key_of(7);
    if (config.keys_max != 0) key = &seven;
  }
  Key key_of(std::uint64_t number) const { return limiter.key(KeyKind::kNumber, &number, sizeof number); }
  Limiter::Decision decide(std::uint64_t cost = 1, std::uint64_t queue_depth = 0) {
    return limiter.decide(*thread, clock, clock.now(), cost, queue_depth, key);
  }
  Limiter::Outlook peek(std::uint64_t cost = 1) {
    return limiter.peek(*thread, clock, clock.now(), cost, 0, key);
  }
  std::uint64_t remaining() { return peek().remaining; }
  std::uint64_t sum(Limiter::Counter counter) { return limiter.thread_slots().sum(counter); }

  ZeroedMemory memory;
  Limiter limiter;
  ManualClock manual;
  Clock clock;
  ThreadSlot* thread = nullptr;
  Key seven;
  const Key* key = nullptr;
};

}  // namespace sluice::test
