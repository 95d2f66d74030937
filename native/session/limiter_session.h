// One thread's use of a limiter: decisions, waits for them, and the depth in flight that this thread holds, which it
// gives back when it ends. A session does not know its face.
//
// A session belongs to one thread. It is made with a thread slot of its limiter, and end() frees that slot.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include "core/base/clock.h"
#include "core/limiter/limiter_segment.h"
#include "core/queue/queue.h"
#include "session/held_costs.h"
#include "session/limiter_host.h"

namespace sluice {

// The limits that configure() changes. NaN: the limit stays as it is.
struct LimiterChanges {
  double rate_per_second, burst, warm_up_ms, depth_max, enforce;
  struct Window {
    double limit, window_ms;
  };
  Window windows[kWindowsMax];

  // Whether a limiter of this configuration can have each of these limits.
  bool fit(const LimiterConfig& made) const noexcept;
  // `now`: the limiter's time.
  void apply_to(LimiterConfig& config, std::uint64_t now) const noexcept;
};

class LimiterSession {
 public:
  struct Parts {
    LimiterSegment segment;
    ThreadSlot* slot;
    Clock clock;
    std::uint64_t number;              // this session's; no other session has or had it
    std::optional<Queue> depth_queue;  // the queue that the depth tier follows, if any
    std::optional<Queue> watched;      // the queue that the adaptive tier watches, if any
  };
  LimiterSession(Parts parts, LimiterHost& host);
  LimiterSession(const LimiterSession&) = delete;
  LimiterSession& operator=(const LimiterSession&) = delete;

  // Gives back everything that other threads may need: the places of its waiters, the depth that its decisions hold,
  // and the slot. Nothing may be called afterwards.
  void end() noexcept;

  Limiter& limiter() noexcept { return limiter_; }
  ThreadSlot& slot() noexcept { return *slot_; }
  const Clock& clock() const noexcept { return clock_; }
  std::uint64_t number() const noexcept { return owner_.number; }
  const LimiterConfig& config() const noexcept { return limiter_.config(); }
  const Queue* depth_queue() const noexcept { return depth_queue_ ? &*depth_queue_ : nullptr; }
  std::uint64_t queue_depth() const noexcept { return depth_queue_ ? depth_queue_->depth() : 0; }

  // Whether there is a key exactly if the limiter has keys. Every call below relies on this.
  bool fits(const Key* key) const noexcept { return (key != nullptr) == (config().keys_max != 0); }

  // ---- decisions -----------------------------------------------------------------------------------------------

  // If the depth tier counts an allowed request, the request is in flight until any thread calls release().
  Limiter::Decision decide(std::uint64_t cost, const Key* key) noexcept {
    return decide(clock_.now(), cost, key);
  }

  // If the depth tier counts an allowed request, the request is in flight until this session releases it or ends. If
  // another session released it, end() would release it once more. Not `kept`: there was no memory to remember the
  // request, so the decision was undone.
  struct Acquired {
    Limiter::Decision decision;
    Limiter::Outlook outlook;  // after the decision
    bool kept = true;
  };
  Acquired try_acquire(std::uint64_t cost, const Key* key) noexcept {
    const std::uint64_t now = clock_.now();
    Acquired acquired;
    acquired.decision = decide(now, cost, key);
    acquired.kept = keep(acquired.decision, cost, key);
    acquired.outlook = limiter_.peek(*slot_, clock_, now, cost, queue_depth(), key);
    return acquired;
  }

  Limiter::Outlook peek(std::uint64_t cost, const Key* key) noexcept {
    return limiter_.peek(*slot_, clock_, clock_.now(), cost, queue_depth(), key);
  }
  Tiers::Rooms rooms(const Key* key) noexcept {
    return limiter_.rooms(*slot_, clock_.now(), queue_depth(), key);
  }

  // Releases depth of `cost`, whichever session made the decision, and serves the waiters for that depth. False if less
  // was in flight.
  bool release(std::uint64_t cost, const Key* key) noexcept {
    if (!release_place(cost, key)) return false;
    held_.remove(key, cost);
    return true;
  }
  // As release(), but leaves `held_` as it is: for the depth of an order that a gate admitted, which no session holds,
  // and for depth that this session holds no more, or could not remember.
  bool release_place(std::uint64_t cost, const Key* key) noexcept {
    if (!limiter_.release(*slot_, cost, key)) return false;
    given_back(key);
    return true;
  }

  // ---- changes of a key's state ----------------------------------------------------------------------------------

  void penalize(std::uint64_t points, const Key* key) noexcept {
    limiter_.penalize(*slot_, clock_, clock_.now(), points, key);
  }
  void reward(std::uint64_t points, const Key* key) noexcept {
    limiter_.reward(*slot_, clock_.now(), points, key);
    given_back(key);
  }
  void refund(const Receipt& receipt, std::uint64_t cost, const Key* key) noexcept {
    limiter_.refund(*slot_, clock_.now(), receipt, cost, key);
    given_back(key);
  }
  void reset(const Key* key) noexcept {
    limiter_.reset(*slot_, key);
    given_back(key);
  }
  // False: the key is a guest, and no more guests can stay.
  bool block(std::uint64_t ns, const Key* key) noexcept;
  // Makes the limiter refuse all requests of this thread for `ns` nanoseconds; 0: no longer.
  void overload(std::uint64_t ns) noexcept { limiter_.overload(*slot_, clock_.now(), ns); }

  // Returns the present values of the limits that configure() changes.
  LimiterConfig limits() noexcept { return limiter_.current_config(*slot_); }
  // False, and nothing is changed, if a limit is out of range.
  bool configure(const LimiterChanges& changes);

  // ---- waiting ---------------------------------------------------------------------------------------------------

  // Decides, or adds a waiter that waits for at most `patience` ns. `wait`: see LimiterWaiting::Joined. `kept`: see
  // Acquired. `now`: the time of the session's clock with which the limiter decided.
  struct Joined {
    Limiter::Decision decision;
    std::uint32_t waiter = LimiterWaiters::kNone;
    std::uint64_t wait = 0;
    bool kept = true;
    std::uint64_t now = 0;
  };
  Joined acquire(std::uint64_t cost, std::uint64_t patience, const Key* key) noexcept;

  // Whether this is a waiter of this session. The functions below must only be called for such waiters.
  bool is_waiter(std::uint64_t waiter) const noexcept {
    return waiter < config().waiting_max && waiters_.is_of(static_cast<std::uint32_t>(waiter), owner_);
  }
  struct Tended {
    LimiterWaiters::Tended tended;
    std::uint64_t now;
  };
  Tended tend(std::uint32_t waiter) noexcept;
  // Returns the next report about a waiter of this session. A request that was served is in flight as one that
  // try_acquire() allowed. Not `kept`: its charge was given back, because there was no memory to remember it.
  struct Told {
    LimiterWaiters::Told told;
    bool kept = true;
  };
  Told told() noexcept;
  void leave(std::uint32_t waiter) noexcept;
  std::uint32_t waiting() const noexcept { return waiters_.waiting(); }
  // Called after something was given back to the limiter. Returns whether to call given_back().
  bool somebody_waits() const noexcept {
    // Pairs with the fence in LimiterWaiters::join().
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return waiting() != 0;
  }

  // Serves the waiters for `key`, after something was given back to its state.
  void given_back(const Key* key) noexcept {
    if (config().waiting_max == 0) return;
    std::uint64_t depth = queue_depth();
    serve_waiters(key, depth);
  }

 private:
  Limiter::Decision decide(std::uint64_t now, std::uint64_t cost, const Key* key) noexcept {
    return limiter_.decide(*slot_, clock_, now, cost, queue_depth(), key);
  }
  // Whether the depth tier counts allowed requests itself, until they are released. It does not if it follows a queue.
  bool holds_depth() const noexcept { return config().has_depth && !config().depth_of_queue; }
  // Remembers what an allowed decision holds. False, and the decision is undone, if there is no memory for that.
  bool keep(const Limiter::Decision& decision, std::uint64_t cost, const Key* key) noexcept {
    if (decision.refused_by != Tier::kNone || hold(cost, key)) [[likely]]
      return true;
    undo(decision, cost, key);
    return false;
  }
  bool hold(std::uint64_t cost, const Key* key) noexcept {
    return !holds_depth() || cost == 0 || held_.add(key, cost);
  }
  void undo(const Limiter::Decision& decision, std::uint64_t cost, const Key* key) noexcept;
  // `depth`: see LimiterWaiting::Asking.
  void serve_waiters(const Key* key, std::uint64_t& depth) noexcept;
  // Reviews all waiters, after the limits have changed: see LimiterWaiters::review().
  void review() noexcept;
  // Reviews the waiters of one key, after it was blocked or its block was ended. nullptr: the limiter has no keys.
  void review(const Key* key) noexcept;

  // Rings the bells of the owners in `woken`. If `woken` is full, serves further waiters for `key`.
  void wake(const LimiterWaiters::Woken& woken, const Key* key, std::uint64_t& depth) noexcept;
  // Rings the bells of the owners in `woken`, and of owners for which there was no place in it.
  void wake(const LimiterWaiters::Woken& woken) noexcept;

  LimiterHost& host_;
  Limiter limiter_;
  ThreadSlot* slot_;
  Clock clock_;
  std::optional<Queue> depth_queue_, watched_;
  LimiterWaiters waiters_;
  LimiterWaiters::Owner owner_;
  bool has_waited_ = false;
  HeldCosts held_;
};

}  // namespace sluice
