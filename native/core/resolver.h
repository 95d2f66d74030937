// The end of reservations: confirmed, cancelled or expired, exactly once; or held for longer.
#pragma once

#include <algorithm>
#include <cstdint>

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

  // Confirms (`quantity` units; 0: all) or cancels.
  ResolveResult resolve(std::uint64_t id, Phase to, std::uint64_t quantity) noexcept {
    return decide(id, [&](std::uint32_t slot, std::uint64_t seen) {
      if (quantity != 0 && !can_part(slot, quantity)) {
        // Refused if that is what the reservation holds, and not what came after it in its slots.
        return memory_.reservations.state(id) == seen ? Try::kRefused : Try::kAgain;
      }
      return settle(slot, seen, to, quantity) ? Try::kDone : Try::kAgain;
    });
  }

  // Holds it until `until` at least.
  ResolveResult extend(std::uint64_t id, std::uint64_t until) noexcept {
    return decide(id, [&](std::uint32_t slot, std::uint64_t seen) {
      if (!memory_.reservations.extend(slot, seen, until)) return Try::kAgain;
      line_.count(kExtended);
      return Try::kDone;
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
            settle(slot, seen, Phase::kExpired, 0)) {
          ++expired;
        }
      }
      slot = slot + 1 == table.size() ? 0 : slot + 1;
    }
    return expired;
  }

 private:
  enum class Try { kDone, kAgain, kRefused };

  // What becomes of a reservation: `attempt(slot, state seen)` while it is held, else what it was before. Past its
  // deadline it expires, whoever looks at it first.
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
        if (settle(slot, seen, Phase::kExpired, 0)) return ResolveResult::kExpired;
        continue;
      }
      const Try tried = attempt(slot, seen);
      if (tried == Try::kDone) return ResolveResult::kDone;
      if (tried == Try::kRefused) return ResolveResult::kBadQuantity;
    }
  }

  // Read after a state that is then resolved by comparing with it: the deadline of that version.
  bool due(std::uint32_t slot) const noexcept {
    const std::uint64_t early = SLUICE_PLANTED(kExpireEarly) ? 1 : 0;
    return now_ + early >= memory_.reservations[slot].deadline_ns.load(std::memory_order_relaxed);
  }

  // Whether `quantity` of the reservation can be confirmed by itself: all its units are of one item, and enough.
  bool can_part(std::uint32_t slot, std::uint64_t quantity) noexcept {
    const ReservationTable& table = memory_.reservations;
    const std::uint32_t item = table[slot].item.load(std::memory_order_relaxed);
    std::uint64_t units = 0;
    bool one_item = true;
    LineReserver::for_each_line(memory_, slot, [&](std::uint32_t at, std::uint32_t part, std::uint32_t) {
      units += part;
      one_item = one_item && table[at].item.load(std::memory_order_relaxed) == item;
    });
    // Pairs with the fence in LineReserver::append(): the state is read after what stands in the slots.
    std::atomic_thread_fence(std::memory_order_acquire);
    return one_item && quantity <= units;
  }

  // Held -> `to` with all that follows from it. False if somebody else was first. Of a confirmation of `quantity`
  // units (0: all), the rest goes back.
  bool settle(std::uint32_t slot, std::uint64_t seen, Phase to, std::uint64_t quantity) noexcept {
    ReservationTable& table = memory_.reservations;
    if (!table.resolve(slot, seen, to)) return false;
    // Nobody else touches the slots until they are free.
    const std::uint64_t id = (seen >> 32 << 32) | (slot + 1);
    const LedgerUser user = memory_.movements.keeps() ? table[slot].user() : LedgerUser{};
    std::uint64_t to_sell = to != Phase::kConfirmed ? 0 : quantity == 0 ? ~0ULL : quantity;
    LineReserver::for_each_line(
        memory_, slot, [&](std::uint32_t at, std::uint32_t part, std::uint32_t entry) {
          StockLine<>& stock = memory_.items.line(table[at].stock_line.load(std::memory_order_relaxed));
          const std::uint64_t sold = std::min<std::uint64_t>(part, to_sell);
          const std::uint64_t rest = part - sold;
          to_sell -= sold;
          if (sold != 0) {
            stock.sell(sold);
            if (entry == kNoUser) {
              memory_.items.sold_uncounted(memory_.items[table[at].item.load(std::memory_order_relaxed)],
                                           sold);
            }
            memory_.move(MovementKind::kConfirmed, at, id, sold, user, now_);
          }
          if (rest != 0) {
            if (!SLUICE_PLANTED(kLosePart) || to != Phase::kConfirmed) stock.put_back(rest);
            const bool counts =
                entry != kNoUser && !(SLUICE_PLANTED(kKeepUserCount) && to == Phase::kExpired);
            if (counts) memory_.users.put_back(entry, rest);
            memory_.move(returned_as(to), at, id, rest, user, now_);
          }
          table.free_slot(at);
        });
    line_.count(to == Phase::kConfirmed ? kConfirmed : to == Phase::kCancelled ? kCancelled : kExpired);
    return true;
  }

  static MovementKind returned_as(Phase to) noexcept {
    return to == Phase::kConfirmed   ? MovementKind::kReturned
           : to == Phase::kCancelled ? MovementKind::kCancelled
                                     : MovementKind::kExpired;
  }

  LedgerMemory& memory_;
  ThreadLine& line_;
  std::uint64_t now_;
};

}  // namespace sluice
