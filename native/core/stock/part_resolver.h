// Confirms or cancels a part of a reservation.
//
// The reservation is `changing` meanwhile: a thread that wants to resolve, change or expire it waits. Afterwards it is
// held again, or resolved if nothing of it stays held. Accesses to its lines are relaxed: begin_change() acquires what
// the last change released in end_change().
#pragma once

#include <cstdint>
#include <optional>

#include "core/stock/cart_reserver.h"
#include "core/stock/chain_part.h"
#include "core/stock/held_units.h"
#include "core/stock/ledger_memory.h"
#include "core/stock/resolver.h"
#include "core/stock/stock_request.h"

namespace sluice {

enum class Rest : std::uint8_t { kRelease = 0, kHold = 1 };

class PartResolver {
 public:
  enum Counter : std::uint32_t { kParted = 6 };

  PartResolver(LedgerMemory& memory, ThreadSlot& thread, std::uint64_t now) noexcept
      : memory_(memory), thread_(thread), now_(now), resolver_(memory, thread, now) {}

  // Sells the part; the rest is on sale again, or stays held.
  ResolveAnswer confirm(std::uint64_t id, const Part& part, Rest rest) noexcept {
    return change_held(id, part, [&](HeldUnits& units, ChainPart& chosen, std::uint32_t head) {
      const bool ends = rest == Rest::kRelease || chosen.is_whole();
      for_each_line(
          head, [&](Reservation& line, std::uint32_t slot, std::uint32_t held, std::uint32_t entry) {
            const std::uint64_t sold = chosen.take(line.item.load(std::memory_order_relaxed), held);
            if (sold != 0) units.sell(slot, entry, sold);
            if (!ends) {
              line.quantity.store(static_cast<std::uint32_t>(held - sold), std::memory_order_relaxed);
            } else if (held != sold) {
              units.put_back(slot, entry, held - sold, MovementKind::kReturned);
            }
          });
      return ends ? Phase::kConfirmed : Phase::kHeld;
    });
  }

  // Puts the part back on sale; the rest stays held.
  ResolveAnswer cancel(std::uint64_t id, const Part& part) noexcept {
    return change_held(id, part, [&](HeldUnits& units, ChainPart& chosen, std::uint32_t head) {
      const bool ends = chosen.is_whole();
      for_each_line(
          head, [&](Reservation& line, std::uint32_t slot, std::uint32_t held, std::uint32_t entry) {
            const std::uint64_t back = chosen.take(line.item.load(std::memory_order_relaxed), held);
            if (back != 0) units.put_back(slot, entry, back, MovementKind::kCancelled);
            if (!ends)
              line.quantity.store(static_cast<std::uint32_t>(held - back), std::memory_order_relaxed);
          });
      return ends ? Phase::kCancelled : Phase::kHeld;
    });
  }

 private:
  // Calls `change(units, part, first slot)` if the reservation has the part. `change` returns the phase in which it
  // leaves the reservation.
  template <class Change>
  ResolveAnswer change_held(std::uint64_t id, const Part& part, Change&& change) noexcept {
    ResolveAnswer answer;
    answer.result =
        resolver_.decide(id, [&](std::uint32_t head, std::uint64_t seen) -> std::optional<ResolveResult> {
          ReservationTable& table = memory_.reservations;
          if (!table.begin_change(head, seen)) return std::nullopt;
          ChainPart chosen(memory_, part);
          for_each_line(head, [&](Reservation& line, std::uint32_t, std::uint32_t held, std::uint32_t) {
            chosen.offer(line.item.load(std::memory_order_relaxed), held);
          });
          const ResolveResult verdict = chosen.verdict(answer.line);
          if (verdict != ResolveResult::kDone) {
            table.end_change(head, seen, Phase::kHeld);
            return verdict;
          }
          HeldUnits units(memory_, head, id, now_);
          end(head, seen, change(units, chosen, head));
          return ResolveResult::kDone;
        });
    return answer;
  }

  void end(std::uint32_t head, std::uint64_t seen, Phase phase) noexcept {
    thread_.count(phase == Phase::kHeld        ? static_cast<std::uint32_t>(kParted)
                  : phase == Phase::kConfirmed ? static_cast<std::uint32_t>(Resolver::kConfirmed)
                                               : static_cast<std::uint32_t>(Resolver::kCancelled));
    // end_change() comes before the first slot is freed: after that, the slot's state may be that of another use.
    memory_.reservations.end_change(head, seen, phase);
    if (phase == Phase::kHeld) return;
    CartReserver::for_each_line(memory_, head, [&](std::uint32_t slot, std::uint32_t, std::uint32_t) {
      memory_.reservations.free_slot(slot);
    });
  }

  template <class Visit>
  void for_each_line(std::uint32_t head, Visit&& visit) noexcept {
    CartReserver::for_each_line(memory_, head,
                                [&](std::uint32_t slot, std::uint32_t held, std::uint32_t entry) {
                                  visit(memory_.reservations[slot], slot, held, entry);
                                });
  }

  LedgerMemory& memory_;
  ThreadSlot& thread_;
  std::uint64_t now_;
  Resolver resolver_;
};

}  // namespace sluice
