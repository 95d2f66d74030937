#include "addon/limiter_attachment.h"

#include "addon/limiter_functions.h"
#include "addon/objects.h"
#include "addon/random.h"

namespace sluice {

LimiterAttachment::LimiterAttachment(Environment& environment, std::shared_ptr<SharedLimiter> shared,
                                     ThreadSlot* line)
    : Attachment(environment),
      shared_(std::move(shared)),
      limiter_(shared_->view()),
      line_of_waiters_(limiter_, shared_->line_memory(), shared_->config.waiting_max),
      line_(line),
      clock_(shared_->time.clock()),
      owner_{Registry::instance().next_number()},
      queue_(shared_->queue == nullptr ? nullptr : std::make_unique<Queue>(shared_->queue->view())),
      watched_(shared_->watched == nullptr ? nullptr : std::make_unique<Queue>(shared_->watched->view())) {
  if (line_->users == 1) limiter_.overload(*line_, 0, 0);  // what an earlier owner of the line left
  if (watched_ != nullptr) {
    limiter_.watch_with(QueueWatch(shared_->watch_memory(), *watched_, shared_->config.watch));
  }
}

LimiterAttachment* LimiterAttachment::make(Environment& environment, std::shared_ptr<SharedLimiter> shared) {
  return made_with_line(shared->view().lines(), environment,
                        [&](ThreadSlot* line) { return new LimiterAttachment(environment, shared, line); });
}

void LimiterAttachment::on_detach() {
  // Also those whose thread was stopped before it could listen.
  if (waits_) {
    serve([this](const LimiterWaiters::Asking& asking, std::uint64_t now) {
      line_of_waiters_.abandon(asking, now, owner_);
    });
  }
  drop_bell();
  // Nobody can release these decisions any more.
  for (const auto& [key, cost] : held_) release(cost, key == Key{} ? nullptr : &key);
  held_.clear();
  limiter_.lines().release(line_);
  out_.release(environment_.env());
  queue_.reset();
  watched_.reset();
  shared_.reset();
}

template <class Act>
void LimiterAttachment::serve(Act&& act) {
  for (bool more = true; more;) {
    LimiterWaiters::Woken woken;
    act(LimiterWaiters::Asking{*line_, clock_, queue_depth(), woken}, clock_.now());
    more = woken.full();
    shared_->wake(woken);
  }
}

bool LimiterAttachment::release(std::uint64_t cost, const Key* key) {
  if (!limiter_.release(*line_, cost, key)) return false;
  given_back(key);
  return true;
}

bool LimiterAttachment::hold(std::uint64_t cost, const Key* key) noexcept {
  const LimiterConfig& config = shared_->config;
  if (!config.has_depth || config.depth_of_queue || cost == 0) return true;
  try {
    held_[key == nullptr ? Key{} : *key] += cost;
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void LimiterAttachment::let_go(std::uint64_t cost, const Key* key) {
  const auto found = held_.find(key == nullptr ? Key{} : *key);
  if (found == held_.end()) return;
  if (found->second > cost) {
    found->second -= cost;
  } else {
    held_.erase(found);
  }
}

void LimiterAttachment::given_back(const Key* key) {
  if (shared_->config.waiting_max == 0) return;
  serve([this, key](const LimiterWaiters::Asking& asking, std::uint64_t now) {
    line_of_waiters_.given_back(asking, now, key);
  });
}

LimiterWaiters::Joined LimiterAttachment::join(std::uint64_t cost, std::uint64_t patience_ns,
                                               const Key* key) {
  LimiterWaiters::Woken woken;
  const std::uint64_t now = clock_.now();
  const auto joined =
      line_of_waiters_.join({*line_, clock_, queue_depth(), woken}, now, cost, patience_ns, owner_, key);
  out_.put(LimiterStaging::kNowMs, static_cast<double>(now) / 1e6);
  wake(woken, key);
  waits_ = waits_ || joined.waiter != LimiterWaiters::kNone;
  return joined;
}

LimiterWaiters::Tended LimiterAttachment::tend(std::uint32_t waiter) {
  LimiterWaiters::Woken woken;
  const std::uint64_t now = clock_.now();
  const auto tended = line_of_waiters_.tend({*line_, clock_, queue_depth(), woken}, now, waiter);
  out_.put(LimiterStaging::kNowMs, static_cast<double>(now) / 1e6);
  wake(woken, &tended.key);
  return tended;
}

LimiterWaiters::Told LimiterAttachment::told() {
  auto told = line_of_waiters_.told(owner_);
  if (told.outcome != LimiterWaiters::Told::kServed || hold(told.cost, &told.key)) return told;
  const Key* key = told.key == Key{} ? nullptr : &told.key;
  limiter_.refund(*line_, clock_.now(), told.receipt, told.cost, key);
  release(told.cost, key);
  told.outcome = LimiterWaiters::Told::kNothing;
  return told;
}

void LimiterAttachment::review() {
  if (shared_->config.waiting_max == 0) return;
  for (std::uint32_t next = 0; next < shared_->config.waiting_max;) {
    LimiterWaiters::Woken woken;
    next = line_of_waiters_.review({*line_, clock_, queue_depth(), woken}, clock_.now(), next);
    shared_->wake(woken);
  }
}

void LimiterAttachment::leave(std::uint32_t waiter) {
  LimiterWaiters::Woken woken;
  const Key key = line_of_waiters_.leave({*line_, clock_, queue_depth(), woken}, clock_.now(), waiter);
  wake(woken, &key);
}

void LimiterAttachment::wake(const LimiterWaiters::Woken& woken, const Key* key) {
  shared_->wake(woken);
  if (woken.full()) given_back(key == nullptr || *key == Key{} ? nullptr : key);
}

void LimiterAttachment::on_served(napi_env env, napi_value callback) {
  if (bell_ != nullptr) return;
  const auto on_ring = [](void* data) {
    auto* self = static_cast<LimiterAttachment*>(data);
    self->served_.call(self->environment_.env());
  };
  bell_ = std::make_unique<Bell>();
  try {
    shared_->bells.add(owner_.number, bell_.get());
    if (shared_->time.manual != nullptr) shared_->time.manual->listen(bell_.get());
    served_.open(environment_, *bell_, on_ring, this);
  } catch (...) {
    drop_bell();
    throw;
  }
  served_.set_callback(env, callback);
}

void LimiterAttachment::drop_bell() {
  if (bell_ == nullptr) return;
  shared_->bells.remove(owner_.number);
  if (shared_->time.manual != nullptr) shared_->time.manual->ignore(bell_.get());
  served_.drop_callback(environment_.env());
  served_.close(environment_, *bell_);
  bell_.reset();
}

const Key* LimiterAttachment::key(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  if (type == napi_string) {
    std::size_t length = 0;
    napi_get_value_string_utf16(env, value, text_, std::size(text_), &length);
    key_ = limiter_.key(KeyKind::kString, text_, length * sizeof(char16_t));
  } else if (type == napi_number) {
    double number = 0;
    napi_get_value_double(env, value, &number);
    if (number == 0) number = 0;  // -0 is 0
    key_ = limiter_.key(KeyKind::kNumber, &number, sizeof number);
  } else if (type == napi_bigint) {
    // The sign, then the digits.
    std::size_t count = std::size(words_) - 1;
    int negative = 0;
    napi_get_value_bigint_words(env, value, &negative, &count, words_ + 1);
    words_[0] = static_cast<std::uint64_t>(negative);
    count = std::min(count, std::size(words_) - 1);  // it is told how many there are
    key_ = limiter_.key(KeyKind::kBigint, words_, (count + 1) * sizeof words_[0]);
  } else {
    return nullptr;
  }
  return &key_;
}

namespace {

// Of each window what configure() cannot change.
Napi::Array fixed_windows(Napi::Env env, const SharedLimiter& shared) {
  const LimiterConfig& config = shared.config;
  Napi::Array windows = Napi::Array::New(env);
  for (std::uint32_t i = 0; i < config.window_count; ++i) {
    Napi::Object window = Napi::Object::New(env);
    put(window, "logCapacity", static_cast<double>(config.windows[i].log_capacity));
    put(window, "every", static_cast<double>(config.windows[i].every));
    put(window, "timeZone", shared.time_zones[i]);
    put(windows, i, window);
  }
  return windows;
}

Napi::Value attach(Napi::Env env, const std::shared_ptr<SharedLimiter>& shared, const Napi::Value& out) {
  LimiterAttachment* attached = LimiterAttachment::make(Environment::of(env), shared);
  if (attached == nullptr) return Napi::String::New(env, kTooManyThreads);
  if (!attached->stage(env, out)) {
    attached->detach();
    delete attached;
    return Napi::String::New(env, kBadStaging);
  }
  Napi::Object object(env, limiter_object(env, attached));
  put(object, "handle", handle_of(env, *shared));
  put(object, "attachment", Napi::External<LimiterAttachment>::New(env, attached));
  // What is fixed at creation.
  const LimiterConfig& config = shared->config;
  put(object, "keyed", config.keys_max != 0);
  put(object, "hasBucket", config.has_bucket);
  put(object, "hasDepth", config.has_depth);
  put(object, "maxEventLoopDelayMs", shared->max_loop_delay_ms);
  put(object, "adaptiveIntervalMs", shared->adaptive_interval_ms);
  put(object, "followsQueue", config.depth_of_queue);
  put(object, "manualClock", shared->time.manual != nullptr);
  put(object, "windows", fixed_windows(env, *shared));
  return object;
}

// A sign that is not watched for has 0.
bool sound_adaptive(const SharedLimiter& limiter, double max_queue_wait_ms) {
  const double max_delay_ms = limiter.max_loop_delay_ms;
  return (max_delay_ms == 0 || within(max_delay_ms, kLoopDelayMsMin, kLoopDelayMsMax)) &&
         within(limiter.adaptive_interval_ms, kAdaptiveMsMin, kAdaptiveMsMax) &&
         (limiter.watched == nullptr || within(max_queue_wait_ms, kQueueWaitMsMin, kQueueWaitMsMax));
}

// A calendar window of { limit, every, timeZone, zone: [ms, offset in ms, ...] }. False: out of range.
bool read_calendar_window(const Napi::Object& given, WindowConfig& window, std::string& time_zone,
                          std::vector<ZoneChange>& changes) {
  const std::uint32_t every = u32(given, "every");  // which a getter may tell otherwise than before
  const Napi::Object zone = nested(given, "zone");
  const Napi::Value name = get(given, "timeZone");
  const std::uint32_t count = u32(zone, "length") / 2;
  window.sliding.limit = u64(given, "limit");
  if (!within<std::uint64_t>(window.sliding.limit, 1, kWindowLimitMax) ||
      !within(every, 1U, static_cast<std::uint32_t>(Every::kYear)) || !name.IsString() ||
      !within(count, 1U, kZoneChangesMax)) {
    return false;
  }
  window.every = static_cast<Every>(every);
  window.zone_changes = count;
  window.first_change = static_cast<std::uint32_t>(changes.size());
  time_zone = name.As<Napi::String>().Utf8Value();
  for (std::uint32_t i = 0; i < count; ++i) {
    const double at = f64(zone, std::to_string(2 * i).c_str()),
                 offset = f64(zone, std::to_string(2 * i + 1).c_str());
    if (!within(at, -kZoneTimeMsMax, kZoneTimeMsMax) || !within(offset, -kZoneOffsetMsMax, kZoneOffsetMsMax))
      return false;
    changes.push_back(
        {static_cast<std::int64_t>(at) * 1'000'000, static_cast<std::int64_t>(offset) * 1'000'000});
  }
  return true;
}

// A window of { limit, windowMs, buckets, exact }. False: out of range.
bool read_sliding_window(const Napi::Object& given, WindowConfig& window) {
  const double window_ms = f64(given, "windowMs");
  const std::uint64_t limit = u64(given, "limit");
  const std::uint32_t buckets = u32(given, "buckets");
  window.exact = u32(given, "exact") != 0;
  if (!within<std::uint64_t>(limit, 1, window.exact ? kLogLimitMax : kWindowLimitMax) ||
      !within(window_ms, 1.0, kWindowMsMax) || !within(buckets, 1U, kWindowBucketsMax)) {
    return false;
  }
  window.sliding = {limit, bucket_ns(window_ms, buckets), buckets};
  if (window.exact) window.log_capacity = limit;
  return true;
}

// createLimiter({ tokenBucket?: { ratePerSecond, burst, warmUpMs }, windows: see above, queueDepth?: { max, queue?: handle },
//                 adaptive?: { maxEventLoopDelayMs, queue?: handle, maxQueueWaitMs, intervalMs }, keysMax, maxWaiting,
//                 maxWaitingPerKey, enforce, commit, clock? }, staging)
Napi::Value create_limiter(const Napi::CallbackInfo& info) {
  const auto options = info[0].As<Napi::Object>();
  auto shared = std::make_shared<SharedLimiter>();
  LimiterConfig& config = shared->config;
  if (!clock_option(options, shared->time)) return Napi::String::New(info.Env(), kDeadHandle);
  const auto bucket = nested(options, "tokenBucket"), windows = nested(options, "windows"),
             depth = nested(options, "queueDepth"), depth_queue = nested(depth, "queue"),
             adaptive = nested(options, "adaptive"), watched_queue = nested(adaptive, "queue");
  const double rate = f64(bucket, "ratePerSecond"), warm_up_ms = f64(bucket, "warmUpMs");
  const std::uint64_t burst = u64(bucket, "burst");
  config.window_count = std::min(u32(windows, "length"), kWindowsMax);
  config.is_manual = shared->time.manual != nullptr;
  bool sound_windows = true;
  std::vector<ZoneChange> changes;
  for (std::uint32_t i = 0; i < config.window_count; ++i) {
    const Napi::Object window = nested(windows, std::to_string(i).c_str());
    sound_windows &= u32(window, "every") == 0
                         ? read_sliding_window(window, config.windows[i])
                         : read_calendar_window(window, config.windows[i], shared->time_zones[i], changes);
  }
  config.depth_max = u64(depth, "max");
  config.keys_max = u64(options, "keysMax");
  config.waiting_max = u32(options, "maxWaiting");
  config.waiting_per_key = u32(options, "maxWaitingPerKey");
  config.enforce = u32(options, "enforce") != 0;
  const bool commit = flag(options, "commit");
  const double max_queue_wait_ms = f64(adaptive, "maxQueueWaitMs");
  if (!adaptive.IsEmpty()) {
    shared->max_loop_delay_ms = f64(adaptive, "maxEventLoopDelayMs");
    shared->adaptive_interval_ms = f64(adaptive, "intervalMs");
    config.watch = {nanoseconds(max_queue_wait_ms), nanoseconds(shared->adaptive_interval_ms)};
  }
  if (!depth_queue.IsEmpty()) shared->queue = find_handle<SharedQueue>(ObjectKind::kQueue, depth_queue);
  if (!watched_queue.IsEmpty()) {
    shared->watched = find_handle<SharedQueue>(ObjectKind::kQueue, watched_queue);
  }
  if (!intact(options)) return {};
  if ((!depth_queue.IsEmpty() && shared->queue == nullptr) ||
      (!watched_queue.IsEmpty() && shared->watched == nullptr)) {
    return Napi::String::New(info.Env(), kDeadHandle);
  }
  const bool sound =
      (bucket.IsEmpty() || (within(rate, kTokenRateMin, kTokenRateMax) &&
                            within<std::uint64_t>(burst, 1, kCostMax) && within(warm_up_ms, 0.0, kDayMs))) &&
      sound_windows && (depth.IsEmpty() || within<std::uint64_t>(config.depth_max, 1, kCostMax)) &&
      (adaptive.IsEmpty() || sound_adaptive(*shared, max_queue_wait_ms)) && config.keys_max <= kKeysMax &&
      config.waiting_max <= kWaitersMax;
  if (!sound) return Napi::String::New(info.Env(), kBadRange);
  if (!bucket.IsEmpty()) {
    config.has_bucket = true;
    config.bucket.per_second = rate;
    config.bucket.rate = TokenRate::per_second(rate);
    config.bucket.burst = burst;
    config.bucket.warm_up_ns = nanoseconds(warm_up_ms);
  }
  config.has_depth = !depth.IsEmpty();
  config.depth_of_queue = shared->queue != nullptr;
  shared->segment = Segment::create(SegmentKind::kLimiter, 0, shared->bytes(), commit);
  if (!shared->segment) return Napi::String::New(info.Env(), kNoMemory);
  Limiter view = shared->view();
  view.format(config, shared->time.clock().now(), random_secret());
  std::copy(changes.begin(), changes.end(), view.zone_changes());
  LimiterWaiters(view, shared->line_memory(), config.waiting_max).format();
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
  put(exports, "createLimiter", Napi::Function::New(env, guarded<create_limiter>));
  put(exports, "attachLimiter", Napi::Function::New(env, guarded<attach_limiter>));
}

}  // namespace sluice
