#include "addon/gate_returns.h"

namespace sluice {

GateReturns::~GateReturns() {
  if (limiter_) {
    const std::lock_guard<std::mutex> guard(limiter_->shared->returns_mutex);
    limiter_->limiter.lines().release(limiter_->line);
  }
  if (stock_) {
    const std::lock_guard<std::mutex> guard(stock_->shared->returns_mutex);
    stock_->ledger.lines().release(stock_->line);
  }
}

bool GateReturns::open(std::shared_ptr<SharedLimiter> limiter, std::shared_ptr<SharedStock> stock) {
  if (limiter != nullptr) {
    const std::lock_guard<std::mutex> guard(limiter->returns_mutex);
    Limiter view = limiter->view();
    ThreadSlot* line = view.lines().acquire(ThreadSlots::kReturns);
    if (line == nullptr) return false;
    limiter_.emplace(LimiterView{std::move(limiter), view, line});
  }
  if (stock != nullptr) {
    const std::lock_guard<std::mutex> guard(stock->returns_mutex);
    StockLedger view = stock->view();
    ThreadSlot* line = view.lines().acquire(ThreadSlots::kReturns);
    if (line == nullptr) return false;
    stock_.emplace(StockView{std::move(stock), view, line});
  }
  return true;
}

void GateReturns::give_back(const AdmittedOrder& order) {
  if (stock_ && order.reserved()) {
    const std::lock_guard<std::mutex> guard(stock_->shared->returns_mutex);
    stock_->ledger.cancel(*stock_->line, order.reservation, stock_->shared->time.clock().now());
  }
  release_place(order);
}

void GateReturns::release_place(const AdmittedOrder& order) {
  if (!limiter_ || !order.admitted()) return;
  auto& [shared, limiter, line] = *limiter_;
  const std::lock_guard<std::mutex> guard(shared->returns_mutex);
  const Key* key = order.key == Key{} ? nullptr : &order.key;
  const std::uint32_t waiting_max = shared->config.waiting_max;
  if (!limiter.release(*line, 1, key) || waiting_max == 0) return;
  // Whoever waits for the place is served, in whatever thread.
  LimiterWaiters waiters(limiter, shared->line_memory(), waiting_max);
  const Clock clock = shared->time.clock();
  for (bool more = true; more;) {
    LimiterWaiters::Woken woken;
    const std::uint64_t depth = shared->queue == nullptr ? 0 : shared->queue->view().depth();
    waiters.given_back(LimiterWaiters::Asking{*line, clock, depth, woken}, clock.now(), key);
    more = woken.full();
    shared->wake(woken);
  }
}

}  // namespace sluice
