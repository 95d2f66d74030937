// The items on sale. The units of a hot item are split over several shards, so that threads that reserve
// it do not share a cache line; each keeps the sum for its own part (see stock_shard.h).
//
//   StockShard, one cache line each:  | available : 32 | reserved : 32 | ... |   by reserve, confirm, cancel ...
//   Item, one cache line each:  | sku | name | shards | per user | closed | total | backorder |   by restock and such
//
// An item with a backorder cap can be reserved beyond its total, by that many units. The cap is in the shards, as
// available units, so that a reservation need not know of it; counts() tells the two apart.
//
// A limit per user can come and go. Units that were reserved or sold without one count for no user: a reservation's
// line says whether it counts, and an item that has, or had, a limit keeps the sum of its units that were sold
// uncounted.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/base/atomics.h"
#include "core/base/hash.h"
#include "core/base/layout.h"
#include "core/base/spin_lock.h"
#include "core/base/spin_wait.h"
#include "core/stock/ledger_key.h"
#include "core/stock/stock_shard.h"

namespace sluice {

inline constexpr std::uint32_t kNoItem = ~0u;
inline constexpr std::uint32_t kItemsMax = 65'536;
inline constexpr std::uint32_t kShardsMax = 16;
inline constexpr std::size_t kSkuTextMax = 32;  // octets of UTF-8

// available + reserved + sold = total + backordered, and available or backordered is 0.
struct StockCounts {
  std::uint64_t total, available, reserved, sold;
  std::uint64_t backorder;    // the cap; total + backorder is at most kQuantityMax
  std::uint64_t backordered;  // reserved and sold beyond the total: at most the cap
};

// What has become of a total or a backorder cap that was to be set.
enum class LevelSet : std::uint8_t {
  kDone,
  kTaken,   // units that would go are reserved or sold: nothing was changed
  kTooMany  // total and backorder would be more than kQuantityMax: nothing was changed
};
struct TotalSet {
  LevelSet result;
  std::uint64_t added, taken;  // how many units: one of them is 0
};

template <class A = StdAtomics>
struct alignas(kCacheLine) Item {
  // Written before the item can be found, then never again.
  Key sku;
  char name[kSkuTextMax];     // of a sku that is a text
  std::uint32_t name_length;  // 0: the sku is a number
  std::uint32_t first_shard, shards;
  std::uint32_t group;  // 1 + its number; 0: none

  typename A::template atomic<std::uint64_t> per_user;  // 0: no limit
  typename A::template atomic<std::uint32_t>
      counts_users;                                   // 1: it has a limit per user or a group, or had one
  typename A::template atomic<std::uint32_t> closed;  // 1: nothing more is reserved
  typename A::template atomic<std::uint32_t> change;  // odd while the total is being changed
  typename A::template atomic<std::uint64_t> total;
  // Of one that counts users: the units sold that no user's count has.
  typename A::template atomic<std::uint64_t> sold_uncounted;
  typename A::template atomic<std::uint64_t> backorder;  // 0: nothing beyond the total
  SpinLock<A> lock;  // of those who change the total, and of those who gather units from several shards

  std::string_view name_text() const noexcept { return {name, name_length}; }
};
static_assert(sizeof(Item<>) == kCacheLine);

struct ItemSpec {
  Key sku;
  std::string_view name;  // empty: the sku is a number
  std::uint64_t quantity;
  std::uint64_t per_user;
  std::uint32_t shards;     // 1 to kShardsMax
  std::uint32_t group = 0;  // 1 + its number; 0: none
  std::uint64_t backorder = 0;
};

template <class A = StdAtomics>
class ItemTable {
 public:
  using Item = sluice::Item<A>;
  using StockShard = sluice::StockShard<A>;
  using AtomicU32 = typename A::template atomic<std::uint32_t>;

  // kNotJoined: `join` said so.
  enum class Added : std::uint8_t { kAdded, kSkuExists, kFull, kNotJoined };

  struct Control {
    alignas(kCacheLine) AtomicU32 items;
    std::uint32_t shards;  // taken of the table's; under the lock
    SpinLock<A> lock;      // of those who add
  };

  static constexpr std::uint64_t index_size(std::uint32_t items) { return std::bit_ceil(items * 2ULL); }
  // Room for `items` shards, of which an item takes one for each of its shards.
  static constexpr std::uint64_t bytes(std::uint32_t items) {
    return bytes_of<Control, Item, StockShard, AtomicU32>(1, items, items, index_size(items));
  }

  // The secret is read when the table is used.
  ItemTable(void* memory, std::uint32_t items, const KeySecret& secret)
      : secret_(secret),
        control_(static_cast<Control*>(memory)),
        items_(reinterpret_cast<Item*>(control_ + 1)),
        shards_(reinterpret_cast<StockShard*>(items_ + items)),
        index_(reinterpret_cast<AtomicU32*>(shards_ + items)),
        room_(items),
        mask_(index_size(items) - 1) {}

  Added add(const ItemSpec& spec) noexcept {
    return add(spec, [](std::uint32_t) { return true; });
  }
  // `join(number)` is called before the item can be found, one at a time, and last of what can fail.
  template <class Join>
  Added add(const ItemSpec& spec, Join&& join) noexcept {
    control_->lock.lock();
    const Added result = add_locked(spec, join);
    control_->lock.unlock();
    return result;
  }

  // The number of the item with this sku, or kNoItem.
  std::uint32_t find(const Key& sku) const noexcept {
    for (std::uint64_t slot = place(sku);; slot = (slot + 1) & mask_) {
      // ACQ index: pairs with REL in add(): the item is complete.
      const std::uint32_t number = index_[slot].load(std::memory_order_acquire);
      if (number == 0) return kNoItem;
      if (items_[number - 1].sku == sku) return number - 1;
    }
  }

  // How many places are looked at to find it. Where nobody could choose the skus, some tens at most.
  static constexpr std::uint64_t kStepsMax = 1'024;
  std::uint64_t steps_to(const Key& sku) const noexcept {
    std::uint64_t steps = 1;
    for (std::uint64_t slot = place(sku); index_[slot].load(std::memory_order_relaxed) != 0; ++steps) {
      slot = (slot + 1) & mask_;
    }
    return steps;
  }

  // Whether `quantity` units can be reserved, all shards together.
  //   kSoldOut: there was an instant of this call at which they were not.
  //   kUnsettled: they were not found, but units were coming back, or may come back, from a gathering that fails.
  enum class Look : std::uint8_t { kEnough, kSoldOut, kUnsettled };

  Look look(const Item& item, std::uint64_t quantity) const noexcept {
    if (item.shards == 1) [[likely]]
      return shards_[item.first_shard].available() < quantity ? Look::kSoldOut : Look::kEnough;
    std::uint32_t under_way = 0;
    // ACQ ended: pairs with REL in ~Return(): the words below have what came back.
    for_shards(item,
               [&](StockShard& shard) { under_way -= shard.returns_ended.load(std::memory_order_acquire); });
    std::uint64_t sum = 0;
    // ACQ word: pairs with REL in reserve(): the returns that were before a unit went are counted below.
    for_shards(item, [&](StockShard& shard) {
      sum += StockShard::available_in(shard.word.load(std::memory_order_acquire));
    });
    if (sum >= quantity) return Look::kEnough;
    for_shards(item,
               [&](StockShard& shard) { under_way += shard.returns_begun.load(std::memory_order_relaxed); });
    return under_way == 0 ? Look::kSoldOut : Look::kUnsettled;
  }

  // The same; and of an item that is sold out, whether units are reserved, which may come back.
  Look look(const Item& item, std::uint64_t quantity, bool& reserved) const noexcept {
    if (item.shards == 1) [[likely]] {
      const std::uint64_t word = shards_[item.first_shard].word.load(std::memory_order_relaxed);
      if (StockShard::available_in(word) >= quantity) return Look::kEnough;
      reserved = StockShard::reserved_in(word) != 0;
      return Look::kSoldOut;
    }
    const Look first = look(item, quantity);
    if (first != Look::kSoldOut) return first;
    reserved = any_reserved(item);
    // If none is, the last ones may have come back since the first look.
    return reserved ? first : look(item, quantity);
  }

  bool any_reserved(const Item& item) const noexcept {
    std::uint64_t reserved = 0;
    for_shards(item, [&](StockShard& shard) {
      reserved |= StockShard::reserved_in(shard.word.load(std::memory_order_relaxed));
    });
    return reserved != 0;
  }

  StockCounts counts(const Item& item) const noexcept {
    StockCounts counts{};
    spin_wait<A>([&] {
      // ACQ change: pairs with REL in change_total(): an even number says that total and words belong together.
      const std::uint32_t before = item.change.load(std::memory_order_acquire);
      counts = {};
      counts.total = item.total.load(std::memory_order_relaxed);
      counts.backorder = item.backorder.load(std::memory_order_relaxed);
      for_shards(item, [&](StockShard& shard) {
        const std::uint64_t word = shard.word.load(std::memory_order_relaxed);
        counts.available += StockShard::available_in(word);
        counts.reserved += StockShard::reserved_in(word);
      });
      // Pairs with the fence in change_total(): of a change that the sum has seen, the number is seen too.
      A::fence(std::memory_order_acquire);
      return before % 2 == 0 && item.change.load(std::memory_order_relaxed) == before;
    });
    counts.sold = counts.total + counts.backorder - counts.available - counts.reserved;
    // What the total covers goes first: as long as more can be reserved than the cap, nothing is backordered.
    counts.backordered = counts.backorder - std::min(counts.backorder, counts.available);
    counts.available -= std::min(counts.available, counts.backorder);
    return counts;
  }

  // The limit per user from now on; 0: none. Relaxed: a reservation on its way may still go by the one before.
  void limit_users(Item& item, std::uint64_t per_user) noexcept {
    item.per_user.store(per_user, std::memory_order_relaxed);
  }
  // Before an item has its first limit per user: what was sold until now counts for nobody. While no operation is
  // inside, so that it is known.
  void count_users(Item& item) noexcept {
    if (item.counts_users.load(std::memory_order_relaxed) != 0) return;
    item.sold_uncounted.store(counts(item).sold, std::memory_order_relaxed);
    item.counts_users.store(1, std::memory_order_relaxed);
  }
  // `quantity` units were sold that no user's count has. Relaxed: read while no operation is inside.
  void sold_uncounted(Item& item, std::uint64_t quantity) noexcept {
    if (item.counts_users.load(std::memory_order_relaxed) != 0)
      item.sold_uncounted.fetch_add(quantity, std::memory_order_relaxed);
  }

  // Takes them from those that no user's count has, or nothing: false if there are not as many. Of an item that never
  // counted users there is nothing to take from.
  bool take_uncounted(Item& item, std::uint64_t quantity) noexcept {
    if (item.counts_users.load(std::memory_order_relaxed) == 0) return true;
    std::uint64_t before = item.sold_uncounted.load(std::memory_order_relaxed);
    while (before >= quantity) {
      if (item.sold_uncounted.compare_exchange_weak(before, before - quantity, std::memory_order_relaxed,
                                                    std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // Puts `quantity` more units on sale; false if total and backorder would exceed kQuantityMax.
  bool restock(Item& item, std::uint64_t quantity) noexcept {
    item.lock.lock();
    const bool fits = fit(quantity, item.total.load(std::memory_order_relaxed) +
                                        item.backorder.load(std::memory_order_relaxed));
    if (fits) change_total(item, [&] { return put_on_sale(item, quantity); });
    item.lock.unlock();
    return fits;
  }
  // Takes up to `quantity` available units off sale. Returns how many.
  std::uint64_t withdraw(Item& item, std::uint64_t quantity) noexcept {
    std::uint64_t taken = 0;
    item.lock.lock();
    const std::uint64_t cap = item.backorder.load(std::memory_order_relaxed);
    change_total(item, [&] { return 0 - (taken = take_up_to(item, quantity, cap)); });
    item.lock.unlock();
    return taken;
  }
  // Makes the total `total`. With what can be backordered it cannot be less than what is reserved and sold: then
  // nothing is changed, or with `clamp` the total becomes as low as it can be.
  TotalSet set_total(Item& item, std::uint64_t total, bool clamp) noexcept {
    TotalSet set{LevelSet::kTooMany, 0, 0};
    item.lock.lock();
    if (fit(total, item.backorder.load(std::memory_order_relaxed))) {
      const std::uint64_t before = item.total.load(std::memory_order_relaxed);
      change_total(item, [&] {
        set = set_level(item, before, total, clamp);
        return set.added - set.taken;
      });
    }
    item.lock.unlock();
    return set;
  }
  // Makes the backorder cap `backorder`. It cannot be less than what is backordered: then nothing is changed, or with
  // `clamp` it becomes as low as it can be.
  LevelSet set_backorder(Item& item, std::uint64_t backorder, bool clamp) noexcept {
    TotalSet set{LevelSet::kTooMany, 0, 0};
    item.lock.lock();
    if (fit(item.total.load(std::memory_order_relaxed), backorder)) {
      const std::uint64_t before = item.backorder.load(std::memory_order_relaxed);
      // The total stays; but counts() must not find the cap and the words of different moments.
      change_total(item, [&] {
        set = set_level(item, before, backorder, clamp);
        item.backorder.store(before + set.added - set.taken, std::memory_order_relaxed);
        return 0;
      });
    }
    item.lock.unlock();
    return set.result;
  }

  // Sold units of one of its shards, which the caller has found to be sold, are available again.
  void give_back(Item& item, std::uint32_t stock_shard, std::uint64_t quantity) noexcept {
    item.lock.lock();
    // The total stays; but who sums up the shards must not find the units sold in one and available in another.
    change_total(item, [&] {
      shards_[stock_shard].add(quantity);
      return 0;
    });
    item.lock.unlock();
  }

  Item& operator[](std::uint32_t number) const noexcept { return items_[number]; }
  StockShard& shard(std::uint32_t number) const noexcept { return shards_[number]; }
  // ACQ items: pairs with REL in add().
  std::uint32_t size() const noexcept { return control_->items.load(std::memory_order_acquire); }

 private:
  template <class Visit>
  void for_shards(const Item& item, Visit&& visit) const noexcept {
    for (std::uint32_t shard = 0; shard < item.shards; ++shard) visit(shards_[item.first_shard + shard]);
  }

  static std::uint64_t share(std::uint64_t quantity, std::uint32_t shards, std::uint32_t shard) noexcept {
    return quantity / shards + (shard < quantity % shards ? 1 : 0);
  }

  static bool fit(std::uint64_t some, std::uint64_t more) noexcept {
    return some <= kQuantityMax && more <= kQuantityMax - some;
  }

  // Under the lock: as many units more, or less, can be reserved as make `before` into `after`.
  TotalSet set_level(Item& item, std::uint64_t before, std::uint64_t after, bool clamp) noexcept {
    if (after >= before) return {LevelSet::kDone, put_on_sale(item, after - before), 0};
    if (clamp) return {LevelSet::kDone, 0, take_up_to(item, before - after, 0)};
    const bool done = take_all(item, before - after);
    return {done ? LevelSet::kDone : LevelSet::kTaken, 0, done ? before - after : 0};
  }

  // The next three, under the lock: units become available; as many as there are, up to `quantity`, are so no longer,
  // but for `rest` of them; or `quantity` of them, or none.
  std::uint64_t put_on_sale(Item& item, std::uint64_t quantity) noexcept {
    std::uint32_t i = 0;
    for_shards(item, [&](StockShard& shard) { shard.add(share(quantity, item.shards, i++)); });
    return quantity;
  }
  std::uint64_t take_up_to(Item& item, std::uint64_t quantity, std::uint64_t rest) noexcept {
    std::uint64_t taken = 0;
    if (item.shards == 1 || rest == 0) {
      for_shards(item, [&](StockShard& shard) { taken += shard.take_away(quantity - taken, rest); });
      return taken;
    }
    // Others do not take for sold out what is put back below.
    const typename StockShard::Return may_come_back(shards_[item.first_shard]);
    for_shards(item, [&](StockShard& shard) { taken += shard.take_away(quantity + rest - taken); });
    // What is in hand now was there at one instant: without `rest` of it no more goes than may.
    rest = std::min(taken, rest);
    put_on_sale(item, rest);
    return taken - rest;
  }
  bool take_all(Item& item, std::uint64_t quantity) noexcept {
    if (item.shards == 1) return shards_[item.first_shard].take_all(quantity);
    bool done = false;
    // Again where units were coming back meanwhile: only an instant without them is one at which there are too few.
    spin_wait<A>([&] {
      done = gather(item, quantity);
      return done || look(item, quantity) == Look::kSoldOut;
    });
    return done;
  }
  bool gather(Item& item, std::uint64_t quantity) noexcept {
    // Others do not take for sold out what may be put back below.
    const typename StockShard::Return may_come_back(shards_[item.first_shard]);
    std::uint64_t parts[kShardsMax];
    std::uint32_t i = 0;
    for_shards(item, [&](StockShard& shard) { quantity -= parts[i++] = shard.take_away(quantity); });
    if (quantity == 0) return true;
    i = 0;
    for_shards(item, [&](StockShard& shard) { shard.add(parts[i++]); });
    return false;
  }

  // Where a sku is looked for first. Not a PRF, unlike what ids and users have: a client chooses which sku is looked
  // for, but not which are in the table. Without the secret it cannot aim at where many stand in a row.
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
    for_shards(item, [&](StockShard& shard) { shard.sharded = spec.shards > 1 ? 1 : 0; });
    put_on_sale(item, spec.quantity + spec.backorder);
    control_->shards += spec.shards;
    // REL items: pairs with ACQ in size().
    control_->items.store(number + 1, std::memory_order_release);
    std::uint64_t slot = place(spec.sku);
    while (index_[slot].load(std::memory_order_relaxed) != 0) slot = (slot + 1) & mask_;
    // REL index: pairs with ACQ in find().
    index_[slot].store(number + 1, std::memory_order_release);
    return Added::kAdded;
  }

  // Changes words and total (by what `words()` returns), and the backorder if `words()` does, so that counts() sees all
  // or none of it. Under the lock.
  template <class Words>
  void change_total(Item& item, Words&& words) noexcept {
    const std::uint32_t number = item.change.load(std::memory_order_relaxed);
    item.change.store(number + 1, std::memory_order_relaxed);
    // Pairs with the fence in counts().
    A::fence(std::memory_order_release);
    const std::uint64_t by = words();
    item.total.store(item.total.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
    // REL change: pairs with ACQ in counts().
    item.change.store(number + 2, std::memory_order_release);
  }

  const KeySecret& secret_;
  Control* control_;
  Item* items_;
  StockShard* shards_;
  AtomicU32* index_;  // item number + 1; 0: free; open addressing
  std::uint32_t room_;
  std::uint64_t mask_;
};

}  // namespace sluice
