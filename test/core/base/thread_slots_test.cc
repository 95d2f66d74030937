#include "core/base/thread_slots.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>

#include "stress.h"

TEST_SUITE_BEGIN("thread slots");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::repetitions;

TEST_CASE("every attached thread has a slot of its own, and one thread too many has none") {
  const auto slots = std::make_unique<ThreadSlots>();
  std::set<ThreadSlot*> owned;
  for (std::uint32_t i = 0; i < kThreadsMax; ++i) {
    ThreadSlot* slot = slots->acquire();
    REQUIRE(slot != nullptr);
    REQUIRE(owned.insert(slot).second);
  }
  CHECK(slots->acquire() == nullptr);
  slots->release(*owned.begin());
  CHECK(slots->acquire() == *owned.begin());
  CHECK(slots->acquire() == nullptr);
}

TEST_CASE("an owner that acquires several times has one slot, which is free after as many releases") {
  const auto slots = std::make_unique<ThreadSlots>();
  ThreadSlot* slot = slots->acquire(7);
  REQUIRE(slot != nullptr);
  for (int i = 0; i < 1'000; ++i) CHECK(slots->acquire(7) == slot);
  std::set<ThreadSlot*> others;
  for (std::uint64_t owner = 100; owner < 99 + kThreadsMax; ++owner) {
    REQUIRE(others.insert(slots->acquire(owner)).second);
  }
  CHECK(others.count(slot) == 0);
  CHECK(slots->acquire(8) == nullptr);
  CHECK(slots->acquire(7) == slot);  // an owner that has a slot needs no other
  for (int i = 0; i < 1'001; ++i) slots->release(slot);
  CHECK(slots->acquire(8) == nullptr);
  slots->release(slot);
  CHECK(slots->acquire(8) == slot);
  CHECK(slots->acquire(7) == nullptr);
}

TEST_CASE("a released slot keeps its counters, so that sums never shrink") {
  const auto slots = std::make_unique<ThreadSlots>();
  ThreadSlot* first = slots->acquire();
  REQUIRE(first != nullptr);
  first->count(3, 10);
  slots->release(first);
  ThreadSlot* second = slots->acquire();
  REQUIRE(second != nullptr);
  second->count(3);
  CHECK(slots->sum(3) == 11);
  CHECK(slots->sum(0) == 0);
  CHECK(slots->sum(kThreadCounters - 1) == 0);
}

TEST_CASE("a sum is 0 if a reader sees more subtracted than added") {
  const auto slots = std::make_unique<ThreadSlots>();
  ThreadSlot* slot = slots->acquire();
  REQUIRE(slot != nullptr);
  slot->count(3, ~std::uint64_t{4});  // -5
  CHECK(slots->sum(3) == 0);
  slot->count(3, 7);
  CHECK(slots->sum(3) == 2);
}

TEST_CASE("no count is lost when threads come, attach more than once, count and go") {
  const auto slots = std::make_unique<ThreadSlots>();
  std::atomic<std::uint64_t> shared{0};
  in_threads(6, [&](unsigned thread) {
    for (std::uint64_t i = 0; i < repetitions(5'000); ++i) {
      ThreadSlot* slot = slots->acquire(1 + thread);
      shared += slots->acquire(1 + thread) != slot;
      shared += slot->inside.exchange(1) != 0;
      for (int n = 0; n < 5; ++n) slot->count(1);
      slot->inside = 0;
      slots->release(slot);
      slots->release(slot);
    }
  });
  CHECK(shared == 0);  // no slot had two owners
  CHECK(slots->sum(1) == 6 * 5 * repetitions(5'000));
}

}  // namespace

TEST_SUITE_END();
