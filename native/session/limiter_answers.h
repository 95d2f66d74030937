// Encodes a limiter's results as numbers.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include "contract/answers.h"
#include "core/limiter/limiter.h"

namespace sluice {

inline std::int32_t answer_of(const Tiers::Refusal& refusal) noexcept {
  return static_cast<std::int32_t>(refusal.tier) + (refusal.oversized ? kOversized : 0) +
         kWindowUnit * refusal.window;
}
inline std::int32_t answer_of(const Limiter::Decision& decision) noexcept {
  const bool forgiven = decision.would_refuse != decision.refused_by;
  return answer_of(Tiers::Refusal{decision.would_refuse, decision.oversized, decision.window}) +
         (forgiven ? kDryRun : 0);
}

// Converts to milliseconds. Converted back and rounded, the result is never less than `ns`. From 26 days on a double is
// not that exact, and the result may be some nanoseconds too large. kNever becomes Infinity.
inline double milliseconds(std::uint64_t ns) noexcept {
  if (ns == kNever) return std::numeric_limits<double>::infinity();
  double ms = static_cast<double>(ns) / 1e6;
  if (ns < 1ULL << 51) return ms;
  // `ms` is positive, so the bits of the next larger double, read as an integer, are those of `ms` plus 1.
  while (static_cast<std::uint64_t>(ms * 1e6) < ns) {
    ms = std::bit_cast<double>(std::bit_cast<std::uint64_t>(ms) + 1);
  }
  return ms;
}

}  // namespace sluice
