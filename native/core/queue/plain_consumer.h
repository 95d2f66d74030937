// The consumer's steps on a plain queue (see QueueShape::plain()): its records lie in one ring, and all of them are
// shown, in the order of their positions. Both faces of a queue make these steps.
#pragma once

#include <cstdint>

#include "core/base/probe.h"
#include "core/queue/queue_control.h"
#include "core/queue/ring.h"

namespace sluice {

class PlainConsumer {
 public:
  PlainConsumer(QueueControl& control, Ring<>& ring) noexcept : control_(control), ring_(ring) {}

  // Calls visit(i, cursor) for each of the next records, up to `max`, and returns how many there are. They stay.
  template <class Visit>
  std::uint32_t show(std::uint32_t max, Visit&& visit) const noexcept {
    std::uint32_t count = 0;
    for (Ring<>::Cursor at(ring_, ring_.head()); count < max && at.readable(); at.next()) {
      SLUICE_PROBE(pop, ring_.id(), at.position());
      visit(count, at);
      at.pull_stamp_line();
      ++count;
    }
    return count;
  }

  // Frees the first `count` of the `shown` records that were shown last. RoomWaiters::freed_room() must follow.
  void free(std::uint32_t count, std::uint32_t shown) const noexcept {
    note_depth(shown);
    ring_.advance(ring_.head() + count * kRingStep);
  }

  // Raises the high-water mark to the present depth. Called just before the head moves, when the depth is largest. If
  // no record after the shown ones is readable, the number of shown records counts as the depth. This avoids a read of
  // the tail, which producers write.
  void note_depth(std::uint32_t shown) const noexcept {
    const bool ends = !ring_.readable(ring_.head() + shown * kRingStep);
    control_.note_depth(ends ? shown : ring_.depth());
  }

 private:
  QueueControl& control_;
  Ring<>& ring_;
};

}  // namespace sluice
