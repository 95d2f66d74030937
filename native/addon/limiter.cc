#include "addon/limiter.h"

#include "addon/objects.h"

namespace sluice {

LimiterAttachment::LimiterAttachment(Environment& environment, std::shared_ptr<SharedLimiter> shared,
                                     ThreadLine* line)
    : Attachment(environment),
      shared_(std::move(shared)),
      limiter_(shared_->view()),
      line_(line),
      clock_(shared_->time.clock()),
      queue_(shared_->queue == nullptr ? nullptr : std::make_unique<Queue>(shared_->queue->view())) {}

LimiterAttachment* LimiterAttachment::make(Environment& environment, std::shared_ptr<SharedLimiter> shared) {
  ThreadLine* line = shared->view().lines().acquire();
  return line == nullptr ? nullptr : new LimiterAttachment(environment, std::move(shared), line);
}

void LimiterAttachment::on_detach() {
  limiter_.lines().release(line_);
  out_.release(environment_.env());
  queue_.reset();
  shared_.reset();
}

namespace {

Limiter::Decision decide(LimiterAttachment& self, std::uint64_t now, std::uint32_t cost) {
  return self.limiter().decide(self.line(), self.clock(), now, cost, self.queue_depth());
}

// allow(cost): 1 or 0
napi_value allow(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<LimiterAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  return number(env, decide(self, self.clock().now(), arguments[0]).refused_by == Tier::kNone ? 1 : 0);
}

// tryAcquire(cost): 0 if allowed, else the tier; staging gets [retryAfterMs, remaining]
napi_value try_acquire(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<LimiterAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  const std::uint64_t now = self.clock().now();
  const Limiter::Decision decision = decide(self, now, arguments[0]);
  if (decision.refused_by == Tier::kNone) {
    self.out().put(8, static_cast<double>(self.limiter().remaining(now, self.queue_depth())));
  } else {
    self.out().put(0, milliseconds(self.limiter().retry_after(now, arguments[0])));
  }
  return number(env, static_cast<std::int32_t>(decision.refused_by));
}

// release(cost): 1, or 0 if that much was not in flight
napi_value release(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<LimiterAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  return number(env, self.limiter().release(arguments[0]) ? 1 : 0);
}

napi_value stats(napi_env env, napi_callback_info info) {
  auto& self = attachment<LimiterAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  ThreadLines& lines = self.limiter().lines();
  const LimiterConfig& config = self.limiter().config();
  const std::uint64_t in_flight = config.depth_of_queue ? self.queue_depth() : self.limiter().in_flight();
  Napi::Object result = Napi::Object::New(env);
  result.Set("allowed", static_cast<double>(lines.sum(Limiter::kAllowed)));
  result.Set("tokenBucket", static_cast<double>(lines.sum(Limiter::kByTokenBucket)));
  result.Set("slidingWindow", static_cast<double>(lines.sum(Limiter::kBySlidingWindow)));
  result.Set("queueDepth", static_cast<double>(lines.sum(Limiter::kByQueueDepth)));
  result.Set("inFlight", static_cast<double>(in_flight));
  return result;
}

napi_value dispose(napi_env env, napi_callback_info info) {
  attachment<LimiterAttachment>(env, info).detach();
  return nullptr;
}

constexpr HotFunction kLimiterFunctions[] = {
    {"allow", allow}, {"tryAcquire", try_acquire}, {"release", release},
    {"stats", stats}, {"dispose", dispose},
};

Napi::Value attach(Napi::Env env, const std::shared_ptr<SharedLimiter>& shared, const Napi::Value& out) {
  LimiterAttachment* attached = LimiterAttachment::make(Environment::of(env), shared);
  if (attached == nullptr) return Napi::String::New(env, kTooManyThreads);
  attached->stage(env, out);
  Napi::Object object(env, hot_object(env, attached, kLimiterFunctions));
  object.Set("handle", handle_of(env, *shared));
  object.Set("attachment", Napi::External<LimiterAttachment>::New(env, attached));
  return object;
}

// createLimiter({ tokenBucket?: { ratePerSecond, burst }, slidingWindow?: { limit, windowMs, buckets },
//                 queueDepth?: { max, queue?: handle }, clock? }, staging)
Napi::Value create_limiter(const Napi::CallbackInfo& info) {
  const auto options = info[0].As<Napi::Object>();
  auto shared = std::make_shared<SharedLimiter>();
  LimiterConfig& config = shared->config;
  if (!clock_option(options, shared->time)) return Napi::String::New(info.Env(), kDeadHandle);
  const auto bucket = nested(options, "tokenBucket"), window = nested(options, "slidingWindow"),
             depth = nested(options, "queueDepth"), depth_queue = nested(depth, "queue");
  const double rate = f64(bucket, "ratePerSecond"), window_ms = f64(window, "windowMs");
  const std::uint64_t burst = u64(bucket, "burst"), limit = u64(window, "limit"),
                      depth_max = u64(depth, "max");
  const std::uint32_t buckets = u32(window, "buckets");
  if (!depth_queue.IsEmpty()) shared->queue = find_handle<SharedQueue>(ObjectKind::kQueue, depth_queue);
  if (!intact(options)) return {};
  if (!depth_queue.IsEmpty() && shared->queue == nullptr) return Napi::String::New(info.Env(), kDeadHandle);
  if (!bucket.IsEmpty()) {
    config.has_bucket = true;
    config.bucket = {TokenRate::per_second(rate), burst};
  }
  if (!window.IsEmpty()) {
    config.has_window = true;
    // Rounded up: a window that is a few nanoseconds too long is strict, one too short is not.
    config.window = {limit, (static_cast<std::uint64_t>(window_ms * 1e6) + buckets - 1) / buckets, buckets};
  }
  config.has_depth = !depth.IsEmpty();
  config.depth_max = depth_max;
  config.depth_of_queue = shared->queue != nullptr;
  shared->segment = Segment::create(SegmentKind::kLimiter, 0, Limiter::bytes(config));
  if (!shared->segment) return Napi::String::New(info.Env(), kNoMemory);
  shared->view().format(config, shared->time.clock().now());
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
