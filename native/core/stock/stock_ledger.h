// The stock ledger: reserve, confirm, cancel, extend, expire, with per-user limits and idempotent client ids.
// The model is TigerBeetle's two-phase transfers: pending -> posted | voided | timed out, resolved at most once.
//
// Invariants, which an audit recomputes while no operation is inside (see ledger_audit.h):
//   per item:            available + reserved + sold = total + backordered, available or backordered is 0, backordered
//                        is at most the item's cap, and reserved = the sum of its held reservations
//   per item and user:   counted = units held or bought, so their sum = reserved + sold where a limit is set
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

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

class StockLedger {
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

  static std::uint64_t bytes(const LedgerShape& shape) { return LedgerMemory::bytes(shape); }

  StockLedger(void* memory, const LedgerShape& shape) : memory_(memory, shape) {}

  void format(const LedgerShape& shape, std::uint64_t hold_ns, const KeySecret& secret, Sweeping sweeping) {
    memory_.format(shape, hold_ns, secret, sweeping);
  }

  LedgerMemory& memory() noexcept { return memory_; }
  ItemTable<>& items() noexcept { return memory_.items; }
  GroupTable& groups() noexcept { return memory_.groups; }
  ThreadSlots& thread_slots() noexcept { return *memory_.thread_slots; }
  const MovementLog<>& movements() const noexcept { return memory_.movements; }
  std::uint64_t hold_ns() const noexcept { return memory_.control->hold_ns.load(std::memory_order_relaxed); }
  // For reservations to come. Relaxed: it orders nothing.
  void set_hold_ns(std::uint64_t hold_ns) noexcept {
    memory_.control->hold_ns.store(hold_ns, std::memory_order_relaxed);
  }
  const KeySecret& secret() const noexcept { return memory_.control->secret; }
  std::uint32_t slots() const noexcept { return memory_.reservations.size(); }

  // What reserve() would refuse right now for want of stock, read without writing anything: kReserved if
  // nothing stands in the way. Provisional where holds may be over: then peek_past_due() says more.
  Answer peek(const Request& request) const noexcept {
    for (std::uint32_t i = 0; i < request.line_count; ++i) {
      bool held = false;
      const ReserveResult verdict = CartReserver::peek(memory_, request.lines[i], request, held);
      if (verdict == ReserveResult::kReserved) continue;
      Answer refused{verdict, 0, i};
      refused.provisional = held;
      return refused;
    }
    return {};
  }

  // What peek(), whose refusal is provisional, says once holds that are over do not stand in the way any more: those
  // are looked at first, as far as kLookSlots goes. It writes nothing if no hold is over.
  Answer peek_past_due(ThreadSlot& thread, const Request& request, CallTime& time) noexcept {
    bool left = due(time.now());
    if (left) {
      expire_due(thread, time.now(), kLookSlots);
      left = due(time.now());
    }
    Answer answer = peek(request);
    answer.provisional = left;
    return answer;
  }

  // Answers a request that peek() refused with `verdict`. With an id, what the id was told before comes first,
  // and a refusal for want of stock is remembered; without one, no shared line is written.
  Answer refuse(ThreadSlot& thread, const Request& request, const Answer& verdict) noexcept {
    Answer answer = verdict;
    if (request.has_id()) {
      const Inside inside(memory_, thread);
      answer = refuse_id(request, verdict);
    }
    count(thread, answer.result);
    return answer;
  }

  // Has the bucket of the request's id fetched from memory, while the caller does something else before reserve().
  void prefetch(const Request& request) const noexcept {
    if (request.has_id()) memory_.ids.prefetch(request.hashed_id(secret()));
  }

  // What the id of the request was told before: kReserved if nothing (or if there is no id). Changes nothing.
  Answer recall(ThreadSlot& thread, const Request& request) noexcept {
    Answer answer;
    if (!request.has_id()) return answer;
    const Inside inside(memory_, thread);
    const IdTable::Visit id(memory_.ids, request.hashed_id(secret()));
    if (id.locked()) told_before(id, request, answer);
    return answer;
  }

  // The reservation that an id was told of; 0: none, or it was refused, or is forgotten.
  std::uint64_t reservation_of(ThreadSlot& thread, const Key& id) noexcept {
    const Inside inside(memory_, thread);
    std::uint64_t reservation = 0;
    // Another thread may be deciding an id of the same neighbourhood.
    spin_wait([&] {
      const IdTable::Visit visit(memory_.ids, HashedKey(secret(), id));
      if (visit.locked() && visit.known()) reservation = visit.answer().reservation();
      return visit.locked();
    });
    return reservation;
  }

  // Reserves all lines, or changes nothing. Refused where holds that are over may stand in the way, it looks at those,
  // as far as kLookSlots goes, and tries once more. `publish(reservation)` is the last step, inside the operation: if
  // it returns false, everything is undone and the id, if any, is not remembered. The undoing cannot fail; while it
  // lasts (some tens of nanoseconds a line) others may find the units taken.
  //
  // A gate's order that is still held, but in no queue, is published again, once, and held as long as a new one.
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

  // Sells what is held.
  ResolveResult confirm(ThreadSlot& thread, std::uint64_t id, std::uint64_t now) noexcept {
    const Inside inside(memory_, thread);
    return Resolver(memory_, thread, now).resolve(id, Phase::kConfirmed);
  }
  // Puts what is held back on sale.
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
  // Holds as many units of the items named as `wanted` says from now on, or of its only item, until its deadline as
  // before.
  ResolveAnswer change(ThreadSlot& thread, std::uint64_t id, std::uint64_t now, const Part& wanted) noexcept {
    const Inside inside(memory_, thread);
    const bool left = due(now);
    const ResolveAnswer answer = HoldChanger(memory_, thread, now).change(id, wanted);
    // Holds that are over do not stand in the way.
    if (!left || (!of_stock(answer.refusal) && !of_full_table(answer.refusal))) return answer;
    expire_due(thread, now, kLookSlots);
    return HoldChanger(memory_, thread, now).change(id, wanted);
  }
  // What was bought with the reservation, or a part of it, is on sale again.
  ResolveAnswer give_back(ThreadSlot& thread, std::uint64_t id, std::uint64_t now,
                          const Part& part) noexcept {
    const Inside inside(memory_, thread);
    return Returner(memory_, thread, now).give_back(id, part);
  }
  // Bought units of an item are on sale again: those of the user, or those that no user's count has.
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

  // What the reservation is at `now`, and what is left of its hold. Advisory: another thread may extend or resolve it
  // at once.
  Standing standing(std::uint64_t id, std::uint64_t now) const noexcept {
    return memory_.reservations.standing(id, now);
  }

  // Until when the reservation is held; 0 if it is not, or not any more. Advisory: another thread may extend or resolve
  // it at once.
  std::uint64_t held_until(std::uint64_t id) const noexcept {
    const ReservationTable& table = memory_.reservations;
    if (table.phase(id) != Phase::kHeld) return 0;
    return table[table.slot_of(id)].deadline_ns.load(std::memory_order_relaxed);
  }

  // Whether a hold is over and has not expired yet, or is just being expired.
  bool due(std::uint64_t now) const noexcept { return memory_.reservations.deadlines().due(now); }

  // Expires what is due, in the order of slots, as far as looking at `slots` slots goes. Returns how many.
  std::uint32_t expire_due(ThreadSlot& thread, std::uint64_t now,
                           std::uint32_t slots = LookBudget::kUnlimited) noexcept {
    if (!due(now)) return 0;
    const Inside inside(memory_, thread);
    LookBudget budget(slots);
    return Resolver(memory_, thread, now).expire_due(budget);
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
  // False if total and backorder would exceed kQuantityMax.
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
  // Makes the total `total`: see ItemTable::set_total().
  LevelSet set_total(ThreadSlot& thread, std::uint32_t item, std::uint64_t total, bool clamp,
                     std::uint64_t now) noexcept {
    const Inside inside(memory_, thread);
    const TotalSet set = memory_.items.set_total(memory_.items[item], total, clamp);
    if (set.added != 0) memory_.record_movement(MovementKind::kRestocked, item, set.added, now);
    if (set.taken != 0) memory_.record_movement(MovementKind::kWithdrawn, item, set.taken, now);
    return set.result;
  }
  // Makes the backorder cap `backorder`: see ItemTable::set_backorder(). No units are added or taken: nothing is told.
  LevelSet set_backorder(ThreadSlot& thread, std::uint32_t item, std::uint64_t backorder,
                         bool clamp) noexcept {
    const Inside inside(memory_, thread);
    return memory_.items.set_backorder(memory_.items[item], backorder, clamp);
  }
  void close_item(ThreadSlot& thread, std::uint32_t item, std::uint64_t now) noexcept {
    const Inside inside(memory_, thread);
    // Relaxed: a reservation on its way may still pass.
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
  // The most units of an item that one user can hold or have bought, from now on; 0: no limit. Where there was never
  // one, what is held or sold by now counts for nobody. Called by a thread that is not inside an operation.
  void limit_users(std::uint32_t item, std::uint64_t per_user) noexcept {
    Item<>& limited = memory_.items[item];
    if (per_user != 0 && limited.counts_users.load(std::memory_order_relaxed) == 0) {
      memory_.control->quiesce.pause(*memory_.thread_slots);
      memory_.items.count_users(limited);
      memory_.control->quiesce.resume();
    }
    memory_.items.limit_users(limited, per_user);
  }

 private:
  // What one refusal, or one reservation of kPassEvery, spends on what is due: up to 512 reservations expire, which is
  // more than are made meanwhile; a thread too busy for its timers keeps up with itself.
  static constexpr std::uint32_t kLookSlots = 512, kPassEvery = 64;

  static bool of_stock(ReserveResult refusal) noexcept {
    return refusal == ReserveResult::kSoldOut || refusal == ReserveResult::kUserLimit;
  }
  static bool of_full_table(ReserveResult refusal) noexcept {
    return refusal == ReserveResult::kLedgerFull || refusal == ReserveResult::kUsersFull;
  }

  // One attempt to reserve; of a request that is refused, provisional if a hold that is over may be the reason: if any
  // was due before the attempt. The first attempt and another one are functions of their own, so that the first is not
  // called.
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

  // After a first attempt, whose refusal is provisional. Not within attempt(), while others wait for the bucket of its
  // id.
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
      const ReserveResult result = cart.take(request.lines[i], request);
      if (result == ReserveResult::kReserved) continue;
      cart.undo();
      return {result, 0, i};
    }
    ReservationTable& table = memory_.reservations;
    const std::uint32_t head = cart.first();
    table[head].deadline_ns.store(now + request.hold_ns, std::memory_order_relaxed);
    table[head].put_user(request.user, request.has_id());
    if (request.has_id()) table.put_id(head, request.id, request.id_text);
    // Told before it can be found, so that nothing that happens to it is told earlier.
    tell(MovementKind::kReserved, head, table.id_in(head), request.user, now);
    const std::uint64_t id = table.hold(head);
    if (publish(id)) return {ReserveResult::kReserved, id, 0};
    // Whoever resolves it undoes the rest; a sweep may have been faster if the hold is shorter than this step.
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

  // Whether its id alone decides the request; if so, `answer` is what it is told. Else there is room to remember the
  // id. An order in no queue is published again.
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
    // Room before units are taken: an id that is admitted is remembered.
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

  // Whether the id has been answered; if so, `answer` is what it is told now.
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

  // What the id of a request that is refused was told before, else the refusal, remembered if it is final.
  Answer refuse_id(const Request& request, const Answer& refusal) noexcept {
    Answer answer = refusal;
    IdTable::Visit id(memory_.ids, request.hashed_id(secret()));
    if (!id.locked()) return {ReserveResult::kIdBusy, 0, 0};
    if (!told_before(id, request, answer)) remember_refused(id, request, refusal);
    return answer;
  }

  // Only what the stock decided is final for the id, and only if no hold that is over can have stood in the way. After
  // a full table or queue the client may try again.
  void remember_refused(IdTable::Visit& id, const Request& request, const Answer& refusal) const noexcept {
    const bool final = refusal.result == ReserveResult::kSoldOut ||
                       refusal.result == ReserveResult::kUserLimit ||
                       refusal.result == ReserveResult::kItemClosed;
    if (final && !refusal.provisional) id.remember_refused(request.body(secret()));
  }

  // Whether the reservation was held, and now is until `until` at least.
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

  LedgerMemory memory_;
};

}  // namespace sluice
