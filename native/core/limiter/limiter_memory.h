// What stands in a limiter's memory besides the tables: the state that all share, and that of a key.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/base/key_hash.h"
#include "core/base/quiesce.h"
#include "core/limiter/limiter_tiers.h"

namespace sluice {

struct LimiterControl {
  LimiterConfig config;    // changed only while nobody is inside
  std::uint64_t epoch_ns;  // the limiter's time 0
  KeySecret secret;
  Quiesce<> quiesce;
  std::atomic<std::uint32_t> serial;       // the last that a state was given
  alignas(kCacheLine) TokenBucket bucket;  // the shared state
  SpinLock<> refunds;
  alignas(kCacheLine) DepthGate depth;
  alignas(kCacheLine) std::atomic<std::uint64_t> blocked_until;
  StateLine line;
  DepthGate left_behind;  // with keys: what keys have in flight that were forgotten; released like the rest
};

// The state of a key; its window follows. With keys the shared state stays as new: what a key without one would see.
struct KeyState {
  TokenBucket bucket;
  DepthGate depth;
  std::atomic<std::uint64_t> blocked_until;
  StateLine line;

  static std::uint64_t bytes(const LimiterConfig& config) { return sizeof(KeyState) + config.window_bytes(); }
};

}  // namespace sluice
