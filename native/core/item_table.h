// The items on sale. One 64-bit word packs what is available and what is reserved, so that
// available + reserved + sold = total holds at every instant: sold is what remains of the total. The units of a hot
// item are split over several such words (shards), so that threads that reserve it do not share a line; each word
// keeps the sum for its own part.
//
//   StockLine, one line each:  | available : 32 | reserved : 32 |     written by every reserve, confirm, cancel, expiry
//   Item, one line each:       | sku | name | shards | per user | closed | total |     written by restock and the like
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/atomics.h"
#include "core/check.h"
#include "core/ledger_key.h"
#include "core/spin_lock.h"

namespace sluice {

inline constexpr std::uint64_t kQuantityMax = (1ULL << 32) - 1;
inline constexpr std::uint32_t kNoItem = ~0u;
inline constexpr std::uint32_t kItemsMax = 65'536;
inline constexpr std::uint32_t kShardsMax = 16;
inline constexpr std::size_t kSkuTextMax = 32;  // octets of UTF-8

struct StockCounts {
  std::uint64_t total, available, reserved, sold;
};

// Relaxed throughout: the word is the whole state; reservations are published by their own state.
struct alignas(kCacheLine) StockLine {
  std::atomic<std::uint64_t> word;

  static constexpr std::uint64_t available_in(std::uint64_t word) { return word >> 32; }
  static constexpr std::uint64_t reserved_in(std::uint64_t word) { return word & kQuantityMax; }

  std::uint64_t available() const noexcept { return available_in(word.load(std::memory_order_relaxed)); }

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
  void add(std::uint64_t quantity) noexcept { word.fetch_add(quantity << 32, std::memory_order_relaxed); }
  // Takes up to `quantity` available units away. Returns how many.
  std::uint64_t take_away(std::uint64_t quantity) noexcept {
    std::uint64_t before = word.load(std::memory_order_relaxed);
    for (;;) {
      const std::uint64_t taken = std::min(quantity, available_in(before));
      if (word.compare_exchange_weak(before, before - (taken << 32), std::memory_order_relaxed,
                                     std::memory_order_relaxed)) {
        return taken;
      }
    }
  }
};

struct alignas(kCacheLine) Item {
  // Written before the item can be found, then never again.
  Key sku;
  char name[kSkuTextMax];     // of a sku that is a text
  std::uint32_t name_length;  // 0: the sku is a number
  std::uint32_t first_line, shards;
  std::uint64_t per_user;  // 0: no limit

  std::atomic<std::uint32_t> closed;  // 1: nothing more is reserved
  std::atomic<std::uint32_t> change;  // odd while the total is being changed
  std::atomic<std::uint64_t> total;
  SpinLock<> lock;  // of those who change the total, and of those who gather units from several shards

  std::string_view name_text() const noexcept { return {name, name_length}; }
};
static_assert(sizeof(Item) == kCacheLine);

struct ItemSpec {
  Key sku;
  std::string_view name;  // empty: the sku is a number
  std::uint64_t quantity;
  std::uint64_t per_user;
  std::uint32_t shards;  // 1 to kShardsMax
};

class ItemTable {
 public:
  enum class Added : std::uint8_t { kAdded, kSkuExists, kFull };

  struct Control {
    alignas(kCacheLine) std::atomic<std::uint32_t> items;
    std::uint32_t lines;  // taken of the table's; under the lock
    SpinLock<> lock;      // of those who add
  };

  static constexpr std::uint64_t index_size(std::uint32_t items) { return std::bit_ceil(items * 2ULL); }
  // Room for `items` lines, of which an item takes one for each of its shards.
  static constexpr std::uint64_t bytes(std::uint32_t items) {
    return sizeof(Control) + items * (sizeof(Item) + sizeof(StockLine)) +
           round_up(index_size(items) * sizeof(std::atomic<std::uint32_t>), kCacheLine);
  }

  ItemTable(void* memory, std::uint32_t items)
      : control_(static_cast<Control*>(memory)),
        items_(reinterpret_cast<Item*>(control_ + 1)),
        lines_(reinterpret_cast<StockLine*>(items_ + items)),
        index_(reinterpret_cast<std::atomic<std::uint32_t>*>(lines_ + items)),
        room_(items),
        mask_(index_size(items) - 1) {}

  Added add(const ItemSpec& spec) noexcept {
    control_->lock.lock();
    const Added result = add_locked(spec);
    control_->lock.unlock();
    return result;
  }

  // The number of the item with this sku, or kNoItem.
  std::uint32_t find(const Key& sku) const noexcept {
    for (std::uint64_t slot = mix(sku) & mask_;; slot = (slot + 1) & mask_) {
      // ACQ index: pairs with REL in add(): the item is complete.
      const std::uint32_t number = index_[slot].load(std::memory_order_acquire);
      if (number == 0) return kNoItem;
      if (items_[number - 1].sku == sku) return number - 1;
    }
  }

  // Whether fewer than `quantity` units are available, all shards together, at one instant of this call.
  bool sold_out(const Item& item, std::uint64_t quantity) const noexcept {
    if (item.shards == 1) [[likely]]
      return lines_[item.first_line].available() < quantity;
    std::uint64_t seen[2][kShardsMax];
    for (int reads = 0;; ++reads) {
      std::uint64_t sum = 0;
      for (std::uint32_t shard = 0; shard < item.shards; ++shard) {
        seen[reads & 1][shard] = lines_[item.first_line + shard].word.load(std::memory_order_relaxed);
        sum += StockLine::available_in(seen[reads & 1][shard]);
      }
      if (sum >= quantity) return false;
      // Read twice alike: there was an instant at which all of them were so. A word that keeps changing while the
      // sum is short belongs to a sale of the last units; then the sum of the last reading decides.
      const bool alike = reads > 0 && std::memcmp(seen[0], seen[1], item.shards * sizeof seen[0][0]) == 0;
      if (alike || reads == kReadsMax) return true;
    }
  }

  StockCounts counts(const Item& item) const noexcept {
    for (;;) {
      // ACQ change: pairs with REL in change_total(): an even number says that total and words belong together.
      const std::uint32_t before = item.change.load(std::memory_order_acquire);
      const std::uint64_t total = item.total.load(std::memory_order_relaxed);
      std::uint64_t available = 0, reserved = 0;
      for (std::uint32_t shard = 0; shard < item.shards; ++shard) {
        const std::uint64_t word = lines_[item.first_line + shard].word.load(std::memory_order_relaxed);
        available += StockLine::available_in(word);
        reserved += StockLine::reserved_in(word);
      }
      // Pairs with the fence in change_total(): of a change that the sum has seen, the number is seen too.
      std::atomic_thread_fence(std::memory_order_acquire);
      if (before % 2 == 0 && item.change.load(std::memory_order_relaxed) == before) {
        return {total, available, reserved, total - available - reserved};
      }
      cpu_pause();
    }
  }

  // Puts `quantity` more units on sale; false if the total would exceed kQuantityMax.
  bool restock(Item& item, std::uint64_t quantity) noexcept {
    item.lock.lock();
    const bool fits = item.total.load(std::memory_order_relaxed) + quantity <= kQuantityMax;
    if (fits) {
      change_total(item, [&] {
        for (std::uint32_t shard = 0; shard < item.shards; ++shard) {
          lines_[item.first_line + shard].add(share(quantity, item.shards, shard));
        }
        return quantity;
      });
    }
    item.lock.unlock();
    return fits;
  }
  // Takes up to `quantity` available units off sale. Returns how many.
  std::uint64_t withdraw(Item& item, std::uint64_t quantity) noexcept {
    std::uint64_t taken = 0;
    item.lock.lock();
    change_total(item, [&] {
      for (std::uint32_t shard = 0; shard < item.shards; ++shard) {
        taken += lines_[item.first_line + shard].take_away(quantity - taken);
      }
      return 0 - taken;
    });
    item.lock.unlock();
    return taken;
  }

  Item& operator[](std::uint32_t number) const noexcept { return items_[number]; }
  StockLine& line(std::uint32_t number) const noexcept { return lines_[number]; }
  // ACQ items: pairs with REL in add().
  std::uint32_t size() const noexcept { return control_->items.load(std::memory_order_acquire); }

 private:
  static constexpr int kReadsMax = 16;

  static std::uint64_t share(std::uint64_t quantity, std::uint32_t shards, std::uint32_t shard) noexcept {
    return quantity / shards + (shard < quantity % shards ? 1 : 0);
  }

  Added add_locked(const ItemSpec& spec) noexcept {
    if (find(spec.sku) != kNoItem) return Added::kSkuExists;
    const std::uint32_t number = control_->items.load(std::memory_order_relaxed);
    if (number == room_ || spec.shards > room_ - control_->lines) return Added::kFull;
    Item& item = items_[number];
    item.sku = spec.sku;
    std::memcpy(item.name, spec.name.data(), spec.name.size());
    item.name_length = static_cast<std::uint32_t>(spec.name.size());
    item.first_line = control_->lines;
    item.shards = spec.shards;
    item.per_user = spec.per_user;
    item.total.store(spec.quantity, std::memory_order_relaxed);
    for (std::uint32_t shard = 0; shard < spec.shards; ++shard) {
      lines_[item.first_line + shard].add(share(spec.quantity, spec.shards, shard));
    }
    control_->lines += spec.shards;
    // REL items: pairs with ACQ in size().
    control_->items.store(number + 1, std::memory_order_release);
    std::uint64_t slot = mix(spec.sku) & mask_;
    while (index_[slot].load(std::memory_order_relaxed) != 0) slot = (slot + 1) & mask_;
    // REL index: pairs with ACQ in find().
    index_[slot].store(number + 1, std::memory_order_release);
    return Added::kAdded;
  }

  // Changes words and total (by what `words()` returns) so that counts() sees both or neither. Under the lock.
  template <class Words>
  void change_total(Item& item, Words&& words) noexcept {
    const std::uint32_t number = item.change.load(std::memory_order_relaxed);
    item.change.store(number + 1, std::memory_order_relaxed);
    // Pairs with the fence in counts().
    std::atomic_thread_fence(std::memory_order_release);
    const std::uint64_t by = words();
    item.total.store(item.total.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
    // REL change: pairs with ACQ in counts().
    item.change.store(number + 2, std::memory_order_release);
  }

  Control* control_;
  Item* items_;
  StockLine* lines_;
  std::atomic<std::uint32_t>* index_;  // item number + 1; 0: free; open addressing
  std::uint32_t room_;
  std::uint64_t mask_;
};

}  // namespace sluice
