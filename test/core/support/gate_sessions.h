// A gate over a queue, a limiter and a stock in memory of their own, and one thread's sessions of all four. It does for
// the sessions what a face does.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "core/gate/gate_memory.h"
#include "gate_parts.h"
#include "limiter_sessions.h"
#include "session/gate_returns.h"
#include "session/gate_session.h"
#include "zeroed_memory.h"

namespace sluice::test {

struct GateQueueHost final : QueueHost {
  void ring_consumer() noexcept override { ++rung; }
  void ring(std::uint64_t) noexcept override {}
  void ring_all() noexcept override {}
  void give_back(const Tag& tag) noexcept override {
    ++given_back;
    returns.load(std::memory_order_relaxed)->give_back(tag);
  }

  std::atomic<TagReturns*> returns{nullptr};
  std::atomic<std::uint64_t> rung{0};  // how often the consumer's bell was rung
  std::atomic<std::uint64_t> given_back{0};
};

// A gate whose limiter counts orders in flight, and whose stock holds their units for 30 seconds.
struct SharedGate {
  static constexpr std::uint64_t kHold = 30 * kSecond, kUnits = 1'000;
  // Depth that another request holds if the limiter has no keys. So a test notices a place in flight that is given back
  // twice.
  static constexpr std::uint64_t kOthers = 100;

  explicit SharedGate(const Shape& shape, std::uint64_t depth_max = 1'000'000, std::uint32_t in_hand_max = 16)
      : shape(Gate::queue_of(shape)),
        keyed(shape.keys != 0),
        limiter(limits_of(shape, depth_max)),
        queue_memory(Queue::bytes(this->shape)),
        stock_memory(StockLedger::bytes(kLedger)),
        gate_memory(GateMemory::bytes(gate_shape(shape, in_hand_max))),
        returns(std::in_place) {
    queue().format(0);
    stock().format(kLedger, kHold, KeySecret{{3, 4}}, Sweeping::kAsked);
    ThreadSlot* slot = stock().thread_slots().acquire();
    for (const std::uint64_t sku : {1, 2}) {
      stock().add_item(*slot, {number_key(sku), {}, kUnits, shape.per_user, 1}, clock().now());
    }
    stock().thread_slots().release(slot);
    gate().format(gate_shape(shape, in_hand_max));
    open_returns();
    if (!keyed) {
      slot = limiter.segment().limiter().thread_slots().acquire();
      limiter.segment().limiter().decide(*slot, clock(), clock().now(), kOthers, 0, nullptr);
      limiter.segment().limiter().thread_slots().release(slot);
    }
  }
  static GateShape gate_shape(const Shape& shape, std::uint32_t in_hand_max) {
    return {{field(offsetof(Record, sku)),
             field(offsetof(Record, quantity)),
             {},
             shape.ids ? field(offsetof(Record, id)) : RequestField{}},
            in_hand_max,
            sizeof(Record)};
  }
  static LimiterConfig limits_of(const Shape& shape, std::uint64_t depth_max) {
    LimiterConfig config = Gate::limits_of(shape);
    config.depth_max = depth_max;
    config.waiting_max = 4;
    return config;
  }
  void open_returns() {
    const GateReturns::LimiterPart limiter_part{
        {limiter.segment(), nullptr, clock(), ++limiter.sessions, {}, {}}, limiter.host};
    const StockLedger stock_part = stock();
    REQUIRE(returns->open(&limiter_part, &stock_part));
    REQUIRE(queue().tags().begin());
    host.returns = &*returns;
  }
  // Ends the gate, as happens when no thread uses it any more.
  void go() {
    Queue view = queue();
    returns->end(view, gate().table());
    returns.reset();
  }

  Queue queue() const { return Queue(queue_memory, shape); }
  StockLedger stock() const { return StockLedger(stock_memory, kLedger, clock()); }
  GateMemory gate() const { return GateMemory(gate_memory.get()); }
  Clock clock() const { return Clock(&limiter.manual); }
  void pass(std::uint64_t ns) { limiter.manual.advance(ns); }

  // Returns how many orders are in flight.
  std::uint64_t in_flight() const { return limiter.in_flight() - (keyed ? 0 : kOthers); }
  StockCounts counts(std::uint64_t sku = 1) const {
    StockLedger ledger = stock();
    return ledger.items().counts(ledger.items()[ledger.items().find(number_key(sku))]);
  }

  static constexpr LedgerShape kLedger{4, 64, 64, 64, 64};
  QueueShape shape;
  bool keyed;
  TestLimiter limiter;
  ZeroedMemory queue_memory, stock_memory, gate_memory;
  GateQueueHost host;
  std::optional<GateReturns> returns;
};

// One thread's use of the gate, with buffers of its own.
struct GateThread {
  struct Order {
    Record record;
    GateSession::InHand hand;
  };

  explicit GateThread(SharedGate& shared)
      : shared(shared),
        queue(shared.queue(), shared.host, *shared.queue().thread_slots().acquire(), shared.clock(),
              ++shared.limiter.sessions),
        limiter(shared.limiter.attach()),
        stock(shared.stock(), shared.stock().thread_slots().acquire()),
        session(shared.gate(), shared.gate().thread_slots().acquire(), {queue, limiter.get(), &stock}) {
    const auto bytes = [](auto& list) { return std::as_writable_bytes(std::span(list)); };
    REQUIRE(queue.use({bytes(in), queue.record_bytes(), bytes(out), bytes(dropped), Words(bytes(words))}));
  }
  GateSession* operator->() { return &session; }
  // Ends as a thread does: what was attached last ends first.
  void end() {
    session.end();
    stock.end();
    limiter->end();
    queue.end();
  }

  Admission::Result admit(const Record& order, const Key* key = nullptr, StockSession::Lines cart = {}) {
    in[0] = order;
    return shared.queue().overwrites() ? session.admit<true>(0, key, cart)
                                       : session.admit<false>(0, key, cart);
  }
  Outcome outcome(const Record& order, const Key* key = nullptr) { return admit(order, key).outcome; }
  // Admits orders of one unit. The number of each is also its user.
  void admit_numbers(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t i = first; i <= last; ++i) REQUIRE(outcome({1, 1, i, 0}) == Outcome::kAdmitted);
  }
  std::vector<Order> take(std::uint32_t max, bool begins = false) {
    REQUIRE(queue.consumes());
    std::vector<Order> orders;
    taken = session.take(max, begins, [&](std::uint32_t i, const GateSession::InHand& hand) {
      REQUIRE(i == orders.size());
      orders.push_back({{}, hand});
    });
    REQUIRE(taken.count == orders.size());
    for (std::size_t i = 0; i < orders.size(); ++i) orders[i].record = out[i];
    return orders;
  }
  ResolveResult resolve(const Order& order, bool confirm, std::uint32_t quantity = 0) {
    return session.resolve(order.hand.entry, order.hand.reservation, confirm, quantity);
  }

  SharedGate& shared;
  std::vector<Record> in = std::vector<Record>(1), out = std::vector<Record>(16),
                      dropped = std::vector<Record>(kDroppedMax);
  std::vector<std::uint64_t> words = std::vector<std::uint64_t>(QueueStaging::kBytes / 8);
  QueueSession queue;
  std::unique_ptr<LimiterSession> limiter;
  StockSession stock;
  GateSession session;
  GateSession::Taken taken{};  // from the last take()
};

using Orders = std::vector<GateThread::Order>;
using OrderNumbers = std::vector<std::uint64_t>;
inline OrderNumbers numbers(const Orders& orders) {
  OrderNumbers all;
  for (const GateThread::Order& order : orders) all.push_back(order.record.user);
  return all;
}
// Whether item 1 has so many reserved and so many sold units, and all its other units are available.
inline bool holds(const SharedGate& gate, std::uint64_t reserved, std::uint64_t sold) {
  const StockCounts counts = gate.counts();
  return counts.reserved == reserved && counts.sold == sold &&
         counts.available == SharedGate::kUnits - reserved - sold;
}

}  // namespace sluice::test
