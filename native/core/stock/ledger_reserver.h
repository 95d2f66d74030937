// Answers requests to reserve units: repeats the earlier answer to the request's id, or takes the units.
#pragma once

#include <cstdint>

#include "core/base/clock.h"
#include "core/base/spin_wait.h"
#include "core/stock/cart_reserver.h"
#include "core/stock/hold_changer.h"
#include "core/stock/ledger_memory.h"
#include "core/stock/part_resolver.h"
#include "core/stock/resolver.h"
#include "core/stock/returner.h"
#include "core/stock/stock_request.h"

namespace sluice {

// The part of a StockLedger that answers requests.
class LedgerReserver {
 public:
  enum Counter : std::uint32_t {
    kReserved = 0,
    kConfirmed = Resolver::kConfirmed,
    kCancelled = Resolver::kCancelled,
    kExpired = Resolver::kExpired,
    kExtended = Resolver::kExtended,
    kRefused,
    kParted = PartResolver::kParted,
    kChanged = HoldChanger::kChanged,
    kReturned = Returner::kReturned,
  };
  using Request = StockRequest;
  using Answer = StockAnswer;

  const KeySecret& secret() const noexcept { return memory_.control->secret; }

  // Returns the refusal that reserve() would answer now because of stock or limits, or kReserved. Writes nothing. If
  // holds that are over may be the reason, the refusal is provisional: then peek_past_due() returns a better one.
  Answer peek(const Request& request) const noexcept {
    for (std::uint32_t i = 0; i < request.line_count; ++i) {
      bool held = false;
      const ReserveResult verdict = CartReserver::peek(memory_, request, i, held);
      if (verdict == ReserveResult::kReserved) continue;
      Answer refused{verdict, 0, i};
      refused.provisional = held;
      return refused;
    }
    return {};
  }

  // Called after a provisional refusal by peek(). Looks at kLookSlots slots at most to expire due holds, and peeks
  // again. Writes nothing if due() returns false.
  SLUICE_APART Answer peek_past_due(ThreadSlot& thread, const Request& request, CallTime& time) noexcept {
    bool left = due(time.now());
    if (left) {
      expire_due(thread, time.now(), kLookSlots);
      left = due(time.now());
    }
    Answer answer = peek(request);
    answer.provisional = left;
    return answer;
  }

  // Answers a request that peek() refused with `verdict`. If the request has an id, an earlier answer to this id takes
  // precedence, and a final refusal is remembered. Without an id the call writes no shared cache line.
  Answer refuse(ThreadSlot& thread, const Request& request, const Answer& verdict) noexcept {
    Answer answer = verdict;
    if (request.has_id()) {
      const Inside inside(memory_, thread);
      answer = refuse_id(request, verdict);
    }
    count(thread, answer.result);
    return answer;
  }

  // Begins to fetch the bucket of the request's id from memory, before the caller calls reserve().
  void prefetch(const Request& request) const noexcept {
    if (request.has_id()) memory_.ids.prefetch(request.hashed_id(secret()));
  }

  // Returns the earlier answer to the request's id. Returns kReserved if there was none, if there is no id, or if
  // another thread keeps the id's bucket locked. Changes nothing.
  SLUICE_APART Answer recall(ThreadSlot& thread, const Request& request) noexcept {
    Answer answer;
    if (!request.has_id()) return answer;
    const Inside inside(memory_, thread);
    const IdTable::Visit id(memory_.ids, request.hashed_id(secret()));
    if (id.locked()) told_before(id, request, answer);
    return answer;
  }

  // Returns the reservation that was made for an id; 0: none was, or it is forgotten.
  std::uint64_t reservation_of(ThreadSlot& thread, const Key& id) noexcept {
    const Inside inside(memory_, thread);
    std::uint64_t reservation = 0;
    // Another thread may have locked the id's bucket to decide another id.
    spin_wait([&] {
      const IdTable::Visit visit(memory_.ids, HashedKey(secret(), id));
      if (visit.locked() && visit.known()) reservation = visit.answer().reservation();
      return visit.locked();
    });
    return reservation;
  }

  // Reserves all lines, or changes nothing. If holds that are over may be the reason of a refusal, this looks at
  // kLookSlots slots at most to expire due holds, and tries once more. `publish(reservation)` is the last step, inside
  // the operation. If it returns false, reserve() undoes everything and does not remember the id. Undoing cannot fail;
  // while it lasts (some tens of nanoseconds a line) other threads may find the units taken.
  //
  // If the id is that of a gate's order that is still held, but in no queue, reserve() publishes the order again, once,
  // and holds it as long as a new one.
  template <class Publish>
  Answer reserve(ThreadSlot& thread, const Request& request, std::uint64_t now, Publish&& publish) noexcept {
    const Inside inside(memory_, thread);
    Answer answer = attempt<false>(thread, request, now, publish);
    if (answer.provisional) [[unlikely]]
      answer = reserve_past_due(thread, request, now, answer, publish);
    count(thread, answer.result);
    expire_in_passing(thread, answer.result, now);
    return answer;
  }

  // Returns the phase of the reservation at `now`, and what is left of its hold. Another thread may extend or resolve
  // it right afterwards.
  Standing standing(std::uint64_t id, std::uint64_t now) const noexcept {
    return memory_.reservations.standing(id, now);
  }

  // Returns false if every hold that is over has expired, and its units are given back, unless another thread is just
  // expiring a hold that its call names. True does not prove the opposite, because a bound in the index may be too
  // early.
  bool due(std::uint64_t now) const noexcept { return memory_.reservations.deadlines().due(now); }

  // Looks at `slots` slots at most, in their order, to expire due holds. Returns how many expired.
  SLUICE_APART std::uint32_t expire_due(ThreadSlot& thread, std::uint64_t now,
                                        std::uint32_t slots = LookBudget::kUnlimited) noexcept {
    if (!due(now)) return 0;
    const Inside inside(memory_, thread);
    LookBudget budget(slots);
    return Resolver(memory_, thread, now).expire_due(budget);
  }

 protected:
  LedgerReserver(void* memory, const LedgerShape& shape, const Clock& clock)
      : memory_(memory, shape, clock) {}

  LedgerMemory memory_;

  // A provisional refusal, and with Sweeping::kByPassers every kPassEvery-th reservation of a thread, looks at
  // kLookSlots slots to expire due holds. So up to 512 reservations expire for each 64 that a thread makes: more than
  // it makes, even if it is too busy for its timers.
  static constexpr std::uint32_t kLookSlots = 512, kPassEvery = 64;

  static bool of_stock(ReserveResult refusal) noexcept {
    return refusal == ReserveResult::kSoldOut || refusal == ReserveResult::kUserLimit;
  }
  static bool of_full_table(ReserveResult refusal) noexcept {
    return refusal == ReserveResult::kLedgerFull || refusal == ReserveResult::kUsersFull;
  }

 private:
  // Tries once to reserve. A refusal because of stock, a user's limit or a full table is provisional if due() returned
  // true before the attempt, because a hold that is over may be the reason. kAgain: this is the second attempt. Each of
  // the two is a function of its own, so that the compiler inlines the first.
  template <bool kAgain, class Publish>
  Answer attempt(ThreadSlot& thread, const Request& request, std::uint64_t now, Publish&& publish) noexcept {
    return request.has_id() ? attempt_with_id<kAgain>(thread, request, now, publish)
                            : attempt_now<kAgain>(thread, request, now, publish);
  }
  template <bool kAgain, class Publish>
  SLUICE_APART Answer attempt_with_id(ThreadSlot& thread, const Request& request, std::uint64_t now,
                                      Publish&& publish) noexcept {
    IdTable::Visit id(memory_.ids, request.hashed_id(secret()));
    Answer answer;
    if (answered_by_id(id, thread, request, now, publish, answer)) return answer;
    answer = attempt_now<kAgain>(thread, request, now, publish);
    remember(id, request, answer);
    return answer;
  }
  template <bool kAgain, class Publish>
  Answer attempt_now(ThreadSlot& thread, const Request& request, std::uint64_t now,
                     Publish&& publish) noexcept {
    const bool left = due(now);
    Answer answer = reserve_once<kAgain>(thread, request, now, publish);
    if (left && (of_stock(answer.result) || of_full_table(answer.result))) [[unlikely]]
      answer.provisional = true;
    return answer;
  }

  // Called after a first attempt whose refusal is provisional. attempt() itself does not do this, because it keeps the
  // bucket of the id locked, for which other threads may wait.
  template <class Publish>
  SLUICE_APART Answer reserve_past_due(ThreadSlot& thread, const Request& request, std::uint64_t now,
                                       Answer refusal, Publish&& publish) noexcept {
    const bool some = expire_due(thread, now, kLookSlots) != 0 || due(now);
    if (some) return attempt<true>(thread, request, now, publish);
    // Nothing was due, or another thread has been faster.
    refusal.provisional = false;
    if (of_full_table(refusal.result)) return refusal;
    if (peek(request).result == ReserveResult::kReserved) return attempt<true>(thread, request, now, publish);
    return request.has_id() ? refuse_id(request, refusal) : refusal;
  }

  template <bool kAgain, class Publish>
  Answer reserve_once(ThreadSlot& thread, const Request& request, std::uint64_t now,
                      Publish&& publish) noexcept {
    CartReserver cart(memory_, thread);
    for (std::uint32_t i = 0; i < request.line_count; ++i) {
      const ReserveResult result = cart.take(request, i);
      if (result == ReserveResult::kReserved) continue;
      cart.undo();
      return {result, 0, i};
    }
    ReservationTable& table = memory_.reservations;
    const std::uint32_t head = cart.first();
    table[head].deadline_ns.store(now + request.hold_ns, std::memory_order_relaxed);
    table[head].put_user(request.user, request.has_id());
    if (request.has_id()) table.put_id(head, request.id, request.id_text);
    // The reservation is recorded before another thread can find it, so that no later movement of it is recorded first.
    tell(MovementKind::kReserved, head, table.id_in(head), request.user, now);
    const std::uint64_t id = table.hold(head);
    if (publish(id)) return {ReserveResult::kReserved, id, 0};
    // Cancels the reservation, unless another thread has resolved it before. A sweep may have, if the hold is shorter
    // than this step.
    for (std::uint64_t seen = table.state(id); ReservationTable::phase_in(seen) == Phase::kHeld;
         seen = table.state(id)) {
      if (!table.resolve(head, seen, Phase::kCancelled)) continue;
      tell(MovementKind::kCancelled, head, id, request.user, now);
      cart.undo();
      break;
    }
    return {ReserveResult::kNotPublished, 0, 0};
  }

  void tell(MovementKind kind, std::uint32_t head, std::uint64_t id, const LedgerUser& user,
            std::uint64_t now) noexcept {
    if (!memory_.movements.keeps()) return;
    CartReserver::for_each_line(memory_, head,
                                [&](std::uint32_t slot, std::uint32_t quantity, std::uint32_t) {
                                  memory_.record_movement(kind, slot, id, quantity, user, now);
                                });
  }

  // Whether the id alone decides the request; then `answer` is the answer. Otherwise there is room to remember the id.
  // An order in no queue is published again.
  template <class Publish>
  bool answered_by_id(IdTable::Visit& id, ThreadSlot& thread, const Request& request, std::uint64_t now,
                      Publish&& publish, Answer& answer) noexcept {
    if (!id.locked()) {
      answer = {ReserveResult::kIdBusy, 0, 0};
      return true;
    }
    if (told_before(id, request, answer)) {
      const bool stranded = answer.result == ReserveResult::kDuplicate && answer.in_no_queue;
      if (stranded && hold_again(thread, answer.reservation, now, now + request.hold_ns) &&
          publish(answer.reservation)) {
        answer.in_no_queue = false;
        answer.requeued = true;
        id.change(id.answer().queued());
      }
      return true;
    }
    // Looks for room before units are taken, so that an id whose request reserves is always remembered.
    const IdTable::Room room = id.find_room([&](std::uint64_t reservation) {
      return memory_.reservations.phase(reservation) == Phase::kHeld &&
             Resolver(memory_, thread, now).still_held(reservation);
    });
    if (room == IdTable::Room::kFound) return false;
    answer = {room == IdTable::Room::kBusy ? ReserveResult::kIdBusy : ReserveResult::kIdsFull, 0, 0};
    return true;
  }

  void remember(IdTable::Visit& id, const Request& request, const Answer& answer) const noexcept {
    if (answer.result == ReserveResult::kReserved) {
      id.remember(request.body(secret()), IdAnswer::reserved(answer.reservation, request.by_gate));
    } else {
      remember_refused(id, request, answer);
    }
  }

  // Whether the id was answered before; then `answer` is the answer to its repetition.
  bool told_before(const IdTable::Visit& id, const Request& request, Answer& answer) const noexcept {
    if (!id.known()) return false;
    if (id.body() != request.body(secret())) {
      answer = {ReserveResult::kIdMismatch, 0, 0};
    } else {
      answer = told(id.answer(), request.by_gate);
    }
    return true;
  }
  static Answer told(IdAnswer known, bool by_gate) noexcept {
    if (known.is_refusal()) return {ReserveResult::kAlreadyFailed, 0, 0};
    const ReserveResult result = known.by_gate() == by_gate ? ReserveResult::kDuplicate
                                 : by_gate                  ? ReserveResult::kNotByGate
                                                            : ReserveResult::kByGate;
    return {result, known.reservation(), 0, known.in_no_queue(), false};
  }

  // Returns the earlier answer to the id of a refused request; otherwise the refusal, which it remembers if it is
  // final.
  SLUICE_APART Answer refuse_id(const Request& request, const Answer& refusal) noexcept {
    Answer answer = refusal;
    IdTable::Visit id(memory_.ids, request.hashed_id(secret()));
    if (!id.locked()) return {ReserveResult::kIdBusy, 0, 0};
    if (!told_before(id, request, answer)) remember_refused(id, request, refusal);
    return answer;
  }

  // Only a decision of the stock is final for the id, and only if no hold that is over can be its reason. After a full
  // table or queue the client may try again.
  void remember_refused(IdTable::Visit& id, const Request& request, const Answer& refusal) const noexcept {
    const bool final = refusal.result == ReserveResult::kSoldOut ||
                       refusal.result == ReserveResult::kUserLimit ||
                       refusal.result == ReserveResult::kItemClosed;
    if (final && !refusal.provisional) id.remember_refused(request.body(secret()));
  }

  // If the reservation is held, extends its hold to `until` at least. Returns whether it did so.
  SLUICE_APART bool hold_again(ThreadSlot& thread, std::uint64_t id, std::uint64_t now,
                               std::uint64_t until) noexcept {
    return standing(id, now).phase == Phase::kHeld &&
           Resolver(memory_, thread, now).extend(id, until) == ResolveResult::kDone;
  }

  void expire_in_passing(ThreadSlot& thread, ReserveResult result, std::uint64_t now) noexcept {
    const bool turn = result == ReserveResult::kReserved &&
                      thread.counters[kReserved].load(std::memory_order_relaxed) % kPassEvery == 0;
    if (!turn) [[likely]]
      return;
    if (memory_.control->sweeping == Sweeping::kByPassers) expire_due(thread, now, kLookSlots);
  }

  static void count(ThreadSlot& thread, ReserveResult result) noexcept {
    if (result == ReserveResult::kReserved) {
      thread.count(kReserved);
    } else if (result != ReserveResult::kDuplicate) {
      thread.count(kRefused);
    }
  }
};

}  // namespace sluice
