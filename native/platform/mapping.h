// The memory of a segment (see core/base/segment.h), for the threads of this process: a private, anonymous mapping, or
// a piece of the arena.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/layout.h"
#include "core/base/segment.h"
#include "platform/arena.h"

namespace sluice {

// Owns one mapping, or one piece.
class Segment {
 public:
  // Maps a segment for an Object of this shape (see core/base/segment.h), formats its header, and leaves its body
  // zeroed. Returns an empty Segment if the system has no memory left, or the layout is too large. `commit`: all pages
  // of the segment become resident now, except those within its last `spared` bytes; otherwise each page becomes
  // resident when it is first written. `arena`: the segment becomes a piece of this arena, if there is room in it.
  template <class Object>
  static Segment create(const typename Object::Shape& shape, std::uint64_t schema_hash, bool commit = false,
                        std::uint64_t spared = 0, Arena* arena = nullptr) {
    return create(Object::kKind, Object::layout(shape), schema_hash, commit, spared, arena);
  }

  Segment() = default;
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  Segment(Segment&& other) noexcept;
  Segment& operator=(Segment&& other) noexcept;

  explicit operator bool() const { return base_ != nullptr; }
  std::byte* body() const { return static_cast<std::byte*>(base_) + kSegmentBody; }
  std::uint64_t bytes() const { return bytes_; }
  // The arena of which the segment is a piece; nullptr: it is a mapping of its own.
  Arena* arena() const { return arena_; }
  std::uint64_t schema_hash() const { return static_cast<const SegmentHeader*>(base_)->schema_hash; }

  // Returns why this is no segment of an Object, or kNone: see check_segment().
  template <class Object, class Schema>
  AttachError check(Schema&& schema) const {
    return check_segment<Object>(base_, bytes_, schema);
  }

 private:
  static Segment create(SegmentKind kind, const Layout& body, std::uint64_t schema_hash, bool commit,
                        std::uint64_t spared, Arena* arena);

  void* base_ = nullptr;
  std::uint64_t bytes_ = 0;
  Arena* arena_ = nullptr;
};

}  // namespace sluice
