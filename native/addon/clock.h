// The manual clock as a shared object, and the clock with which an object was created.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_set>

#include "addon/registry.h"
#include "core/base/clock.h"
#include "platform/bell.h"

namespace sluice {

struct SharedClock : SharedObject {
  explicit SharedClock(std::uint64_t start_ns) : SharedObject(ObjectKind::kClock), clock(start_ns) {}
  ManualClock clock;

  // Adds a bell, which rings whenever the clock has moved, for a thread that waits for a time of this clock.
  void listen(Bell* bell) {
    const std::lock_guard<std::mutex> guard(mutex_);
    bells_.insert(bell);
  }
  void ignore(Bell* bell) {
    const std::lock_guard<std::mutex> guard(mutex_);
    bells_.erase(bell);
  }
  std::uint64_t advance(std::uint64_t by_ns) {
    const std::uint64_t now = clock.advance(by_ns);
    const std::lock_guard<std::mutex> guard(mutex_);
    for (Bell* bell : bells_) bell->ring();
    return now;
  }

 private:
  std::mutex mutex_;
  std::unordered_set<Bell*> bells_;
};

// The clock with which an object was created: `manual`, which stays alive as long as the object, or the system's clock.
struct ClockSource {
  std::shared_ptr<SharedClock> manual;
  Clock clock() const { return manual == nullptr ? Clock() : Clock(&manual->clock); }
};

}  // namespace sluice
