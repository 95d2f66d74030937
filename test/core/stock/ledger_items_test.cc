// Items that change while they are sold: they close and reopen, and their limits change.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "ledger.h"
#include "stress.h"

TEST_SUITE_BEGIN("ledger items");

namespace {

using namespace sluice;
using namespace sluice::test;

TEST_CASE("a closed item is sold again once it is reopened, and each change is recorded once") {
  TestLedger one({8, 8, 8, 8, 8});
  one.add(1, 3);
  one.ledger.reopen_item(*one.thread, one.item(1), one.now);  // it was not closed
  one.ledger.close_item(*one.thread, one.item(1), one.now);
  CHECK(one.reserve(1, 1).result == ReserveResult::kItemClosed);
  one.ledger.reopen_item(*one.thread, one.item(1), one.now);
  one.ledger.reopen_item(*one.thread, one.item(1), one.now);
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

TEST_CASE(
    "nothing is reserved from the time on until which an item is sold, and what is held can be confirmed") {
  for (const std::uint32_t shards : {1U, 3U}) {
    TestLedger one({8, 16, 8, 8, 8});
    one.add(1, 6, 0, shards);
    one.add(2, 6);
    one.sell_for(1, 100);
    one.boot.advance(99);
    const std::uint64_t sold = one.reserve(1, 2).reservation;
    const std::uint64_t cancelled = one.reserve({{sku(1), 1}, {sku(2), 1}}).reservation;
    REQUIRE(sold != 0);
    REQUIRE(cancelled != 0);
    one.boot.advance(1);
    CHECK(one.reserve(1, 1).result == ReserveResult::kSaleOver);
    CHECK(one.peek(1, 1).result == ReserveResult::kSaleOver);
    // Of two reasons, the end of the sale is told: 'sold-out' would be final for an id.
    CHECK(one.ask(1, 7).result == ReserveResult::kSaleOver);
    const StockAnswer cart = one.reserve({{sku(2), 1}, {sku(1), 1}});
    CHECK(cart.result == ReserveResult::kSaleOver);
    CHECK(cart.line == 1);
    CHECK(one.holds(2, 5, 1, 0));
    const ResolveAnswer more = one.change(cancelled, {{sku(2), 2}, {sku(1), 2}});
    CHECK(more.result == ResolveResult::kRefused);
    CHECK(more.refusal == ReserveResult::kSaleOver);
    CHECK(more.line == 1);
    CHECK(one.change(cancelled, {{sku(2), 2}}).result == ResolveResult::kDone);
    CHECK(one.change(sold, 1).result == ResolveResult::kDone);
    CHECK(one.confirm(sold) == ResolveResult::kDone);
    CHECK(one.cancel(cancelled) == ResolveResult::kDone);
    CHECK(one.holds(1, 5, 0, 1));
    CHECK(one.holds(2, 6, 0, 0));
    one.sell_for(1, 1);
    CHECK(one.reserve(1, 1).result == ReserveResult::kReserved);
    one.boot.advance(1);
    CHECK(one.reserve(1, 1).result == ReserveResult::kSaleOver);
    one.sell_for(1, 0);
    CHECK(one.reserve(1, 1).result == ReserveResult::kReserved);
    CHECK(one.audited());
  }
}

TEST_CASE("an item whose time is 0 is not sold, even at the zero of its clock") {
  TestLedger one({8, 8, 8, 8, 8});
  const ManualClock zero;
  StockLedger ledger(one.memory, one.shape, Clock(&zero));
  one.add(1, 1);
  ledger.sell_until(one.item(1), 1);
  const StockRequest::Line line{sku(1), 1};
  CHECK(ledger.peek({&line, 1}).result == ReserveResult::kSaleOver);
}

TEST_CASE("an id that came when the sale was over may reserve once it goes on, and keeps an earlier answer") {
  TestLedger one({8, 8, 8, 8, 8});
  one.add(1, 3);
  const std::uint64_t before = one.ask(1, 1, 0, 5).reservation;
  one.sell_for(1, 1);
  one.boot.advance(1);
  CHECK(one.ask(1, 1, 0, 6).result == ReserveResult::kSaleOver);
  CHECK(one.reserve(1, 1, 0, 6).result == ReserveResult::kSaleOver);
  const StockAnswer again = one.ask(1, 1, 0, 5);
  CHECK(again.result == ReserveResult::kDuplicate);
  CHECK(again.reservation == before);
  one.sell_for(1, 0);
  CHECK(one.ask(1, 1, 0, 6).result == ReserveResult::kReserved);
}

TEST_CASE("a snapshot has the time for which an item is still sold") {
  TestLedger one({8, 8, 8, 8, 8});
  for (std::uint64_t number = 1; number <= 3; ++number) one.add(number, 3);
  one.sell_for(1, 50);
  one.sell_for(2, 100);
  one.boot.advance(60);
  TestLedger copy(one.shape);
  REQUIRE(copy.restores(one));
  CHECK(copy.reserve(1, 1).result == ReserveResult::kSaleOver);
  copy.boot.advance(39);
  CHECK(copy.reserve(2, 1).result == ReserveResult::kReserved);
  copy.boot.advance(1);
  CHECK(copy.reserve(2, 1).result == ReserveResult::kSaleOver);
  CHECK(copy.reserve(3, 1).result == ReserveResult::kReserved);
}

TEST_CASE("a late limit counts units reserved from then on, and none from before") {
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
  REQUIRE(copy.restores(one));
  for (TestLedger* ledger : {&one, &copy}) {
    CHECK(ledger->confirm(to_sell) == ResolveResult::kDone);
    CHECK(ledger->cancel(to_cancel) == ResolveResult::kDone);
    CHECK(ledger->confirm(to_part, 3) == ResolveResult::kDone);
    CHECK(ledger->audited());
    CHECK(ledger->reserve(1, 1, 7).result == ReserveResult::kUserLimit);
    // The limit is removed: counted units stay counted, and new units are not counted.
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

TEST_CASE("a total is set as asked, or not at all, or as near as possible") {
  for (const std::uint32_t shards : {1u, 4u}) {
    CAPTURE(shards);
    TestLedger one({8, 8, 8, 8, 8});
    one.add(1, 10, 0, shards);
    const std::uint32_t item = one.item(1);
    const std::uint64_t held = one.reserve(1, 4).reservation;
    CHECK(one.confirm(one.reserve(1, 3).reservation) == ResolveResult::kDone);
    const auto set = [&](std::uint64_t total, bool clamp) {
      return one.ledger.set_total(*one.thread, item, total, clamp, one.now) == LevelSet::kDone;
    };
    const std::uint64_t told = one.ledger.movements().end();
    CHECK_FALSE(set(6, false));
    CHECK(one.holds(1, 3, 4, 3));
    CHECK(set(10, false));
    CHECK(one.ledger.movements().end() == told);
    CHECK(set(7, false));
    CHECK(one.holds(1, 0, 4, 3));
    CHECK_FALSE(set(0, false));
    CHECK(set(kQuantityMax, false));
    CHECK(one.holds(1, kQuantityMax - 7, 4, 3));
    CHECK(set(0, true));
    CHECK(one.holds(1, 0, 4, 3));
    CHECK(set(12, true));
    CHECK(one.holds(1, 5, 4, 3));
    CHECK(one.cancel(held) == ResolveResult::kDone);
    CHECK(set(3, false));
    CHECK(one.holds(1, 0, 0, 3));
    CHECK(one.audited());
    std::int64_t units = 10;
    Movement movement{};
    for (std::uint64_t at = told; one.ledger.movements().read(at, movement) == MovementLog<>::Read::kRead;
         ++at) {
      const auto quantity = static_cast<std::int64_t>(movement.quantity);
      if (movement.kind == MovementKind::kRestocked) units += quantity;
      if (movement.kind == MovementKind::kWithdrawn) units -= quantity;
    }
    CHECK(units == 3);
  }
}

TEST_CASE(
    "a total is set while others sell: no unit appears or vanishes, nor looks sold out while it stays") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kThreads = 4;
  for (const std::uint32_t shards : {1u, 3u}) {
    CAPTURE(shards);
    const std::uint64_t rounds = repetitions(6'000);
    TestLedger one({8, 64, 8, 8, 8});
    one.add(1, 100, 0, shards);
    const std::uint64_t kept = one.reserve(1, 40).reservation;
    std::atomic<unsigned> selling{kThreads - 1};
    std::atomic<std::uint64_t> sold_out{0}, wrong{0};
    in_threads(kThreads, [&](unsigned index) {
      ThreadSlot* thread = one.ledger.thread_slots().acquire();
      Random random(index);
      if (index == 0) {
        // 40 units are kept, and the other threads have at most 12. So the total cannot go below 40, and with a total
        // of 52 or more all threads find enough.
        for (std::uint64_t i = 0; selling != 0; ++i) {
          const auto set = [&](std::uint64_t total) {
            return one.ledger.set_total(*thread, one.item(1), total, false, one.now) == LevelSet::kDone;
          };
          wrong += set(random.below(40));
          wrong += !set(random.between(52, 100));
          const StockCounts counts = one.counts(1);
          wrong += counts.total < 52 || counts.available + counts.reserved != counts.total;
          if (i % 8 == 0) wrong += !audit(one.ledger.memory()).adds_up(one.ledger.slots());
        }
      } else {
        for (std::uint64_t i = 0; i < rounds; ++i) {
          const StockRequest::Line wish{sku(1), random.between(1, 4)};
          const StockRequest request{&wish, 1, {}, Key{}, kHold};
          const StockAnswer verdict = one.ledger.peek(request);
          const StockAnswer answer =
              one.ledger.reserve(*thread, request, one.now, [](std::uint64_t) { return true; });
          sold_out += verdict.result == ReserveResult::kSoldOut || answer.result == ReserveResult::kSoldOut;
          one.ledger.cancel(*thread, answer.reservation, one.now);
        }
        --selling;
      }
      one.ledger.thread_slots().release(thread);
    });
    CHECK(wrong == 0);
    CHECK(sold_out == 0);
    CHECK(one.cancel(kept) == ResolveResult::kDone);
    CHECK(one.counts(1).available == one.counts(1).total);
    CHECK(one.audited());
  }
}

TEST_CASE("a user that has more than a new lower limit gets no more until it has less") {
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

TEST_CASE("a group's limit covers all its items, besides their own limits, and returns with the units") {
  TestLedger one({8, 32, 16, 32, 8});
  REQUIRE(one.ledger.groups().add("consoles", 5) == GroupTable::Added::kAdded);
  CHECK(one.ledger.groups().add("consoles", 6) == GroupTable::Added::kExists);
  const std::uint32_t group = one.ledger.groups().find("consoles");
  CHECK(one.ledger.groups().find("console") == 0);
  one.add(1, 100, 0, 2, group);
  one.add(2, 100, 2, 1, group);
  one.add(3, 100);
  CHECK(one.reserve(1, 1).result == ReserveResult::kNeedsUser);
  CHECK(one.reserve(3, 50).result == ReserveResult::kReserved);
  CHECK(one.reserve(2, 3, 7).result == ReserveResult::kUserLimit);  // by the item's own limit
  const std::uint64_t held = one.reserve(2, 2, 7).reservation;
  CHECK(one.peek(1, 4, 7).result == ReserveResult::kUserLimit);
  CHECK(one.reserve(1, 4, 7).result == ReserveResult::kUserLimit);
  const std::uint64_t more = one.reserve(1, 3, 7).reservation;
  CHECK(one.reserve(1, 1, 7).result == ReserveResult::kUserLimit);
  CHECK(one.reserve(1, 5, 8).result == ReserveResult::kReserved);  // another user
  CHECK(one.audited());
  // The lines of a cart count together, and a refused cart leaves no count behind.
  CHECK(one.peek(1, 4, 9).result == ReserveResult::kReserved);
  const StockAnswer cart = one.reserve({{sku(1), 4}, {sku(2), 2}}, 9, 99);
  CHECK(cart.result == ReserveResult::kUserLimit);
  CHECK(cart.line == 1);
  CHECK(one.reserve({{sku(1), 4}, {sku(2), 2}}, 9, 99).result == ReserveResult::kAlreadyFailed);
  CHECK(one.reserve({{sku(1), 3}, {sku(2), 2}}, 9).result == ReserveResult::kReserved);
  TestLedger copy(one.shape);
  REQUIRE(copy.restores(one));
  for (TestLedger* ledger : {&one, &copy}) {
    CHECK(ledger->reserve(1, 1, 7).result == ReserveResult::kUserLimit);
    CHECK(ledger->cancel(held) == ResolveResult::kDone);
    CHECK(ledger->confirm(more, 1) == ResolveResult::kDone);
    CHECK(ledger->reserve(1, 5, 7).result == ReserveResult::kUserLimit);
    CHECK(ledger->reserve(1, 4, 7).result == ReserveResult::kReserved);
    ledger->now += kHold;
    ledger->expire();
    CHECK(ledger->reserve(1, 4, 7).result == ReserveResult::kReserved);
    // The limit is lowered: a user that has more gets no more.
    ledger->ledger.groups()[group - 1].per_user.store(3, std::memory_order_relaxed);
    CHECK(ledger->reserve(1, 1, 7).result == ReserveResult::kUserLimit);
    CHECK(ledger->reserve(2, 2, 8).result == ReserveResult::kReserved);
    // The item's own limit is removed, and the group's stays.
    ledger->ledger.limit_users(ledger->item(2), 0);
    CHECK(ledger->reserve(2, 2, 8).result == ReserveResult::kUserLimit);
    CHECK(ledger->reserve(2, 1, 8).result == ReserveResult::kReserved);
    CHECK(ledger->audited());
  }
}

TEST_CASE("the number of groups, and of items in one, is bounded") {
  TestLedger one({256, 8, 8, 8, 8});
  GroupTable& groups = one.ledger.groups();
  for (std::uint32_t i = 0; i < GroupTable::kGroupsMax; ++i) {
    REQUIRE(groups.add("g" + std::to_string(i), 1) == GroupTable::Added::kAdded);
  }
  CHECK(groups.add("more", 1) == GroupTable::Added::kFull);
  for (std::uint32_t i = 0; i < GroupTable::kMembersMax; ++i) {
    REQUIRE(one.add(i, 10, 0, 1, 64) == ItemTable<>::Added::kAdded);
  }
  CHECK(one.add(99, 10, 0, 1, 64) == ItemTable<>::Added::kNotJoined);
  CHECK(one.item(99) == kNoItem);
  CHECK(one.add(99, 10, 0, 1, 63) == ItemTable<>::Added::kAdded);
  CHECK(one.reserve(63, 1, 7).result == ReserveResult::kReserved);
  CHECK(one.reserve(0, 1, 7).result == ReserveResult::kUserLimit);
  CHECK(one.audited());
}

TEST_CASE("two threads that reserve different items of a group for one user at once: one passes") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  const std::uint64_t rounds = repetitions(10'000);
  TestLedger one({32, 64, 64, 64, 8});
  one.ledger.groups().add("consoles", 1);
  for (std::uint64_t number = 1; number <= 20; ++number) one.add(number, 1'000'000, 0, 1, 1);
  std::atomic<std::uint64_t> arrived{0}, admitted{0}, wrong{0};
  in_threads(2, [&](unsigned index) {
    ThreadSlot* thread = one.ledger.thread_slots().acquire();
    Random random(index);
    std::uint64_t meeting = 0;
    const auto meet = [&] {
      arrived.fetch_add(1);
      meeting += 2;
      spin_wait([&] { return arrived.load() >= meeting; });
    };
    for (std::uint64_t i = 0; i < rounds; ++i) {
      const StockRequest::Line wish{sku(1 + 10 * index + random.below(10)), 1};
      const StockRequest request{&wish, 1, LedgerUser::number(1 + i % 5), Key{}, kHold};
      meet();
      const StockAnswer answer =
          one.ledger.reserve(*thread, request, one.now, [](std::uint64_t) { return true; });
      admitted += answer.result == ReserveResult::kReserved;
      meet();
      // Both threads have their answers; now the units go back.
      if (index == 0 && admitted.exchange(0) != 1) ++wrong;
      if (answer.result == ReserveResult::kReserved) one.ledger.cancel(*thread, answer.reservation, one.now);
      meet();
    }
    one.ledger.thread_slots().release(thread);
  });
  CHECK(wrong == 0);
  CHECK(one.ledger.memory().users.used() == 0);
  CHECK(one.audited());
}

TEST_CASE("the hold of reservations to come can be changed") {
  TestLedger one({8, 8, 8, 8, 8});
  one.ledger.set_hold_ns(77);
  CHECK(one.ledger.hold_ns() == 77);
  TestLedger copy(one.shape);
  REQUIRE(copy.restores(one));
  CHECK(copy.ledger.hold_ns() == 77);
}

TEST_CASE("limits that come and go while others sell: every audit passes") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kThreads = 4;
  // The first limit of an item is the critical one, so there are many items, and each gets a first limit once.
  const auto items = static_cast<std::uint32_t>(repetitions(600));
  TestLedger one({items, 64, 512, 64, 64});
  for (std::uint32_t number = 1; number <= items; ++number) one.add(number, 1'000'000);
  std::atomic<std::uint32_t> current{1};
  std::uint64_t audits_failed = 0;
  in_threads(kThreads, [&](unsigned index) {
    ThreadSlot* thread = one.ledger.thread_slots().acquire();
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
          one.ledger.reserve(*thread, request, one.now, [](std::uint64_t) { return true; });
      if (answer.result != ReserveResult::kReserved) continue;
      if (random.below(2) == 0) {
        one.ledger.confirm_part(*thread, answer.reservation, one.now, {nullptr, 0, 1}, Rest::kRelease);
      } else {
        one.ledger.cancel(*thread, answer.reservation, one.now);
      }
    }
    one.ledger.thread_slots().release(thread);
  });
  CHECK(audits_failed == 0);
  CHECK(one.audited());
}

}  // namespace

TEST_SUITE_END();
