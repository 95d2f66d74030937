#include "core/limiter/token_rate.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>

#include "stress.h"

TEST_SUITE_BEGIN("token rate");

namespace {

using sluice::kTokenRateMax;
using sluice::kTokenRateMin;
using sluice::TokenRate;
using sluice::test::Random;
using sluice::test::repetitions;

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kDay = 86'400 * kSecond;
constexpr std::uint64_t kYear = 365 * kDay;

// A rate as the exact fraction that its double is: tokens in t ns = t * numerator / denominator.
struct ExactRate {
  explicit ExactRate(double rate) {
    int exponent = 0;
    const double mantissa = std::frexp(rate, &exponent);
    numerator = static_cast<std::uint64_t>(std::ldexp(mantissa, 53));
    denominator = static_cast<Wide>(kSecond) << (53 - exponent);
  }
  std::uint64_t tokens_in(std::uint64_t ns) const {
    return static_cast<std::uint64_t>(ns * numerator / denominator);
  }
  std::uint64_t due(std::uint64_t tokens) const {
    return static_cast<std::uint64_t>((tokens * denominator + numerator - 1) / numerator);
  }

  Wide numerator, denominator;
};

constexpr double kRates[] = {
    kTokenRateMin, 1e-6,  1 / 86'400., 1 / 3'600., 1 / 60.,      0.1,   1,     3,     7,     100,
    999.999,       1'000, 1'000.001,   1'234.5,    7'629.4,      7'630, 8'000, 8'192, 8'193, 1e5 / 3,
    61'040,        1e6,   999'983,     9.99e6,     kTokenRateMax};

TEST_CASE(
    "every token of the first year comes on its exact nanosecond, from 1 in 366 days to ten million a "
    "second") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  for (const double rate : kRates) {
    CAPTURE(rate);
    const TokenRate tokens = TokenRate::per_second(rate);
    const ExactRate exact(rate);
    const std::uint64_t last = exact.tokens_in(rate < 1e-6 ? 34 * kYear : kYear);
    std::uint64_t early = 0;
    for (std::uint64_t i = 0; i < repetitions(2'000); ++i) {
      const std::uint64_t number = i < 100 ? i : random.between(1, last);
      if (number == 0 || number > last) continue;
      const std::uint64_t due = exact.due(number);
      const std::uint64_t at = tokens.time_of(tokens.units(number));
      REQUIRE(at <= due);
      REQUIRE(at + 1 >= due);
      REQUIRE(tokens.whole_tokens(tokens.accrued(at)) >= number);
      REQUIRE(tokens.whole_tokens(tokens.accrued(at - 1)) < number);
      early += at != due;
    }
    // A token comes one nanosecond early only if its exact time is less than 2^-6 ns after a whole nanosecond.
    if (rate >= 1e-6) CHECK(early <= repetitions(2'000) / 20);
  }
}

TEST_CASE("a whole number of tokens per second comes exactly on every second, for 34 years") {
  for (const double rate : {1., 3., 7., 100., 1'000., 8'191., 1e6, 999'983., kTokenRateMax}) {
    CAPTURE(rate);
    const TokenRate tokens = TokenRate::per_second(rate);
    const auto per_second = static_cast<std::uint64_t>(rate);
    for (std::uint64_t second = 1; second < 34 * 365 * 86'400ULL; second = second * 3 + 1) {
      REQUIRE(tokens.whole_tokens(tokens.accrued(second * kSecond)) == second * per_second);
      REQUIRE(tokens.whole_tokens(tokens.accrued(second * kSecond - 1)) < second * per_second);
    }
  }
}

TEST_CASE("accrual never shrinks, and is never a nanosecond ahead of the exact rate, for 34 years") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(2);
  for (const double rate : kRates) {
    CAPTURE(rate);
    const TokenRate tokens = TokenRate::per_second(rate);
    const ExactRate exact(rate);
    for (std::uint64_t i = 0; i < repetitions(2'000); ++i) {
      const std::uint64_t at = random.below(34 * kYear);
      const std::uint64_t now = tokens.accrued(at);
      REQUIRE(tokens.accrued(at + 1) >= now);
      REQUIRE(tokens.whole_tokens(now) >= exact.tokens_in(at));
      REQUIRE(tokens.whole_tokens(now) <= exact.tokens_in(at + 1));
    }
  }
}

// The latest time that time_of() returns, for amounts that accrue later or never: see TokenRate.
constexpr std::uint64_t kLatest = 1ULL << 60;

TEST_CASE("the time of any amount is the first nanosecond at which it has accrued, for up to 32 years") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(3);
  for (const double rate : kRates) {
    CAPTURE(rate);
    const TokenRate tokens = TokenRate::per_second(rate);
    CHECK(tokens.time_of(0) == 0);
    // At low rates `most` units accrue only after kLatest, or after more nanoseconds than 64 bits can hold.
    const std::uint64_t most = tokens.units(1ULL << 33);
    CHECK((tokens.time_of(most) == kLatest) == (tokens.accrued(kLatest - 1) < most));
    for (std::uint64_t i = 0; i < repetitions(2'000); ++i) {
      const std::uint64_t units = tokens.accrued(random.below(kYear << random.below(6)));
      if (units == 0) continue;
      const std::uint64_t at = tokens.time_of(units);
      REQUIRE(tokens.accrued(at) >= units);
      REQUIRE(tokens.accrued(at - 1) < units);
    }
  }
}

}  // namespace

TEST_SUITE_END();
