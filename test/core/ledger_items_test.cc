// Items that change while they are sold: closed and opened again, their limits.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>

#include "ledger.h"
#include "stress.h"

TEST_SUITE_BEGIN("ledger items");

namespace {

using namespace sluice;
using namespace sluice::test;

// The same ledger by way of a snapshot.
bool restores_as(TestLedger& one, TestLedger& copy) {
  const std::vector<std::uint64_t> words = LedgerSnapshot::write(one.ledger.memory(), one.now);
  copy.now = one.now;
  return LedgerSnapshot::read(copy.ledger.memory(), words, one.now, Sweeping::kAsked);
}

TEST_CASE("a closed item is sold again once it is opened, and each is told once") {
  TestLedger one({8, 8, 8, 8, 8});
  one.add(1, 3);
  one.ledger.reopen_item(*one.line, one.item(1), one.now);  // it was not closed
  one.ledger.close_item(*one.line, one.item(1), one.now);
  CHECK(one.reserve(1, 1).result == ReserveResult::kItemClosed);
  one.ledger.reopen_item(*one.line, one.item(1), one.now);
  one.ledger.reopen_item(*one.line, one.item(1), one.now);
  CHECK(one.peek(1, 1).result == ReserveResult::kReserved);
  CHECK(one.reserve(1, 1).result == ReserveResult::kReserved);
  Movement movement{};
  std::vector<MovementKind> kinds;
  for (std::uint64_t at = 0; at < one.ledger.movements().end(); ++at) {
    REQUIRE(one.ledger.movements().read(at, movement) == MovementLog<>::Read::kRead);
    kinds.push_back(movement.kind);
  }
  CHECK(kinds == std::vector{MovementKind::kAdded, MovementKind::kClosed, MovementKind::kReopened,
                             MovementKind::kReserved});
}

TEST_CASE("a limit that comes late counts what is reserved from then on, and nothing that was before") {
  TestLedger one({8, 16, 8, 8, 8});
  one.add(1, 100);
  const std::uint64_t sold = one.reserve(1, 4, 7).reservation;
  CHECK(one.confirm(sold) == ResolveResult::kDone);
  const std::uint64_t to_sell = one.reserve(1, 3, 7).reservation;
  const std::uint64_t to_cancel = one.reserve(1, 2, 7).reservation;
  const std::uint64_t to_part = one.reserve(1, 5, 7).reservation;
  one.ledger.limit_users(one.item(1), 2);
  CHECK(one.audited());
  CHECK(one.reserve(1, 1).result == ReserveResult::kNeedsUser);
  CHECK(one.peek(1, 3, 7).result == ReserveResult::kUserLimit);
  const std::uint64_t counted = one.reserve(1, 2, 7).reservation;
  CHECK(counted != 0);
  CHECK(one.reserve(1, 1, 7).result == ReserveResult::kUserLimit);
  CHECK(one.audited());
  TestLedger copy(one.shape);
  REQUIRE(restores_as(one, copy));
  for (TestLedger* ledger : {&one, &copy}) {
    CHECK(ledger->confirm(to_sell) == ResolveResult::kDone);
    CHECK(ledger->cancel(to_cancel) == ResolveResult::kDone);
    CHECK(ledger->confirm(to_part, 3) == ResolveResult::kDone);
    CHECK(ledger->audited());
    CHECK(ledger->reserve(1, 1, 7).result == ReserveResult::kUserLimit);
    // Taken away: what is counted stays so, what comes is not.
    ledger->ledger.limit_users(ledger->item(1), 0);
    CHECK(ledger->confirm(ledger->reserve(1, 6, 7).reservation) == ResolveResult::kDone);
    CHECK(ledger->confirm(counted) == ResolveResult::kDone);
    CHECK(ledger->audited());
    ledger->ledger.limit_users(ledger->item(1), 3);
    CHECK(ledger->reserve(1, 2, 7).result == ReserveResult::kUserLimit);
    CHECK(ledger->reserve(1, 1, 7).result == ReserveResult::kReserved);
    CHECK(ledger->holds(1, 100 - 4 - 3 - 3 - 2 - 6 - 1, 1, 4 + 3 + 3 + 2 + 6));
    CHECK(ledger->audited());
  }
}

TEST_CASE("a user who has more than a lower limit gets no more, until he has less") {
  TestLedger one({8, 8, 8, 8, 8});
  one.add(1, 100, 5);
  const std::uint64_t held = one.reserve(1, 4, 7).reservation;
  one.ledger.limit_users(one.item(1), 2);
  CHECK(one.reserve(1, 1, 7).result == ReserveResult::kUserLimit);
  CHECK(one.audited());
  CHECK(one.confirm(held, 1) == ResolveResult::kDone);
  CHECK(one.reserve(1, 1, 7).result == ReserveResult::kReserved);
  CHECK(one.reserve(1, 1, 7).result == ReserveResult::kUserLimit);
  CHECK(one.audited());
}

TEST_CASE("the hold of reservations to come can be changed") {
  TestLedger one({8, 8, 8, 8, 8});
  one.ledger.set_hold_ns(77);
  CHECK(one.ledger.hold_ns() == 77);
  TestLedger copy(one.shape);
  REQUIRE(restores_as(one, copy));
  CHECK(copy.ledger.hold_ns() == 77);
}

TEST_CASE("limits that come and go while others sell: every audit passes") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kThreads = 4;
  // The first limit of an item is the one that needs care: many items, each with one.
  const auto items = static_cast<std::uint32_t>(repetitions(2'000));
  TestLedger one({items, 64, 512, 64, 64});
  for (std::uint32_t number = 1; number <= items; ++number) one.add(number, 1'000'000);
  std::atomic<std::uint32_t> current{1};
  std::uint64_t audits_failed = 0;
  in_threads(kThreads, [&](unsigned index) {
    ThreadLine* line = one.ledger.lines().acquire();
    Random random(index);
    if (index == 0) {
      for (std::uint32_t number = 1; number <= items; current = ++number) {
        while (one.counts(number).sold < 10) std::this_thread::yield();
        one.ledger.limit_users(one.item(number), random.between(1, 50));
        audits_failed += !audit(one.ledger.memory()).adds_up(one.ledger.slots());
        one.ledger.limit_users(one.item(number), 0);
      }
    }
    for (std::uint32_t number; (number = current) <= items;) {
      const StockRequest::Line wish{sku(number), random.between(1, 3)};
      const StockRequest request{&wish, 1, LedgerUser::number(random.between(1, 4)), Key{}, kHold};
      const StockAnswer answer =
          one.ledger.reserve(*line, request, one.now, [](std::uint64_t) { return true; });
      if (answer.result != ReserveResult::kReserved) continue;
      if (random.below(2) == 0) {
        one.ledger.confirm(*line, answer.reservation, one.now, 1);
      } else {
        one.ledger.cancel(*line, answer.reservation, one.now);
      }
    }
    one.ledger.lines().release(line);
  });
  CHECK(audits_failed == 0);
  CHECK(one.audited());
}

}  // namespace

TEST_SUITE_END();
