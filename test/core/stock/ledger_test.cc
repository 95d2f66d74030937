#include "ledger.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <set>
#include <vector>

TEST_SUITE_BEGIN("ledger");

namespace {

using namespace sluice;
using namespace sluice::test;

constexpr LedgerShape kShape{16, 8, 8, 64, 0};

TEST_CASE("a cart takes all of its lines under one reservation, or none") {
  TestLedger one(kShape);
  one.add(1, 10);
  one.add(2, 5, 3);
  one.add(3, 1);
  const StockAnswer cart = one.reserve({{sku(1), 4}, {sku(2), 2}, {sku(3), 1}}, 7);
  REQUIRE(cart.result == ReserveResult::kReserved);
  CHECK((one.holds(1, 6, 4, 0) && one.holds(2, 3, 2, 0) && one.holds(3, 0, 1, 0)));
  CHECK(one.audited());

  SUBCASE("and is refused as a whole if one of its lines is, which the answer names") {
    const StockAnswer sold_out = one.reserve({{sku(1), 1}, {sku(2), 1}, {sku(3), 1}}, 7);
    CHECK(sold_out.result == ReserveResult::kSoldOut);
    CHECK(sold_out.line == 2);
    const StockAnswer limit = one.reserve({{sku(1), 1}, {sku(2), 2}}, 7);
    CHECK(limit.result == ReserveResult::kUserLimit);
    CHECK(limit.line == 1);
    CHECK(one.reserve({{sku(1), 1}, {sku(9), 1}}, 7).result == ReserveResult::kUnknownSku);
    CHECK(one.reserve({{sku(2), 1}, {sku(2), 1}}, 0).result == ReserveResult::kNeedsUser);
    CHECK((one.holds(1, 6, 4, 0) && one.holds(2, 3, 2, 0) && one.holds(3, 0, 1, 0)));
  }
  SUBCASE("is confirmed as a whole") {
    CHECK(one.confirm(cart.reservation, 1) == ResolveResult::kBadQuantity);
    CHECK((one.holds(1, 6, 4, 0) && one.holds(2, 3, 2, 0)));
    CHECK(one.confirm(cart.reservation) == ResolveResult::kDone);
    CHECK((one.holds(1, 6, 0, 4) && one.holds(2, 3, 0, 2) && one.holds(3, 0, 0, 1)));
    CHECK(one.confirm(cart.reservation) == ResolveResult::kAlreadyConfirmed);
    CHECK(one.cancel(cart.reservation) == ResolveResult::kAlreadyConfirmed);
  }
  SUBCASE("is cancelled as a whole, users' counts too") {
    CHECK(one.cancel(cart.reservation) == ResolveResult::kDone);
    CHECK((one.holds(1, 10, 0, 0) && one.holds(2, 5, 0, 0) && one.holds(3, 1, 0, 0)));
    CHECK(one.cancel(cart.reservation) == ResolveResult::kAlreadyCancelled);
    CHECK(one.reserve(2, 3, 7).result == ReserveResult::kReserved);
  }
  SUBCASE("expires as a whole") {
    one.now += kHold;
    CHECK(one.expire() == 1);
    CHECK((one.holds(1, 10, 0, 0) && one.holds(2, 5, 0, 0) && one.holds(3, 1, 0, 0)));
    CHECK(one.cancel(cart.reservation) == ResolveResult::kExpired);
  }
  CHECK(one.audited());
}

TEST_CASE("a cart that finds too few slots gives back the slots that it took") {
  TestLedger one({16, 8, 9, 64, 0});
  for (std::uint64_t i = 1; i <= 9; ++i) one.add(i, 1, 1);
  std::vector<StockRequest::Line> all;
  for (std::uint64_t i = 1; i <= 9; ++i) all.push_back({sku(i), 1});
  for (int i = 0; i < 3; ++i) CHECK(one.reserve(all, 7).result == ReserveResult::kLedgerFull);
  for (std::uint64_t i = 1; i <= 9; ++i) CHECK(one.holds(i, 1, 0, 0));
  CHECK(one.audited());
  all.pop_back();
  CHECK(one.reserve(all, 7).result == ReserveResult::kReserved);
  CHECK(one.audited());
}

TEST_CASE("a part is confirmed and the rest is on sale again, also with units from several shards") {
  for (const std::uint32_t shards : {1u, 3u}) {
    TestLedger one(kShape);
    one.add(1, 9, 9, shards);
    const std::uint64_t all = one.reserve(1, 8, 7).reservation;
    REQUIRE(all != 0);
    CHECK(one.confirm(all, 9) == ResolveResult::kBadQuantity);
    CHECK(one.holds(1, 1, 8, 0));
    CHECK(one.confirm(all, 5) == ResolveResult::kDone);
    CHECK(one.holds(1, 4, 0, 5));
    CHECK(one.confirm(all, 5) == ResolveResult::kAlreadyConfirmed);
    CHECK(one.confirm(all, 9) == ResolveResult::kAlreadyConfirmed);
    CHECK(one.reserve(1, 5, 7).result == ReserveResult::kSoldOut);
    CHECK(one.reserve(1, 4, 7).result == ReserveResult::kReserved);
    CHECK(one.audited());
    const std::uint64_t exactly = one.reserve(1, 1, 8).reservation;
    CHECK(exactly == 0);
  }
}

TEST_CASE("extending moves the deadline later, never earlier, and fails once the reservation has ended") {
  TestLedger one(kShape);
  one.add(1, 10);
  const std::uint64_t id = one.reserve(1, 2).reservation;
  one.now += kHold - 1;
  CHECK(one.ledger.extend(*one.thread, id, one.now, one.now + 10) == ResolveResult::kDone);
  CHECK(one.ledger.extend(*one.thread, id, one.now, one.now + 5) == ResolveResult::kDone);
  one.now += 9;
  CHECK(one.expire() == 0);
  one.now += 1;
  CHECK(one.ledger.extend(*one.thread, id, one.now, one.now + 100) == ResolveResult::kExpired);
  CHECK(one.holds(1, 10, 0, 0));
  CHECK(one.ledger.extend(*one.thread, id, one.now, one.now + 100) == ResolveResult::kExpired);
  const std::uint64_t other = one.reserve(1, 2).reservation;
  one.confirm(other);
  CHECK(one.ledger.extend(*one.thread, other, one.now, one.now + 100) == ResolveResult::kAlreadyConfirmed);
  CHECK(one.sum(StockLedger::kExtended) == 2);
  CHECK(one.audited());
}

TEST_CASE("a reservation whose last step fails leaves nothing, and its id can be tried again") {
  TestLedger one(kShape);
  one.add(1, 10, 10);
  std::uint64_t seen = 0;
  const StockAnswer refused = one.reserve_and({{sku(1), 3}}, 7, 5, kHold, [&](std::uint64_t id) {
    seen = id;
    CHECK(one.holds(1, 7, 3, 0));
    return false;
  });
  CHECK(refused.result == ReserveResult::kNotPublished);
  CHECK(one.holds(1, 10, 0, 0));
  CHECK(one.confirm(seen) == ResolveResult::kAlreadyCancelled);
  CHECK(one.audited());
  CHECK(one.reserve(1, 3, 7, 5).result == ReserveResult::kReserved);
}

TEST_CASE("units that expired during the last step of a reservation are not given back twice when it fails") {
  TestLedger one(kShape);
  one.add(1, 10, 10);
  one.reserve(1, 5, 8);  // so that the total is not exceeded if 3 units are given back twice
  const StockAnswer refused = one.reserve_and({{sku(1), 3}}, 7, 0, 1, [&](std::uint64_t id) {
    // A sweep by another thread, after the hold of 1 ns.
    CHECK(one.ledger.expire_due(*one.thread, one.now + 1) == 1);
    CHECK(one.ledger.cancel(*one.thread, id, one.now + 1) == ResolveResult::kExpired);
    return false;
  });
  CHECK(refused.result == ReserveResult::kNotPublished);
  CHECK(one.holds(1, 5, 5, 0));
  CHECK(one.audited());
}

TEST_CASE(
    "a thread stays inside its reservation for all of the last step, also after other operations in it") {
  TestLedger one(kShape);
  one.add(1, 10);
  const std::uint64_t dropped = one.reserve(1, 1).reservation;
  one.reserve_and({{sku(1), 1}}, 0, 0, kHold, [&](std::uint64_t) {
    CHECK(one.cancel(dropped) == ResolveResult::kDone);
    CHECK(one.thread->inside == 1);
    return true;
  });
  CHECK(one.thread->inside == 0);
  CHECK(one.audited());
}

TEST_CASE("every id is new, and past ids are unknown, however often a slot is used") {
  TestLedger one({4, 1, 4, 4, 0});
  one.add(1, 1, 1);
  std::set<std::uint64_t> past;
  for (int use = 0; use < 150; ++use) {
    const std::uint64_t id = one.reserve(1, 1, 7).reservation;
    REQUIRE(id != 0);
    CHECK(past.insert(id).second);
    for (const std::uint64_t old : past) {
      if (old == id) continue;
      REQUIRE(one.confirm(old) == ResolveResult::kUnknown);
      REQUIRE(one.cancel(old) == ResolveResult::kUnknown);
      REQUIRE(one.ledger.extend(*one.thread, old, one.now, one.now + 1) == ResolveResult::kUnknown);
    }
    REQUIRE(one.cancel(id) == ResolveResult::kDone);
  }
  CHECK(one.audited());
}

TEST_CASE("a generation that wraps around skips 0, and still differs from the one before") {
  TestLedger one({4, 1, 4, 4, 0});
  one.add(1, 1);
  ReservationTable& table = one.ledger.memory().reservations;
  table[0].state = 0xffff'fffe'0000'0000ULL | static_cast<std::uint64_t>(Phase::kCancelled);
  const std::uint64_t last = one.reserve(1, 1).reservation;
  CHECK((last >> 32) == 0xffff'ffff);
  one.cancel(last);
  const std::uint64_t first = one.reserve(1, 1).reservation;
  CHECK((first >> 32) == 1);
  CHECK(one.confirm(last) == ResolveResult::kUnknown);
  CHECK(one.confirm(first) == ResolveResult::kDone);
  CHECK(one.audited());
}

TEST_CASE("a thread that saw a deadline before an extension cannot expire the reservation by it") {
  TestLedger one(kShape);
  one.add(1, 1);
  const std::uint64_t id = one.reserve(1, 1).reservation;
  ReservationTable& table = one.ledger.memory().reservations;
  const std::uint64_t seen = table.state(id);
  one.ledger.extend(*one.thread, id, one.now, one.now + 2 * kHold);
  CHECK_FALSE(table.resolve(table.slot_of(id), seen, Phase::kExpired));
  CHECK_FALSE(table.extend(table.slot_of(id), seen, one.now));
  one.confirm(id);
  CHECK_FALSE(table.resolve(table.slot_of(id), table.state(id), Phase::kCancelled));
  CHECK(one.audited());
}

TEST_CASE("a state does not repeat for many millions of changes") {
  TestLedger one(kShape);
  one.add(1, 1);
  const std::uint64_t id = one.reserve(1, 1).reservation;
  ReservationTable& table = one.ledger.memory().reservations;
  const std::uint32_t slot = table.slot_of(id);
  const std::uint64_t seen = table.state(id);
  const auto change = [&](std::uint64_t state) {
    if (!table.begin_change(slot, state)) return false;
    table.end_change(slot, state, Phase::kHeld);
    return true;
  };
  std::uint64_t changes = 0;
  while (changes < 1U << 24 && change(table.state(id))) ++changes;
  REQUIRE(changes == 1U << 24);
  CHECK_FALSE(table.resolve(slot, seen, Phase::kExpired));
  // The last version of the state. After it the versions begin again at 0, and the reservation is still the same.
  const std::uint64_t last = seen | 0xffff'fff8;
  table[slot].state = last;
  REQUIRE(change(last));
  CHECK(table.state(id) == (seen & ~std::uint64_t{0xffff'fff8}));
  CHECK(one.confirm(id) == ResolveResult::kDone);
  CHECK(one.audited());
}

TEST_CASE("a reservation's standing shows what is left of its hold, and how it ended") {
  TestLedger one({8, 2, 4, 4, 0});
  one.add(1, 9);
  const auto standing = [&one](std::uint64_t id) { return one.ledger.standing(id, one.now); };
  const std::uint64_t id = one.reserve(1, 1).reservation;
  CHECK(standing(id).phase == Phase::kHeld);
  CHECK(standing(id).left_ns == kHold);
  one.ledger.extend(*one.thread, id, one.now, one.now + 3 * kHold);
  one.now += 3 * kHold - 1;
  CHECK(standing(id).left_ns == 1);
  ++one.now;
  CHECK(standing(id).phase == Phase::kExpired);
  CHECK(standing(id).left_ns == 0);
  const std::uint64_t second = one.reserve(1, 1).reservation;
  one.confirm(second);
  CHECK(standing(second).phase == Phase::kConfirmed);
  CHECK(standing(second).left_ns == 0);
  one.expire();
  CHECK(standing(id).phase == Phase::kExpired);
  one.reserve(1, 1);
  one.reserve(1, 1);
  CHECK(standing(id).phase == Phase::kFree);
  CHECK(standing(0).phase == Phase::kFree);
}

TEST_CASE("a refused id stays refused, whatever is given back; full tables do not refuse an id for good") {
  TestLedger one({8, 2, 1, 64, 0});
  one.add(1, 1);
  one.add(2, 9, 1);
  const std::uint64_t last = one.reserve(1, 1).reservation;
  CHECK(one.reserve(1, 1, 0, 5).result == ReserveResult::kSoldOut);
  CHECK(one.reserve(1, 1, 0, 5).result == ReserveResult::kAlreadyFailed);
  one.cancel(last);
  CHECK(one.reserve(1, 1, 0, 5).result == ReserveResult::kAlreadyFailed);
  CHECK(one.reserve(1, 2, 0, 5).result == ReserveResult::kIdMismatch);
  CHECK(one.reserve(2, 1, 7, 6).result == ReserveResult::kReserved);
  CHECK(one.reserve(2, 1, 8, 7).result == ReserveResult::kUsersFull);
  CHECK(one.reserve(1, 1, 0, 8).result == ReserveResult::kReserved);
  CHECK(one.reserve(2, 1, 8, 7).result == ReserveResult::kUsersFull);
  one.ledger.restock(*one.thread, one.item(1), 1, one.now);
  CHECK(one.reserve(1, 1, 0, 9).result == ReserveResult::kLedgerFull);
  CHECK(one.reserve(1, 1, 0, 9).result == ReserveResult::kLedgerFull);
  one.ledger.close_item(*one.thread, one.item(1), one.now);
  CHECK(one.reserve(1, 1, 0, 9).result == ReserveResult::kItemClosed);
  CHECK(one.reserve(1, 1, 0, 9).result == ReserveResult::kAlreadyFailed);
  CHECK(one.audited());
}

TEST_CASE("a request that repeats an id may name the lines of its cart in another order") {
  TestLedger one(kShape);
  one.add(1, 9);
  one.add(2, 9);
  const std::uint64_t first = one.reserve({{sku(1), 1}, {sku(2), 2}}, 7, 5).reservation;
  const StockAnswer again = one.reserve({{sku(2), 2}, {sku(1), 1}}, 7, 5);
  CHECK(again.result == ReserveResult::kDuplicate);
  CHECK(again.reservation == first);
  CHECK(one.reserve({{sku(2), 1}, {sku(1), 2}}, 7, 5).result == ReserveResult::kIdMismatch);
  CHECK(one.reserve({{sku(1), 1}, {sku(2), 2}}, 8, 5).result == ReserveResult::kIdMismatch);
  CHECK(one.reserve({{sku(1), 1}}, 7, 5).result == ReserveResult::kIdMismatch);
}

TEST_CASE("peek returns the refusal that reserve would give, and changes nothing") {
  TestLedger one(kShape);
  one.add(1, 2, 2, 2);
  CHECK(one.peek(1, 2, 7).result == ReserveResult::kReserved);
  CHECK(one.peek(1, 3, 7).result == ReserveResult::kSoldOut);
  CHECK(one.peek(1, 1).result == ReserveResult::kNeedsUser);
  CHECK(one.peek(2, 1).result == ReserveResult::kUnknownSku);
  one.reserve(1, 1, 7);
  CHECK(one.peek(1, 1, 7).result == ReserveResult::kReserved);
  one.ledger.restock(*one.thread, one.item(1), 5, one.now);
  CHECK(one.peek(1, 2, 7).result == ReserveResult::kUserLimit);
  one.ledger.close_item(*one.thread, one.item(1), one.now);
  CHECK(one.peek(1, 1, 7).result == ReserveResult::kItemClosed);
  CHECK(one.holds(1, 6, 1, 0));
}

}  // namespace

TEST_SUITE_END();
