#include "addon/limiter_functions.h"

#include <cmath>

#include "addon/objects.h"

namespace sluice {

namespace {

// A call with a number and perhaps a key: f(number, key?).
struct Call {
  Call(napi_env env, napi_callback_info info) {
    void* data = nullptr;
    napi_value values[2];
    std::size_t count = 2;
    napi_get_cb_info(env, info, &count, values, nullptr, &data);
    self = static_cast<LimiterAttachment*>(data);
    if (count > 0) napi_get_value_double(env, values[0], &number);
    if (count > 1 && !self->detached()) key = self->key(env, values[1]);
  }
  Limiter& limiter() const { return self->limiter(); }
  // 0 for what is no whole number of 64 bits, which lib/ never gives.
  std::uint64_t cost() const {
    return number >= 0 && number < 0x1p63 ? static_cast<std::uint64_t>(number) : 0;
  }

  // A cost, and a key where there are keys: lib/ gives nothing else.
  bool sound() const { return number >= 0 && number <= static_cast<double>(kCostMax) && key_fits(); }
  bool key_fits() const { return (key != nullptr) == (self->shared()->config.keys_max != 0); }

  LimiterAttachment* self = nullptr;
  double number = 0;
  const Key* key = nullptr;
};

std::int32_t answer_of(const Limiter::Decision& decision) {
  const bool forgiven = decision.would_refuse != decision.refused_by;
  return answer_of(Tiers::Refusal{decision.would_refuse, decision.oversized, decision.window}) +
         (forgiven ? kDryRun : 0);
}

Limiter::Decision decide(const Call& call, std::uint64_t now) {
  LimiterAttachment& self = *call.self;
  return self.limiter().decide(self.line(), self.clock(), now, call.cost(), self.queue_depth(), call.key);
}

// allow(cost, key?): 1 or 0
napi_value allow(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.self->detached()) return number(env, kDisposed);
  if (!call.sound()) return number(env, kBadArgument);
  return number(env, decide(call, call.self->clock().now()).refused_by == Tier::kNone ? 1 : 0);
}

// What a decision that allowed holds, its release() alone gives back: until then it belongs to this thread.
// False, and the decision is undone, if there is no memory for that.
bool hold(const Call& call, const Limiter::Decision& decision) {
  call.self->put_receipt(decision.receipt);
  if (decision.refused_by != Tier::kNone || call.self->hold(call.cost(), call.key)) return true;
  const Clock& clock = call.self->clock();
  call.limiter().undo(call.self->line(), clock, clock.now(), decision, call.cost(), call.key);
  call.self->given_back(call.key);
  return false;
}

// tryAcquire(cost, key?): 0 if allowed, else the refusal
napi_value try_acquire(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  LimiterAttachment& self = *call.self;
  if (self.detached()) return number(env, kDisposed);
  if (!call.sound()) return number(env, kBadArgument);
  const std::uint64_t now = self.clock().now();
  const Limiter::Decision decision = decide(call, now);
  if (!hold(call, decision)) return number(env, kNoResources);
  const Limiter::Outlook outlook =
      self.limiter().peek(self.line(), now, call.cost(), self.queue_depth(), call.key);
  self.out().put(LimiterStaging::kRemaining, static_cast<double>(outlook.remaining));
  self.out().put(LimiterStaging::kTightest, static_cast<double>(outlook.tightest));
  self.out().put(LimiterStaging::kRetryAfterMs, milliseconds(outlook.retry_after));
  return number(env, answer_of(decision));
}

// peek(cost, key?): the refusal, or 0; staging as of tryAcquire
napi_value peek(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  LimiterAttachment& self = *call.self;
  if (self.detached()) return number(env, kDisposed);
  if (!call.sound()) return number(env, kBadArgument);
  const Limiter::Outlook outlook =
      self.limiter().peek(self.line(), self.clock().now(), call.cost(), self.queue_depth(), call.key);
  self.out().put(LimiterStaging::kRemaining, static_cast<double>(outlook.remaining));
  self.out().put(LimiterStaging::kTightest, static_cast<double>(outlook.tightest));
  self.out().put(LimiterStaging::kRetryAfterMs, milliseconds(outlook.retry_after));
  return number(env, answer_of(outlook.refusal));
}

// rooms(0, key?): 1; staging: see kRooms
napi_value rooms(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  LimiterAttachment& self = *call.self;
  if (self.detached()) return number(env, kDisposed);
  if (!call.key_fits()) return number(env, kBadArgument);
  const Tiers::Rooms rooms =
      self.limiter().rooms(self.line(), self.clock().now(), self.queue_depth(), call.key);
  std::size_t at = LimiterStaging::kRooms;
  const auto put_room = [&](const Tiers::Room& room) {
    self.out().put(at, static_cast<double>(room.left));
    self.out().put(at + sizeof(double), milliseconds(room.more_in));
    at += LimiterStaging::kRoomBytes;
  };
  put_room(rooms.bucket);
  put_room(rooms.depth);
  for (std::uint32_t i = 0; i < self.shared()->config.window_count; ++i) put_room(rooms.windows[i]);
  return number(env, 1);
}

// release(cost, key?): 1, or 0 if that much was not in flight
napi_value release(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.self->detached()) return number(env, kDisposed);
  if (!call.sound()) return number(env, kBadArgument);
  if (!call.self->release(call.cost(), call.key)) return number(env, 0);
  call.self->let_go(call.cost(), call.key);
  return number(env, 1);
}

// acquire(cost, key?), with the patience in staging: as tryAcquire; kWaits + the waiter if it is to wait, then
// see tend() and told()
napi_value acquire(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  LimiterAttachment& self = *call.self;
  if (self.detached()) return number(env, kDisposed);
  if (!call.sound()) return number(env, kBadArgument);
  const double patience_ms = self.out().get<double>(LimiterStaging::kPatienceMs);
  const std::uint64_t patience = patience_ms < 1e12 ? static_cast<std::uint64_t>(patience_ms * 1e6) : kNever;
  const LimiterWaiters::Joined joined = self.join(call.cost(), patience, call.key);
  self.out().put(LimiterStaging::kRetryAfterMs, milliseconds(joined.wait));
  if (joined.waiter != LimiterWaiters::kNone)
    return number(env, kWaits + static_cast<std::int32_t>(joined.waiter));
  if (!hold(call, joined.decision)) return number(env, kNoResources);
  return number(env, answer_of(joined.decision));
}

// tend(waiter): 0; staging gets retryAfterMs of the front of its line, leftMs of its own deadline, nowMs
napi_value tend(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  LimiterAttachment& self = *call.self;
  if (self.detached()) return number(env, kDisposed);
  if (!self.is_waiter(call.number)) return number(env, kBadArgument);
  const LimiterWaiters::Tended tended = self.tend(static_cast<std::uint32_t>(call.number));
  self.out().put(LimiterStaging::kRetryAfterMs, milliseconds(tended.wait));
  self.out().put(LimiterStaging::kLeftMs, milliseconds(tended.left));
  return number(env, 0);
}

// told(): what has happened to a waiter of this thread: kToldUnit * waiter + the Outcome;
// 0: nothing more; kForgotten - waiter: it was served, and gave it back for want of memory. The staging gets retryAfterMs
// and the refusal.
napi_value told(napi_env env, napi_callback_info info) {
  auto& self = attachment<LimiterAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const LimiterWaiters::Told told = self.told();
  self.out().put(LimiterStaging::kRetryAfterMs, milliseconds(told.wait));
  self.out().put(LimiterStaging::kTier, static_cast<double>(answer_of(told.refusal)));
  self.put_receipt(told.receipt);
  if (told.outcome == LimiterWaiters::Told::kNothing && told.cost != 0)
    return number(env, kForgotten - static_cast<std::int32_t>(told.waiter));
  return number(env, static_cast<std::int32_t>(kToldUnit * told.waiter + told.outcome));
}

// leave(waiter)
napi_value leave(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (!call.self->detached() && call.self->is_waiter(call.number))
    call.self->leave(static_cast<std::uint32_t>(call.number));
  return nullptr;
}

// onServed(callback): 1
napi_value on_served(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  auto& self = attachment<LimiterAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  self.on_served(env, arguments[0]);
  return number(env, 1);
}

// keepAlive(alive)
napi_value keep_alive(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (!call.self->detached()) call.self->keep_loop_alive(call.number != 0);
  return nullptr;
}

// penalize(points, key?): 1
napi_value penalize(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  LimiterAttachment& self = *call.self;
  if (self.detached()) return number(env, kDisposed);
  if (!call.sound()) return number(env, kBadArgument);
  self.limiter().penalize(self.line(), self.clock(), self.clock().now(), call.cost(), call.key);
  return number(env, 1);
}

// reward(points, key?): 1
napi_value reward(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.self->detached()) return number(env, kDisposed);
  if (!call.sound()) return number(env, kBadArgument);
  call.limiter().reward(call.self->line(), call.self->clock().now(), call.cost(), call.key);
  call.self->given_back(call.key);
  return number(env, 1);
}

// refund(cost, key?), with the receipt of what charged that in staging: 1
napi_value refund(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  LimiterAttachment& self = *call.self;
  if (self.detached()) return number(env, kDisposed);
  if (!call.sound()) return number(env, kBadArgument);
  self.limiter().refund(self.line(), self.clock().now(), self.receipt(), call.cost(), call.key);
  self.given_back(call.key);
  return number(env, 1);
}

// reset(0, key?): 1
napi_value reset(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.self->detached()) return number(env, kDisposed);
  if (!call.key_fits()) return number(env, kBadArgument);
  call.limiter().reset(call.self->line(), call.key);
  call.self->given_back(call.key);
  return number(env, 1);
}

// block(ns, key?): 1, or 0 if the key is a guest and cannot stay
napi_value block(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  LimiterAttachment& self = *call.self;
  if (self.detached()) return number(env, kDisposed);
  if (!call.key_fits()) return number(env, kBadArgument);
  const bool placed = self.limiter().block(self.line(), self.clock().now(), call.cost(), call.key);
  if (self.waiting() != 0) self.review();
  return number(env, placed ? 1 : 0);
}

// overload(ns): 1
napi_value overload(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.self->detached()) return number(env, kDisposed);
  call.limiter().overload(call.self->line(), call.self->clock().now(), call.cost());
  return number(env, 1);
}

// Whether a figure stays as it is, or becomes one of `least` to `most`.
bool may_become(double value, double least, double most) {
  return std::isnan(value) || within(value, least, most);
}

// configure({ ratePerSecond, burst, warmUpMs, windows: [{ limit, windowMs }], max, enforce }): 1. NaN: stays as it is.
napi_value configure(napi_env env, napi_callback_info info) {
  const Napi::CallbackInfo call(env, info);
  auto& self = attachment<LimiterAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  // Kept: a getter that a program has smuggled into the list of windows may dispose of this object.
  const std::shared_ptr<SharedLimiter> shared = self.shared();
  const LimiterConfig& made = shared->config;
  const auto given = call[0].As<Napi::Object>();
  const double rate = f64(given, "ratePerSecond"), burst = f64(given, "burst"),
               warm_up_ms = f64(given, "warmUpMs"), max = f64(given, "max"), enforce = f64(given, "enforce");
  const Napi::Object windows = nested(given, "windows");
  bool sound = may_become(rate, kTokenRateMin, kTokenRateMax) && may_become(burst, 1, kCostMax) &&
               may_become(warm_up_ms, 0, kDayMs) && may_become(max, 1, kCostMax);
  double limits[kWindowsMax], lengths_ms[kWindowsMax];
  for (std::uint32_t i = 0; i < made.window_count; ++i) {
    const Napi::Object window = nested(windows, std::to_string(i).c_str());
    limits[i] = window.IsEmpty() ? std::nan("") : f64(window, "limit");
    lengths_ms[i] = window.IsEmpty() ? std::nan("") : f64(window, "windowMs");
    const WindowConfig& as_made = made.windows[i];
    const std::uint64_t limit_max = as_made.exact ? as_made.log_capacity : kWindowLimitMax;
    sound &= may_become(limits[i], 1, static_cast<double>(limit_max)) &&
             may_become(lengths_ms[i], 1, kWindowMsMax) &&
             (as_made.every == Every::kNone || std::isnan(lengths_ms[i]));
  }
  if (!intact(given)) return nullptr;
  if (self.detached()) return number(env, kDisposed);
  if (!sound) return number(env, kBadArgument);
  const auto set = [](double value, std::uint64_t& figure) {
    if (!std::isnan(value)) figure = static_cast<std::uint64_t>(value);
  };
  self.limiter().configure(self.clock(), [&](LimiterConfig& config, std::uint64_t now) {
    if (!std::isnan(rate) || !std::isnan(warm_up_ms)) config.bucket.origin = now;
    if (!std::isnan(rate)) {
      config.bucket.per_second = rate;
      config.bucket.rate = TokenRate::per_second(rate);
    }
    if (!std::isnan(warm_up_ms)) {
      config.bucket.warm_up_ns = static_cast<std::uint64_t>(warm_up_ms * 1e6);
      config.bucket.warm_up_from = now;
    }
    if (!std::isnan(enforce)) config.enforce = enforce != 0;
    set(burst, config.bucket.burst);
    for (std::uint32_t i = 0; i < config.window_count; ++i) {
      SlidingWindowConfig& window = config.windows[i].sliding;
      set(limits[i], window.limit);
      if (!std::isnan(lengths_ms[i])) window.bucket_ns = bucket_ns(lengths_ms[i], window.buckets);
    }
    set(max, config.depth_max);
  });
  self.review();
  return number(env, 1);
}

napi_value stats(napi_env env, napi_callback_info info) {
  auto& self = attachment<LimiterAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  ThreadSlots& lines = self.limiter().lines();
  const LimiterConfig& config = self.limiter().config();
  const std::uint64_t in_flight = config.depth_of_queue ? self.queue_depth() : self.limiter().in_flight();
  Napi::Object result = Napi::Object::New(env);
  const auto set = [&result](const char* name, std::uint64_t value) {
    put(result, name, static_cast<double>(value));
  };
  set("allowed", lines.sum(Limiter::kAllowed));
  set("tokenBucket", lines.sum(Limiter::kByTokenBucket));
  set("slidingWindow", lines.sum(Limiter::kBySlidingWindow));
  set("queueDepth", lines.sum(Limiter::kByQueueDepth));
  set("blocked", lines.sum(Limiter::kByBlock));
  set("waitingLine", lines.sum(Limiter::kByLine));
  set("waiting", self.waiting());
  set("adaptive", lines.sum(Limiter::kByAdaptive));
  set("dryRefusals", lines.sum(Limiter::kDryRefusals));
  set("overflowed", lines.sum(Limiter::kOverflowed));
  set("places", lines.sum(Limiter::kPlaces));
  set("evicted", lines.sum(Limiter::kEvicted));
  set("forgotten", lines.sum(Limiter::kForgotten));
  set("bytes", self.shared()->segment.bytes());
  set("inFlight", in_flight);
  return result;
}

// limits(): { ratePerSecond?, burst?, windows: [{ limit, windowMs }], max? } as they are now
napi_value limits(napi_env env, napi_callback_info info) {
  auto& self = attachment<LimiterAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const LimiterConfig config = self.limiter().current_config(self.line());
  Napi::Object result = Napi::Object::New(env);
  if (config.has_bucket) {
    put(result, "ratePerSecond", config.bucket.per_second);
    put(result, "burst", static_cast<double>(config.bucket.burst));
  }
  Napi::Array windows = Napi::Array::New(env);
  for (std::uint32_t i = 0; i < config.window_count; ++i) {
    const SlidingWindowConfig& sliding = config.windows[i].sliding;
    Napi::Object window = Napi::Object::New(env);
    put(window, "limit", static_cast<double>(sliding.limit));
    if (config.windows[i].every == Every::kNone) {
      put(window, "windowMs", static_cast<double>(sliding.bucket_ns * sliding.buckets) / 1e6);
    }
    put(windows, i, window);
  }
  put(result, "windows", windows);
  if (config.has_depth) put(result, "max", static_cast<double>(config.depth_max));
  return result;
}

napi_value dispose(napi_env env, napi_callback_info info) {
  attachment<LimiterAttachment>(env, info).detach();
  return nullptr;
}

constexpr HotFunction kLimiterFunctions[] = {
    {"allow", allow},
    {"tryAcquire", try_acquire},
    {"peek", peek},
    {"rooms", rooms},
    {"release", release},
    {"penalize", penalize},
    {"reward", reward},
    {"refund", refund},
    {"reset", reset},
    {"block", block},
    {"overload", overload},
    {"acquire", acquire},
    {"tend", tend},
    {"told", told},
    {"leave", leave},
    {"onServed", guarded<on_served>},
    {"keepAlive", keep_alive},
    {"configure", guarded<configure>},
    {"stats", stats},
    {"limits", limits},
    {"dispose", dispose},
};

}  // namespace

napi_value limiter_object(napi_env env, LimiterAttachment* attachment) {
  return hot_object(env, attachment, {kLimiterFunctions});
}

}  // namespace sluice
