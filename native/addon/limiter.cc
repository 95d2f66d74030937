#include "addon/limiter.h"

#include <cmath>
#include <random>

#include "addon/objects.h"

namespace sluice {

void SharedLimiter::wake(const LimiterLine::Woken& woken) {
  if (woken.count == 0) return;
  const std::lock_guard<std::mutex> guard(bells_mutex_);
  for (std::uint32_t i = 0; i < woken.count; ++i) {
    const auto found = bells_.find(woken.owners[i]);
    if (found != bells_.end()) found->second->ring();
  }
}
void SharedLimiter::wake_all() {
  const std::lock_guard<std::mutex> guard(bells_mutex_);
  for (const auto& [attachment, bell] : bells_) bell->ring();
}
void SharedLimiter::add_bell(std::uint64_t attachment, Bell* bell) {
  const std::lock_guard<std::mutex> guard(bells_mutex_);
  bells_[attachment] = bell;
}
void SharedLimiter::remove_bell(std::uint64_t attachment) {
  const std::lock_guard<std::mutex> guard(bells_mutex_);
  bells_.erase(attachment);
}

LimiterAttachment::LimiterAttachment(Environment& environment, std::shared_ptr<SharedLimiter> shared,
                                     ThreadLine* line)
    : Attachment(environment),
      shared_(std::move(shared)),
      limiter_(shared_->view()),
      line_of_waiters_(limiter_, shared_->line_memory(), shared_->config.waiting_max),
      line_(line),
      clock_(shared_->time.clock()),
      number_(Registry::instance().next_attachment()),
      queue_(shared_->queue == nullptr ? nullptr : std::make_unique<Queue>(shared_->queue->view())) {
  limiter_.overload(*line_, 0, 0);  // what an earlier owner of the line left
}

LimiterAttachment* LimiterAttachment::make(Environment& environment, std::shared_ptr<SharedLimiter> shared) {
  ThreadLine* line = shared->view().lines().acquire();
  return line == nullptr ? nullptr : new LimiterAttachment(environment, std::move(shared), line);
}

void LimiterAttachment::on_detach() {
  if (bell_ != nullptr) {
    serve([this](const LimiterLine::Asking& asking, std::uint64_t now) {
      line_of_waiters_.abandon(asking, now, number_);
    });
    shared_->remove_bell(number_);
    if (shared_->time.manual != nullptr) shared_->time.manual->ignore(bell_.get());
  }
  if (listener_ != nullptr) {
    environment_.handle_closing();
    listener_->close(
        *bell_, [](void* data) { static_cast<Environment*>(data)->handle_closed(); }, &environment_);
    listener_ = nullptr;
  }
  if (callback_ != nullptr) napi_delete_reference(environment_.env(), callback_);
  callback_ = nullptr;
  limiter_.lines().release(line_);
  out_.release(environment_.env());
  queue_.reset();
  shared_.reset();
}

template <class Act>
void LimiterAttachment::serve(Act&& act) {
  for (bool more = true; more;) {
    LimiterLine::Woken woken;
    act(LimiterLine::Asking{*line_, clock_, queue_depth(), woken}, clock_.now());
    more = woken.full();
    shared_->wake(woken);
  }
}

bool LimiterAttachment::release(std::uint64_t cost, const Key* key) {
  if (!limiter_.release(*line_, cost, key)) return false;
  given_back(key);
  return true;
}

void LimiterAttachment::given_back(const Key* key) {
  if (shared_->config.waiting_max == 0) return;
  serve([this, key](const LimiterLine::Asking& asking, std::uint64_t now) {
    line_of_waiters_.given_back(asking, now, key);
  });
}

LimiterLine::Joined LimiterAttachment::join(std::uint64_t cost, std::uint64_t patience_ns, const Key* key) {
  LimiterLine::Woken woken;
  const auto joined = line_of_waiters_.join({*line_, clock_, queue_depth(), woken}, clock_.now(), cost,
                                            patience_ns, number_, key);
  shared_->wake(woken);
  return joined;
}

LimiterLine::Checked LimiterAttachment::check(std::uint32_t waiter) {
  LimiterLine::Woken woken;
  const auto checked = line_of_waiters_.check({*line_, clock_, queue_depth(), woken}, clock_.now(), waiter);
  shared_->wake(woken);
  return checked;
}

void LimiterAttachment::leave(std::uint32_t waiter) {
  LimiterLine::Woken woken;
  line_of_waiters_.leave({*line_, clock_, queue_depth(), woken}, clock_.now(), waiter);
  shared_->wake(woken);
}

bool LimiterAttachment::on_served(napi_env env, napi_value callback) {
  if (listener_ != nullptr) return true;
  auto bell = std::make_unique<Bell>();
  if (!bell->valid()) return false;
  listener_ = BellListener::open(
      environment_.loop(), *bell, [](void* data) { static_cast<LimiterAttachment*>(data)->served(); }, this);
  if (listener_ == nullptr) return false;
  bell_ = std::move(bell);
  napi_create_reference(env, callback, 1, &callback_);
  shared_->add_bell(number_, bell_.get());
  if (shared_->time.manual != nullptr) shared_->time.manual->listen(bell_.get());
  return true;
}

void LimiterAttachment::served() {
  napi_env env = environment_.env();
  napi_handle_scope scope = nullptr;
  if (callback_ == nullptr || napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value callback = nullptr, receiver = nullptr;
  if (napi_get_reference_value(env, callback_, &callback) == napi_ok &&
      napi_get_global(env, &receiver) == napi_ok &&
      napi_make_callback(env, nullptr, receiver, callback, 0, nullptr, nullptr) == napi_pending_exception) {
    napi_value error = nullptr;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

const Key* LimiterAttachment::key(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  if (type == napi_string) {
    std::size_t length = 0;
    const std::size_t room = std::size(short_text_);
    const char16_t* text = short_text_;
    napi_get_value_string_utf16(env, value, short_text_, room, &length);
    if (length == room - 1) {  // perhaps cut off
      napi_get_value_string_utf16(env, value, nullptr, 0, &length);
      if (long_text_.size() < length + 1) long_text_.resize(length + 1);
      napi_get_value_string_utf16(env, value, long_text_.data(), length + 1, &length);
      text = long_text_.data();
    }
    key_ = limiter_.key(KeyKind::kString, text, length * sizeof(char16_t));
  } else if (type == napi_number) {
    double number = 0;
    napi_get_value_double(env, value, &number);
    if (number == 0) number = 0;  // -0 is 0
    key_ = limiter_.key(KeyKind::kNumber, &number, sizeof number);
  } else if (type == napi_bigint) {
    std::size_t count = 0;
    napi_get_value_bigint_words(env, value, nullptr, &count, nullptr);
    std::vector<std::uint64_t> words(count + 1);
    int negative = 0;
    napi_get_value_bigint_words(env, value, &negative, &count, words.data() + 1);
    words[0] = static_cast<std::uint64_t>(negative);
    key_ = limiter_.key(KeyKind::kBigint, words.data(), words.size() * sizeof words[0]);
  } else {
    return nullptr;
  }
  return &key_;
}

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
  std::uint64_t cost() const { return static_cast<std::uint64_t>(number); }

  LimiterAttachment* self = nullptr;
  double number = 0;
  const Key* key = nullptr;
};

constexpr std::int32_t kDryRun = 32;  // added to the tier that would have refused

Limiter::Decision decide(const Call& call, std::uint64_t now) {
  LimiterAttachment& self = *call.self;
  return self.limiter().decide(self.line(), self.clock(), now, call.cost(), self.queue_depth(), call.key);
}

// allow(cost, key?): 1 or 0
napi_value allow(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.self->detached()) return number(env, kDisposed);
  return number(env, decide(call, call.self->clock().now()).refused_by == Tier::kNone ? 1 : 0);
}

// tryAcquire(cost, key?): 0 if allowed, else the tier; kDryRun + the tier if it was allowed all the same
napi_value try_acquire(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  LimiterAttachment& self = *call.self;
  if (self.detached()) return number(env, kDisposed);
  const std::uint64_t now = self.clock().now();
  const Limiter::Decision decision = decide(call, now);
  const Key* charged = decision.overflowed ? nullptr : call.key;
  const Limiter::Outlook outlook =
      self.limiter().peek(self.line(), now, call.cost(), self.queue_depth(), charged);
  self.out().put(LimiterAttachment::kRemaining, static_cast<double>(outlook.remaining));
  self.out().put(LimiterAttachment::kTightest, static_cast<double>(outlook.tightest));
  self.out().put(LimiterAttachment::kRetryAfterMs, milliseconds(outlook.retry_after));
  self.out().put(LimiterAttachment::kOverflowed, decision.overflowed ? 1.0 : 0.0);
  const auto tier = static_cast<std::int32_t>(decision.would_refuse);
  return number(env, tier != 0 && decision.refused_by == Tier::kNone ? kDryRun + tier : tier);
}

// peek(cost, key?): the tier that would refuse, or 0; staging as of tryAcquire
napi_value peek(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  LimiterAttachment& self = *call.self;
  if (self.detached()) return number(env, kDisposed);
  const Limiter::Outlook outlook =
      self.limiter().peek(self.line(), self.clock().now(), call.cost(), self.queue_depth(), call.key);
  self.out().put(LimiterAttachment::kRemaining, static_cast<double>(outlook.remaining));
  self.out().put(LimiterAttachment::kTightest, static_cast<double>(outlook.tightest));
  self.out().put(LimiterAttachment::kRetryAfterMs, milliseconds(outlook.retry_after));
  return number(env, static_cast<std::int32_t>(outlook.refused_by));
}

// release(cost, key?): 1, or 0 if that much was not in flight
napi_value release(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.self->detached()) return number(env, kDisposed);
  return number(env, call.self->release(call.cost(), call.key) ? 1 : 0);
}

// acquire(cost, key?), with the patience in staging: as tryAcquire; kWaits + the waiter if it is to wait, then
// staging gets retryAfterMs, after which check() may find it served
constexpr std::int32_t kWaits = 64;
napi_value acquire(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  LimiterAttachment& self = *call.self;
  if (self.detached()) return number(env, kDisposed);
  const double patience_ms = self.out().get<double>(LimiterAttachment::kPatienceMs);
  const std::uint64_t patience = patience_ms < 1e12 ? static_cast<std::uint64_t>(patience_ms * 1e6) : kNever;
  const LimiterLine::Joined joined = self.join(call.cost(), patience, call.key);
  self.out().put(LimiterAttachment::kRetryAfterMs, milliseconds(joined.wait));
  self.out().put(LimiterAttachment::kOverflowed, joined.decision.overflowed ? 1.0 : 0.0);
  if (joined.waiter != LimiterLine::kNone)
    return number(env, kWaits + static_cast<std::int32_t>(joined.waiter));
  const auto tier = static_cast<std::int32_t>(joined.decision.would_refuse);
  return number(env, tier != 0 && joined.decision.refused_by == Tier::kNone ? kDryRun + tier : tier);
}

// check(waiter): 0 served, 1 waiting, 2 its time is over; staging gets retryAfterMs, overflowed, tier
napi_value check(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  LimiterAttachment& self = *call.self;
  if (self.detached()) return number(env, kDisposed);
  const LimiterLine::Checked checked = self.check(static_cast<std::uint32_t>(call.number));
  self.out().put(LimiterAttachment::kRetryAfterMs, milliseconds(checked.wait));
  self.out().put(LimiterAttachment::kOverflowed, checked.overflowed ? 1.0 : 0.0);
  self.out().put(LimiterAttachment::kTier, static_cast<double>(checked.tier));
  return number(env, static_cast<std::int32_t>(checked.outcome));
}

// leave(waiter)
napi_value leave(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (!call.self->detached()) call.self->leave(static_cast<std::uint32_t>(call.number));
  return nullptr;
}

// onServed(callback): 1, or 0 if the loop has no room for it
napi_value on_served(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  std::size_t count = 1;
  napi_value callback = nullptr;
  napi_get_cb_info(env, info, &count, &callback, nullptr, &data);
  auto& self = *static_cast<LimiterAttachment*>(data);
  if (self.detached()) return number(env, kDisposed);
  return number(env, self.on_served(env, callback) ? 1 : 0);
}

// keepAlive(alive)
napi_value keep_alive(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (!call.self->detached()) call.self->keep_loop_alive(call.number != 0);
  return nullptr;
}

// penalize(points, key?): 1, or 0 if the key has no place
napi_value penalize(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  LimiterAttachment& self = *call.self;
  if (self.detached()) return number(env, kDisposed);
  const bool placed =
      self.limiter().penalize(self.line(), self.clock(), self.clock().now(), call.cost(), call.key);
  return number(env, placed ? 1 : 0);
}

// reward(points, key?): 1
napi_value reward(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.self->detached()) return number(env, kDisposed);
  call.limiter().reward(call.self->line(), call.self->clock().now(), call.cost(), call.key);
  call.self->given_back(call.key);
  return number(env, 1);
}

// reset(0, key?): 1
napi_value reset(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.self->detached()) return number(env, kDisposed);
  call.limiter().reset(call.self->line(), call.key);
  call.self->given_back(call.key);
  return number(env, 1);
}

// block(ns, key?): 1, or 0 if the key has no place
napi_value block(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  LimiterAttachment& self = *call.self;
  if (self.detached()) return number(env, kDisposed);
  const bool placed = self.limiter().block(self.line(), self.clock().now(), call.cost(), call.key);
  if (self.waiting() != 0) self.shared()->wake_all();
  return number(env, placed ? 1 : 0);
}

// overload(ns): 1
napi_value overload(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (call.self->detached()) return number(env, kDisposed);
  call.limiter().overload(call.self->line(), call.self->clock().now(), call.cost());
  return number(env, 1);
}

std::uint64_t bucket_ns(double window_ms, std::uint32_t buckets) {
  // Rounded up: a window that is a few nanoseconds too long is strict, one too short is not.
  return (static_cast<std::uint64_t>(window_ms * 1e6) + buckets - 1) / buckets;
}

// configure({ ratePerSecond, burst, warmUpMs, limit, windowMs, max, enforce }): 1. NaN: stays as it is.
napi_value configure(napi_env env, napi_callback_info info) {
  const Napi::CallbackInfo call(env, info);
  auto& self = attachment<LimiterAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const auto given = call[0].As<Napi::Object>();
  const double rate = f64(given, "ratePerSecond"), burst = f64(given, "burst"),
               warm_up_ms = f64(given, "warmUpMs"), limit = f64(given, "limit"),
               window_ms = f64(given, "windowMs"), max = f64(given, "max"), enforce = f64(given, "enforce");
  if (!intact(given)) return nullptr;
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
    if (!std::isnan(window_ms)) config.window.bucket_ns = bucket_ns(window_ms, config.window.buckets);
    if (!std::isnan(enforce)) config.enforce = enforce != 0;
    set(burst, config.bucket.burst);
    set(limit, config.window.limit);
    set(max, config.depth_max);
  });
  // Those who wait, in every thread, see for how long under the new limits.
  self.shared()->wake_all();
  return number(env, 1);
}

napi_value stats(napi_env env, napi_callback_info info) {
  auto& self = attachment<LimiterAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  ThreadLines& lines = self.limiter().lines();
  const LimiterConfig& config = self.limiter().config();
  const std::uint64_t in_flight = config.depth_of_queue ? self.queue_depth() : self.limiter().in_flight();
  Napi::Object result = Napi::Object::New(env);
  const auto set = [&result](const char* name, std::uint64_t value) {
    result.Set(name, static_cast<double>(value));
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
  set("bytes", self.shared()->segment.bytes());
  set("inFlight", in_flight);
  return result;
}

// limits(): { ratePerSecond?, burst?, limit?, windowMs?, max? } as they are now
napi_value limits(napi_env env, napi_callback_info info) {
  auto& self = attachment<LimiterAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const LimiterConfig config = self.limiter().current_config(self.line());
  Napi::Object result = Napi::Object::New(env);
  if (config.has_bucket) {
    result.Set("ratePerSecond", config.bucket.per_second);
    result.Set("burst", static_cast<double>(config.bucket.burst));
  }
  if (config.has_window) {
    result.Set("limit", static_cast<double>(config.window.limit));
    result.Set("windowMs", static_cast<double>(config.window.bucket_ns * config.window.buckets) / 1e6);
  }
  if (config.has_depth) result.Set("max", static_cast<double>(config.depth_max));
  return result;
}

napi_value dispose(napi_env env, napi_callback_info info) {
  attachment<LimiterAttachment>(env, info).detach();
  return nullptr;
}

constexpr HotFunction kLimiterFunctions[] = {
    {"allow", allow},        {"tryAcquire", try_acquire}, {"peek", peek},           {"release", release},
    {"penalize", penalize},  {"reward", reward},          {"reset", reset},         {"block", block},
    {"overload", overload},  {"acquire", acquire},        {"check", check},         {"leave", leave},
    {"onServed", on_served}, {"keepAlive", keep_alive},   {"configure", configure}, {"stats", stats},
    {"limits", limits},      {"dispose", dispose},
};

Napi::Value attach(Napi::Env env, const std::shared_ptr<SharedLimiter>& shared, const Napi::Value& out) {
  LimiterAttachment* attached = LimiterAttachment::make(Environment::of(env), shared);
  if (attached == nullptr) return Napi::String::New(env, kTooManyThreads);
  attached->stage(env, out);
  Napi::Object object(env, hot_object(env, attached, kLimiterFunctions));
  object.Set("handle", handle_of(env, *shared));
  object.Set("attachment", Napi::External<LimiterAttachment>::New(env, attached));
  // What is fixed at creation.
  const LimiterConfig& config = shared->config;
  object.Set("keyed", config.keys_max != 0);
  object.Set("hasBucket", config.has_bucket);
  object.Set("hasWindow", config.has_window);
  object.Set("hasDepth", config.has_depth);
  object.Set("maxEventLoopDelayMs", shared->max_loop_delay_ms);
  object.Set("adaptiveIntervalMs", shared->adaptive_interval_ms);
  object.Set("followsQueue", config.depth_of_queue);
  object.Set("manualClock", shared->time.manual != nullptr);
  object.Set("logCapacity", static_cast<double>(config.log_capacity));
  return object;
}

// createLimiter({ tokenBucket?: { ratePerSecond, burst, warmUpMs }, slidingWindow?: { limit, windowMs, buckets, exact },
//                 queueDepth?: { max, queue?: handle }, adaptive?: { maxEventLoopDelayMs, intervalMs }, keysMax,
//                 maxWaiting, enforce, clock? }, staging)
Napi::Value create_limiter(const Napi::CallbackInfo& info) {
  const auto options = info[0].As<Napi::Object>();
  auto shared = std::make_shared<SharedLimiter>();
  LimiterConfig& config = shared->config;
  if (!clock_option(options, shared->time)) return Napi::String::New(info.Env(), kDeadHandle);
  const auto bucket = nested(options, "tokenBucket"), window = nested(options, "slidingWindow"),
             depth = nested(options, "queueDepth"), depth_queue = nested(depth, "queue"),
             adaptive = nested(options, "adaptive");
  const double rate = f64(bucket, "ratePerSecond"), warm_up_ms = f64(bucket, "warmUpMs"),
               window_ms = f64(window, "windowMs");
  const std::uint64_t burst = u64(bucket, "burst"), limit = u64(window, "limit");
  const std::uint32_t buckets = u32(window, "buckets"), exact = u32(window, "exact");
  config.depth_max = u64(depth, "max");
  config.keys_max = u64(options, "keysMax");
  config.waiting_max = u32(options, "maxWaiting");
  config.enforce = u32(options, "enforce") != 0;
  if (!adaptive.IsEmpty()) {
    shared->max_loop_delay_ms = f64(adaptive, "maxEventLoopDelayMs");
    shared->adaptive_interval_ms = f64(adaptive, "intervalMs");
  }
  if (!depth_queue.IsEmpty()) shared->queue = find_handle<SharedQueue>(ObjectKind::kQueue, depth_queue);
  if (!intact(options)) return {};
  if (!depth_queue.IsEmpty() && shared->queue == nullptr) return Napi::String::New(info.Env(), kDeadHandle);
  if (!bucket.IsEmpty()) {
    config.has_bucket = true;
    config.bucket.per_second = rate;
    config.bucket.rate = TokenRate::per_second(rate);
    config.bucket.burst = burst;
    config.bucket.warm_up_ns = static_cast<std::uint64_t>(warm_up_ms * 1e6);
  }
  if (!window.IsEmpty()) {
    config.has_window = true;
    config.exact = exact != 0;
    config.window = {limit, bucket_ns(window_ms, buckets), buckets};
    if (config.exact) config.log_capacity = limit;
  }
  config.has_depth = !depth.IsEmpty();
  config.depth_of_queue = shared->queue != nullptr;
  shared->segment = Segment::create(SegmentKind::kLimiter, 0,
                                    shared->line_offset() + LimiterLine::bytes(config.waiting_max));
  if (!shared->segment) return Napi::String::New(info.Env(), kNoMemory);
  std::random_device random;
  const auto word = [&random] { return (static_cast<std::uint64_t>(random()) << 32) | random(); };
  shared->view().format(config, shared->time.clock().now(), KeySecret{{word(), word()}});
  Limiter view = shared->view();
  LimiterLine(view, shared->line_memory(), config.waiting_max).format();
  Registry::instance().add(shared);
  return attach(info.Env(), shared, info[1]);
}

// attachLimiter(handle, staging)
Napi::Value attach_limiter(const Napi::CallbackInfo& info) {
  const auto shared = find_handle<SharedLimiter>(ObjectKind::kLimiter, info[0]);
  if (shared == nullptr) return Napi::String::New(info.Env(), kDeadHandle);
  return attach(info.Env(), shared, info[1]);
}

}  // namespace

void export_limiter(Napi::Env env, Napi::Object exports) {
  exports.Set("createLimiter", Napi::Function::New(env, create_limiter));
  exports.Set("attachLimiter", Napi::Function::New(env, attach_limiter));
}

}  // namespace sluice
