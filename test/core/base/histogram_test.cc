#include "core/base/histogram.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "stress.h"

TEST_SUITE_BEGIN("histogram");

namespace {

using sluice::Histogram;
using sluice::test::in_threads;
using sluice::test::Random;
using sluice::test::repetitions;

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

std::unique_ptr<Histogram> empty() { return std::make_unique<Histogram>(); }

// Whether `reported` is within 1/64 of `value`, computed in integers that do not overflow.
bool is_close(std::uint64_t reported, std::uint64_t value) {
  const std::uint64_t error = reported > value ? reported - value : value - reported;
  return error <= value / 64;
}

TEST_CASE("an empty histogram reports zero for everything") {
  const auto histogram = empty();
  CHECK(histogram->count() == 0);
  CHECK(histogram->max() == 0);
  CHECK(histogram->mean() == 0);
  for (const double quantile : {0., 0.5, 0.999, 1.}) CHECK(histogram->at(quantile) == 0);
}

TEST_CASE("a power of two from 32 on is the border of a bucket") {
  for (int bit = 5; bit < 64; ++bit) {
    const std::uint64_t power = 1ULL << bit;
    const auto histogram = empty();
    histogram->record(power - 1);
    histogram->record(power);
    // Histogram::kSub buckets for each power of two, after those of 0 to 31.
    const std::uint32_t border =
        Histogram::kSub * (static_cast<std::uint32_t>(bit) - Histogram::kSubBits + 1);
    CAPTURE(bit);
    REQUIRE(histogram->in_bucket(border - 1) == 1);
    REQUIRE(histogram->in_bucket(border) == 1);
    REQUIRE(histogram->sum() == 2 * power - 1);
  }
}

TEST_CASE("a single value is reported within 1/64 at every quantile, over the whole range of 64 bits") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  std::vector<std::uint64_t> values = {0, 1, 31, 32, 33, 63, 64, 65, 1'000, kMax, kMax - 1, kMax / 2};
  for (int bit = 5; bit < 64; ++bit) {
    const std::uint64_t power = 1ULL << bit;
    values.insert(values.end(),
                  {power - 1, power, power + 1, power + (power >> 5), power + (power >> 5) - 1});
  }
  for (std::uint64_t i = 0; i < repetitions(2'000); ++i) values.push_back(random.next() >> random.below(64));
  for (const std::uint64_t value : values) {
    CAPTURE(value);
    const auto histogram = empty();
    histogram->record(value);
    REQUIRE(histogram->max() == value);
    REQUIRE(is_close(histogram->at(0.5), value));
    // A larger value is recorded too: now `value` is not the maximum, which the histogram keeps exactly.
    histogram->record(kMax);
    REQUIRE(is_close(histogram->at(0), value));
  }
}

TEST_CASE("values below 64 are exact") {
  for (std::uint64_t value = 0; value < 64; ++value) {
    const auto histogram = empty();
    histogram->record(value);
    histogram->record(1'000);
    CHECK(histogram->at(0) == value);
  }
}

TEST_CASE("every quantile is within 1/64 of the value that sorting gives") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(2);
  for (const std::uint64_t count :
       {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{100}, repetitions(20'000)}) {
    const auto histogram = empty();
    std::vector<std::uint64_t> values(count);
    double sum = 0;
    for (std::uint64_t& value : values) {
      value = random.next() >> random.between(24, 63);
      histogram->record(value);
      sum += static_cast<double>(value);
    }
    std::sort(values.begin(), values.end());
    REQUIRE(histogram->count() == count);
    REQUIRE(histogram->max() == values.back());
    REQUIRE(histogram->mean() == doctest::Approx(sum / static_cast<double>(count)));
    for (const double quantile : {0., 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.}) {
      const auto rank = static_cast<std::uint64_t>(quantile * static_cast<double>(count - 1));
      REQUIRE(is_close(histogram->at(quantile), values[rank]));
    }
  }
}

TEST_CASE("no quantile is above the maximum, or below a lower quantile") {
  const auto histogram = empty();
  for (const std::uint64_t value : {1'000'000, 1'000'001, 1'048'577, 5}) histogram->record(value);
  std::uint64_t before = 0;
  for (int i = 0; i <= 100; ++i) {
    const std::uint64_t now = histogram->at(i / 100.);
    CHECK(now >= before);
    CHECK(now <= histogram->max());
    before = now;
  }
}

TEST_CASE(
    "while another thread records, a reader sees counts that only grow, and quantiles within the range of "
    "the values") {
  const auto histogram = empty();
  std::atomic<bool> done{false};
  std::uint64_t shrunk = 0, strange = 0;
  in_threads(2, [&](unsigned index) {
    if (index == 0) {
      for (std::uint64_t i = 0; i < repetitions(300'000); ++i) histogram->record(1'000 + i % 1'000);
      done = true;
    } else {
      for (std::uint64_t before = 0; !done;) {
        const std::uint64_t count = histogram->count();
        shrunk += count < before;
        before = count;
        const std::uint64_t median = histogram->at(0.5);
        strange += count != 0 && median != 0 && (median < 980 || median > 2'030);
      }
    }
  });
  CHECK(shrunk == 0);
  CHECK(strange == 0);
  CHECK(histogram->count() == repetitions(300'000));
}

}  // namespace

TEST_SUITE_END();
