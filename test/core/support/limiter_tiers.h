// Makes the configuration of a limiter from the rates and limits of its tiers.
#pragma once

#include <cstdint>

#include "core/limiter/limiter.h"

namespace sluice::test {

inline constexpr std::uint64_t kSecond = 1'000'000'000;
// The time at which the clocks of the suites start.
inline constexpr std::uint64_t kEpoch = 77 * kSecond;

// A tier whose limit is 0 is absent. The window lasts a second.
inline LimiterConfig config_of(double rate, std::uint64_t burst, std::uint64_t window_limit,
                               std::uint64_t depth_max) {
  LimiterConfig config;
  config.has_bucket = burst != 0;
  if (config.has_bucket) config.bucket = {TokenRate::per_second(rate), burst};
  config.window_count = window_limit != 0 ? 1 : 0;
  if (window_limit != 0) config.windows[0].sliding = {window_limit, kSecond / 20, 20};
  config.has_depth = depth_max != 0;
  config.depth_max = depth_max;
  return config;
}

}  // namespace sluice::test
