// Lets one reader see a set of tables while nobody is changing them, at the cost of one fence per change.
//
//   operation                           reader
//   inside = 1                          paused = 1
//   fence (seq_cst)          <----->    fence (seq_cst)
//   paused == 1 ?                       wait until every inside == 0
//     inside = 0; wait; start over      read; paused = 0
//
// Of "the operation reads paused" and "the reader reads inside" at least one sees the other's store, because a
// full fence stands between store and load on both sides (the handshake of the doorbell). An operation is a few
// hundred nanoseconds of native code, so the reader waits only for threads that were preempted inside one.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "core/thread_lines.h"

namespace sluice {

class Quiesce {
 public:
  void enter(ThreadLine& line) noexcept {
    for (;;) {
      line.inside.store(1, std::memory_order_relaxed);
      // Pairs with the fence in pause().
      std::atomic_thread_fence(std::memory_order_seq_cst);
      // ACQ paused: pairs with REL in resume(), so that what the reader did is over.
      if (paused_.load(std::memory_order_acquire) == 0) [[likely]] return;
      line.inside.store(0, std::memory_order_release);
      wait([this] { return paused_.load(std::memory_order_relaxed) == 0; });
    }
  }
  void leave(ThreadLine& line) noexcept {
    // REL inside: pairs with ACQ in pause(): the reader sees what the operation wrote.
    line.inside.store(0, std::memory_order_release);
  }

  // Returns when no operation is inside and none can enter. One reader at a time; the others wait.
  void pause(const ThreadLines& lines) noexcept {
    std::uint32_t running = 0;
    while (!paused_.compare_exchange_weak(running, 1, std::memory_order_acquire, std::memory_order_relaxed)) {
      running = 0;
      wait([this] { return paused_.load(std::memory_order_relaxed) == 0; });
    }
    // Pairs with the fence in enter().
    std::atomic_thread_fence(std::memory_order_seq_cst);
    for (const ThreadLine& line : lines.lines_) {
      // ACQ inside: pairs with REL in leave().
      wait([&line] { return line.inside.load(std::memory_order_acquire) == 0; });
    }
  }
  void resume() noexcept { paused_.store(0, std::memory_order_release); }

 private:
  // A bounded spin, then short sleeps: never a yield loop.
  template <class Done>
  static void wait(Done&& done) noexcept {
    for (int spins = 0; !done(); ++spins) {
      if (spins < 1000) {
        cpu_pause();
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
    }
  }

  alignas(kCacheLine) std::atomic<std::uint32_t> paused_{0};
};

}  // namespace sluice
