// How many units each user has bought of an item and not returned, beside the user table's counts of what is held or
// bought: one word for each of its entries. It is written when something is sold or returned, not when it is reserved.
//
// While an entry has bought units, its count is not 0, so it stays its pair's. A thread that gives units back takes
// them from here first, and then looks whether the entry is still the pair's: if not, it has taken another pair's,
// which cannot go away meanwhile, and puts them back.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/base/layout.h"

namespace sluice {

class BoughtUnits {
 public:
  static constexpr std::uint64_t bytes(std::uint64_t entries) {
    return bytes_of<std::atomic<std::uint32_t>>(entries);
  }
  explicit BoughtUnits(void* memory) : units_(static_cast<std::atomic<std::uint32_t>*>(memory)) {}

  // Relaxed, all of them: a thread that learns of a sale has acquired its line's record, which was written after this.
  std::uint64_t of(std::uint32_t entry) const noexcept {
    return units_[entry].load(std::memory_order_relaxed);
  }
  void add(std::uint32_t entry, std::uint64_t units) noexcept {
    units_[entry].fetch_add(static_cast<std::uint32_t>(units), std::memory_order_relaxed);
  }
  // Takes all of `units`, or nothing.
  bool take(std::uint32_t entry, std::uint64_t units) noexcept {
    std::uint32_t before = units_[entry].load(std::memory_order_relaxed);
    while (before >= units) {
      if (units_[entry].compare_exchange_weak(before, before - static_cast<std::uint32_t>(units),
                                              std::memory_order_relaxed, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

 private:
  std::atomic<std::uint32_t>* units_;
};

}  // namespace sluice
