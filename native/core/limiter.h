// Three tiers decided as one step, all or nothing: token bucket, sliding window, depth. A refusal by a later
// tier refunds the earlier ones, so that whoever is refused is charged nothing.
//
//   segment body:  | LimiterControl | ThreadLines | window cells |
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <new>

#include "core/clock.h"
#include "core/depth_gate.h"
#include "core/sliding_window.h"
#include "core/thread_lines.h"
#include "core/token_bucket.h"

namespace sluice {

enum class Tier : std::uint8_t { kNone = 0, kTokenBucket = 1, kSlidingWindow = 2, kQueueDepth = 3 };

struct LimiterConfig {
  bool has_bucket = false;
  bool has_window = false;
  bool has_depth = false;
  bool depth_of_queue = false;  // the depth tier reads a queue instead of counting what is in flight
  TokenBucketConfig bucket;
  SlidingWindowConfig window;
  std::uint64_t depth_max = 0;
};

struct LimiterControl {
  LimiterConfig config;    // written at creation only
  std::uint64_t epoch_ns;  // the limiter's time 0
  alignas(kCacheLine) TokenBucket bucket;
  alignas(kCacheLine) DepthGate depth;
};

class Limiter {
 public:
  enum Counter : std::uint32_t { kAllowed, kByTokenBucket, kBySlidingWindow, kByQueueDepth };

  struct Decision {
    Tier refused_by = Tier::kNone;
    SlidingWindow::Charge window{0, false};
  };

  static std::uint64_t bytes(const LimiterConfig& config) {
    return sizeof(LimiterControl) + sizeof(ThreadLines) +
           (config.has_window ? SlidingWindow::cells(config.window.buckets) * sizeof(SlidingWindow::Cell)
                              : 0);
  }

  // A view of the limiter at `memory`; `config` must be the one it was formatted with.
  Limiter(void* memory, const LimiterConfig& config)
      : control_(static_cast<LimiterControl*>(memory)),
        lines_(reinterpret_cast<ThreadLines*>(control_ + 1)),
        window_(config.window, reinterpret_cast<SlidingWindow::Cell*>(lines_ + 1)) {}

  void format(const LimiterConfig& config, std::uint64_t now) {
    new (control_) LimiterControl{config, now, {}, {}};
  }

  const LimiterConfig& config() const noexcept { return control_->config; }
  ThreadLines& lines() noexcept { return *lines_; }

  // Decides at `now` for `cost`. `queue_depth` is read only if the depth tier follows a queue.
  Decision decide(ThreadLine& line, const Clock& clock, std::uint64_t now, std::uint64_t cost,
                  std::uint64_t queue_depth) noexcept {
    const LimiterConfig& config = control_->config;
    const std::uint64_t time = now - control_->epoch_ns;
    Decision decision;
    if (config.has_bucket && !control_->bucket.take(config.bucket, cost, time)) {
      decision.refused_by = Tier::kTokenBucket;
    } else if (config.has_window && !take_window(decision, clock, time, cost)) {
      if (config.has_bucket) control_->bucket.refund(config.bucket, cost);
      decision.refused_by = Tier::kSlidingWindow;
    } else if (config.has_depth && !enter_depth(cost, queue_depth)) {
      if (config.has_window) window_.refund(decision.window, cost);
      if (config.has_bucket) control_->bucket.refund(config.bucket, cost);
      decision.refused_by = Tier::kQueueDepth;
    }
    line.count(kAllowed + static_cast<std::uint32_t>(decision.refused_by));
    return decision;
  }

  // Undoes an allowed decision, as if it had never been asked for. Cannot fail.
  void refund(ThreadLine& line, const Decision& decision, std::uint64_t cost) noexcept {
    const LimiterConfig& config = control_->config;
    if (config.has_depth && !config.depth_of_queue) control_->depth.leave(cost);
    if (config.has_window) window_.refund(decision.window, cost);
    if (config.has_bucket) control_->bucket.refund(config.bucket, cost);
    line.count(kAllowed, ~0ULL);  // one less
  }

  // Work of `cost` is done. False if that much was not in flight.
  bool release(std::uint64_t cost) noexcept {
    const LimiterConfig& config = control_->config;
    return !config.has_depth || config.depth_of_queue || control_->depth.leave(cost);
  }

  // Nanoseconds until every tier that knows its time would allow `cost`: the largest over the tiers. Depth
  // frees up when work ends, which no clock tells, so it adds nothing.
  std::uint64_t retry_after(std::uint64_t now, std::uint64_t cost) const noexcept {
    const LimiterConfig& config = control_->config;
    const std::uint64_t time = now - control_->epoch_ns;
    std::uint64_t wait = 0;
    if (config.has_bucket) wait = std::max(wait, control_->bucket.retry_after(config.bucket, cost, time));
    if (config.has_window) wait = std::max(wait, window_.retry_after(cost, time));
    if (config.has_depth && cost > config.depth_max) wait = kNever;
    return wait;
  }

  // What the tightest tier would still allow now.
  std::uint64_t remaining(std::uint64_t now, std::uint64_t queue_depth) const noexcept {
    const LimiterConfig& config = control_->config;
    const std::uint64_t time = now - control_->epoch_ns;
    std::uint64_t left = kNever;
    if (config.has_bucket) left = std::min(left, control_->bucket.remaining(config.bucket, time));
    if (config.has_window) left = std::min(left, window_.remaining(time));
    if (config.has_depth) {
      const std::uint64_t used = config.depth_of_queue ? queue_depth : control_->depth.in_flight();
      left = std::min(left, used >= config.depth_max ? 0 : config.depth_max - used);
    }
    return left;
  }

  std::uint64_t in_flight() const noexcept { return control_->depth.in_flight(); }

 private:
  bool take_window(Decision& decision, const Clock& clock, std::uint64_t time, std::uint64_t cost) noexcept {
    decision.window = window_.take(cost, time, [this, &clock] { return clock.now() - control_->epoch_ns; });
    return decision.window.taken;
  }
  bool enter_depth(std::uint64_t cost, std::uint64_t queue_depth) noexcept {
    const LimiterConfig& config = control_->config;
    if (config.depth_of_queue) return cost <= config.depth_max && queue_depth <= config.depth_max - cost;
    return control_->depth.enter(config.depth_max, cost);
  }

  LimiterControl* control_;
  ThreadLines* lines_;
  SlidingWindow window_;
};

}  // namespace sluice
