// The one step of a gate: limiter, stock and queue accept an order, all or nothing.
//
//   1 peek at stock and queue (read only)            refused here: nothing was charged. If holds whose time is over may
//                                                    be the reason, they expire first, and the stock is asked again
//   2 read the clock
//   3 limiter                                        refused here: nothing was charged
//   4 queue: promise room                            refused here: the limiter is refunded
//   5 stock: reserve                                 refused here: the promise is given back, the limiter refunded
//   6 queue: push, as the last part of reserving     cannot fail
//
// Without a stock, steps 4 to 6 are one push. If the order's id was answered before, that earlier answer takes the
// place of a refusal in these steps; for the exception see earlier_answer_or(). A refusal in step 1 writes no cache
// line that threads share, unless the order has an id, or holds may be over.
//
// The stock takes units when no other part can refuse any more, so the roll-back of an order of one item never makes
// that item look sold out to other threads. (For an order with an id, such a refusal would be final.) For some tens of
// nanoseconds a roll-back can make a limiter or a queue look fuller by one than it is; a refusal for that reason is not
// final. If a cart is refused because of one line, the units of the lines before it can look taken for a moment (see
// cart_reserver.h).
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/probe.h"
#include "core/gate/admission_fields.h"
#include "core/gate/order_push.h"
#include "core/gate/order_tag.h"
#include "core/limiter/limiter.h"
#include "core/queue/queue.h"
#include "core/stock/stock_ledger.h"

namespace sluice {

// A request to admit an order.
struct AdmissionRequest {
  const std::byte* record;
  std::uint64_t hold_ns = 0;                 // 0: the stock's default
  const Key* key = nullptr;                  // the limiter's key; nullptr: the limiter has no keys
  const StockRequest::Line* cart = nullptr;  // nullptr: the record contains sku and quantity
  std::uint32_t cart_lines = 0;
};

enum class Outcome : std::uint8_t {
  kAdmitted = 0,
  kDuplicate = 1,  // admitted earlier under this id, and still held: this admission has changed nothing
  // 2 to 31: as ReserveResult
  kRateLimited = 32,
  kQueueFull,
  kClosed,
  kBadQuantity,  // not in 1 .. kQuantityMax
  kRequeued,     // admitted earlier under this id, and held, but in no queue: now pushed like a new order
  kDuplicateConfirmed,  // admitted earlier under this id, and sold
  kCancelledBefore,     // admitted earlier under this id, and cancelled
  kExpiredBefore,       // admitted earlier under this id, and expired
  kUnknownBefore,       // admitted earlier under this id; the ledger knows the reservation no more
  // kBadSku, kBadUser, kBadId: that field's text is empty, or too long for the ledger or for its room in the record.
  kBadSku,
  kBadUser,
  kBadId,
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
    kOtherCount,
    kRequeuedCount
  };

  struct Parts {
    Queue* queue;
    Limiter* limiter;    // nullptr: no limiter
    StockLedger* stock;  // nullptr: no stock
    // This thread's slots in the gate, the queue, the limiter and the stock.
    ThreadSlot* slot;
    ThreadSlot* queue_slot;
    ThreadSlot* limiter_slot;
    ThreadSlot* stock_slot;
    OrderTag* tags;            // one for each slot of the ring
    const Queue* depth_queue;  // the queue whose depth the limiter's depth tier reads, or nullptr
    Clock clock;
  };
  struct Result {
    Outcome outcome;
    Tier tier = Tier::kNone;        // kRateLimited: the tier that refused
    std::uint8_t window = 0;        // if a window refused: its index
    bool broke_promise = false;     // see Queue::break_promise()
    bool refunded = false;          // the limiter was charged and refunded
    std::uint32_t line = 0;         // for a refusal that concerns one line of the cart: its index
    std::uint64_t retry_after = 0;  // kRateLimited: in nanoseconds, or kNever
    std::uint64_t reservation = 0;  // the reservation that the order has or had; 0: none
  };

  static Result admit(const Parts& parts, const AdmissionFields& fields,
                      const AdmissionRequest& asked) noexcept {
    if (asked.key == nullptr && asked.cart == nullptr)
      return counted<true>(parts, fields, asked, PushIntoRoom{});
    return counted<false>(parts, fields, asked, PushIntoRoom{});
  }
  // As admit(), for a queue that overwrites. If the push drops an older order, this sets `overwritten` to that order,
  // and cancels its reservation, if it has one. The caller must then release the place in flight of that order.
  static Result admit_over(const Parts& parts, const AdmissionFields& fields, const AdmissionRequest& asked,
                           AdmittedOrder& overwritten) noexcept {
    return counted<false>(parts, fields, asked, PushOver{overwritten});
  }
  // As admit(), but does not push the order, whether the queue has room or not: sets `aside` to it if it is admitted.
  // The caller must push it later, or give back what it holds.
  static Result admit_aside(const Parts& parts, const AdmissionFields& fields, const AdmissionRequest& asked,
                            AdmittedOrder& aside) noexcept {
    return counted<false>(parts, fields, asked, PushAside{aside});
  }

 private:
  // In place of the time: the clock has not been read.
  static constexpr std::uint64_t kLater = ~0ULL;

  // `kPlain`: there is neither a key nor a cart, so the compiler drops the code for these. `way`: how to push, see
  // order_push.h.
  template <bool kPlain, class Push>
  static Result counted(const Parts& parts, const AdmissionFields& fields, const AdmissionRequest& asked,
                        Push way) noexcept {
    const Result result = decide<kPlain>(parts, fields, asked, way);
    SLUICE_PROBE(admit, parts.queue->ring().id(), result.outcome, result.tier, result.reservation);
    parts.slot->count(counter_of(result.outcome));
    if (result.outcome == Outcome::kQueueFull) parts.queue_slot->count(Queue::kRejected);
    return result;
  }

  template <bool kPlain, class Push>
  static Result decide(const Parts& parts, const AdmissionFields& fields, const AdmissionRequest& asked,
                       Push way) noexcept {
    Queue& queue = *parts.queue;
    const Key* const key = kPlain ? nullptr : asked.key;
    if (queue.closed()) return {Outcome::kClosed};
    CallTime time(parts.clock);
    StockRequest::Line line;
    StockRequest request;  // not an initializer list, for which a compiler may zero all of it
    request.lines = &line;
    request.line_count = 1;
    request.by_gate = true;
    if (parts.stock != nullptr) {
      const bool of_one_item = kPlain || asked.cart == nullptr;
      if (of_one_item) {
        line = {number_key(fields.sku.read(asked.record)), fields.quantity.read(asked.record)};
        if (line.quantity < 1 || line.quantity > kQuantityMax) return {Outcome::kBadQuantity};
      } else {
        request.lines = asked.cart;
        request.line_count = asked.cart_lines;
      }
      if (fields.user.type != NumberType::kNone)
        request.user.key = number_key(fields.user.read(asked.record));
      if (fields.id.type != NumberType::kNone) request.id = number_key(fields.id.read(asked.record));
      if (fields.has_text) [[unlikely]] {
        const Outcome read =
            read_texts(parts, fields, asked.record, of_one_item ? &line.sku : nullptr, request);
        if (read != Outcome::kAdmitted) return {read};
      }
      parts.stock->prefetch(request);
      request.hold_ns = asked.hold_ns != 0 ? asked.hold_ns : parts.stock->hold_ns();
      StockAnswer verdict = parts.stock->peek(request);
      if (verdict.provisional) verdict = parts.stock->peek_past_due(*parts.stock_slot, request, time);
      if (verdict.result != ReserveResult::kReserved) {
        const StockAnswer answer = parts.stock->refuse(*parts.stock_slot, request, verdict);
        const Result refused = answered(parts, answer, kLater);
        if (!to_requeue(answer, refused)) return refused;
      }
    }
    if (way.looks_full(queue)) return earlier_answer_or(parts, request, {Outcome::kQueueFull}, kLater);

    const bool needs_time = parts.limiter != nullptr || parts.stock != nullptr || queue.shape().needs_time();
    const std::uint64_t now = needs_time ? time.now() : 0;
    Limiter::Decision decision;
    if (parts.limiter != nullptr) {
      const std::uint64_t depth = parts.depth_queue == nullptr ? 0 : parts.depth_queue->depth();
      decision = parts.limiter->decide(*parts.limiter_slot, parts.clock, now, 1, depth, key);
      if (decision.refused_by != Tier::kNone) {
        Result refusal{Outcome::kRateLimited, decision.refused_by, decision.window};
        refusal.retry_after = parts.limiter->retry_after(*parts.limiter_slot, now, 1, key);
        return earlier_answer_or(parts, request, refusal, now);
      }
    }
    AdmittedOrder order{kNoReservation, request.hold_ns, key == nullptr ? Key{} : *key};
    Result result = parts.stock != nullptr ? reserve_and_push(parts, request, asked, now, order, way)
                                           : push(parts, asked, now, order, way);
    if (!queued(result.outcome) && parts.limiter != nullptr) {
      parts.limiter->undo(*parts.limiter_slot, parts.clock, now, decision, 1, key);
      result.refunded = true;
    }
    return result;
  }

  // Sets the keys of those fields that are texts, computed as the ledger computes them. `sku`: nullptr if the request
  // does not use the record's sku. Returns kAdmitted, or the refusal of a text.
  SLUICE_APART static Outcome read_texts(const Parts& parts, const AdmissionFields& fields,
                                         const std::byte* record, Key* sku, StockRequest& request) noexcept {
    const KeySecret& secret = parts.stock->secret();
    if (fields.sku.is_text() && sku != nullptr) {
      const std::string_view text = fields.sku.text(record, kSkuTextMax);
      if (text.empty()) return Outcome::kBadSku;
      *sku = text_key(secret, text);
    }
    if (fields.user.is_text()) {
      const std::string_view text = fields.user.text(record, LedgerUser::kTextMax);
      if (text.empty()) return Outcome::kBadUser;
      request.user = LedgerUser::named(secret, text);
    }
    if (fields.id.is_text()) {
      const std::string_view text = fields.id.text(record, kIdTextMax);
      if (text.empty()) return Outcome::kBadId;
      request.id = text_key(secret, text);
      request.id_text = text;
    }
    return Outcome::kAdmitted;
  }

  template <class Push>
  static Result reserve_and_push(const Parts& parts, const StockRequest& request,
                                 const AdmissionRequest& asked, std::uint64_t now, AdmittedOrder& order,
                                 Push way) noexcept {
    Queue& queue = *parts.queue;
    const PushResult room = way.promise(queue);
    if (room != PushResult::kPushed) return earlier_answer_or(parts, request, {refusal_of(room)}, now);
    // The ledger calls the function below last in its operation, when the units are taken and other threads can find
    // the reservation. The function always returns true, because a push into promised room cannot fail.
    const StockAnswer answer =
        parts.stock->reserve(*parts.stock_slot, request, now, [&](std::uint64_t reservation) {
          order.reservation = reservation;
          way.push_promised(queue, parts.tags, asked.record, now, order);
          return true;
        });
    // The overwritten order is cancelled only now, when this thread's operation on the ledger is over: see
    // overwriting.h.
    way.settle([&](const AdmittedOrder& overwritten) {
      parts.stock->cancel(*parts.stock_slot, overwritten.reservation, now);
    });
    Result result = answered(parts, answer, now);
    if (!queued(result.outcome)) {
      result.broke_promise = way.break_promise(queue);
    }
    return result;
  }

  template <class Push>
  static Result push(const Parts& parts, const AdmissionRequest& asked, std::uint64_t now,
                     const AdmittedOrder& order, Push way) noexcept {
    const PushResult pushed = way.push(*parts.queue, parts.tags, asked.record, now, order);
    return {pushed == PushResult::kPushed ? Outcome::kAdmitted : refusal_of(pushed)};
  }

  // Called when the limiter or the queue refuses, with its `refusal`. If the id was answered before, returns that
  // earlier answer instead. Exception: if the order is held but in no queue, returns the refusal, so that the client
  // tries again.
  static Result earlier_answer_or(const Parts& parts, const StockRequest& request, const Result& refusal,
                                  std::uint64_t now) noexcept {
    if (parts.stock == nullptr) return refusal;
    const StockAnswer earlier = parts.stock->recall(*parts.stock_slot, request);
    if (earlier.result == ReserveResult::kReserved) return refusal;
    const Result result = answered(parts, earlier, now);
    return to_requeue(earlier, result) ? refusal : result;
  }
  // Whether the order was admitted earlier, and is held, but in no queue.
  static bool to_requeue(const StockAnswer& earlier, const Result& result) noexcept {
    return result.outcome == Outcome::kDuplicate && earlier.in_no_queue;
  }

  static Outcome refusal_of(PushResult pushed) noexcept {
    return pushed == PushResult::kClosed ? Outcome::kClosed : Outcome::kQueueFull;
  }
  // Makes the result of the stock's answer. If `now` is kLater, reads the clock, but only if the order was admitted
  // before.
  static Result answered(const Parts& parts, const StockAnswer& answer, std::uint64_t now) noexcept {
    Result result{static_cast<Outcome>(answer.result)};
    result.line = answer.line;
    result.reservation = answer.reservation;
    if (answer.result == ReserveResult::kDuplicate) result.outcome = repeated(parts, answer, now);
    return result;
  }
  // The outcome for an id that was admitted before. This is a function of its own, so that the code of a first
  // admission stays small enough to be inlined.
  SLUICE_APART static Outcome repeated(const Parts& parts, const StockAnswer& answer,
                                       std::uint64_t now) noexcept {
    if (answer.requeued) return Outcome::kRequeued;
    if (now == kLater) now = parts.clock.now();
    return of_the_past(parts.stock->standing(answer.reservation, now).phase);
  }
  // The outcome for an order that was admitted earlier, according to the present phase of its reservation.
  static Outcome of_the_past(Phase phase) noexcept {
    switch (phase) {
      case Phase::kHeld:
        return Outcome::kDuplicate;
      case Phase::kConfirmed:
        return Outcome::kDuplicateConfirmed;
      case Phase::kCancelled:
        return Outcome::kCancelledBefore;
      case Phase::kExpired:
        return Outcome::kExpiredBefore;
      default:
        return Outcome::kUnknownBefore;
    }
  }
  static bool queued(Outcome outcome) noexcept {
    return outcome == Outcome::kAdmitted || outcome == Outcome::kRequeued;
  }
  static Counter counter_of(Outcome outcome) noexcept {
    switch (outcome) {
      case Outcome::kAdmitted:
        return kAdmittedCount;
      case Outcome::kRateLimited:
        return kRateLimitedCount;
      case Outcome::kQueueFull:
        return kQueueFullCount;
      case Outcome::kDuplicate:
      case Outcome::kDuplicateConfirmed:
        return kDuplicateCount;
      case Outcome::kRequeued:
        return kRequeuedCount;
      default:
        break;
    }
    switch (static_cast<ReserveResult>(outcome)) {
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
