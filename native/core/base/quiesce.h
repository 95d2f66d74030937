// Lets one thread, the reader, see tables while no other thread changes them. The cost for the other threads is one
// fence for each operation.
//
//   operation                           reader
//   inside = 1                          paused = 1
//   fence (seq_cst)          <----->    fence (seq_cst)
//   paused == 1 ?                       wait until every inside == 0
//     inside = 0; wait; start over      read; paused = 0
//
// The operation sees `paused`, or the reader sees `inside`, or both do, because both sides have a full fence between
// their store and their load (as in doorbell.h). An operation is native code, usually of a few hundred nanoseconds, so
// the reader waits for long only if a thread was preempted inside an operation.
#pragma once

#include <cstdint>

#include "core/base/atomics.h"
#include "core/base/spin_wait.h"

namespace sluice {

// While a Paused lives, no other thread changes what `quiesce` guards.
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

// A `Line` is one thread's cache line with an atomic `inside`, such as its ThreadSlot. `Lines` are those of all
// threads.
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
      // Relaxed: this thread wrote nothing between the fence and this store, and the fence publishes what it wrote
      // before.
      line.inside.store(0, std::memory_order_relaxed);
      spin_wait<A>([this] { return paused_.load(std::memory_order_relaxed) == 0; });
    }
  }
  template <class Line>
  void leave(Line& line) noexcept {
    // REL inside: pairs with ACQ in pause(): the reader sees what the operation wrote.
    line.inside.store(0, std::memory_order_release);
  }

  // Returns when no thread is inside an operation, and none can enter one. Only one reader at a time pauses the others;
  // further readers wait in pause() until it calls resume().
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
