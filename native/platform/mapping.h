// The memory of a segment (see core/base/segment.h), mapped for the threads of this process: private and anonymous.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/segment.h"

namespace sluice {

// Owns one mapping.
class Segment {
 public:
  // Maps and formats a segment whose body has `body_bytes` zeroed bytes. Returns an empty Segment (no base) if the
  // system has no memory left. `commit` makes all of it resident now, except the last `spared` bytes; otherwise a page
  // becomes resident when it is first written.
  static Segment create(SegmentKind kind, std::uint64_t layout_hash, std::uint64_t body_bytes,
                        bool commit = false, std::uint64_t spared = 0);

  Segment() = default;
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  Segment(Segment&& other) noexcept;
  Segment& operator=(Segment&& other) noexcept;

  explicit operator bool() const { return base_ != nullptr; }
  std::byte* body() const { return static_cast<std::byte*>(base_) + kSegmentBody; }
  const void* base() const { return base_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  void* base_ = nullptr;
  std::uint64_t bytes_ = 0;
};

}  // namespace sluice
