// One cache line for each attached thread: counters that cost their writer no contention, and a flag that says
// "inside an operation", so that a reader can wait for a moment at which nobody is (see quiesce.h).
//
//   line i: | owned | inside | counters[kThreadCounters] |      written by its owner only, read by anyone
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/atomics.h"

namespace sluice {

inline constexpr std::uint32_t kThreadsMax = 256;  // attached at one time; one more is refused
inline constexpr std::uint32_t kThreadCounters = 14;

struct alignas(kCacheLine) ThreadLine {
  std::atomic<std::uint32_t> owned;   // 1 while a thread has this line
  std::atomic<std::uint32_t> inside;  // 1 while its owner is inside an operation
  std::atomic<std::uint64_t> counters[kThreadCounters];

  // Only the owner adds, so a plain load and store do: no locked instruction.
  void count(std::uint32_t counter, std::uint64_t by = 1) noexcept {
    counters[counter].store(counters[counter].load(std::memory_order_relaxed) + by,
                            std::memory_order_relaxed);
  }
};
static_assert(sizeof(ThreadLine) == kCacheLine);

class ThreadLines {
 public:
  // A line of the caller's own, or nullptr when kThreadsMax threads are attached. Its counters go on from where
  // an earlier owner left them, so that sums never shrink.
  ThreadLine* acquire() noexcept {
    for (ThreadLine& line : lines_) {
      std::uint32_t free = 0;
      // ACQ owned: pairs with REL in release(): the new owner sees the counters of the old one.
      if (line.owned.compare_exchange_strong(free, 1, std::memory_order_acquire, std::memory_order_relaxed)) {
        return &line;
      }
    }
    return nullptr;
  }
  void release(ThreadLine* line) noexcept {
    // REL owned: pairs with ACQ in acquire().
    line->owned.store(0, std::memory_order_release);
  }

  // 0 to kThreadsMax - 1: which of the lines it is.
  std::uint32_t number(const ThreadLine& line) const noexcept {
    return static_cast<std::uint32_t>(&line - lines_);
  }

  std::uint64_t sum(std::uint32_t counter) const noexcept {
    std::uint64_t total = 0;
    for (const ThreadLine& line : lines_) total += line.counters[counter].load(std::memory_order_relaxed);
    return total;
  }

  const ThreadLine* begin() const noexcept { return lines_; }
  const ThreadLine* end() const noexcept { return lines_ + kThreadsMax; }

 private:
  ThreadLine lines_[kThreadsMax];
};

}  // namespace sluice
