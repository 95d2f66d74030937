// Threads that end the same reservations in different ways at the same moment.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "ledger.h"
#include "stress.h"

TEST_SUITE_BEGIN("ledger races");

namespace {

using namespace sluice;
using namespace sluice::test;

TEST_CASE("exactly one of confirm (in part or whole), cancel, extend and expiry wins, also during audits") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kThreads = 4;
  const std::uint64_t rounds = repetitions(8'000);
  TestLedger one({8, 8, 64, 64, 64});
  one.add(1, 1'000'000, 1'000'000, 2);
  one.add(2, 1'000'000);
  std::atomic<std::uint64_t> current{0}, round{0}, done{0};
  std::atomic<std::uint64_t> won{0}, sold{0}, strange{0}, audits_failed{0};
  std::uint64_t reserved = 0;
  in_threads(kThreads, [&](unsigned index) {
    ThreadSlot* thread = one.ledger.thread_slots().acquire();
    Random random(index);
    const std::uint64_t start = one.now;
    for (std::uint64_t i = 1; i <= rounds; ++i) {
      const std::uint64_t now = start + i * 10 * kHold;
      if (index == 0) {
        // Makes the next reservation, of one item or two, in slots of past rounds.
        const StockRequest::Line wishes[] = {{sku(1), 3}, {sku(2), 1}};
        const StockRequest request{wishes, i % 4 == 0 ? 2u : 1u, LedgerUser::number(i % 5), Key{}, kHold};
        const StockAnswer answer =
            one.ledger.reserve(*thread, request, now, [](std::uint64_t) { return true; });
        if (answer.result != ReserveResult::kReserved) ++strange;
        ++reserved;
        current.store(answer.reservation, std::memory_order_release);
        done = 0;
        round.store(i, std::memory_order_release);
      } else {
        while (round.load(std::memory_order_acquire) != i) std::this_thread::yield();
      }
      const std::uint64_t id = current.load(std::memory_order_acquire);
      const bool cart = i % 4 == 0;
      ResolveResult result = ResolveResult::kUnknown;
      switch (random.below(6)) {
        case 0:
          result = one.ledger.confirm(*thread, id, now + 1);
          if (result == ResolveResult::kDone) sold += 3;
          break;
        case 1:
          result = one.ledger.confirm_part(*thread, id, now + 1, {nullptr, 0, 2}, Rest::kRelease).result;
          if (result == ResolveResult::kDone) sold += 2;
          // A quantity without items is refused for a cart that is held, and for no other reservation.
          if ((result == ResolveResult::kBadQuantity) && !cart) ++strange;
          break;
        case 2:
          result = one.ledger.cancel(*thread, id, now + 1);
          break;
        case 3:
          if (one.ledger.extend(*thread, id, now + 1, now + 2 * kHold) == ResolveResult::kUnknown) ++strange;
          break;
        case 4:
          // At now + kHold the hold is due, unless it was extended.
          won += one.ledger.expire_due(*thread, now + kHold);
          break;
        default:
          audits_failed += !one.audited();
          break;
      }
      won += result == ResolveResult::kDone;
      // All threads have finished this reservation. If none has ended it, it is cancelled before the next begins.
      if (done.fetch_add(1) + 1 == kThreads) {
        const ResolveResult last = one.ledger.cancel(*thread, id, now + 1);
        won += last == ResolveResult::kDone;
        if (last == ResolveResult::kUnknown || last == ResolveResult::kBadQuantity) ++strange;
        if (one.ledger.confirm(*thread, id, now + 1) == ResolveResult::kDone) ++strange;
        done.store(~0ULL, std::memory_order_release);
      }
      while (index == 0 && done.load(std::memory_order_acquire) != ~0ULL) std::this_thread::yield();
    }
  });
  CHECK(strange == 0);
  CHECK(audits_failed == 0);
  CHECK(won == reserved);
  CHECK(one.holds(1, 1'000'000 - sold, 0, sold));
  CHECK(one.sum(StockLedger::kConfirmed) + one.sum(StockLedger::kCancelled) +
            one.sum(StockLedger::kExpired) ==
        reserved);
  CHECK(one.audited());
}

TEST_CASE("carts with lines in opposite orders never wait for each other, and end with exact totals") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kThreads = 4;
  TestLedger one({32, 256, 64, 64, 256});
  constexpr std::uint64_t kItems = 5;
  for (std::uint64_t i = 1; i <= kItems; ++i) one.add(i, 6, i % 2 == 0 ? 4 : 0, i == 3 ? 3 : 1);
  std::atomic<std::uint64_t> carts{0}, refused{0}, sold[kItems + 1] = {};
  in_threads(kThreads, [&](unsigned index) {
    ThreadSlot* thread = one.ledger.thread_slots().acquire();
    Random random(index);
    for (std::uint64_t i = 0; i < repetitions(60'000); ++i) {
      std::vector<StockRequest::Line> lines;
      for (std::uint64_t item = 1; item <= kItems; ++item) lines.push_back({sku(item), random.between(1, 2)});
      if (index % 2 == 0) std::reverse(lines.begin(), lines.end());
      const bool publishes = !random.once_in(4);
      const StockRequest request{lines.data(), static_cast<std::uint32_t>(lines.size()),
                                 LedgerUser::number(index), Key{}, kHold};
      const StockAnswer cart =
          one.ledger.reserve(*thread, request, one.now, [&](std::uint64_t) { return publishes; });
      if (cart.result != ReserveResult::kReserved) {
        ++refused;
        continue;
      }
      ++carts;
      if (random.once_in(1'000)) {
        if (one.ledger.confirm(*thread, cart.reservation, one.now) != ResolveResult::kDone) ++refused;
        for (const StockRequest::Line& bought : lines) sold[bought.sku.low] += bought.quantity;
        // Adds units, so that there is always something to race for.
        for (std::uint64_t item = 1; item <= kItems; ++item) {
          one.ledger.restock(*thread, one.item(item), 2, one.now);
        }
      } else {
        one.ledger.cancel(*thread, cart.reservation, one.now);
      }
    }
  });
  CHECK(carts > 0);
  CHECK(refused > 0);
  for (std::uint64_t item = 1; item <= kItems; ++item) {
    const StockCounts counts = one.counts(item);
    CHECK(counts.reserved == 0);
    CHECK(counts.sold == sold[item]);
  }
  CHECK(one.audited());
}

TEST_CASE(
    "items that are added while others look for them are found whole, and closed ones sell nothing more") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr std::uint64_t kItems = 200;
  TestLedger one({kItems * 2, 1'024, 64, 64, 64});
  std::atomic<std::uint64_t> next{1}, wrong{0}, added{0};
  in_threads(4, [&](unsigned index) {
    ThreadSlot* thread = one.ledger.thread_slots().acquire();
    if (index < 2) {
      // Both threads add each item. The later one learns that the item exists.
      for (std::uint64_t item = 1; item <= kItems; ++item) {
        added += one.ledger.add_item(*thread, {sku(item), {}, 10, 3, item % 2 == 0 ? 2u : 1u}, one.now) ==
                 ItemTable<>::Added::kAdded;
        next = item;
      }
      return;
    }
    for (std::uint64_t item = 1; item <= kItems; ++item) {
      std::uint32_t number = kNoItem;
      while ((number = one.item(item)) == kNoItem) std::this_thread::yield();
      const StockCounts counts = one.ledger.items().counts(one.ledger.items()[number]);
      wrong += counts.total != 10;
      const StockRequest::Line wish{sku(item), 2};
      const StockRequest request{&wish, 1, LedgerUser::number(index), Key{}, kHold};
      const auto ask = [&] {
        return one.ledger.reserve(*thread, request, one.now, [](std::uint64_t) { return true; });
      };
      const StockAnswer answer = ask();
      wrong += answer.result != ReserveResult::kReserved && answer.result != ReserveResult::kItemClosed;
      one.ledger.close_item(*thread, number, one.now);
      wrong += ask().result != ReserveResult::kItemClosed;
      if (answer.result == ReserveResult::kReserved) one.ledger.cancel(*thread, answer.reservation, one.now);
    }
  });
  CHECK(wrong == 0);
  CHECK(added == kItems);
  CHECK(one.audited());
}

}  // namespace

TEST_SUITE_END();
