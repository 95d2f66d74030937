// One of a limiter's windows, of whichever kind.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/sliding_window.h"
#include "core/window_log.h"

namespace sluice {

inline constexpr std::uint32_t kWindowsMax = 4;  // that a limiter can have

struct WindowConfig {
  SlidingWindowConfig sliding;     // exact: one bucket as long as the window
  bool exact = false;              // a log of times
  std::uint64_t log_capacity = 0;  // exact: the largest limit

  // Of one state: the part that is zeroed for a new one, and the times of a log, which nobody reads before they are
  // written.
  std::uint64_t cleared_bytes() const {
    return exact ? sizeof(WindowLog::Head)
                 : SlidingWindow::cells(sliding.buckets) * sizeof(SlidingWindow::Cell);
  }
  std::uint64_t times_bytes() const { return exact ? log_capacity * sizeof(std::uint64_t) : 0; }

  // The least time in which `full` times the limit passes.
  std::uint64_t least_time(std::uint64_t full) const noexcept {
    const std::uint64_t window_ns = sliding.bucket_ns * sliding.buckets;
    return full > TokenRate::kTimeMax / window_ns ? kNever : full * window_ns;
  }
};

class LimiterWindow {
 public:
  // `cells` and `times` point to so many bytes as the configuration says.
  LimiterWindow(const WindowConfig& config, std::byte* cells, std::byte* times)
      : config_(config), cells_(cells), times_(times) {}

  template <class ReadClock>
  SlidingWindow::Charge take(std::uint64_t cost, std::uint64_t now, ReadClock&& clock_now) noexcept {
    return config_.exact ? log().take(cost, now) : buckets().take(cost, now, clock_now);
  }
  // Gives back what of a charge is still in force.
  void refund(std::uint64_t charged, std::uint64_t cost, std::uint64_t now) noexcept {
    const SlidingWindow::Charge charge{charged, true};
    config_.exact ? log().refund(charge, cost, now) : buckets().refund(charge, cost, now);
  }
  template <class ReadClock>
  void add(std::uint64_t cost, std::uint64_t now, ReadClock&& clock_now) noexcept {
    config_.exact ? log().add(cost, now) : buckets().add(cost, now, clock_now);
  }
  void forget(std::uint64_t cost, std::uint64_t now) noexcept {
    config_.exact ? log().forget(cost) : buckets().forget(cost, now);
  }
  void clear() noexcept { config_.exact ? log().clear() : buckets().clear(); }

  std::uint64_t retry_after(std::uint64_t cost, std::uint64_t now) const noexcept {
    return config_.exact ? log().retry_after(cost, now) : buckets().retry_after(cost, now);
  }
  // No less than this passes until `all`, one request after the other, has been allowed.
  std::uint64_t least_wait(std::uint64_t all, std::uint64_t now) const noexcept {
    const std::uint64_t limit = config_.sliding.limit;
    return std::max(retry_after(std::min(all, limit), now), config_.least_time((all - 1) / limit));
  }
  std::uint64_t remaining(std::uint64_t now) const noexcept {
    return config_.exact ? log().remaining(now) : buckets().remaining(now);
  }
  bool empty(std::uint64_t now) const noexcept {
    return config_.exact ? log().empty(now) : buckets().empty(now);
  }

  // Goes over to another length. While nobody else is inside.
  void rebase(const WindowConfig& to, std::uint64_t now, std::uint64_t* scratch) noexcept {
    if (!config_.exact && to.sliding.bucket_ns != config_.sliding.bucket_ns) {
      buckets().rebase(to.sliding, now, scratch);
    }
  }

 private:
  SlidingWindow buckets() const noexcept {
    return SlidingWindow(config_.sliding, reinterpret_cast<SlidingWindow::Cell*>(cells_));
  }
  WindowLog log() const noexcept { return WindowLog(config_.sliding, config_.log_capacity, cells_, times_); }

  const WindowConfig& config_;
  std::byte* cells_;
  std::byte* times_;
};

}  // namespace sluice
