// How a push to a queue that overwrites makes room: it drops the oldest records of its lane itself.
//
//   tail + n   n positions are claimed, some of them without room: no other thread claims any
//   head + 1   for each of the oldest, which are published, until all that is claimed has room
//
// Both are done under the lock `front`, without which no thread moves a head. So a producer can write what it has
// claimed at once, and waits for no other thread before it publishes. A thread that holds `front` waits for none
// either. What goes with a dropped record (an order's hold, say) it only remembers, and gives it back when `front` is
// free: the ledger may be paused until a thread has left it that wants `front`.
#pragma once

#include <cstdint>

#include "core/base/spin_lock.h"
#include "core/base/spin_wait.h"
#include "core/queue/queue_control.h"
#include "core/queue/ring.h"

namespace sluice {

// Holds `front`.
class Front {
 public:
  explicit Front(QueueControl& control) noexcept : lock_(control.front) { lock_.lock(); }
  ~Front() { lock_.unlock(); }
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;

 private:
  SpinLock<>& lock_;
};

// Claims 1 to `want` positions of a lane, whatever the room: none only if the queue is closed, which does not matter on
// permits. `drop(slot index)` is called for each record that goes, at most as many as are claimed, under `front`;
// `depth()` is that of all lanes.
template <class Drop, class Depth>
Ring<>::Claim claim_over(QueueControl& control, Ring<>& ring, std::uint32_t lane, std::uint32_t want,
                         bool on_permits, Drop& drop, Depth&& depth) noexcept {
  Ring<>::Claim claim{};
  // Again, as long as the oldest is not published: its producer is about to, and needs nothing of this thread.
  spin_wait([&] {
    const Front front(control);
    std::uint32_t over = 0;
    claim = ring.claim_over(want, on_permits, over);
    for (; over != 0; --over) {
      drop(ring.slot_index(ring.head()));
      control.drop_oldest(ring, lane, depth());
    }
    return claim.count != 0 || claim.closed;
  });
  return claim;
}

}  // namespace sluice
