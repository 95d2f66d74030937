// Lets one reader see a set of tables while no thread changes them, at the cost of one fence per change.
//
//   operation                           reader
//   inside = 1                          paused = 1
//   fence (seq_cst)          <----->    fence (seq_cst)
//   paused == 1 ?                       wait until every inside == 0
//     inside = 0; wait; start over      read; paused = 0
//
// The operation sees `paused`, or the reader sees `inside`, or both do, because both sides have a full fence between
// their store and their load (as in doorbell.h). An operation is a few hundred nanoseconds of native code, so the
// reader waits longer only if a thread was preempted inside one.
#pragma once

#include <cstdint>

#include "core/base/atomics.h"
#include "core/base/spin_wait.h"

namespace sluice {

// While it lives, no other thread changes what `quiesce` guards.
template <class Quiesce>
class Paused {
 public:
  template <class Lines>
  Paused(Quiesce& quiesce, const Lines& lines) noexcept : quiesce_(quiesce) {
    quiesce_.pause(lines);
  }
  ~Paused() { quiesce_.resume(); }
  Paused(const Paused&) = delete;
  Paused& operator=(const Paused&) = delete;

 private:
  Quiesce& quiesce_;
};

// Each thread has a `Line`, with an atomic `inside` (see thread_slots.h). `Lines` are the lines of all threads.
template <class A = StdAtomics>
class Quiesce {
 public:
  template <class Line>
  void enter(Line& line) noexcept {
    for (;;) {
      line.inside.store(1, std::memory_order_relaxed);
      // Pairs with the fence in pause().
      A::fence(std::memory_order_seq_cst);
      // ACQ paused: pairs with REL in resume(), so that the operation sees what the reader wrote.
      if (paused_.load(std::memory_order_acquire) == 0) [[likely]]
        return;
      // Relaxed: this thread wrote nothing since the fence, and the fence publishes everything before it.
      line.inside.store(0, std::memory_order_relaxed);
      spin_wait<A>([this] { return paused_.load(std::memory_order_relaxed) == 0; });
    }
  }
  template <class Line>
  void leave(Line& line) noexcept {
    // REL inside: pairs with ACQ in pause(): the reader sees what the operation wrote.
    line.inside.store(0, std::memory_order_release);
  }

  // Returns when no operation is inside and none can enter. Only one reader at a time pauses the operations; other
  // readers wait for its resume().
  template <class Lines>
  void pause(const Lines& lines) noexcept {
    std::uint32_t running = 0;
    // Relaxed: the fence below acquires what an earlier reader released in resume().
    while (!paused_.compare_exchange_weak(running, 1, std::memory_order_relaxed, std::memory_order_relaxed)) {
      running = 0;
      spin_wait<A>([this] { return paused_.load(std::memory_order_relaxed) == 0; });
    }
    // Pairs with the fence in enter().
    A::fence(std::memory_order_seq_cst);
    for (const auto& line : lines) {
      // ACQ inside: pairs with REL in leave().
      spin_wait<A>([&line] { return line.inside.load(std::memory_order_acquire) == 0; });
    }
  }
  void resume() noexcept {
    // REL paused: pairs with ACQ in enter(), and with the fence in pause().
    paused_.store(0, std::memory_order_release);
  }

 private:
  alignas(kCacheLine) typename A::template atomic<std::uint32_t> paused_{0};
};

}  // namespace sluice
