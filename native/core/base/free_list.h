// The free slots of a table, first in first out, so that a slot is used again as late as possible. This is a bounded
// multi-producer multi-consumer queue of slot numbers, with a sequence in each cell (D. Vyukov), but simpler in two
// ways. There are at least twice as many cells as slots, and at most as many numbers as slots, so put() always finds an
// empty cell: it cannot fail. take() reads the number in a cell before it claims the position of that cell, so put()
// waits for no thread.
//
//   cell:  | sequence : 32 | slot : 32 |   written by put(); the sequence is the position + 1
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "core/base/atomics.h"
#include "core/base/layout.h"

namespace sluice {

inline constexpr std::uint32_t kNoSlot = ~0u;

template <class A = StdAtomics>
class FreeList {
 public:
  using Cell = typename A::template atomic<std::uint64_t>;
  struct Control {
    alignas(kCacheLine) typename A::template atomic<std::uint64_t> taken;
    alignas(kCacheLine) typename A::template atomic<std::uint64_t> put;
  };

  static constexpr std::uint32_t cells(std::uint32_t slots) { return std::bit_ceil(slots * 2); }
  static constexpr Layout layout(std::uint32_t slots) { return layout_of<Control, Cell>(1, cells(slots)); }
  static constexpr std::uint64_t bytes(std::uint32_t slots) { return layout(slots).bytes(); }

  FreeList(void* memory, std::uint32_t slots)
      : control_(static_cast<Control*>(memory)),
        cells_(reinterpret_cast<Cell*>(control_ + 1)),
        mask_(cells(slots) - 1) {}

  // Makes the slots 0 to slots - 1 free.
  void format(std::uint32_t slots) noexcept { format(slots, 0); }
  // As format(slots), but as if `past` numbers had been put and taken before, so that tests can begin just before the
  // sequences wrap around. `past` is a multiple of the number of cells.
  void format(std::uint32_t slots, std::uint64_t past) noexcept {
    for (std::uint32_t i = 0; i <= mask_; ++i) {
      // A cell without a number gets the sequence of the round before, so that take() finds no number in it until put()
      // has written it.
      const std::uint64_t position = past + i - (i < slots ? 0 : mask_ + 1ULL);
      cells_[i].store(cell_of(position, i), std::memory_order_relaxed);
    }
    control_->taken.store(past, std::memory_order_relaxed);
    control_->put.store(past + slots, std::memory_order_relaxed);
  }

  // How many slots are free. The answer is exact only while no thread takes or puts.
  std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(control_->put.load(std::memory_order_relaxed) -
                                      control_->taken.load(std::memory_order_relaxed));
  }

  // Calls visit(slot) for each free slot, in the order in which the slots will be taken. No thread may take or put
  // meanwhile.
  template <class Visit>
  void for_each(Visit&& visit) const {
    const std::uint64_t end = control_->put.load(std::memory_order_relaxed);
    for (std::uint64_t at = control_->taken.load(std::memory_order_relaxed); at != end; ++at) {
      visit(slot_in(cells_[at & mask_].load(std::memory_order_relaxed)));
    }
  }

  // Takes the slot that has been free for longest. Returns kNoSlot if no slot is free, or if the thread that is putting
  // that slot back does not finish within kSpinsMax pauses, because it has lost the processor.
  std::uint32_t take() noexcept {
    std::uint64_t position = control_->taken.load(std::memory_order_relaxed);
    for (int spins = 0;;) {
      // ACQ cell: pairs with REL in put(): the thread that put the slot has finished with it.
      const std::uint64_t cell = cells_[position & mask_].load(std::memory_order_acquire);
      if (sequence_in(cell) == sequence_of(position)) {
        // Relaxed: the thread that wins the position has already read the cell, above. `taken` has 64 bits and never
        // repeats, so if it is still `position`, the cell has not been written again.
        if (control_->taken.compare_exchange_weak(position, position + 1, std::memory_order_relaxed,
                                                  std::memory_order_relaxed)) {
          return slot_in(cell);
        }
        continue;
      }
      const std::uint64_t now = control_->taken.load(std::memory_order_relaxed);
      if (now == position) {
        if (control_->put.load(std::memory_order_relaxed) <= position || ++spins == kSpinsMax) return kNoSlot;
        A::pause();
      }
      position = now;
    }
  }

  void put(std::uint32_t slot) noexcept {
    // Relaxed: the store of the cell publishes the number. The list, together with the threads in put(), has at most as
    // many numbers as there are slots. So this position is less than one round of cells ahead of `taken`, and its cell
    // is empty.
    const std::uint64_t position = control_->put.fetch_add(1, std::memory_order_relaxed);
    // REL cell: pairs with ACQ in take().
    cells_[position & mask_].store(cell_of(position, slot), std::memory_order_release);
  }

 private:
  static constexpr int kSpinsMax = 1000;  // about 10 us of pauses; a thread in put() needs two instructions

  static std::uint32_t sequence_of(std::uint64_t position) noexcept {
    return static_cast<std::uint32_t>(position + 1);
  }
  static std::uint64_t cell_of(std::uint64_t position, std::uint32_t slot) noexcept {
    return static_cast<std::uint64_t>(sequence_of(position)) << 32 | slot;
  }
  static std::uint32_t sequence_in(std::uint64_t cell) noexcept {
    return static_cast<std::uint32_t>(cell >> 32);
  }
  static std::uint32_t slot_in(std::uint64_t cell) noexcept { return static_cast<std::uint32_t>(cell); }

  Control* control_;
  Cell* cells_;
  std::uint64_t mask_;
};

}  // namespace sluice
