// The configuration of a limiter, and its tiers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/base/layout.h"
#include "core/limiter/key_table.h"
#include "core/limiter/limiter_window.h"
#include "core/limiter/token_bucket.h"
#include "core/queue/queue_watch.h"

namespace sluice {

enum class Tier : std::uint8_t {
  kNone = 0,
  kTokenBucket = 1,
  kSlidingWindow = 2,
  kQueueDepth = 3,
  kBlocked = 4,   // the key, or the limiter, is blocked for a time
  kAdaptive = 5,  // the calling thread is overloaded, or the watched queue is congested
  kLine = 6,      // other callers wait for their turn, or no more callers may wait
};

struct LimiterConfig {
  // Fixed at creation.
  bool has_bucket = false;
  bool has_depth = false;
  bool depth_of_queue = false;     // the depth tier reads a queue instead of counting what is in flight
  std::uint32_t window_count = 0;  // at most kWindowsMax
  bool is_manual = false;          // its clock is a manual one: see CalendarMemory
  std::uint64_t keys_max = 0;      // 0: no keys, and one state for all requests
  std::uint32_t waiting_max = 0;
  std::uint32_t waiting_per_key = ~0U;  // how many callers may wait for one key
  QueueWatchConfig watch;               // for the adaptive tier
  // Changed by configure().
  bool enforce = true;  // false: a dry run, which decides and counts, but refuses nothing
  TokenBucketConfig bucket;
  WindowConfig windows[kWindowsMax];
  std::uint64_t depth_max = 0;

  // Copies the fields that configure() changes. It does not write those fixed at creation, so threads may read these at
  // any time.
  void change_to(const LimiterConfig& next) {
    enforce = next.enforce;
    bucket = next.bucket;
    for (std::uint32_t i = 0; i < window_count; ++i) {
      windows[i].sliding.limit = next.windows[i].sliding.limit;
      windows[i].sliding.bucket_ns = next.windows[i].sliding.bucket_ns;
    }
    depth_max = next.depth_max;
  }

  // Whether the fields that are fixed at creation are within what a limiter allows.
  bool sound() const {
    bool sound = window_count <= kWindowsMax && keys_max <= kKeysMax;
    for (std::uint32_t i = 0; sound && i < window_count; ++i) {
      sound = windows[i].sliding.buckets <= kWindowBucketsMax && windows[i].log_capacity <= kLogLimitMax &&
              windows[i].every <= Every::kYear;
    }
    return sound;
  }
  // Makes the hash of the layout depend on what is fixed at creation.
  void note_in(Layout& layout) const {
    layout.note(has_bucket, has_depth, depth_of_queue, window_count, is_manual, keys_max, waiting_max,
                waiting_per_key, watch.target_ns, watch.interval_ns);
    for (std::uint32_t i = 0; i < window_count; ++i) {
      const WindowConfig& window = windows[i];
      layout.note(window.sliding.buckets, window.exact, window.log_capacity, window.every,
                  window.zone_changes, window.first_change);
    }
  }

  // The windows of one state:  | the zeroed part of each | the times of each that is exact |
  std::uint64_t window_bytes() const { return window_cleared_bytes() + times_before(window_count); }
  std::uint64_t window_cleared_bytes() const { return cells_before(window_count); }
  std::uint64_t calendar_bytes() const {
    std::uint64_t changes = 0;
    for (std::uint32_t i = 0; i < window_count; ++i) changes += windows[i].zone_changes;
    return changes == 0 ? 0 : sizeof(CalendarMemory) + changes * sizeof(ZoneChange);
  }
  // Scratch memory for Tiers::rebase(): as many words as the window with the most buckets has cells.
  std::uint64_t rebase_words() const {
    std::uint64_t words = 0;
    for (std::uint32_t i = 0; i < window_count; ++i) {
      words = std::max(words, SlidingWindow::cells(windows[i].sliding.buckets));
    }
    return words;
  }
  std::uint64_t cells_before(std::uint32_t window) const {
    std::uint64_t bytes = 0;
    for (std::uint32_t i = 0; i < window; ++i) bytes += windows[i].cleared_bytes();
    return bytes;
  }
  std::uint64_t times_before(std::uint32_t window) const {
    std::uint64_t bytes = 0;
    for (std::uint32_t i = 0; i < window; ++i) bytes += windows[i].times_bytes();
    return bytes;
  }
};

}  // namespace sluice
