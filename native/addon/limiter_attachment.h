// A limiter as the threads of the process share it, and as one thread sees it.
#pragma once

#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "addon/clock.h"
#include "addon/environment.h"
#include "addon/hot_function.h"
#include "addon/loop_bell.h"
#include "addon/queue_attachment.h"
#include "addon/registry.h"
#include "contract/limits.h"
#include "contract/staging.h"
#include "core/limiter/limiter.h"
#include "core/limiter/limiter_waiters.h"
#include "platform/bells.h"
#include "platform/mapping.h"

namespace sluice {

struct SharedLimiter : SharedObject {
  SharedLimiter() : SharedObject(ObjectKind::kLimiter) {}

  Segment segment;
  std::mutex returns_mutex;  // of the line that all GateReturns share
  LimiterConfig config;
  std::string time_zones[kWindowsMax];  // of calendar windows, as they were given
  double max_loop_delay_ms = 0;         // 0: the adaptive tier is absent; measured in JavaScript
  double adaptive_interval_ms = 0;
  ClockSource time;
  std::shared_ptr<SharedQueue> queue;    // whose depth the third tier follows, if it does
  std::shared_ptr<SharedQueue> watched;  // whose wait the adaptive tier watches, if it does

  //   segment body:  | Limiter | LimiterWaiters | QueueWatch::Control |
  Limiter view() const { return Limiter(segment.body(), config); }
  void* line_memory() const { return segment.body() + line_offset(); }
  QueueWatch::Control* watch_memory() const {
    return reinterpret_cast<QueueWatch::Control*>(segment.body() + watch_offset());
  }
  std::uint64_t line_offset() const { return round_up(Limiter::bytes(config), kCacheLine); }
  std::uint64_t watch_offset() const { return line_offset() + LimiterWaiters::bytes(config.waiting_max); }
  std::uint64_t bytes() const { return watch_offset() + sizeof(QueueWatch::Control); }

  Bells bells;  // of attachments that wait
  void wake(const LimiterWaiters::Woken& woken) {
    for (std::uint32_t i = 0; i < woken.count; ++i) bells.ring(woken.owners[i]);
  }
};

class LimiterAttachment : public Attachment {
 public:
  static LimiterAttachment* make(Environment& environment, std::shared_ptr<SharedLimiter> shared);

  Limiter& limiter() { return limiter_; }
  ThreadSlot& line() { return *line_; }
  const Clock& clock() const { return clock_; }
  const std::shared_ptr<SharedLimiter>& shared() const { return shared_; }
  std::uint64_t queue_depth() const { return queue_ == nullptr ? 0 : queue_->depth(); }
  const Queue* queue() const { return queue_.get(); }

  // The key that JavaScript gave: nullptr for undefined. Valid until the next call.
  const Key* key(napi_env env, napi_value value);

  // Gives `cost` back; whoever waits for it is served. False if that much was not in flight.
  bool release(std::uint64_t cost, const Key* key = nullptr);
  // `cost` is held by a decision of this thread, which nobody else can release: given back when this detaches.
  // False, and nothing is held for it, if there is no memory to remember it.
  bool hold(std::uint64_t cost, const Key* key) noexcept;
  void let_go(std::uint64_t cost, const Key* key);
  // Something else was given back: whoever waits for `key` may be served.
  void given_back(const Key* key = nullptr);

  // Waiting, for this thread.
  LimiterWaiters::Joined join(std::uint64_t cost, std::uint64_t patience_ns, const Key* key);
  // Of places in line this attachment speaks of its own alone.
  bool is_waiter(double number) const {
    return number >= 0 && number < shared_->config.waiting_max &&
           line_of_waiters_.is_of(static_cast<std::uint32_t>(number), owner_);
  }
  LimiterWaiters::Tended tend(std::uint32_t waiter);
  LimiterWaiters::Told told();
  // Limits have changed.
  void review();
  void leave(std::uint32_t waiter);
  // Throws std::bad_alloc, and then does not listen.
  void on_served(napi_env env, napi_value callback);
  void keep_loop_alive(bool alive) { served_.keep_loop_alive(alive); }
  std::uint32_t waiting() const { return line_of_waiters_.waiting(); }

  void put_receipt(const Receipt& receipt) const {
    out_.put(LimiterStaging::kSlot, receipt.slot.end);
    out_.put(LimiterStaging::kSerial, receipt.serial);
    for (std::size_t i = 0; i < shared_->config.window_count; ++i) {
      out_.put(LimiterStaging::kCharged + 8 * i, receipt.charged[i]);
    }
  }
  Receipt receipt() const {
    Receipt receipt;
    receipt.slot.end = out_.get<std::uint64_t>(LimiterStaging::kSlot);
    receipt.serial = out_.get<std::uint32_t>(LimiterStaging::kSerial);
    for (std::size_t i = 0; i < shared_->config.window_count; ++i) {
      receipt.charged[i] = out_.get<std::uint64_t>(LimiterStaging::kCharged + 8 * i);
    }
    return receipt;
  }
  // False: not a buffer of the size that native code writes to.
  bool stage(napi_env env, napi_value buffer) {
    out_ = Staging(env, buffer);
    return out_.bytes() >= LimiterStaging::kBytes;
  }
  const Staging& out() const { return out_; }

 protected:
  void on_detach() override;

 private:
  struct HashOfKey {
    std::size_t operator()(const Key& key) const { return static_cast<std::size_t>(key.low); }
  };

  LimiterAttachment(Environment& environment, std::shared_ptr<SharedLimiter> shared, ThreadSlot* line);

  // Calls act(asking, now) until nobody else is to be served, and wakes those who were.
  template <class Act>
  void serve(Act&& act);
  void drop_bell();
  // Wakes those who were served in the line of `key`, and serves the rest if they were as many as fit.
  void wake(const LimiterWaiters::Woken& woken, const Key* key);

  std::shared_ptr<SharedLimiter> shared_;
  Limiter limiter_;
  LimiterWaiters line_of_waiters_;
  ThreadSlot* line_;
  Clock clock_;
  LimiterWaiters::Owner owner_;  // of this attachment's waiters
  std::unique_ptr<Bell> bell_;
  LoopBell served_;     // some of this thread's waiters may have been served
  bool waits_ = false;  // has ever waited
  std::unique_ptr<Queue> queue_, watched_;
  std::unordered_map<Key, std::uint64_t, HashOfKey> held_;  // without keys: under Key{}
  Staging out_;
  Key key_;
  // As long as JavaScript lets keys be.
  char16_t text_[kKeyTextMax + 1];
  std::uint64_t words_[1 + kKeyBitsMax / 64];
};

// What JavaScript is answered of a refusal.
inline std::int32_t answer_of(const Tiers::Refusal& refusal) {
  return static_cast<std::int32_t>(refusal.tier) + (refusal.oversized ? kOversized : 0) +
         kWindowUnit * refusal.window;
}

// A window to the nearest nanosecond, its buckets rounded up: a window that is a few nanoseconds too long is strict, one
// too short is not.
inline std::uint64_t bucket_ns(double window_ms, std::uint32_t buckets) {
  return (static_cast<std::uint64_t>(std::llround(window_ms * 1e6)) + buckets - 1) / buckets;
}

// No less than `ns`, as nanoseconds again: from 26 days on a double of milliseconds is not that exact, and is a larger
// one, by some nanoseconds. What no waiting can satisfy is Infinity.
inline double milliseconds(std::uint64_t ns) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (ns == kNever) return kInfinity;
  double ms = static_cast<double>(ns) / 1e6;
  if (ns < 1ULL << 51) return ms;
  while (static_cast<std::uint64_t>(ms * 1e6) < ns) ms = std::nextafter(ms, kInfinity);
  return ms;
}

}  // namespace sluice
