#include "platform/mapping.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <utility>

#include "segment_object.h"

TEST_SUITE_BEGIN("mapping");

namespace {

using namespace sluice;
using sluice::test::Lines;
using sluice::test::schema;

constexpr std::uint64_t kSchema = 0x1234'5678'9abc'def0;

TEST_CASE("a segment is aligned, zeroed, and attaches as the kind that was created") {
  bool commit = false;
  SUBCASE("resident when it is written") {}
  SUBCASE("resident from the start") { commit = true; }
  const Segment segment = Segment::create<Lines>({10 * kCacheLine}, kSchema, commit);
  REQUIRE(segment);
  CHECK(reinterpret_cast<std::uintptr_t>(segment.body()) % kCacheLine == 0);
  CHECK(segment.bytes() == 10 * kCacheLine + kSegmentBody);
  CHECK(segment.schema_hash() == kSchema);
  CHECK(std::all_of(segment.body(), segment.body() + 10 * kCacheLine,
                    [](std::byte byte) { return byte == std::byte{0}; }));
  new (segment.body()) Lines::Shape{10 * kCacheLine};
  CHECK(segment.check<Lines>(schema(kSchema)) == AttachError::kNone);
  CHECK(segment.check<Lines>(schema(kSchema + 1)) == AttachError::kBadSchema);
}

TEST_CASE("a size beyond all memory gives an empty segment, not a small one") {
  CHECK_FALSE(Segment());
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t bytes : {kMax, kMax - kSegmentBody, kMax - kSegmentBody + 1, kMax - 1, kMax / 2}) {
    CAPTURE(bytes);
    CHECK_FALSE(Segment::create<Lines>({bytes}, kSchema));
    CHECK_FALSE(Segment::create<Lines>({bytes}, kSchema, true));
  }
}

TEST_CASE("a moved segment keeps its memory, and its source is empty") {
  Segment first = Segment::create<Lines>({100}, kSchema);
  const std::byte* body = first.body();
  Segment second = std::move(first);
  CHECK(second.body() == body);
  CHECK_FALSE(first);  // NOLINT(bugprone-use-after-move): that it is empty is the point
  Segment third;
  third = std::move(second);
  CHECK(third.body() == body);
  CHECK(third.bytes() == kCacheLine + kSegmentBody);
}

}  // namespace

TEST_SUITE_END();
