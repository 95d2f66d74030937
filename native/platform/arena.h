// The arena: memory of this process that WebAssembly code can reach, too. It is one shared mapping, made once and kept
// for as long as the process lives. Each thread lays its pages over the memory of a WebAssembly.Memory of its own, a
// window. So a place is the same offset in the arena and in each window, and native code, which uses the arena's own
// mapping, depends on no window.
//
//   the arena:   | first page | piece | piece | free ... |     the same pages, at an address of the kernel's choice
//   a window:    | first page | piece | piece | free ... |     and at one that V8 has chosen, for each thread
//
// The first page belongs to no piece: it is for the creator of the arena. Pieces are whole pages and zeroed. A page
// takes memory only from when it is first written until its piece is given back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

namespace sluice {

class Arena {
 public:
  static constexpr std::uint64_t kBytes = 1ULL << 30;  // a multiple of WebAssembly's pages of 64 KiB

  // The arena of this process, which the first call makes. nullptr: this system has none to give.
  static Arena* instance();

  // Lays the arena over the kBytes bytes at `window`, which from then on are the same memory. False: this failed, and
  // `window` must not be used.
  bool lay_over(void* window) noexcept;

  // Returns a piece of at least `bytes` zeroed bytes; nullptr: there is no room for it.
  std::byte* take(std::uint64_t bytes);
  // Gives a piece back, with the size that was asked for.
  void give_back(std::byte* piece, std::uint64_t bytes) noexcept;

  std::byte* first_page() const noexcept { return base_; }
  // The offset of a place in the arena.
  std::uint32_t offset_of(const void* place) const noexcept {
    return static_cast<std::uint32_t>(static_cast<const std::byte*>(place) - base_);
  }

 private:
  Arena(std::byte* base, std::uint64_t page);
  std::uint64_t pages(std::uint64_t bytes) const noexcept { return (bytes + page_ - 1) / page_ * page_; }
  void clear(std::byte* piece, std::uint64_t bytes) noexcept;

  std::byte* const base_;
  const std::uint64_t page_;
  std::mutex mutex_;
  std::map<std::uint64_t, std::uint64_t> free_;  // the sizes of the free parts, by their offsets; none touch
};

// Owns a piece of the arena, or nothing.
class Piece {
 public:
  Piece() = default;
  // `arena` may be nullptr: then the piece is nothing.
  Piece(Arena* arena, std::uint64_t bytes)
      : arena_(arena), bytes_(bytes), memory_(arena == nullptr ? nullptr : arena->take(bytes)) {}
  ~Piece() {
    if (memory_ != nullptr) arena_->give_back(memory_, bytes_);
  }
  Piece(const Piece&) = delete;
  Piece& operator=(const Piece&) = delete;
  Piece(Piece&& other) noexcept
      : arena_(other.arena_), bytes_(other.bytes_), memory_(std::exchange(other.memory_, nullptr)) {}
  Piece& operator=(Piece&&) = delete;

  explicit operator bool() const { return memory_ != nullptr; }
  std::byte* memory() const { return memory_; }
  std::uint64_t bytes() const { return memory_ == nullptr ? 0 : bytes_; }
  std::uint32_t offset() const { return arena_->offset_of(memory_); }

 private:
  Arena* arena_ = nullptr;
  std::uint64_t bytes_ = 0;
  std::byte* memory_ = nullptr;
};

}  // namespace sluice
