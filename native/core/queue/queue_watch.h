// Reports whether a queue is congested: whether, over a whole interval, it always had a record that had waited longer
// than a target. A burst passes, but if even the shortest wait in a queue stays long, its consumer cannot keep up (the
// argument of CoDel, K. Nichols and V. Jacobson).
//
// No record's wait is measured, and there is no timer: now and then a thread that asks also looks, and only at
// positions. A mark contains, for each lane, the producers' position (the tail) at some time. If a lane's head has not
// reached a mark that is as old as the target, a record has waited that long. Nothing else counts as proof, so in doubt
// the answer is that the queue is not congested.
//
//   time          now - target                    now
//   position   ..... mark ......... head? ....... tail      if head is before the mark, a record has waited too long
//
// With several lanes, the lane with the longest wait counts. Waits also count while the queue has no consumer.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/queue/queue.h"

namespace sluice {

struct QueueWatchConfig {
  std::uint64_t target_ns = 0;  // 0: nothing is watched
  std::uint64_t interval_ns = 0;
};

class QueueWatch {
 public:
  // Marks are at least a quarter of the target apart, so the oldest of eight is older than the target. If threads ask
  // often, the youngest mark that is at least as old as the target is not much older than it.
  static constexpr std::uint32_t kMarks = 8;

  struct Mark {
    std::uint64_t time;
    std::uint64_t tails[kLanesMax];
  };
  // The words are all 0 until a thread has looked for the first time.
  struct alignas(kCacheLine) Control {
    std::atomic<std::uint64_t> next_look;
    // Since this time the queue has always had a record that had waited as long as the target, as far as looks have
    // proved. 0: the last look has not proved that it has one.
    std::atomic<std::uint64_t> late_since;
    std::atomic<std::uint32_t> looking;
    // How many marks were made, kept below 2 * kMarks. Only the thread that looks writes `count` and `marks`.
    std::uint32_t count;
    Mark marks[kMarks];
  };

  QueueWatch() = default;
  QueueWatch(Control* control, const Queue& queue, const QueueWatchConfig& config)
      : control_(control), queue_(&queue), config_(config) {}

  // Whether the queue is congested at `time`, in nanoseconds since the control was created. `now()` returns the present
  // time, which is later if the caller has lost the processor meanwhile.
  template <class Now>
  bool standing(std::uint64_t time, const Now& now) noexcept {
    if (control_ == nullptr) return false;
    // Relaxed: the words publish no other memory. If it is time to look, but another thread is looking, the answer is
    // no.
    if (time >= control_->next_look.load(std::memory_order_relaxed) && !look(time, now)) return false;
    const std::uint64_t since = control_->late_since.load(std::memory_order_relaxed);
    return since != 0 && time > since && time - since >= config_.interval_ns;
  }

 private:
  template <class Now>
  bool look(std::uint64_t time, const Now& now) noexcept {
    // ACQ looking: pairs with REL below. This thread sees the marks of the thread that looked before it.
    if (control_->looking.exchange(1, std::memory_order_acquire) != 0) return false;
    const std::uint64_t pause = std::min(config_.target_ns, config_.interval_ns) / 4;
    control_->next_look.store(time + std::max<std::uint64_t>(pause, 1), std::memory_order_relaxed);
    const Mark* mark = mark_before(time);
    if (mark == nullptr || passed(*mark)) {
      control_->late_since.store(0, std::memory_order_relaxed);
    } else if (control_->late_since.load(std::memory_order_relaxed) == 0) {
      // The record has been late since the moment at which the mark was as old as the target, however long no thread
      // has looked since.
      control_->late_since.store(mark->time + config_.target_ns, std::memory_order_relaxed);
    }
    if (control_->count == 0 || older(newest(), time, config_.target_ns / 4)) make_mark(now);
    control_->looking.store(0, std::memory_order_release);
    return true;
  }

  // Returns the youngest mark that is at least as old as the target; nullptr: there is none.
  const Mark* mark_before(std::uint64_t time) const noexcept {
    for (std::uint32_t age = 0; age < std::min(control_->count, kMarks); ++age) {
      const Mark& mark = control_->marks[(control_->count - 1 - age) % kMarks];
      if (older(mark, time, config_.target_ns)) return &mark;
    }
    return nullptr;
  }
  bool passed(const Mark& mark) const noexcept {
    for (std::uint32_t lane = 0; lane < queue_->shape().lanes; ++lane) {
      if (static_cast<std::int64_t>(queue_->ring(lane).head() - mark.tails[lane]) < 0) return false;
    }
    return true;
  }
  const Mark& newest() const noexcept { return control_->marks[(control_->count - 1) % kMarks]; }
  template <class Now>
  void make_mark(const Now& now) noexcept {
    Mark& mark = control_->marks[control_->count % kMarks];
    for (std::uint32_t lane = 0; lane < queue_->shape().lanes; ++lane) {
      mark.tails[lane] = queue_->ring(lane).claimed();
    }
    // The time is read after the tails. So all positions before the mark were claimed before its time, however long ago
    // the caller has read the time for standing().
    mark.time = now();
    // `count` stays below 2 * kMarks, so that it never wraps around.
    control_->count = control_->count == 2 * kMarks - 1 ? kMarks : control_->count + 1;
  }
  static bool older(const Mark& mark, std::uint64_t time, std::uint64_t age) noexcept {
    return time > mark.time && time - mark.time >= age;
  }

  Control* control_ = nullptr;
  const Queue* queue_ = nullptr;
  QueueWatchConfig config_;
};

}  // namespace sluice
