#include "core/stock/user_table.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "halting_atomics.h"
#include "stress.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("user table");

namespace {

using namespace sluice;
using namespace sluice::test;
using Users = UserTable<>;
using Add = Users::Add;

struct Table {
  static HashedKey hashed(std::uint64_t user) { return {KeySecret{{1, 2}}, number_key(user)}; }
  explicit Table(std::uint32_t capacity) : memory(Users::bytes(capacity)), users(memory, capacity) {}
  Users::Added add(std::uint64_t user, std::uint32_t item, std::uint64_t quantity, std::uint64_t limit) {
    return users.add(hashed(user), item, quantity, limit);
  }
  std::uint64_t count(std::uint64_t user, std::uint32_t item) { return users.count(hashed(user), item); }
  std::uint32_t pairs() const {
    std::uint32_t found = 0;
    for (std::uint32_t entry = 0; entry < users.size(); ++entry) found += users.count_of(entry) != 0;
    return found;
  }
  ZeroedMemory memory;
  Users users;
};

TEST_CASE("what a user has of an item is counted up to its limit, whatever other users have") {
  Table table(4);
  CHECK(table.add(1, 0, 2, 3).result == Add::kAdded);
  CHECK(table.add(1, 0, 2, 3).result == Add::kLimit);
  CHECK(table.add(1, 0, 1, 3).result == Add::kAdded);
  CHECK(table.add(1, 1, 3, 3).result == Add::kAdded);
  CHECK(table.add(2, 0, 4, 3).result == Add::kLimit);
  CHECK(table.count(1, 0) == 3);
  CHECK(table.count(1, 1) == 3);
  CHECK(table.count(2, 0) == 0);
  CHECK(table.users.used() == 2);
}

TEST_CASE("counts up to 2^32 - 1 do not spill into the item or the generation beside them") {
  Table table(4);
  constexpr std::uint64_t kMost = 0xffffffff;
  const std::uint32_t entry = table.add(1, 65'535, kMost - 1, kMost).entry;
  CHECK(table.add(1, 65'535, 2, kMost).result == Add::kLimit);
  CHECK(table.add(1, 65'535, kMost, kMost).result == Add::kLimit);
  CHECK(table.add(1, 65'535, 1, kMost).entry == entry);
  CHECK(table.users.item_of(entry) == 65'535);
  CHECK(table.count(1, 65'535) == kMost);
  table.users.put_back(entry, kMost);
  CHECK(table.count(1, 65'535) == 0);
  CHECK(table.users.used() == 0);
}

TEST_CASE("a full table refuses the next pair, and takes it when a pair has left") {
  Table table(5);
  std::vector<std::uint32_t> entries;
  for (std::uint64_t user = 0; user < 5; ++user) entries.push_back(table.add(user, 0, 1, 9).entry);
  CHECK(table.add(5, 0, 1, 9).result == Add::kFull);
  CHECK(table.add(0, 1, 1, 9).result == Add::kFull);
  CHECK(table.add(3, 0, 1, 9).result == Add::kAdded);
  table.users.put_back(entries[3], 1);
  CHECK(table.add(5, 0, 1, 9).result == Add::kFull);
  table.users.put_back(entries[3], 1);
  CHECK(table.add(5, 0, 1, 9).result == Add::kAdded);
  for (const std::uint64_t user : {0, 1, 2, 4, 5}) CHECK(table.count(user, 0) == 1);
  CHECK(table.count(3, 0) == 0);
}

TEST_CASE("pairs that leave always make room: generations wrap around, and no pair is taken for another") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Table table(3);
  Random random(1);
  std::map<std::uint64_t, std::pair<std::uint32_t, std::uint64_t>> held;  // user: entry, count
  for (std::uint64_t i = 0; i < repetitions(2'000'000); ++i) {
    const std::uint64_t user = random.below(50);
    const auto known = held.find(user);
    if (known != held.end() && random.once_in(2)) {
      table.users.put_back(known->second.first, known->second.second);
      held.erase(known);
      continue;
    }
    const Users::Added added = table.add(user, 7, 2, 5);
    const std::uint64_t before = known == held.end() ? 0 : known->second.second;
    const Add expected = before + 2 > 5                            ? Add::kLimit
                         : known == held.end() && held.size() == 3 ? Add::kFull
                                                                   : Add::kAdded;
    REQUIRE(added.result == expected);
    if (added.result == Add::kAdded) held[user] = {added.entry, before + 2};
    REQUIRE(table.count(user, 7) == (expected == Add::kAdded ? before + 2 : before));
  }
  CHECK(table.users.used() == held.size());
  CHECK(table.pairs() == held.size());
}

TEST_CASE(
    "a thread suspended between look and CAS, while 32,768 pairs have the entry, counts for none of them") {
  using Halting = UserTable<HaltingAtomics>;
  ZeroedMemory memory(Halting::bytes(2));
  Halting users(memory, 2);
  const auto add = [&users](std::uint64_t user) { return users.add(Table::hashed(user), 7, 1, 5); };
  const std::uint32_t entry = add(1).entry;
  before_next_cas = [&] {
    users.put_back(entry, 1);
    for (std::uint64_t other = 2; other <= 32'769; ++other) {
      const Halting::Added added = add(other);
      REQUIRE(added.entry == entry);
      if (other != 32'769) users.put_back(entry, 1);
    }
  };
  const Halting::Added again = add(1);
  CHECK(again.result == Halting::Add::kAdded);
  CHECK(again.entry != entry);
  CHECK(users.count(Table::hashed(32'769), 7) == 1);
  CHECK(users.count(Table::hashed(1), 7) == 1);
}

TEST_CASE("a pair's entry contains its user, also a text, and its item") {
  Table table(8);
  const KeySecret secret{{5, 6}};
  const Key keys[] = {number_key(0), number_key(~0ULL), text_key(secret, "somebody"), text_key(secret, "")};
  for (const Key& key : keys) {
    CHECK(is_ledger_key(key));
    for (const std::uint32_t item : {0u, 65'535u}) {
      const std::uint32_t entry = table.users.add({secret, key}, item, 1, 1).entry;
      CHECK(table.users.user_of(entry) == key);
      CHECK(table.users.item_of(entry) == item);
    }
  }
}

TEST_CASE("threads that add and give back for the same few users never pass a limit and never lose a count") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kThreads = 4;
  constexpr std::uint64_t kUsers = 12, kLimit = 3;  // more users than buckets, so entries change users
  Table table(6);
  std::atomic<std::uint64_t> holding[kUsers] = {};
  std::atomic<std::uint64_t> beyond{0}, strange{0}, full{0}, added{0};
  in_threads(kThreads, [&](unsigned index) {
    Random random(index);
    for (std::uint64_t i = 0; i < repetitions(400'000); ++i) {
      const std::uint64_t user = random.below(kUsers);
      const Users::Added mine = table.add(user, 1, 1, kLimit);
      if (mine.result == Add::kFull) ++full;
      if (mine.result != Add::kAdded) continue;
      ++added;
      // `holding` is raised after add() and lowered before put_back(), so it never exceeds the count in the table.
      beyond += holding[user].fetch_add(1) + 1 > kLimit;
      strange += table.count(user, 1) == 0 || table.users.entry_of(Table::hashed(user), 1) != mine.entry;
      holding[user].fetch_sub(1);
      table.users.put_back(mine.entry, 1);
    }
  });
  CHECK(beyond == 0);
  CHECK(strange == 0);
  CHECK(added > 0);
  CHECK(table.users.used() == 0);
  CHECK(table.pairs() == 0);
}

}  // namespace

TEST_SUITE_END();
