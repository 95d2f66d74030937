#include "addon/limiter_options.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "addon/objects.h"
#include "contract/limits.h"
#include "contract/reasons.h"

namespace sluice {

namespace {

// Reads a calendar window. False: out of range.
bool read_calendar_window(const Napi::Object& given, std::uint32_t number, LimiterDescription& to) {
  WindowConfig& window = to.config.windows[number];
  // A getter may return another value here than to read_windows().
  const std::uint32_t every = u32(given, "every");
  const Napi::Object zone = nested(given, "zone");
  const Napi::Value name = get(given, "timeZone");
  const std::uint32_t count = u32(zone, "length") / 2;
  window.sliding.limit = u64(given, "limit");
  if (!within<std::uint64_t>(window.sliding.limit, 1, kWindowLimitMax) ||
      !within(every, 1U, static_cast<std::uint32_t>(Every::kYear)) || !name.IsString() ||
      !within(count, 1U, kZoneChangesMax) ||
      !to.notes.name_time_zone(number, name.As<Napi::String>().Utf8Value())) {
    return false;
  }
  window.every = static_cast<Every>(every);
  window.zone_changes = count;
  window.first_change = static_cast<std::uint32_t>(to.zone_changes.size());
  for (std::uint32_t i = 0; i < count; ++i) {
    const double at = f64(zone, std::to_string(2 * i).c_str()),
                 offset = f64(zone, std::to_string(2 * i + 1).c_str());
    if (!within(at, -kZoneTimeMsMax, kZoneTimeMsMax) || !within(offset, -kZoneOffsetMsMax, kZoneOffsetMsMax))
      return false;
    to.zone_changes.push_back(
        {static_cast<std::int64_t>(at) * 1'000'000, static_cast<std::int64_t>(offset) * 1'000'000});
  }
  return true;
}

// Reads a sliding window, exact or of buckets. False: out of range.
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

bool read_windows(const Napi::Object& windows, LimiterDescription& to) {
  to.config.window_count = std::min(u32(windows, "length"), kWindowsMax);
  bool sound = true;
  for (std::uint32_t i = 0; i < to.config.window_count; ++i) {
    const Napi::Object window = nested(windows, std::to_string(i).c_str());
    sound &= u32(window, "every") == 0 ? read_sliding_window(window, to.config.windows[i])
                                       : read_calendar_window(window, i, to);
  }
  return sound;
}

// False: out of range.
bool read_bucket(const Napi::Object& bucket, LimiterConfig& to) {
  if (bucket.IsEmpty()) return true;
  const double rate = f64(bucket, "ratePerSecond"), warm_up_ms = f64(bucket, "warmUpMs");
  to.bucket.burst = u64(bucket, "burst");
  if (!within(rate, kTokenRateMin, kTokenRateMax) || !within(warm_up_ms, 0.0, kDayMs) ||
      !within<std::uint64_t>(to.bucket.burst, 1, kCostMax)) {
    return false;
  }
  to.has_bucket = true;
  to.bucket.per_second = rate;
  to.bucket.rate = TokenRate::per_second(rate);
  to.bucket.warm_up_ns = nanoseconds(warm_up_ms);
  return true;
}

// Finds the queue that a tier's options name as `queue`. False: the queue no longer exists.
bool find_queue(const Napi::Object& tier, std::shared_ptr<SharedQueue>& to) {
  const Napi::Object handle = nested(tier, "queue");
  if (handle.IsEmpty()) return true;
  to = find_handle<SharedQueue>(ObjectKind::kQueue, handle);
  return to != nullptr;
}

// Reads the adaptive tier. A `maxEventLoopDelayMs` of 0 means that it does not watch the event loop. False: out of
// range.
bool read_adaptive(const Napi::Object& adaptive, bool watches_queue, LimiterDescription& to) {
  if (adaptive.IsEmpty()) return true;
  const double queue_wait_ms = f64(adaptive, "maxQueueWaitMs");
  const double delay_ms = to.notes.max_loop_delay_ms = f64(adaptive, "maxEventLoopDelayMs");
  const double interval_ms = to.notes.adaptive_interval_ms = f64(adaptive, "intervalMs");
  to.config.watch = {nanoseconds(queue_wait_ms), nanoseconds(interval_ms)};
  return (delay_ms == 0 || within(delay_ms, kLoopDelayMsMin, kLoopDelayMsMax)) &&
         within(interval_ms, kAdaptiveMsMin, kAdaptiveMsMax) &&
         (!watches_queue || within(queue_wait_ms, kQueueWaitMsMin, kQueueWaitMsMax));
}

}  // namespace

const char* read_limiter(const Napi::Object& options, SharedLimiter& shared, LimiterDescription& to) {
  LimiterConfig& config = to.config;
  if (!clock_option(options, shared.time)) return kDeadHandle;
  config.is_manual = shared.time.manual != nullptr;
  const Napi::Object depth = nested(options, "queueDepth"), adaptive = nested(options, "adaptive");
  const bool alive = find_queue(depth, shared.queue) && find_queue(adaptive, shared.watched);
  config.has_depth = !depth.IsEmpty();
  config.depth_of_queue = shared.queue != nullptr;
  config.depth_max = u64(depth, "max");
  config.keys_max = u64(options, "keysMax");
  config.waiting_max = u32(options, "maxWaiting");
  config.waiting_per_key = u32(options, "maxWaitingPerKey");
  config.enforce = u32(options, "enforce") != 0;
  to.commit = flag(options, "commit");
  const bool sound = read_bucket(nested(options, "tokenBucket"), config) &&
                     read_windows(nested(options, "windows"), to) &&
                     (!config.has_depth || within<std::uint64_t>(config.depth_max, 1, kCostMax)) &&
                     read_adaptive(adaptive, shared.watched != nullptr, to) && config.keys_max <= kKeysMax &&
                     config.waiting_max <= kWaitersMax;
  if (!intact(options)) return kThreadEnds;
  if (!alive) return kDeadHandle;
  return sound ? nullptr : kBadRange;
}

bool read_changes(const Napi::Object& given, std::uint32_t window_count, LimiterChanges& to) {
  to.rate_per_second = f64(given, "ratePerSecond");
  to.burst = f64(given, "burst");
  to.warm_up_ms = f64(given, "warmUpMs");
  to.depth_max = f64(given, "max");
  to.enforce = f64(given, "enforce");
  const Napi::Object windows = nested(given, "windows");
  for (std::uint32_t i = 0; i < window_count; ++i) {
    const Napi::Object window = nested(windows, std::to_string(i).c_str());
    to.windows[i].limit = window.IsEmpty() ? std::nan("") : f64(window, "limit");
    to.windows[i].window_ms = window.IsEmpty() ? std::nan("") : f64(window, "windowMs");
  }
  return intact(given);
}

}  // namespace sluice
