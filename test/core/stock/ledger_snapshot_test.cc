#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "ledger.h"
#include "platform/ledger_copies.h"
#include "stress.h"

TEST_SUITE_BEGIN("ledger snapshot");

namespace {

using namespace sluice;
using namespace sluice::test;

constexpr LedgerShape kShape{16, 24, 24, 32, 8};

// The ledger of a snapshot, or the reason why it was refused.
struct Restored {
  explicit Restored(
      const std::vector<std::uint64_t>& words, std::uint64_t now, std::optional<std::size_t> octets = {},
      const std::function<void(LedgerShape&)>& change = [](LedgerShape&) {}) {
    std::vector<std::uint64_t> opened;
    error = open_snapshot(words.data(), octets.value_or(words.size() * 8), opened, shape);
    if (error != SnapshotError::kNone) return;
    change(shape);
    one.emplace(shape);
    std::memset(one->memory, 0, StockLedger::bytes(shape));
    one->now = now;
    error = read_snapshot(one->ledger.memory(), shape, opened, now, Sweeping::kAsked);
    if (error != SnapshotError::kNone) return;
    one->thread = one->ledger.thread_slots().acquire();
  }
  SnapshotError error;
  LedgerShape shape;
  std::optional<TestLedger> one;
};

// A ledger that is in use, and the reservations that it has made.
struct Busy : TestLedger {
  explicit Busy(std::uint64_t stream) : TestLedger(kShape), random(stream) {
    add(1, 50, 6);
    add(2, 20, 0, 4);
    add(3, 9);
    ledger.add_item(*thread, {text_key(kSecret, "blue shirt, M"), "blue shirt, M", 5, 2, 2}, now);
    for (int i = 0; i < 120; ++i) step(*this, random, ids);
  }
  // Runs one operation, drawn from `random`. Returns its answer.
  static std::uint64_t step(TestLedger& one, Random& random, std::vector<std::uint64_t>& ids) {
    const std::uint64_t old = ids.empty() ? 0 : ids[random.below(ids.size())];
    switch (random.below(8)) {
      case 0:
        return static_cast<std::uint64_t>(one.confirm(old));
      case 1:
        return static_cast<std::uint64_t>(one.cancel(old));
      case 2:
        return static_cast<std::uint64_t>(one.ledger.extend(*one.thread, old, one.now, one.now + 3 * kHold));
      case 3:
        one.now += random.below(kHold / 4);
        return one.expire();
      case 4:
        return one.ledger.restock(*one.thread, 1, random.between(1, 3), one.now) ? 1 : 0;
      default: {
        std::vector<StockRequest::Line> lines;
        for (std::uint64_t i = random.between(1, 3); i <= 3; ++i)
          lines.push_back({sku(i), random.between(1, 3)});
        const std::uint64_t user = random.between(1, 6);
        const StockAnswer answer = one.reserve(lines, user, random.below(40), random.between(1, 2 * kHold));
        if (answer.result == ReserveResult::kReserved) ids.push_back(answer.reservation);
        return static_cast<std::uint64_t>(answer.result) << 56 | answer.reservation;
      }
    }
  }
  Random random;
  std::vector<std::uint64_t> ids;
};

TEST_CASE("the restored ledger gives the very same answers, the same new ids included") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (std::uint64_t stream = 0; stream < repetitions(200); ++stream) {
    Busy original(stream);
    Restored copy(snapshot_of(original.ledger.memory(), original.now), original.now);
    REQUIRE(copy.error == SnapshotError::kNone);
    CHECK(copy.one->audited());
    // Both ledgers are used through thread slot 0, so that both take from the same shard first.
    REQUIRE(copy.one->ledger.thread_slots().number(*copy.one->thread) == 0);
    Random again = original.random;
    std::vector<std::uint64_t> ids = original.ids;
    for (int i = 0; i < 400; ++i) {
      const std::uint64_t expected = Busy::step(original, original.random, original.ids);
      REQUIRE(Busy::step(*copy.one, again, ids) == expected);
    }
    for (std::uint64_t number = 1; number <= 3; ++number) {
      const StockCounts counts = original.counts(number);
      CHECK(copy.one->holds(number, counts.available, counts.reserved, counts.sold));
    }
    CHECK(copy.one->audited());
  }
}

TEST_CASE("into larger tables: the same reservations, users and ids, and room for more") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (std::uint64_t stream = 0; stream < repetitions(100); ++stream) {
    Busy original(stream);
    const auto larger = [](LedgerShape& shape) { shape = {40, 100, 1'000, 4'000, 0}; };
    Restored copy(snapshot_of(original.ledger.memory(), original.now), original.now, {}, larger);
    REQUIRE(copy.error == SnapshotError::kNone);
    CHECK(copy.one->audited());
    for (const std::uint64_t id : original.ids) CHECK(copy.one->confirm(id) == original.confirm(id));
    for (std::uint64_t number = 1; number <= 3; ++number) {
      const StockCounts counts = original.counts(number);
      CHECK(copy.one->holds(number, counts.available, counts.reserved, counts.sold));
    }
    // The larger tables have as much room as their shape promises.
    CHECK(copy.one->add(10, 200, 1) == ItemTable<>::Added::kAdded);
    for (std::uint64_t user = 1; user <= 100; ++user) {
      CHECK(copy.one->reserve(10, 1, 1'000 + user, 1'000 + user).result == ReserveResult::kReserved);
    }
    CHECK(copy.one->reserve(10, 1, 99).result == ReserveResult::kLedgerFull);
    CHECK(copy.one->audited());
  }
}

TEST_CASE("into smaller tables if the entries fit, otherwise the table that is too small is named") {
  TestLedger one({32, 64, 64, 64, 64});
  one.add(1, 100, 5, 3);
  one.add(2, 100);
  for (std::uint64_t i = 1; i <= 6; ++i) one.confirm(one.reserve(1, 1, i, i).reservation);
  const std::uint64_t held = one.reserve({{sku(1), 1}, {sku(2), 1}}, 7, 7).reservation;
  const auto restored = [&](const std::function<void(LedgerShape&)>& change) {
    return Restored(snapshot_of(one.ledger.memory(), one.now), one.now, {}, change);
  };
  Restored tight = restored([](LedgerShape& shape) { shape = {4, 8, 7, 7, 1}; });
  REQUIRE(tight.error == SnapshotError::kNone);
  CHECK(tight.one->confirm(held) == ResolveResult::kDone);
  CHECK(tight.one->reserve(1, 1, 8).result == ReserveResult::kUsersFull);
  CHECK(tight.one->add(3, 1) == ItemTable<>::Added::kFull);
  CHECK(restored([](LedgerShape& shape) { shape.items = 3; }).error == SnapshotError::kItems);
  CHECK(restored([](LedgerShape& shape) { shape.reservations = 7; }).error == SnapshotError::kReservations);
  CHECK(restored([](LedgerShape& shape) { shape.users = 6; }).error == SnapshotError::kUsers);
  for (std::uint64_t i = 8; i <= 35; ++i) one.cancel(one.reserve(1, 1, i, i).reservation);
  CHECK(restored([](LedgerShape& shape) { shape.ids = 8; }).error == SnapshotError::kIds);
}

TEST_CASE("holds go on for as long as they had left, on any clock") {
  TestLedger one(kShape);
  one.add(1, 5);
  const std::uint64_t id = one.reserve(1, 2).reservation;
  one.now += kHold - 10;
  Restored copy(snapshot_of(one.ledger.memory(), one.now), 77);
  copy.one->now = 77 + 9;
  CHECK(copy.one->expire() == 0);
  copy.one->now += 1;
  CHECK(copy.one->confirm(id) == ResolveResult::kExpired);
  CHECK(copy.one->holds(1, 5, 0, 0));
}

TEST_CASE("a snapshot with any one bit changed, or cut anywhere, is refused with the reason") {
  Busy one(1);
  const std::vector<std::uint64_t> whole = snapshot_of(one.ledger.memory(), one.now);
  for (std::size_t octets = 0; octets < whole.size() * 8; ++octets) {
    const SnapshotError error = Restored(whole, one.now, octets).error;
    REQUIRE(error == (octets < 8 ? SnapshotError::kNoSnapshot : SnapshotError::kDamaged));
  }
  for (std::size_t bit = 0; bit < whole.size() * 64; ++bit) {
    std::vector<std::uint64_t> words = whole;
    words[bit / 64] ^= 1ULL << bit % 64;
    const SnapshotError expected = bit < 64    ? SnapshotError::kNoSnapshot
                                   : bit < 128 ? SnapshotError::kVersion
                                               : SnapshotError::kDamaged;
    REQUIRE(Restored(words, one.now).error == expected);
  }
  std::vector<std::uint64_t> longer = whole;
  longer.push_back(0);
  CHECK(Restored(longer, one.now).error == SnapshotError::kDamaged);
  CHECK(Restored({}, one.now).error == SnapshotError::kNoSnapshot);
  CHECK(Restored(whole, one.now).error == SnapshotError::kNone);
}

// Computes the checksum as LedgerSnapshot does: a forger can do so, too.
std::uint64_t checksum(const std::vector<std::uint64_t>& words) {
  std::uint64_t sum = mix(words.size());
  for (std::size_t i = 3; i < words.size(); ++i) sum = mix(sum ^ words[i]);
  return sum;
}

TEST_CASE("a forged snapshot is refused, or is a ledger that adds up: it never breaks anything") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  std::uint64_t refused = 0, taken = 0;
  for (std::uint64_t stream = 0; stream < repetitions(8'000); ++stream) {
    static Busy one(2);
    std::vector<std::uint64_t> words = snapshot_of(one.ledger.memory(), one.now);
    Random random(1'000 + stream);
    for (std::uint64_t changes = random.between(1, 3); changes > 0; --changes) {
      std::uint64_t& word = words[random.between(3, words.size() - 1)];
      switch (random.below(4)) {
        case 0:
          word = random.below(8);
          break;
        case 1:
          word += random.once_in(2) ? 1 : ~0ULL;
          break;
        case 2:
          word ^= 1ULL << random.below(64);
          break;
        default:
          word = words[random.between(3, words.size() - 1)];
          break;
      }
    }
    // Skips a ledger that is larger than a test can afford.
    bool affordable = true;
    for (std::size_t i = 3; i < 8; ++i) affordable = affordable && words[i] < 10'000;
    if (!affordable) continue;
    words[2] = checksum(words);
    Restored copy(words, one.now);
    if (copy.error != SnapshotError::kNone) {
      ++refused;
      continue;
    }
    ++taken;
    REQUIRE(copy.one->audited());
    std::vector<std::uint64_t> ids = one.ids;
    for (const std::uint64_t id : ids) copy.one->cancel(id);
    for (int i = 0; i < 50; ++i) Busy::step(*copy.one, random, ids);
    copy.one->now += 10 * kHold;
    copy.one->expire();
    REQUIRE(copy.one->audited());
  }
  CHECK(refused > 0);
  CHECK(taken > 0);
}

// A snapshot of 65 reservations of one item each, forged into one reservation of 65 lines: more than a request can
// name.
struct Joined : TestLedger {
  static constexpr std::uint64_t kItems = StockRequest::kLinesMax + 1;
  static constexpr std::uint64_t kRemaining = 777;

  Joined() : TestLedger({128, 256, 16, 16, 0}) {
    for (std::uint64_t number = 1; number <= kItems; ++number) {
      add(number, 10);
      ids.push_back(reserve(number, 1, 0, 0, kRemaining).reservation);
    }
  }
  static std::uint64_t as_line(std::uint64_t state) {
    return (state & ~0xffULL) | static_cast<std::uint64_t>(Phase::kLine);
  }
  // In a snapshot each of these held reservations has: remaining, user (2 words), length of the user's text (0), tag of
  // the id, number of lines, then 7 words for each line.
  std::vector<std::uint64_t> held() {
    const std::vector<std::uint64_t> words = snapshot_of(ledger.memory(), now);
    const std::size_t list = find(words, {kItems, kRemaining});
    std::vector<std::uint64_t> forged(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(list));
    forged.insert(forged.end(), {1, kRemaining, 0, 0, 0, 0, kItems});
    std::size_t at = list + 1;
    for (std::uint64_t i = 0; i < kItems; ++i, at += 13) {
      REQUIRE(words[at + 5] == 1);
      for (std::size_t word = at + 6; word < at + 13; ++word) {
        forged.push_back(i != 0 && word == at + 7 ? as_line(words[word]) : words[word]);
      }
    }
    forged.insert(forged.end(), words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
    forged[2] = checksum(forged);
    return forged;
  }
  // A sold line has: slot, state, next, deadline (in a line after the first: the reservation), and 9 more words.
  std::vector<std::uint64_t> sold() {
    for (const std::uint64_t id : ids) REQUIRE(confirm(id) == ResolveResult::kDone);
    std::vector<std::uint64_t> words = snapshot_of(ledger.memory(), now);
    for (std::size_t i = 0; i < kItems; ++i) {
      const std::uint64_t slot = ledger.memory().reservations.slot_of(ids[i]);
      const std::uint64_t state = ledger.memory().reservations[static_cast<std::uint32_t>(slot)].state;
      const std::size_t at = find(words, {slot, state});
      words[at + 2] = i + 1 == kItems ? kNoSlot : ledger.memory().reservations.slot_of(ids[i + 1]);
      if (i == 0) continue;
      words[at + 1] = as_line(state);
      words[at + 3] = ids[0];
    }
    words[2] = checksum(words);
    return words;
  }
  static std::size_t find(const std::vector<std::uint64_t>& words, std::vector<std::uint64_t> wanted) {
    const auto found = std::search(words.begin(), words.end(), wanted.begin(), wanted.end());
    REQUIRE(found != words.end());
    return static_cast<std::size_t>(found - words.begin());
  }
  std::vector<std::uint64_t> ids;
};

TEST_CASE("a forged reservation of more items than a request can name is refused, held or sold") {
  CHECK(Restored(Joined().held(), 1'000'000).error == SnapshotError::kDamaged);
  CHECK(Restored(Joined().sold(), 1'000'000).error == SnapshotError::kDamaged);
}

TEST_CASE("each operation refuses a chain of more items than a request can name") {
  Joined one;
  ReservationTable& table = one.ledger.memory().reservations;
  for (std::size_t i = 1; i < Joined::kItems; ++i) {
    table[table.slot_of(one.ids[i - 1])].next = table.slot_of(one.ids[i]);
    table[table.slot_of(one.ids[i])].deadline_ns = one.ids[0];
  }
  CHECK(one.cancel(one.ids[0], 1) == ResolveResult::kBadQuantity);
  CHECK(one.change(one.ids[0], 1).result == ResolveResult::kBadQuantity);
  for (const std::uint64_t id : one.ids) table[table.slot_of(id)].sold.fetch_add(1);
  CHECK(one.give_back(one.ids[0]) == ResolveResult::kBadQuantity);
}

TEST_CASE("snapshots and audits while threads work show one moment, in which everything adds up") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kThreads = 3;
  TestLedger one({8, 64, 64, 256, 64});
  one.add(1, 30, 5);
  one.add(2, 1'000, 0, 3);
  std::atomic<unsigned> working{kThreads};
  std::uint64_t taken = 0, wrong = 0;
  in_threads(kThreads + 1, [&](unsigned index) {
    if (index == kThreads) {
      do {
        Restored copy(snapshot_of(one.ledger.memory(), one.now), one.now);
        ++taken;
        wrong += copy.error != SnapshotError::kNone;  // reading a snapshot also audits the ledger
        if (copy.error == SnapshotError::kNone) {
          wrong += copy.one->counts(1).total != 30 || copy.one->counts(2).total != 1'000;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      } while (working != 0);
      return;
    }
    ThreadSlot* thread = one.ledger.thread_slots().acquire();
    Random random(index);
    for (std::uint64_t i = 0; i < repetitions(100'000); ++i) {
      const StockRequest::Line wishes[] = {{sku(2), random.between(1, 9)}, {sku(1), 1}};
      const StockRequest request{wishes, static_cast<std::uint32_t>(random.between(1, 2)),
                                 LedgerUser::number(random.between(1, 9)), number_key(random.next()), kHold};
      const StockAnswer answer =
          one.ledger.reserve(*thread, request, one.now, [&](std::uint64_t) { return !random.once_in(3); });
      if (answer.result == ReserveResult::kReserved) one.ledger.cancel(*thread, answer.reservation, one.now);
    }
    --working;
  });
  CHECK(taken > 0);
  CHECK(wrong == 0);
  CHECK(one.audited());
}

}  // namespace

TEST_SUITE_END();
