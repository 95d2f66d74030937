// A limiter as the threads of the process share it, and as one thread sees it.
#pragma once

#include <limits>
#include <memory>
#include <vector>

#include "addon/clock.h"
#include "addon/environment.h"
#include "addon/hot_function.h"
#include "addon/queue.h"
#include "addon/registry.h"
#include "core/limiter.h"
#include "core/segment.h"

namespace sluice {

struct SharedLimiter : SharedObject {
  SharedLimiter() : SharedObject(ObjectKind::kLimiter) {}

  Segment segment;
  LimiterConfig config;
  ClockSource time;
  std::shared_ptr<SharedQueue> queue;  // whose depth the third tier follows, if it does

  Limiter view() const { return Limiter(segment.body(), config); }
};

class LimiterAttachment : public Attachment {
 public:
  static LimiterAttachment* make(Environment& environment, std::shared_ptr<SharedLimiter> shared);

  Limiter& limiter() { return limiter_; }
  ThreadLine& line() { return *line_; }
  const Clock& clock() const { return clock_; }
  const std::shared_ptr<SharedLimiter>& shared() const { return shared_; }
  std::uint64_t queue_depth() const { return queue_ == nullptr ? 0 : queue_->ring().depth(); }
  const Queue* queue() const { return queue_.get(); }

  // The key that JavaScript gave: nullptr for undefined. Valid until the next call.
  const Key* key(napi_env env, napi_value value);

  // Words of the staging: results of tryAcquire and peek.
  static constexpr std::size_t kRetryAfterMs = 0, kRemaining = 8, kOverflowed = 16;
  void stage(napi_env env, napi_value buffer) { out_ = Staging(env, buffer); }
  const Staging& out() const { return out_; }

 protected:
  void on_detach() override;

 private:
  LimiterAttachment(Environment& environment, std::shared_ptr<SharedLimiter> shared, ThreadLine* line);

  std::shared_ptr<SharedLimiter> shared_;
  Limiter limiter_;
  ThreadLine* line_;
  Clock clock_;
  std::unique_ptr<Queue> queue_;
  Staging out_;
  Key key_;
  char16_t short_text_[128];
  std::vector<char16_t> long_text_;  // for what does not fit: grows to the longest key seen
};

// What no waiting can satisfy is Infinity milliseconds.
inline double milliseconds(std::uint64_t ns) {
  return ns == kNever ? std::numeric_limits<double>::infinity() : static_cast<double>(ns) / 1e6;
}

}  // namespace sluice
