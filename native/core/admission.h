// The gate's one step: limiter, stock and queue, all or nothing.
//
//   1 peek at the queue and the stock (read only)    refused here: nothing was charged, no shared line written
//   2 read the clock
//   3 limiter                                        refused here: nothing was charged
//   4 stock: reserve                                 refused here: the limiter is refunded
//   5 queue: push, as the last part of reserving     refused here: the reservation is undone, the limiter refunded
//
// The reservation travels beside its record in `tags`, one word per slot of the ring, which the slot's stamp
// publishes like the record itself.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/clock.h"
#include "core/limiter.h"
#include "core/planted.h"
#include "core/queue.h"
#include "core/stock_ledger.h"

namespace sluice {

enum class NumberType : std::uint8_t { kNone = 0, kU8 = 1, kU16 = 2, kU32 = 3, kU53 = 4, kU64 = 5 };

// Where a whole number stands in a record.
struct NumberField {
  NumberType type = NumberType::kNone;
  std::uint32_t offset = 0;

  std::uint64_t read(const std::byte* record) const noexcept {
    switch (type) {
      case NumberType::kU8:
        return read_as<std::uint8_t>(record);
      case NumberType::kU16:
        return read_as<std::uint16_t>(record);
      case NumberType::kU32:
        return read_as<std::uint32_t>(record);
      case NumberType::kU53:
        return static_cast<std::uint64_t>(read_as<double>(record));
      case NumberType::kU64:
        return read_as<std::uint64_t>(record);
      case NumberType::kNone:
        return 0;
    }
    return 0;
  }

 private:
  template <class T>
  T read_as(const std::byte* record) const noexcept {
    T value;
    std::memcpy(&value, record + offset, sizeof value);
    return value;
  }
};

struct AdmissionFields {
  NumberField sku, quantity, user, id;
};

// In place of a reservation in the tag of an order that was admitted without a stock. A record that was pushed
// past the gate has the tag 0.
inline constexpr std::uint64_t kNoReservation = ~0ULL;

enum class Outcome : std::uint8_t {
  kAdmitted = 0,
  // 1 to 12: as ReserveResult. kDuplicate: admitted earlier under this id, nothing done now.
  kRateLimited = 16,
  kQueueFull = 17,
  kClosed = 18,
  kBadQuantity = 19,  // not in 1 .. kQuantityMax
};

class Admission {
 public:
  enum Counter : std::uint32_t {
    kAdmittedCount,
    kDuplicateCount,
    kRateLimitedCount,
    kQueueFullCount,
    kSoldOutCount,
    kUserLimitCount,
    kOtherCount
  };

  struct Parts {
    Queue* queue;
    Limiter* limiter;    // nullptr: no limiter
    StockLedger* stock;  // nullptr: no stock
    ThreadLine* line;    // of this thread in the gate, queue, limiter and stock
    ThreadLine* queue_line;
    ThreadLine* limiter_line;
    ThreadLine* stock_line;
    std::atomic<std::uint64_t>* tags;  // one per slot of the ring
    const Queue* depth_queue;          // whose depth the limiter's third tier follows, or nullptr
    Clock clock;
  };
  struct Result {
    Outcome outcome;
    Tier tier;                  // kRateLimited: which tier
    std::uint64_t retry_after;  // kRateLimited: ns, or kNever
    std::uint64_t reservation;  // kAdmitted, kDuplicate
  };

  // `hold_ns` 0: as the stock says.
  static Result admit(const Parts& parts, const AdmissionFields& fields, const std::byte* record,
                      std::uint64_t hold_ns) noexcept {
    const Result result = decide(parts, fields, record, hold_ns);
    parts.line->count(counter_of(result.outcome));
    if (result.outcome == Outcome::kQueueFull) parts.queue_line->count(Queue::kRejected);
    return result;
  }

 private:
  static Result decide(const Parts& parts, const AdmissionFields& fields, const std::byte* record,
                       std::uint64_t hold_ns) noexcept {
    Queue& queue = *parts.queue;
    if (queue.closed()) return refused(Outcome::kClosed);
    StockRequest::Line line{};
    StockRequest request{&line, 1, {}, {}, 0};
    if (parts.stock != nullptr) {
      line = {number_key(fields.sku.read(record)), fields.quantity.read(record)};
      if (fields.user.type != NumberType::kNone) request.user = LedgerUser::number(fields.user.read(record));
      if (fields.id.type != NumberType::kNone) request.id = number_key(fields.id.read(record));
      request.hold_ns = hold_ns != 0 ? hold_ns : parts.stock->hold_ns();
      if (line.quantity < 1 || line.quantity > kQuantityMax) return refused(Outcome::kBadQuantity);
      const StockAnswer verdict = parts.stock->peek(request);
      if (verdict.result != ReserveResult::kReserved) {
        return answered(parts.stock->refuse(*parts.stock_line, request, verdict));
      }
    }
    if (queue.ring().looks_full()) return busy(parts, request, refused(Outcome::kQueueFull));

    const bool needs_time = parts.limiter != nullptr || parts.stock != nullptr || queue.shape().needs_time();
    const std::uint64_t now = needs_time ? parts.clock.now() : 0;
    Limiter::Decision decision;
    if (parts.limiter != nullptr) {
      const std::uint64_t depth = parts.depth_queue == nullptr ? 0 : parts.depth_queue->depth();
      decision = parts.limiter->decide(*parts.limiter_line, parts.clock, now, 1, depth);
      if (decision.refused_by != Tier::kNone) {
        return busy(parts, request,
                    {Outcome::kRateLimited, decision.refused_by,
                     parts.limiter->retry_after(*parts.limiter_line, now, 1), 0});
      }
    }
    const Result result = parts.stock != nullptr ? reserve_and_push(parts, request, record, now)
                                                 : push(parts, record, now, kNoReservation);
    if (result.outcome != Outcome::kAdmitted && parts.limiter != nullptr &&
        !SLUICE_PLANTED(kKeepAdmissionCharge)) {
      parts.limiter->refund(*parts.limiter_line, decision, 1);
    }
    return result;
  }

  static Result reserve_and_push(const Parts& parts, const StockRequest& request, const std::byte* record,
                                 std::uint64_t now) noexcept {
    Result pushed = refused(Outcome::kQueueFull);
    const StockAnswer answer =
        parts.stock->reserve(*parts.stock_line, request, now, [&](std::uint64_t reservation) {
          pushed = push(parts, record, now, reservation);
          return pushed.outcome == Outcome::kAdmitted;
        });
    return answer.result == ReserveResult::kReserved || answer.result == ReserveResult::kNotPublished
               ? pushed
               : answered(answer);
  }

  static Result push(const Parts& parts, const std::byte* record, std::uint64_t now,
                     std::uint64_t reservation) noexcept {
    const PushResult pushed =
        parts.queue->push(0, record, now, parts.queue->shape().ttl_ns, [&](std::uint64_t slot) {
          // Relaxed: the slot's stamp publishes it.
          parts.tags[slot].store(reservation, std::memory_order_relaxed);
        });
    if (pushed == PushResult::kFull) return refused(Outcome::kQueueFull);
    if (pushed == PushResult::kClosed) return refused(Outcome::kClosed);
    return {Outcome::kAdmitted, Tier::kNone, 0, reservation == kNoReservation ? 0 : reservation};
  }

  // However busy we are: an id that was answered before gets that answer.
  static Result busy(const Parts& parts, const StockRequest& request, const Result& refusal) noexcept {
    if (parts.stock == nullptr) return refusal;
    const StockAnswer earlier = parts.stock->recall(*parts.stock_line, request);
    return earlier.result == ReserveResult::kReserved ? refusal : answered(earlier);
  }

  static Result refused(Outcome outcome) noexcept { return {outcome, Tier::kNone, 0, 0}; }
  static Result answered(const StockAnswer& answer) noexcept {
    return {static_cast<Outcome>(answer.result), Tier::kNone, 0, answer.reservation};
  }
  static Counter counter_of(Outcome outcome) noexcept {
    switch (outcome) {
      case Outcome::kAdmitted:
        return kAdmittedCount;
      case Outcome::kRateLimited:
        return kRateLimitedCount;
      case Outcome::kQueueFull:
        return kQueueFullCount;
      default:
        break;
    }
    switch (static_cast<ReserveResult>(outcome)) {
      case ReserveResult::kDuplicate:
        return kDuplicateCount;
      case ReserveResult::kSoldOut:
        return kSoldOutCount;
      case ReserveResult::kUserLimit:
        return kUserLimitCount;
      default:
        return kOtherCount;
    }
  }
};

}  // namespace sluice
