#include "core/id_table.h"

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

TEST_CASE("an id that nobody lets go of is answered as busy after a bounded wait, and decided afterwards") {
  TestLedger one({4, 8, 8, 1, 0});
  one.add(1, 10);
  IdTable::Bucket* bucket = one.ledger.memory().ids.lock({kSecret, number_key(5)});
  REQUIRE(bucket != nullptr);
  CHECK(one.reserve(1, 1, 0, 5).result == ReserveResult::kIdBusy);
  CHECK(one.holds(1, 10, 0, 0));
  IdTable::unlock(*bucket);
  CHECK(one.reserve(1, 1, 0, 5).result == ReserveResult::kReserved);
}

TEST_CASE("an id is forgotten for a 17th of its bucket at the earliest: the oldest that is not held") {
  TestLedger one({4, 64, 8, 1, 0});  // one bucket
  one.add(1, 1'000);
  std::vector<std::uint64_t> ids;
  for (std::uint64_t id = 1; id <= 16; ++id) ids.push_back(one.reserve(1, 1, 0, id).reservation);
  CHECK(one.reserve(1, 1, 0, 17).result == ReserveResult::kIdsFull);
  one.cancel(ids[4]);
  one.cancel(ids[2]);
  for (std::uint64_t id = 1; id <= 16; ++id)
    CHECK(one.reserve(1, 1, 0, id).result == ReserveResult::kDuplicate);
  CHECK(one.reserve(1, 1, 0, 17).result == ReserveResult::kReserved);  // in the place of 3
  CHECK(one.reserve(1, 1, 0, 5).result == ReserveResult::kDuplicate);
  CHECK(one.reserve(1, 1, 0, 18).result == ReserveResult::kReserved);  // in the place of 5
  CHECK(one.reserve(1, 1, 0, 3).result == ReserveResult::kIdsFull);
  CHECK(one.holds(1, 984, 16, 0));
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
    ThreadLine* line = one.ledger.lines().acquire();
    const StockRequest::Line unit{sku(1), 1};
    for (std::uint64_t id = 1; id <= ids; ++id) {
      const StockRequest request{&unit, 1, {}, number_key(id), kHold};
      StockAnswer answer;
      do {
        // As the addon asks: a peek that refuses must still give the answer that another call has got.
        const StockAnswer verdict = one.ledger.peek(request);
        answer = verdict.result != ReserveResult::kReserved
                     ? one.ledger.refuse(*line, request, verdict)
                     : one.ledger.reserve(*line, request, one.now, [](std::uint64_t) { return true; });
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
