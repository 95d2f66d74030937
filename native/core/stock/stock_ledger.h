// The stock ledger: reserve, confirm, cancel, extend, expire, with per-user limits and idempotent client ids.
// The model is TigerBeetle's two-phase transfers: pending -> posted | voided | timed out, resolved at most once.
//
// Invariants, which an audit recomputes while no operation is inside (see ledger_audit.h):
//   per item:            available + reserved + sold = total + backordered, available or backordered is 0, backordered
//                        is at most the item's cap, and reserved = what the item's held reservations hold
//   per item and user:   counted = units held or bought that count for the user, so over all users their sum is
//                        reserved + sold, less the units that count for no user
#pragma once

#include <cstdint>

#include "core/stock/hold_changer.h"
#include "core/stock/ledger_memory.h"
#include "core/stock/ledger_reserver.h"
#include "core/stock/part_resolver.h"
#include "core/stock/resolver.h"
#include "core/stock/returner.h"
#include "core/stock/stock_request.h"

namespace sluice {

class StockLedger : public LedgerReserver {
 public:
  static std::uint64_t bytes(const LedgerShape& shape) { return LedgerMemory::bytes(shape); }

  // `clock`: that of the times which the callers pass, and of the times until which items are sold.
  StockLedger(void* memory, const LedgerShape& shape, const Clock& clock = {})
      : LedgerReserver(memory, shape, clock) {}

  void format(const LedgerShape& shape, std::uint64_t hold_ns, const KeySecret& secret, Sweeping sweeping) {
    memory_.format(shape, hold_ns, secret, sweeping);
  }

  LedgerMemory& memory() noexcept { return memory_; }
  const Clock& clock() const noexcept { return memory_.clock; }
  ItemTable<>& items() noexcept { return memory_.items; }
  GroupTable& groups() noexcept { return memory_.groups; }
  ThreadSlots& thread_slots() noexcept { return *memory_.thread_slots; }
  const MovementLog<>& movements() const noexcept { return memory_.movements; }
  std::uint64_t hold_ns() const noexcept { return memory_.control->hold_ns.load(std::memory_order_relaxed); }
  // Applies to later reservations. Relaxed: the word publishes no other memory.
  void set_hold_ns(std::uint64_t hold_ns) noexcept {
    memory_.control->hold_ns.store(hold_ns, std::memory_order_relaxed);
  }
  std::uint32_t slots() const noexcept { return memory_.reservations.size(); }

  // Sells the units held.
  ResolveResult confirm(ThreadSlot& thread, std::uint64_t id, std::uint64_t now) noexcept {
    const Inside inside(memory_, thread);
    return Resolver(memory_, thread, now).resolve(id, Phase::kConfirmed);
  }
  // Puts the units that the reservation holds on sale again.
  ResolveResult cancel(ThreadSlot& thread, std::uint64_t id, std::uint64_t now) noexcept {
    const Inside inside(memory_, thread);
    return Resolver(memory_, thread, now).resolve(id, Phase::kCancelled);
  }
  // Sells a part; the rest is available again, or stays held.
  ResolveAnswer confirm_part(ThreadSlot& thread, std::uint64_t id, std::uint64_t now, const Part& part,
                             Rest rest) noexcept {
    const Inside inside(memory_, thread);
    return PartResolver(memory_, thread, now).confirm(id, part, rest);
  }
  // Puts a part back on sale; the rest stays held.
  ResolveAnswer cancel_part(ThreadSlot& thread, std::uint64_t id, std::uint64_t now,
                            const Part& part) noexcept {
    const Inside inside(memory_, thread);
    return PartResolver(memory_, thread, now).cancel(id, part);
  }
  // Changes how many units of the named items, or of its only item, the reservation holds. Its deadline stays.
  ResolveAnswer change(ThreadSlot& thread, std::uint64_t id, std::uint64_t now, const Part& wanted) noexcept {
    const Inside inside(memory_, thread);
    const bool left = due(now);
    const ResolveAnswer answer = HoldChanger(memory_, thread, now).change(id, wanted);
    // Holds that are over may be the reason of the refusal.
    if (!left || (!of_stock(answer.refusal) && !of_full_table(answer.refusal))) return answer;
    expire_due(thread, now, kLookSlots);
    return HoldChanger(memory_, thread, now).change(id, wanted);
  }
  // Puts the units bought with the reservation, or a part of them, on sale again.
  ResolveAnswer give_back(ThreadSlot& thread, std::uint64_t id, std::uint64_t now,
                          const Part& part) noexcept {
    const Inside inside(memory_, thread);
    return Returner(memory_, thread, now).give_back(id, part);
  }
  // Puts bought units of an item on sale again: the user's, or those that no user's count includes.
  ResolveResult give_back(ThreadSlot& thread, std::uint32_t item, std::uint64_t quantity,
                          const LedgerUser& user, std::uint64_t now) noexcept {
    const Inside inside(memory_, thread);
    return Returner(memory_, thread, now).give_back(item, quantity, user);
  }
  // Holds the reservation until `until` at least.
  ResolveResult extend(ThreadSlot& thread, std::uint64_t id, std::uint64_t now,
                       std::uint64_t until) noexcept {
    const Inside inside(memory_, thread);
    return Resolver(memory_, thread, now).extend(id, until);
  }

  // Returns the deadline of a reservation that is held, otherwise 0. Another thread may extend or resolve it right
  // afterwards.
  std::uint64_t held_until(std::uint64_t id) const noexcept {
    const ReservationTable& table = memory_.reservations;
    if (table.phase(id) != Phase::kHeld) return 0;
    return table[table.slot_of(id)].deadline_ns.load(std::memory_order_relaxed);
  }

  ItemTable<>::Added add_item(ThreadSlot& thread, const ItemSpec& spec, std::uint64_t now) noexcept {
    const Inside inside(memory_, thread);
    const ItemTable<>::Added added = memory_.items.add(spec, [&](std::uint32_t number) {
      return spec.group == 0 || memory_.groups.join(memory_.groups[spec.group - 1], number);
    });
    if (added == ItemTable<>::Added::kAdded) {
      memory_.record_movement(MovementKind::kAdded, memory_.items.find(spec.sku), spec.quantity, now);
    }
    return added;
  }
  // Returns false if total and backorder would exceed kQuantityMax.
  bool restock(ThreadSlot& thread, std::uint32_t item, std::uint64_t quantity, std::uint64_t now) noexcept {
    const Inside inside(memory_, thread);
    if (!memory_.items.restock(memory_.items[item], quantity)) return false;
    memory_.record_movement(MovementKind::kRestocked, item, quantity, now);
    return true;
  }
  // Takes up to `quantity` available units off sale. Returns how many.
  std::uint64_t withdraw(ThreadSlot& thread, std::uint32_t item, std::uint64_t quantity,
                         std::uint64_t now) noexcept {
    const Inside inside(memory_, thread);
    const std::uint64_t taken = memory_.items.withdraw(memory_.items[item], quantity);
    if (taken != 0) memory_.record_movement(MovementKind::kWithdrawn, item, taken, now);
    return taken;
  }
  // Sets the total to `total`: see ItemUnits::set_total().
  LevelSet set_total(ThreadSlot& thread, std::uint32_t item, std::uint64_t total, bool clamp,
                     std::uint64_t now) noexcept {
    const Inside inside(memory_, thread);
    const TotalSet set = memory_.items.set_total(memory_.items[item], total, clamp);
    if (set.added != 0) memory_.record_movement(MovementKind::kRestocked, item, set.added, now);
    if (set.taken != 0) memory_.record_movement(MovementKind::kWithdrawn, item, set.taken, now);
    return set.result;
  }
  // Sets the backorder cap to `backorder`: see ItemUnits::set_backorder(). Records no movement: no units are added or
  // taken.
  LevelSet set_backorder(ThreadSlot& thread, std::uint32_t item, std::uint64_t backorder,
                         bool clamp) noexcept {
    const Inside inside(memory_, thread);
    return memory_.items.set_backorder(memory_.items[item], backorder, clamp);
  }
  void close_item(ThreadSlot& thread, std::uint32_t item, std::uint64_t now) noexcept {
    const Inside inside(memory_, thread);
    // Relaxed: a reservation that has already begun may still pass.
    if (memory_.items[item].closed.exchange(1, std::memory_order_relaxed) == 0) {
      memory_.record_movement(MovementKind::kClosed, item, 0, now);
    }
  }
  void reopen_item(ThreadSlot& thread, std::uint32_t item, std::uint64_t now) noexcept {
    const Inside inside(memory_, thread);
    // Relaxed: as in close_item().
    if (memory_.items[item].closed.exchange(0, std::memory_order_relaxed) != 0) {
      memory_.record_movement(MovementKind::kReopened, item, 0, now);
    }
  }
  // Returns the value of Item::sell_until for a time that is `ns` from now; 0: no such time.
  std::uint64_t sell_for(std::uint64_t ns) const noexcept {
    return ns == 0 ? 0 : memory_.clock.boot_now() + ns + 1;
  }
  // Sets Item::sell_until. Relaxed: see Item::sale_over().
  void sell_until(std::uint32_t item, std::uint64_t until) noexcept {
    memory_.items[item].sell_until.store(until, std::memory_order_relaxed);
  }
  // Sets how many units of an item one user can hold or have bought; 0: no limit. With the first limit, if the item
  // has no group, units held or sold by now count for no user. Called by a thread that is not inside an operation.
  void limit_users(std::uint32_t item, std::uint64_t per_user) noexcept {
    Item<>& limited = memory_.items[item];
    if (per_user != 0 && limited.counts_users.load(std::memory_order_relaxed) == 0) {
      memory_.control->quiesce.pause(*memory_.thread_slots);
      memory_.items.count_users(limited);
      memory_.control->quiesce.resume();
    }
    memory_.items.limit_users(limited, per_user);
  }
};

}  // namespace sluice
