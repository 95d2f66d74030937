// A push to a full lane of a queue that overwrites makes room itself: it drops the oldest records of the lane.
//
//   tail + n   claims n positions in one step, some of them perhaps without room
//   head + 1   for each of the oldest records, which are published, until all claimed positions have room
//
// The producer makes both steps under the lock `front`, without which no thread moves a head. So once it has claimed,
// it can write its records at once, and waits for no other thread before it publishes them. (If a push without a permit
// finds room, it claims without the lock: see Queue::push().) A thread that holds `front` waits for no other thread,
// either. If a dropped record leaves something to give back (such as the hold of an order), the thread gives that back
// after it has unlocked `front`. Otherwise it could wait for a ledger that a snapshot has paused, while the snapshot
// waits for a thread that is inside the ledger and wants `front`.
#pragma once

#include <cstdint>

#include "core/base/spin_lock.h"
#include "core/base/spin_wait.h"
#include "core/queue/queue_control.h"
#include "core/queue/ring.h"

namespace sluice {

// Holds the lock `front` of a queue while it lives.
class Front {
 public:
  explicit Front(QueueControl& control) noexcept : lock_(control.front) { lock_.lock(); }
  ~Front() { lock_.unlock(); }
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;

 private:
  SpinLock<>& lock_;
};

// Claims 1 to `want` positions of a lane, even without room; none only if the queue is closed and `on_permits` is
// false. Calls `drop(slot index)`, under `front`, for each record that it drops. It drops at most as many records as it
// claims positions. `depth()` returns the number of records in all lanes.
template <class Drop, class Depth>
Ring<>::Claim claim_over(QueueControl& control, Ring<>& ring, std::uint32_t lane, std::uint32_t want,
                         bool on_permits, Drop& drop, Depth&& depth) noexcept {
  Ring<>::Claim claim{};
  // If there is no room and the oldest record is not published yet, this waits: the producer of that record will
  // publish it soon, and needs nothing from this thread.
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
