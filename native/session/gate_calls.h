// The calls of a gate, as JavaScript makes them through any face. They take numbers, and admit_with() a key, and return
// one number or nothing; the rest is in the staging buffers. See GateStaging, and contract/answers.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "contract/answers.h"
#include "contract/limits.h"
#include "contract/staging.h"
#include "session/gate_session.h"
#include "session/limiter_answers.h"
#include "session/stock_calls.h"
#include "session/words.h"

namespace sluice {

static_assert(sizeof(AdmittedOrder) == GateStaging::kAsideBytes);

class GateCalls {
 public:
  GateCalls(GateSession& session, const Words& staging) noexcept : session_(session), words_(staging) {}

  // admit(), with the record in the queue's `in`: 0 if it was admitted, otherwise the Outcome, or kLimited plus the
  // refusal of the limiter
  template <bool kOver>
  std::int32_t admit() const noexcept {
    if (!session_.fits_record_alone()) return kBadArgument;
    return answered(session_.admit<kOver>());
  }
  // admitWith(holdNs, lines, key?): answers as admit() does. A hold of 0 means the stock's default. `lines`: how many
  // lines of a cart (0: none) are in the stock's staging. `stock`: the calls of the stock, or nullptr
  template <bool kOver>
  std::int32_t admit_with(double hold_ns, std::uint32_t lines, const Key* key,
                          StockCalls* stock) const noexcept {
    if (!session_.fits(key, lines) || !(hold_ns >= 0 && hold_ns <= kHoldNsMax)) return kBadArgument;
    const auto hold = static_cast<std::uint64_t>(hold_ns);
    if (lines == 0) return answered(session_.admit<kOver>(hold, key));
    const StockSession::Lines cart = stock->lines(lines);
    if (cart.empty()) return kBadArgument;
    return answered(session_.admit<kOver>(hold, key, cart));
  }

  // admitAside(holdNs, lines, key?): as admitWith(), but does not push the order. If the answer is that it was admitted
  // or requeued, the staging gets the order.
  std::int32_t admit_aside(double hold_ns, std::uint32_t lines, const Key* key,
                           StockCalls* stock) const noexcept;
  // pushAside(): pushes the record in the queue's `in` as that of the order in staging: 1, 0 (it is full) or kClosed
  std::int32_t push_aside() const noexcept;
  // dropAside(): gives back what the order in staging holds
  void drop_aside() const noexcept {
    if (const AdmittedOrder order = aside(); order.admitted()) session_.drop_aside(order);
  }

  // take(max, begins): how many orders were taken, or kNotConsumer. The staging gets the orders, and the milliseconds
  // until renew() must be called; -1: not before the time that an earlier answer gave
  std::int32_t take(std::uint32_t max, bool begins) const noexcept;
  // resolve(confirm, entry, quantity): the ResolveResult; if the entry is not, or no longer, in hand, it resolves the
  // reservation in staging
  std::int32_t resolve(bool confirm, std::uint32_t entry, std::uint32_t quantity) const noexcept {
    const auto reservation = words_.get<std::uint64_t>(GateStaging::kReservation);
    return static_cast<std::int32_t>(session_.resolve(entry, reservation, confirm, quantity));
  }
  // putBack(entry): puts back an order that was taken and not started
  void put_back(std::uint32_t entry) const noexcept { session_.put_back(entry); }
  // renew(): the milliseconds until the next call, or Infinity
  double renew() const noexcept { return milliseconds(session_.renew()); }

 private:
  // Returns the order in the staging, which JavaScript can write: no order, unless admitAside may have put it there.
  AdmittedOrder aside() const noexcept {
    const auto order = words_.get<AdmittedOrder>(GateStaging::kAside);
    const bool sound = session_.has_key_as_limiter(order) && order.hold_ns <= kHoldNsMax;
    return sound ? order : AdmittedOrder{};
  }
  std::int32_t answered(const Admission::Result& result) const noexcept {
    if (result.outcome == Outcome::kAdmitted) [[likely]] {
      words_.put(GateStaging::kReservation, result.reservation);
      return static_cast<std::int32_t>(Outcome::kAdmitted);
    }
    if (result.outcome == Outcome::kRateLimited) {
      words_.put(GateStaging::kRetryAfterMs, milliseconds(result.retry_after));
      return kLimited + answer_of(Tiers::Refusal{result.tier, false, result.window});
    }
    words_.put(GateStaging::kReservation, result.reservation);
    words_.put(GateStaging::kLine, result.line);
    return static_cast<std::int32_t>(result.outcome);
  }

  static constexpr auto kHoldNsMax = static_cast<std::uint64_t>(kHoldMsMax) * 1'000'000;

  GateSession& session_;
  Words words_;
};

}  // namespace sluice
