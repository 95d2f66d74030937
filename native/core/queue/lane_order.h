// Chooses the lane that is served next: of the lanes that have a record, the most urgent one (that with the lowest
// number), except that every lane is guaranteed its share. At each choice, each lane that has a record, except the most
// urgent of these, earns its weight. A lane that has earned the sum of all weights is chosen out of turn, and loses
// that sum again. So the least share of a lane that always has a record is its weight / sum, and no lane starves. This
// is a form of weighted round robin with credits (deficit round robin, M. Shreedhar and G. Varghese).
#pragma once

#include <bit>
#include <cstdint>

#include "core/queue/room_waiters.h"  // kLanesMax

namespace sluice {

class LaneOrder {
 public:
  // Returns the lane that is served next. `ready`: bit i is set if lane i has a record; at least one bit is set. `sum`:
  // the sum of all weights. Only the consumer calls this.
  std::uint32_t next(std::uint32_t ready, const std::uint32_t (&weights)[kLanesMax],
                     std::uint32_t sum) noexcept {
    const auto urgent = static_cast<std::uint32_t>(std::countr_zero(ready));
    std::uint32_t chosen = urgent;
    for (std::uint32_t others = ready & (ready - 1); others != 0; others &= others - 1) {
      const auto lane = static_cast<std::uint32_t>(std::countr_zero(others));
      earned_[lane] += weights[lane];
      if (chosen == urgent && earned_[lane] >= sum) chosen = lane;
    }
    if (chosen != urgent) earned_[chosen] -= sum;
    return chosen;
  }

 private:
  std::uint32_t earned_[kLanesMax] = {};
};

}  // namespace sluice
