// The units of one shard of an item, on a cache line of their own. One 64-bit word packs the available and the reserved
// units, so that available + reserved + sold = total holds at every instant: sold is the rest of the total. Available
// here means that a unit can still be reserved. The backorder cap of an item is included, as if its total were that
// much more (see ItemUnits::counts).
//
//   | available : 32 | reserved : 32 |   returns begun | returns ended |   (of an item with several shards)
//
// No thread can read the words of several shards at one instant. So a thread that makes units available again counts a
// return as begun before that, and as ended afterwards. A thread that reads the words, and finds that no return was
// under way meanwhile, knows that meanwhile units were only taken, and that in the end no more were available than it
// has read (see ItemUnits::look).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/base/atomics.h"
#include "core/base/check.h"

namespace sluice {

inline constexpr std::uint64_t kQuantityMax = (1ULL << 32) - 1;

template <class A = StdAtomics>
struct alignas(kCacheLine) StockShard {
  typename A::template atomic<std::uint64_t> word;
  typename A::template atomic<std::uint32_t> returns_begun, returns_ended;
  std::uint32_t sharded;  // 1: its item has several shards; written before the item can be found

  static constexpr std::uint64_t available_in(std::uint64_t word) { return word >> 32; }
  static constexpr std::uint64_t reserved_in(std::uint64_t word) { return word & kQuantityMax; }

  std::uint64_t available() const noexcept { return available_in(word.load(std::memory_order_relaxed)); }

  bool reserve(std::uint64_t quantity) noexcept {
    std::uint64_t before = word.load(std::memory_order_relaxed);
    while (available_in(before) >= quantity) {
      // REL word: pairs with ACQ in look(). A thread that sees that these units were taken sees the count of the
      // returns that began before that.
      if (word.compare_exchange_weak(before, before - (quantity << 32) + quantity, std::memory_order_release,
                                     std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  // Reserved units become available again. Cannot fail.
  void put_back(std::uint64_t quantity) noexcept {
    const Return one(*this);
    const std::uint64_t before = word.fetch_add((quantity << 32) - quantity, std::memory_order_relaxed);
    SLUICE_CHECK(reserved_in(before) >= quantity, "no more is put back than is reserved");
  }
  // Reserved units are sold. Cannot fail.
  void sell(std::uint64_t quantity) noexcept {
    const std::uint64_t before = word.fetch_sub(quantity, std::memory_order_relaxed);
    SLUICE_CHECK(reserved_in(before) >= quantity, "no more is sold than is reserved");
  }
  void add(std::uint64_t quantity) noexcept {
    const Return one(*this);
    word.fetch_add(quantity << 32, std::memory_order_relaxed);
  }
  // Takes `quantity` available units away, or none. Only for an item with one shard. Relaxed: of such an item look()
  // reads only this word.
  bool take_all(std::uint64_t quantity) noexcept {
    std::uint64_t before = word.load(std::memory_order_relaxed);
    while (available_in(before) >= quantity) {
      if (word.compare_exchange_weak(before, before - (quantity << 32), std::memory_order_relaxed,
                                     std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  // Takes up to `quantity` available units away, but leaves at least `rest` of them. Returns how many.
  std::uint64_t take_away(std::uint64_t quantity, std::uint64_t rest = 0) noexcept {
    std::uint64_t before = word.load(std::memory_order_relaxed);
    for (;;) {
      const std::uint64_t available = available_in(before);
      const std::uint64_t taken = std::min(quantity, available - std::min(available, rest));
      // REL word: as in reserve().
      if (word.compare_exchange_weak(before, before - (taken << 32), std::memory_order_release,
                                     std::memory_order_relaxed)) {
        return taken;
      }
    }
  }

  // While one lives, units may come back to a shard of its item.
  class Return {
   public:
    explicit Return(StockShard& shard) noexcept : shard_(shard) {
      // Relaxed: if units are taken after this, by this thread or by one that has synchronized with it, the REL of that
      // take publishes the count, too: see reserve().
      if (shard_.sharded != 0) shard_.returns_begun.fetch_add(1, std::memory_order_relaxed);
    }
    // REL ended: pairs with ACQ in look(), which then finds the units that have come back.
    ~Return() {
      if (shard_.sharded != 0) shard_.returns_ended.fetch_add(1, std::memory_order_release);
    }
    Return(const Return&) = delete;
    Return& operator=(const Return&) = delete;

   private:
    StockShard& shard_;
  };
};

}  // namespace sluice
