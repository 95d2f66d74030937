// The manual clock as a shared object, and the clock an object was created with.
#pragma once

#include <memory>

#include "addon/registry.h"
#include "core/clock.h"

namespace sluice {

struct SharedClock : SharedObject {
  explicit SharedClock(std::uint64_t start_ns) : SharedObject(ObjectKind::kClock), clock(start_ns) {}
  ManualClock clock;
};

// The clock of an object: keeps a manual one alive.
struct ClockSource {
  std::shared_ptr<SharedClock> manual;
  Clock clock() const { return manual == nullptr ? Clock() : Clock(&manual->clock); }
};

}  // namespace sluice
