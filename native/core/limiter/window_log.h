// An exact sliding window. It records the time of each request, in one word for each unit of its cost, so that a
// request counts for exactly the length of the window and not a nanosecond longer. The words take 8 bytes times the
// largest limit.
//
// `times` is a circle whose newest time is at head - 1; times never decrease. A request of cost c passes if the oldest
// of the newest limit - c + 1 times has left the window. So only the newest `limit` times are needed.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base/spin_lock.h"
#include "core/limiter/sliding_window.h"

namespace sluice {

inline constexpr std::uint64_t kLogLimitMax = 1'000'000;

class WindowLog {
 public:
  struct Head {
    SpinLock<> lock;
    std::uint32_t kept;  // how many times are kept, at most the capacity
    std::uint64_t head;  // the index of the next time, below the capacity
  };
  // `config.buckets` is 1 and `config.bucket_ns` the window; `config.limit` is at most `capacity`.
  WindowLog(const SlidingWindowConfig& config, std::uint64_t capacity, std::byte* head, std::byte* times)
      : config_(config),
        capacity_(capacity),
        head_(*reinterpret_cast<Head*>(head)),
        times_(reinterpret_cast<std::uint64_t*>(times)) {}

  SlidingWindow::Charge take(std::uint64_t cost, std::uint64_t now) noexcept {
    if (cost > config_.limit) return {now, false};
    const Locked locked(head_.lock);
    // The clocks of two processors may differ by a tick. max() keeps the times from decreasing.
    const std::uint64_t time = head_.kept == 0 ? now : std::max(now, newest(0));
    if (wait(cost, time) != 0) return {time, false};
    append(cost, time);
    return {time, true};
  }

  // Undoes a take() whose time is still in the window, also if others came after it; later it does nothing.
  // `charge.bucket` is the time of that take(). All newer times are moved one after another, so the call takes time in
  // proportion to their number.
  void refund(const SlidingWindow::Charge& charge, std::uint64_t cost, std::uint64_t now) noexcept {
    if (now > charge.bucket && now - charge.bucket >= config_.bucket_ns) return;
    const Locked locked(head_.lock);
    // Finds how many times are newer than the charge.
    std::uint64_t age = 0;
    for (std::uint64_t end = head_.kept; age < end;) {
      const std::uint64_t middle = age + (end - age) / 2;
      if (newest(middle) > charge.bucket) {
        age = middle + 1;
      } else {
        end = middle;
      }
    }
    std::uint64_t removed = 0;
    while (removed < cost && age + removed < head_.kept && newest(age + removed) == charge.bucket) ++removed;
    if (removed != 0 && age != 0) {
      // The newer times move down over the removed ones.
      std::uint64_t from = index(age - 1), to = index(age - 1 + removed);
      for (std::uint64_t i = 0; i < age; ++i) {
        times_[to] = times_[from];
        if (++from == capacity_) from = 0;
        if (++to == capacity_) to = 0;
      }
    }
    drop(removed);
  }

  std::uint64_t remaining(std::uint64_t now) const noexcept {
    const Locked locked(head_.lock);
    // Finds how many of the newest times are still in the window.
    std::uint64_t low = 0, high = std::min<std::uint64_t>(head_.kept, config_.limit);
    while (low < high) {
      const std::uint64_t middle = low + (high - low) / 2;
      if (newest(middle) + config_.bucket_ns > now) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return config_.limit - low;
  }

  std::uint64_t retry_after(std::uint64_t cost, std::uint64_t now) const noexcept {
    if (cost > config_.limit) return kNever;
    const Locked locked(head_.lock);
    return wait(cost, now);
  }

  bool empty(std::uint64_t now) const noexcept {
    const Locked locked(head_.lock);
    return head_.kept == 0 || newest(0) + config_.bucket_ns <= now;
  }

  // Counts `cost` even if it exceeds the limit, but no more than the capacity.
  void add(std::uint64_t cost, std::uint64_t now) noexcept {
    const Locked locked(head_.lock);
    append(std::min(cost, capacity_), head_.kept == 0 ? now : std::max(now, newest(0)));
  }
  // Forgets the `cost` newest times.
  void forget(std::uint64_t cost) noexcept {
    const Locked locked(head_.lock);
    drop(std::min<std::uint64_t>(cost, head_.kept));
  }
  void clear() noexcept {
    const Locked locked(head_.lock);
    drop(head_.kept);
  }

 private:
  // Returns the index of the time that has `age` newer ones.
  std::uint64_t index(std::uint64_t age) const noexcept {
    return (head_.head + capacity_ - 1 - age) % capacity_;
  }
  std::uint64_t newest(std::uint64_t age) const noexcept { return times_[index(age)]; }

  std::uint64_t wait(std::uint64_t cost, std::uint64_t now) const noexcept {
    const std::uint64_t age = config_.limit - cost;
    if (age >= head_.kept) return 0;
    const std::uint64_t leaves = newest(age) + config_.bucket_ns;
    return leaves > now ? leaves - now : 0;
  }
  void append(std::uint64_t cost, std::uint64_t time) noexcept {
    for (std::uint64_t left = cost; left != 0;) {
      const std::uint64_t run = std::min(left, capacity_ - head_.head);  // until the end of the circle
      std::fill_n(times_ + head_.head, run, time);
      head_.head = (head_.head + run) % capacity_;
      left -= run;
    }
    head_.kept = static_cast<std::uint32_t>(std::min(capacity_, head_.kept + cost));
  }
  void drop(std::uint64_t count) noexcept {
    head_.head = (head_.head + capacity_ - count) % capacity_;
    head_.kept -= static_cast<std::uint32_t>(count);
  }

  SlidingWindowConfig config_;
  std::uint64_t capacity_;
  Head& head_;
  std::uint64_t* times_;
};

}  // namespace sluice
