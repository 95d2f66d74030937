// A limiter in memory of its own, and sessions of it. It does for the sessions what a face does.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/limiter/limiter_segment.h"
#include "session/limiter_session.h"
#include "zeroed_memory.h"

namespace sluice::test {

struct LimiterHostOfTests final : LimiterHost {
  void ring(std::uint64_t session) noexcept override {
    const std::lock_guard<std::mutex> guard(mutex);
    rung.push_back(session);
  }
  void* allocate(std::size_t bytes) noexcept override {
    if (!has_memory) {
      if (when_out_of_memory) std::exchange(when_out_of_memory, nullptr)();
      return nullptr;
    }
    ++blocks;
    return std::malloc(bytes);
  }
  void free(void* memory) noexcept override {
    if (memory != nullptr) --blocks;
    std::free(memory);
  }
  bool was_rung(std::uint64_t session) {
    const std::lock_guard<std::mutex> guard(mutex);
    return std::find(rung.begin(), rung.end(), session) != rung.end();
  }

  std::mutex mutex;
  std::vector<std::uint64_t> rung;
  std::atomic<int> blocks{0};  // allocated and not freed
  bool has_memory = true;
  std::function<void()> when_out_of_memory;  // called once, before allocate() returns nullptr
};

struct TestLimiter {
  static constexpr std::uint64_t kEpoch = 77'000'000'000;

  explicit TestLimiter(const LimiterConfig& config) : memory(LimiterSegment::bytes(config)), manual(kEpoch) {
    LimiterSegment::format(memory.get(), config, {}, kEpoch, KeySecret{{1, 2}});
  }
  // Makes a session that has a thread slot of its own.
  std::unique_ptr<LimiterSession> attach() {
    ThreadSlot* slot = segment().limiter().thread_slots().acquire();
    REQUIRE(slot != nullptr);
    return std::make_unique<LimiterSession>(
        LimiterSession::Parts{segment(), slot, Clock(&manual), ++sessions, {}, {}}, host);
  }
  LimiterSegment segment() const { return LimiterSegment(memory.get()); }
  std::uint64_t in_flight() const { return segment().limiter().in_flight(); }
  std::uint64_t threads() const {
    const ThreadSlots& slots = segment().limiter().thread_slots();
    return static_cast<std::uint64_t>(std::count_if(
        slots.begin(), slots.end(), [](const ThreadSlot& slot) { return slot.owner.load() != 0; }));
  }

  ZeroedMemory memory;
  ManualClock manual;
  LimiterHostOfTests host;
  std::atomic<std::uint64_t> sessions{0};
};

}  // namespace sluice::test
