// The memory of a stock ledger: its tables and their places, and `Inside`, with which each operation begins and ends.
//
//   segment body:  | LedgerControl | ThreadSlots | ItemTable | UserTable | IdTable | ReservationTable | MovementLog |
//                  | BoughtUnits | GroupTable |
#pragma once

#include <atomic>
#include <cstdint>
#include <new>

#include "core/base/clock.h"
#include "core/base/layout.h"
#include "core/base/quiesce.h"
#include "core/base/segment.h"
#include "core/base/spin_lock.h"
#include "core/base/thread_slots.h"
#include "core/stock/bought_units.h"
#include "core/stock/group_table.h"
#include "core/stock/id_answer.h"
#include "core/stock/id_table.h"
#include "core/stock/item_table.h"
#include "core/stock/movement_log.h"
#include "core/stock/reservation_table.h"
#include "core/stock/user_table.h"

namespace sluice {

// The largest sizes of a ledger's tables.
inline constexpr std::uint32_t kReservationsMax = 1U << 24, kUsersMax = 1U << 26, kIdsMax = 1U << 26,
                               kMovementsMax = 1U << 24;
static_assert(kReservationsMax < 1U << IdAnswer::kSlotBits);

struct LedgerShape {
  std::uint32_t items = 0;  // the most items, and also the most shards: an item has one or more
  std::uint32_t reservations = 0;
  std::uint32_t users = 0;
  std::uint32_t ids = 0;
  std::uint32_t movements = 0;

  // Whether a ledger can have this shape.
  bool sound() const {
    return items != 0 && items <= kItemsMax && reservations != 0 && reservations <= kReservationsMax &&
           users != 0 && users <= kUsersMax && ids != 0 && ids <= kIdsMax && movements <= kMovementsMax;
  }
};

// kByPassers: threads that reserve also expire due holds, now and then (see LedgerReserver::kPassEvery). kAsked: a due
// hold expires only when a caller asks for that, when a call names it, when it may be why a request is refused, or when
// a new id needs the entry of the hold's id. A ledger with a manual clock has kAsked.
enum class Sweeping : std::uint8_t { kAsked, kByPassers };

struct LedgerControl {
  LedgerShape shape;  // written at creation only, as are `secret` and `sweeping`
  KeySecret secret;   // the key of all hashes
  Sweeping sweeping;
  std::atomic<std::uint64_t> hold_ns;  // for how long a reservation is held by default
  Quiesce<> quiesce;
  SpinLock<> returns;  // held by a thread that returns bought units
  alignas(kCacheLine)
      SpinLock<> returns_slot;  // held by a thread that uses the shared slot ThreadSlots::kReturns
};

struct LedgerPlaces {
  explicit LedgerPlaces(const LedgerShape& shape)
      : control(layout.place<LedgerControl>()),
        slots(layout.place<ThreadSlots>()),
        items(layout.place(ItemTable<>::layout(shape.items))),
        users(layout.place(UserTable<>::layout(shape.users))),
        ids(layout.place(IdTable::layout(shape.ids))),
        reservations(layout.place(ReservationTable::layout(shape.reservations))),
        movements(layout.place(MovementLog<>::layout(shape.movements))),
        bought(layout.place(BoughtUnits::layout(UserTable<>::entries(shape.users)))),
        groups(layout.place(GroupTable::layout())) {}

  Layout layout;
  std::uint64_t control, slots, items, users, ids, reservations, movements, bought, groups;
};

class LedgerMemory {
 public:
  // core/base/segment.h requires these of the object in a segment.
  static constexpr SegmentKind kKind = SegmentKind::kStock;
  using Shape = LedgerShape;
  static Layout layout(const LedgerShape& shape) {
    Layout layout = LedgerPlaces(shape).layout;
    layout.note(shape.items, shape.reservations, shape.users, shape.ids, shape.movements);
    layout.note(kThreadsMax, kThreadCounters, kShardsMax, kSkuTextMax, kIdTextMax, LedgerUser::kTextMax,
                GroupTable::kMembersMax, IdAnswer::kSlotBits, Phase::kLine, MovementKind::kReversed);
    return layout;
  }
  static std::uint64_t bytes(const LedgerShape& shape) { return layout(shape).bytes(); }

  // `clock`: that of all deadlines in the ledger.
  LedgerMemory(void* memory, const LedgerShape& shape, const Clock& clock = {})
      : LedgerMemory(static_cast<std::byte*>(memory), shape, LedgerPlaces(shape), clock) {}

  void format(const LedgerShape& shape, std::uint64_t hold_ns, const KeySecret& secret, Sweeping sweeping) {
    new (control) LedgerControl{shape, secret, sweeping, hold_ns, {}, {}, {}};
    reservations.format();
  }

  // Records a change of an item.
  void record_movement(MovementKind kind, std::uint32_t item, std::uint64_t quantity,
                       std::uint64_t now) noexcept {
    movements.append({kind, item, quantity, now, 0, {}});
  }
  // Records what happened to some units of a reservation's line.
  void record_movement(MovementKind kind, std::uint32_t slot, std::uint64_t id, std::uint64_t quantity,
                       const LedgerUser& user, std::uint64_t now) noexcept {
    const std::uint32_t item = reservations[slot].item.load(std::memory_order_relaxed);
    movements.append(kind, item, quantity, now, id, user);
  }

  LedgerControl* control;
  ThreadSlots* thread_slots;
  ItemTable<> items;
  UserTable<> users;
  IdTable ids;
  ReservationTable reservations;
  MovementLog<> movements;
  BoughtUnits bought;  // one word for each entry of `users`
  GroupTable groups;
  Clock clock;

 private:
  LedgerMemory(std::byte* memory, const LedgerShape& shape, const LedgerPlaces& at, const Clock& clock)
      : control(reinterpret_cast<LedgerControl*>(memory + at.control)),
        thread_slots(reinterpret_cast<ThreadSlots*>(memory + at.slots)),
        items(memory + at.items, shape.items, control->secret),
        users(memory + at.users, shape.users),
        ids(memory + at.ids, shape.ids, control->secret),
        reservations(memory + at.reservations, shape.reservations),
        movements(memory + at.movements, shape.movements),
        bought(memory + at.bought),
        groups(memory + at.groups),
        clock(clock) {}
};

// While it lives, this thread is inside an operation, and audits and snapshots wait for its end. An operation within
// another one (the last step of a reservation may resolve others) is part of the outer one.
class Inside {
 public:
  Inside(LedgerMemory& memory, ThreadSlot& thread) noexcept
      : quiesce_(memory.control->quiesce),
        thread_(thread),
        outermost_(thread.inside.load(std::memory_order_relaxed) == 0) {
    if (outermost_) quiesce_.enter(thread_);
  }
  ~Inside() {
    if (outermost_) quiesce_.leave(thread_);
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  Quiesce<>& quiesce_;
  ThreadSlot& thread_;
  bool outermost_;
};

}  // namespace sluice
