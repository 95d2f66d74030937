// Admissions to a queue that overwrites: what a dropped order held is given back, once.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "core/gate/admission.h"
#include "core/queue/queue_consumer.h"
#include "gate_parts.h"
#include "platform/ledger_copies.h"
#include "stress.h"

TEST_SUITE_BEGIN("admission over older orders");

namespace {

using namespace sluice;
using sluice::test::Gate;
using sluice::test::in_threads;
using sluice::test::Random;
using sluice::test::Record;
using sluice::test::repetitions;
using sluice::test::Shape;

Shape overwriting(std::uint64_t capacity) {
  Shape shape;
  shape.capacity = capacity;
  shape.ids = true;
  shape.overflow = Overflow::kOverwrite;
  return shape;
}
Outcome as_outcome(ReserveResult result) { return static_cast<Outcome>(result); }

struct Overwriting : Gate {
  using Gate::Gate;

  Admission::Result admit(const Admission::Parts& parts, const Record& record, AdmittedOrder& overwritten,
                          const Key* key = nullptr) {
    return Admission::admit_over(parts, fields, {record.bytes(), 0, key}, overwritten);
  }
  std::uint64_t available() { return stock.items().counts(stock.items()[0]).available; }
};

TEST_CASE("the oldest order is dropped for a new one: its units are on sale again, its id is 'cancelled'") {
  Shape shape = overwriting(2);
  shape.keys = 8;
  Overwriting gate(shape);
  const Admission::Parts parts = gate.attach();
  const Key key = gate.limiter.key(KeyKind::kString, "somebody", 8);
  AdmittedOrder overwritten;
  const Admission::Result first = gate.admit(parts, {1, 3, 7, 100}, overwritten, &key);
  REQUIRE(first.outcome == Outcome::kAdmitted);
  REQUIRE(gate.admit(parts, {1, 2, 7, 101}, overwritten, &key).outcome == Outcome::kAdmitted);
  CHECK_FALSE(overwritten.admitted());
  CHECK(gate.available() == 3);
  REQUIRE(gate.admit(parts, {1, 1, 7, 102}, overwritten, &key).outcome == Outcome::kAdmitted);
  CHECK(overwritten.reservation == first.reservation);
  CHECK(overwritten.key == key);
  CHECK(gate.available() == 5);
  CHECK(gate.queue.dropped(Dropped::kOldest) == 1);
  CHECK(gate.queue.depth() == 2);
  CHECK(gate.queue.permits() == 0);

  AdmittedOrder none;
  const Admission::Result again = gate.admit(parts, {1, 3, 7, 100}, none, &key);
  CHECK(again.outcome == Outcome::kCancelledBefore);
  CHECK(again.reservation == first.reservation);
  CHECK_FALSE(none.admitted());
  CHECK(gate.queue.depth() == 2);
}

TEST_CASE("an order that is refused, or was admitted before, overwrites nothing") {
  Shape shape = overwriting(2);
  shape.per_user = 6;
  shape.burst = 8;
  Overwriting gate(shape);
  const Admission::Parts parts = gate.attach();
  AdmittedOrder overwritten;
  for (const std::uint64_t id : {100, 101})
    REQUIRE(gate.admit(parts, {1, 3, id, id}, overwritten).outcome == Outcome::kAdmitted);
  CHECK(gate.admit(parts, {1, 3, 100, 100}, overwritten).outcome == Outcome::kDuplicate);
  CHECK(gate.admit(parts, {1, 2, 100, 100}, overwritten).outcome == as_outcome(ReserveResult::kIdMismatch));
  CHECK(gate.admit(parts, {1, 3, 9, 102}, overwritten).outcome == as_outcome(ReserveResult::kSoldOut));
  CHECK(gate.admit(parts, {2, 7, 9, 103}, overwritten).outcome == as_outcome(ReserveResult::kUserLimit));
  CHECK(gate.admit(parts, {1, 0, 9, 104}, overwritten).outcome == Outcome::kBadQuantity);
  for (std::uint64_t id = 200; gate.admit(parts, {1, 1, 9, id}, overwritten).outcome == Outcome::kAdmitted;
       ++id)
    overwritten = {};
  CHECK(gate.admit(parts, {1, 1, 9, 300}, overwritten).outcome == Outcome::kRateLimited);
  gate.queue.close([](std::uint64_t) {});
  CHECK(gate.admit(parts, {1, 1, 9, 301}, overwritten).outcome == Outcome::kClosed);
  CHECK_FALSE(overwritten.admitted());
  CHECK(gate.queue.depth() == 2);
  CHECK(gate.queue.permits() == 0);
}

// Remembers orders that are dropped while the lock `front` is held, and gives back what they held once the lock is
// free.
struct Carried {
  Carried(Overwriting& gate, const Admission::Parts& parts) : gate(gate), parts(parts) {}
  auto drop() {
    return [this](std::uint64_t slot) { orders.push_back(gate.tags[slot].take()); };
  }
  void give_back() {
    for (const AdmittedOrder& order : orders) {
      if (!order.admitted()) continue;
      gate.stock.cancel(*parts.stock_slot, order.reservation, gate.clock.now());
      if (!gate.limiter.release(*parts.limiter_slot, 1)) FAIL_CHECK("released twice");
      ++given_back;
    }
    orders.clear();
  }

  Overwriting& gate;
  const Admission::Parts& parts;
  std::vector<AdmittedOrder> orders;
  std::uint64_t given_back = 0;
};

TEST_CASE("threads that admit, push past the gate, consume and audit lose no hold and never wait for ever") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (const std::uint64_t capacity : {1, 3}) {
    Shape shape = overwriting(capacity);
    shape.ids = false;
    shape.units = 40;
    shape.ttl_ns = 50;
    Overwriting gate(shape);
    std::atomic<unsigned> admitting{3};
    std::atomic<std::uint64_t> admitted{0}, given_back{0}, confirmed{0};
    in_threads(5, [&](unsigned thread) {
      const Admission::Parts parts = gate.attach();
      Random random(thread);
      Carried carried(gate, parts);
      if (thread < 2) {
        for (std::uint64_t i = 0; i < repetitions(60'000); ++i) {
          AdmittedOrder overwritten;
          const Outcome outcome = gate.admit(parts, {1, 1, 0, 0}, overwritten).outcome;
          if (outcome == Outcome::kAdmitted) admitted.fetch_add(1);
          if (outcome != Outcome::kAdmitted && overwritten.admitted())
            FAIL_CHECK("a refused order has overwritten one");
          if (!overwritten.admitted()) continue;
          if (!gate.limiter.release(*parts.limiter_slot, 1)) FAIL_CHECK("released twice");
          given_back.fetch_add(1);
        }
        admitting.fetch_sub(1);
      } else if (thread == 2) {
        const Record past{1, 1, 0, 0};
        for (std::uint64_t i = 0; i < repetitions(60'000); ++i) {
          gate.queue.push_over(
              0, past.bytes(), gate.clock.now(), 50, [](std::uint64_t) {}, carried.drop());
          carried.give_back();
        }
        given_back.fetch_add(carried.given_back);
        admitting.fetch_sub(1);
      } else if (thread == 3) {
        QueueConsumer consumer(gate.queue);
        std::byte out[2 * sizeof(Record)];
        for (bool last = false; !last;) {
          last = admitting.load() == 0;
          gate.manual.advance(random.below(20));
          if (gate.queue.depth() == 0) continue;
          std::vector<AdmittedOrder> taken;
          const auto shown = [&](std::uint32_t, std::uint32_t, std::uint64_t slot) {
            taken.push_back(gate.tags[slot].take());
          };
          const auto dropped = [&](Dropped, const std::byte*, std::uint32_t, std::uint64_t slot) {
            carried.orders.push_back(gate.tags[slot].take());
            return true;
          };
          {
            const Queue::Front front(gate.queue);
            consumer.free_shown(consumer.show(out, 2, gate.clock, shown, dropped));
          }
          carried.give_back();
          for (const AdmittedOrder& order : taken) {
            if (!order.admitted()) continue;
            // For each unit that is sold a new one is added, so that the item never runs out.
            if (gate.stock.confirm(*parts.stock_slot, order.reservation, gate.clock.now()) !=
                ResolveResult::kDone)
              FAIL_CHECK("not held any more");
            gate.stock.restock(*parts.stock_slot, 0, 1, gate.clock.now());
            if (!gate.limiter.release(*parts.limiter_slot, 1)) FAIL_CHECK("released twice");
            confirmed.fetch_add(1);
          }
        }
        given_back.fetch_add(carried.given_back);
      } else {
        while (admitting.load() != 0) {
          if (!audit(gate.stock.memory()).adds_up(gate.stock.slots()))
            FAIL_CHECK("the ledger does not add up");
        }
      }
    });
    std::uint64_t left = 0;
    for (OrderTag& tag : gate.tags) left += tag.get().admitted() ? 1 : 0;
    CHECK(admitted.load() == given_back.load() + confirmed.load() + left);
    CHECK(gate.limiter.in_flight() == left);
    CHECK(gate.stock.items().counts(gate.stock.items()[0]).reserved == left);
    CHECK(gate.queue.permits() == 0);
  }
}

}  // namespace

TEST_SUITE_END();
