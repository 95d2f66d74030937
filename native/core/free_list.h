// The free slots of a table, first in first out, so that a slot is used again as late as possible.
// A bounded MPMC queue of slot numbers with a sequence per cell (D. Vyukov). It never holds more numbers than
// there are slots, so putting one back cannot fail.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "core/atomics.h"

namespace sluice {

inline constexpr std::uint32_t kNoSlot = ~0u;

class FreeList {
 public:
  struct Cell {
    std::atomic<std::uint32_t> sequence;
    std::uint32_t slot;
  };
  struct Control {
    alignas(kCacheLine) std::atomic<std::uint32_t> taken;
    alignas(kCacheLine) std::atomic<std::uint32_t> put;
  };

  // Twice the slots: a putter then does not meet the cell of a taker that was preempted a moment ago.
  static constexpr std::uint32_t cells(std::uint32_t slots) { return std::bit_ceil(slots * 2); }
  static constexpr std::uint64_t bytes(std::uint32_t slots) {
    return sizeof(Control) + round_up(cells(slots) * sizeof(Cell), kCacheLine);
  }

  FreeList(void* memory, std::uint32_t slots)
      : control_(static_cast<Control*>(memory)),
        cells_(reinterpret_cast<Cell*>(control_ + 1)),
        mask_(cells(slots) - 1) {}

  // All of 0 .. slots - 1 are free.
  void format(std::uint32_t slots) {
    for (std::uint32_t i = 0; i <= mask_; ++i) {
      cells_[i].slot = i;
      cells_[i].sequence.store(i < slots ? i + 1 : i, std::memory_order_relaxed);
    }
    control_->taken.store(0, std::memory_order_relaxed);
    control_->put.store(slots, std::memory_order_relaxed);
  }

  // Exact while nobody takes or puts.
  std::uint32_t size() const noexcept {
    return control_->put.load(std::memory_order_relaxed) - control_->taken.load(std::memory_order_relaxed);
  }

  // Calls `visit(slot)` for each, in the order in which they will be taken. While nobody takes or puts.
  template <class Visit>
  void for_each(Visit&& visit) const {
    const std::uint32_t end = control_->put.load(std::memory_order_relaxed);
    for (std::uint32_t at = control_->taken.load(std::memory_order_relaxed); at != end; ++at) {
      visit(cells_[at & mask_].slot);
    }
  }

  // The slot that has been free for longest, or kNoSlot. Under contention a list whose last few slots are just
  // being put back may report none.
  std::uint32_t take() noexcept {
    std::uint32_t position = control_->taken.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[position & mask_];
      // ACQ sequence: pairs with REL in put().
      const auto ahead =
          static_cast<std::int32_t>(cell.sequence.load(std::memory_order_acquire) - (position + 1));
      if (ahead < 0) return kNoSlot;
      if (ahead > 0) {
        position = control_->taken.load(std::memory_order_relaxed);
      } else if (control_->taken.compare_exchange_weak(position, position + 1, std::memory_order_relaxed,
                                                       std::memory_order_relaxed)) {
        const std::uint32_t slot = cell.slot;
        // REL sequence: pairs with ACQ in put(): the number has been read.
        cell.sequence.store(position + mask_ + 1, std::memory_order_release);
        return slot;
      }
    }
  }

  void put(std::uint32_t slot) noexcept {
    std::uint32_t position = control_->put.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[position & mask_];
      // ACQ sequence: pairs with REL in take(). A cell that a preempted taker has not yet read would be waited
      // for, which takes as many more takes as there are slots while it sleeps.
      const auto ahead = static_cast<std::int32_t>(cell.sequence.load(std::memory_order_acquire) - position);
      if (ahead == 0 && control_->put.compare_exchange_weak(position, position + 1, std::memory_order_relaxed,
                                                            std::memory_order_relaxed)) {
        cell.slot = slot;
        // REL sequence: pairs with ACQ in take().
        cell.sequence.store(position + 1, std::memory_order_release);
        return;
      }
      if (ahead != 0) {
        if (ahead < 0) cpu_pause();
        position = control_->put.load(std::memory_order_relaxed);
      }
    }
  }

 private:
  Control* control_;
  Cell* cells_;
  std::uint32_t mask_;
};

}  // namespace sluice
