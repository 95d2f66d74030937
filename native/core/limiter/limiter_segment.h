// The memory that the threads of a limiter share, in one block:
//
//   segment body:  | Limiter | LimiterWaiters | QueueWatch::Control | LimiterNotes |
//
// The body begins with the configuration, so that a view can be made from the address alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>

#include "core/base/layout.h"
#include "core/base/segment.h"
#include "core/limiter/limiter.h"
#include "core/limiter/limiter_waiters.h"
#include "core/queue/queue_watch.h"

namespace sluice {

// Settings that the limiter keeps for its callers and does not use itself. Fixed at creation.
struct LimiterNotes {
  // The longest names of the IANA database have 32 characters, so all of them fit.
  static constexpr std::size_t kTimeZoneMax = 63;
  struct TimeZone {
    std::uint8_t length;
    char text[kTimeZoneMax];
  };

  double max_loop_delay_ms;          // 0: the adaptive tier does not watch the event loop
  double adaptive_interval_ms;       // the time between two of the caller's measurements of the loop
  TimeZone time_zones[kWindowsMax];  // names of the zones of calendar windows, as they were given

  // Returns false, and changes nothing, if the name is too long.
  bool name_time_zone(std::uint32_t window, std::string_view name) noexcept {
    if (name.size() > kTimeZoneMax) return false;
    TimeZone& zone = time_zones[window];
    zone.length = static_cast<std::uint8_t>(name.size());
    name.copy(zone.text, name.size());
    return true;
  }
  std::string_view time_zone(std::uint32_t window) const noexcept {
    return {time_zones[window].text, time_zones[window].length};
  }
};

class LimiterSegment {
 public:
  LimiterSegment() = default;
  // Makes a view of the memory at `body`, which format() has filled.
  explicit LimiterSegment(std::byte* body) noexcept : body_(body) {}

  // See core/base/segment.h.
  static constexpr SegmentKind kKind = SegmentKind::kLimiter;
  using Shape = LimiterConfig;
  static Layout layout(const LimiterConfig& config) {
    Layout layout = Places(config).layout;
    config.note_in(layout);
    layout.note(kWindowsMax, kThreadsMax, kThreadCounters, GuestRing::kStride, QueueWatch::kMarks, kLanesMax,
                LimiterNotes::kTimeZoneMax, Every::kYear, sizeof(WindowLog::Head), sizeof(CalendarMemory),
                sizeof(ZoneChange));
    return layout;
  }
  static std::uint64_t bytes(const LimiterConfig& config) { return layout(config).bytes(); }
  // Makes a limiter in `body`, which is zeroed memory of bytes(config) octets. The caller then fills in the zone
  // changes of calendar windows.
  static LimiterSegment format(std::byte* body, const LimiterConfig& config, const LimiterNotes& notes,
                               std::uint64_t now, const KeySecret& secret) {
    Limiter limiter(body, config);
    limiter.format(config, now, secret);
    const Places at(config);
    LimiterWaiters(limiter, body + at.waiters, config.waiting_max).format();
    new (body + at.notes) LimiterNotes(notes);
    return LimiterSegment(body);
  }

  // A caller may read only the fields that are fixed at creation; configure() changes all others.
  const LimiterConfig& config() const noexcept { return shape_in<LimiterSegment>(body_); }
  Limiter limiter() const { return Limiter(body_, config()); }
  void* waiters() const { return body_ + Places(config()).waiters; }
  QueueWatch::Control* watch() const {
    return reinterpret_cast<QueueWatch::Control*>(body_ + Places(config()).watch);
  }
  const LimiterNotes& notes() const {
    return *reinterpret_cast<const LimiterNotes*>(body_ + Places(config()).notes);
  }

 private:
  struct Places {
    explicit Places(const LimiterConfig& config)
        : limiter(layout.place(Limiter::layout(config))),
          waiters(layout.place(LimiterWaiters::layout(config.waiting_max))),
          watch(layout.place<QueueWatch::Control>()),
          notes(layout.place<LimiterNotes>()) {}

    Layout layout;
    std::uint64_t limiter, waiters, watch, notes;
  };

  std::byte* body_ = nullptr;
};

}  // namespace sluice
