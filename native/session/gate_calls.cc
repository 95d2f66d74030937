#include "session/gate_calls.h"

namespace sluice {

std::int32_t GateCalls::admit_aside(double hold_ns, std::uint32_t lines, const Key* key,
                                    StockCalls* stock) const noexcept {
  if (!session_.fits(key, lines) || !(hold_ns >= 0 && hold_ns <= kHoldNsMax)) return kBadArgument;
  StockSession::Lines cart;
  if (lines != 0) {
    cart = stock->lines(lines);
    if (cart.empty()) return kBadArgument;
  }
  AdmittedOrder order;
  const auto hold = static_cast<std::uint64_t>(hold_ns);
  const std::int32_t answer = answered(session_.admit_aside(hold, key, cart, order));
  words_.put(GateStaging::kAside, order);
  return answer;
}

std::int32_t GateCalls::push_aside() const noexcept {
  const AdmittedOrder order = aside();
  if (!order.admitted()) return kBadArgument;
  const PushResult pushed = session_.push_aside(order);
  return pushed == PushResult::kPushed ? 1 : pushed == PushResult::kClosed ? kClosed : 0;
}

std::int32_t GateCalls::take(std::uint32_t max, bool begins) const noexcept {
  if (!session_.queue().consumes()) return kNotConsumer;
  const std::size_t room = words_.bytes() - std::min(words_.bytes(), GateStaging::kTaken);
  const auto most = static_cast<std::uint32_t>(std::min<std::size_t>(max, room / GateStaging::kTakenBytes));
  const GateSession::Taken taken =
      session_.take(most, begins, [this](std::uint32_t i, const GateSession::InHand& order) {
        const std::size_t at = GateStaging::kTaken + i * GateStaging::kTakenBytes;
        words_.put(at, order.reservation);
        words_.put(at + GateStaging::kTakenEntry, order.entry);
        words_.put(at + GateStaging::kTakenDeliveries, order.deliveries);
      });
  words_.put(GateStaging::kRenewInMs, taken.renew_in == kNever ? -1.0 : milliseconds(taken.renew_in));
  return static_cast<std::int32_t>(taken.count);
}

}  // namespace sluice
