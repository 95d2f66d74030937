// An order that the queue drops is given back: its place in flight and its units. When the gate ends, the orders that
// are left give back their places in flight, and their reservations expire later.
#include "session/gate_returns.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>

#include "gate_sessions.h"
#include "stress.h"

TEST_SUITE_BEGIN("gate returns");

namespace {

using namespace sluice;
using sluice::test::GateThread;
using sluice::test::holds;
using sluice::test::in_threads;
using sluice::test::kSecond;
using sluice::test::numbers;
using sluice::test::OrderNumbers;
using sluice::test::Orders;
using sluice::test::repetitions;
using sluice::test::Shape;
using sluice::test::SharedGate;

}  // namespace

TEST_CASE("an order that the queue drops is given back once, whichever thread consumes") {
  for (const bool past_the_gate : {false, true}) {
    for (const bool over : {false, true}) {
      Shape shape;
      shape.ttl_ns = kSecond;
      if (over) shape.overflow = Overflow::kOverwrite;
      SharedGate gate(shape);
      GateThread thread(gate);
      thread.admit_numbers(1, 3);
      gate.pass(kSecond + 1);
      thread.admit_numbers(4, 4);
      REQUIRE(gate.in_flight() == 4);
      if (past_the_gate) {
        REQUIRE(thread.queue.consumes());
        CHECK(thread.queue.take(8) == 1);
        CHECK(gate.in_flight() == 1);  // the order that was taken past the gate
      } else {
        const Orders orders = thread.take(8, true);
        CHECK(numbers(orders) == OrderNumbers{4});
        CHECK(gate.in_flight() == 1);
      }
      CHECK(holds(gate, 1, 0));
      CHECK(gate.host.given_back == (past_the_gate ? 3 : 0));
      thread.end();
    }
  }
}

TEST_CASE("an order that is overwritten is given back by the thread that admits the new one") {
  Shape shape;
  shape.overflow = Overflow::kOverwrite;
  SharedGate gate(shape);
  GateThread thread(gate);
  thread.admit_numbers(1, 11);
  CHECK(gate.in_flight() == 8);
  CHECK(holds(gate, 8, 0));
  CHECK(numbers(thread.take(8, true)) == OrderNumbers{4, 5, 6, 7, 8, 9, 10, 11});
  CHECK(gate.host.given_back == 0);
  // A record pushed past the gate can also drop an admitted order.
  thread.admit_numbers(12, 19);
  CHECK(thread.queue.push(0, kNoDeadline) == PushResult::kPushed);
  CHECK(gate.host.given_back == 1);
  CHECK(gate.in_flight() == 15);
  CHECK(holds(gate, 15, 0));
  const Orders orders = thread.take(99);
  REQUIRE(orders.size() == 8);
  CHECK(orders[7].hand.reservation == 0);  // the record that was pushed past the gate has none
  CHECK(thread.resolve(orders[7], true) == ResolveResult::kUnknown);
  CHECK(gate.in_flight() == 15);
  thread.end();
}

TEST_CASE("when the gate ends, the orders left are no longer in flight; their reservations expire") {
  SharedGate gate(Shape{});
  GateThread thread(gate);
  thread.admit_numbers(1, 5);
  const Orders orders = thread.take(2, true);
  REQUIRE(thread.resolve(orders[0], true) == ResolveResult::kDone);
  thread.session.end();
  CHECK(gate.in_flight() == 4);
  CHECK(gate.limiter.threads() == 2);  // the thread, and the returns
  gate.go();
  CHECK(gate.in_flight() == 0);
  CHECK(gate.limiter.threads() == 1);
  CHECK(holds(gate, 4, 1));
  // The records stay in the queue without tags, and no gate learns when they are taken.
  REQUIRE(thread.queue.consumes());
  CHECK(thread.queue.take(8) == 3);
  CHECK(gate.host.given_back == 0);
  gate.pass(SharedGate::kHold);
  CHECK(thread.stock.expire() == 4);
  // The next gate of these parts begins with nothing in flight.
  gate.returns.emplace();
  gate.open_returns();
  CHECK(gate.in_flight() == 0);
  thread.stock.end();
  thread.limiter->end();
  thread.queue.end();
}

TEST_CASE("the returns of all gates share one thread slot in the limiter and one in the stock") {
  SharedGate gate(Shape{});
  const GateReturns::LimiterPart limiter{
      {gate.limiter.segment(), nullptr, gate.clock(), ++gate.limiter.sessions, {}, {}}, gate.limiter.host};
  const StockLedger stock = gate.stock();
  std::optional<GateReturns> other(std::in_place);
  CHECK(other->open(&limiter, &stock));
  CHECK(gate.limiter.threads() == 1);
  other.reset();
  gate.go();
  CHECK(gate.limiter.threads() == 0);
  // If the stock has no free thread slot, the slot in the limiter is released again.
  StockLedger ledger = gate.stock();
  while (ledger.thread_slots().acquire() != nullptr) continue;
  other.emplace();
  CHECK_FALSE(other->open(&limiter, &stock));
  other.reset();
  CHECK(gate.limiter.threads() == 0);
  // A gate may have neither a limiter nor a stock.
  other.emplace();
  CHECK(other->open(nullptr, nullptr));
  other->give_back(Tag{});
}

TEST_CASE("the gate ends while another thread gives back orders it dropped: each is given back once") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Shape shape;
  shape.overflow = Overflow::kOverwrite;
  for (std::uint64_t i = 0; i < repetitions(400); ++i) {
    SharedGate gate(shape);
    GateThread past(gate), late(gate);
    past.admit_numbers(1, 8);
    const std::uint64_t pushes = sluice::test::Random(i).between(1, 8);
    in_threads(3, [&](std::uint64_t thread) {
      if (thread == 0) gate.go();
      GateThread& pushing = thread == 1 ? past : late;
      for (std::uint64_t n = 0; thread != 0 && n < pushes; ++n) pushing.queue.push(0, kNoDeadline);
    });
    REQUIRE(gate.in_flight() == 0);
    CHECK(gate.counts().reserved == 8 - gate.host.given_back);
    CHECK(gate.limiter.threads() == 2);
    past.end();
    late.end();
  }
}

TEST_SUITE_END();
