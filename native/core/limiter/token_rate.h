// Exact conversion between monotonic nanoseconds and the units that a token bucket has accrued.
//
// A rate r (tokens per second, a double) becomes a fixed-point multiplier: accrued(t) = t * multiplier >> shift,
// counted in fractions of a token (2^-fraction_bits). The multiplier has 62 significant bits, so over the whole
// range (34 years) a token comes at its exact time, rounded to the clock's nanosecond; nothing drifts.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#if defined(_MSC_VER) && defined(_M_X64)
#include <intrin.h>
#endif

namespace sluice {

inline constexpr double kTokenRateMin = 1 / 31'622'400.;  // per second: one in 366 days
inline constexpr double kTokenRateMax = 1e7;

class TokenRate {
 public:
  friend bool operator==(const TokenRate&, const TokenRate&) = default;

  static TokenRate per_second(double rate) {
    TokenRate result;
    // Uses as many fraction bits as possible, up to 28, so that the units of 34 years stay below 2^63, and those of the
    // largest debt below 2^62.
    while (result.fraction_bits_ < 28 &&
           std::ldexp(rate, static_cast<int>(result.fraction_bits_) + 1) <= 8589934592.0) {
      ++result.fraction_bits_;
    }
    // rate * 2^fraction_bits / 1e9 is exactly high * 2^scale / 1e9. The division goes on until the quotient has 62
    // bits. The quotient is rounded up, so that accrued() reaches a whole token at the nanosecond at which it is due.
    int exponent = 0;
    const double mantissa = std::frexp(rate, &exponent);
    std::uint64_t high = static_cast<std::uint64_t>(std::ldexp(mantissa, 53));
    int scale = exponent - 53 + static_cast<int>(result.fraction_bits_);
    std::uint64_t quotient_high = high / 1'000'000'000;
    std::uint64_t rest = high % 1'000'000'000;
    std::uint64_t quotient = quotient_high;
    int taken = 0;  // how often the quotient was doubled
    while (quotient < (1ULL << 61)) {
      rest <<= 1;
      quotient = (quotient << 1) | (rest >= 1'000'000'000 ? 1 : 0);
      if (rest >= 1'000'000'000) rest -= 1'000'000'000;
      ++taken;
    }
    result.multiplier_ = quotient + (rest != 0 ? 1 : 0);
    result.shift_ = static_cast<std::uint32_t>(taken - scale);
    result.unit_ns_ = std::ldexp(1 / static_cast<double>(result.multiplier_), taken - scale);
    return result;
  }

  // Returns the units that accrue in `ns` nanoseconds.
  std::uint64_t accrued(std::uint64_t ns) const noexcept { return multiply_shift(ns, multiplier_, shift_); }

  // A time beyond 36 years counts as never. The units that accrue until then fit in 64 bits at every rate; those of
  // twice that time would not fit at some rates.
  static constexpr std::uint64_t kTimeMax = 1ULL << 60;

  // Returns the first nanosecond at which `units` have accrued; kTimeMax if that is later.
  std::uint64_t time_of(std::uint64_t units) const noexcept {
    // The estimate is exact up to the rounding of doubles, four times 2^-53. The search then finds the exact time among
    // the few that are that close.
    const double estimate = std::min(static_cast<double>(units) * unit_ns_, static_cast<double>(kTimeMax));
    const auto guess = static_cast<std::uint64_t>(estimate);
    const std::uint64_t doubt = (guess >> 50) + 2;
    std::uint64_t low = guess > doubt ? guess - doubt : 0;
    std::uint64_t high = std::min(guess + doubt, kTimeMax);
    while (low < high) {
      const std::uint64_t middle = low + (high - low) / 2;
      if (accrued(middle) >= units) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  // Whether the units of `tokens` tokens, added to all units handed out before, fit in 64 bits. If not, the tokens take
  // at least 17 years to accrue.
  bool fits(std::uint64_t tokens) const noexcept { return tokens <= 1ULL << (62 - fraction_bits_); }
  std::uint64_t units(std::uint64_t tokens) const noexcept { return tokens << fraction_bits_; }
  std::uint64_t whole_tokens(std::uint64_t units) const noexcept { return units >> fraction_bits_; }

 private:
  static std::uint64_t multiply_shift(std::uint64_t a, std::uint64_t b, std::uint32_t shift) noexcept {
#if defined(__SIZEOF_INT128__) && !defined(__wasm__)  // on wasm the wide product would be a call
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(a) * b) >> shift);
#else
#if defined(_MSC_VER) && defined(_M_X64)
    std::uint64_t high;
    const std::uint64_t low = _umul128(a, b, &high);
#else
    const std::uint64_t a0 = a & 0xffffffff, a1 = a >> 32, b0 = b & 0xffffffff, b1 = b >> 32;
    const std::uint64_t p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0, p11 = a1 * b1;
    const std::uint64_t middle = (p00 >> 32) + (p01 & 0xffffffff) + (p10 & 0xffffffff);
    const std::uint64_t low = (middle << 32) | (p00 & 0xffffffff);
    const std::uint64_t high = p11 + (p01 >> 32) + (p10 >> 32) + (middle >> 32);
#endif
    if (shift >= 64) return high >> (shift - 64);
    return shift == 0 ? low : (high << (64 - shift)) | (low >> shift);
#endif
  }

  std::uint64_t multiplier_ = 0;
  std::uint32_t shift_ = 0;
  std::uint32_t fraction_bits_ = 0;
  double unit_ns_ = 0;  // approximately how long a unit takes to accrue
};

}  // namespace sluice
