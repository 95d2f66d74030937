#include "session/gate_calls.h"

namespace sluice {

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
