// A Segment is the one contiguous block of memory behind an object: mapped once, zeroed, never grown, and
// addressed by offsets only, so that it means the same wherever it is mapped.
//
//   offset 0                    128
//   | SegmentHeader (one line) | the object's own layout ...                                   |
//
// Attaching checks every header field; a mismatch is an error, never a crash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "core/base/atomics.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

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

// What stands in the way of using `bytes` bytes at `base` as a segment of this kind and layout.
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

// Owns one anonymous mapping: the memory of an object shared by the threads of this process.
class Segment {
 public:
  Segment() = default;
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  Segment(Segment&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Segment& operator=(Segment&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Segment() {
    if (base_ == nullptr) return;
#if defined(_WIN32)
    VirtualFree(base_, 0, MEM_RELEASE);
#else
    munmap(base_, bytes_);
#endif
  }

  // An empty Segment (no base) when the system has no memory to give. `commit`: all of it is made resident now; else a
  // page is when it is first written.
  static Segment create(SegmentKind kind, std::uint64_t layout_hash, std::uint64_t body_bytes,
                        bool commit = false) {
    Segment segment;
    if (body_bytes > std::numeric_limits<std::uint64_t>::max() - kSegmentBody) return segment;
    const std::uint64_t bytes = kSegmentBody + body_bytes;
#if defined(_WIN32)
    void* base = VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (base == nullptr) return segment;
#else
    void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return segment;
#endif
    segment.base_ = base;
    segment.bytes_ = bytes;
    if (commit) segment.write_each_page();
    format_segment(base, kind, layout_hash, bytes);
    return segment;
  }

  explicit operator bool() const { return base_ != nullptr; }
  std::byte* body() const { return static_cast<std::byte*>(base_) + kSegmentBody; }
  const void* base() const { return base_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  void write_each_page() noexcept {
#if defined(_WIN32)
    SYSTEM_INFO system;
    GetSystemInfo(&system);
    const std::uint64_t page = system.dwPageSize;
#else
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
#endif
    auto* octets = static_cast<volatile std::byte*>(base_);
    for (std::uint64_t at = 0; at < bytes_; at += page) octets[at] = std::byte{0};
  }

  void* base_ = nullptr;
  std::uint64_t bytes_ = 0;
};

}  // namespace sluice
