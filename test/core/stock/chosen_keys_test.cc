// Clients choose ids, users and skus. Here an attacker chooses them, knowing the code but not the secret. If the hash
// had no secret, many of these keys would meet in one place of a table, and others would make two bodies look equal.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/base/hash.h"
#include "core/stock/item_table.h"
#include "core/stock/user_table.h"
#include "counting_atomics.h"
#include "ledger.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("chosen keys");

namespace {

using namespace sluice;
using namespace sluice::test;

// Returns the number `key` with mix(key) == mixed.
std::uint64_t unmix(std::uint64_t mixed) {
  const auto unshift = [](std::uint64_t word, int by) { return word ^ (word >> by) ^ (word >> by >> by); };
  mixed = unshift(mixed, 31) * 0x319642b2d24d8ec3ULL;
  mixed = unshift(mixed, 27) * 0x96de1b173f119089ULL;
  return unshift(mixed, 30);
}

// open_hash() returns the hash that a key would have if there were no secret; number_with() returns the number whose
// key would have a given hash.
std::uint64_t open_hash(const Key& key) { return mix(key.high, key.low); }
std::uint64_t number_with(std::uint64_t hash) {
  return unmix(hash) - (mix(number_key(0).high) + 0x9e3779b97f4a7c15ULL);
}
// The fingerprint of a request's body (here: one line and a user), as it would be if the hash had no secret:
// open_line() returns the hash of the line, and open_body() mixes the user into it.
std::uint64_t open_line(std::uint64_t sku, std::uint64_t quantity) {
  return mix(open_hash(number_key(sku)), quantity);
}
std::uint64_t open_body(std::uint64_t line, std::uint64_t user) {
  return mix(line, open_hash(number_key(user)));
}

TEST_CASE("the hash without a secret can be inverted") {
  for (const std::uint64_t hash : {0ULL, 1ULL, 77ULL, ~0ULL, 0x123456789abcdefULL}) {
    CHECK(mix(unmix(hash)) == hash);
    CHECK(open_hash(number_key(number_with(hash))) == hash);
  }
}

constexpr LedgerShape kLarge{4, 1'024, 8, 65'536, 0};
constexpr std::uint64_t kBuckets = IdTable::homes(65'536);

// Returns the i-th id that shares a bucket with `id` if the hash has no secret.
std::uint64_t neighbour(std::uint64_t id, std::uint64_t i) {
  return number_with(open_hash(number_key(id)) % kBuckets + i * kBuckets);
}

TEST_CASE("chosen ids that are refused do not make the ledger forget a confirmed one") {
  TestLedger one(kLarge);
  one.add(1, 10);
  one.add(2, 0);
  const std::uint64_t bought = one.reserve(1, 1, 0, 5).reservation;
  REQUIRE(one.confirm(bought) == ResolveResult::kDone);
  for (std::uint64_t i = 1; i <= 256; ++i) {
    REQUIRE(one.reserve(2, 1, 0, neighbour(5, i)).result == ReserveResult::kSoldOut);
  }
  const StockAnswer again = one.reserve(1, 1, 0, 5);
  CHECK(again.result == ReserveResult::kDuplicate);
  CHECK(again.reservation == bought);
  CHECK(one.holds(1, 9, 0, 1));
}

TEST_CASE("chosen ids that are held do not lock another id out") {
  TestLedger one(kLarge);
  one.add(1, 1'000);
  for (std::uint64_t i = 1; i <= 256; ++i) {
    REQUIRE(one.reserve(1, 1, 0, neighbour(5, i)).result == ReserveResult::kReserved);
  }
  CHECK(one.reserve(1, 1, 0, 5).result == ReserveResult::kReserved);
}

TEST_CASE("no body can be computed that matches another one: not of another user or a larger quantity") {
  TestLedger one({4, 64, 64, 64, 0});
  one.add(1, 100);
  one.add(2, 100);
  REQUIRE(one.reserve(1, 1, 7, 5).result == ReserveResult::kReserved);
  for (std::uint64_t quantity = 1; quantity <= 50; ++quantity) {
    const std::uint64_t line = open_line(2, quantity);
    const std::uint64_t user = number_with(mix(open_line(1, 1)) + open_hash(number_key(7)) - mix(line));
    REQUIRE(open_body(line, user) == open_body(open_line(1, 1), 7));
    const StockAnswer forged = one.reserve(2, quantity, user, 5);
    CHECK(forged.result == ReserveResult::kIdMismatch);
    CHECK(forged.reservation == 0);
  }
  CHECK(one.reserve(1, 1, 7, 5).result == ReserveResult::kDuplicate);
}

TEST_CASE("the bodies of two requests are equal if their lines, in any order, and their users are") {
  TestLedger one({4, 64, 64, 64, 0});
  for (std::uint64_t number = 1; number <= 3; ++number) one.add(number, 100);
  const std::vector<StockRequest::Line> cart{{sku(1), 1}, {sku(2), 2}, {sku(3), 1}};
  REQUIRE(one.reserve(cart, 7, 5).result == ReserveResult::kReserved);
  CHECK(one.reserve({cart[2], cart[0], cart[1]}, 7, 5).result == ReserveResult::kDuplicate);
  CHECK(one.reserve(cart, 8, 5).result == ReserveResult::kIdMismatch);
  CHECK(one.reserve(cart, 0, 5).result == ReserveResult::kIdMismatch);
  CHECK(one.reserve({cart[0], cart[1]}, 7, 5).result == ReserveResult::kIdMismatch);
  CHECK(one.reserve({{sku(1), 2}, {sku(2), 1}, {sku(3), 1}}, 7, 5).result == ReserveResult::kIdMismatch);
}

TEST_CASE("20,000 chosen users cost what 20,000 others cost") {
  using Users = UserTable<CountingAtomics>;
  constexpr std::uint32_t kCapacity = 65'536;
  constexpr std::uint64_t kMany = 20'000;
  const auto cost = [](auto&& number) {
    ZeroedMemory memory(Users::bytes(kCapacity));
    Users users(memory, kCapacity);
    return loads_of([&] {
      for (std::uint64_t i = 0; i < kMany; ++i) {
        const HashedKey user(kSecret, number_key(number(i)));
        REQUIRE(users.count(user, 0) == 0);
        REQUIRE(users.add(user, 0, 1, 1).result == Users::Add::kAdded);
      }
    });
  };
  const std::uint64_t honest = cost([](std::uint64_t i) { return 1'000 + i; });
  const std::uint64_t chosen = cost([](std::uint64_t i) {
    const std::uint64_t user =
        number_with(unmix(unmix(i * Users::buckets(kCapacity)) - 0x9e3779b97f4a7c15ULL));
    REQUIRE(mix(open_hash(number_key(user)), 0) % Users::buckets(kCapacity) == 0);
    return user;
  });
  CHECK(chosen < honest * 11 / 10);
}

TEST_CASE("a look-up of a chosen sku that is not on sale takes as long as any other") {
  using Items = ItemTable<CountingAtomics>;
  constexpr std::uint32_t kItems = 4'096;
  constexpr std::uint64_t kIndex = Items::index_size(kItems);
  ZeroedMemory memory(Items::bytes(kItems));
  Items items(memory, kItems, kSecret);
  std::vector<bool> taken(kIndex);
  for (std::uint64_t number = 0; number < kItems; ++number) {
    REQUIRE(items.add({number_key(number), {}, 1, 0, 1}) == Items::Added::kAdded);
    std::uint64_t slot = open_hash(number_key(number)) % kIndex;
    while (taken[slot]) slot = (slot + 1) % kIndex;
    taken[slot] = true;
  }
  // Finds the first place of the longest row of taken places: if there were no secret, look-ups that begin there would
  // take longest.
  std::uint64_t begin = 0, longest = 0, run = 0;
  for (std::uint64_t slot = 0; slot < kIndex; ++slot) {
    run = taken[slot] ? run + 1 : 0;
    if (run <= longest) continue;
    longest = run;
    begin = slot + 1 - run;
  }
  const auto cost = [&items](auto&& number) {
    return loads_of([&] {
      for (std::uint64_t i = 1; i <= 2'000; ++i) REQUIRE(items.find(number_key(number(i))) == kNoItem);
    });
  };
  const std::uint64_t honest = cost([](std::uint64_t i) { return 1'000'000 + i; });
  const std::uint64_t chosen = cost([begin](std::uint64_t i) { return number_with(begin + i * kIndex); });
  CHECK(chosen < honest * 3 / 2);
  CHECK(longest > 8);
}

}  // namespace

TEST_SUITE_END();
