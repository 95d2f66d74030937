// The items on sale. One 64-bit word per item packs what is available and what is reserved, so that
// available + reserved + sold = total holds at every instant: sold is what remains of the total.
//
//   one line:  | available : 32 | reserved : 32 |        written by every reserve, confirm, cancel, expiry
//   one line:  | sku | total | per user |                written at creation only
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "core/atomics.h"
#include "core/check.h"
#include "core/hash.h"

namespace sluice {

inline constexpr std::uint64_t kQuantityMax = (1ULL << 32) - 1;
inline constexpr std::uint32_t kNoItem = ~0u;

struct Item {
  struct Counts {
    std::uint64_t total, available, reserved, sold;
  };

  alignas(kCacheLine) std::atomic<std::uint64_t> word;
  alignas(kCacheLine) std::uint64_t sku;
  std::uint64_t total;
  std::uint64_t per_user;  // 0: no limit

  static constexpr std::uint64_t available_in(std::uint64_t word) { return word >> 32; }
  static constexpr std::uint64_t reserved_in(std::uint64_t word) { return word & kQuantityMax; }

  // Relaxed throughout: the word is the whole state of the item; reservations are published by their own state.
  bool sold_out(std::uint64_t quantity) const noexcept {
    return available_in(word.load(std::memory_order_relaxed)) < quantity;
  }
  bool reserve(std::uint64_t quantity) noexcept {
    std::uint64_t before = word.load(std::memory_order_relaxed);
    while (available_in(before) >= quantity) {
      const std::uint64_t after = before - (quantity << 32) + quantity;
      if (word.compare_exchange_weak(before, after, std::memory_order_relaxed, std::memory_order_relaxed))
        return true;
    }
    return false;
  }
  // Reserved units become available again. Cannot fail.
  void put_back(std::uint64_t quantity) noexcept {
    const std::uint64_t before = word.fetch_add((quantity << 32) - quantity, std::memory_order_relaxed);
    SLUICE_CHECK(reserved_in(before) >= quantity, "no more is put back than is reserved");
  }
  // Reserved units are sold. Cannot fail.
  void sell(std::uint64_t quantity) noexcept {
    const std::uint64_t before = word.fetch_sub(quantity, std::memory_order_relaxed);
    SLUICE_CHECK(reserved_in(before) >= quantity, "no more is sold than is reserved");
  }
  Counts counts() const noexcept {
    const std::uint64_t now = word.load(std::memory_order_relaxed);
    const std::uint64_t available = available_in(now), reserved = reserved_in(now);
    return {total, available, reserved, total - available - reserved};
  }
};

class ItemTable {
 public:
  static constexpr std::uint64_t index_size(std::uint32_t items) { return std::bit_ceil(items * 2ULL); }
  static constexpr std::uint64_t bytes(std::uint32_t items) {
    return items * sizeof(Item) + round_up(index_size(items) * sizeof(std::uint32_t), kCacheLine);
  }

  ItemTable(void* memory, std::uint32_t items)
      : items_(static_cast<Item*>(memory)),
        index_(reinterpret_cast<std::uint32_t*>(items_ + items)),
        size_(items),
        mask_(index_size(items) - 1) {}

  // False if the sku is there already. At creation only.
  bool put(std::uint32_t number, std::uint64_t sku, std::uint64_t total, std::uint64_t per_user) {
    if (find(sku) != kNoItem) return false;
    Item& item = items_[number];
    item.sku = sku;
    item.total = total;
    item.per_user = per_user;
    item.word.store(total << 32, std::memory_order_relaxed);
    std::uint64_t slot = mix(sku) & mask_;
    while (index_[slot] != 0) slot = (slot + 1) & mask_;
    index_[slot] = number + 1;
    return true;
  }

  // The number of the item with this sku, or kNoItem.
  std::uint32_t find(std::uint64_t sku) const noexcept {
    for (std::uint64_t slot = mix(sku) & mask_; index_[slot] != 0; slot = (slot + 1) & mask_) {
      if (items_[index_[slot] - 1].sku == sku) return index_[slot] - 1;
    }
    return kNoItem;
  }

  Item& operator[](std::uint32_t number) const noexcept { return items_[number]; }
  std::uint32_t size() const noexcept { return size_; }

 private:
  Item* items_;
  std::uint32_t* index_;  // item number + 1; 0: free; open addressing
  std::uint32_t size_;
  std::uint64_t mask_;
};

}  // namespace sluice
