// Chooses which units of a reservation's lines belong to the part that a request names.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/stock/ledger_memory.h"
#include "core/stock/stock_request.h"

namespace sluice {

class ChainPart {
 public:
  ChainPart(const LedgerMemory& memory, const Part& part) noexcept : part_(part) {
    for (std::uint32_t i = 0; i < part.line_count; ++i) {
      add(memory.items.find(part.lines[i].sku), part.lines[i].quantity);
    }
  }

  // Called for each line of the reservation: the part can take up to `units` of that line's units.
  void offer(std::uint32_t item, std::uint64_t units) noexcept {
    offered_ += units;
    std::uint32_t i = index_of(item);
    if (i == count_ && part_.line_count == 0) add(item, 0);
    if (i < count_) wishes_[i].offered += units;
  }

  // Called once all lines have been offered. Returns kDone, or why they are not enough for the part. Sets `line` to the
  // part's line to which that applies.
  ResolveResult verdict(std::uint32_t& line) noexcept {
    line = 0;
    if (too_many_) return ResolveResult::kBadQuantity;
    if (part_.line_count == 0) {
      // A quantity that names no item is ambiguous if the reservation has several.
      if (part_.quantity != 0 && (count_ != 1 || part_.quantity > offered_))
        return ResolveResult::kBadQuantity;
      for (std::uint32_t i = 0; i < count_; ++i) {
        wishes_[i].wanted = wishes_[i].left = part_.quantity != 0 ? part_.quantity : wishes_[i].offered;
      }
      return ResolveResult::kDone;
    }
    for (; line < count_; ++line) {
      if (!wishes_[line].is_there) return ResolveResult::kBadLine;
      if (wishes_[line].offered < wishes_[line].wanted) return ResolveResult::kBadQuantity;
    }
    return ResolveResult::kDone;
  }

  // Returns how many of a line's units belong to the part. Called once for each line, after the verdict.
  std::uint64_t take(std::uint32_t item, std::uint64_t units) noexcept {
    const std::uint32_t i = index_of(item);
    if (i == count_) return 0;
    const std::uint64_t taken = std::min(units, wishes_[i].left);
    wishes_[i].left -= taken;
    return taken;
  }

  // Whether the part is everything that was offered.
  bool is_whole() const noexcept {
    std::uint64_t wanted = 0;
    for (std::uint32_t i = 0; i < count_; ++i) wanted += wishes_[i].wanted;
    return wanted == offered_;
  }

  // Calls `visit(item, units wanted)` for each item of the part.
  template <class Visit>
  void for_each_item(Visit&& visit) const {
    for (std::uint32_t i = 0; i < count_; ++i) visit(wishes_[i].item, wishes_[i].wanted);
  }

 private:
  struct Wish {
    std::uint32_t item;
    bool is_there;  // whether the reservation has the item
    std::uint64_t wanted, left, offered;
  };

  // No reservation has more items than `wishes_` has room for. If one is found all the same, no part of it is chosen.
  void add(std::uint32_t item, std::uint64_t wanted) noexcept {
    too_many_ = too_many_ || count_ == StockRequest::kLinesMax;
    if (too_many_) return;
    wishes_[count_++] = {item, false, wanted, wanted, 0};
  }
  std::uint32_t index_of(std::uint32_t item) noexcept {
    for (std::uint32_t i = 0; i < count_; ++i) {
      if (wishes_[i].item != item) continue;
      wishes_[i].is_there = true;
      return i;
    }
    return count_;
  }

  const Part part_;
  std::uint32_t count_ = 0;
  bool too_many_ = false;
  std::uint64_t offered_ = 0;
  Wish wishes_[StockRequest::kLinesMax];
};

}  // namespace sluice
