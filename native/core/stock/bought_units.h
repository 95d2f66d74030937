// Counts the units that each user has bought of an item and not returned, in one word for each entry of the user table,
// whose own counts include units that are only held. Sales and returns write a word; reservations do not.
//
// While an entry has bought units, its count is not 0, so it stays with its pair. A thread that returns units takes
// them from here first, and then checks that the entry still belongs to the pair. If not, it has taken units of another
// pair, which keeps the entry meanwhile, and puts them back.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/base/layout.h"

namespace sluice {

class BoughtUnits {
 public:
  static constexpr Layout layout(std::uint64_t entries) {
    return layout_of<std::atomic<std::uint32_t>>(entries);
  }
  explicit BoughtUnits(void* memory) : units_(static_cast<std::atomic<std::uint32_t>*>(memory)) {}

  // All accesses are relaxed: a thread that learns of a sale from its record has acquired the word `sold` of the line,
  // which the seller changes after it has added the units here.
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
