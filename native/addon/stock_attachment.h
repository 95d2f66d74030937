// A stock ledger as the threads of the process share it, and as one thread sees it.
#pragma once

#include <memory>

#include "addon/clock.h"
#include "addon/object_attachment.h"
#include "contract/staging.h"
#include "core/stock/stock_ledger.h"
#include "platform/mapping.h"
#include "session/stock_calls.h"
#include "session/stock_session.h"

namespace sluice {

struct SharedStock final : SharedObject {
  using Object = LedgerMemory;

  SharedStock() : SharedObject(ObjectKind::kStock) {}

  StockLedger view() const { return StockLedger(segment.body(), shape(), time.clock()); }
  const LedgerShape& shape() const { return shape_in<LedgerMemory>(segment.body()); }

  Segment segment;
  ClockSource time;
};

class StockAttachment final : public ObjectAttachment<SharedStock, StockStaging> {
 public:
  static StockAttachment* make(Environment& environment, std::shared_ptr<SharedStock> shared) {
    return made_with_slot(shared->view().thread_slots(), environment,
                          [&](ThreadSlot* slot) { return new StockAttachment(environment, shared, slot); });
  }

  StockSession& session() { return session_; }
  StockCalls& calls() { return calls_; }

  // Does what ObjectAttachment::stage() does, and passes the buffer to the calls.
  bool stage(napi_env env, napi_value buffer) {
    const bool fits = ObjectAttachment::stage(env, buffer);
    calls_.stage(words());
    return fits;
  }

 private:
  StockAttachment(Environment& environment, std::shared_ptr<SharedStock> shared, ThreadSlot* slot)
      : ObjectAttachment(environment, std::move(shared)), session_(shared_->view(), slot), calls_(session_) {}
  void end() override { session_.end(); }

  StockSession session_;
  StockCalls calls_;
};

}  // namespace sluice
