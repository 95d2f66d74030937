// Holds that are over are found by the timer, by threads that reserve, and for requests that would otherwise be
// refused.
#include <doctest/doctest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "ledger.h"
#include "stress.h"

TEST_SUITE_BEGIN("ledger expiry");

namespace {

using namespace sluice;
using namespace sluice::test;

constexpr LedgerShape kShape{8, 64, 64, 64, 0};

TEST_CASE(
    "no request is refused as sold-out or user-limit because of a hold that is over, and no id remembers "
    "it") {
  for (const std::uint32_t shards : {1u, 3u}) {
    TestLedger one(kShape);
    one.add(1, 3, 3, shards);
    CHECK(one.ask(1, 3, 7).result == ReserveResult::kReserved);
    one.now += kHold - 1;
    CHECK(one.ask(1, 1, 8, 5).result == ReserveResult::kSoldOut);
    CHECK(one.ask(1, 1, 8, 5).result == ReserveResult::kAlreadyFailed);
    one.now += 1;
    CHECK(one.ask(1, 1, 8, 6).result == ReserveResult::kReserved);
    CHECK(one.holds(1, 2, 1, 0));
    // User 7 had all units, and may have units again.
    CHECK(one.ask(1, 2, 7, 7).result == ReserveResult::kReserved);
    one.ledger.restock(*one.thread, one.item(1), 9, one.now);
    CHECK(one.ask(1, 2, 7, 8).result == ReserveResult::kUserLimit);
    one.now += kHold;
    CHECK(one.ask(1, 3, 7, 9).result == ReserveResult::kReserved);
    CHECK(one.sum(StockLedger::kExpired) == 3);
    CHECK(one.audited());
  }
}

TEST_CASE("a cart is not refused because of a hold that is over, whichever line it concerns") {
  TestLedger one(kShape);
  for (std::uint64_t i = 1; i <= 3; ++i) one.add(i, 1);
  for (std::uint64_t i = 1; i <= 3; ++i) one.ask(i, 1);
  one.now += kHold;
  CHECK(one.ask({{sku(1), 1}, {sku(2), 1}, {sku(3), 1}}, 0, 5).result == ReserveResult::kReserved);
  CHECK(one.ask({{sku(1), 1}, {sku(2), 1}, {sku(3), 1}}, 0, 6).result == ReserveResult::kSoldOut);
  one.now += kHold;
  CHECK(one.ask({{sku(2), 1}, {sku(3), 1}, {sku(1), 1}}, 0, 7).result == ReserveResult::kReserved);
  CHECK(one.audited());
}

TEST_CASE("a table that is full of holds that are over refuses no request") {
  SUBCASE("of reservations") {
    TestLedger one({8, 2, 64, 64, 0});
    one.add(1, 9);
    one.ask(1, 1);
    one.ask(1, 1);
    CHECK(one.ask(1, 1).result == ReserveResult::kLedgerFull);
    one.now += kHold;
    CHECK(one.ask(1, 1).result == ReserveResult::kReserved);
    one.ask(1, 1);
    one.now += kHold;
    CHECK(one.ask({{sku(1), 1}}, 0, 5).result == ReserveResult::kReserved);
    CHECK(one.audited());
  }
  SUBCASE("of users") {
    TestLedger one({8, 64, 1, 64, 0});
    one.add(1, 9, 1);
    one.ask(1, 1, 7);
    CHECK(one.ask(1, 1, 8, 5).result == ReserveResult::kUsersFull);
    one.now += kHold;
    CHECK(one.ask(1, 1, 8, 5).result == ReserveResult::kReserved);
    CHECK(one.audited());
  }
  SUBCASE("of ids") {
    TestLedger one({8, 64, 64, 1, 0});
    one.add(1, 99);
    std::uint64_t id = 1;
    while (one.ask(1, 1, 0, id).result == ReserveResult::kReserved) ++id;
    CHECK(one.ask(1, 1, 0, id).result == ReserveResult::kIdsFull);
    one.now += kHold;
    CHECK(one.ask(1, 1, 0, id).result == ReserveResult::kReserved);
    CHECK(one.sum(StockLedger::kExpired) == 1);
    CHECK(one.audited());
  }
}

TEST_CASE("a look costs no more than its bound, and no id remembers a refusal after an unfinished look") {
  constexpr std::uint32_t kHolds = 2'000;
  TestLedger one({8, 1U << 12, 4, 64, 0});
  one.add(1, kHolds);
  one.add(2, 1);
  for (std::uint32_t i = 0; i < kHolds; ++i) one.ask(1, 1);
  one.ask(2, 1);
  one.now += kHold;
  std::uint64_t before = 0;
  int refusals = 0;
  while (one.ask(2, 1, 0, 5).result == ReserveResult::kSoldOut) {
    const std::uint64_t expired = one.sum(StockLedger::kExpired);
    CHECK(expired - before > 100);
    CHECK(expired - before <= 512);
    before = expired;
    ++refusals;
  }
  CHECK(refusals > 2);
  CHECK(one.ask(2, 1, 0, 5).result == ReserveResult::kDuplicate);
  CHECK(one.audited());
}

TEST_CASE("an expired cart takes as much of a look's budget as its lines") {
  TestLedger one({64, 1U << 13, 4, 64, 0});
  std::vector<StockRequest::Line> lines;
  for (std::uint64_t i = 1; i <= 64; ++i) {
    one.add(i, 50);
    lines.push_back({sku(i), 1});
  }
  for (int i = 0; i < 50; ++i) CHECK(one.reserve(lines).result == ReserveResult::kReserved);
  one.now += kHold;
  CHECK(one.ask(64, 20).result == ReserveResult::kSoldOut);
  CHECK(one.sum(StockLedger::kExpired) > 4);
  CHECK(one.sum(StockLedger::kExpired) <= 8);
  CHECK(one.audited());
}

TEST_CASE("a refusal expires no hold if the item has none, nor before any is over") {
  TestLedger one(kShape);
  one.add(1, 0);
  one.add(2, 5);
  one.ask(2, 5);
  const std::vector<std::byte> before(one.memory.get() + sizeof(LedgerControl) + sizeof(ThreadSlots),
                                      one.memory.get() + StockLedger::bytes(kShape));
  CHECK(one.ask(2, 1).result == ReserveResult::kSoldOut);
  one.now += kHold;
  CHECK(one.ask(1, 1).result == ReserveResult::kSoldOut);
  const std::vector<std::byte> after(one.memory.get() + sizeof(LedgerControl) + sizeof(ThreadSlots),
                                     one.memory.get() + StockLedger::bytes(kShape));
  CHECK(before == after);
  CHECK(one.expire() == 1);
}

TEST_CASE(
    "in a ledger that passers sweep, threads that reserve expire due holds, a bounded number at a time") {
  for (const Sweeping sweeping : {Sweeping::kByPassers, Sweeping::kAsked}) {
    TestLedger one({4, 4'096, 4, 4, 0}, sweeping);
    one.add(1, 1'000'000);
    for (int i = 0; i < 2'048; ++i) one.reserve(1, 1);
    one.now += kHold - 1;
    for (int i = 0; i < 64; ++i) one.reserve(1, 1);
    CHECK(one.sum(StockLedger::kExpired) == 0);  // never early
    one.now += 1;
    for (int i = 0; i < 128; ++i) one.reserve(1, 1);
    const std::uint64_t expired = one.sum(StockLedger::kExpired);
    if (sweeping == Sweeping::kByPassers) CHECK((expired >= 256 && expired <= 1'024));
    if (sweeping == Sweeping::kAsked) CHECK(expired == 0);
    CHECK(one.audited());
  }
}

TEST_CASE("however reservations end, exactly the due holds are found") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  TestLedger one({8, 3'000, 64, 64, 0});
  one.add(1, 1'000'000);
  std::multiset<std::uint64_t> deadlines;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> held;
  const auto forget = [&](std::uint64_t deadline) { deadlines.erase(deadlines.find(deadline)); };
  for (std::uint64_t i = 0; i < repetitions(40'000); ++i) {
    const std::uint64_t hold = random.between(1, 3'000);
    const StockAnswer answer = one.reserve(1, 1, 0, 0, hold);
    REQUIRE(answer.result == ReserveResult::kReserved);
    deadlines.insert(one.now + hold);
    held.emplace_back(answer.reservation, one.now + hold);
    auto& other = held[random.below(held.size())];
    if (random.once_in(3) && one.confirm(other.first) == ResolveResult::kDone) {
      forget(other.second);
    } else if (random.once_in(5) && one.ledger.extend(*one.thread, other.first, one.now, one.now + 5'000) ==
                                        ResolveResult::kDone) {
      forget(other.second);
      deadlines.insert(other.second = std::max(other.second, one.now + 5'000));
    }
    one.now += random.below(3);
    if (!random.once_in(20)) continue;
    const auto end = deadlines.upper_bound(one.now);
    const auto due = static_cast<std::uint32_t>(std::distance(deadlines.begin(), end));
    // Fewer than `due` holds expire here if a call above has found a due hold, which then expired at once.
    CHECK(one.expire() <= due);
    deadlines.erase(deadlines.begin(), end);
    CHECK_FALSE(one.ledger.due(one.now));
    REQUIRE(one.holds(1, 1'000'000 - deadlines.size() - one.sum(StockLedger::kConfirmed), deadlines.size(),
                      one.sum(StockLedger::kConfirmed)));
    REQUIRE(one.audited());
    std::erase_if(held, [&](const auto& each) { return each.second <= one.now; });
    if (held.empty()) held.emplace_back(0, 0);
  }
}

TEST_CASE("when all holds are over, as many requests as units get one each, and no id is refused for good") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kThreads = 4;
  TestLedger one({8, 64, 64, 1U << 16, 0});
  one.add(1, kThreads);
  std::atomic<std::uint64_t> ready{0}, failed{0};
  const std::uint64_t rounds = repetitions(20'000);
  in_threads(kThreads, [&](unsigned index) {
    ThreadSlot* thread = one.ledger.thread_slots().acquire();
    const StockRequest::Line unit{sku(1), 1};
    for (std::uint64_t round = 1; round <= rounds; ++round) {
      ready.fetch_add(1);
      while (ready.load() < round * kThreads) std::this_thread::yield();
      // At this time the holds of the previous round are over.
      const ManualClock manual(round * 10);
      const Clock clock(&manual);
      CallTime time(clock);
      const StockRequest request{&unit, 1, {}, number_key(round * kThreads + index), 10};
      StockAnswer answer;
      do {
        answer = one.ledger.peek(request);
        if (answer.provisional) answer = one.ledger.peek_past_due(*thread, request, time);
        answer = answer.result != ReserveResult::kReserved
                     ? one.ledger.refuse(*thread, request, answer)
                     : one.ledger.reserve(*thread, request, time.now(), [](std::uint64_t) { return true; });
        failed += answer.result == ReserveResult::kAlreadyFailed;
      } while (answer.result != ReserveResult::kReserved && answer.result != ReserveResult::kAlreadyFailed);
    }
  });
  CHECK(failed == 0);
  CHECK(one.audited());
  one.now = rounds * 10 + 10;
  one.expire();
  CHECK(one.holds(1, kThreads, 0, 0));
}

}  // namespace

TEST_SUITE_END();
