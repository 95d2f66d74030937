// The units of an item. A popular item can have several shards, so that threads that reserve it do not share a cache
// line. Each shard counts the units of its own part (see stock_shard.h).
//
//   StockShard, one cache line each:  | available : 32 | reserved : 32 | ... |   changed by reserve, confirm, ...
//
// The shards count the backorder cap of an item as available units, so that a reservation need not know the cap.
// counts() subtracts it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/base/atomics.h"
#include "core/base/spin_wait.h"
#include "core/stock/item.h"
#include "core/stock/stock_shard.h"

namespace sluice {

// available + reserved + sold = total + backordered, and at least one of available and backordered is 0.
struct StockCounts {
  std::uint64_t total, available, reserved, sold;
  std::uint64_t backorder;    // the cap; total + backorder is at most kQuantityMax
  std::uint64_t backordered;  // reserved and sold beyond the total: at most the cap
};

// The result of setting a total or a backorder cap.
enum class LevelSet : std::uint8_t {
  kDone,
  kTaken,   // units that would have to go are reserved or sold: nothing was changed
  kTooMany  // total and backorder would be more than kQuantityMax: nothing was changed
};
struct TotalSet {
  LevelSet result;
  std::uint64_t added, taken;  // units; at least one of the two is 0
};

template <class A = StdAtomics>
class ItemUnits {
 public:
  using Item = sluice::Item<A>;
  using StockShard = sluice::StockShard<A>;

  // `shards`: the shards of all items.
  explicit ItemUnits(StockShard* shards) : shards_(shards) {}

  StockShard& shard(std::uint32_t number) const noexcept { return shards_[number]; }

  // Makes `quantity` units of a new item available. Called before any thread can find the item.
  void begin_sale(Item& item, std::uint64_t quantity) noexcept {
    for_shards(item, [&](StockShard& shard) { shard.sharded = item.shards > 1 ? 1 : 0; });
    put_on_sale(item, quantity);
  }

  // Whether `quantity` units are available, all shards together.
  //   kSoldOut: at some instant during the call they were not.
  //   kUnsettled: the call did not find them, but units were coming back meanwhile, or another thread gathers units,
  //     and puts them back if it fails.
  enum class Look : std::uint8_t { kEnough, kSoldOut, kUnsettled };

  Look look(const Item& item, std::uint64_t quantity) const noexcept {
    if (item.shards == 1) [[likely]]
      return shards_[item.first_shard].available() < quantity ? Look::kSoldOut : Look::kEnough;
    std::uint32_t under_way = 0;
    // ACQ ended: pairs with REL in ~Return(). The words read below include the units that came back.
    for_shards(item,
               [&](StockShard& shard) { under_way -= shard.returns_ended.load(std::memory_order_acquire); });
    std::uint64_t sum = 0;
    // ACQ word: pairs with REL in reserve(). If a word shows that a unit was taken, `under_way` below counts each
    // return that began before that.
    for_shards(item, [&](StockShard& shard) {
      sum += StockShard::available_in(shard.word.load(std::memory_order_acquire));
    });
    if (sum >= quantity) return Look::kEnough;
    for_shards(item,
               [&](StockShard& shard) { under_way += shard.returns_begun.load(std::memory_order_relaxed); });
    return under_way == 0 ? Look::kSoldOut : Look::kUnsettled;
  }

  // Returns what look() above returns. If that is kSoldOut, sets `reserved` to whether units of the item are reserved,
  // because these may come back.
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
    // If none are reserved now, the last reserved ones may have come back since the first look.
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
      // ACQ change: pairs with REL in change_total(). If the number is even, and still the same afterwards, the total
      // and the words belong together.
      const std::uint32_t before = item.change.load(std::memory_order_acquire);
      counts = {};
      counts.total = item.total.load(std::memory_order_relaxed);
      counts.backorder = item.backorder.load(std::memory_order_relaxed);
      for_shards(item, [&](StockShard& shard) {
        const std::uint64_t word = shard.word.load(std::memory_order_relaxed);
        counts.available += StockShard::available_in(word);
        counts.reserved += StockShard::reserved_in(word);
      });
      // Pairs with the fence in change_total(): if a sum above includes any unit of a change, the load below finds the
      // number changed.
      A::fence(std::memory_order_acquire);
      return before % 2 == 0 && item.change.load(std::memory_order_relaxed) == before;
    });
    counts.sold = counts.total + counts.backorder - counts.available - counts.reserved;
    // Units of the total go first: while at least the cap is available, nothing is backordered.
    counts.backordered = counts.backorder - std::min(counts.backorder, counts.available);
    counts.available -= std::min(counts.available, counts.backorder);
    return counts;
  }

  // Sets the limit per user; 0: none. Relaxed: a reservation that has already begun may still use the previous limit.
  void limit_users(Item& item, std::uint64_t per_user) noexcept {
    item.per_user.store(per_user, std::memory_order_relaxed);
  }
  // Called before an item gets its first limit per user. The units sold until now count for no user, and this stores
  // their number. No operation is inside meanwhile, so the number is exact.
  void count_users(Item& item) noexcept {
    if (item.counts_users.load(std::memory_order_relaxed) != 0) return;
    item.sold_uncounted.store(counts(item).sold, std::memory_order_relaxed);
    item.counts_users.store(1, std::memory_order_relaxed);
  }
  // Adds `quantity` to the sold units that no user's count includes, if the item counts users. Relaxed: the number
  // publishes no other memory.
  void sold_uncounted(Item& item, std::uint64_t quantity) noexcept {
    if (item.counts_users.load(std::memory_order_relaxed) != 0)
      item.sold_uncounted.fetch_add(quantity, std::memory_order_relaxed);
  }

  // Takes `quantity` from the sold units that no user's count includes. Returns false, and takes nothing, if there are
  // fewer. An item that never counted users has no such number; for it this returns true.
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

  // Puts `quantity` more units on sale. Returns false if total and backorder would exceed kQuantityMax.
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
  // Sets the total to `total`. Total and backorder cap together cannot be less than the units reserved and sold. If
  // they would be, the call changes nothing, or with `clamp` makes the total as low as it can be.
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
  // Sets the backorder cap to `backorder`. The cap cannot be less than the units backordered. If it would be, the call
  // changes nothing, or with `clamp` makes the cap as low as it can be.
  LevelSet set_backorder(Item& item, std::uint64_t backorder, bool clamp) noexcept {
    TotalSet set{LevelSet::kTooMany, 0, 0};
    item.lock.lock();
    if (fit(item.total.load(std::memory_order_relaxed), backorder)) {
      const std::uint64_t before = item.backorder.load(std::memory_order_relaxed);
      // The total stays, but counts() must not combine the cap and the words of different moments.
      change_total(item, [&] {
        set = set_level(item, before, backorder, clamp);
        item.backorder.store(before + set.added - set.taken, std::memory_order_relaxed);
        return 0;
      });
    }
    item.lock.unlock();
    return set.result;
  }

  // Makes `quantity` units, which the caller knows to be sold, available again in the shard `stock_shard`.
  void give_back(Item& item, std::uint32_t stock_shard, std::uint64_t quantity) noexcept {
    item.lock.lock();
    // The total stays, but counts() must not count units twice: in one shard before they are sold, and in another one
    // after they have come back.
    change_total(item, [&] {
      shards_[stock_shard].add(quantity);
      return 0;
    });
    item.lock.unlock();
  }

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

  // Under the lock: adds or takes available units, to change the total or the cap from `before` to `after`.
  TotalSet set_level(Item& item, std::uint64_t before, std::uint64_t after, bool clamp) noexcept {
    if (after >= before) return {LevelSet::kDone, put_on_sale(item, after - before), 0};
    if (clamp) return {LevelSet::kDone, 0, take_up_to(item, before - after, 0)};
    const bool done = take_all(item, before - after);
    return {done ? LevelSet::kDone : LevelSet::kTaken, 0, done ? before - after : 0};
  }

  // Under the lock: makes `quantity` units available, and returns how many.
  std::uint64_t put_on_sale(Item& item, std::uint64_t quantity) noexcept {
    std::uint32_t i = 0;
    for_shards(item, [&](StockShard& shard) { shard.add(share(quantity, item.shards, i++)); });
    return quantity;
  }
  // Under the lock: takes up to `quantity` available units, but leaves at least `rest` of them. Returns how many.
  std::uint64_t take_up_to(Item& item, std::uint64_t quantity, std::uint64_t rest) noexcept {
    std::uint64_t taken = 0;
    if (item.shards == 1 || rest == 0) {
      for_shards(item, [&](StockShard& shard) { taken += shard.take_away(quantity - taken, rest); });
      return taken;
    }
    // Keeps other threads from reporting sold-out while units are about to be put back below.
    const typename StockShard::Return may_come_back(shards_[item.first_shard]);
    for_shards(item, [&](StockShard& shard) { taken += shard.take_away(quantity + rest - taken); });
    // Now this thread has all these units at once. It puts `rest` of them back before it counts the others as taken, so
    // it takes no more than is allowed.
    rest = std::min(taken, rest);
    put_on_sale(item, rest);
    return taken - rest;
  }
  // Under the lock: takes `quantity` available units, or none.
  bool take_all(Item& item, std::uint64_t quantity) noexcept {
    if (item.shards == 1) return shards_[item.first_shard].take_all(quantity);
    bool done = false;
    // Tries again if units were coming back meanwhile. Only if none were, there are too few.
    spin_wait<A>([&] {
      done = gather(item, quantity);
      return done || look(item, quantity) == Look::kSoldOut;
    });
    return done;
  }
  bool gather(Item& item, std::uint64_t quantity) noexcept {
    // Keeps other threads from reporting sold-out while units may be put back below.
    const typename StockShard::Return may_come_back(shards_[item.first_shard]);
    std::uint64_t parts[kShardsMax];
    std::uint32_t i = 0;
    for_shards(item, [&](StockShard& shard) { quantity -= parts[i++] = shard.take_away(quantity); });
    if (quantity == 0) return true;
    i = 0;
    for_shards(item, [&](StockShard& shard) { shard.add(parts[i++]); });
    return false;
  }

  // Under the lock: calls `words()`, which changes the words of the shards and perhaps the backorder cap, and adds what
  // it returns to the total. counts() sees all of the change or none of it.
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

  StockShard* shards_;
};

}  // namespace sluice
