// One thread's session of a gate, and the orders that the thread leaves when it ends.
#include "session/gate_session.h"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

#include "gate_sessions.h"
#include "session/gate_calls.h"
#include "stress.h"

TEST_SUITE_BEGIN("gate session");

namespace {

using namespace sluice;
using sluice::test::GateThread;
using sluice::test::holds;
using sluice::test::in_threads;
using sluice::test::kSecond;
using sluice::test::numbers;
using sluice::test::OrderNumbers;
using sluice::test::Orders;
using sluice::test::Record;
using sluice::test::repetitions;
using sluice::test::Shape;
using sluice::test::SharedGate;

constexpr std::uint64_t kHold = SharedGate::kHold;

std::vector<std::uint32_t> deliveries(const Orders& orders) {
  std::vector<std::uint32_t> all;
  for (const GateThread::Order& order : orders) all.push_back(order.hand.deliveries);
  return all;
}
using Counts = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("an order is admitted, handed out and decided, once") {
  SharedGate gate(Shape{});
  GateThread thread(gate);
  thread.admit_numbers(1, 3);
  CHECK(gate.in_flight() == 3);
  const Orders orders = thread.take(8, true);
  CHECK(numbers(orders) == OrderNumbers{1, 2, 3});
  CHECK(deliveries(orders) == Counts{1, 1, 1});
  CHECK(thread->table().used() == 3);
  CHECK(thread.take(8).empty());

  CHECK(thread.resolve(orders[0], true) == ResolveResult::kDone);
  CHECK(thread.resolve(orders[1], false) == ResolveResult::kDone);
  CHECK(thread.resolve(orders[2], true, 2) == ResolveResult::kBadQuantity);  // the order is still in hand
  CHECK(gate.in_flight() == 1);
  CHECK(thread->table().used() == 1);
  CHECK(holds(gate, 1, 1));
  CHECK(thread.resolve(orders[0], false) == ResolveResult::kAlreadyConfirmed);
  CHECK(thread.resolve(orders[1], true) == ResolveResult::kAlreadyCancelled);
  CHECK(gate.in_flight() == 1);
  CHECK(thread.resolve(orders[2], true, 1) == ResolveResult::kDone);
  CHECK(gate.in_flight() == 0);
  CHECK(holds(gate, 0, 2));
  thread.end();
}

TEST_CASE("an order admitted aside is in no queue until it is pushed, and gives everything back if dropped") {
  SharedGate gate(Shape{});
  GateThread thread(gate);
  const auto admit_aside = [&](const Record& order, AdmittedOrder& aside) {
    thread.in[0] = order;
    return thread->admit_aside(0, nullptr, {}, aside).outcome;
  };
  AdmittedOrder kept, dropped;
  CHECK(admit_aside({1, 1, 1, 0}, kept) == Outcome::kAdmitted);
  CHECK(admit_aside({1, 2, 2, 0}, dropped) == Outcome::kAdmitted);
  CHECK(gate.queue().depth() == 0);
  CHECK(gate.in_flight() == 2);
  CHECK(holds(gate, 3, 0));

  thread->drop_aside(dropped);
  CHECK(gate.in_flight() == 1);
  CHECK(holds(gate, 1, 0));

  thread.in[0] = {1, 1, 1, 0};
  CHECK(thread->push_aside(kept) == PushResult::kPushed);
  const Orders orders = thread.take(8, true);
  REQUIRE(numbers(orders) == OrderNumbers{1});
  CHECK(orders[0].hand.reservation == kept.reservation);
  CHECK(thread.resolve(orders[0], true) == ResolveResult::kDone);
  CHECK(gate.in_flight() == 0);
  CHECK(holds(gate, 0, 1));
  thread.end();
}

TEST_CASE("an order is admitted aside though the queue is full, and pushed when there is room") {
  SharedGate gate(Shape{});
  GateThread thread(gate);
  const std::uint64_t capacity = gate.shape.capacity;
  thread.admit_numbers(1, capacity);
  thread.in[0] = {1, 1, capacity + 1, 0};
  CHECK(thread.outcome({1, 1, capacity + 1, 0}) == Outcome::kQueueFull);
  AdmittedOrder aside;
  CHECK(thread->admit_aside(0, nullptr, {}, aside).outcome == Outcome::kAdmitted);
  CHECK(thread->push_aside(aside) == PushResult::kFull);
  CHECK(gate.queue().promise_room(0) == PushResult::kFull);  // no promise was given back
  CHECK(thread.take(1, true).size() == 1);
  CHECK(thread->push_aside(aside) == PushResult::kPushed);
  CHECK(gate.in_flight() == capacity + 1);
  thread.end();
}

TEST_CASE("orders that a consumer had in hand are handed out again, counted, before new ones") {
  SharedGate gate(Shape{});
  GateThread first(gate), second(gate);
  first.admit_numbers(1, 3);
  const Orders orders = first.take(8, true);
  first.admit_numbers(4, 4);
  CHECK(first.resolve(orders[1], true) == ResolveResult::kDone);
  first->put_back(orders[2].hand.entry);  // order 3 reached no handler
  first.end();

  Orders again = second.take(1, true);
  CHECK(numbers(again) == OrderNumbers{1});
  CHECK(deliveries(again) == Counts{2});
  CHECK(again[0].hand.reservation == orders[0].hand.reservation);
  again = second.take(8);
  CHECK(numbers(again) == OrderNumbers{3});  // orders handed out again are not mixed with new ones
  CHECK(deliveries(again) == Counts{1});
  CHECK(numbers(second.take(8)) == OrderNumbers{4});
  CHECK(second->table().redelivered() == 1);
  CHECK(gate.in_flight() == 3);
  second.end();
}

TEST_CASE("an order in another consumer's hand keeps its place in flight until that one decides it") {
  SharedGate gate(Shape{});
  GateThread first(gate), second(gate);
  first.admit_numbers(1, 1);
  const Orders orders = first.take(8, true);
  first.queue.give_lease();
  const Orders again = second.take(8, true);
  REQUIRE(again.size() == 1);
  first->put_back(orders[0].hand.entry);
  CHECK(first->renew() == kNever);
  CHECK(first.resolve(orders[0], true) == ResolveResult::kDone);  // by the reservation's number
  CHECK(gate.in_flight() == 1);
  CHECK(second->table().used() == 1);
  CHECK(second.resolve(again[0], false) == ResolveResult::kAlreadyConfirmed);
  CHECK(gate.in_flight() == 0);
  CHECK(holds(gate, 0, 1));
  first.end();
  second.end();
}

TEST_CASE("holds in hand are renewed when half of their time is over, and lost ones are not") {
  SharedGate gate(Shape{});
  GateThread thread(gate);
  thread.admit_numbers(1, 2);
  const Orders orders = thread.take(8, true);
  CHECK(thread.taken.renew_in == kHold / 2);
  gate.pass(kSecond);
  thread.admit_numbers(3, 3);
  REQUIRE(thread.take(8).size() == 1);
  CHECK(thread.taken.renew_in == kNever);  // no renewal is due sooner than was reported before

  gate.pass(kHold / 2 - kSecond);
  CHECK(thread.stock.cancel(orders[1].hand.reservation) == ResolveResult::kDone);
  // The third order's renewal is due only in a second, but it happens together with the first order's.
  CHECK(thread->renew() == kHold / 2);
  gate.pass(kHold - 1);
  CHECK(thread.stock.expire() == 0);
  CHECK(thread.resolve(orders[0], true) == ResolveResult::kDone);
  gate.pass(1);
  CHECK(thread.stock.expire() == 1);
  CHECK(thread->renew() == kNever);
  CHECK(thread.resolve(orders[1], true) == ResolveResult::kAlreadyCancelled);
  CHECK(gate.in_flight() == 1);
  CHECK(holds(gate, 0, 1));
  thread.end();
}

TEST_CASE("no more orders are taken than table, queue's buffer and caller have room for") {
  Shape shape;
  shape.capacity = 64;
  SharedGate gate(shape, 1'000'000, 20);
  GateThread thread(gate);
  thread.admit_numbers(1, 30);
  CHECK(thread.take(1, true).size() == 1);
  CHECK(thread.take(99).size() == 16);
  const Orders rest = thread.take(99);
  CHECK(numbers(rest) == OrderNumbers{18, 19, 20});
  CHECK(thread.take(99).empty());
  REQUIRE(thread.resolve(rest[0], false) == ResolveResult::kDone);
  CHECK(numbers(thread.take(99)) == OrderNumbers{21});
  // The same bounds apply to orders that are handed out again.
  CHECK(thread.take(99, true).size() == 16);
  CHECK(thread.take(99).size() == 4);
  thread.end();
}

TEST_CASE("a key's place in flight is free when its order is decided or dropped") {
  Shape shape;
  shape.keys = 16;
  shape.ttl_ns = kSecond;
  SharedGate gate(shape, 1);
  GateThread thread(gate);
  Limiter limiter = gate.limiter.segment().limiter();
  const Key a = limiter.key(KeyKind::kString, "a", 1), b = limiter.key(KeyKind::kString, "b", 1);
  CHECK_FALSE(thread->fits(nullptr, 0));
  CHECK_FALSE(thread->fits_record_alone());
  CHECK(thread->fits(&a, 0));
  CHECK(thread->fits(&a, 2));
  CHECK(thread.outcome({1, 1, 1, 0}, &a) == Outcome::kAdmitted);
  const Admission::Result refused = thread.admit({1, 1, 2, 0}, &a);
  CHECK(refused.outcome == Outcome::kRateLimited);
  CHECK(refused.tier == Tier::kQueueDepth);
  CHECK(thread.outcome({1, 1, 3, 0}, &b) == Outcome::kAdmitted);

  const LimiterSession::Joined waiting = thread.limiter->acquire(1, kNever, &a);
  REQUIRE(waiting.waiter != LimiterWaiters::kNone);
  const Orders orders = thread.take(1, true);
  REQUIRE(thread.resolve(orders.at(0), true) == ResolveResult::kDone);
  CHECK(thread.limiter->told().told.outcome == LimiterWaiters::Told::kServed);
  CHECK(thread.outcome({1, 1, 4, 0}, &a) == Outcome::kRateLimited);
  gate.pass(kSecond + 1);
  CHECK(thread.take(8).empty());
  CHECK(gate.in_flight() == 1);
  CHECK(thread.outcome({1, 1, 5, 0}, &b) == Outcome::kAdmitted);
  thread.end();
}

TEST_CASE("a cart replaces the record's own item; a refusal leaves nothing behind") {
  SharedGate gate(Shape{});
  GateThread thread(gate);
  const std::array<StockRequest::Line, 2> cart{{{number_key(1), 3}, {number_key(2), 4}}};
  CHECK(thread.admit({9, 9, 9, 0}, nullptr, cart).outcome == Outcome::kAdmitted);
  CHECK(gate.counts(1).reserved == 3);
  CHECK(gate.counts(2).reserved == 4);
  const std::array<StockRequest::Line, 2> unknown{{{number_key(1), 3}, {number_key(7), 1}}};
  const Admission::Result refused = thread.admit({9, 9, 9, 0}, nullptr, unknown);
  CHECK(refused.outcome == static_cast<Outcome>(ReserveResult::kUnknownSku));
  CHECK(refused.line == 1);
  CHECK(holds(gate, 3, 0));
  CHECK(gate.in_flight() == 1);
  CHECK(gate.queue().permits() == 0);
  thread.end();
}

TEST_CASE("an admitted order wakes the consumer that sleeps") {
  SharedGate gate(Shape{});
  GateThread consumer(gate), producer(gate);
  REQUIRE(consumer.queue.consumes());
  REQUIRE(consumer.queue.park() == Park::kParked);
  CHECK(producer.outcome({9, 1, 1, 0}) == static_cast<Outcome>(ReserveResult::kUnknownSku));
  CHECK(gate.host.rung == 0);
  producer.admit_numbers(1, 1);
  CHECK(gate.host.rung == 1);
  producer.end();
  consumer.end();
}

TEST_CASE("a refused order's room and place in flight go to callers that came for them meanwhile") {
  Shape shape;
  shape.ids = true;
  shape.capacity = 1;
  shape.waiters = 1;
  SharedGate gate(shape, SharedGate::kOthers + 1);
  GateThread repeating(gate), waiting(gate);
  REQUIRE(repeating.outcome({1, 1, 1, 77}) == Outcome::kAdmitted);
  const Orders orders = waiting.take(1, true);
  REQUIRE(waiting.resolve(orders.at(0), true) == ResolveResult::kDone);

  // Pauses the ledger as an audit does: the repeated order has room and a place, but its id is not looked up yet.
  StockLedger ledger = gate.stock();
  auto& quiesce = ledger.memory().control->quiesce;
  quiesce.pause(ledger.thread_slots());
  std::thread admitting([&] { CHECK(repeating.outcome({1, 1, 1, 77}) == Outcome::kDuplicateConfirmed); });
  const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (gate.queue().permits() == 0 && std::chrono::steady_clock::now() < patience)
    std::this_thread::yield();
  const std::uint32_t for_room = waiting.queue.wait_to_push(0, kNoDeadline);
  CHECK(waiting.queue.waiter_state(for_room) == WaiterState::kWaiting);
  CHECK(waiting.limiter->acquire(1, kNever, nullptr).waiter != LimiterWaiters::kNone);
  quiesce.resume();
  admitting.join();
  CHECK(waiting.queue.waiter_state(for_room) == WaiterState::kServed);
  CHECK(waiting.limiter->told().told.outcome == LimiterWaiters::Told::kServed);
  repeating.end();
  waiting.end();
}

TEST_CASE("an order is decided by one thread, however many try") {
  for (std::uint64_t i = 0; i < repetitions(200); ++i) {
    SharedGate gate(Shape{});
    GateThread consumer(gate), other(gate);
    consumer.admit_numbers(1, 8);
    const Orders orders = consumer.take(8, true);
    std::atomic<std::uint64_t> confirmed{0}, cancelled{0};
    in_threads(2, [&](std::uint64_t thread) {
      for (const GateThread::Order& order : orders) {
        if (thread == 0) confirmed += consumer.resolve(order, true) == ResolveResult::kDone;
        // This thread has no order in hand, so it decides by the number of the reservation.
        if (thread == 1) cancelled += other.resolve(order, false) == ResolveResult::kDone;
      }
    });
    CHECK(confirmed + cancelled == 8);
    CHECK(holds(gate, 0, confirmed));
    CHECK(gate.in_flight() == 0);
    consumer.end();
    other.end();
  }
}

TEST_CASE("callers get numbers, and results in a buffer whose length bounds every access") {
  Shape shape;
  shape.burst = SharedGate::kOthers + 3;
  SharedGate gate(shape);
  GateThread thread(gate);
  std::array<std::uint64_t, GateStaging::kBytes / 8> memory{};
  const auto bytes = std::as_writable_bytes(std::span(memory));
  const GateCalls calls(thread.session, Words(bytes));
  const auto reservation = [&] { return memory[GateStaging::kReservation / 8]; };
  const auto milliseconds_at = [&](std::size_t at) { return Words(bytes).get<double>(at); };

  thread.in[0] = {1, 1, 1, 0};
  CHECK(calls.admit<false>() == 0);
  const std::uint64_t first = reservation();
  CHECK(first != 0);
  CHECK(calls.admit_with<false>(5e9, 0, nullptr, nullptr) == 0);
  CHECK(calls.admit_with<false>(-1, 0, nullptr, nullptr) == kBadArgument);
  CHECK(calls.admit_with<false>(std::numeric_limits<double>::quiet_NaN(), 0, nullptr, nullptr) ==
        kBadArgument);
  const Key key{1, 2};
  CHECK(calls.admit_with<false>(0, 0, &key, nullptr) == kBadArgument);
  thread.in[0].sku = 9;
  CHECK(calls.admit<false>() == static_cast<std::int32_t>(ReserveResult::kUnknownSku));
  thread.in[0].sku = 1;
  CHECK(calls.admit<false>() == 0);
  CHECK(calls.admit<false>() == kLimited + static_cast<std::int32_t>(Tier::kTokenBucket));
  CHECK(milliseconds_at(GateStaging::kRetryAfterMs) == 1'000);

  CHECK(calls.take(8, true) == 3);
  CHECK(memory[GateStaging::kTaken / 8] == first);
  CHECK(milliseconds_at(GateStaging::kRenewInMs) == 2'500);
  CHECK(calls.renew() == 2'500);
  CHECK(calls.resolve(true, 0, 0) == static_cast<std::int32_t>(ResolveResult::kDone));
  calls.put_back(1);
  Words(bytes).put(GateStaging::kReservation, first);
  CHECK(calls.resolve(true, 0, 0) == static_cast<std::int32_t>(ResolveResult::kAlreadyConfirmed));
  thread.queue.give_lease();

  // The buffer of `one` has room for one order, and the buffer of `none` has no room.
  const GateCalls one(thread.session, Words(bytes.first(GateStaging::kTaken + GateStaging::kTakenBytes)));
  CHECK(one.take(8, true) == 1);
  const GateCalls none(thread.session, Words(bytes.first(8)));
  CHECK(none.take(8, false) == 0);
  GateThread other(gate);
  const GateCalls late(other.session, Words(bytes));
  CHECK(late.take(8, true) == kNotConsumer);
  other.end();
  thread.end();
}

TEST_SUITE_END();
