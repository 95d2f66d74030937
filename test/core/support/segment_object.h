// The simplest object that a segment can hold: its shape is its size in bytes.
#pragma once

#include <cstdint>

#include "core/base/segment.h"

namespace sluice::test {

struct Lines {
  static constexpr SegmentKind kKind = SegmentKind::kStock;
  struct Shape {
    std::uint64_t bytes;
    bool sound() const { return bytes != kUnsound; }
  };
  static constexpr std::uint64_t kUnsound = 7;

  static Layout layout(const Shape& shape) {
    Layout layout;
    layout.place_bytes(shape.bytes);
    layout.note(shape.bytes);
    return layout;
  }
};

// Returns what check_segment() calls for the schema hash that is expected of a shape: here `hash`, for any shape.
inline auto schema(std::uint64_t hash) {
  return [hash](const auto&) { return hash; };
}

}  // namespace sluice::test
