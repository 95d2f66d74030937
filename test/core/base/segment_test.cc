#include "core/base/segment.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "zeroed_memory.h"

TEST_SUITE_BEGIN("segment");

namespace {

using namespace sluice;
using sluice::test::ZeroedMemory;

constexpr std::uint64_t kHash = 0x1234'5678'9abc'def0;
constexpr std::uint64_t kBytes = 4096;

// A formatted segment, whose header a test may damage.
struct Formatted {
  Formatted() : memory(kBytes) { format_segment(memory.get(), SegmentKind::kQueue, kHash, kBytes); }
  AttachError attach(std::uint64_t bytes = kBytes) const {
    return check_segment(memory.get(), bytes, SegmentKind::kQueue, kHash);
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
    CHECK(check_segment(segment.memory.get() + off, kBytes - off, SegmentKind::kQueue, kHash) ==
          AttachError::kMisaligned);
  }
}

TEST_CASE("a mapping smaller than the segment, or than any segment, is refused") {
  const Formatted segment;
  CHECK(segment.attach(kBytes - 1) == AttachError::kTooSmall);
  CHECK(segment.attach(kSegmentBody) == AttachError::kTooSmall);
  CHECK(segment.attach(kSegmentBody - 1) == AttachError::kTooSmall);
  CHECK(segment.attach(0) == AttachError::kTooSmall);
  // The header must not be read there either.
  const ZeroedMemory tiny(8);
  CHECK(check_segment(tiny.get(), 8, SegmentKind::kQueue, kHash) == AttachError::kTooSmall);
}

TEST_CASE("memory that is not a segment is refused") {
  Formatted segment;
  segment.write(offsetof(SegmentHeader, magic), kSegmentMagic + 1);
  CHECK(segment.attach() == AttachError::kBadMagic);
  const ZeroedMemory zeroes(kBytes);
  CHECK(check_segment(zeroes.get(), kBytes, SegmentKind::kQueue, kHash) == AttachError::kBadMagic);
}

TEST_CASE("another layout version is refused") {
  Formatted segment;
  segment.write(offsetof(SegmentHeader, layout_version), kLayoutVersion + 1);
  CHECK(segment.attach() == AttachError::kBadVersion);
}

TEST_CASE("another kind of object is refused") {
  const Formatted segment;
  for (const SegmentKind kind : {SegmentKind::kLimiter, SegmentKind::kStock, SegmentKind::kGate}) {
    CHECK(check_segment(segment.memory.get(), kBytes, kind, kHash) == AttachError::kBadKind);
  }
}

TEST_CASE("another schema or shape is refused") {
  const Formatted segment;
  CHECK(check_segment(segment.memory.get(), kBytes, SegmentKind::kQueue, kHash ^ 1) ==
        AttachError::kBadLayoutHash);
}

TEST_CASE("a single flipped bit in magic, version, kind or layout hash is always noticed") {
  for (std::size_t bit = 0; bit < 8 * offsetof(SegmentHeader, bytes); ++bit) {
    Formatted segment;
    segment.memory.get()[bit / 8] ^= std::byte{1} << bit % 8;
    REQUIRE(segment.attach() != AttachError::kNone);
  }
}

}  // namespace

TEST_SUITE_END();
