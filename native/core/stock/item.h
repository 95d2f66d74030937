// An item on sale. Its units are in shards: see item_units.h.
//
//   | sku | name | shards | per user | closed | total | backorder | sell until |   one cache line, seldom written
//
// An item with a backorder cap can be reserved beyond its total, by that many units.
//
// A limit per user can be set and removed at any time. Units that are reserved while the item has neither a limit nor a
// group count for no user. Each line of a reservation records whether its units count. An item that has, or had, a
// limit or a group keeps the number of its sold units that count for no user.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/atomics.h"
#include "core/base/clock.h"
#include "core/base/spin_lock.h"
#include "core/stock/ledger_key.h"

namespace sluice {

inline constexpr std::uint32_t kNoItem = ~0u;
inline constexpr std::uint32_t kItemsMax = 65'536;
inline constexpr std::uint32_t kShardsMax = 16;
inline constexpr std::size_t kSkuTextMax = 32;  // octets of UTF-8

template <class A = StdAtomics>
struct alignas(kCacheLine) Item {
  // Written before any thread can find the item, then never again.
  Key sku;
  char name[kSkuTextMax];     // the sku, if it is a text
  std::uint32_t name_length;  // 0: the sku is a number
  std::uint32_t first_shard, shards;
  std::uint32_t group;  // 1 + the group's number; 0: none

  typename A::template atomic<std::uint64_t> per_user;  // 0: no limit
  typename A::template atomic<std::uint32_t>
      counts_users;  // 1: the item has a group, or has or had a limit per user
  typename A::template atomic<std::uint32_t> closed;  // 1: nothing more is reserved
  typename A::template atomic<std::uint32_t> change;  // odd while a thread is in ItemUnits::change_total()
  typename A::template atomic<std::uint64_t> total;
  // If the item counts users: its sold units that no user's count includes.
  typename A::template atomic<std::uint64_t> sold_uncounted;
  typename A::template atomic<std::uint64_t> backorder;  // 0: nothing beyond the total
  // 1 + the time from which on nothing more is reserved, by Clock::boot_now(); 0: no such time. One store sets it, so a
  // thread that dies beside it leaves the old time or the new one.
  typename A::template atomic<std::uint64_t> sell_until;
  // Held by a thread that changes the total or the cap, gathers units from several shards, or puts sold units back.
  SpinLock<A> lock;

  std::string_view name_text() const noexcept { return {name, name_length}; }

  // Whether the time until which the item is sold is over. Reads the clock only if there is such a time. Relaxed: the
  // word publishes no other memory. (Of a new item, ACQ index in ItemTable::find() publishes it.) A request that read
  // the word before it was set may still reserve.
  bool sale_over(const Clock& clock) const noexcept {
    const std::uint64_t until = sell_until.load(std::memory_order_relaxed);
    return until != 0 && clock.boot_now() >= until - 1;
  }
};
static_assert(sizeof(Item<>) == kCacheLine);

// An item to be added.
struct ItemSpec {
  Key sku;
  std::string_view name;  // empty: the sku is a number
  std::uint64_t quantity;
  std::uint64_t per_user;
  std::uint32_t shards;     // 1 to kShardsMax
  std::uint32_t group = 0;  // 1 + the group's number; 0: none
  std::uint64_t backorder = 0;
  std::uint64_t sell_until = 0;  // as Item::sell_until
};

}  // namespace sluice
