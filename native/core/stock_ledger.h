// The stock ledger: reserve, confirm, cancel, expire, with per-user limits and idempotent client ids.
// The model is TigerBeetle's two-phase transfers: pending -> posted | voided | timed out, resolved at most once.
//
//   segment body:  | LedgerControl | ThreadLines | ItemTable | UserTable | IdTable | ReservationTable |
//
// Invariants, which audit() recomputes while no operation is inside:
//   per item:            available + reserved + sold = total, and reserved = the sum of its held reservations
//   per item and user:   counted = units held or bought, so their sum = reserved + sold where a limit is set
#pragma once

#include <cstdint>
#include <new>
#include <vector>

#include "core/check.h"
#include "core/id_table.h"
#include "core/item_table.h"
#include "core/quiesce.h"
#include "core/reservation_table.h"
#include "core/thread_lines.h"
#include "core/user_table.h"

namespace sluice {

enum class ReserveResult : std::uint8_t {
  kReserved = 0,
  kDuplicate = 1,  // this id with this body was reserved before: the same reservation
  kSoldOut = 2,
  kUserLimit = 3,
  kUnknownSku = 4,
  kLedgerFull = 5,     // no free reservation slot
  kUsersFull = 6,      // no free entry in the user table
  kIdsFull = 7,        // every id that shares this one's bucket is still held
  kIdMismatch = 8,     // this id was used with another body
  kAlreadyFailed = 9,  // this id was refused before, and stays refused
  kIdBusy = 10,        // another thread has been deciding an id of this bucket for unusually long
  kNotPublished = 11,  // the caller's publish step refused: everything was undone
};

enum class ResolveResult : std::uint8_t {
  kDone = 0,
  kAlreadyConfirmed = 1,
  kAlreadyCancelled = 2,
  kExpired = 3,
  kUnknown = 4,
};

struct LedgerShape {
  std::uint32_t items = 0;
  std::uint32_t reservations = 0;
  std::uint32_t users = 0;
  std::uint32_t ids = 0;
};

struct LedgerControl {
  LedgerShape shape;      // written at creation only
  std::uint64_t hold_ns;  // how long a reservation is held unless it says otherwise
  Quiesce<> quiesce;
  alignas(kCacheLine) std::atomic<std::uint32_t> sweep_cursor;
};

class StockLedger {
 public:
  enum Counter : std::uint32_t { kReserved, kConfirmed, kCancelled, kExpired, kRefused };

  struct Request {
    std::uint64_t sku;
    std::uint64_t quantity;  // 1 to kQuantityMax
    std::uint64_t user;      // 0 to kUserMax
    std::uint64_t id;        // 0 to kIdMax
    bool has_id;
    std::uint64_t hold_ns;
  };
  struct Answer {
    ReserveResult result;
    std::uint64_t reservation;  // for kReserved and kDuplicate
  };
  struct Audit {
    std::uint32_t item;                         // the first item that does not add up, or kNoItem
    Item::Counts counts;                        // of that item
    std::uint64_t reserved_found, users_found;  // what its reservations and user entries add up to
    std::uint64_t held, free_slots;             // together: the table's slots
  };

  static std::uint64_t bytes(const LedgerShape& shape) {
    return sizeof(LedgerControl) + sizeof(ThreadLines) + ItemTable::bytes(shape.items) +
           UserTable::bytes(shape.users) + IdTable::bytes(shape.ids) +
           ReservationTable::bytes(shape.reservations);
  }

  StockLedger(void* memory, const LedgerShape& shape)
      : control_(static_cast<LedgerControl*>(memory)),
        lines_(reinterpret_cast<ThreadLines*>(control_ + 1)),
        items_(lines_ + 1, shape.items),
        users_(after(lines_ + 1, ItemTable::bytes(shape.items)), shape.users),
        ids_(after(lines_ + 1, ItemTable::bytes(shape.items) + UserTable::bytes(shape.users)), shape.ids),
        reservations_(after(lines_ + 1, ItemTable::bytes(shape.items) + UserTable::bytes(shape.users) +
                                            IdTable::bytes(shape.ids)),
                      shape.reservations) {}

  void format(const LedgerShape& shape, std::uint64_t hold_ns) {
    new (control_) LedgerControl{shape, hold_ns, {}, {}};
    reservations_.format();
  }

  ItemTable& items() noexcept { return items_; }
  ThreadLines& lines() noexcept { return *lines_; }
  std::uint64_t hold_ns() const noexcept { return control_->hold_ns; }

  // What reserve() would refuse right now for want of stock, read without writing anything: kReserved if
  // nothing stands in the way.
  ReserveResult peek(const Request& request) const noexcept {
    const std::uint32_t number = items_.find(request.sku);
    if (number == kNoItem) return ReserveResult::kUnknownSku;
    const Item& item = items_[number];
    if (item.sold_out(request.quantity)) return ReserveResult::kSoldOut;
    if (item.per_user == 0) return ReserveResult::kReserved;
    const std::uint32_t entry = users_.find(request.user, number);
    const std::uint64_t held = entry == kNoUser ? 0 : users_.count(entry);
    return held + request.quantity > item.per_user ? ReserveResult::kUserLimit : ReserveResult::kReserved;
  }

  // Answers a request that peek() refused with `verdict`. With an id, what the id was told before comes first,
  // and a refusal for want of stock is remembered; without one, no shared line is written.
  Answer refuse(ThreadLine& line, const Request& request, ReserveResult verdict) noexcept {
    Answer answer{verdict, 0};
    if (request.has_id) {
      control_->quiesce.enter(line);
      answer = with_id(request, [verdict] { return Answer{verdict, 0}; });
      control_->quiesce.leave(line);
    }
    count(line, answer.result);
    return answer;
  }

  // What the id of the request was told before: kReserved if nothing (or if there is no id). Changes nothing.
  Answer recall(ThreadLine& line, const Request& request) noexcept {
    Answer answer{ReserveResult::kReserved, 0};
    if (!request.has_id) return answer;
    control_->quiesce.enter(line);
    IdTable::Bucket* bucket = ids_.lock(request.id);
    if (bucket != nullptr) {
      told_before(*bucket, request, answer);
      IdTable::unlock(*bucket);
    }
    control_->quiesce.leave(line);
    return answer;
  }

  // Reserves, or changes nothing. `publish(reservation)` is the last step, inside the operation: if it returns
  // false, everything is undone and the id, if any, is not remembered. The undoing cannot fail; while it lasts
  // (some tens of nanoseconds) others may find the units taken.
  template <class Publish>
  Answer reserve(ThreadLine& line, const Request& request, std::uint64_t now, Publish&& publish) noexcept {
    const auto reserve_now = [&] { return reserve_once(request, now, publish); };
    control_->quiesce.enter(line);
    const Answer answer = request.has_id ? with_id(request, reserve_now) : reserve_now();
    control_->quiesce.leave(line);
    count(line, answer.result);
    return answer;
  }

  ResolveResult confirm(ThreadLine& line, std::uint64_t id, std::uint64_t now) noexcept {
    return resolve(line, id, now, Phase::kConfirmed);
  }
  ResolveResult cancel(ThreadLine& line, std::uint64_t id, std::uint64_t now) noexcept {
    return resolve(line, id, now, Phase::kCancelled);
  }

  // Expires the due ones among the next `slots` slots, going round the table. Returns how many.
  std::uint32_t sweep(ThreadLine& line, std::uint64_t now, std::uint32_t slots) noexcept {
    std::uint32_t expired = 0;
    std::uint32_t slot =
        control_->sweep_cursor.fetch_add(slots, std::memory_order_relaxed) % reservations_.size();
    control_->quiesce.enter(line);
    for (std::uint32_t i = 0; i < slots; ++i) {
      const std::uint64_t id = reservations_.held_in(slot);
      if (id != 0 && now >= reservations_[slot].deadline_ns.load(std::memory_order_relaxed) &&
          settle(line, id, Phase::kExpired)) {
        ++expired;
      }
      slot = slot + 1 == reservations_.size() ? 0 : slot + 1;
    }
    control_->quiesce.leave(line);
    return expired;
  }
  std::uint32_t slots() const noexcept { return reservations_.size(); }

  // Recomputes every count from the reservations and user entries, while no operation is inside.
  Audit audit() {
    std::vector<std::uint64_t> reserved(items_.size()), counted(items_.size());
    control_->quiesce.pause(*lines_);
    Audit report{kNoItem, {}, 0, 0, 0, reservations_.free_slots()};
    for (std::uint32_t slot = 0; slot < reservations_.size(); ++slot) {
      if (reservations_.held_in(slot) == 0) continue;
      const Reservation& held = reservations_[slot];
      reserved[held.item.load(std::memory_order_relaxed)] += held.quantity.load(std::memory_order_relaxed);
      ++report.held;
    }
    for (std::uint32_t entry = 0; entry < users_.size(); ++entry) {
      const std::uint32_t item = users_.item_of(entry);
      if (item != kNoItem) counted[item] += users_.count(entry);
    }
    for (std::uint32_t item = 0; item < items_.size(); ++item) {
      const Item::Counts counts = items_[item].counts();
      const bool adds_up = counts.available + counts.reserved <= counts.total &&
                           counts.reserved == reserved[item] &&
                           (items_[item].per_user == 0 || counted[item] == counts.reserved + counts.sold);
      if (adds_up || report.item != kNoItem) continue;
      report.item = item;
      report.counts = counts;
      report.reserved_found = reserved[item];
      report.users_found = counted[item];
    }
    control_->quiesce.resume();
    return report;
  }

 private:
  static constexpr std::uint64_t kFailed = 0;  // the answer of an id that was refused; no reservation's id

  static void* after(void* memory, std::uint64_t bytes) { return static_cast<std::byte*>(memory) + bytes; }

  template <class Publish>
  Answer reserve_once(const Request& request, std::uint64_t now, Publish&& publish) noexcept {
    const std::uint32_t number = items_.find(request.sku);
    if (number == kNoItem) return {ReserveResult::kUnknownSku, 0};
    Item& item = items_[number];
    // Stock last: an attempt that fails for another reason has then not shown anybody fewer units.
    if (item.sold_out(request.quantity)) return {ReserveResult::kSoldOut, 0};
    std::uint32_t entry = kNoUser;
    if (item.per_user != 0) {
      entry = users_.enter(request.user, number);
      if (entry == kNoUser) return {ReserveResult::kUsersFull, 0};
      if (!users_.add(entry, request.quantity, item.per_user)) return {ReserveResult::kUserLimit, 0};
    }
    const std::uint32_t slot = reservations_.take_slot();
    ReserveResult refusal = ReserveResult::kLedgerFull;
    if (slot != kNoSlot) {
      refusal = ReserveResult::kSoldOut;
      if (item.reserve(request.quantity)) {
        Reservation& reservation = reservations_[slot];
        reservation.deadline_ns.store(now + request.hold_ns, std::memory_order_relaxed);
        reservation.user.store(request.user, std::memory_order_relaxed);
        reservation.item.store(number, std::memory_order_relaxed);
        reservation.user_entry.store(entry, std::memory_order_relaxed);
        reservation.quantity.store(static_cast<std::uint32_t>(request.quantity), std::memory_order_relaxed);
        const std::uint64_t id = reservations_.hold(slot);
        if (publish(id)) return {ReserveResult::kReserved, id};
        // Whoever resolves it undoes the rest; a sweep may have been faster if the hold is shorter than this step.
        if (!reservations_.resolve(id, Phase::kCancelled)) return {ReserveResult::kNotPublished, 0};
        item.put_back(request.quantity);
        refusal = ReserveResult::kNotPublished;
      }
      reservations_.free_slot(slot);
    }
    if (entry != kNoUser) users_.put_back(entry, request.quantity);
    return {refusal, 0};
  }

  // What the id was told before, else what `decide` says now, remembered if it is final.
  template <class Decide>
  Answer with_id(const Request& request, Decide&& decide) noexcept {
    IdTable::Bucket* bucket = ids_.lock(request.id);
    if (bucket == nullptr) return {ReserveResult::kIdBusy, 0};
    const Answer answer = with_id_in(*bucket, request, decide);
    IdTable::unlock(*bucket);
    return answer;
  }

  static std::uint32_t body_of(const Request& request) noexcept {
    return static_cast<std::uint32_t>(mix(mix(request.sku, request.quantity), request.user));
  }

  // Whether the id in its locked bucket has been answered; if so, `answer` is what it is told now.
  static bool told_before(const IdTable::Bucket& bucket, const Request& request, Answer& answer) noexcept {
    const std::uint32_t known = IdTable::find(bucket, request.id);
    if (known == IdTable::kWays) return false;
    if (bucket.bodies[known] != body_of(request)) {
      answer = {ReserveResult::kIdMismatch, 0};
    } else if (bucket.answers[known] == kFailed) {
      answer = {ReserveResult::kAlreadyFailed, 0};
    } else {
      answer = {ReserveResult::kDuplicate, bucket.answers[known]};
    }
    return true;
  }

  template <class Decide>
  Answer with_id_in(IdTable::Bucket& bucket, const Request& request, Decide&& decide) noexcept {
    Answer answer{ReserveResult::kReserved, 0};
    if (told_before(bucket, request, answer)) return answer;
    const std::uint32_t way = IdTable::room(bucket, [this](std::uint64_t answer) {
      return answer == kFailed || reservations_.phase(answer) != Phase::kHeld;
    });
    if (way == IdTable::kWays) return {ReserveResult::kIdsFull, 0};
    answer = decide();
    // Only what the stock decided is final for the id. After a full table or queue the client may try again.
    if (answer.result == ReserveResult::kReserved) {
      IdTable::remember(bucket, way, request.id, body_of(request), answer.reservation);
    } else if (answer.result == ReserveResult::kSoldOut || answer.result == ReserveResult::kUserLimit) {
      IdTable::remember(bucket, way, request.id, body_of(request), kFailed);
    }
    return answer;
  }

  static void count(ThreadLine& line, ReserveResult result) noexcept {
    if (result == ReserveResult::kReserved) {
      line.count(kReserved);
    } else if (result != ReserveResult::kDuplicate) {
      line.count(kRefused);
    }
  }

  ResolveResult resolve(ThreadLine& line, std::uint64_t id, std::uint64_t now, Phase to) noexcept {
    control_->quiesce.enter(line);
    const ResolveResult result = resolve_inside(line, id, now, to);
    control_->quiesce.leave(line);
    return result;
  }

  ResolveResult resolve_inside(ThreadLine& line, std::uint64_t id, std::uint64_t now, Phase to) noexcept {
    Phase phase = reservations_.phase(id);
    if (phase == Phase::kHeld) {
      // Past its deadline a reservation expires, whoever looks at it first.
      const bool due =
          now >= reservations_[reservations_.slot_of(id)].deadline_ns.load(std::memory_order_relaxed);
      if (settle(line, id, due ? Phase::kExpired : to))
        return due ? ResolveResult::kExpired : ResolveResult::kDone;
      phase = reservations_.phase(id);
    }
    switch (phase) {
      case Phase::kConfirmed:
        return ResolveResult::kAlreadyConfirmed;
      case Phase::kCancelled:
        return ResolveResult::kAlreadyCancelled;
      case Phase::kExpired:
        return ResolveResult::kExpired;
      default:
        return ResolveResult::kUnknown;
    }
  }

  // Held -> `to` with all that follows from it. False if somebody else was first.
  bool settle(ThreadLine& line, std::uint64_t id, Phase to) noexcept {
    const std::uint32_t slot = reservations_.slot_of(id);
    const Reservation& reservation = reservations_[slot];
    const std::uint32_t number = reservation.item.load(std::memory_order_relaxed);
    const std::uint32_t entry = reservation.user_entry.load(std::memory_order_relaxed);
    const std::uint32_t quantity = reservation.quantity.load(std::memory_order_relaxed);
    if (!reservations_.resolve(id, to)) return false;
    if (to == Phase::kConfirmed) {
      items_[number].sell(quantity);
      line.count(kConfirmed);
    } else {
      items_[number].put_back(quantity);
      if (entry != kNoUser) users_.put_back(entry, quantity);
      line.count(to == Phase::kCancelled ? kCancelled : kExpired);
    }
    reservations_.free_slot(slot);
    return true;
  }

  LedgerControl* control_;
  ThreadLines* lines_;
  ItemTable items_;
  UserTable users_;
  IdTable ids_;
  ReservationTable reservations_;
};

}  // namespace sluice
