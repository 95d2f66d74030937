// What JavaScript gives a limiter when it makes or changes it, read and checked.
#pragma once

#include <napi.h>

#include <vector>

#include "addon/limiter_attachment.h"

namespace sluice {

struct LimiterDescription {
  LimiterConfig config;
  LimiterNotes notes{};
  std::vector<ZoneChange> zone_changes;  // of all calendar windows
  bool commit = false;
};

// In place of a reason: the thread is being terminated, and what was read says nothing.
inline constexpr const char* kThreadEnds = "";

// createLimiter()'s options, with the clock and the queues that they name in `shared`. nullptr, or the reason of a
// refusal.
//
//   { tokenBucket?: { ratePerSecond, burst, warmUpMs }, queueDepth?: { max, queue?: handle },
//     windows: [{ limit, windowMs, buckets, exact } or { limit, every, timeZone, zone: [ms, offset in ms, ...] }],
//     adaptive?: { maxEventLoopDelayMs, queue?: handle, maxQueueWaitMs, intervalMs }, keysMax, maxWaiting,
//     maxWaitingPerKey, enforce, commit, clock? }
const char* read_limiter(const Napi::Object& options, SharedLimiter& shared, LimiterDescription& to);

// configure()'s: { ratePerSecond, burst, warmUpMs, windows: [{ limit, windowMs }], max, enforce }. False: the thread is
// being terminated.
bool read_changes(const Napi::Object& given, std::uint32_t window_count, LimiterChanges& to);

}  // namespace sluice
