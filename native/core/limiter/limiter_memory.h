// The parts of a limiter's memory and their places: the shared state, the state of a key, and the tables.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/base/key_hash.h"
#include "core/base/layout.h"
#include "core/base/quiesce.h"
#include "core/base/thread_slots.h"
#include "core/limiter/guest_ring.h"
#include "core/limiter/key_table.h"
#include "core/limiter/limiter_tiers.h"

namespace sluice {

struct LimiterControl {
  LimiterConfig config;    // changed only while no thread is inside an operation
  std::uint64_t epoch_ns;  // what the limiter's clock showed at the limiter's time 0
  KeySecret secret;
  Quiesce<> quiesce;
  std::atomic<std::uint64_t> serial;  // the last serial that a state got
  // The shared state is `bucket`, `depth`, `blocked_until` and `line`.
  alignas(kCacheLine) TokenBucket bucket;
  // Held to give tokens back to `bucket`.
  SpinLock<> refunds;
  alignas(kCacheLine) DepthGate depth;
  alignas(kCacheLine) std::atomic<std::uint64_t> blocked_until;
  StateLine line;
  // With keys: what forgotten keys still have in flight. A release takes from it what the key's state does not have.
  DepthGate left_behind;
  alignas(kCacheLine)
      SpinLock<> returns_slot;  // held by a thread that uses the shared slot ThreadSlots::kReturns

  // Returns the limiter's time when a thread's clock shows `now`. The thread's clock may be behind that of the thread
  // that created the limiter, by an instant, and so show a time before the epoch.
  std::uint64_t time_at(std::uint64_t now) const noexcept { return now > epoch_ns ? now - epoch_ns : 0; }
};

// The state of one key; the memory of its windows follows it. A limiter with keys charges nothing to the shared state,
// which shows what a key without a state would have.
struct KeyState {
  TokenBucket bucket;
  DepthGate depth;
  std::atomic<std::uint64_t> blocked_until;
  StateLine line;

  static std::uint64_t bytes(const LimiterConfig& config) { return sizeof(KeyState) + config.window_bytes(); }
};

struct LimiterPlaces {
  explicit LimiterPlaces(const LimiterConfig& config)
      : control(layout.place<LimiterControl>()),
        slots(layout.place<ThreadSlots>()),
        windows(layout.place_bytes(config.window_bytes())),
        keys(layout.place(KeyTable::layout(config.keys_max, KeyState::bytes(config)))),
        guests(layout.place(GuestRing::layout(config.keys_max, KeyState::bytes(config)))),
        calendars(layout.place_bytes(config.calendar_bytes())),
        scratch(layout.place<std::uint64_t>(config.rebase_words())) {}

  Layout layout;
  std::uint64_t control, slots, windows, keys, guests, calendars, scratch;
};

}  // namespace sluice
