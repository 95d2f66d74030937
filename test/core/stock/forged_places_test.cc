// Forged snapshots, whose keys were chosen to meet in one place of a table. A thread that restores one must not be busy
// for ever.
#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "core/base/hash.h"
#include "ledger.h"
#include "platform/ledger_copies.h"

TEST_SUITE_BEGIN("forged places");

namespace {

using namespace sluice;
using namespace sluice::test;

// The high half of the key of a text. The low half, which is chosen here, determines the place of the key.
constexpr std::uint64_t kText = 1ULL << (kKeyBits - 1);

// Returns a snapshot without reservations and ids. It has the items `skus`, and users whose keys have the low halves
// `users`. Each user has bought one unit of the first item.
std::vector<std::uint64_t> forged(const std::vector<std::uint64_t>& skus,
                                  const std::vector<std::uint64_t>& users) {
  std::vector<std::uint64_t> words = {LedgerSnapshot::kMagic, LedgerSnapshot::kVersion, 0};
  const auto put = [&words](std::initializer_list<std::uint64_t> more) { words.insert(words.end(), more); };
  put({skus.size(), 16, users.empty() ? 16 : users.size(), 16, 0});
  put({kHold, 0, 0});  // with a secret of 0
  put({0, skus.size()});
  for (std::size_t i = 0; i < skus.size(); ++i) {
    const std::uint64_t sold = i == 0 ? users.size() : 0;
    put({skus[i], 1, 0, 1, 0, 1, 1, 0, 0, sold, 0, 0, 0});
  }
  put({users.size()});
  for (const std::uint64_t user : users) put({user, kText, 0, 1, 1});
  put({0, 0, 0});
  std::uint64_t sum = mix(words.size());
  for (std::size_t i = LedgerSnapshot::kHeaderWords; i < words.size(); ++i) sum = mix(sum ^ words[i]);
  words[2] = sum;
  return words;
}

SnapshotError restored(const std::vector<std::uint64_t>& snapshot) {
  std::vector<std::uint64_t> words;
  LedgerShape shape;
  REQUIRE(open_snapshot(snapshot.data(), snapshot.size() * 8, words, shape) == SnapshotError::kNone);
  TestLedger one(shape);
  std::memset(one.memory, 0, StockLedger::bytes(shape));
  return read_snapshot(one.ledger.memory(), shape, words, 0, Sweeping::kAsked);
}

TEST_CASE("a snapshot with users chosen for one bucket is refused") {
  std::vector<std::uint64_t> spread, together;
  for (std::uint64_t i = 1; i <= 1'000; ++i) {
    spread.push_back(mix(i));
    together.push_back(i << 32);
  }
  CHECK(restored(forged({1}, spread)) == SnapshotError::kNone);
  CHECK(restored(forged({1}, together)) == SnapshotError::kDamaged);
  // As many users as fit into the bucket and those within its reach are accepted.
  together.resize(UserTable<>::kWays * (UserTable<>::kReachMax + 1));
  CHECK(restored(forged({1}, together)) == SnapshotError::kNone);
}

TEST_CASE("a snapshot with skus chosen for one row of places is refused") {
  std::vector<std::uint64_t> numbers, together;
  for (std::uint64_t i = 0; i < 2'000; ++i) numbers.push_back(i);
  // With a secret of 0 the place of a number follows from mix(number) and the constant mix(1).
  const std::uint64_t mask = ItemTable<>::index_size(2'000) - 1;
  for (std::uint64_t number = 0; together.size() < 2'000; ++number) {
    if ((mix(number) & mask) == 0) together.push_back(number);
  }
  CHECK(restored(forged(numbers, {})) == SnapshotError::kNone);
  CHECK(restored(forged(together, {})) == SnapshotError::kDamaged);
}

}  // namespace

TEST_SUITE_END();
