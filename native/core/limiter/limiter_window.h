// One window of a limiter: sliding, exact or calendar.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/system.h"
#include "core/limiter/calendar.h"
#include "core/limiter/sliding_window.h"
#include "core/limiter/window_log.h"

namespace sluice {

inline constexpr std::uint32_t kWindowsMax = 4;  // the most windows of a limiter

// Returns the length of a bucket, rounded up: a window that is too long, by less than a microsecond, is strict, and one
// that is too short is not. The window itself is rounded to the nearest nanosecond first.
inline std::uint64_t bucket_ns(double window_ms, std::uint32_t buckets) noexcept {
  const double ns = window_ms * 1e6;
  const auto below = static_cast<std::uint64_t>(ns);
  const std::uint64_t nearest = below + (ns - static_cast<double>(below) >= 0.5 ? 1 : 0);
  return (nearest + buckets - 1) / buckets;
}

struct WindowConfig {
  SlidingWindowConfig sliding;     // exact: one bucket, which is the window; calendar: only `limit` is used
  bool exact = false;              // true: a WindowLog
  std::uint64_t log_capacity = 0;  // exact: the largest `limit` that configure() may set
  Every every = Every::kNone;      // the periods of a calendar window
  // Calendar windows only: how many changes the window's zone has, and the index of the first one in
  // CalendarMemory::changes().
  std::uint32_t zone_changes = 0;
  std::uint32_t first_change = 0;

  // The memory of one state has two parts: one that is zeroed for a new state, and the times of a log, which are
  // written before they are read.
  std::uint64_t cleared_bytes() const {
    if (every != Every::kNone) return sizeof(CalendarWindow::Cell);
    return exact ? sizeof(WindowLog::Head)
                 : SlidingWindow::cells(sliding.buckets) * sizeof(SlidingWindow::Cell);
  }
  std::uint64_t times_bytes() const { return exact ? log_capacity * sizeof(std::uint64_t) : 0; }

  // Returns the least time, in nanoseconds, until more than `full` times the limit can have been allowed.
  std::uint64_t least_time(std::uint64_t full) const noexcept {
    const std::uint64_t window_ns = sliding.bucket_ns * sliding.buckets;
    return full > TokenRate::kTimeMax / window_ns ? kNever : full * window_ns;
  }
};

// The time, the periods and the zones, for all states of a limiter with calendar windows:
//   | CalendarMemory | ZoneChange[] of all windows, one after another |
struct CalendarMemory {
  std::uint64_t epoch_ns;  // what the limiter's clock showed at the limiter's time 0
  bool is_manual;          // true: the limiter's clock shows nanoseconds since 1970
  CalendarPeriod periods[kWindowsMax];

  std::uint64_t wall(std::uint64_t time) const noexcept {
    return is_manual ? epoch_ns + time : system::wall_ns();
  }
  ZoneChange* changes() noexcept { return reinterpret_cast<ZoneChange*>(this + 1); }
};

class LimiterWindow {
 public:
  // `cells` and `times` point to config.cleared_bytes() and config.times_bytes() bytes.
  LimiterWindow(const WindowConfig& config, std::byte* cells, std::byte* times, CalendarMemory* calendars,
                std::uint32_t index)
      : config_(config), cells_(cells), times_(times), calendars_(calendars), index_(index) {}

  template <class ReadClock>
  SlidingWindow::Charge take(std::uint64_t cost, std::uint64_t now, ReadClock&& clock_now) noexcept {
    if (by_calendar()) [[unlikely]] {
      const std::uint64_t charged = calendar(now).take(cost, now);
      return {charged, charged != 0};
    }
    return config_.exact ? log().take(cost, now) : buckets().take(cost, now, clock_now);
  }
  // Gives back the part of a charge that is still in force.
  void refund(std::uint64_t charged, std::uint64_t cost, std::uint64_t now) noexcept {
    if (by_calendar()) return calendar(now).refund(charged, cost);
    const SlidingWindow::Charge charge{charged, true};
    config_.exact ? log().refund(charge, cost, now) : buckets().refund(charge, cost, now);
  }
  template <class ReadClock>
  void add(std::uint64_t cost, std::uint64_t now, ReadClock&& clock_now) noexcept {
    if (by_calendar()) return calendar(now).add(cost, now);
    config_.exact ? log().add(cost, now) : buckets().add(cost, now, clock_now);
  }
  void forget(std::uint64_t cost, std::uint64_t now) noexcept {
    if (by_calendar()) return calendar(now).forget(cost, now);
    config_.exact ? log().forget(cost) : buckets().forget(cost, now);
  }
  void clear() noexcept {
    if (by_calendar()) return calendar(0).clear();
    config_.exact ? log().clear() : buckets().clear();
  }

  std::uint64_t retry_after(std::uint64_t cost, std::uint64_t now) const noexcept {
    if (by_calendar()) [[unlikely]]
      return calendar(now).retry_after(cost, now);
    return config_.exact ? log().retry_after(cost, now) : buckets().retry_after(cost, now);
  }
  // Returns a lower bound of the time until requests whose costs add up to `all` have been allowed, one after the
  // other.
  std::uint64_t least_wait(std::uint64_t all, std::uint64_t now) const noexcept {
    if (by_calendar()) return calendar(now).least_wait(all, now);
    const std::uint64_t limit = config_.sliding.limit;
    return std::max(retry_after(std::min(all, limit), now), config_.least_time((all - 1) / limit));
  }
  // Returns the time until a cost of `left` + 1 is allowed. `left` is what remaining() returns now. A calendar window
  // has its whole limit again when its period ends.
  std::uint64_t more_in(std::uint64_t left, std::uint64_t now) const noexcept {
    return by_calendar() ? calendar(now).more_in(now) : retry_after(left + 1, now);
  }
  std::uint64_t remaining(std::uint64_t now) const noexcept {
    if (by_calendar()) [[unlikely]]
      return calendar(now).remaining(now);
    return config_.exact ? log().remaining(now) : buckets().remaining(now);
  }
  bool empty(std::uint64_t now) const noexcept {
    if (by_calendar()) return calendar(now).empty(now);
    return config_.exact ? log().empty(now) : buckets().empty(now);
  }

  // Converts the buckets of a sliding window to the length in `to`. The times of an exact window and the count of a
  // calendar window keep their meaning. Called while no other thread is inside an operation.
  void rebase(const WindowConfig& to, std::uint64_t now, std::uint64_t* scratch) noexcept {
    if (!by_calendar() && !config_.exact && to.sliding.bucket_ns != config_.sliding.bucket_ns) {
      buckets().rebase(to.sliding, now, scratch);
    }
  }

 private:
  bool by_calendar() const noexcept { return config_.every != Every::kNone; }
  CalendarWindow calendar(std::uint64_t now) const noexcept {
    const Calendar zone(config_.every, calendars_->changes() + config_.first_change, config_.zone_changes);
    return CalendarWindow(config_.sliding.limit, zone, calendars_->periods[index_],
                          *reinterpret_cast<CalendarWindow::Cell*>(cells_), calendars_->wall(now));
  }
  SlidingWindow buckets() const noexcept {
    return SlidingWindow(config_.sliding, reinterpret_cast<SlidingWindow::Cell*>(cells_));
  }
  WindowLog log() const noexcept { return WindowLog(config_.sliding, config_.log_capacity, cells_, times_); }

  const WindowConfig& config_;
  std::byte* cells_;
  std::byte* times_;
  CalendarMemory* calendars_;
  std::uint32_t index_;
};

}  // namespace sluice
