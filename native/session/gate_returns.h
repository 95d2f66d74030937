// Gives back admitted orders that no consumer of the gate will handle: orders that the queue drops while a thread
// pushes or takes records with functions of the queue instead of the gate, and the places in flight of orders that are
// left when the gate ends.
//
// Any thread may call GateReturns at any time, so GateReturns does not use the thread slots of a session. Each limiter
// and each stock has one slot for the returns of all gates; a lock in the segment orders the threads that use the slot.
#pragma once

#include <optional>

#include "core/base/clock.h"
#include "core/gate/in_flight_table.h"
#include "core/gate/order_tag.h"
#include "core/queue/queue.h"
#include "core/stock/stock_ledger.h"
#include "session/limiter_session.h"
#include "session/stock_session.h"

namespace sluice {

class GateReturns final : public TagReturns {
 public:
  struct LimiterPart {
    LimiterSession::Parts parts;  // a session's parts, without a slot
    LimiterHost& host;
  };

  GateReturns() = default;
  // The limiter and the stock must still exist.
  ~GateReturns() override;
  GateReturns(const GateReturns&) = delete;
  GateReturns& operator=(const GateReturns&) = delete;

  // Begins the returns of a gate with these parts; nullptr: the gate has no limiter, or no stock. Called once, before
  // the functions below. False: the limiter or the stock has no thread slot left.
  bool open(const LimiterPart* limiter, const StockLedger* stock);

  // Gives back an admitted order whose record was dropped: ends its hold, and frees its place in flight. Calls may
  // overlap.
  void give_back(const Tag& tag) noexcept override;
  // Called when no thread uses the gate any more; threads may still use its queue. Frees the places in flight of orders
  // that are left in the queue, or that a consumer had in hand when it ended. Their reservations expire by themselves.
  void end(Queue& queue, InFlightTable in_hand) noexcept;

 private:
  void release_place(const AdmittedOrder& order) noexcept;

  std::optional<LimiterSession> limiter_;
  std::optional<StockSession> stock_;
};

}  // namespace sluice
