// A segment is the contiguous block of memory that contains an object. It is zeroed at creation and never grows. Its
// contents are addressed by offsets only, so that they mean the same wherever the segment is mapped. The program that
// creates an object maps its segment (see platform/mapping.h); the core never does.
//
//   offset 0                          128
//   | SegmentHeader (one cache line) | shape | the rest of the object's own layout ...       |
//
// A thread that attaches calls check_segment(), which compares every field of the header; a mismatch is reported as an
// error, and never crashes the process. Besides the expected schema, the check needs only the segment, so another
// process can make it, too: it computes the layout once more from the shape that it finds in the segment. A class
// `Object` whose memory is a segment has
//
//   kKind           its SegmentKind
//   Shape           the type of the settings at the beginning of the body. The settings on which the layout depends are
//                   fixed at creation. Shape::sound() returns whether an object can have this shape.
//   layout(shape)   a Layout: where the parts of the body are for this shape. Its hash depends on the offset of every
//                   part, on the sizes of the structs, on the settings that decide the layout, and on the numbers that
//                   give words their meaning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "core/base/atomics.h"
#include "core/base/layout.h"

namespace sluice {

enum class SegmentKind : std::uint32_t { kQueue = 1, kLimiter = 2, kStock = 3, kGate = 4 };

enum class AttachError : std::uint8_t {
  kNone,
  kMisaligned,  // the base address is not a multiple of kCacheLine: atomics could fault
  // The memory is smaller than a header or than the size in the header, or that size is too small for the shape.
  kTooSmall,
  kBadMagic,    // not a segment
  kBadVersion,  // a segment of another layout version
  kBadKind,     // a segment of another kind of object
  // The right version and kind, but the shape is not sound, or this program computes another layout for it.
  kBadLayout,
  kBadSchema,  // the right layout, but the contents mean something else
};

struct SegmentHeader {
  // `magic`, `layout_version` and `kind` keep their offsets in all versions, so that each version recognizes the
  // segments of all others.
  std::uint64_t magic;
  std::uint32_t layout_version;
  SegmentKind kind;

  std::uint64_t bytes;        // the size of the whole segment, with this header
  std::uint64_t layout_hash;  // the hash of Object::layout(shape)
  // A hash of what the bytes of records mean. A queue has the hash of its record schema here. A gate has a hash of the
  // fields that it reads and of the schema of its queue. A limiter and a stock have 0, because they contain no records:
  // a thread that attaches takes over the configuration that it finds.
  std::uint64_t schema_hash;
};

inline constexpr std::uint64_t kSegmentMagic = 0x6563'6975'6c73'0001;  // "\1\0sluice", little-endian
// A change of a layout must also raise this. test/core/base/segment_kinds_test.cc fails after most such changes.
inline constexpr std::uint32_t kLayoutVersion = 2;
inline constexpr std::size_t kSegmentBody = kCacheLine;  // where the object's own layout begins
static_assert(sizeof(SegmentHeader) <= kSegmentBody);

inline void format_segment(void* base, SegmentKind kind, std::uint64_t bytes, std::uint64_t layout_hash,
                           std::uint64_t schema_hash) {
  new (base) SegmentHeader{kSegmentMagic, kLayoutVersion, kind, bytes, layout_hash, schema_hash};
}

// Returns the shape at the beginning of a segment's body.
template <class Object>
const typename Object::Shape& shape_in(const void* body) noexcept {
  return *static_cast<const typename Object::Shape*>(body);
}

// Returns why the `bytes` bytes at `base` cannot be used as a segment of an Object, or kNone. `schema(shape)` returns
// the schema hash that the caller expects. It is called last, and only if all other fields of the header are right.
template <class Object, class Schema>
AttachError check_segment(const void* base, std::uint64_t bytes, Schema&& schema) {
  using Shape = typename Object::Shape;
  static_assert(alignof(Shape) <= kCacheLine);
  if (reinterpret_cast<std::uintptr_t>(base) % kCacheLine != 0) return AttachError::kMisaligned;
  if (bytes < kSegmentBody) return AttachError::kTooSmall;
  SegmentHeader header;
  std::memcpy(&header, base, sizeof header);
  if (header.magic != kSegmentMagic) return AttachError::kBadMagic;
  if (header.layout_version != kLayoutVersion) return AttachError::kBadVersion;
  if (header.kind != Object::kKind) return AttachError::kBadKind;
  if (header.bytes > bytes || header.bytes < kSegmentBody + sizeof(Shape)) return AttachError::kTooSmall;
  const auto& shape = shape_in<Object>(static_cast<const std::byte*>(base) + kSegmentBody);
  if (!shape.sound()) return AttachError::kBadLayout;
  const Layout layout = Object::layout(shape);
  if (header.layout_hash != layout.hash()) return AttachError::kBadLayout;
  if (header.bytes - kSegmentBody < layout.bytes()) return AttachError::kTooSmall;
  if (header.schema_hash != schema(shape)) return AttachError::kBadSchema;
  return AttachError::kNone;
}

}  // namespace sluice
