#include "core/stock/item_table.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>

#include "ledger.h"
#include "stress.h"

TEST_SUITE_BEGIN("item table");

namespace {

using namespace sluice;
using namespace sluice::test;
using Look = ItemTable<>::Look;

constexpr std::uint64_t kMost = kQuantityMax;

TEST_CASE("an item with shards is sold out when all shards are, and not before") {
  TestLedger one({16, 64, 8, 8, 0});
  one.add(1, 10, 0, 4);  // shards of 3, 3, 2 and 2 units
  std::uint64_t taken = 0;
  for (; one.reserve(1, 1).result == ReserveResult::kReserved; ++taken) {
  }
  CHECK(taken == 10);
  CHECK(one.holds(1, 0, 10, 0));
  CHECK(one.peek(1, 1).result == ReserveResult::kSoldOut);
  CHECK(one.audited());
}

TEST_CASE("more units than any shard has are gathered from several, and given back to the same shards") {
  TestLedger one({16, 64, 8, 8, 0});
  one.add(1, 10, 0, 4);
  const std::uint64_t all = one.reserve(1, 10).reservation;
  REQUIRE(all != 0);
  CHECK(one.holds(1, 0, 10, 0));
  CHECK(one.audited());
  one.cancel(all);
  CHECK(one.holds(1, 10, 0, 0));
  CHECK(one.reserve(1, 11).result == ReserveResult::kSoldOut);
  CHECK(one.holds(1, 10, 0, 0));
  CHECK(one.ledger.memory().reservations.free_slots() == 64);
  CHECK(one.audited());
}

TEST_CASE("a gathering that finds too few places of the table gives back what it gathered") {
  TestLedger one({16, 3, 8, 8, 0});
  one.add(1, 8, 8, 4);
  CHECK(one.reserve(1, 8, 7).result == ReserveResult::kLedgerFull);
  CHECK(one.holds(1, 8, 0, 0));
  CHECK(one.audited());
  CHECK(one.reserve(1, 6, 7).result == ReserveResult::kReserved);
  CHECK(one.reserve(1, 3, 7).result == ReserveResult::kSoldOut);
  CHECK(one.audited());
}

TEST_CASE("a look at shards reports sold out only for a moment at which no units were coming back") {
  TestLedger one({16, 64, 8, 8, 0});
  one.add(1, 2, 0, 2);
  one.reserve(1, 1);
  ItemTable<>& items = one.ledger.items();
  const Item<>& item = items[0];
  CHECK(items.look(item, 1) == Look::kEnough);
  CHECK(items.look(item, 2) == Look::kSoldOut);
  {
    const StockShard<>::Return one_back(items.shard(item.first_shard + 1));
    CHECK(items.look(item, 2) == Look::kUnsettled);
    CHECK(items.look(item, 1) == Look::kEnough);
    // While units come back, peek() does not refuse: reserve() decides.
    CHECK(one.peek(1, 2).result == ReserveResult::kReserved);
  }
  CHECK(items.look(item, 2) == Look::kSoldOut);
  CHECK(one.peek(1, 2).result == ReserveResult::kSoldOut);
}

TEST_CASE(
    "restocking is spread over the shards, and refused beyond 2^32 - 1 units in all, sold ones included") {
  TestLedger one({16, 64, 8, 8, 0});
  one.add(1, kMost - 1, 0, 3);
  one.confirm(one.reserve(1, 100).reservation);
  CHECK_FALSE(one.ledger.restock(*one.thread, 0, 2, one.now));
  CHECK_FALSE(one.ledger.restock(*one.thread, 0, kMost, one.now));
  CHECK(one.holds(1, kMost - 101, 0, 100));
  CHECK(one.ledger.restock(*one.thread, 0, 1, one.now));
  CHECK(one.counts(1).total == kMost);
  CHECK_FALSE(one.ledger.restock(*one.thread, 0, 1, one.now));
  CHECK(one.audited());
}

TEST_CASE("withdrawing takes what is available over all shards, never what is held or sold") {
  TestLedger one({16, 64, 8, 8, 0});
  one.add(1, 10, 0, 4);
  one.confirm(one.reserve(1, 3).reservation);
  const std::uint64_t held = one.reserve(1, 4).reservation;
  CHECK(one.ledger.withdraw(*one.thread, 0, 2, one.now) == 2);
  CHECK(one.holds(1, 1, 4, 3));
  CHECK(one.counts(1).total == 8);
  CHECK(one.ledger.withdraw(*one.thread, 0, kMost, one.now) == 1);
  CHECK(one.ledger.withdraw(*one.thread, 0, kMost, one.now) == 0);
  CHECK(one.holds(1, 0, 4, 3));
  one.cancel(held);
  CHECK(one.holds(1, 4, 0, 3));
  CHECK(one.audited());
}

TEST_CASE("items and shards have exactly the room of the shape, and one more is refused") {
  TestLedger one({8, 64, 8, 8, 0});
  CHECK(one.add(1, 1, 0, 4) == ItemTable<>::Added::kAdded);
  CHECK(one.add(1, 1) == ItemTable<>::Added::kSkuExists);
  CHECK(one.add(2, 1, 0, 5) == ItemTable<>::Added::kFull);
  CHECK(one.add(2, 1, 0, 3) == ItemTable<>::Added::kAdded);
  CHECK(one.add(3, 1) == ItemTable<>::Added::kAdded);
  CHECK(one.add(4, 1) == ItemTable<>::Added::kFull);
  CHECK(one.reserve(4, 1).result == ReserveResult::kUnknownSku);
  CHECK(one.audited());
}

TEST_CASE("no thread finds an item sold out while at least one unit is always available") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  // Each of two movers holds at most one of the three units, so one is always available.
  TestLedger one({16, 64, 8, 8, 0});
  one.add(1, 3, 0, 3);
  std::atomic<unsigned> moving{2};
  std::uint64_t looks = 0;
  std::atomic<std::uint64_t> false_alarms{0};
  in_threads(3, [&](unsigned index) {
    ThreadSlot* thread = one.ledger.thread_slots().acquire();
    const StockRequest::Line unit{sku(1), 1};
    const StockRequest request{&unit, 1, {}, {}, kHold};
    const auto take = [&] {
      return one.ledger.reserve(*thread, request, one.now, [](std::uint64_t) { return true; });
    };
    if (index == 2) {
      do {  // also if this thread gets its first turn after the others have ended
        ++looks;
        false_alarms += one.ledger.peek(request).result == ReserveResult::kSoldOut;
      } while (moving != 0);
      return;
    }
    for (std::uint64_t i = 0; i < repetitions(300'000); ++i) {
      const StockAnswer mine = take();
      false_alarms += mine.result == ReserveResult::kSoldOut;
      one.ledger.cancel(*thread, mine.reservation, one.now);
    }
    --moving;
  });
  CHECK(looks > 0);
  CHECK(false_alarms == 0);
  CHECK(one.holds(1, 3, 0, 0));
  CHECK(one.audited());
}

TEST_CASE("units count as coming back while a gathering lasts, because it may fail") {
  TestLedger one({16, 64, 8, 8, 0});
  one.add(1, 4, 0, 2);
  const StockShard<>& first = one.ledger.items().shard(0);
  const std::uint32_t before = first.returns_begun;
  one.reserve(1, 4);  // the gathering succeeds, so nothing comes back
  CHECK(first.returns_begun == before + 1);
  CHECK(first.returns_ended == before + 1);
  one.reserve(1, 1);
  CHECK(first.returns_begun == before + 1);
}

TEST_CASE("counts add up at every instant, while units are restocked, withdrawn, reserved and sold") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  TestLedger one({16, 64, 8, 8, 0});
  one.add(1, 1'000'000, 0, 3);
  std::atomic<unsigned> changing{2};
  std::uint64_t wrong = 0, sold = 0;
  in_threads(3, [&](unsigned index) {
    ThreadSlot* thread = one.ledger.thread_slots().acquire();
    Random random(index);
    if (index == 2) {
      std::uint64_t sold_before = 0;
      while (changing != 0) {
        const StockCounts counts = one.counts(1);
        wrong += counts.available + counts.reserved + counts.sold != counts.total || counts.sold > 400'000 ||
                 counts.sold < sold_before;
        sold_before = counts.sold;
      }
      return;
    }
    for (std::uint64_t i = 0; i < repetitions(200'000); ++i) {
      if (index == 0) {
        one.ledger.restock(*thread, 0, random.between(1, 9), one.now);
        one.ledger.withdraw(*thread, 0, random.between(1, 9), one.now);
        continue;
      }
      const StockRequest::Line wish{sku(1), 1};
      const StockRequest request{&wish, 1, {}, {}, kHold};
      const StockAnswer mine =
          one.ledger.reserve(*thread, request, one.now, [](std::uint64_t) { return true; });
      if (random.once_in(2)) {
        sold += one.ledger.confirm(*thread, mine.reservation, one.now) == ResolveResult::kDone;
      } else {
        one.ledger.cancel(*thread, mine.reservation, one.now);
      }
    }
    --changing;
  });
  CHECK(wrong == 0);
  CHECK(one.counts(1).sold == sold);
  CHECK(one.audited());
}

}  // namespace

TEST_SUITE_END();
