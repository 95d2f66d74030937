#include "core/stock/id_table.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "ledger.h"
#include "stress.h"

TEST_SUITE_BEGIN("id table");

namespace {

using namespace sluice;
using namespace sluice::test;

// A ledger with one home and one spill bucket. It has units of item 1 and none of item 2.
struct OneHome : TestLedger {
  OneHome() : TestLedger({4, 1'024, 8, 1, 0}) {
    add(1, 1'000);
    add(2, 0);
  }
  ReserveResult take(std::uint64_t id) {
    const StockAnswer answer = reserve(1, 1, 0, id);
    if (answer.result == ReserveResult::kReserved) reservations.push_back(answer.reservation);
    return answer.result;
  }
  // Asks as StockSession::reserve() does: a refusal by peek() goes to refuse().
  ReserveResult fail(std::uint64_t id) {
    const StockRequest::Line wish{sku(2), 1};
    const StockRequest request{&wish, 1, {}, number_key(id), kHold};
    return ledger.refuse(*thread, request, ledger.peek(request)).result;
  }
  std::vector<std::uint64_t> reservations;
};

TEST_CASE("an id whose bucket stays locked is answered as busy after a bounded wait, and decided later") {
  TestLedger one({4, 8, 8, 1, 0});
  one.add(1, 10);
  {
    const IdTable::Visit visit(one.ledger.memory().ids, {kSecret, number_key(5)});
    REQUIRE(visit.locked());
    CHECK(one.reserve(1, 1, 0, 5).result == ReserveResult::kIdBusy);
    CHECK(one.holds(1, 10, 0, 0));
  }
  CHECK(one.reserve(1, 1, 0, 5).result == ReserveResult::kReserved);
}

TEST_CASE("an id whose spill bucket stays locked is answered as busy too") {
  OneHome one;
  for (std::uint64_t id = 1; id <= 18; ++id) REQUIRE(one.take(id) == ReserveResult::kReserved);
  IdTable::Bucket& spill = (&one.ledger.memory().ids.home({kSecret, number_key(1)}))[1];
  spill.locked = 1;
  CHECK(one.take(1) == ReserveResult::kDuplicate);
  CHECK(one.take(18) == ReserveResult::kIdBusy);
  CHECK(one.take(19) == ReserveResult::kIdBusy);
  CHECK(one.holds(1, 982, 18, 0));
  spill.locked = 0;
  CHECK(one.take(18) == ReserveResult::kDuplicate);
  CHECK(one.take(19) == ReserveResult::kReserved);
}

TEST_CASE(
    "an admitted id is forgotten for the 17th newer one of its home at the earliest, the oldest first") {
  OneHome one;
  for (std::uint64_t id = 1; id <= 16; ++id) {
    REQUIRE(one.take(id) == ReserveResult::kReserved);
    one.confirm(one.reservations.back());
  }
  for (std::uint64_t id = 1; id <= 16; ++id) CHECK(one.take(id) == ReserveResult::kDuplicate);
  for (std::uint64_t id = 17; id <= 20; ++id) {
    CHECK(one.take(id) == ReserveResult::kReserved);
    one.cancel(one.reservations.back());
  }
  for (std::uint64_t id = 5; id <= 20; ++id) CHECK(one.take(id) == ReserveResult::kDuplicate);
  for (std::uint64_t id = 1; id <= 4; ++id) CHECK(one.take(id) == ReserveResult::kReserved);
}

TEST_CASE("a held id is never forgotten; a resolved id is forgotten before the home spills over") {
  OneHome one;
  for (std::uint64_t id = 1; id <= 17; ++id) REQUIRE(one.take(id) == ReserveResult::kReserved);
  one.cancel(one.reservations[4]);
  one.cancel(one.reservations[2]);
  for (std::uint64_t id = 1; id <= 17; ++id) CHECK(one.take(id) == ReserveResult::kDuplicate);
  CHECK(one.take(18) == ReserveResult::kReserved);  // takes the place of id 3
  CHECK(one.take(5) == ReserveResult::kDuplicate);
  CHECK(one.take(19) == ReserveResult::kReserved);  // takes the place of id 5
  CHECK(one.take(3) == ReserveResult::kReserved);   // in a spill bucket
  for (std::uint64_t id = 1; id <= 19; ++id) {
    if (id != 5) CHECK(one.take(id) == ReserveResult::kDuplicate);
  }
  CHECK(one.holds(1, 982, 18, 0));
}

TEST_CASE("a full home spills over until its spill bucket is full too, and only then refuses an id") {
  OneHome one;
  for (std::uint64_t id = 1; id <= 34; ++id) REQUIRE(one.take(id) == ReserveResult::kReserved);
  CHECK(one.take(35) == ReserveResult::kIdsFull);
  CHECK(one.fail(35) == ReserveResult::kSoldOut);
  CHECK(one.reserve(1, 1).result == ReserveResult::kReserved);
  for (std::uint64_t id = 1; id <= 34; ++id) REQUIRE(one.take(id) == ReserveResult::kDuplicate);
  for (const std::size_t resolved : {20u, 3u}) {  // one in the spill bucket, one in the home
    one.cancel(one.reservations[resolved]);
    CHECK(one.take(100 + resolved) == ReserveResult::kReserved);
    CHECK(one.take(resolved + 1) == ReserveResult::kIdsFull);
  }
  CHECK(one.audited());
}

TEST_CASE(
    "once all ids that a home put into spill buckets are forgotten, a look-up in that home leaves these "
    "out") {
  TestLedger one({4, 1'024, 8, 16, 0});  // two homes, two spill buckets
  one.add(1, 10'000);
  IdTable& ids = one.ledger.memory().ids;
  const auto hash = [](std::uint64_t id) { return HashedKey(kSecret, number_key(id)).hash; };
  // Fills the spill bucket of id 1 from one home, resolves all, then fills it from the other home.
  std::uint64_t id = 0;
  for (const std::uint64_t home : {0u, 1u}) {
    std::vector<std::uint64_t> reservations;
    for (std::uint64_t kept = 0; kept < 17 + 17;) {
      if (hash(++id) % 2 != home || (kept >= 17 && (hash(id) >> 32) % 2 != (hash(1) >> 32) % 2)) continue;
      const StockAnswer answer = one.reserve(1, 1, 0, id);
      REQUIRE(answer.result == ReserveResult::kReserved);
      reservations.push_back(answer.reservation);
      ++kept;
    }
    for (const std::uint64_t reservation : reservations) one.cancel(reservation);
  }
  const IdTable::Bucket* homes =
      hash(1) % 2 == 0 ? &ids.home({kSecret, number_key(1)}) : &ids.home({kSecret, number_key(1)}) - 1;
  CHECK(homes[0].spilled + homes[1].spilled == 17);
  CHECK(homes[1].spilled == 17);
}

TEST_CASE("refused ids displace the oldest refused one, and never an admitted one") {
  OneHome one;
  for (std::uint64_t id = 1; id <= 4; ++id) {
    REQUIRE(one.take(id) == ReserveResult::kReserved);
    one.confirm(one.reservations.back());
  }
  for (std::uint64_t id = 101; id <= 120; ++id) REQUIRE(one.fail(id) == ReserveResult::kSoldOut);
  for (std::uint64_t id = 108; id <= 120; ++id) CHECK(one.fail(id) == ReserveResult::kAlreadyFailed);
  for (std::uint64_t id = 101; id <= 107; ++id) CHECK(one.fail(id) == ReserveResult::kSoldOut);
  for (std::uint64_t id = 1; id <= 4; ++id) CHECK(one.take(id) == ReserveResult::kDuplicate);
  // Admitted ids take the entries of all refused ids but the last (107).
  for (std::uint64_t id = 5; id <= 30; ++id) {
    REQUIRE(one.take(id) == ReserveResult::kReserved);
    one.confirm(one.reservations.back());
  }
  for (std::uint64_t id = 15; id <= 30; ++id) CHECK(one.take(id) == ReserveResult::kDuplicate);
  CHECK(one.fail(107) == ReserveResult::kAlreadyFailed);
  CHECK(one.fail(200) == ReserveResult::kSoldOut);
  CHECK(one.fail(200) == ReserveResult::kAlreadyFailed);
  CHECK(one.fail(107) == ReserveResult::kSoldOut);
  for (std::uint64_t id = 15; id <= 30; ++id) CHECK(one.take(id) == ReserveResult::kDuplicate);
}

TEST_CASE("a refused id among only held ones is not remembered, and is refused again") {
  OneHome one;
  for (std::uint64_t id = 1; id <= 17; ++id) REQUIRE(one.take(id) == ReserveResult::kReserved);
  CHECK(one.fail(50) == ReserveResult::kSoldOut);
  CHECK(one.fail(50) == ReserveResult::kSoldOut);
  for (std::uint64_t id = 1; id <= 17; ++id) CHECK(one.take(id) == ReserveResult::kDuplicate);
}

TEST_CASE("262,144 random refusals make the ledger forget none of 500 confirmed ids") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  TestLedger one({4, 1'024, 1'024, 65'536, 0});
  one.add(1, 1'000, 1);
  for (std::uint64_t id = 1; id <= 500; ++id) {
    const StockAnswer answer = one.reserve(1, 1, id, id);
    REQUIRE(one.confirm(answer.reservation) == ResolveResult::kDone);
  }
  Random random(1);
  for (int i = 0; i < 262'144; ++i) {
    REQUIRE(one.reserve(1, 1, 1, 1'000 + random.next() / 2).result == ReserveResult::kUserLimit);
  }
  std::uint64_t forgotten = 0;
  for (std::uint64_t id = 1; id <= 500; ++id) {
    forgotten += one.reserve(1, 1, id, id).result != ReserveResult::kDuplicate;
  }
  CHECK(forgotten == 0);
  CHECK(one.holds(1, 500, 0, 500));
}

TEST_CASE("as many ids as the capacity can be held together, and all are known") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  for (const std::uint32_t capacity : {1u, 8u, 9u, 16u, 64u, 100u, 1'000u, 4'096u, 65'536u}) {
    for (std::uint64_t round = 0; round < repetitions(capacity < 5'000 ? 40 : 2); ++round) {
      TestLedger one({4, capacity, 8, capacity, 0});
      one.add(1, capacity);
      std::vector<std::uint64_t> ids;
      for (std::uint32_t i = 0; i < capacity; ++i) ids.push_back(random.next() | 1);
      std::uint64_t refused = 0, forgotten = 0;
      for (const std::uint64_t id : ids)
        refused += one.reserve(1, 1, 0, id).result != ReserveResult::kReserved;
      for (const std::uint64_t id : ids)
        forgotten += one.reserve(1, 1, 0, id).result != ReserveResult::kDuplicate;
      REQUIRE(refused == 0);
      REQUIRE(forgotten == 0);
    }
  }
}

TEST_CASE("as many ids as the capacity can be held while others come and go, with refusals between") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr std::uint32_t kCapacity = 1'024;
  Random random(1);
  TestLedger one({4, kCapacity, 8, kCapacity, 0});
  one.add(1, kCapacity);
  one.add(2, 0);
  struct Held {
    std::uint64_t id, reservation;
  };
  std::vector<Held> held;
  for (std::uint64_t i = 0; i < repetitions(400'000); ++i) {
    const std::uint64_t id = random.next() | 1;
    if (random.once_in(4)) {
      REQUIRE(one.reserve(2, 1, 0, id).result == ReserveResult::kSoldOut);
      continue;
    }
    if (held.size() == kCapacity) {
      Held& one_of_them = held[random.below(kCapacity)];
      REQUIRE(one.reserve(1, 1, 0, one_of_them.id).result == ReserveResult::kDuplicate);
      one.cancel(one_of_them.reservation);
      one_of_them = held.back();
      held.pop_back();
    }
    const StockAnswer answer = one.reserve(1, 1, 0, id);
    REQUIRE(answer.result == ReserveResult::kReserved);
    held.push_back({id, answer.reservation});
  }
  for (const Held& each : held) REQUIRE(one.reserve(1, 1, 0, each.id).reservation == each.reservation);
  CHECK(one.audited());
}

TEST_CASE("threads that reserve the same ids in the same moment make one reservation for each id") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kThreads = 3;
  const std::uint64_t ids = repetitions(60'000);
  TestLedger one({4, 1U << 17, 8, 1U << 17, 0});
  one.add(1, ids / 2);
  std::vector<std::uint64_t> answers[kThreads];
  std::atomic<std::uint64_t> fresh{0};
  in_threads(kThreads, [&](unsigned index) {
    ThreadSlot* thread = one.ledger.thread_slots().acquire();
    const StockRequest::Line unit{sku(1), 1};
    for (std::uint64_t id = 1; id <= ids; ++id) {
      const StockRequest request{&unit, 1, {}, number_key(id), kHold};
      StockAnswer answer;
      do {
        // Asks as StockSession::reserve() does. After a refusal by peek(), refuse() must still return an answer that
        // another call has got for the id.
        const StockAnswer verdict = one.ledger.peek(request);
        answer = verdict.result != ReserveResult::kReserved
                     ? one.ledger.refuse(*thread, request, verdict)
                     : one.ledger.reserve(*thread, request, one.now, [](std::uint64_t) { return true; });
      } while (answer.result == ReserveResult::kIdBusy);
      fresh += answer.result == ReserveResult::kReserved;
      answers[index].push_back(answer.reservation);
    }
  });
  CHECK(fresh == ids / 2);
  for (unsigned index = 1; index < kThreads; ++index) CHECK(answers[index] == answers[0]);
  CHECK(one.holds(1, 0, ids / 2, 0));
  CHECK(one.audited());
}

}  // namespace

TEST_SUITE_END();
