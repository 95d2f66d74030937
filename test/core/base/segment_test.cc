#include "core/base/segment.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "zeroed_memory.h"

TEST_SUITE_BEGIN("segment");

namespace {

using namespace sluice;
using sluice::test::ZeroedMemory;

constexpr std::uint64_t kHash = 0x1234'5678'9abc'def0;
constexpr std::uint64_t kBytes = 4096;

// A formatted segment whose header a test may damage.
struct Formatted {
  Formatted() : memory(kBytes) { format_segment(memory.get(), SegmentKind::kQueue, kHash, kBytes); }
  AttachError attach(std::uint64_t bytes = kBytes) const {
    return check_segment(memory.get(), bytes, SegmentKind::kQueue, kHash);
  }
  void write(std::size_t offset, auto value) { std::memcpy(memory.get() + offset, &value, sizeof value); }

  ZeroedMemory memory;
};

TEST_CASE("a segment is aligned, zeroed, and attaches as what it was created") {
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

TEST_CASE("more memory than there can be gives an empty segment, not a small one") {
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
  // Not even the header may be read there.
  const ZeroedMemory tiny(8);
  CHECK(check_segment(tiny.get(), 8, SegmentKind::kQueue, kHash) == AttachError::kTooSmall);
}

TEST_CASE("what is not a segment is refused") {
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

TEST_CASE("no single flipped bit of magic, version, kind or layout hash goes unnoticed") {
  for (std::size_t bit = 0; bit < 8 * offsetof(SegmentHeader, bytes); ++bit) {
    Formatted segment;
    segment.memory.get()[bit / 8] ^= std::byte{1} << bit % 8;
    REQUIRE(segment.attach() != AttachError::kNone);
  }
}

}  // namespace

TEST_SUITE_END();
