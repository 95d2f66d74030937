#include "session/limiter_session.h"

#include "contract/limits.h"

namespace sluice {

namespace {

// In LimiterWaiters, Key{} means that the limiter has no keys.
const Key* given(const Key& key) noexcept { return key == Key{} ? nullptr : &key; }

// Whether a limit stays as it is (NaN), or becomes one of `least` to `most`.
bool may_become(double value, double least, double most) noexcept {
  return std::isnan(value) || (value >= least && value <= most);
}

void set(double value, std::uint64_t& figure) noexcept {
  if (!std::isnan(value)) figure = static_cast<std::uint64_t>(value);
}

}  // namespace

bool LimiterChanges::fit(const LimiterConfig& made) const noexcept {
  bool fit = may_become(rate_per_second, kTokenRateMin, kTokenRateMax) &&
             may_become(burst, 1, static_cast<double>(kCostMax)) && may_become(warm_up_ms, 0, kDayMs) &&
             may_become(depth_max, 1, static_cast<double>(kCostMax));
  for (std::uint32_t i = 0; i < made.window_count; ++i) {
    const WindowConfig& window = made.windows[i];
    const std::uint64_t limit_max = window.exact ? window.log_capacity : kWindowLimitMax;
    fit &= may_become(windows[i].limit, 1, static_cast<double>(limit_max)) &&
           may_become(windows[i].window_ms, 1, kWindowMsMax) &&
           (window.every == Every::kNone || std::isnan(windows[i].window_ms));
  }
  return fit;
}

void LimiterChanges::apply_to(LimiterConfig& config, std::uint64_t now) const noexcept {
  if (!std::isnan(rate_per_second) || !std::isnan(warm_up_ms)) config.bucket.origin = now;
  if (!std::isnan(rate_per_second)) {
    config.bucket.per_second = rate_per_second;
    config.bucket.rate = TokenRate::per_second(rate_per_second);
  }
  if (!std::isnan(warm_up_ms)) {
    config.bucket.warm_up_ns = static_cast<std::uint64_t>(warm_up_ms * 1e6);
    config.bucket.warm_up_from = now;
  }
  if (!std::isnan(enforce)) config.enforce = enforce != 0;
  set(burst, config.bucket.burst);
  for (std::uint32_t i = 0; i < config.window_count; ++i) {
    SlidingWindowConfig& window = config.windows[i].sliding;
    set(windows[i].limit, window.limit);
    if (!std::isnan(windows[i].window_ms)) {
      window.bucket_ns = bucket_ns(windows[i].window_ms, window.buckets);
    }
  }
  set(depth_max, config.depth_max);
}

LimiterSession::LimiterSession(Parts parts, LimiterHost& host)
    : host_(host),
      limiter_(parts.segment.limiter()),
      slot_(parts.slot),
      clock_(parts.clock),
      depth_queue_(parts.depth_queue),
      watched_(parts.watched),
      waiters_(limiter_, parts.segment.waiters(), parts.segment.config().waiting_max),
      owner_{parts.number},
      held_(host) {
  if (slot_->users == 1) limiter_.overload(*slot_, 0, 0);  // clears the overload of the slot's earlier owner
  if (watched_) limiter_.watch_with(QueueWatch(parts.segment.watch(), *watched_, config().watch));
}

void LimiterSession::end() noexcept {
  // Ends all waits of this session, also those whose outcome the thread could not learn before it was stopped.
  std::uint64_t depth = queue_depth();
  for (std::uint32_t next = 0; has_waited_ && next < config().waiting_max;) {
    LimiterWaiters::Woken woken;
    const LimiterWaiters::Passed passed =
        waiters_.abandon({*slot_, clock_, depth, woken}, clock_.now(), owner_, next);
    wake(woken, given(passed.key), depth);
    next = passed.next;
  }
  // `held_` has the depth that this session has not released; no other session should: see try_acquire().
  held_.give_all([this](const Key* key, std::uint64_t cost) { release_place(cost, key); });
  limiter_.thread_slots().release(slot_);
}

void LimiterSession::undo(const Limiter::Decision& decision, std::uint64_t cost, const Key* key) noexcept {
  limiter_.undo(*slot_, clock_, clock_.now(), decision, cost, key);
  given_back(key);
}

bool LimiterSession::block(std::uint64_t ns, const Key* key) noexcept {
  const bool placed = limiter_.block(*slot_, clock_.now(), ns, key);
  if (waiting() != 0) review(key);
  return placed;
}

bool LimiterSession::configure(const LimiterChanges& changes) {
  if (!changes.fit(config())) return false;
  limiter_.configure(clock_,
                     [&changes](LimiterConfig& config, std::uint64_t now) { changes.apply_to(config, now); });
  review();
  return true;
}

void LimiterSession::serve_waiters(const Key* key, std::uint64_t& depth) noexcept {
  for (bool more = true; more;) {
    LimiterWaiters::Woken woken;
    waiters_.given_back({*slot_, clock_, depth, woken}, clock_.now(), key);
    more = woken.full();
    wake(woken);
  }
}

LimiterSession::Joined LimiterSession::acquire(std::uint64_t cost, std::uint64_t patience,
                                               const Key* key) noexcept {
  LimiterWaiters::Woken woken;
  std::uint64_t depth = queue_depth();
  const std::uint64_t now = clock_.now();
  const LimiterWaiters::Joined joined =
      waiters_.join({*slot_, clock_, depth, woken}, now, {cost, patience, owner_, key});
  wake(woken, key, depth);
  const bool waits = joined.waiter != LimiterWaiters::kNone;
  has_waited_ = has_waited_ || waits;
  return {joined.decision, joined.waiter, joined.wait, waits || keep(joined.decision, cost, key), now};
}

LimiterSession::Tended LimiterSession::tend(std::uint32_t waiter) noexcept {
  LimiterWaiters::Woken woken;
  std::uint64_t depth = queue_depth();
  const std::uint64_t now = clock_.now();
  const LimiterWaiters::Tended tended = waiters_.tend({*slot_, clock_, depth, woken}, now, waiter);
  wake(woken, given(tended.key), depth);
  return {tended, now};
}

LimiterSession::Told LimiterSession::told() noexcept {
  const LimiterWaiters::Told told = waiters_.told(owner_);
  const Key* key = given(told.key);
  if (told.outcome != LimiterWaiters::Told::kServed || hold(told.cost, key)) return {told};
  if (told.refusal.tier == Tier::kNone) limiter_.refund(*slot_, clock_.now(), told.receipt, told.cost, key);
  release_place(told.cost, key);
  return {told, false};
}

void LimiterSession::leave(std::uint32_t waiter) noexcept {
  LimiterWaiters::Woken woken;
  std::uint64_t depth = queue_depth();
  const Key key = waiters_.leave({*slot_, clock_, depth, woken}, clock_.now(), waiter);
  wake(woken, given(key), depth);
}

void LimiterSession::review() noexcept {
  std::uint64_t depth = queue_depth();
  for (std::uint32_t next = 0; next < config().waiting_max;) {
    LimiterWaiters::Woken woken;
    const LimiterWaiters::Passed passed = waiters_.review({*slot_, clock_, depth, woken}, clock_.now(), next);
    wake(woken, given(passed.key), depth);
    next = passed.next;
  }
}

void LimiterSession::review(const Key* key) noexcept {
  LimiterWaiters::Woken woken;
  std::uint64_t depth = queue_depth();
  waiters_.review_of({*slot_, clock_, depth, woken}, clock_.now(), key);
  wake(woken, key, depth);
}

void LimiterSession::wake(const LimiterWaiters::Woken& woken) noexcept {
  for (std::uint32_t i = 0; i < woken.count; ++i) host_.ring(woken.owners[i]);
  if (!woken.missed) return;
  for (std::uint32_t from = 0; from < config().waiting_max;) {
    LimiterWaiters::Woken more;
    from = waiters_.listed(more, from);
    wake(more);
  }
}

void LimiterSession::wake(const LimiterWaiters::Woken& woken, const Key* key, std::uint64_t& depth) noexcept {
  wake(woken);
  if (woken.full()) serve_waiters(key, depth);
}

}  // namespace sluice
