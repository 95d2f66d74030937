// The calls of a limiter, as JavaScript makes them through any face: each takes a number and a key and returns one
// number; further results are in the staging buffer. See LimiterStaging, and contract/answers.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "contract/limits.h"
#include "contract/staging.h"
#include "session/limiter_answers.h"
#include "session/limiter_session.h"
#include "session/words.h"

namespace sluice {

class LimiterCalls {
 public:
  LimiterCalls(LimiterSession& session, const Words& staging) noexcept : session_(session), words_(staging) {}

  // allow(cost, key?): 1 if allowed, otherwise 0
  std::int32_t allow(double cost, const Key* key) const noexcept {
    if (!sound(cost, key)) return kBadArgument;
    return session_.decide(whole(cost), key).refused_by == Tier::kNone ? 1 : 0;
  }

  // tryAcquire(cost, key?): 0 if the limits allow the request, otherwise the refusal, plus kDryRun if the request is
  // allowed because the limiter is a dry run; kNoResources if there was no memory to remember the depth
  std::int32_t try_acquire(double cost, const Key* key) const noexcept {
    if (!sound(cost, key)) return kBadArgument;
    const LimiterSession::Acquired acquired = session_.try_acquire(whole(cost), key);
    put_receipt(acquired.decision.receipt);
    if (!acquired.kept) return kNoResources;
    put_outlook(acquired.outlook);
    return answer_of(acquired.decision);
  }

  // peek(cost, key?): the refusal, or 0; the staging gets what tryAcquire puts there, except the receipt
  std::int32_t peek(double cost, const Key* key) const noexcept {
    if (!sound(cost, key)) return kBadArgument;
    const Limiter::Outlook outlook = session_.peek(whole(cost), key);
    put_outlook(outlook);
    return answer_of(outlook.refusal);
  }

  // release(cost, key?): 1, or 0 if less than `cost` was in flight
  std::int32_t release(double cost, const Key* key) const noexcept {
    if (!sound(cost, key)) return kBadArgument;
    return session_.release(whole(cost), key) ? 1 : 0;
  }

  // rooms(0, key?): 1; the staging gets the room of each tier
  std::int32_t rooms(double, const Key* key) const noexcept;
  // penalize(points, key?), reward(points, key?), refund(cost, key?), reset(0, key?): 1. For refund, the receipt of the
  // decision is in staging.
  std::int32_t penalize(double points, const Key* key) const noexcept;
  std::int32_t reward(double points, const Key* key) const noexcept;
  std::int32_t refund(double cost, const Key* key) const noexcept;
  std::int32_t reset(double, const Key* key) const noexcept;
  // block(ns, key?): 1, or 0 if the key is a guest and cannot stay
  std::int32_t block(double ns, const Key* key) const noexcept;
  // overload(ns): 1
  std::int32_t overload(double ns, const Key*) const noexcept;

  // acquire(cost, key?), with the patience in staging: kWaits plus the number of its waiter, if the request waits (see
  // tend() and told()); otherwise as tryAcquire. The staging gets retryAfterMs and nowMs, and the receipt of a request
  // that does not wait
  std::int32_t acquire(double cost, const Key* key) const noexcept;
  // tend(waiter): 0; the staging gets retryAfterMs of the waiter in front, leftMs until the deadline of `waiter`, and
  // nowMs
  std::int32_t tend(double waiter, const Key*) const noexcept;
  // told(): takes one report about a waiter of this session. The answer is kToldUnit times the number of the waiter,
  // plus its outcome; or kForgotten minus that number; 0: there are no more reports. The staging gets retryAfterMs, the
  // refusal and the receipt.
  std::int32_t told(double, const Key*) const noexcept;
  // leave(waiter): 0
  std::int32_t leave(double waiter, const Key*) const noexcept;

 private:
  // Returns 0 for a number outside 0 .. 2^63 - 1; lib/ never passes such a number.
  static std::uint64_t whole(double number) noexcept {
    return number >= 0 && number < 0x1p63 ? static_cast<std::uint64_t>(number) : 0;
  }
  // Whether `cost` is a cost, and there is a key exactly if the limiter has keys. lib/ passes nothing else.
  bool sound(double cost, const Key* key) const noexcept {
    return cost >= 0 && cost <= static_cast<double>(kCostMax) && session_.fits(key);
  }
  bool is_waiter(double number) const noexcept {
    return number >= 0 && number <= kWaitersMax && session_.is_waiter(static_cast<std::uint64_t>(number));
  }

  void put_outlook(const Limiter::Outlook& outlook) const noexcept {
    words_.put(LimiterStaging::kRemaining, static_cast<double>(outlook.remaining));
    words_.put(LimiterStaging::kTightest, static_cast<double>(outlook.tightest));
    words_.put(LimiterStaging::kRetryAfterMs, milliseconds(outlook.retry_after));
  }
  void put_receipt(const Receipt& receipt) const noexcept {
    words_.put(LimiterStaging::kSlot, receipt.slot.end);
    words_.put(LimiterStaging::kSerial, receipt.serial);
    for (std::size_t i = 0; i < session_.config().window_count; ++i) {
      words_.put(LimiterStaging::kCharged + 8 * i, receipt.charged[i]);
    }
  }
  Receipt receipt() const noexcept;

  LimiterSession& session_;
  Words words_;
};

}  // namespace sluice
