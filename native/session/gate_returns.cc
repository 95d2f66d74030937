#include "session/gate_returns.h"

#include "core/base/spin_lock.h"
#include "core/base/thread_slots.h"

namespace sluice {

namespace {

SpinLock<>& lock_of(Limiter& limiter) noexcept { return limiter.returns_lock(); }
SpinLock<>& lock_of(StockLedger& ledger) noexcept { return ledger.memory().control->returns_slot; }

}  // namespace

GateReturns::~GateReturns() {
  if (limiter_) {
    const Locked guard(lock_of(limiter_->limiter()));
    limiter_->end();
  }
  if (stock_) {
    const Locked guard(lock_of(stock_->ledger()));
    stock_->end();
  }
}

bool GateReturns::open(const LimiterPart* limiter, const StockLedger* stock) {
  if (limiter != nullptr) {
    LimiterSession::Parts parts = limiter->parts;
    Limiter view = parts.segment.limiter();
    const Locked guard(lock_of(view));
    parts.slot = view.thread_slots().acquire(ThreadSlots::kReturns);
    if (parts.slot == nullptr) return false;
    limiter_.emplace(parts, limiter->host);
  }
  if (stock != nullptr) {
    StockLedger ledger = *stock;
    const Locked guard(lock_of(ledger));
    ThreadSlot* slot = ledger.thread_slots().acquire(ThreadSlots::kReturns);
    if (slot == nullptr) return false;
    stock_.emplace(ledger, slot);
  }
  return true;
}

void GateReturns::give_back(const Tag& tag) noexcept {
  const AdmittedOrder order = AdmittedOrder::of(tag);
  if (stock_ && order.reserved()) {
    const Locked guard(lock_of(stock_->ledger()));
    stock_->cancel(order.reservation);
  }
  release_place(order);
}

void GateReturns::end(Queue& queue, InFlightTable in_hand) noexcept {
  queue.end_tags([this](const Tag& tag) { release_place(AdmittedOrder::of(tag)); });
  in_hand.for_each([this](const InFlightTable::Entry& entry) { release_place(entry.order); });
}

void GateReturns::release_place(const AdmittedOrder& order) noexcept {
  if (!limiter_ || !order.admitted()) return;
  const Locked guard(lock_of(limiter_->limiter()));
  limiter_->release_place(1, order.limiter_key());
}

}  // namespace sluice
