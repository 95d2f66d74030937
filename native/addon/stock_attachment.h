// A stock ledger as the threads of the process share it, and as one thread sees it.
#pragma once

#include <memory>
#include <mutex>

#include "addon/clock.h"
#include "addon/environment.h"
#include "addon/hot_function.h"
#include "addon/registry.h"
#include "contract/staging.h"
#include "core/stock/stock_ledger.h"
#include "platform/mapping.h"

namespace sluice {

struct SharedStock : SharedObject {
  SharedStock() : SharedObject(ObjectKind::kStock) {}

  Segment segment;
  std::mutex returns_mutex;  // of the line that all GateReturns share
  LedgerShape shape;
  ClockSource time;

  StockLedger view() const { return StockLedger(segment.body(), shape); }
};

class StockAttachment : public Attachment {
 public:
  static StockAttachment* make(Environment& environment, std::shared_ptr<SharedStock> shared);

  StockLedger& ledger() { return ledger_; }
  ThreadSlot& line() { return *line_; }
  const Clock& clock() const { return clock_; }
  const std::shared_ptr<SharedStock>& shared() const { return shared_; }

  // False: not a buffer of the size that native code reads and writes.
  bool stage(napi_env env, napi_value buffer);
  const Staging& words() const { return words_; }
  // Room for the lines of one call, made once: to clear it each time would cost 190 instructions.
  using Lines = StockRequest::Line[StockRequest::kLinesMax];
  Lines& lines() { return lines_; }

 protected:
  void on_detach() override;

 private:
  StockAttachment(Environment& environment, std::shared_ptr<SharedStock> shared, ThreadSlot* line);

  std::shared_ptr<SharedStock> shared_;
  StockLedger ledger_;
  ThreadSlot* line_;
  Clock clock_;
  Staging words_;
  Lines lines_;
};

}  // namespace sluice
