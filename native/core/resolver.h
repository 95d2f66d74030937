// The end of reservations: confirmed, cancelled or expired, exactly once; or held for longer.
#pragma once

#include <cstdint>
#include <optional>

#include "core/held_units.h"
#include "core/ledger_memory.h"
#include "core/line_reserver.h"
#include "core/planted.h"
#include "core/stock_request.h"

namespace sluice {

class Resolver {
 public:
  enum Counter : std::uint32_t { kConfirmed = 1, kCancelled, kExpired, kExtended };

  // `line`: of this thread, which is inside an operation. `now` decides what is due.
  Resolver(LedgerMemory& memory, ThreadLine& line, std::uint64_t now) noexcept
      : memory_(memory), line_(line), now_(now) {}

  // Confirms or cancels all that it holds.
  ResolveResult resolve(std::uint64_t id, Phase to) noexcept {
    return decide(id, [&](std::uint32_t slot, std::uint64_t seen) -> std::optional<ResolveResult> {
      if (!settle(slot, seen, to)) return std::nullopt;
      return ResolveResult::kDone;
    });
  }

  // Holds it until `until` at least.
  ResolveResult extend(std::uint64_t id, std::uint64_t until) noexcept {
    return decide(id, [&](std::uint32_t slot, std::uint64_t seen) -> std::optional<ResolveResult> {
      if (!memory_.reservations.extend(slot, seen, until)) return std::nullopt;
      line_.count(kExtended);
      return ResolveResult::kDone;
    });
  }

  // Expires what is due among the next `slots` slots from `slot` on, going round the table. Returns how many.
  std::uint32_t sweep(std::uint32_t slot, std::uint32_t slots) noexcept {
    const ReservationTable& table = memory_.reservations;
    std::uint32_t expired = 0;
    for (; slots != 0; --slots) {
      if (const std::uint64_t id = table.held_in(slot); id != 0) {
        const std::uint64_t seen = table.state(id);
        if (ReservationTable::phase_in(seen) == Phase::kHeld && due(slot) &&
            settle(slot, seen, Phase::kExpired)) {
          ++expired;
        }
      }
      slot = slot + 1 == table.size() ? 0 : slot + 1;
    }
    return expired;
  }

  // What becomes of a reservation: the answer of `attempt(slot, state seen)` while it is held (none: the state was
  // another by then), else what it was before. Past its deadline it expires, whoever looks at it first.
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
  // Read after a state that is then resolved by comparing with it: the deadline of that version.
  bool due(std::uint32_t slot) const noexcept {
    const std::uint64_t early = SLUICE_PLANTED(kExpireEarly) ? 1 : 0;
    return now_ + early >= memory_.reservations[slot].deadline_ns.load(std::memory_order_relaxed);
  }

  // Held -> `to` with all that follows from it. False if somebody else was first.
  bool settle(std::uint32_t slot, std::uint64_t seen, Phase to) noexcept {
    ReservationTable& table = memory_.reservations;
    if (!table.resolve(slot, seen, to)) return false;
    // Nobody else touches the slots until they are free.
    HeldUnits units(memory_, slot, ReservationTable::id_of(slot, seen), now_);
    const MovementKind kind = to == Phase::kCancelled ? MovementKind::kCancelled : MovementKind::kExpired;
    LineReserver::for_each_line(memory_, slot,
                                [&](std::uint32_t at, std::uint32_t held, std::uint32_t entry) {
                                  if (held != 0 && to == Phase::kConfirmed) units.sell(at, entry, held);
                                  if (held != 0 && to != Phase::kConfirmed)
                                    units.put_back(at, entry, held, kind);
                                  table.free_slot(at);
                                });
    line_.count(to == Phase::kConfirmed ? kConfirmed : to == Phase::kCancelled ? kCancelled : kExpired);
    return true;
  }

  LedgerMemory& memory_;
  ThreadLine& line_;
  std::uint64_t now_;
};

}  // namespace sluice
