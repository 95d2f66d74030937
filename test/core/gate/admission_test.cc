#include "core/gate/admission.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/queue/queue_consumer.h"
#include "gate_parts.h"
#include "platform/ledger_copies.h"
#include "stress.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("admission");

namespace {

using namespace sluice;
using sluice::test::Gate;
using sluice::test::in_threads;
using sluice::test::kSecond;
using sluice::test::Random;
using sluice::test::Record;
using sluice::test::repetitions;
using sluice::test::Shape;
using sluice::test::ZeroedMemory;

Outcome as_outcome(ReserveResult result) { return static_cast<Outcome>(result); }

TEST_CASE("a refusal by stock or queue writes to no cache line but its thread's own") {
  Shape shape;
  shape.per_user = 8;
  Gate gate(shape);
  const Admission::Parts parts = gate.attach();
  for (std::uint64_t i = 0; i < 8; ++i)
    REQUIRE(gate.admit(parts, {1, 1, 5, 0}).outcome == Outcome::kAdmitted);
  const std::vector<std::byte> before = gate.shared(parts);
  struct Refused {
    Record record;
    Outcome outcome;
  };
  const Refused refusals[] = {
      {{1, 1, 6, 0}, as_outcome(ReserveResult::kSoldOut)},
      {{2, 9, 6, 0}, as_outcome(ReserveResult::kSoldOut)},
      {{9, 1, 6, 0}, as_outcome(ReserveResult::kUnknownSku)},
      {{2, 1, 6, 0}, Outcome::kQueueFull},
      {{2, 0, 6, 0}, Outcome::kBadQuantity},
  };
  for (const Refused& refused : refusals) {
    for (int i = 0; i < 1'000; ++i) REQUIRE(gate.admit(parts, refused.record).outcome == refused.outcome);
    CHECK(gate.shared(parts) == before);
  }
  CHECK(gate.thread_slots().sum(Admission::kSoldOutCount) == 2'000);
  CHECK(gate.thread_slots().sum(Admission::kQueueFullCount) == 1'000);
  CHECK(gate.queue.rejected() == 1'000);

  // The check works: an admission does write to shared memory.
  QueueConsumer consumer(gate.queue);
  std::byte out[sizeof(Record)];
  consumer.show(
      out, 1, gate.clock, [](auto...) {}, [](auto...) { return true; });
  consumer.free_shown(1);
  REQUIRE(gate.admit(parts, {2, 1, 6, 0}).outcome == Outcome::kAdmitted);
  CHECK(gate.shared(parts) != before);
}

TEST_CASE("the stock is asked first, then the queue, then the limiter") {
  Shape shape;
  shape.burst = 8;
  Gate gate(shape);
  const Admission::Parts parts = gate.attach();
  for (int i = 0; i < 8; ++i) REQUIRE(gate.admit(parts, {1, 1, 0, 0}).outcome == Outcome::kAdmitted);
  // Item 1 is sold out, the queue is full, and no token is left. Item 2 has units. Before the last call the queue gets
  // room, too.
  CHECK(gate.admit(parts, {1, 1, 0, 0}).outcome == as_outcome(ReserveResult::kSoldOut));
  CHECK(gate.admit(parts, {2, 1, 0, 0}).outcome == Outcome::kQueueFull);
  QueueConsumer consumer(gate.queue);
  std::byte out[8 * sizeof(Record)];
  REQUIRE(consumer.show(
              out, 8, gate.clock, [](auto...) {}, [](auto...) { return true; }) == 8);
  consumer.free_shown(8);
  const Admission::Result refused = gate.admit(parts, {2, 1, 0, 0});
  CHECK(refused.outcome == Outcome::kRateLimited);
  CHECK(refused.tier == Tier::kTokenBucket);
  CHECK(refused.retry_after == kSecond);
  CHECK(gate.limiter.in_flight() == 8);
}

TEST_CASE("an order remembers the key that was charged, to release it: a guest's key, too") {
  Shape shape;
  shape.keys = 8;
  Gate gate(shape);
  const Admission::Parts parts = gate.attach();
  Key key = gate.limiter.key(KeyKind::kString, "somebody", 8);
  REQUIRE(gate.admit(parts, {1, 1, 0, 0}, &key).outcome == Outcome::kAdmitted);
  const AdmittedOrder order = gate.tags[0].get();
  CHECK(order.key == key);
  CHECK(order.reserved());
  CHECK(order.hold_ns == 30 * kSecond);
  CHECK(gate.limiter.release(*parts.limiter_slot, 1, &order.key));
  CHECK(gate.limiter.in_flight() == 0);

  // Asks one key after the other until one is a guest.
  const auto overflowed = [&] { return gate.limiter.thread_slots().sum(Limiter::kOverflowed); };
  for (std::uint64_t number = 0; overflowed() == 0; ++number) {
    key = gate.limiter.key(KeyKind::kNumber, &number, sizeof number);
    gate.limiter.decide(*parts.limiter_slot, gate.clock, gate.clock.now(), 1, 0, &key);
  }
  const std::uint64_t before = gate.limiter.in_flight();
  REQUIRE(gate.admit(parts, {1, 1, 0, 0}, &key).outcome == Outcome::kAdmitted);
  REQUIRE(overflowed() == 2);
  CHECK(gate.tags[1].get().key == key);
  CHECK(gate.limiter.in_flight() == before + 1);
  CHECK(gate.limiter.release(*parts.limiter_slot, 1, &key));
}

TEST_CASE("a repeated id leaves nothing behind: no room promised, nothing charged") {
  Shape shape;
  shape.ids = true;
  Gate gate(shape);
  const Admission::Parts parts = gate.attach();
  const Admission::Result first = gate.admit(parts, {1, 2, 3, 77});
  REQUIRE(first.outcome == Outcome::kAdmitted);
  CHECK_FALSE(first.broke_promise);
  for (int i = 0; i < 20'000; ++i) {  // more often than promises can be outstanding
    const Admission::Result again = gate.admit(parts, {1, 2, 3, 77});
    REQUIRE(again.outcome == as_outcome(ReserveResult::kDuplicate));
    REQUIRE(again.broke_promise);
    REQUIRE(again.reservation == first.reservation);
  }
  CHECK(gate.queue.permits() == 0);
  CHECK(gate.queue.depth() == 1);
  CHECK(gate.limiter.in_flight() == 1);
}

TEST_CASE("a cart is reserved as a whole or not at all, and the refusal names the line") {
  Gate gate({});
  const Admission::Parts parts = gate.attach();
  const Record record{0, 0, 0, 0};
  const StockRequest::Line lines[] = {{number_key(1), 3}, {number_key(2), 8}};
  const auto admit = [&] {
    return Admission::admit(parts, gate.fields, {record.bytes(), 0, nullptr, lines, 2});
  };
  REQUIRE(admit().outcome == Outcome::kAdmitted);
  const Admission::Result refused = admit();
  CHECK(refused.outcome == as_outcome(ReserveResult::kSoldOut));
  CHECK(refused.line == 1);
  CHECK(gate.stock.items().counts(gate.stock.items()[0]).available == 5);
  CHECK(gate.stock.items().counts(gate.stock.items()[1]).available == 0);
  CHECK(gate.queue.depth() == 1);
}

TEST_CASE("units are taken only after room has been promised, so that nothing can fail after that") {
  Gate gate({});
  const Admission::Parts parts = gate.attach();
  // Pauses the ledger as an audit does, so that a thread that wants to reserve waits.
  auto& quiesce = gate.stock.memory().control->quiesce;
  quiesce.pause(gate.stock.thread_slots());
  std::thread admitting([&] { CHECK(gate.admit(parts, {1, 1, 0, 0}).outcome == Outcome::kAdmitted); });
  const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (gate.queue.permits() == 0 && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  CHECK(gate.queue.permits() == 1);
  CHECK(gate.queue.depth() == 0);
  CHECK(gate.stock.items().counts(gate.stock.items()[0]).available == 8);
  quiesce.resume();
  admitting.join();
  CHECK(gate.queue.permits() == 0);
  CHECK(gate.queue.depth() == 1);
  CHECK(gate.stock.items().counts(gate.stock.items()[0]).available == 7);
}

TEST_CASE("no order is refused as sold out because of an order that then finds no room") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  // At most two of the three units are taken: by an order that is in the queue or about to be pushed, and by one that
  // the consumer has.
  Shape shape;
  shape.capacity = 1;
  shape.units = 3;
  Gate gate(shape);
  std::atomic<bool> done{false};
  std::atomic<unsigned> admitting{3};
  std::uint64_t admitted[3] = {}, sold_out[3] = {}, consumed = 0;
  in_threads(4, [&](unsigned thread) {
    const Admission::Parts parts = gate.attach();
    if (thread < 3) {
      for (std::uint64_t i = 0; i < repetitions(300'000); ++i) {
        const Outcome outcome = gate.admit(parts, {1, 1, 0, 0}).outcome;
        admitted[thread] += outcome == Outcome::kAdmitted;
        sold_out[thread] += outcome == as_outcome(ReserveResult::kSoldOut);
      }
      if (admitting.fetch_sub(1) == 1) done = true;
      return;
    }
    QueueConsumer consumer(gate.queue);
    std::byte out[sizeof(Record)];
    for (bool last = false;;) {
      AdmittedOrder order;
      const auto shown = [&](std::uint32_t, std::uint32_t, std::uint64_t slot) {
        order = gate.tags[slot].get();
        gate.tags[slot].clear();
      };
      if (consumer.show(out, 1, gate.clock, shown, [](auto...) { return true; }) == 0) {
        if (last) return;
        last = done;
        continue;
      }
      consumer.free_shown(1);
      CHECK(gate.stock.cancel(*parts.stock_slot, order.reservation, 0) == ResolveResult::kDone);
      CHECK(gate.limiter.release(*parts.limiter_slot, 1));
      ++consumed;
    }
  });
  CHECK(sold_out[0] + sold_out[1] + sold_out[2] == 0);
  CHECK(admitted[0] + admitted[1] + admitted[2] == consumed);
  CHECK(gate.stock.items().counts(gate.stock.items()[0]).available == 3);
  CHECK(gate.limiter.in_flight() == 0);
  CHECK(gate.queue.permits() == 0);
}

TEST_CASE("a text of a record is read only within its field, whatever its length word is") {
  std::byte record[16] = {};
  const RequestField text{NumberType::kText, 4, 6};
  const auto read = [&](std::uint16_t length, std::size_t max) {
    std::memcpy(record + 4, &length, sizeof length);
    std::memcpy(record + 6, "abcdef", 6);
    return text.text(record, max);
  };
  CHECK(read(6, 64) == "abcdef");
  CHECK(read(3, 3) == "abc");
  CHECK(read(0, 64).empty());
  CHECK(read(4, 3).empty());
  CHECK(read(7, 64).empty());
  CHECK(read(65'535, 65'535).empty());
  CHECK(text.within(12));
  CHECK_FALSE(text.within(11));
}

TEST_CASE("orders of a restored ledger are queued again once each, however many threads ask again") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr std::uint64_t kOrders = 60;
  constexpr unsigned kThreads = 3;
  for (std::uint64_t round = 0; round < repetitions(200); ++round) {
    Shape shape;
    shape.ids = true;
    shape.capacity = 4 * kOrders;
    shape.units = kOrders;
    std::vector<std::uint64_t> words;
    {
      Gate before(shape);
      const Admission::Parts parts = before.attach();
      for (std::uint64_t id = 1; id <= kOrders; ++id)
        REQUIRE(before.admit(parts, {1, 1, id, id}).outcome == Outcome::kAdmitted);
      words = snapshot_of(before.stock.memory(), kSecond);
    }
    Gate gate(shape);
    ZeroedMemory memory(StockLedger::bytes(gate.ledger_shape));
    StockLedger restored(memory, gate.ledger_shape);
    REQUIRE(read_snapshot(restored.memory(), gate.ledger_shape, words, kSecond, Sweeping::kAsked) ==
            SnapshotError::kNone);
    std::atomic<std::uint64_t> requeued{0}, repeated{0};
    in_threads(kThreads, [&](unsigned thread) {
      Admission::Parts parts = gate.attach();
      parts.stock = &restored;
      parts.stock_slot = restored.thread_slots().acquire();
      Random random(round * kThreads + thread);
      for (std::uint64_t i = 0; i < 2 * kOrders; ++i) {
        const std::uint64_t id = i < kOrders ? i + 1 : random.between(1, kOrders);
        Outcome outcome = gate.admit(parts, {1, 1, id, id}).outcome;
        // An id is busy when the thread that held its bucket had lost the processor. Then the client asks again.
        while (outcome == as_outcome(ReserveResult::kIdBusy)) {
          std::this_thread::yield();
          outcome = gate.admit(parts, {1, 1, id, id}).outcome;
        }
        requeued += outcome == Outcome::kRequeued;
        repeated += outcome == Outcome::kDuplicate;
      }
    });
    CHECK(requeued == kOrders);
    CHECK(requeued + repeated == 2 * kOrders * kThreads);
    CHECK(gate.queue.depth() == kOrders);
    CHECK(gate.queue.permits() == 0);
    CHECK(gate.limiter.in_flight() == kOrders);
    CHECK(audit(restored.memory()).adds_up(gate.ledger_shape.reservations));
  }
}

}  // namespace

TEST_SUITE_END();
