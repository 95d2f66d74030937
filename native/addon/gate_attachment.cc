#include "addon/gate_attachment.h"

#include <optional>
#include <utility>

namespace sluice {

SharedGate::~SharedGate() {
  if (queue == nullptr) return;
  Queue view = queue->view();
  returns.end(view, memory().table());
}

bool SharedGate::open_returns() {
  std::optional<GateReturns::LimiterPart> limiter_part;
  std::optional<StockLedger> stock_part;
  if (limiter != nullptr) limiter_part.emplace(GateReturns::LimiterPart{limiter->parts(nullptr), *limiter});
  if (stock != nullptr) stock_part.emplace(stock->view());
  return returns.open(limiter_part ? &*limiter_part : nullptr, stock_part ? &*stock_part : nullptr);
}

GateAttachment::GateAttachment(Environment& environment, std::shared_ptr<SharedGate> shared,
                               const GateParts& parts, ThreadSlot* slot)
    : ObjectAttachment(environment, std::move(shared)),
      parts_(parts),
      session_(shared_->memory(), slot, parts.sessions()) {}

GateAttachment* GateAttachment::make(Environment& environment, std::shared_ptr<SharedGate> shared,
                                     const GateParts& parts) {
  return made_with_slot(shared->memory().thread_slots(), environment, [&](ThreadSlot* slot) {
    return new GateAttachment(environment, shared, parts, slot);
  });
}

}  // namespace sluice
