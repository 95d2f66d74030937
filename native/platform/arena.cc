#include "platform/arena.h"

#include <cstring>
#include <iterator>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace sluice {

#if defined(__linux__)

namespace {

// Maps the first `bytes` bytes of the shared mapping at `base` once more: at `target`, or anywhere if that is nullptr.
void* mapped_again(void* base, std::uint64_t bytes, void* target) noexcept {
  // With an old size of 0, mremap() leaves a shared mapping as it is, and maps its pages a second time.
  return target == nullptr ? mremap(base, 0, bytes, MREMAP_MAYMOVE)
                           : mremap(base, 0, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, target);
}

// Whether this system maps pages a second time: emulators and sandboxes may not.
bool maps_again(std::byte* base, std::uint64_t page) noexcept {
  void* again = mapped_again(base, page, nullptr);
  if (again == MAP_FAILED) return false;
  auto* first = reinterpret_cast<volatile std::byte*>(base);
  auto* second = static_cast<volatile std::byte*>(again);
  *first = std::byte{1};
  const bool same = *second == std::byte{1};
  *second = std::byte{0};
  munmap(again, page);
  return same && *first == std::byte{0};
}

}  // namespace

Arena* Arena::instance() {
  static Arena* const arena = []() -> Arena* {
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    void* base =
        mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return nullptr;
    if (kBytes % page == 0 && maps_again(static_cast<std::byte*>(base), page)) {
      return new Arena(static_cast<std::byte*>(base), page);
    }
    munmap(base, kBytes);
    return nullptr;
  }();
  return arena;
}

bool Arena::lay_over(void* window) noexcept {
  if (reinterpret_cast<std::uintptr_t>(window) % page_ != 0) return false;
  if (mapped_again(base_, kBytes, window) == window) return true;
  // The window's own pages may be gone. V8 will unmap them later, so no other mapping may take their place.
  (void)mmap(window, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  return false;
}

void Arena::clear(std::byte* piece, std::uint64_t bytes) noexcept {
  if (madvise(piece, bytes, MADV_REMOVE) != 0) std::memset(piece, 0, bytes);
}

#else

Arena* Arena::instance() { return nullptr; }
bool Arena::lay_over(void*) noexcept { return false; }
void Arena::clear(std::byte* piece, std::uint64_t bytes) noexcept { std::memset(piece, 0, bytes); }

#endif

// No piece has the offset 0.
Arena::Arena(std::byte* base, std::uint64_t page) : base_(base), page_(page), free_{{page, kBytes - page}} {}

std::byte* Arena::take(std::uint64_t bytes) {
  if (bytes == 0 || bytes > kBytes) return nullptr;
  const std::uint64_t size = pages(bytes);
  const std::lock_guard<std::mutex> guard(mutex_);
  for (auto part = free_.begin(); part != free_.end(); ++part) {
    const auto [offset, left] = *part;
    if (left < size) continue;
    if (left == size) {
      free_.erase(part);
    } else {
      auto node = free_.extract(part);  // takes no memory, so that it cannot fail half-way
      node.key() = offset + size;
      node.mapped() = left - size;
      free_.insert(std::move(node));
    }
    return base_ + offset;
  }
  return nullptr;
}

void Arena::give_back(std::byte* piece, std::uint64_t bytes) noexcept {
  std::uint64_t size = pages(bytes);
  clear(piece, size);
  std::uint64_t offset = offset_of(piece);
  const std::lock_guard<std::mutex> guard(mutex_);
  auto after = free_.upper_bound(offset);
  if (after != free_.end() && after->first == offset + size) {
    size += after->second;
    after = free_.erase(after);
  }
  if (after != free_.begin()) {
    const auto before = std::prev(after);
    if (before->first + before->second == offset) {
      before->second += size;
      return;
    }
  }
  try {
    free_.emplace_hint(after, offset, size);
  } catch (const std::bad_alloc&) {
    // No memory for an entry: the piece is lost to the arena, but takes no memory of the system.
  }
}

}  // namespace sluice
