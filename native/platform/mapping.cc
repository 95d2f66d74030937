#include "platform/mapping.h"

#include <utility>

#if defined(_WIN32)
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace sluice {
namespace {

#if defined(_WIN32)

void* map(std::uint64_t bytes) noexcept {
  return VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}
void unmap(void* base, std::uint64_t) noexcept { VirtualFree(base, 0, MEM_RELEASE); }
std::uint64_t page_bytes() noexcept {
  SYSTEM_INFO system;
  GetSystemInfo(&system);
  return system.dwPageSize;
}

#else

void* map(std::uint64_t bytes) noexcept {
  void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return base == MAP_FAILED ? nullptr : base;
}
void unmap(void* base, std::uint64_t bytes) noexcept { munmap(base, bytes); }
std::uint64_t page_bytes() noexcept { return static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)); }

#endif

void write_each_page(void* base, std::uint64_t bytes) noexcept {
  auto* octets = static_cast<volatile std::byte*>(base);
  const std::uint64_t page = page_bytes();
  for (std::uint64_t at = 0; at < bytes; at += page) octets[at] = std::byte{0};
}

}  // namespace

Segment Segment::create(SegmentKind kind, const Layout& body, std::uint64_t schema_hash, bool commit,
                        std::uint64_t spared, Arena* arena) {
  Segment segment;
  if (body.bytes() == Layout::kTooLarge) return segment;
  const std::uint64_t bytes = kSegmentBody + body.bytes();
  if (arena != nullptr) segment.base_ = arena->take(bytes);
  if (segment.base_ != nullptr) {
    segment.arena_ = arena;
  } else {
    segment.base_ = map(bytes);
    if (segment.base_ == nullptr) return segment;
  }
  segment.bytes_ = bytes;
  if (commit) write_each_page(segment.base_, bytes - spared);
  format_segment(segment.base_, kind, bytes, body.hash(), schema_hash);
  return segment;
}

Segment::~Segment() {
  if (base_ == nullptr) return;
  if (arena_ != nullptr) {
    arena_->give_back(static_cast<std::byte*>(base_), bytes_);
  } else {
    unmap(base_, bytes_);
  }
}

Segment::Segment(Segment&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      arena_(std::exchange(other.arena_, nullptr)) {}

Segment& Segment::operator=(Segment&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(bytes_, other.bytes_);
  std::swap(arena_, other.arena_);
  return *this;
}

}  // namespace sluice
