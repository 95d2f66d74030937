// Confirms, cancels or expires reservations, each exactly once, and extends holds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/stock/cart_reserver.h"
#include "core/stock/held_units.h"
#include "core/stock/ledger_memory.h"
#include "core/stock/stock_request.h"

namespace sluice {

class Resolver {
 public:
  enum Counter : std::uint32_t { kConfirmed = 1, kCancelled, kExpired, kExtended };

  // `thread`: the slot of this thread, which is inside an operation. Holds with a deadline up to `now` are due.
  Resolver(LedgerMemory& memory, ThreadSlot& thread, std::uint64_t now) noexcept
      : memory_(memory), thread_(thread), now_(now) {}

  // Confirms or cancels all units of the reservation.
  ResolveResult resolve(std::uint64_t id, Phase to) noexcept {
    return decide(id, [&](std::uint32_t slot, std::uint64_t seen) -> std::optional<ResolveResult> {
      if (!settle(slot, seen, to)) return std::nullopt;
      return ResolveResult::kDone;
    });
  }

  // Holds the reservation until `until` at least.
  ResolveResult extend(std::uint64_t id, std::uint64_t until) noexcept {
    return decide(id, [&](std::uint32_t slot, std::uint64_t seen) -> std::optional<ResolveResult> {
      if (!memory_.reservations.extend(slot, seen, until)) return std::nullopt;
      thread_.count(kExtended);
      return ResolveResult::kDone;
    });
  }

  // Expires due holds, in the order of slots, until the budget is spent. Returns how many.
  std::uint32_t expire_due(LookBudget& budget) noexcept {
    std::uint32_t expired = 0;
    memory_.reservations.deadlines().look(now_, budget, [&](std::uint32_t slot, std::uint32_t end) {
      std::uint64_t earliest = DeadlineIndex<>::kNever;
      for (; slot < end; ++slot) earliest = std::min(earliest, expire_in(slot, budget, expired));
      return earliest;
    });
    return expired;
  }

  // Returns whether the reservation is held. If its hold is over, this expires it.
  bool still_held(std::uint64_t id) noexcept {
    const ReservationTable& table = memory_.reservations;
    for (;;) {
      const std::uint64_t seen = table.state(id);
      if (ReservationTable::phase_in(seen) != Phase::kHeld) return false;
      const std::uint32_t slot = table.slot_of(id);
      if (!due(slot)) return true;
      if (settle(slot, seen, Phase::kExpired)) return false;
    }
  }

  // If the reservation is held, calls `attempt(slot, seen)` with its state and returns the answer. If there is no
  // answer, because the state has changed, decides again. If the hold is over, expires the reservation. If the
  // reservation is not held, returns how it was resolved, or kUnknown.
  template <class Attempt>
  ResolveResult decide(std::uint64_t id, Attempt&& attempt) noexcept {
    const ReservationTable& table = memory_.reservations;
    for (;;) {
      const std::uint64_t seen = table.state(id);
      switch (ReservationTable::phase_in(seen)) {
        case Phase::kConfirmed:
          return ResolveResult::kAlreadyConfirmed;
        case Phase::kCancelled:
          return ResolveResult::kAlreadyCancelled;
        case Phase::kExpired:
          return ResolveResult::kExpired;
        case Phase::kHeld:
          break;
        default:
          return ResolveResult::kUnknown;
      }
      const std::uint32_t slot = table.slot_of(id);
      if (due(slot)) {
        if (settle(slot, seen, Phase::kExpired)) return ResolveResult::kExpired;
        continue;
      }
      if (const std::optional<ResolveResult> answer = attempt(slot, seen)) return *answer;
    }
  }

 private:
  // Expires the reservation held in `slot` if it is due and budget is left. Returns the deadline of the reservation
  // that is held there afterwards (or an earlier one, if that reservation was extended or has ended meanwhile); kNever:
  // none is held there.
  std::uint64_t expire_in(std::uint32_t slot, LookBudget& budget, std::uint32_t& expired) noexcept {
    const ReservationTable& table = memory_.reservations;
    for (;;) {
      const std::uint64_t id = table.held_in(slot);
      if (id == 0) return DeadlineIndex<>::kNever;
      const std::uint64_t seen = table.state(id);
      if (ReservationTable::phase_in(seen) != Phase::kHeld) continue;
      const std::uint64_t deadline = table[slot].deadline_ns.load(std::memory_order_relaxed);
      if (!due(slot) || !budget.left()) return deadline;
      const std::uint32_t before = lines_ended_;
      if (settle(slot, seen, Phase::kExpired)) ++expired;
      budget.spend(lines_ended_ - before);
    }
  }

  // The caller has read the state before, and resolves by a CAS on that state. If the deadline read here belongs to
  // another version, that CAS fails.
  bool due(std::uint32_t slot) const noexcept {
    return now_ >= memory_.reservations[slot].deadline_ns.load(std::memory_order_relaxed);
  }

  // Resolves the reservation to `to`, sells its units or puts them back on sale, and frees its slots. Returns false if
  // another thread was first.
  bool settle(std::uint32_t slot, std::uint64_t seen, Phase to) noexcept {
    ReservationTable& table = memory_.reservations;
    if (!table.resolve(slot, seen, to)) return false;
    // Until these slots are free, no other thread writes them, except that a return changes `sold` by a CAS.
    HeldUnits units(memory_, slot, ReservationTable::id_of(slot, seen), now_);
    const MovementKind kind = to == Phase::kCancelled ? MovementKind::kCancelled : MovementKind::kExpired;
    CartReserver::for_each_line(memory_, slot,
                                [&](std::uint32_t at, std::uint32_t held, std::uint32_t entry) {
                                  if (held != 0 && to == Phase::kConfirmed) units.sell(at, entry, held);
                                  if (held != 0 && to != Phase::kConfirmed)
                                    units.put_back(at, entry, held, kind);
                                  table.free_slot(at);
                                  ++lines_ended_;
                                });
    thread_.count(to == Phase::kConfirmed ? kConfirmed : to == Phase::kCancelled ? kCancelled : kExpired);
    return true;
  }

  LedgerMemory& memory_;
  ThreadSlot& thread_;
  std::uint64_t now_;
  std::uint32_t lines_ended_ = 0;
};

}  // namespace sluice
