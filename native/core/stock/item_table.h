// The items on sale. find() finds an item by its sku; the base class ItemUnits changes its units.
//
//   memory:  | Control | Item ... | StockShard ... | index |
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <string_view>

#include "core/base/atomics.h"
#include "core/base/hash.h"
#include "core/base/layout.h"
#include "core/base/spin_lock.h"
#include "core/stock/item.h"
#include "core/stock/item_units.h"
#include "core/stock/ledger_key.h"

namespace sluice {

template <class A = StdAtomics>
class ItemTable : public ItemUnits<A> {
 public:
  using Item = sluice::Item<A>;
  using StockShard = sluice::StockShard<A>;
  using AtomicU32 = typename A::template atomic<std::uint32_t>;

  // kNotJoined: `join` returned false.
  enum class Added : std::uint8_t { kAdded, kSkuExists, kFull, kNotJoined };

  struct Control {
    alignas(kCacheLine) AtomicU32 items;
    std::uint32_t shards;  // how many shards the items have; written under the lock
    SpinLock<A> lock;      // held by a thread that adds an item
  };

  static constexpr std::uint64_t index_size(std::uint32_t items) { return std::bit_ceil(items * 2ULL); }
  // `items` is the most items and also the most shards. An item has one shard or more.
  static constexpr Layout layout(std::uint32_t items) {
    return layout_of<Control, Item, StockShard, AtomicU32>(1, items, items, index_size(items));
  }
  static constexpr std::uint64_t bytes(std::uint32_t items) { return layout(items).bytes(); }

  // The table keeps a reference to the secret, and reads it when a sku is looked up.
  ItemTable(void* memory, std::uint32_t items, const KeySecret& secret)
      : ItemUnits<A>(reinterpret_cast<StockShard*>(items_of(memory) + items)),
        secret_(secret),
        control_(static_cast<Control*>(memory)),
        items_(items_of(memory)),
        index_(reinterpret_cast<AtomicU32*>(&this->shard(items))),
        room_(items),
        mask_(index_size(items) - 1) {}

  Added add(const ItemSpec& spec) noexcept {
    return add(spec, [](std::uint32_t) { return true; });
  }
  // Adds an item. The last step that can fail is `join(number)`, which is called for one item at a time, before the
  // item can be found.
  template <class Join>
  Added add(const ItemSpec& spec, Join&& join) noexcept {
    control_->lock.lock();
    const Added result = add_locked(spec, join);
    control_->lock.unlock();
    return result;
  }

  // Returns the number of the item with this sku, or kNoItem.
  std::uint32_t find(const Key& sku) const noexcept {
    for (std::uint64_t slot = place(sku);; slot = (slot + 1) & mask_) {
      // ACQ index: pairs with REL in add_locked(): the item is complete.
      const std::uint32_t number = index_[slot].load(std::memory_order_acquire);
      if (number == 0) return kNoItem;
      if (items_[number - 1].sku == sku) return number - 1;
    }
  }

  // Returns how many places find() looks at for this sku at most. These are some tens, unless an attacker could choose
  // the skus in the table: a snapshot that needs more than kStepsMax is refused.
  static constexpr std::uint64_t kStepsMax = 1'024;
  std::uint64_t steps_to(const Key& sku) const noexcept {
    std::uint64_t steps = 1;
    for (std::uint64_t slot = place(sku); index_[slot].load(std::memory_order_relaxed) != 0; ++steps) {
      slot = (slot + 1) & mask_;
    }
    return steps;
  }

  Item& operator[](std::uint32_t number) const noexcept { return items_[number]; }
  // ACQ items: pairs with REL in add_locked().
  std::uint32_t size() const noexcept { return control_->items.load(std::memory_order_acquire); }

 private:
  static Item* items_of(void* memory) { return reinterpret_cast<Item*>(static_cast<Control*>(memory) + 1); }

  // Returns the place at which find() begins. The places of ids and users come from a keyed hash (a PRF); this one does
  // not. A client chooses the sku to find, but not the skus in the table. Without the secret it cannot aim at a long
  // row of taken places.
  std::uint64_t place(const Key& sku) const noexcept {
    return (mix(sku.low ^ secret_.words[0]) ^ mix(sku.high ^ secret_.words[1])) & mask_;
  }

  template <class Join>
  Added add_locked(const ItemSpec& spec, Join&& join) noexcept {
    if (find(spec.sku) != kNoItem) return Added::kSkuExists;
    const std::uint32_t number = control_->items.load(std::memory_order_relaxed);
    if (number == room_ || spec.shards > room_ - control_->shards) return Added::kFull;
    if (!join(number)) return Added::kNotJoined;
    Item& item = items_[number];
    item.sku = spec.sku;
    spec.name.copy(item.name, sizeof item.name);
    item.name_length = static_cast<std::uint32_t>(spec.name.size());
    item.first_shard = control_->shards;
    item.shards = spec.shards;
    item.per_user.store(spec.per_user, std::memory_order_relaxed);
    item.counts_users.store(spec.per_user != 0 || spec.group != 0 ? 1 : 0, std::memory_order_relaxed);
    item.group = spec.group;
    item.total.store(spec.quantity, std::memory_order_relaxed);
    item.backorder.store(spec.backorder, std::memory_order_relaxed);
    item.sell_until.store(spec.sell_until, std::memory_order_relaxed);
    this->begin_sale(item, spec.quantity + spec.backorder);
    control_->shards += spec.shards;
    // REL items: pairs with ACQ in size().
    control_->items.store(number + 1, std::memory_order_release);
    std::uint64_t slot = place(spec.sku);
    while (index_[slot].load(std::memory_order_relaxed) != 0) slot = (slot + 1) & mask_;
    // REL index: pairs with ACQ in find().
    index_[slot].store(number + 1, std::memory_order_release);
    return Added::kAdded;
  }

  const KeySecret& secret_;
  Control* control_;
  Item* items_;
  AtomicU32* index_;  // item number + 1; 0: free; open addressing
  std::uint32_t room_;
  std::uint64_t mask_;
};

}  // namespace sluice
