// Threads that confirm, cancel and return parts of reservations at the same time.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/stock/reservation_record.h"
#include "ledger.h"
#include "stress.h"

TEST_SUITE_BEGIN("ledger parts, races");

namespace {

using namespace sluice;
using namespace sluice::test;

constexpr LedgerShape kShape{16, 16, 8, 64, 64};

TEST_CASE("parts of one reservation that threads confirm and cancel without a pause add up to it") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kThreads = 4;
  const std::uint64_t units = repetitions(200'000);
  TestLedger one(kShape);
  one.add(1, units, units);
  one.add(2, units, 0, 3);
  const std::uint64_t id = one.reserve({{sku(1), units}, {sku(2), units}}, 7).reservation;
  std::atomic<std::uint64_t> sold[3] = {};
  in_threads(kThreads, [&](unsigned index) {
    ThreadSlot* thread = one.ledger.thread_slots().acquire();
    Random random(index);
    for (bool ended = false; !ended;) {
      const std::uint64_t which = random.between(1, 2);
      const StockRequest::Line wish{sku(which), 1};
      const bool confirms = !random.once_in(4);
      const ResolveResult result =
          confirms ? one.ledger.confirm_part(*thread, id, one.now, {&wish, 1, 0}, Rest::kHold).result
                   : one.ledger.cancel_part(*thread, id, one.now, {&wish, 1, 0}).result;
      if (result == ResolveResult::kDone && confirms) ++sold[which];
      ended = result != ResolveResult::kDone && result != ResolveResult::kBadQuantity;
    }
  });
  for (const std::uint64_t which : {1, 2}) {
    CHECK(one.holds(which, units - sold[which], 0, sold[which]));
  }
  CHECK(one.audited());
}

TEST_CASE("parts confirmed, cancelled and returned from several threads, and expiry: each unit ends once") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kThreads = 4;
  constexpr std::uint64_t kUnits = 6;
  const std::uint64_t rounds = repetitions(8'000);
  TestLedger one({8, 12, 64, 64, 256});
  one.add(1, 1'000'000, 1'000'000, 2);
  one.add(2, 1'000'000);
  std::atomic<std::uint64_t> current{0}, round{0}, done{0};
  std::atomic<std::uint64_t> strange{0}, audits_failed{0};
  std::atomic<std::int64_t> sold[3] = {}, cancelled[3] = {}, ended{0};
  in_threads(kThreads, [&](unsigned index) {
    ThreadSlot* thread = one.ledger.thread_slots().acquire();
    Random random(index);
    const auto space = std::make_unique<ReservationRecord>();
    ReservationRecord& record = *space;
    std::uint64_t last[4] = {};
    const std::uint64_t start = one.now;
    for (std::uint64_t i = 1; i <= rounds; ++i) {
      const std::uint64_t now = start + i * 10 * kHold;
      if (index == 0) {
        const StockRequest::Line wishes[] = {{sku(1), kUnits}, {sku(2), kUnits}};
        const StockRequest request{wishes, 2, LedgerUser::number(i % 5), number_key(i), kHold};
        current = one.ledger.reserve(*thread, request, now, [](std::uint64_t) { return true; }).reservation;
        strange += current == 0;
        done = 0;
        round.store(i, std::memory_order_release);
      } else {
        while (round.load(std::memory_order_acquire) != i) std::this_thread::yield();
      }
      const std::uint64_t id = current;
      last[i % 4] = id;
      for (int step = 0; step < 3; ++step) {
        const std::uint64_t which = random.between(1, 2), units = random.between(1, 3);
        const StockRequest::Line wish{sku(which), units};
        const Part part{&wish, 1, 0};
        const auto n = static_cast<std::int64_t>(units);
        ResolveResult result = ResolveResult::kDone;
        switch (random.below(6)) {
          case 0:
          case 1:
            result = one.ledger.confirm_part(*thread, id, now + 1, part, Rest::kHold).result;
            if (result == ResolveResult::kDone) sold[which] += n;
            break;
          case 2:
            result = one.ledger.cancel_part(*thread, id, now + 1, part).result;
            if (result == ResolveResult::kDone) cancelled[which] += n;
            break;
          case 3:
            result = one.ledger.give_back(*thread, id, now + 1, part).result;
            if (result == ResolveResult::kDone) sold[which] -= n;
            break;
          case 4:
            result =
                one.ledger.give_back(*thread, one.item(which), units, LedgerUser::number(i % 5), now + 1);
            if (result == ResolveResult::kDone) sold[which] -= n;
            break;
          default:
            if (random.once_in(3)) audits_failed += !one.audited();
            // A reader finds a reservation whole, while other threads change it.
            if (RecordReader(one.ledger.memory())
                    .read(random.once_in(2) ? id : last[random.below(4)], record)) {
              std::uint64_t units[3] = {};
              for (std::uint32_t n_line = 0; n_line < record.count; ++n_line) {
                const ReservationRecord::Line& found = record.lines[n_line];
                units[found.item + 1] += found.quantity + Reservation::units_in(found.sold);
              }
              strange += units[1] > 2 * kUnits || units[2] > 2 * kUnits || units[1] + units[2] == 0;
              strange += record.user.key.low >= 5 || record.client_id.tag != ReservationId::kNumber ||
                         record.client_id.words[0] % 5 != record.user.key.low;
            }
            if (random.once_in(3)) ended += one.ledger.expire_due(*thread, now + kHold);
            break;
        }
        strange += result == ResolveResult::kUnknown || result == ResolveResult::kBadLine;
      }
      // All threads have finished this reservation. What they have left of it is cancelled before the next reservation
      // begins.
      if (done.fetch_add(1) + 1 == kThreads) {
        one.ledger.cancel(*thread, id, now + 1);
        done.store(~0ULL, std::memory_order_release);
      }
      while (index == 0 && done.load(std::memory_order_acquire) != ~0ULL) std::this_thread::yield();
    }
  });
  CHECK(strange == 0);
  CHECK(audits_failed == 0);
  for (std::uint64_t which : {1, 2}) {
    const auto left = static_cast<std::uint64_t>(sold[which].load());
    CHECK(one.holds(which, 1'000'000 - left, 0, left));
  }
  CHECK(one.sum(StockLedger::kConfirmed) + one.sum(StockLedger::kCancelled) +
            one.sum(StockLedger::kExpired) ==
        rounds);
  CHECK(one.audited());
}

TEST_CASE("a return gives back its own units or none, while reservations use the same slots again") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kThreads = 4;
  TestLedger one({8, 12, 64, 64, 64});
  one.add(1, 1'000'000, 1'000'000);
  one.add(2, 1'000'000, 0, 3);
  std::atomic<std::uint64_t> last[kThreads] = {}, sold[3] = {}, returned{0}, strange{0};
  in_threads(kThreads, [&](unsigned index) {
    ThreadSlot* thread = one.ledger.thread_slots().acquire();
    Random random(index);
    for (std::uint64_t i = 0; i < repetitions(60'000); ++i) {
      // Carts of threads with an odd index have twice the units of the others. So if a return gave back the units of
      // another thread's cart, the counts below would be wrong.
      const std::uint64_t units = index % 2 + 1;
      const StockRequest::Line wishes[] = {{sku(1), units}, {sku(2), 10 * units}};
      const StockRequest request{wishes, 2, LedgerUser::number(index), Key{}, kHold};
      const StockAnswer cart =
          one.ledger.reserve(*thread, request, one.now, [](std::uint64_t) { return true; });
      if (cart.result == ReserveResult::kReserved) {
        strange += one.ledger.confirm(*thread, cart.reservation, one.now) != ResolveResult::kDone;
        sold[1] += units;
        sold[2] += 10 * units;
        last[index] = cart.reservation;
      }
      const std::uint64_t whose = random.below(kThreads), id = last[whose];
      if (id == 0) continue;
      const std::uint64_t back = whose % 2 + 1;
      switch (one.ledger.give_back(*thread, id, one.now, {}).result) {
        case ResolveResult::kDone:
          sold[1] -= back;
          sold[2] -= 10 * back;
          ++returned;
          break;
        case ResolveResult::kAlreadyReturned:
        case ResolveResult::kUnknown:
          break;
        default:
          ++strange;
          break;
      }
    }
  });
  CHECK(strange == 0);
  CHECK(returned > 0);
  for (std::uint64_t which : {1, 2}) {
    CHECK(one.holds(which, 1'000'000 - sold[which], 0, sold[which]));
  }
  CHECK(one.audited());
}

}  // namespace

TEST_SUITE_END();
