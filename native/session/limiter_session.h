// One thread's use of a limiter: decisions, waiting for them, and what this thread holds in flight, which it gives back
// when it goes. Knows nothing of the face that it is used through.
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

// The figures that configure() changes. NaN: stays as it is.
struct LimiterChanges {
  double rate_per_second, burst, warm_up_ms, depth_max, enforce;
  struct Window {
    double limit, window_ms;
  };
  Window windows[kWindowsMax];

  // Whether each figure is one that a limiter of this configuration can have.
  bool fit(const LimiterConfig& made) const noexcept;
  // `now`: limiter's time.
  void apply_to(LimiterConfig& config, std::uint64_t now) const noexcept;
};

class LimiterSession {
 public:
  struct Parts {
    LimiterSegment segment;
    ThreadSlot* slot;
    Clock clock;
    std::uint64_t number;              // of this session, which no other has or had
    std::optional<Queue> depth_queue;  // which the depth tier follows, if it follows one
    std::optional<Queue> watched;      // whose wait the adaptive tier watches, if it watches one
  };
  LimiterSession(Parts parts, LimiterHost& host);
  LimiterSession(const LimiterSession&) = delete;
  LimiterSession& operator=(const LimiterSession&) = delete;

  // Gives back all that others could miss: places among those who wait, what decisions hold, the slot. Once; nothing
  // may be called afterwards.
  void end() noexcept;

  Limiter& limiter() noexcept { return limiter_; }
  ThreadSlot& slot() noexcept { return *slot_; }
  const Clock& clock() const noexcept { return clock_; }
  std::uint64_t number() const noexcept { return owner_.number; }
  const LimiterConfig& config() const noexcept { return limiter_.config(); }
  const Queue* depth_queue() const noexcept { return depth_queue_ ? &*depth_queue_ : nullptr; }
  std::uint64_t queue_depth() const noexcept { return depth_queue_ ? depth_queue_->depth() : 0; }

  // A key is given where the limiter has keys, and only there. Every call below relies on it.
  bool fits(const Key* key) const noexcept { return (key != nullptr) == (config().keys_max != 0); }

  // ---- decisions -----------------------------------------------------------------------------------------------

  // What is allowed is in flight until release(), of any thread.
  Limiter::Decision decide(std::uint64_t cost, const Key* key) noexcept {
    return decide(clock_.now(), cost, key);
  }

  // What is allowed belongs to this session until its release(). Not `kept`: there was no memory to remember it, so the
  // decision was undone.
  struct Acquired {
    Limiter::Decision decision;
    Limiter::Outlook outlook;  // as of afterwards
    bool kept = true;
  };
  Acquired try_acquire(std::uint64_t cost, const Key* key) noexcept {
    const std::uint64_t now = clock_.now();
    Acquired acquired;
    acquired.decision = decide(now, cost, key);
    acquired.kept = keep(acquired.decision, cost, key);
    acquired.outlook = limiter_.peek(*slot_, now, cost, queue_depth(), key);
    return acquired;
  }

  Limiter::Outlook peek(std::uint64_t cost, const Key* key) noexcept {
    return limiter_.peek(*slot_, clock_.now(), cost, queue_depth(), key);
  }
  Tiers::Rooms rooms(const Key* key) noexcept {
    return limiter_.rooms(*slot_, clock_.now(), queue_depth(), key);
  }

  // Work of `cost` is done: of a decision that this session holds, or of one that it does not. False if that much was
  // not in flight. Waiters for it are served.
  bool release(std::uint64_t cost, const Key* key) noexcept {
    if (!release_place(cost, key)) return false;
    held_.remove(key, cost);
    return true;
  }
  // The same, of what no session holds: an order that a gate admitted.
  bool release_place(std::uint64_t cost, const Key* key) noexcept {
    if (!limiter_.release(*slot_, cost, key)) return false;
    given_back(key);
    return true;
  }

  // ---- what changes the state of a key ---------------------------------------------------------------------------

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
  // False: the key is a guest, and no guest more can stay.
  bool block(std::uint64_t ns, const Key* key) noexcept;
  // This thread refuses everything for `ns`.
  void overload(std::uint64_t ns) noexcept { limiter_.overload(*slot_, clock_.now(), ns); }

  // What configure() changes, as it is now.
  LimiterConfig limits() noexcept { return limiter_.current_config(*slot_); }
  // False, and nothing is changed: a figure is out of range. Throws std::bad_alloc, and then has changed nothing.
  bool configure(const LimiterChanges& changes);

  // ---- waiting ---------------------------------------------------------------------------------------------------

  // Decides, or waits for at most `patience` ns. An allowed decision is this session's, as of try_acquire().
  struct Joined {
    Limiter::Decision decision;
    std::uint32_t waiter = LimiterWaiters::kNone;
    std::uint64_t wait = 0;
    bool kept = true;
    std::uint64_t now = 0;
  };
  Joined acquire(std::uint64_t cost, std::uint64_t patience, const Key* key) noexcept;

  // Whether this is a waiter of this session, which alone may speak of it.
  bool is_waiter(std::uint64_t waiter) const noexcept {
    return waiter < config().waiting_max && waiters_.is_of(static_cast<std::uint32_t>(waiter), owner_);
  }
  struct Tended {
    LimiterWaiters::Tended tended;
    std::uint64_t now;
  };
  Tended tend(std::uint32_t waiter) noexcept;
  // The next thing that this session has to hear. What was served is held as of try_acquire(); not `kept`: it was given
  // back again, for want of memory.
  struct Told {
    LimiterWaiters::Told told;
    bool kept = true;
  };
  Told told() noexcept;
  void leave(std::uint32_t waiter) noexcept;
  std::uint32_t waiting() const noexcept { return waiters_.waiting(); }

  // Something was given back to the state of `key`: those who wait for it are served.
  void given_back(const Key* key) noexcept {
    if (config().waiting_max != 0) serve_waiters(key);
  }

 private:
  Limiter::Decision decide(std::uint64_t now, std::uint64_t cost, const Key* key) noexcept {
    return limiter_.decide(*slot_, clock_, now, cost, queue_depth(), key);
  }
  // Whether something is in flight until it is released: not of a depth that follows a queue.
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
  void serve_waiters(const Key* key) noexcept;
  // All waiters are decided again: the limits have changed.
  void review() noexcept;
  // The waiters of one key are decided again: it is blocked. nullptr: of a limiter without keys.
  void review(const Key* key) noexcept;

  // Calls act(asking, now) until nobody else is to be served, and wakes those who were.
  template <class Act>
  void serve(Act&& act) noexcept;
  // Wakes those who were served among the waiters for `key`, and serves the rest if they were as many as fit.
  void wake(const LimiterWaiters::Woken& woken, const Key* key) noexcept;
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
