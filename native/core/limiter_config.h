// What a limiter was made with, and what can refuse.
#pragma once

#include <cstdint>

#include "core/queue_watch.h"
#include "core/sliding_window.h"
#include "core/token_bucket.h"
#include "core/window_log.h"

namespace sluice {

enum class Tier : std::uint8_t {
  kNone = 0,
  kTokenBucket = 1,
  kSlidingWindow = 2,
  kQueueDepth = 3,
  kBlocked = 4,   // the key, or the limiter, is blocked for a time
  kAdaptive = 5,  // the asking thread is overloaded, or a queue stands
  kLine = 6,      // others wait in line, or the line is full
};

struct LimiterConfig {
  // Fixed at creation: they shape the memory.
  bool has_bucket = false;
  bool has_window = false;
  bool has_depth = false;
  bool depth_of_queue = false;     // the depth tier reads a queue instead of counting what is in flight
  bool exact = false;              // the window is a log of times
  std::uint64_t log_capacity = 0;  // exact: the largest limit
  std::uint64_t keys_max = 0;      // 0: one state for all
  std::uint32_t waiting_max = 0;
  std::uint32_t waiting_per_key = ~0U;  // how many may wait for one key
  QueueWatchConfig watch;               // of the adaptive tier
  // Changed by configure().
  bool enforce = true;  // false: decide and count, but allow
  TokenBucketConfig bucket;
  SlidingWindowConfig window;  // exact: one bucket as long as the window
  std::uint64_t depth_max = 0;

  // The window of one state; and the part of it that is zeroed for a new one: of a log not the times, which nobody reads.
  std::uint64_t window_bytes() const {
    if (!has_window) return 0;
    return exact ? WindowLog::bytes(log_capacity)
                 : SlidingWindow::cells(window.buckets) * sizeof(SlidingWindow::Cell);
  }
  std::uint64_t window_cleared_bytes() const {
    return has_window && exact ? sizeof(WindowLog::Head) : window_bytes();
  }
};

}  // namespace sluice
