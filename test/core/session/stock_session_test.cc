// One thread's session of a stock ledger, and the requests that callers write to staging for it.
#include "session/stock_session.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "core/stock/ledger_audit.h"
#include "ledger.h"
#include "session/stock_calls.h"

TEST_SUITE_BEGIN("stock session");

namespace {

using namespace sluice;
using sluice::test::kHold;
using sluice::test::sku;
using sluice::test::TestLedger;
using Line = StockRequest::Line;

constexpr LedgerShape kShape{8, 64, 64, 64, 0};

// A ledger with one session, and the staging buffer of its caller.
struct Staged {
  Staged()
      : ledger(kShape),
        manual(1'000'000),
        session(StockLedger(ledger.memory, kShape, Clock(&manual)), slot()),
        calls(session) {
    calls.stage(Words(memory));
  }
  ThreadSlot* slot() { return ledger.ledger.thread_slots().acquire(); }

  void put(std::size_t at, std::uint64_t value) { Words(memory).put(at, value); }
  std::uint64_t get(std::size_t at) { return Words(memory).get<std::uint64_t>(at); }
  void line(std::size_t i, std::uint64_t number, std::uint64_t quantity) {
    const std::size_t at = StockStaging::kLines + i * StockStaging::kLineBytes;
    put(at, 1);
    put(at + 8, number);
    put(at + StockStaging::kLineQuantity, quantity);
  }
  std::uint64_t reserved(std::uint32_t lines) {
    REQUIRE(calls.reserve(lines) == static_cast<std::int32_t>(ReserveResult::kReserved));
    return get(StockStaging::kReservation);
  }

  TestLedger ledger;
  ManualClock manual;
  StockSession session;
  std::array<std::byte, StockStaging::kBytes> memory{};
  StockCalls calls;
};

TEST_CASE("an item is sold for a time from its addition or change on, or until a time") {
  Staged staged;
  const auto reserves = [&] {
    staged.line(0, 7, 1);
    return static_cast<ReserveResult>(staged.calls.reserve(1)) == ReserveResult::kReserved;
  };
  staged.line(0, 7, 0);
  staged.put(StockStaging::kQuantity, 10);
  staged.put(StockStaging::kShards, 1);
  staged.put(StockStaging::kSellNs, 10);
  REQUIRE(staged.calls.add_item() == static_cast<std::int32_t>(ItemTable<>::Added::kAdded));
  staged.manual.advance(9);
  CHECK(reserves());
  staged.manual.advance(1);
  CHECK_FALSE(reserves());
  staged.put(StockStaging::kSellNs, 5);
  CHECK(staged.calls.change_item(kChangePerUser) == static_cast<std::int32_t>(LevelSet::kDone));
  CHECK_FALSE(reserves());
  CHECK(staged.calls.change_item(kChangeSellFor) == static_cast<std::int32_t>(LevelSet::kDone));
  staged.manual.advance(4);
  CHECK(reserves());
  staged.manual.advance(1);
  CHECK_FALSE(reserves());
  // A change that is refused as a whole does not change the time.
  staged.put(StockStaging::kSellNs, 0);
  staged.put(StockStaging::kBackorder, kQuantityMax);
  CHECK(staged.calls.change_item(kChangeSellFor | kChangeBackorder) ==
        static_cast<std::int32_t>(LevelSet::kTooMany));
  CHECK_FALSE(reserves());
  staged.put(StockStaging::kSellNs, 1 + staged.manual.now() + 3);
  CHECK(staged.calls.sell_until() == 1);
  staged.manual.advance(2);
  CHECK(reserves());
  staged.manual.advance(1);
  CHECK_FALSE(reserves());
  staged.put(StockStaging::kSellNs, 0);
  CHECK(staged.calls.sell_until() == 1);
  CHECK(reserves());
  staged.line(0, 99, 0);
  CHECK(staged.calls.sell_until() == kUnknownSku);
}

TEST_CASE("a cart is reserved, resolved in parts and given back by spans of lines") {
  Staged staged;
  REQUIRE(staged.ledger.add(1, 10) == ItemTable<>::Added::kAdded);
  REQUIRE(staged.ledger.add(2, 10) == ItemTable<>::Added::kAdded);
  const Line cart[] = {{sku(1), 3}, {sku(2), 4}};
  const StockRequest request{cart, 2, LedgerUser{}, Key{}, kHold};
  const std::uint64_t id = staged.session.reserve(request).answer.reservation;
  CHECK(staged.ledger.holds(1, 7, 3, 0));
  const Line part[] = {{sku(2), 1}};
  CHECK(staged.session.confirm_part(id, {part, 1, 0}, Rest::kHold).result == ResolveResult::kDone);
  CHECK(staged.ledger.holds(2, 6, 3, 1));
  CHECK(staged.session.cancel_part(id, {part, 1, 0}).result == ResolveResult::kDone);
  CHECK(staged.session.confirm(id) == ResolveResult::kDone);
  CHECK(staged.ledger.holds(2, 7, 0, 3));
  CHECK(staged.session.give_back(id, {part, 1, 0}).result == ResolveResult::kDone);
  CHECK(staged.ledger.holds(2, 8, 0, 2));
  staged.session.end();
  CHECK(staged.ledger.audited());
}

TEST_CASE("the request in staging is reserved, and the answer is written there") {
  Staged staged;
  REQUIRE(staged.ledger.add(1, 10) == ItemTable<>::Added::kAdded);
  REQUIRE(staged.ledger.add(2, 1) == ItemTable<>::Added::kAdded);
  staged.line(0, 1, 2);
  staged.line(1, 2, 2);
  CHECK(staged.calls.reserve(2) == static_cast<std::int32_t>(ReserveResult::kSoldOut));
  CHECK(staged.get(StockStaging::kLine) == 1);
  staged.put(StockStaging::kId, 1);
  staged.put(StockStaging::kId + 8, 77);
  staged.put(StockStaging::kHoldNs, 500);
  const std::uint64_t id = staged.reserved(1);
  staged.manual.advance(100);
  staged.put(StockStaging::kHoldNs, 500);
  CHECK(staged.calls.reserve(1) == static_cast<std::int32_t>(ReserveResult::kDuplicate));
  CHECK(staged.get(StockStaging::kReservation) == id);
  CHECK(staged.get(StockStaging::kHoldNs) == 400);
  CHECK(staged.get(StockStaging::kLine) == static_cast<std::uint64_t>(Phase::kHeld));
  CHECK(staged.calls.reservation_of_id() == id);
  CHECK(staged.calls.confirm() == static_cast<std::int32_t>(ResolveResult::kDone));
  CHECK(staged.calls.cancel() == static_cast<std::int32_t>(ResolveResult::kAlreadyConfirmed));
  staged.session.end();
}

TEST_CASE("quantities, counts and items out of range are refused, and nothing is changed") {
  Staged staged;
  REQUIRE(staged.ledger.add(1, 10) == ItemTable<>::Added::kAdded);
  for (const std::uint64_t quantity :
       {std::uint64_t{0}, std::uint64_t{kQuantityMax} + 1, ~std::uint64_t{0}}) {
    staged.line(0, 1, quantity);
    CHECK(staged.calls.reserve(1) == kBadArgument);
    staged.line(0, 1, 1);
    staged.line(1, 1, quantity);
    CHECK(staged.calls.reserve(2) == kBadArgument);
  }
  CHECK(staged.calls.reserve(0) == kBadArgument);
  staged.line(0, 1, 4);
  staged.line(1, 1, 0);
  const std::uint64_t id = staged.reserved(1);
  staged.line(0, 1, 0);
  staged.put(StockStaging::kReservation, id);
  CHECK(staged.calls.confirm_part(1, 0) == kBadArgument);
  CHECK(staged.calls.cancel_part(1) == kBadArgument);
  CHECK(staged.calls.give_back(1) == kBadArgument);
  CHECK(staged.calls.cancel_part(StockRequest::kLinesMax + 1) == kBadArgument);
  CHECK(staged.calls.cancel_part(~0U) == kBadArgument);
  staged.put(StockStaging::kQuantity, 0);
  CHECK(staged.calls.change(0) == kBadArgument);
  CHECK(staged.calls.give_back_of() == kBadArgument);
  staged.line(0, 9, 1);
  CHECK(staged.calls.restock() == kUnknownSku);
  CHECK(staged.calls.withdraw() == kUnknownSku);
  CHECK(staged.calls.set_total(0) == kUnknownSku);
  CHECK(staged.calls.change_item(0) == kUnknownSku);
  CHECK(staged.calls.give_back_of() == kUnknownSku);
  CHECK(staged.calls.add_item() == kBadArgument);  // without a shard
  staged.put(StockStaging::kShards, 1);
  staged.put(StockStaging::kQuantity, kQuantityMax);
  staged.put(StockStaging::kBackorder, 1);
  CHECK(staged.calls.add_item() == kBadArgument);
  CHECK(staged.ledger.holds(1, 6, 4, 0));
  staged.session.end();
}

TEST_CASE("a request in a buffer that is shorter than its layout is refused, and nothing is changed") {
  Staged staged;
  REQUIRE(staged.ledger.add(1, 10) == ItemTable<>::Added::kAdded);
  staged.line(0, 1, 4);
  const auto before = staged.memory;
  staged.calls.stage(Words(std::span<std::byte>(staged.memory).first(StockStaging::kBytes - 1)));
  CHECK(staged.calls.reserve(1) == kBadArgument);
  CHECK(staged.memory == before);
  CHECK(staged.ledger.holds(1, 10, 0, 0));
  staged.calls.stage(Words(staged.memory));
  staged.reserved(1);
  staged.session.end();
}

TEST_CASE("a text that exceeds the buffer is read up to the end of the buffer") {
  Staged staged;
  const std::size_t at = StockStaging::kBytes - 3;
  std::memcpy(staged.memory.data() + at, "abc", 3);
  staged.put(StockStaging::kUser, 1 + 100);
  staged.put(StockStaging::kUser + 8, at);
  CHECK(StagedKey(Words(staged.memory), StockStaging::kUser).text() == "abc");
  for (const std::uint64_t outside : {std::uint64_t{StockStaging::kBytes}, ~std::uint64_t{0}}) {
    staged.put(StockStaging::kUser + 8, outside);
    CHECK(StagedKey(Words(staged.memory), StockStaging::kUser).text().empty());
  }
  staged.session.end();
}

TEST_CASE("sweeps expire due holds, and stop at the number of slots given") {
  Staged staged;
  REQUIRE(staged.ledger.add(1, 64) == ItemTable<>::Added::kAdded);
  staged.line(0, 1, 1);
  staged.put(StockStaging::kHoldNs, 10);
  for (int i = 0; i < 20; ++i) {
    staged.put(StockStaging::kHoldNs, 10);
    staged.reserved(1);
  }
  CHECK(staged.calls.sweep(1'000) == 0);
  CHECK(staged.ledger.holds(1, 44, 20, 0));
  staged.manual.advance(10);
  CHECK(staged.calls.sweep(2) == 1);
  CHECK_FALSE(staged.ledger.holds(1, 64, 0, 0));
  const std::int32_t rest = staged.calls.expire();
  CHECK(rest > 0);
  CHECK(staged.ledger.holds(1, 64, 0, 0));
  CHECK(staged.calls.sweep(1'000) == 0);
  staged.session.end();
}

TEST_CASE("a list shows each reservation that passes the filter, once, in several pieces") {
  Staged staged;
  REQUIRE(staged.ledger.add(1, 64) == ItemTable<>::Added::kAdded);
  REQUIRE(staged.ledger.add(2, 64) == ItemTable<>::Added::kAdded);
  std::set<std::uint64_t> held, of_two;
  for (std::uint64_t i = 0; i < 40; ++i) {
    staged.line(0, 1 + i % 2, 1);
    staged.put(StockStaging::kHoldNs, kHold);
    const std::uint64_t id = staged.reserved(1);
    if (i % 4 == 3) {
      REQUIRE(staged.session.confirm(id) == ResolveResult::kDone);
      continue;
    }
    held.insert(id);
    if (i % 2 == 1) of_two.insert(id);
  }
  const auto list = [&](std::uint32_t item) {
    ReservationRecord record;
    std::set<std::uint64_t> found;
    const StockSession::Filter filter{1U << static_cast<std::uint32_t>(Phase::kHeld), Key{}, item};
    for (std::uint32_t slot = 0; slot != staged.session.ledger().slots();) {
      slot = staged.session.list(slot, filter, record, [&](const ReservationRecord& one, std::uint64_t) {
        CHECK(found.insert(one.id).second);
      });
    }
    return found;
  };
  CHECK((list(kNoItem) == held));
  CHECK((list(staged.ledger.item(2)) == of_two));
  ReservationRecord record;
  CHECK(staged.session.list(~0U, {~0U, Key{}, kNoItem}, record, [](const ReservationRecord&, std::uint64_t) {
    FAIL("shown from beyond the table");
  }) == staged.session.ledger().slots());
  staged.session.end();
}

}  // namespace

TEST_SUITE_END();
