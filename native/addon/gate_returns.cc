#include "addon/gate_returns.h"

namespace sluice {

GateReturns::~GateReturns() {
  if (limiter_) {
    const std::lock_guard<std::mutex> guard(limiter_->shared->returns_mutex);
    limiter_->session.end();
  }
  if (stock_) {
    const std::lock_guard<std::mutex> guard(stock_->shared->returns_mutex);
    stock_->ledger.thread_slots().release(stock_->line);
  }
}

bool GateReturns::open(const std::shared_ptr<SharedLimiter>& limiter,
                       const std::shared_ptr<SharedStock>& stock) {
  if (limiter != nullptr) {
    const std::lock_guard<std::mutex> guard(limiter->returns_mutex);
    ThreadSlot* slot = limiter->memory().limiter().thread_slots().acquire(ThreadSlots::kReturns);
    if (slot == nullptr) return false;
    limiter_.emplace(limiter, slot);
  }
  if (stock != nullptr) {
    const std::lock_guard<std::mutex> guard(stock->returns_mutex);
    StockLedger view = stock->view();
    ThreadSlot* line = view.thread_slots().acquire(ThreadSlots::kReturns);
    if (line == nullptr) return false;
    stock_.emplace(StockView{stock, view, line});
  }
  return true;
}

void GateReturns::give_back(const Tag& tag) noexcept {
  const AdmittedOrder order = AdmittedOrder::of(tag);
  if (stock_ && order.reserved()) {
    const std::lock_guard<std::mutex> guard(stock_->shared->returns_mutex);
    stock_->ledger.cancel(*stock_->line, order.reservation, stock_->shared->time.clock().now());
  }
  release_place(order);
}

void GateReturns::release_place(const AdmittedOrder& order) {
  if (!limiter_ || !order.admitted()) return;
  const std::lock_guard<std::mutex> guard(limiter_->shared->returns_mutex);
  limiter_->session.release_place(1, order.key == Key{} ? nullptr : &order.key);
}

}  // namespace sluice
