// Reads and checks the options with which JavaScript makes or changes a limiter.
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

// read_limiter() returns this in place of a reason if the thread is being terminated. The values that it has read then
// mean nothing.
inline constexpr const char* kThreadEnds = "";

// Reads the options of createLimiter(); the clock and the queues that they name go to `shared`. Returns nullptr, or the
// reason of a refusal.
//
//   { tokenBucket?: { ratePerSecond, burst, warmUpMs }, queueDepth?: { max, queue?: handle },
//     windows: [{ limit, windowMs, buckets, exact } or { limit, every, timeZone, zone: [ms, offset in ms, ...] }],
//     adaptive?: { maxEventLoopDelayMs, queue?: handle, maxQueueWaitMs, intervalMs }, keysMax, maxWaiting,
//     maxWaitingPerKey, enforce, commit, clock? }
const char* read_limiter(const Napi::Object& options, SharedLimiter& shared, LimiterDescription& to);

// Reads the options of configure(): { ratePerSecond, burst, warmUpMs, windows: [{ limit, windowMs }], max, enforce }.
// False: the thread is being terminated.
bool read_changes(const Napi::Object& given, std::uint32_t window_count, LimiterChanges& to);

}  // namespace sluice
