// Items that are reserved and sold beyond their total, up to a cap.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "ledger.h"
#include "stress.h"

TEST_SUITE_BEGIN("ledger backorder");

namespace {

using namespace sluice;
using namespace sluice::test;

struct Backordered : TestLedger {
  Backordered(std::uint64_t quantity, std::uint64_t backorder, std::uint32_t shards = 1,
              std::uint64_t per_user = 0)
      : TestLedger({16, 64, 64, 64, 64}) {
    REQUIRE(add(1, quantity, per_user, shards, 0, backorder) == ItemTable<>::Added::kAdded);
  }
  bool has(std::uint64_t total, std::uint64_t available, std::uint64_t reserved, std::uint64_t sold,
           std::uint64_t backordered) {
    const StockCounts found = counts(1);
    return found.total == total && found.available == available && found.reserved == reserved &&
           found.sold == sold && found.backordered == backordered && audited();
  }
  LevelSet set_total(std::uint64_t total, bool clamp = false) {
    return ledger.set_total(*thread, item(1), total, clamp, now);
  }
  LevelSet set_backorder(std::uint64_t backorder, bool clamp = false) {
    return ledger.set_backorder(*thread, item(1), backorder, clamp);
  }
  bool restock(std::uint64_t quantity) { return ledger.restock(*thread, item(1), quantity, now); }
  std::uint64_t withdraw(std::uint64_t quantity) { return ledger.withdraw(*thread, item(1), quantity, now); }
};

constexpr std::uint32_t kShardCounts[] = {1, 3};

TEST_CASE("units are reserved and sold beyond the total, up to the cap; new units fill backorders first") {
  for (const std::uint32_t shards : kShardCounts) {
    CAPTURE(shards);
    Backordered one(5, 4, shards);
    CHECK(one.has(5, 5, 0, 0, 0));
    const std::uint64_t first = one.reserve(1, 3).reservation;
    CHECK(one.has(5, 2, 3, 0, 0));
    const std::uint64_t second = one.reserve(1, 5).reservation;
    CHECK(one.has(5, 0, 8, 0, 3));
    CHECK(one.peek(1, 2).result == ReserveResult::kSoldOut);
    CHECK(one.reserve(1, 2).result == ReserveResult::kSoldOut);
    const std::uint64_t third = one.reserve(1, 1).reservation;
    CHECK(one.has(5, 0, 9, 0, 4));
    CHECK(one.confirm(second) == ResolveResult::kDone);
    CHECK(one.has(5, 0, 4, 5, 4));
    CHECK(one.restock(3));
    CHECK(one.has(8, 0, 4, 5, 1));
    CHECK(one.reserve(1, 4).result == ReserveResult::kSoldOut);
    CHECK(one.cancel(first) == ResolveResult::kDone);
    CHECK(one.has(8, 2, 1, 5, 0));
    CHECK(one.confirm(third) == ResolveResult::kDone);
    CHECK(one.give_back(second, 2) == ResolveResult::kDone);
    CHECK(one.has(8, 4, 0, 4, 0));
    CHECK(one.give_back_of(0, 1, 5) == ResolveResult::kNotBought);
    CHECK(one.reserve(1, 8).result == ReserveResult::kReserved);
    CHECK(one.has(8, 0, 8, 4, 4));
    one.now += kHold;
    CHECK(one.expire() != 0);
    CHECK(one.has(8, 4, 0, 4, 0));
  }
}

TEST_CASE("units that were sold beyond the total can be returned, the last one too") {
  for (const std::uint32_t shards : kShardCounts) {
    Backordered one(1, 9, shards, 10);
    const std::uint64_t all = one.reserve(1, 10, 7).reservation;
    CHECK(one.confirm(all) == ResolveResult::kDone);
    CHECK(one.has(1, 0, 0, 10, 9));
    CHECK(one.give_back(all, 6) == ResolveResult::kDone);
    CHECK(one.has(1, 0, 0, 4, 3));
    CHECK(one.give_back_of(7, 1, 4) == ResolveResult::kDone);
    CHECK(one.has(1, 1, 0, 0, 0));
    CHECK(one.give_back_of(7, 1, 1) == ResolveResult::kNotBought);
  }
}

TEST_CASE("a withdrawal takes what is left of the total, and nothing of the cap") {
  for (const std::uint32_t shards : kShardCounts) {
    CAPTURE(shards);
    Backordered one(10, 5, shards);
    const std::uint64_t held = one.reserve(1, 3).reservation;
    CHECK(one.withdraw(4) == 4);
    CHECK(one.has(6, 3, 3, 0, 0));
    CHECK(one.withdraw(4) == 3);
    CHECK(one.has(3, 0, 3, 0, 0));
    CHECK(one.withdraw(1) == 0);
    CHECK(one.reserve(1, 2).result == ReserveResult::kReserved);
    CHECK(one.withdraw(1) == 0);
    CHECK(one.has(3, 0, 5, 0, 2));
    CHECK(one.reserve(1, 4).result == ReserveResult::kSoldOut);
    CHECK(one.cancel(held) == ResolveResult::kDone);
    CHECK(one.withdraw(kQuantityMax) == 1);
    CHECK(one.reserve(1, 5).result == ReserveResult::kReserved);
    CHECK(one.has(2, 0, 7, 0, 5));
  }
}

TEST_CASE("a total can be set below the reserved and sold units, by as much as can be backordered") {
  for (const std::uint32_t shards : kShardCounts) {
    CAPTURE(shards);
    Backordered one(10, 4, shards);
    CHECK(one.confirm(one.reserve(1, 7).reservation) == ResolveResult::kDone);
    CHECK(one.set_total(2) == LevelSet::kTaken);
    CHECK(one.has(10, 3, 0, 7, 0));
    CHECK(one.set_total(3) == LevelSet::kDone);
    CHECK(one.has(3, 0, 0, 7, 4));
    CHECK(one.reserve(1, 1).result == ReserveResult::kSoldOut);
    CHECK(one.set_total(5) == LevelSet::kDone);
    CHECK(one.has(5, 0, 0, 7, 2));
    CHECK(one.set_total(0, true) == LevelSet::kDone);
    CHECK(one.has(3, 0, 0, 7, 4));
    CHECK(one.set_total(kQuantityMax - 3) == LevelSet::kTooMany);
    CHECK(one.set_total(kQuantityMax - 3, true) == LevelSet::kTooMany);
    CHECK(one.has(3, 0, 0, 7, 4));
    CHECK(one.set_total(kQuantityMax - 4) == LevelSet::kDone);
    CHECK_FALSE(one.restock(1));
    CHECK(one.has(kQuantityMax - 4, kQuantityMax - 11, 0, 7, 0));
  }
}

TEST_CASE("a cap can be set, raised and removed; it is never below the backordered units") {
  for (const std::uint32_t shards : kShardCounts) {
    CAPTURE(shards);
    Backordered one(5, 0, shards);
    const std::uint64_t told = one.ledger.movements().end();
    CHECK(one.set_backorder(kQuantityMax - 4) == LevelSet::kTooMany);
    CHECK(one.set_backorder(3) == LevelSet::kDone);
    CHECK(one.set_backorder(6) == LevelSet::kDone);
    CHECK(one.ledger.movements().end() == told);
    CHECK(one.has(5, 5, 0, 0, 0));
    const std::uint64_t held = one.reserve(1, 9).reservation;
    CHECK(one.set_backorder(3) == LevelSet::kTaken);
    CHECK(one.counts(1).backorder == 6);
    CHECK(one.set_backorder(0, true) == LevelSet::kDone);
    CHECK(one.counts(1).backorder == 4);
    CHECK(one.has(5, 0, 9, 0, 4));
    CHECK(one.reserve(1, 1).result == ReserveResult::kSoldOut);
    CHECK(one.cancel(held, 5) == ResolveResult::kDone);
    CHECK(one.has(5, 1, 4, 0, 0));
    CHECK(one.set_backorder(0) == LevelSet::kDone);
    CHECK(one.has(5, 1, 4, 0, 0));
    CHECK(one.reserve(1, 2).result == ReserveResult::kSoldOut);
    CHECK(one.reserve(1, 1).result == ReserveResult::kReserved);
    CHECK(one.set_backorder(kQuantityMax - 5) == LevelSet::kDone);
    CHECK(one.set_total(6) == LevelSet::kTooMany);
    CHECK(one.has(5, 0, 5, 0, 0));
  }
}

TEST_CASE("a snapshot contains the cap and the backordered units; one whose cap is too large is refused") {
  Backordered one(5, 4, 3, 20);
  const std::uint64_t held = one.reserve(1, 8, 7).reservation;
  std::vector<std::uint64_t> words = snapshot_of(one.ledger.memory(), one.now);
  TestLedger restored(one.shape);
  REQUIRE(restored.restores(one));
  CHECK(restored.counts(1).backordered == 3);
  CHECK(restored.counts(1).backorder == 4);
  CHECK(restored.reserve(1, 2, 8).result == ReserveResult::kSoldOut);
  CHECK(restored.reserve(1, 1, 8).result == ReserveResult::kReserved);
  CHECK(restored.cancel(held) == ResolveResult::kDone);
  CHECK(restored.audited());
  // Forges each word that is 4, one after the other: one of them is the cap. Such a snapshot is refused, or becomes a
  // ledger that adds up.
  std::uint64_t accepted = 0;
  for (std::uint64_t& word : words) {
    if (word != 4) continue;
    for (const std::uint64_t forged :
         {std::uint64_t{0}, kQuantityMax - 4, kQuantityMax + 1, ~std::uint64_t{0}}) {
      word = forged;
      TestLedger another(one.shape);
      if (read_snapshot(another.ledger.memory(), one.shape, words, one.now, Sweeping::kAsked) ==
          SnapshotError::kNone) {
        const StockCounts counts = another.counts(1);
        accepted += counts.available + counts.reserved + counts.sold != counts.total + counts.backordered ||
                    counts.backordered > counts.backorder || !another.audited();
      }
    }
    word = 4;
  }
  CHECK(accepted == 0);
}

TEST_CASE("totals and caps change while others sell: counts add up, and no unit too many is taken") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kThreads = 4;
  constexpr std::uint64_t kMostTotal = 40, kMostCap = 20;
  for (const std::uint32_t shards : kShardCounts) {
    CAPTURE(shards);
    const std::uint64_t rounds = repetitions(6'000);
    Backordered one(5, kMostCap, shards);
    std::atomic<bool> changing{true};
    std::atomic<std::uint64_t> wrong{0}, backordered{0};
    in_threads(kThreads, [&](unsigned index) {
      ThreadSlot* thread = one.ledger.thread_slots().acquire();
      Random random(index);
      const std::uint32_t item = one.item(1);
      if (index == 0) {
        for (std::uint64_t i = 0; i < rounds; ++i) {
          one.ledger.set_total(*thread, item, random.below(kMostTotal + 1), random.once_in(2), one.now);
          one.ledger.set_backorder(*thread, item, random.below(kMostCap + 1), random.once_in(2));
          // Only this thread changes total and cap, so they do not change between its looks.
          const StockCounts before = one.counts(1);
          wrong += one.ledger.withdraw(*thread, item, 5, one.now) > 5;
          const StockCounts counts = one.counts(1);
          wrong += counts.total > before.total || counts.backorder != before.backorder;
          if (i % 8 == 0) wrong += !audit(one.ledger.memory()).adds_up(one.ledger.slots());
        }
        // Sets total and cap as in the beginning, for the last requests of the others. Until some units that these hold
        // have come back, the total cannot go down.
        one.ledger.set_backorder(*thread, item, kMostCap, false);
        while (one.ledger.set_total(*thread, item, 5, false, one.now) != LevelSet::kDone)
          std::this_thread::yield();
        changing = false;
      } else {
        // With total and cap as in the beginning, each request for more than 5 units that passes is backordered. So the
        // last 100 requests make it certain that some are, whatever the threads found before.
        for (int last = 100; last != 0; last -= changing ? 0 : 1) {
          const StockRequest::Line wish{sku(1), random.between(1, 12)};
          const StockRequest request{&wish, 1, {}, Key{}, kHold};
          const StockAnswer answer =
              one.ledger.reserve(*thread, request, one.now, [](std::uint64_t) { return true; });
          const StockCounts counts = one.counts(1);
          wrong += counts.available + counts.reserved + counts.sold != counts.total + counts.backordered ||
                   counts.backordered > counts.backorder ||
                   (counts.available != 0 && counts.backordered != 0) || counts.backorder > kMostCap ||
                   counts.sold > kMostTotal + kMostCap;
          backordered += counts.backordered != 0;
          if (answer.result != ReserveResult::kReserved) continue;
          if (random.once_in(4)) {
            wrong += one.ledger.confirm(*thread, answer.reservation, one.now) != ResolveResult::kDone ||
                     one.ledger.give_back(*thread, item, wish.quantity, {}, one.now) != ResolveResult::kDone;
          } else {
            one.ledger.cancel(*thread, answer.reservation, one.now);
          }
        }
      }
      one.ledger.thread_slots().release(thread);
    });
    CHECK(wrong == 0);
    CHECK(backordered != 0);
    CHECK(one.has(one.counts(1).total, one.counts(1).total, 0, 0, 0));
  }
}

TEST_CASE("a withdrawal leaves the cap, whatever is reserved meanwhile, and no thread finds the cap gone") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (const std::uint32_t shards : kShardCounts) {
    CAPTURE(shards);
    // Two sellers have at most 8 units together, for which the cap is enough. The withdrawal may miss units that the
    // sellers put back into a shard after it has looked there.
    Backordered one(0, 8, shards);
    const std::uint64_t most_left = shards == 1 ? 8 : 16;
    std::atomic<unsigned> selling{2};
    std::atomic<std::uint64_t> sold_out{0}, wrong{0};
    in_threads(3, [&](unsigned index) {
      ThreadSlot* thread = one.ledger.thread_slots().acquire();
      Random random(index);
      if (index == 2) {
        while (selling != 0) {
          const std::uint64_t units = random.between(1, 30);
          wrong += !one.ledger.restock(*thread, one.item(1), units, one.now);
          const std::uint64_t taken = one.ledger.withdraw(*thread, one.item(1), kQuantityMax, one.now);
          wrong += one.counts(1).total > most_left || taken > units + most_left;
        }
      } else {
        for (std::uint64_t i = 0; i < repetitions(20'000); ++i) {
          const StockRequest::Line wish{sku(1), random.between(1, 4)};
          const StockRequest request{&wish, 1, {}, Key{}, kHold};
          sold_out += one.ledger.peek(request).result == ReserveResult::kSoldOut;
          const StockAnswer answer =
              one.ledger.reserve(*thread, request, one.now, [](std::uint64_t) { return true; });
          sold_out += answer.result == ReserveResult::kSoldOut;
          one.ledger.cancel(*thread, answer.reservation, one.now);
        }
        --selling;
      }
      one.ledger.thread_slots().release(thread);
    });
    CHECK(wrong == 0);
    CHECK(sold_out == 0);
    CHECK(one.audited());
  }
}

}  // namespace

TEST_SUITE_END();
