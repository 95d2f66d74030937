// Takes the units of a reservation, line by line, or gives all of them back.
//
// The lines that are taken form a chain of reservation slots, which no other thread can see yet. undo() gives back what
// the chain records, in steps that cannot fail.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/base/atomics.h"
#include "core/base/spin_wait.h"
#include "core/stock/ledger_memory.h"
#include "core/stock/stock_request.h"
#include "core/stock/user_limits.h"

namespace sluice {

class CartReserver {
 public:
  // `thread`: this thread's slot, whose number chooses the shard that take() tries first.
  CartReserver(LedgerMemory& memory, const ThreadSlot& thread) noexcept
      : memory_(memory), shard_(memory.thread_slots->number(thread)) {}

  // Returns the slot of the first line.
  std::uint32_t first() const noexcept { return first_; }

  // Returns the refusal that take() would give now to line `i` of the request because of stock or limits, or kReserved.
  // Writes nothing shared. If units are missing or the user's limit refuses, sets `held` to whether the reason may be
  // units that are reserved, and so may come back.
  static ReserveResult peek(const LedgerMemory& memory, const StockRequest& request, std::uint32_t i,
                            bool& held) noexcept {
    const StockRequest::Line& line = request.lines[i];
    const std::uint32_t number = item_of(memory, request, i);
    if (number == kNoItem) return ReserveResult::kUnknownSku;
    const Item<>& item = memory.items[number];
    if (item.closed.load(std::memory_order_relaxed) != 0) return ReserveResult::kItemClosed;
    if (item.sale_over(memory.clock)) return ReserveResult::kSaleOver;
    if (memory.items.look(item, line.quantity, held) == Look::kSoldOut) return ReserveResult::kSoldOut;
    if (item.counts_users.load(std::memory_order_relaxed) == 0) return ReserveResult::kReserved;
    const auto limits = [&] { return UserLimits::peek(memory, item, number, request, line.quantity); };
    const ReserveResult result = limits();
    if (result != ReserveResult::kUserLimit) return result;
    held = item.group != 0 || memory.items.any_reserved(item);
    return held ? result : limits();
  }

  // Takes line `i` of the request, or nothing. Takes the units last, so that an attempt that fails for another
  // reason has not shown fewer units to other threads. (An attempt that takes units from several shards may still fail
  // because of a full table.)
  SLUICE_INLINE ReserveResult take(const StockRequest& request, std::uint32_t i) noexcept {
    const StockRequest::Line& line = request.lines[i];
    const std::uint32_t number = item_of(memory_, request, i);
    if (number == kNoItem) return ReserveResult::kUnknownSku;
    const Item<>& item = memory_.items[number];
    if (item.closed.load(std::memory_order_relaxed) != 0) return ReserveResult::kItemClosed;
    if (item.sale_over(memory_.clock)) return ReserveResult::kSaleOver;
    if (memory_.items.look(item, line.quantity) == Look::kSoldOut) return ReserveResult::kSoldOut;
    std::uint32_t entry = kNoUser;
    if (item.counts_users.load(std::memory_order_relaxed) != 0) {
      const ReserveResult refusal = UserLimits::count(memory_, item, number, request, line.quantity, entry);
      if (refusal != ReserveResult::kReserved) return refusal;
    }
    const ReserveResult result = item.shards == 1 ? append(number, item.first_shard, line.quantity, entry)
                                                  : take_from_shards(number, line.quantity, entry);
    if (result != ReserveResult::kReserved && entry != kNoUser) memory_.users.put_back(entry, line.quantity);
    return result;
  }

  // Gives back everything that was taken: units, counts of users, and slots.
  void undo() noexcept {
    for_each_line(memory_, first_, [this](std::uint32_t, std::uint32_t quantity, std::uint32_t entry) {
      if (quantity != 0 && entry != kNoUser) memory_.users.put_back(entry, quantity);
    });
    put_back_stock(first_);
    first_ = last_ = kNoSlot;
  }

  // Calls `visit(slot, quantity, user entry)` for each line from `slot` on. `visit` may free the slot. Throws what
  // `visit` throws.
  template <class Visit>
  static void for_each_line(LedgerMemory& memory, std::uint32_t slot, Visit&& visit) {
    while (slot != kNoSlot) {
      const Reservation& line = memory.reservations[slot];
      const std::uint32_t next = line.next.load(std::memory_order_relaxed);
      visit(slot, line.quantity.load(std::memory_order_relaxed),
            line.user_entry.load(std::memory_order_relaxed));
      slot = next;
    }
  }

 private:
  using Look = ItemTable<>::Look;

  // Returns the item of line `i`, or kNoItem. An item is never removed, so the first one is looked for once.
  SLUICE_INLINE static std::uint32_t item_of(const LedgerMemory& memory, const StockRequest& request,
                                             std::uint32_t i) noexcept {
    if (i != 0) return memory.items.find(request.lines[i].sku);
    if (request.first_item == kNoItem) request.first_item = memory.items.find(request.lines[0].sku);
    return request.first_item;
  }

  // Takes units of one shard as the next line of the chain.
  ReserveResult append(std::uint32_t item, std::uint32_t stock_shard, std::uint64_t quantity,
                       std::uint32_t entry) noexcept {
    ReservationTable& table = memory_.reservations;
    const std::uint32_t slot = table.take_slot();
    if (slot == kNoSlot) return ReserveResult::kLedgerFull;
    if (!memory_.items.shard(stock_shard).reserve(quantity)) {
      table.free_slot(slot);
      return ReserveResult::kSoldOut;
    }
    table.begin_use(slot);
    Reservation& line = table[slot];
    line.item.store(item, std::memory_order_relaxed);
    line.stock_shard.store(stock_shard, std::memory_order_relaxed);
    line.quantity.store(static_cast<std::uint32_t>(quantity), std::memory_order_relaxed);
    line.user_entry.store(entry, std::memory_order_relaxed);
    line.next.store(kNoSlot, std::memory_order_relaxed);
    if (last_ == kNoSlot) {
      first_ = slot;
    } else {
      line.deadline_ns.store(table.id_in(first_), std::memory_order_relaxed);
      table[last_].next.store(slot, std::memory_order_relaxed);
    }
    last_ = slot;
    return ReserveResult::kReserved;
  }

  // Takes the units from the thread's own shard; if it has too few, from the next one that has enough; otherwise from
  // several together.
  SLUICE_APART ReserveResult take_from_shards(std::uint32_t number, std::uint64_t quantity,
                                              std::uint32_t entry) noexcept {
    Item<>& item = memory_.items[number];
    for (std::uint32_t i = 0; i < item.shards; ++i) {
      const std::uint32_t stock_shard = item.first_shard + (shard_ + i) % item.shards;
      if (memory_.items.shard(stock_shard).available() < quantity) continue;
      const ReserveResult result = append(number, stock_shard, quantity, entry);
      if (result != ReserveResult::kSoldOut) return result;
    }
    // One thread at a time gathers, so that none finds the item sold out because another, which will fail, holds
    // the units that it needs.
    item.lock.lock();
    ReserveResult result = ReserveResult::kSoldOut;
    // If units were coming back meanwhile, this thread tries again: the item is sold out only if too few were available
    // at an instant at which none were coming back.
    spin_wait([&] {
      result = gather(number, quantity, entry);
      return result != ReserveResult::kSoldOut || memory_.items.look(item, quantity) == Look::kSoldOut;
    });
    item.lock.unlock();
    return result;
  }

  ReserveResult gather(std::uint32_t number, std::uint64_t quantity, std::uint32_t entry) noexcept {
    const Item<>& item = memory_.items[number];
    // Keeps other threads from reporting the item sold out while only this thread, which may fail, has the missing
    // units.
    const StockShard<>::Return may_come_back(memory_.items.shard(item.first_shard));
    const std::uint32_t before = last_;
    ReserveResult result = ReserveResult::kSoldOut;
    for (std::uint32_t shard = 0; shard < item.shards && quantity != 0; ++shard) {
      const std::uint32_t stock_shard = item.first_shard + shard;
      const std::uint64_t part = std::min(quantity, memory_.items.shard(stock_shard).available());
      if (part == 0) continue;
      result = append(number, stock_shard, part, entry);
      if (result == ReserveResult::kLedgerFull) break;
      if (result == ReserveResult::kReserved) quantity -= part;
    }
    if (quantity == 0) return ReserveResult::kReserved;
    cut_after(before);
    return result == ReserveResult::kLedgerFull ? result : ReserveResult::kSoldOut;
  }

  // Gives back what was taken after the line in slot `last`, except the user's count, which the caller gives back.
  void cut_after(std::uint32_t last) noexcept {
    std::uint32_t cut = first_;
    if (last == kNoSlot) {
      first_ = kNoSlot;
    } else {
      cut = memory_.reservations[last].next.exchange(kNoSlot, std::memory_order_relaxed);
    }
    last_ = last;
    put_back_stock(cut);
  }

  void put_back_stock(std::uint32_t slot) noexcept {
    for_each_line(memory_, slot, [this](std::uint32_t at, std::uint32_t quantity, std::uint32_t) {
      memory_.items.shard(memory_.reservations[at].stock_shard.load(std::memory_order_relaxed))
          .put_back(quantity);
      memory_.reservations.free_slot(at);
    });
  }

  LedgerMemory& memory_;
  std::uint32_t shard_;
  std::uint32_t first_ = kNoSlot;
  std::uint32_t last_ = kNoSlot;
};

}  // namespace sluice
