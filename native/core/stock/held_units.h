// Sells units that a line of a reservation holds, or puts them back on sale.
#pragma once

#include <cstdint>

#include "core/stock/ledger_memory.h"

namespace sluice {

// Used by the one thread that may resolve or change the reservation now.
class HeldUnits {
 public:
  // `head`: the first slot of the reservation `id`, none of whose slots is freed yet.
  HeldUnits(LedgerMemory& memory, std::uint32_t head, std::uint64_t id, std::uint64_t now) noexcept
      : memory_(memory),
        id_(id),
        now_(now),
        user_(memory.movements.keeps() ? memory.reservations[head].user() : LedgerUser{}) {}

  // `entry`: the line's entry in the user table.
  void sell(std::uint32_t slot, std::uint32_t entry, std::uint64_t units) noexcept {
    Reservation& line = memory_.reservations[slot];
    stock_of(line).sell(units);
    if (entry != kNoUser) {
      memory_.bought.add(entry, units);
    } else {
      memory_.items.sold_uncounted(memory_.items[line.item.load(std::memory_order_relaxed)], units);
    }
    memory_.record_movement(MovementKind::kConfirmed, slot, id_, units, user_, now_);
    // REL sold: pairs with ACQ in RecordReader::copy(). A return that reads there that these units are bought then also
    // finds them in the item's count, and in the user's count if the item counts users, and its movement comes after
    // the one above.
    line.sold.fetch_add(units, std::memory_order_release);
  }

  void put_back(std::uint32_t slot, std::uint32_t entry, std::uint64_t units, MovementKind kind) noexcept {
    stock_of(memory_.reservations[slot]).put_back(units);
    if (entry != kNoUser) memory_.users.put_back(entry, units);
    memory_.record_movement(kind, slot, id_, units, user_, now_);
  }

 private:
  StockShard<>& stock_of(const Reservation& line) noexcept {
    return memory_.items.shard(line.stock_shard.load(std::memory_order_relaxed));
  }

  LedgerMemory& memory_;
  std::uint64_t id_;
  std::uint64_t now_;
  const LedgerUser user_;
};

}  // namespace sluice
