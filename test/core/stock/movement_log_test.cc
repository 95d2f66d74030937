#include "core/stock/movement_log.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "ledger.h"
#include "stress.h"

TEST_SUITE_BEGIN("movement log");

namespace {

using namespace sluice;
using namespace sluice::test;
using Log = MovementLog<>;
using Read = Log::Read;

struct TestLog {
  explicit TestLog(std::uint32_t capacity) : memory(Log::bytes(capacity)), log(memory, capacity) {}
  ZeroedMemory memory;
  Log log;
};

Movement numbered(std::uint64_t number) {
  return {MovementKind::kReserved,
          static_cast<std::uint32_t>(number % 1'000),
          number % 4'000'000'000,
          number * 3,
          number * 7,
          LedgerUser::number(number)};
}
bool is_numbered(const Movement& movement) {
  const std::uint64_t number = movement.user.key.low;
  const Movement expected = numbered(number);
  return movement.kind == expected.kind && movement.item == expected.item &&
         movement.quantity == expected.quantity && movement.when_ns == expected.when_ns &&
         movement.reservation == expected.reservation && movement.user.key == expected.user.key &&
         movement.user.text_length == 0;
}

TEST_CASE("a movement is read as it was appended until it is overwritten, and then reported as such") {
  for (const std::uint32_t capacity : {1u, 2u, 8u}) {
    TestLog one(capacity);
    Movement movement;
    CHECK(one.log.read(0, movement) == Read::kNothingYet);
    for (std::uint64_t i = 0; i < 40; ++i) {
      one.log.append(numbered(i));
      const std::uint64_t oldest = i + 1 < capacity ? 0 : i + 1 - capacity;
      CHECK(one.log.oldest() == oldest);
      for (std::uint64_t position = 0; position < i + 3; ++position) {
        const Read expected = position < oldest ? Read::kOverwritten
                              : position <= i   ? Read::kRead
                                                : Read::kNothingYet;
        REQUIRE(one.log.read(position, movement) == expected);
        if (expected == Read::kRead) REQUIRE((is_numbered(movement) && movement.user.key.low == position));
      }
    }
  }
}

TEST_CASE("a log without capacity keeps nothing") {
  TestLog one(0);
  one.log.append(numbered(1));
  Movement movement;
  CHECK_FALSE(one.log.keeps());
  CHECK(one.log.read(0, movement) == Read::kNothingYet);
  CHECK(one.log.oldest() == 0);
}

TEST_CASE("a user's text of any length is kept whole") {
  TestLog one(4);
  const std::string_view text = "0123456789abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQR";
  for (std::size_t length = 1; length <= LedgerUser::kTextMax; ++length) {
    Movement given = numbered(length);
    given.user = LedgerUser::named(kSecret, text.substr(0, length));
    one.log.append(given);
    Movement found;
    REQUIRE(one.log.read(length - 1, found) == Read::kRead);
    REQUIRE(std::string_view(reinterpret_cast<const char*>(found.user.text), found.user.text_length) ==
            text.substr(0, length));
  }
}

TEST_CASE("readers beside writers see whole movements only, each position once, and count what they missed") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kWriters = 3;
  for (const std::uint32_t capacity : {1u, 64u}) {
    // In a log of one entry, each writer waits for the one before it, so fewer movements are appended.
    const std::uint64_t each = repetitions(capacity == 1 ? 4'000 : 200'000);
    TestLog one(capacity);
    std::atomic<unsigned> writing{kWriters};
    std::uint64_t torn = 0, read = 0, lost = 0, none_lost = 0, last = 0;
    in_threads(kWriters + 1, [&](unsigned index) {
      if (index < kWriters) {
        for (std::uint64_t i = 0; i < each; ++i) one.log.append(numbered(i * kWriters + index));
        --writing;
        return;
      }
      std::uint64_t position = 0;
      for (;;) {
        const bool over = writing == 0;
        Movement movement;
        const Read answer = one.log.read(position, movement);
        if (answer == Read::kRead) {
          torn += !is_numbered(movement);
          ++read;
          ++position;
        } else if (answer == Read::kOverwritten) {
          const std::uint64_t oldest = one.log.oldest();
          none_lost += oldest <= position;
          lost += oldest - position;
          position = oldest;
        } else if (over) {
          break;
        }
      }
      last = position;
    });
    CHECK(torn == 0);
    CHECK(none_lost == 0);
    CHECK(read > 0);
    CHECK(read + lost == kWriters * each);
    CHECK(last == kWriters * each);
  }
}

TEST_CASE("movements of a ledger show each reservation's changes in order, and add up to its counts") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kThreads = 3;
  const std::uint64_t each = repetitions(20'000);
  TestLedger one({8, 64, 64, 8, 1U << 20});
  one.add(1, 1'000'000, 0, 2);
  one.add(2, 1'000'000, 1'000);
  in_threads(kThreads, [&](unsigned index) {
    ThreadSlot* thread = one.ledger.thread_slots().acquire();
    Random random(index);
    std::uint64_t full = 0;
    for (std::uint64_t i = 0; i < each; ++i) {
      const StockRequest::Line wishes[] = {{sku(1), random.between(1, 3)}, {sku(2), 2}};
      const StockRequest request{wishes, static_cast<std::uint32_t>(random.between(1, 2)),
                                 LedgerUser::number(index), Key{}, kHold};
      const bool publishes = !random.once_in(5);
      const StockAnswer mine =
          one.ledger.reserve(*thread, request, one.now, [&](std::uint64_t) { return publishes; });
      // The table looks full to other threads while a thread that puts a slot back has lost the processor.
      if (mine.result == ReserveResult::kLedgerFull && ++full < 1'000 * each) {
        std::this_thread::yield();
        --i;
        continue;
      }
      if (mine.result != ReserveResult::kReserved) continue;
      if (request.line_count == 1 && wishes[0].quantity > 1 && random.once_in(2)) {
        one.ledger.confirm_part(*thread, mine.reservation, one.now, {nullptr, 0, 1}, Rest::kRelease);
      } else if (random.once_in(2)) {
        one.ledger.confirm(*thread, mine.reservation, one.now);
      } else {
        one.ledger.cancel(*thread, mine.reservation, random.once_in(2) ? one.now : one.now + kHold);
      }
    }
  });
  StockCounts found[2] = {};
  std::map<std::uint64_t, std::int64_t> open;  // units held, by reservation
  std::uint64_t wrong = 0;
  Movement movement;
  for (std::uint64_t i = 0; one.ledger.movements().read(i, movement) == Read::kRead; ++i) {
    StockCounts& counts = found[movement.item];
    const std::uint64_t units = movement.quantity;
    if (movement.kind == MovementKind::kAdded) {
      counts.total += units;
      counts.available += units;
      continue;
    }
    if (movement.kind == MovementKind::kReserved) {
      open[movement.reservation] += static_cast<std::int64_t>(units);
      counts.reserved += units;
      counts.available -= units;
      continue;
    }
    std::int64_t& held = open[movement.reservation];
    held -= static_cast<std::int64_t>(units);
    wrong += held < 0;  // its end was recorded before it was reserved, or twice
    counts.reserved -= units;
    (movement.kind == MovementKind::kConfirmed ? counts.sold : counts.available) += units;
  }
  for (const auto& [id, held] : open) wrong += held != 0;
  CHECK(wrong == 0);
  CHECK(open.size() > each);
  for (const std::uint64_t number : {1, 2}) {
    const StockCounts& told = found[one.item(number)];
    CHECK(one.holds(number, told.available, told.reserved, told.sold));
  }
  CHECK(one.audited());
}

}  // namespace

TEST_SUITE_END();
