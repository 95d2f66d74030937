#include "core/base/layout.h"

#include <doctest/doctest.h>

#include <cstdint>

TEST_SUITE_BEGIN("layout");

namespace {

using namespace sluice;

TEST_CASE("parts are placed one after the other, each on cache lines of its own") {
  Layout layout;
  CHECK(layout.place<std::uint64_t>() == 0);
  CHECK(layout.place_bytes(0) == kCacheLine);
  CHECK(layout.place<std::uint64_t>(17) == kCacheLine);
  CHECK(layout.place_bytes(3, 100) == 3 * kCacheLine);
  CHECK(layout.bytes() == 6 * kCacheLine);
}

TEST_CASE("a layout that outgrows 64 bits stays too large, whatever is placed afterwards") {
  constexpr std::uint64_t kMax = ~0ULL;
  const auto placed = [](std::uint64_t each, std::uint64_t count) {
    Layout layout;
    layout.place_bytes(200);
    layout.place_bytes(each, count);
    layout.place_bytes(1);
    return layout.bytes();
  };
  for (const std::uint64_t count : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{1} << 32, kMax}) {
    CAPTURE(count);
    CHECK(placed(kMax, count) == Layout::kTooLarge);
    CHECK(placed(1ULL << 62, count) == Layout::kTooLarge);
  }
  CHECK(placed(1ULL << 32, 1ULL << 32) == Layout::kTooLarge);
  CHECK(placed(1ULL << 31, 1ULL << 31) == Layout::kTooLarge);
  CHECK(placed(0, kMax) == 3 * kCacheLine);
  CHECK(placed(1ULL << 30, 1ULL << 30) == (1ULL << 60) + 3 * kCacheLine);
}

}  // namespace

TEST_SUITE_END();
