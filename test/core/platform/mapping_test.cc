#include "platform/mapping.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

TEST_SUITE_BEGIN("mapping");

namespace {

using namespace sluice;

constexpr std::uint64_t kHash = 0x1234'5678'9abc'def0;

TEST_CASE("a segment is aligned, zeroed, and attaches as the kind that was created") {
  bool commit = false;
  SUBCASE("resident when it is written") {}
  SUBCASE("resident from the start") { commit = true; }
  const Segment segment = Segment::create(SegmentKind::kStock, kHash, 10'000, commit);
  REQUIRE(segment);
  CHECK(reinterpret_cast<std::uintptr_t>(segment.base()) % kCacheLine == 0);
  CHECK(segment.bytes() == 10'000 + kSegmentBody);
  CHECK(segment.body() == static_cast<const std::byte*>(segment.base()) + kSegmentBody);
  CHECK(std::all_of(segment.body(), segment.body() + 10'000,
                    [](std::byte byte) { return byte == std::byte{0}; }));
  CHECK(check_segment(segment.base(), segment.bytes(), SegmentKind::kStock, kHash) == AttachError::kNone);
}

TEST_CASE("a size beyond all memory gives an empty segment, not a small one") {
  CHECK_FALSE(Segment());
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t bytes : {kMax, kMax - kSegmentBody, kMax - kSegmentBody + 1, kMax - 1, kMax / 2}) {
    CAPTURE(bytes);
    CHECK_FALSE(Segment::create(SegmentKind::kQueue, kHash, bytes));
    CHECK_FALSE(Segment::create(SegmentKind::kQueue, kHash, bytes, true));
  }
}

TEST_CASE("moving a segment moves the memory and leaves the source empty") {
  Segment first = Segment::create(SegmentKind::kGate, kHash, 100);
  const void* base = first.base();
  Segment second = std::move(first);
  CHECK(second.base() == base);
  CHECK_FALSE(first);  // NOLINT(bugprone-use-after-move): that it is empty is the point
  Segment third;
  third = std::move(second);
  CHECK(third.base() == base);
  CHECK(third.bytes() == 100 + kSegmentBody);
}

}  // namespace

TEST_SUITE_END();
