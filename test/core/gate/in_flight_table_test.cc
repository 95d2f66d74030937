#include "core/gate/in_flight_table.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <list>
#include <vector>

#include "stress.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("in-flight table");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::ZeroedMemory;

constexpr std::uint64_t kRecordBytes = 20;

struct Table {
  explicit Table(std::uint32_t capacity)
      : memory(InFlightTable::bytes(capacity, kRecordBytes)), table(memory, kRecordBytes) {
    table.format(capacity);
  }
  std::uint32_t take(std::uint64_t order) {
    std::byte record[kRecordBytes] = {};
    std::memcpy(record, &order, sizeof order);
    return table.take({order + 1, order * 10, {order, 7}}, record);
  }
  std::uint64_t order_in(std::uint32_t entry) const {
    std::uint64_t order;
    std::memcpy(&order, table.record(entry), sizeof order);
    CHECK(table[entry].order.reservation == order + 1);
    CHECK(table[entry].order.hold_ns == order * 10);
    CHECK(table[entry].order.key == Key{order, 7});
    return order;
  }
  std::vector<std::uint64_t> in_hand() {
    std::vector<std::uint64_t> orders;
    table.for_each_in_hand(
        [&](const InFlightTable::Entry& entry) { orders.push_back(entry.order.reservation - 1); });
    return orders;
  }

  ZeroedMemory memory;
  InFlightTable table;
};

using Orders = std::vector<std::uint64_t>;

TEST_CASE(
    "an order that is put back was not delivered: the next consumer gets it in its place, for the first "
    "time") {
  Table one(4);
  one.table.begin();
  const std::uint32_t entries[] = {one.take(10), one.take(11), one.take(12)};
  one.table.put_back(entries[1]);
  CHECK(!one.table.in_hand(entries[1], 1));
  one.table.begin();
  std::vector<std::uint32_t> deliveries;
  for (std::uint64_t order = 10; order < 13; ++order) {
    const std::uint32_t entry = one.table.again();
    CHECK(one.order_in(entry) == order);
    deliveries.push_back(one.table[entry].deliveries);
  }
  CHECK(deliveries == std::vector<std::uint32_t>{2, 1, 2});
  CHECK(one.table.redelivered() == 2);
}

TEST_CASE("the next consumer gets the last one's orders first, in order, with their deliveries counted") {
  Table one(4);
  const std::uint64_t first = one.table.begin();
  CHECK(one.table.again() == InFlightTable::kNone);
  const std::uint32_t entries[] = {one.take(10), one.take(11), one.take(12)};
  for (std::uint64_t i = 0; i < 3; ++i) {
    CHECK(one.order_in(entries[i]) == 10 + i);
    CHECK(one.table[entries[i]].deliveries == 1);
    CHECK(one.table.in_hand(entries[i], first));
  }
  one.table.remove(entries[1]);
  CHECK_FALSE(one.table.in_hand(entries[1], first));
  CHECK(one.in_hand() == Orders{10, 12});

  const std::uint64_t second = one.table.begin();
  CHECK(second != first);
  CHECK(one.in_hand().empty());
  CHECK(one.table.again() == entries[0]);
  CHECK(one.table[entries[0]].deliveries == 2);
  CHECK(one.in_hand() == Orders{10});
  // Order 10 is decided before order 12 is handed out again.
  one.table.remove(entries[0]);
  CHECK(one.table.again() == entries[2]);
  CHECK(one.table.again() == InFlightTable::kNone);
  CHECK(one.in_hand() == Orders{12});
  CHECK(one.order_in(one.take(13)) == 13);
  CHECK(one.in_hand() == Orders{12, 13});
  CHECK(one.table.redelivered() == 2);
  CHECK(one.table.used() == 2);
}

TEST_CASE("an entry is in hand only in the session to which it was handed out last") {
  Table one(2);
  const std::uint64_t first = one.table.begin();
  const std::uint32_t entry = one.take(1);
  const std::uint64_t second = one.table.begin();
  CHECK_FALSE(one.table.in_hand(entry, first));
  CHECK_FALSE(one.table.in_hand(entry, second));  // not yet handed out in this session
  CHECK(one.table.again() == entry);
  CHECK_FALSE(one.table.in_hand(entry, first));
  CHECK(one.table.in_hand(entry, second));
  CHECK_FALSE(one.table.in_hand(entry + 1, second));  // never used
  CHECK_FALSE(one.table.in_hand(InFlightTable::kNone, second));
}

TEST_CASE("the table has room for exactly its capacity, again and again") {
  for (const std::uint32_t capacity : {1u, 2u, 7u}) {
    Table one(capacity);
    one.table.begin();
    for (int round = 0; round < 3; ++round) {
      std::vector<std::uint32_t> entries;
      for (std::uint32_t i = 0; i < capacity; ++i) {
        CHECK(one.table.room() == capacity - i);
        entries.push_back(one.take(i));
      }
      CHECK(one.table.room() == 0);
      for (std::uint32_t i = 0; i < capacity; ++i) CHECK(one.order_in(entries[i]) == i);
      for (const std::uint32_t entry : entries) one.table.remove(entry);
      CHECK(one.table.room() == capacity);
    }
  }
}

TEST_CASE("after random takes, decisions and deaths the table contains what a list contains") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  struct Known {
    std::uint64_t order;
    std::uint32_t entry, deliveries;
    bool in_hand;
  };
  Random random(1);
  for (std::uint64_t round = 0; round < repetitions(200); ++round) {
    const auto capacity = static_cast<std::uint32_t>(random.between(1, 9));
    Table one(capacity);
    std::list<Known> known;
    std::uint64_t session = one.table.begin(), order = 0, redelivered = 0;
    for (int step = 0; step < 300; ++step) {
      auto waiting = known.begin();
      while (waiting != known.end() && waiting->in_hand) ++waiting;
      if (random.once_in(15)) {
        session = one.table.begin();
        for (Known& each : known) each.in_hand = false;
      } else if (random.once_in(2)) {
        if (waiting != known.end()) {
          REQUIRE(one.table.again() == waiting->entry);
          waiting->in_hand = true;
          REQUIRE(one.table[waiting->entry].deliveries == ++waiting->deliveries);
          ++redelivered;
        } else {
          REQUIRE(one.table.again() == InFlightTable::kNone);
          if (one.table.room() != 0) known.push_back({order, one.take(order), 1, true}), ++order;
        }
      } else if (!known.empty()) {
        auto decided = known.begin();
        std::advance(decided, random.below(known.size()));
        REQUIRE(one.table.in_hand(decided->entry, session) == decided->in_hand);
        if (decided->in_hand) {
          REQUIRE(one.order_in(decided->entry) == decided->order);
          one.table.remove(decided->entry);
          known.erase(decided);
        }
      }
      REQUIRE(one.table.used() == known.size());
      REQUIRE(one.table.redelivered() == redelivered);
      Orders in_hand, all;
      for (const Known& each : known) {
        if (each.in_hand) in_hand.push_back(each.order);
        all.push_back(each.order + 1);
      }
      REQUIRE(one.in_hand() == in_hand);
      Orders found;
      one.table.for_each(
          [&](const InFlightTable::Entry& entry) { found.push_back(entry.order.reservation); });
      REQUIRE(found == all);
    }
  }
}

TEST_CASE("consumers that take turns with a lease hand out every order, decide it once, and lose none") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  const std::uint64_t orders = repetitions(20'000);
  Table one(32);
  std::atomic<std::uint64_t> lease{0};
  std::uint64_t next = 0;  // only the thread that has the lease uses this, and the table
  std::vector<int> decided(orders, 0);
  in_threads(3, [&](unsigned thread) {
    Random random(100 + thread);
    for (bool done = false; !done;) {
      std::uint64_t nobody = 0;
      if (!lease.compare_exchange_strong(nobody, thread + 1, std::memory_order_acquire)) {
        std::this_thread::yield();
        continue;
      }
      const std::uint64_t session = one.table.begin();
      std::vector<std::uint32_t> in_hand;
      const std::uint64_t steps = random.between(1, 100);
      for (std::uint64_t step = 0; step < steps; ++step) {
        std::uint32_t entry = one.table.again();
        if (entry == InFlightTable::kNone && next < orders && one.table.room() != 0) entry = one.take(next++);
        if (entry != InFlightTable::kNone) in_hand.push_back(entry);
        if (in_hand.empty() || random.once_in(2)) continue;
        const std::uint64_t at = random.below(in_hand.size());
        CHECK(one.table.in_hand(in_hand[at], session));
        ++decided[one.order_in(in_hand[at])];
        one.table.remove(in_hand[at]);
        in_hand.erase(in_hand.begin() + static_cast<std::ptrdiff_t>(at));
      }
      // The next consumer gets the orders that are in hand now.
      done = next == orders && one.table.used() == 0;
      lease.store(0, std::memory_order_release);
    }
  });
  CHECK(decided == std::vector<int>(orders, 1));
}

}  // namespace

TEST_SUITE_END();
