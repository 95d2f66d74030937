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

TEST_CASE(
    "the hash of a layout depends on each of its parts, on their order, and on the arguments of note()") {
  const std::uint64_t hash = layout_of<std::uint64_t, std::uint32_t>(3, 5).hash();
  CHECK(layout_of<std::uint64_t, std::uint32_t>(3, 5).hash() == hash);
  CHECK(layout_of<std::uint64_t, std::uint32_t>(4, 5).hash() != hash);  // takes as many cache lines
  CHECK(layout_of<std::uint64_t, std::uint32_t>(3, 6).hash() != hash);
  CHECK(layout_of<std::uint32_t, std::uint64_t>(5, 3).hash() != hash);
  CHECK(layout_of<std::uint64_t, std::uint16_t>(3, 5).hash() != hash);
  CHECK(layout_of<std::uint64_t>(3).hash() != hash);
  Layout noted = layout_of<std::uint64_t, std::uint32_t>(3, 5);
  noted.note(0);
  CHECK(noted.hash() != hash);
  CHECK(noted.bytes() == layout_of<std::uint64_t, std::uint32_t>(3, 5).bytes());
}

TEST_CASE("the hash of a layout depends on what is within its parts") {
  const auto around = [](const Layout& part) {
    Layout layout;
    CHECK(layout.place(part, 2) == 0);
    CHECK(layout.bytes() == 2 * part.bytes());
    return layout.hash();
  };
  const std::uint64_t hash = around(layout_of<std::uint64_t, std::uint32_t>(3, 5));
  CHECK(around(layout_of<std::uint64_t, std::uint32_t>(3, 5)) == hash);
  CHECK(around(layout_of<std::uint32_t, std::uint64_t>(5, 3)) != hash);
  CHECK(around(layout_of<std::uint64_t, std::uint32_t>(3, 4)) != hash);
}

TEST_CASE("a part that is too large makes a layout too large") {
  Layout part;
  part.place_bytes(~0ULL);
  Layout layout;
  layout.place(part);
  CHECK(layout.bytes() == Layout::kTooLarge);
}

}  // namespace

TEST_SUITE_END();
