// A segment is the one contiguous block of memory behind an object: mapped once, zeroed, never grown, and addressed by
// offsets only, so that it means the same wherever it is mapped. The platform maps it.
//
//   offset 0                    128
//   | SegmentHeader (one line) | the object's own layout ...                                   |
//
// Attaching checks every header field; a mismatch is an error, never a crash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "core/base/atomics.h"

namespace sluice {

enum class SegmentKind : std::uint32_t { kQueue = 1, kLimiter = 2, kStock = 3, kGate = 4 };

enum class AttachError : std::uint8_t {
  kNone,
  kMisaligned,     // the base address is not a multiple of kCacheLine: atomics could fault
  kTooSmall,       // fewer bytes than the header says
  kBadMagic,       // not a segment
  kBadVersion,     // written by another layout version
  kBadKind,        // a segment of another kind of object
  kBadLayoutHash,  // the same kind with another record schema or shape
};

struct SegmentHeader {
  std::uint64_t magic;
  std::uint32_t layout_version;
  SegmentKind kind;
  std::uint64_t layout_hash;  // the record schema and the shape of the tables
  std::uint64_t bytes;        // of the whole segment, header included
};

inline constexpr std::uint64_t kSegmentMagic = 0x6563'6975'6c73'0001;  // "\1\0sluice", little-endian
inline constexpr std::uint32_t kLayoutVersion = 1;
inline constexpr std::size_t kSegmentBody = kCacheLine;  // where the object's own layout begins
static_assert(sizeof(SegmentHeader) <= kSegmentBody);

inline void format_segment(void* base, SegmentKind kind, std::uint64_t layout_hash, std::uint64_t bytes) {
  new (base) SegmentHeader{kSegmentMagic, kLayoutVersion, kind, layout_hash, bytes};
}

// Returns why `bytes` bytes at `base` cannot be used as a segment of this kind and layout, or kNone.
inline AttachError check_segment(const void* base, std::uint64_t bytes, SegmentKind kind,
                                 std::uint64_t layout_hash) {
  if (reinterpret_cast<std::uintptr_t>(base) % kCacheLine != 0) return AttachError::kMisaligned;
  if (bytes < kSegmentBody) return AttachError::kTooSmall;
  SegmentHeader header;
  std::memcpy(&header, base, sizeof header);
  if (header.magic != kSegmentMagic) return AttachError::kBadMagic;
  if (header.layout_version != kLayoutVersion) return AttachError::kBadVersion;
  if (header.kind != kind) return AttachError::kBadKind;
  if (header.layout_hash != layout_hash) return AttachError::kBadLayoutHash;
  if (header.bytes > bytes) return AttachError::kTooSmall;
  return AttachError::kNone;
}

}  // namespace sluice
