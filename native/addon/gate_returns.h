// Gives back what a gate has admitted and nobody will handle, where no thread of the gate does it: what the queue
// drops while somebody consumes past the gate, and the places in flight of what is left when the gate goes.
#pragma once

#include <memory>
#include <optional>

#include "addon/limiter_attachment.h"
#include "addon/queue_attachment.h"
#include "addon/stock_attachment.h"
#include "core/gate/order_tag.h"

namespace sluice {

class GateReturns : public TagReturns {
 public:
  GateReturns() = default;
  ~GateReturns() override;
  GateReturns(const GateReturns&) = delete;
  GateReturns& operator=(const GateReturns&) = delete;

  // False if limiter or stock have no line for one more. Either may be nullptr.
  bool open(const std::shared_ptr<SharedLimiter>& limiter, const std::shared_ptr<SharedStock>& stock);

  // Calls may overlap, like those of release_place().
  void give_back(const Tag& tag) noexcept override;
  // The order is no longer in flight; its reservation runs out by itself.
  void release_place(const AdmittedOrder& order);

 private:
  // What is shared, as these returns see it: with a line that those of other gates share, too.
  struct LimiterView {
    LimiterView(const std::shared_ptr<SharedLimiter>& limiter, ThreadSlot* slot)
        : shared(limiter), session(limiter->parts(slot), *limiter) {}
    std::shared_ptr<SharedLimiter> shared;
    LimiterSession session;
  };
  struct StockView {
    std::shared_ptr<SharedStock> shared;
    StockLedger ledger;
    ThreadSlot* line;
  };

  std::optional<LimiterView> limiter_;
  std::optional<StockView> stock_;
};

}  // namespace sluice
