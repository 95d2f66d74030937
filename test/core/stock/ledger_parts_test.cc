// Parts of reservations that are confirmed, cancelled and returned.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/stock/reservation_record.h"
#include "ledger.h"
#include "stress.h"

TEST_SUITE_BEGIN("ledger parts");

namespace {

using namespace sluice;
using namespace sluice::test;

constexpr LedgerShape kShape{16, 16, 8, 64, 64};

std::vector<MovementKind> kinds_since(TestLedger& one, std::uint64_t position) {
  std::vector<MovementKind> kinds;
  Movement movement;
  while (one.ledger.movements().read(position, movement) == MovementLog<>::Read::kRead) {
    kinds.push_back(movement.kind);
    ++position;
  }
  return kinds;
}

TEST_CASE("a shipment in two parts: the rest stays held until it is confirmed too") {
  for (const std::uint32_t shards : {1u, 3u}) {
    TestLedger one(kShape);
    one.add(1, 9, 9, shards);
    const std::uint64_t id = one.reserve(1, 8, 7).reservation;
    const std::uint64_t from = one.ledger.movements().end();
    CHECK(one.confirm(id, 5, Rest::kHold) == ResolveResult::kDone);
    CHECK(one.holds(1, 1, 3, 5));
    CHECK(one.audited());
    CHECK(one.confirm(id, 4, Rest::kHold) == ResolveResult::kBadQuantity);
    CHECK(one.reserve(1, 1, 7).result == ReserveResult::kReserved);
    CHECK(one.confirm(id, 2, Rest::kHold) == ResolveResult::kDone);
    CHECK(one.holds(1, 0, 2, 7));
    CHECK(one.confirm(id, 1, Rest::kHold) == ResolveResult::kDone);
    CHECK(one.holds(1, 0, 1, 8));
    CHECK(one.confirm(id, 1, Rest::kHold) == ResolveResult::kAlreadyConfirmed);
    CHECK(one.confirm(id) == ResolveResult::kAlreadyConfirmed);
    CHECK(one.sum(StockLedger::kConfirmed) == 1);
    CHECK(one.sum(StockLedger::kParted) == 2);
    if (shards == 1) {
      using enum MovementKind;
      CHECK(kinds_since(one, from) == std::vector{kConfirmed, kReserved, kConfirmed, kConfirmed});
    }
    CHECK(one.audited());
  }
}

TEST_CASE("lines of a cart are confirmed and cancelled by item, up to the units that are held") {
  TestLedger one(kShape);
  one.add(1, 10, 10);
  one.add(2, 5, 3);
  one.add(3, 2);
  const std::uint64_t id = one.reserve({{sku(1), 4}, {sku(2), 2}, {sku(3), 1}}, 7).reservation;
  CHECK(one.confirm(id, 1, Rest::kHold) == ResolveResult::kBadQuantity);
  CHECK(one.cancel(id, 1) == ResolveResult::kBadQuantity);
  const ResolveAnswer strange = one.confirm(id, {{sku(1), 1}, {sku(9), 1}}, Rest::kHold);
  CHECK((strange.result == ResolveResult::kBadLine && strange.line == 1));
  const ResolveAnswer more = one.cancel(id, {{sku(1), 4}, {sku(2), 2}, {sku(3), 2}});
  CHECK((more.result == ResolveResult::kBadQuantity && more.line == 2));
  CHECK((one.holds(1, 6, 4, 0) && one.holds(2, 3, 2, 0) && one.holds(3, 1, 1, 0)));

  CHECK(one.confirm(id, {{sku(2), 1}, {sku(1), 1}}, Rest::kHold).result == ResolveResult::kDone);
  CHECK(one.cancel(id, {{sku(1), 1}, {sku(3), 1}}).result == ResolveResult::kDone);
  CHECK((one.holds(1, 7, 2, 1) && one.holds(2, 3, 1, 1) && one.holds(3, 2, 0, 0)));
  CHECK(one.audited());
  CHECK(one.reserve(2, 2, 7).result == ReserveResult::kUserLimit);
  CHECK(one.reserve(2, 1, 7).result == ReserveResult::kReserved);

  SUBCASE("a part confirmed puts the rest back on sale unless it is to be held") {
    CHECK(one.confirm(id, {{sku(1), 1}}, Rest::kRelease).result == ResolveResult::kDone);
    CHECK((one.holds(1, 8, 0, 2) && one.holds(2, 3, 1, 1) && one.holds(3, 2, 0, 0)));
    CHECK(one.cancel(id) == ResolveResult::kAlreadyConfirmed);
  }
  SUBCASE("a confirmation of the whole confirms the rest") {
    CHECK(one.confirm(id) == ResolveResult::kDone);
    CHECK((one.holds(1, 7, 0, 3) && one.holds(2, 2, 1, 2) && one.holds(3, 2, 0, 0)));
  }
  SUBCASE("the rest expires, and the bought part stays bought") {
    one.now += kHold;
    CHECK(one.confirm(id, {{sku(1), 1}}, Rest::kHold).result == ResolveResult::kExpired);
    CHECK((one.holds(1, 9, 0, 1) && one.holds(2, 3, 1, 1)));
  }
  SUBCASE("the reservation ends when its last part is cancelled") {
    CHECK(one.cancel(id, {{sku(1), 2}}).result == ResolveResult::kDone);
    CHECK(one.cancel(id, {{sku(2), 1}}).result == ResolveResult::kDone);
    CHECK(one.cancel(id, {{sku(2), 1}}).result == ResolveResult::kAlreadyCancelled);
    CHECK((one.holds(1, 9, 0, 1) && one.holds(2, 3, 1, 1)));
  }
  CHECK(one.audited());
}

TEST_CASE("bought units go back on sale and out of the user's count, no unit twice") {
  for (const std::uint32_t shards : {1u, 3u}) {
    TestLedger one(kShape);
    one.add(1, 9, 4, shards);
    one.add(2, 9);
    const std::uint64_t id = one.reserve({{sku(1), 4}, {sku(2), 3}}, 7).reservation;
    CHECK(one.give_back(id) == ResolveResult::kNotBought);
    CHECK(one.confirm(id, {{sku(1), 1}, {sku(2), 1}}, Rest::kHold).result == ResolveResult::kDone);
    // Units can be returned also while the rest of the reservation is held.
    CHECK(one.give_back(id, {{sku(1), 2}}).result == ResolveResult::kBadQuantity);
    CHECK(one.give_back(id, {{sku(1), 1}}).result == ResolveResult::kDone);
    CHECK(one.give_back(id, {{sku(1), 1}}).result == ResolveResult::kBadQuantity);
    CHECK((one.holds(1, 6, 3, 0) && one.holds(2, 6, 2, 1)));
    CHECK(one.confirm(id) == ResolveResult::kDone);
    CHECK((one.holds(1, 6, 0, 3) && one.holds(2, 6, 0, 3)));
    CHECK(one.reserve(1, 2, 7).result == ReserveResult::kUserLimit);
    const ResolveAnswer more = one.give_back(id, {{sku(2), 3}, {sku(1), 4}});
    CHECK((more.result == ResolveResult::kBadQuantity && more.line == 1));
    CHECK(one.give_back(id, {{sku(8), 1}}).result == ResolveResult::kBadLine);
    CHECK(one.give_back(id, 1) == ResolveResult::kBadQuantity);
    const std::uint64_t from = one.ledger.movements().end();
    CHECK(one.give_back(id, {{sku(2), 3}, {sku(1), 2}}).result == ResolveResult::kDone);
    if (shards == 1) {
      CHECK(kinds_since(one, from) == std::vector{MovementKind::kReversed, MovementKind::kReversed});
    }
    CHECK((one.holds(1, 8, 0, 1) && one.holds(2, 9, 0, 0)));
    CHECK(one.audited());
    CHECK(one.reserve(1, 3, 7).result == ReserveResult::kReserved);
    CHECK(one.give_back(id) == ResolveResult::kDone);
    CHECK(one.give_back(id) == ResolveResult::kAlreadyReturned);
    CHECK(one.holds(1, 6, 3, 0));
    CHECK(one.sum(StockLedger::kReturned) == 3);
    CHECK(one.audited());
  }
}

TEST_CASE("units returned by user cannot be returned by reservation, and the other way round") {
  TestLedger one(kShape);
  one.add(1, 9, 6);
  one.add(2, 9);
  const std::uint64_t first = one.reserve({{sku(1), 2}, {sku(2), 1}}, 7).reservation;
  const std::uint64_t second = one.reserve(1, 3, 7).reservation;
  CHECK(one.give_back_of(7, 1, 1) == ResolveResult::kNotBought);
  one.confirm(first);
  const std::uint64_t other = one.reserve(1, 1, 8).reservation;
  one.confirm(other);
  CHECK(one.give_back_of(7, 1, 3) == ResolveResult::kNotBought);  // one of the three belongs to another user
  CHECK(one.give_back_of(0, 1, 1) == ResolveResult::kNeedsUser);
  CHECK(one.give_back_of(9, 1, 1) == ResolveResult::kNotBought);
  CHECK(one.give_back_of(7, 1, 1) == ResolveResult::kDone);
  CHECK(one.holds(1, 4, 3, 2));
  CHECK(one.give_back(first) ==
        ResolveResult::kAlreadyReturned);  // all or nothing: one of its two units is returned
  CHECK((one.holds(1, 4, 3, 2) && one.holds(2, 8, 0, 1)));
  CHECK(one.audited());
  CHECK(one.give_back(first, {{sku(1), 1}, {sku(2), 1}}).result == ResolveResult::kDone);
  CHECK(one.give_back_of(7, 1, 1) == ResolveResult::kNotBought);
  CHECK(one.cancel(second) == ResolveResult::kDone);
  CHECK(one.audited());
  // An item without a limit keeps no count per user, so its units are returned without a user.
  CHECK(one.give_back_of(0, 2, 1) == ResolveResult::kNotBought);
  const std::uint64_t third = one.reserve(2, 2).reservation;
  one.confirm(third);
  CHECK(one.give_back_of(0, 2, 2) == ResolveResult::kDone);
  CHECK(one.give_back(third) == ResolveResult::kAlreadyReturned);
  CHECK(one.holds(2, 9, 0, 0));
  CHECK(one.audited());
}

TEST_CASE("units bought before an item counted its users are returned without a user") {
  TestLedger one(kShape);
  one.add(1, 9);
  const std::uint64_t before = one.reserve(1, 3, 7).reservation;
  const std::uint64_t held = one.reserve(1, 1, 7).reservation;
  one.confirm(before);
  one.ledger.limit_users(one.item(1), 2);
  const std::uint64_t after = one.reserve(1, 2, 7).reservation;
  CHECK(one.confirm(after) == ResolveResult::kDone);
  CHECK(one.give_back_of(7, 1, 3) == ResolveResult::kNotBought);
  CHECK(one.give_back_of(0, 1, 4) == ResolveResult::kNeedsUser);
  CHECK(one.give_back_of(0, 1, 1) == ResolveResult::kDone);
  CHECK(one.audited());
  CHECK(one.give_back(before) == ResolveResult::kAlreadyReturned);
  CHECK(one.give_back(before, 2) == ResolveResult::kDone);
  CHECK(one.audited());
  CHECK(one.reserve(1, 1, 7).result == ReserveResult::kUserLimit);
  CHECK(one.confirm(held) == ResolveResult::kDone);
  CHECK(one.give_back(held) == ResolveResult::kDone);
  CHECK(one.reserve(1, 1, 7).result == ReserveResult::kUserLimit);
  CHECK(one.give_back(after, 1) == ResolveResult::kDone);
  CHECK(one.reserve(1, 1, 7).result == ReserveResult::kReserved);
  CHECK(one.holds(1, 7, 1, 1));
  CHECK(one.audited());
}

TEST_CASE("a reservation can be returned until one of its slots is used again, then it is unknown") {
  TestLedger one({4, 3, 4, 4, 0});
  one.add(1, 9, 9);
  one.add(2, 9);
  const std::uint64_t cart = one.reserve({{sku(1), 1}, {sku(2), 1}}, 7).reservation;
  one.confirm(cart);
  const auto use_again = [&] { CHECK(one.cancel(one.reserve(2, 1).reservation) == ResolveResult::kDone); };
  use_again();  // takes the third slot
  CHECK(one.give_back(cart, {{sku(2), 1}}).result == ResolveResult::kDone);
  use_again();  // takes the cart's first slot
  CHECK(one.give_back(cart) == ResolveResult::kUnknown);
  CHECK(one.confirm(cart) == ResolveResult::kUnknown);
  CHECK(one.give_back_of(7, 1, 1) == ResolveResult::kDone);
  // The slot may also be used again by the second line of another cart.
  const std::uint64_t single = one.reserve(1, 1, 7).reservation;
  one.confirm(single);
  const std::uint64_t held = one.reserve(2, 1).reservation;
  const std::uint64_t over = one.reserve({{sku(2), 1}, {sku(1), 1}}, 7).reservation;
  REQUIRE((held != 0 && over != 0));
  CHECK(one.give_back(single) == ResolveResult::kUnknown);
  CHECK(one.confirm(single) == ResolveResult::kUnknown);
  CHECK(one.audited());
}

TEST_CASE("a line whose slot is used again is not returned, though the first slot is intact") {
  TestLedger one({4, 3, 4, 4, 0});
  one.add(1, 9);
  one.add(2, 9);
  const std::uint64_t cart = one.reserve({{sku(1), 1}, {sku(2), 1}}).reservation;
  one.confirm(cart);
  ReservationTable& table = one.ledger.memory().reservations;
  table.free_slot(table.take_slot());  // the third slot goes behind the cart's slots in the free list
  // A thread has taken the cart's first slot, and has lost the processor before it used the slot.
  const std::uint32_t first = table.take_slot();
  REQUIRE(first == table.slot_of(cart));
  const std::uint64_t other = one.reserve(2, 5).reservation;
  one.confirm(other);
  CHECK(one.give_back(cart) == ResolveResult::kUnknown);
  CHECK((one.holds(1, 8, 0, 1) && one.holds(2, 3, 0, 6)));
  // Now the two lines of another cart use the two slots of the first cart, which is still unknown.
  table.free_slot(first);
  table.free_slot(table.take_slot());
  const std::uint64_t carts = one.reserve({{sku(1), 1}, {sku(2), 1}}).reservation;
  REQUIRE(carts != 0);
  one.confirm(carts);
  CHECK(one.give_back(cart) == ResolveResult::kUnknown);
  CHECK(one.audited());
}

TEST_CASE("a restored ledger has the same parts held and bought, and takes the same returns") {
  TestLedger one(kShape);
  one.add(1, 20, 9);
  one.add(2, 20);
  const std::uint64_t half = one.reserve({{sku(1), 3}, {sku(2), 3}}, 7, 5).reservation;
  CHECK(one.confirm(half, {{sku(1), 3}, {sku(2), 1}}, Rest::kHold).result == ResolveResult::kDone);
  const std::uint64_t done = one.reserve({{sku(1), 2}, {sku(2), 2}}, 7).reservation;
  one.confirm(done);
  const std::uint64_t gone = one.reserve(1, 2, 8).reservation;
  one.confirm(gone);
  CHECK(one.give_back(gone) == ResolveResult::kDone);

  TestLedger copy(kShape);
  REQUIRE(copy.restores(one));
  for (TestLedger* each : {&one, &copy}) {
    CHECK(each->give_back(gone) == ResolveResult::kAlreadyReturned);
    CHECK(each->give_back(done, {{sku(1), 1}, {sku(2), 2}}).result == ResolveResult::kDone);
    CHECK(each->give_back_of(7, 1, 5) == ResolveResult::kNotBought);
    CHECK(each->give_back(half, {{sku(1), 4}}).result == ResolveResult::kBadQuantity);
    CHECK(each->give_back(half, {{sku(1), 1}}).result == ResolveResult::kDone);
    CHECK(each->confirm(half) == ResolveResult::kDone);
    CHECK(each->give_back(half) == ResolveResult::kDone);
    CHECK(each->give_back_of(7, 1, 1) == ResolveResult::kDone);
    CHECK((each->holds(1, 20, 0, 0) && each->holds(2, 20, 0, 0)));
    CHECK(each->audited());
  }
}

}  // namespace

TEST_SUITE_END();
