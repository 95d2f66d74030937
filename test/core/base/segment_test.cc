#include "core/base/segment.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "segment_object.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("segment");

namespace {

using namespace sluice;
using sluice::test::Lines;
using sluice::test::schema;
using sluice::test::ZeroedMemory;

constexpr std::uint64_t kSchema = 0x1234'5678'9abc'def0;
constexpr Lines::Shape kShape{4096};
constexpr std::uint64_t kBytes = kSegmentBody + 4096;

// A segment whose header and shape a test may damage.
struct Formatted {
  Formatted() : memory(kBytes) {
    format_segment(memory.get(), Lines::kKind, kBytes, Lines::layout(kShape).hash(), kSchema);
    write(kSegmentBody, kShape);
  }
  AttachError attach(std::uint64_t bytes = kBytes) const {
    return check_segment<Lines>(memory.get(), bytes, schema(kSchema));
  }
  void write(std::size_t offset, auto value) { std::memcpy(memory.get() + offset, &value, sizeof value); }

  ZeroedMemory memory;
};

TEST_CASE("an intact segment attaches, in a mapping of its size or larger") {
  const Formatted segment;
  CHECK(segment.attach() == AttachError::kNone);
  CHECK(segment.attach(kBytes + 4096) == AttachError::kNone);
}

TEST_CASE("a misaligned base is refused before anything is read from it") {
  const Formatted segment;
  for (const std::size_t off : {1, 4, 8, 64, 127}) {
    CHECK(check_segment<Lines>(segment.memory.get() + off, kBytes - off, schema(kSchema)) ==
          AttachError::kMisaligned);
  }
}

TEST_CASE("a mapping smaller than the segment, or than any segment, is refused") {
  const Formatted segment;
  CHECK(segment.attach(kBytes - 1) == AttachError::kTooSmall);
  CHECK(segment.attach(kSegmentBody) == AttachError::kTooSmall);
  CHECK(segment.attach(kSegmentBody - 1) == AttachError::kTooSmall);
  CHECK(segment.attach(0) == AttachError::kTooSmall);
  // This memory is smaller than a header, so the header must not be read.
  const ZeroedMemory tiny(8);
  CHECK(check_segment<Lines>(tiny.get(), 8, schema(kSchema)) == AttachError::kTooSmall);
}

TEST_CASE("memory that is not a segment is refused") {
  Formatted segment;
  segment.write(offsetof(SegmentHeader, magic), kSegmentMagic + 1);
  CHECK(segment.attach() == AttachError::kBadMagic);
  const ZeroedMemory zeroes(kBytes);
  CHECK(check_segment<Lines>(zeroes.get(), kBytes, schema(kSchema)) == AttachError::kBadMagic);
}

TEST_CASE("another layout version is refused") {
  Formatted segment;
  segment.write(offsetof(SegmentHeader, layout_version), kLayoutVersion - 1);
  CHECK(segment.attach() == AttachError::kBadVersion);
  segment.write(offsetof(SegmentHeader, layout_version), kLayoutVersion + 1);
  CHECK(segment.attach() == AttachError::kBadVersion);
}

TEST_CASE("another kind of object is refused") {
  Formatted segment;
  for (const SegmentKind kind : {SegmentKind::kQueue, SegmentKind::kLimiter, SegmentKind::kGate}) {
    segment.write(offsetof(SegmentHeader, kind), kind);
    CHECK(segment.attach() == AttachError::kBadKind);
  }
}

TEST_CASE("a shape that is not the one that the header was made for is refused") {
  Formatted segment;
  for (const std::uint64_t bytes :
       {std::uint64_t{4096} - 1, std::uint64_t{0}, Lines::kUnsound, ~std::uint64_t{0}}) {
    CAPTURE(bytes);
    segment.write(kSegmentBody, bytes);
    CHECK(segment.attach() == AttachError::kBadLayout);
  }
}

TEST_CASE("a shape that is not sound is refused, even if the header was made for it") {
  Formatted segment;
  const Lines::Shape unsound{Lines::kUnsound};
  segment.write(kSegmentBody, unsound);
  segment.write(offsetof(SegmentHeader, layout_hash), Lines::layout(unsound).hash());
  CHECK(segment.attach() == AttachError::kBadLayout);
}

TEST_CASE("a segment smaller than its shape takes is refused") {
  Formatted segment;
  for (const std::uint64_t bytes : {kBytes - 1, kSegmentBody + sizeof(Lines::Shape), std::uint64_t{0}}) {
    CAPTURE(bytes);
    segment.write(offsetof(SegmentHeader, bytes), bytes);
    CHECK(segment.attach() == AttachError::kTooSmall);
  }
  // This segment ends after its header, so its shape must not be read.
  const ZeroedMemory header(kSegmentBody);
  format_segment(header.get(), Lines::kKind, kSegmentBody, Lines::layout(kShape).hash(), kSchema);
  CHECK(check_segment<Lines>(header.get(), kSegmentBody, schema(kSchema)) == AttachError::kTooSmall);
}

TEST_CASE("another schema is refused, and not reported as another layout") {
  Formatted segment;
  CHECK(check_segment<Lines>(segment.memory.get(), kBytes, schema(kSchema ^ 1)) == AttachError::kBadSchema);
  segment.write(offsetof(SegmentHeader, schema_hash), kSchema ^ 1);
  CHECK(segment.attach() == AttachError::kBadSchema);
  segment.write(offsetof(SegmentHeader, layout_hash), std::uint64_t{1});
  CHECK(segment.attach() == AttachError::kBadLayout);
}

}  // namespace

TEST_SUITE_END();
