// The words by which lib/ knows the values of the core's enumerations. The switches have no default, so that the
// compiler reports a value for which the switch has no case. nullptr: lib/ needs no word for the value.
#pragma once

#include "contract/answers.h"
#include "core/gate/admission.h"
#include "core/limiter/calendar.h"
#include "core/limiter/limiter_config.h"
#include "core/limiter/limiter_waiters.h"
#include "core/queue/queue_control.h"
#include "core/queue/queue_shape.h"
#include "core/queue/room_waiters.h"
#include "core/stock/group_table.h"
#include "core/stock/item_table.h"
#include "core/stock/movement_log.h"
#include "core/stock/reservation_table.h"
#include "core/stock/stock_request.h"

namespace sluice {

// ---- queue ----

constexpr const char* word_of(Overflow value) {
  switch (value) {
    case Overflow::kReject:
      return "reject";
    case Overflow::kDropOldest:
      return "drop-oldest";
    case Overflow::kCaller:
      return "caller";
    case Overflow::kOverwrite:
      return "overwrite";
  }
  return nullptr;
}

constexpr const char* word_of(Dropped value) {
  switch (value) {
    case Dropped::kExpired:
      return "expired";
    case Dropped::kOldest:
      return "oldest";
    case Dropped::kShed:
      return "shed";
  }
  return nullptr;
}

constexpr const char* word_of(WaiterState value) {
  switch (value) {
    case WaiterState::kFree:
      return "free";
    case WaiterState::kWaiting:
      return "waiting";
    case WaiterState::kServed:
      return "served";
    case WaiterState::kEnded:
      return "ended";
  }
  return nullptr;
}

constexpr const char* word_of(Park value) {
  switch (value) {
    case Park::kReady:
      return "ready";
    case Park::kParked:
      return "parked";
    case Park::kEnded:
      return "ended";
  }
  return nullptr;
}

// ---- limiter ----

constexpr const char* word_of(Tier value) {
  switch (value) {
    case Tier::kNone:
      return nullptr;
    case Tier::kTokenBucket:
      return "token-bucket";
    case Tier::kSlidingWindow:
      return "sliding-window";
    case Tier::kQueueDepth:
      return "queue-depth";
    case Tier::kBlocked:
      return "blocked";
    case Tier::kAdaptive:
      return "adaptive";
    case Tier::kLine:
      return "waiting-line";
  }
  return nullptr;
}

constexpr const char* word_of(Every value) {
  switch (value) {
    case Every::kNone:
      return nullptr;
    case Every::kDay:
      return "day";
    case Every::kWeek:
      return "week";
    case Every::kMonth:
      return "month";
    case Every::kYear:
      return "year";
  }
  return nullptr;
}

constexpr const char* word_of(LimiterWaiters::Told::Outcome value) {
  switch (value) {
    case LimiterWaiters::Told::Outcome::kNothing:
      return "nothing";
    case LimiterWaiters::Told::Outcome::kServed:
      return "served";
    case LimiterWaiters::Told::Outcome::kExpired:
      return "expired";
    case LimiterWaiters::Told::Outcome::kFront:
      return "front";
  }
  return nullptr;
}

// ---- stock ----

constexpr const char* word_of(ReserveResult value) {
  switch (value) {
    case ReserveResult::kReserved:
      return "reserved";
    case ReserveResult::kDuplicate:
      return "duplicate";
    case ReserveResult::kSoldOut:
      return "sold-out";
    case ReserveResult::kUserLimit:
      return "user-limit";
    case ReserveResult::kUnknownSku:
      return "unknown-sku";
    case ReserveResult::kLedgerFull:
      return "ledger-full";
    case ReserveResult::kUsersFull:
      return "users-full";
    case ReserveResult::kIdsFull:
      return "ids-full";
    case ReserveResult::kIdMismatch:
      return "id-mismatch";
    case ReserveResult::kAlreadyFailed:
      return "already-failed";
    case ReserveResult::kIdBusy:
      return "in-progress";
    case ReserveResult::kItemClosed:
      return "item-closed";
    case ReserveResult::kSaleOver:
      return "sale-over";
    case ReserveResult::kNeedsUser:
      return "needs-user";
    case ReserveResult::kNotPublished:
      return nullptr;
    case ReserveResult::kByGate:
      return "admitted-by-gate";
    case ReserveResult::kNotByGate:
      return "reserved-directly";
  }
  return nullptr;
}

constexpr const char* word_of(ResolveResult value) {
  switch (value) {
    case ResolveResult::kDone:
      return "done";
    case ResolveResult::kAlreadyConfirmed:
      return "already-confirmed";
    case ResolveResult::kAlreadyCancelled:
      return "already-cancelled";
    case ResolveResult::kExpired:
      return "expired";
    case ResolveResult::kUnknown:
      return "unknown";
    case ResolveResult::kBadQuantity:
      return "bad-quantity";
    case ResolveResult::kBadLine:
      return "bad-line";
    case ResolveResult::kNotBought:
      return "not-bought";
    case ResolveResult::kAlreadyReturned:
      return "already-returned";
    case ResolveResult::kNeedsUser:
      return "needs-user";
    case ResolveResult::kRefused:
      return nullptr;
    case ResolveResult::kNothingLeft:
      return "nothing-left";
  }
  return nullptr;
}

constexpr const char* word_of(Phase value) {
  switch (value) {
    case Phase::kFree:
      return "unknown";
    case Phase::kHeld:
      return "held";
    case Phase::kConfirmed:
      return "confirmed";
    case Phase::kCancelled:
      return "cancelled";
    case Phase::kExpired:
      return "expired";
    case Phase::kChanging:
    case Phase::kLine:
      return nullptr;
  }
  return nullptr;
}

constexpr const char* word_of(ItemTable<>::Added value) {
  switch (value) {
    case ItemTable<>::Added::kAdded:
      return "added";
    case ItemTable<>::Added::kSkuExists:
      return "sku-exists";
    case ItemTable<>::Added::kFull:
      return "items-full";
    case ItemTable<>::Added::kNotJoined:
      return "group-full";
  }
  return nullptr;
}

constexpr const char* word_of(GroupTable::Added value) {
  switch (value) {
    case GroupTable::Added::kAdded:
      return "added";
    case GroupTable::Added::kExists:
      return "group-exists";
    case GroupTable::Added::kFull:
      return "groups-full";
  }
  return nullptr;
}

constexpr const char* word_of(LevelSet value) {
  switch (value) {
    case LevelSet::kDone:
      return "done";
    case LevelSet::kTaken:
      return "units-taken";
    case LevelSet::kTooMany:
      return "too-many";
  }
  return nullptr;
}

constexpr const char* word_of(MovementKind value) {
  switch (value) {
    case MovementKind::kAdded:
      return "added";
    case MovementKind::kRestocked:
      return "restocked";
    case MovementKind::kWithdrawn:
      return "withdrawn";
    case MovementKind::kClosed:
      return "closed";
    case MovementKind::kReserved:
      return "reserved";
    case MovementKind::kConfirmed:
      return "confirmed";
    case MovementKind::kCancelled:
      return "cancelled";
    case MovementKind::kExpired:
      return "expired";
    case MovementKind::kReturned:
      return "returned";
    case MovementKind::kReopened:
      return "reopened";
    case MovementKind::kReversed:
      return "reversed";
  }
  return nullptr;
}

// ---- gate ----

constexpr const char* word_of(NumberType value) {
  switch (value) {
    case NumberType::kNone:
      return nullptr;
    case NumberType::kU8:
      return "u8";
    case NumberType::kU16:
      return "u16";
    case NumberType::kU32:
      return "u32";
    case NumberType::kU53:
      return "u53";
    case NumberType::kU64:
      return "u64";
    case NumberType::kText:
      return "utf8";
  }
  return nullptr;
}

constexpr const char* word_of(Outcome value) {
  switch (value) {
    case Outcome::kAdmitted:
      return nullptr;
    case Outcome::kDuplicate:
      return "duplicate";
    case Outcome::kRateLimited:
      return nullptr;
    case Outcome::kQueueFull:
      return "queue-full";
    case Outcome::kClosed:
      return "closed";
    case Outcome::kBadQuantity:
      return "bad-quantity";
    case Outcome::kRequeued:
      return "requeued";
    case Outcome::kDuplicateConfirmed:
      return "confirmed";
    case Outcome::kCancelledBefore:
      return "cancelled";
    case Outcome::kExpiredBefore:
      return "expired";
    case Outcome::kUnknownBefore:
      return "unknown";
    case Outcome::kBadSku:
      return "bad-sku";
    case Outcome::kBadUser:
      return "bad-user";
    case Outcome::kBadId:
      return "bad-id";
  }
  return nullptr;
}

}  // namespace sluice
