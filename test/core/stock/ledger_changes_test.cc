// Changes of the quantities of held reservations.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/stock/reservation_record.h"
#include "ledger.h"
#include "stress.h"

TEST_SUITE_BEGIN("ledger changes");

namespace {

using namespace sluice;
using namespace sluice::test;

constexpr LedgerShape kShape{16, 16, 8, 64, 64};

bool refused(const ResolveAnswer& answer, ReserveResult reason, std::uint32_t line = 0) {
  return answer.result == ResolveResult::kRefused && answer.refusal == reason && answer.line == line;
}
bool done(const ResolveAnswer& answer) { return answer.result == ResolveResult::kDone; }

std::uint32_t lines_of(TestLedger& one, std::uint64_t id) {
  const auto record = std::make_unique<ReservationRecord>();
  REQUIRE(RecordReader(one.ledger.memory()).read(id, *record));
  return record->count;
}

TEST_CASE("a held quantity goes up and down, with its user's count, and is confirmed as one") {
  for (const std::uint32_t shards : {1u, 3u}) {
    TestLedger one(kShape);
    one.add(1, 9, 8, shards);
    const std::uint64_t id = one.reserve(1, 2, 7, 5).reservation;
    const std::uint64_t until = one.ledger.held_until(id);
    one.now += 10;
    CHECK(done(one.change(id, 7)));
    CHECK(one.holds(1, 2, 7, 0));
    CHECK(one.audited());
    CHECK(one.reserve(1, 2, 7).result == ReserveResult::kUserLimit);
    CHECK(done(one.change(id, 3)));
    CHECK(one.holds(1, 6, 3, 0));
    CHECK(one.reserve(1, 6, 7).result == ReserveResult::kUserLimit);
    CHECK(done(one.change(id, {{sku(1), 3}})));
    CHECK(one.holds(1, 6, 3, 0));
    CHECK(one.audited());
    CHECK(one.ledger.held_until(id) == until);
    CHECK(one.sum(StockLedger::kChanged) == 3);
    // A request with this id is still compared with the first one, not with the changed quantity.
    const StockAnswer again = one.reserve(1, 2, 7, 5);
    CHECK((again.result == ReserveResult::kDuplicate && again.reservation == id));
    CHECK(one.reserve(1, 3, 7, 5).result == ReserveResult::kIdMismatch);
    SUBCASE("confirmed") {
      CHECK(one.confirm(id) == ResolveResult::kDone);
      CHECK(one.holds(1, 6, 0, 3));
      CHECK(one.change(id, 4).result == ResolveResult::kAlreadyConfirmed);
      CHECK(one.give_back(id) == ResolveResult::kDone);
    }
    SUBCASE("cancelled") {
      CHECK(one.cancel(id) == ResolveResult::kDone);
      CHECK(one.change(id, 4).result == ResolveResult::kAlreadyCancelled);
    }
    SUBCASE("expired") {
      one.now = until;
      CHECK(one.change(id, 4).result == ResolveResult::kExpired);
    }
    CHECK(one.change(id + (1ULL << 32), 4).result == ResolveResult::kUnknown);
    CHECK(one.holds(1, 9, 0, 0));
    CHECK(one.reserve(1, 8, 7).result == ReserveResult::kReserved);
    CHECK(one.audited());
  }
}

TEST_CASE("a cart's lines change together, or not at all, for each reason that reserve has") {
  TestLedger one({16, 6, 4, 64, 64});
  REQUIRE(one.ledger.groups().add("g", 5) == GroupTable::Added::kAdded);
  one.add(1, 10);
  one.add(2, 10, 4);
  one.add(3, 10, 0, 1, 1);
  one.add(4, 10, 0, 2, 1);
  const std::uint64_t id = one.reserve({{sku(1), 1}, {sku(2), 2}, {sku(3), 2}, {sku(4), 2}}, 7).reservation;
  const std::uint64_t from = one.ledger.movements().end();
  const auto unchanged = [&] {
    return one.holds(1, 9, 1, 0) && one.holds(2, 8, 2, 0) && one.holds(3, 8, 2, 0) && one.holds(4, 8, 2, 0) &&
           one.audited() && lines_of(one, id) == 4 && one.ledger.movements().end() == from &&
           one.sum(StockLedger::kChanged) == 0;
  };
  const StockRequest::Line up{sku(1), 4}, down{sku(4), 1};
  CHECK(refused(one.change(id, {up, down, {sku(2), 5}}), ReserveResult::kUserLimit, 2));
  CHECK(unchanged());
  CHECK(refused(one.change(id, {up, {sku(3), 4}}), ReserveResult::kUserLimit, 1));
  CHECK(unchanged());
  CHECK(refused(one.change(id, {{sku(2), 3}, {sku(1), 11}}), ReserveResult::kSoldOut, 1));
  CHECK(unchanged());
  // Each line whose quantity grows takes a slot at first, and only two slots are free.
  CHECK(refused(one.change(id, {up, {sku(2), 3}, {sku(3), 3}}), ReserveResult::kLedgerFull, 2));
  CHECK(unchanged());
  const StockAnswer bad = one.reserve({{sku(9), 1}});
  CHECK(bad.result == ReserveResult::kUnknownSku);
  const ResolveAnswer strange = one.change(id, {up, {sku(9), 1}});
  CHECK((strange.result == ResolveResult::kBadLine && strange.line == 1));
  CHECK(one.change(id, 2).result == ResolveResult::kBadQuantity);
  CHECK(one.change(id, {{sku(1), 0}, {sku(2), 0}, {sku(3), 0}, {sku(4), 0}}).result ==
        ResolveResult::kNothingLeft);
  CHECK(unchanged());
  one.ledger.close_item(*one.thread, one.item(2), one.now);
  CHECK(refused(one.change(id, {up, {sku(2), 3}}), ReserveResult::kItemClosed, 1));
  one.ledger.reopen_item(*one.thread, one.item(2), one.now);
  CHECK((one.holds(1, 9, 1, 0) && one.holds(2, 8, 2, 0) && one.audited()));

  CHECK(done(one.change(id, {{sku(2), 4}, down, {sku(1), 0}})));
  CHECK((one.holds(1, 10, 0, 0) && one.holds(2, 6, 4, 0) && one.holds(3, 8, 2, 0) && one.holds(4, 9, 1, 0)));
  CHECK(done(one.change(id, {{sku(1), 3}, {sku(3), 4}})));
  CHECK((one.holds(1, 7, 3, 0) && one.holds(3, 6, 4, 0)));
  CHECK(one.audited());
  CHECK(one.confirm(id) == ResolveResult::kDone);
  CHECK((one.holds(1, 7, 0, 3) && one.holds(2, 6, 0, 4) && one.holds(3, 6, 0, 4) && one.holds(4, 9, 0, 1)));
  CHECK(one.give_back(id) == ResolveResult::kDone);
  CHECK(one.audited());
}

TEST_CASE("movements show each change") {
  TestLedger one(kShape);
  one.add(1, 9);
  const std::uint64_t id = one.reserve(1, 2, 7).reservation;
  const std::uint64_t from = one.ledger.movements().end();
  one.now += 3;
  CHECK(done(one.change(id, 6)));
  CHECK(done(one.change(id, 6)));
  CHECK(done(one.change(id, 1)));
  Movement up{}, down{};
  REQUIRE(one.ledger.movements().end() == from + 2);
  REQUIRE(one.ledger.movements().read(from, up) == MovementLog<>::Read::kRead);
  REQUIRE(one.ledger.movements().read(from + 1, down) == MovementLog<>::Read::kRead);
  CHECK((up.kind == MovementKind::kReserved && up.quantity == 4 && up.reservation == id));
  CHECK((up.user.key == number_key(7) && up.item == 0 && up.when_ns == one.now));
  CHECK((down.kind == MovementKind::kCancelled && down.quantity == 5 && down.reservation == id));
  CHECK((down.user.key == number_key(7) && down.when_ns == one.now));
}

TEST_CASE("however often it changes, a reservation has one line for each shard and way of counting") {
  TestLedger one({16, 64, 8, 64, 64});
  one.add(1, 40, 0, 4);
  const std::uint64_t id = one.reserve(1, 1, 7).reservation;
  one.ledger.limit_users(one.item(1), 30);
  for (std::uint64_t i = 0; i < 200; ++i) {
    const std::uint64_t units = 1 + i * 7 % 30;
    CHECK(done(one.change(id, units)));
    CHECK(one.holds(1, 40 - units, units, 0));
  }
  CHECK(lines_of(one, id) <= 8);
  CHECK(one.audited());
  CHECK(refused(one.change(id, 40), ReserveResult::kUserLimit));
  CHECK(one.cancel(id) == ResolveResult::kDone);
  CHECK(one.holds(1, 40, 0, 0));
  CHECK(one.ledger.memory().reservations.free_slots() == 64);
  CHECK(one.audited());
}

TEST_CASE("a confirmed part stays while the held rest changes; a line can come back from nothing") {
  TestLedger one({16, 16, 1, 64, 64});
  one.add(1, 9, 6);
  one.add(2, 9);
  UserTable<>& users = one.ledger.memory().users;
  const std::uint64_t id = one.reserve({{sku(1), 2}, {sku(2), 1}}, 7).reservation;
  CHECK(one.confirm(id, {{sku(1), 2}}, Rest::kHold).result == ResolveResult::kDone);
  CHECK(refused(one.change(id, {{sku(1), 5}}), ReserveResult::kUserLimit));
  // The user returns all bought units, so the only entry of the user table is free. User 8 takes it meanwhile.
  CHECK(one.give_back(id) == ResolveResult::kDone);
  const std::uint64_t other = one.reserve(1, 1, 8).reservation;
  CHECK(refused(one.change(id, {{sku(1), 5}}), ReserveResult::kUsersFull));
  CHECK(one.cancel(other) == ResolveResult::kDone);
  // As if the table had given user 7 another entry than before.
  ReservationTable& table = one.ledger.memory().reservations;
  std::atomic<std::uint32_t>& entry = table[table.slot_of(id)].user_entry;
  entry = (entry + 1) % users.size();
  CHECK(done(one.change(id, {{sku(1), 5}})));
  CHECK(entry == users.entry_of({one.ledger.secret(), number_key(7)}, one.item(1)));
  CHECK((one.holds(1, 4, 5, 0) && one.holds(2, 8, 1, 0)));
  CHECK(lines_of(one, id) == 2);
  CHECK(one.audited());
  CHECK(one.confirm(id) == ResolveResult::kDone);
  CHECK(one.give_back(id) == ResolveResult::kDone);
  CHECK((one.holds(1, 9, 0, 0) && one.holds(2, 9, 0, 0)));
  CHECK(one.audited());
}

TEST_CASE("bought and held units of an item fit into their words, also after returns by the user") {
  constexpr std::uint64_t kMost = kQuantityMax;
  TestLedger one(kShape);
  one.add(1, kMost);
  const std::uint64_t id = one.reserve(1, kMost).reservation;
  CHECK(one.confirm(id, kMost - 1, Rest::kHold) == ResolveResult::kDone);
  CHECK(one.give_back_of(0, 1, kMost - 1) == ResolveResult::kDone);
  CHECK(one.change(id, 2).result == ResolveResult::kBadQuantity);
  CHECK(one.holds(1, kMost - 1, 1, 0));
  CHECK(done(one.change(id, 1)));
  CHECK(one.confirm(id) == ResolveResult::kDone);
  CHECK(one.audited());
}

TEST_CASE("holds that are over do not keep a change from more units") {
  TestLedger one({16, 4, 2, 64, 64});
  one.add(1, 6, 4);
  const std::uint64_t id = one.reserve(1, 1, 7, 0, 5 * kHold).reservation;
  one.reserve(1, 3, 7);
  one.reserve(1, 2, 8);
  CHECK(refused(one.change(id, 2), ReserveResult::kSoldOut));
  one.now += kHold;
  CHECK(done(one.change(id, 4)));
  CHECK(one.holds(1, 2, 4, 0));
  CHECK(one.audited());
}

TEST_CASE("a reservation without a user gets no more units of an item that has a limit by now") {
  TestLedger one(kShape);
  one.add(1, 9);
  const std::uint64_t id = one.reserve(1, 2).reservation;
  one.ledger.limit_users(one.item(1), 5);
  CHECK(refused(one.change(id, 3), ReserveResult::kNeedsUser));
  CHECK(done(one.change(id, 1)));
  CHECK(one.holds(1, 8, 1, 0));
  CHECK(one.audited());
}

TEST_CASE("a restored ledger has the changed quantities") {
  TestLedger one(kShape);
  one.add(1, 20, 15, 2);
  one.add(2, 20);
  const std::uint64_t id = one.reserve({{sku(1), 1}, {sku(2), 3}}, 7, 5).reservation;
  CHECK(done(one.change(id, {{sku(1), 14}, {sku(2), 0}})));
  TestLedger copy(kShape);
  REQUIRE(copy.restores(one));
  for (TestLedger* each : {&one, &copy}) {
    CHECK(each->reserve({{sku(1), 1}, {sku(2), 3}}, 7, 5).result == ReserveResult::kDuplicate);
    CHECK(refused(each->change(id, {{sku(1), 16}}), ReserveResult::kUserLimit));
    CHECK(done(each->change(id, {{sku(1), 15}, {sku(2), 1}})));
    CHECK(each->confirm(id) == ResolveResult::kDone);
    CHECK((each->holds(1, 5, 0, 15) && each->holds(2, 19, 0, 1)));
    CHECK(each->audited());
  }
}

TEST_CASE(
    "threads change, confirm in parts and whole, cancel and expire: every unit is counted where it is") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kThreads = 4;
  constexpr std::uint64_t kLimit = 12;
  const std::uint64_t rounds = repetitions(6'000);
  TestLedger one({8, 24, 64, 64, 256});
  one.add(1, 1'000'000, kLimit, 2);
  one.add(2, 1'000'000);
  std::atomic<std::uint64_t> current[2] = {}, sold[3] = {}, strange{0}, audits_failed{0}, changed{0};
  const std::uint64_t start = one.now;
  std::atomic<std::uint64_t> clock{start};
  in_threads(kThreads, [&](unsigned index) {
    ThreadSlot* thread = one.ledger.thread_slots().acquire();
    Random random(index);
    const auto record = std::make_unique<ReservationRecord>();
    for (std::uint64_t i = 0; i < rounds; ++i) {
      const std::uint64_t now = clock.fetch_add(random.below(40)), which = random.below(2);
      const std::uint64_t id = current[which];
      const std::uint64_t number = random.between(1, 2), units = random.between(1, 2);
      const StockRequest::Line wish{sku(number), units};
      switch (random.below(8)) {
        case 0: {
          const StockRequest::Line wishes[] = {{sku(1), 2}, {sku(2), 2}};
          const StockRequest request{wishes, 2, LedgerUser::number(which), Key{}, kHold};
          const StockAnswer answer =
              one.ledger.reserve(*thread, request, now, [](std::uint64_t) { return true; });
          if (answer.result == ReserveResult::kReserved) current[which] = answer.reservation;
          strange += answer.result != ReserveResult::kReserved &&
                     answer.result != ReserveResult::kUserLimit &&
                     answer.result != ReserveResult::kLedgerFull;
          break;
        }
        case 1:
          if (one.ledger.confirm_part(*thread, id, now, {&wish, 1, 0}, Rest::kHold).result ==
              ResolveResult::kDone) {
            sold[number] += units;
          }
          // The units are returned, so that the limit allows more reservations.
          if (one.ledger.give_back(*thread, one.item(number), units, LedgerUser::number(which), now) ==
              ResolveResult::kDone) {
            sold[number] -= units;
          }
          break;
        case 2:
          one.ledger.cancel_part(*thread, id, now, {&wish, 1, 0});
          break;
        case 3:
          if (random.once_in(4)) one.ledger.cancel(*thread, id, now);
          break;
        case 4:
          if (random.once_in(8)) one.ledger.expire_due(*thread, now);
          if (random.once_in(8)) audits_failed += !one.audited();
          if (RecordReader(one.ledger.memory()).read(id, *record)) {
            std::uint64_t held[3] = {};
            for (std::uint32_t n = 0; n < record->count; ++n) {
              held[record->lines[n].item + 1] += record->lines[n].quantity;
            }
            strange += held[1] > kLimit || held[2] > 20 || record->count > 5 ||
                       record->user.key != number_key(which);
          }
          break;
        default: {
          const StockRequest::Line wishes[] = {{sku(1), random.below(kLimit + 2)},
                                               {sku(2), random.below(21)}};
          const ResolveAnswer answer = one.ledger.change(*thread, id, now, {wishes, 2, 0});
          changed += answer.result == ResolveResult::kDone;
          strange +=
              answer.result == ResolveResult::kBadLine || answer.result == ResolveResult::kBadQuantity ||
              (answer.result == ResolveResult::kRefused && answer.refusal != ReserveResult::kUserLimit &&
               answer.refusal != ReserveResult::kLedgerFull);
          break;
        }
      }
    }
  });
  CHECK(strange == 0);
  CHECK(audits_failed == 0);
  CHECK(changed > 0);
  CHECK(changed == one.sum(StockLedger::kChanged));
  one.now = clock + 2 * kHold;
  one.expire();
  for (const std::uint64_t which : {1, 2}) {
    CHECK(one.holds(which, 1'000'000 - sold[which], 0, sold[which]));
  }
  CHECK(one.ledger.memory().reservations.free_slots() == one.ledger.slots());
  CHECK(one.sum(StockLedger::kReserved) ==
        one.sum(StockLedger::kConfirmed) + one.sum(StockLedger::kCancelled) + one.sum(StockLedger::kExpired));
  CHECK(one.audited());
}

}  // namespace

TEST_SUITE_END();
