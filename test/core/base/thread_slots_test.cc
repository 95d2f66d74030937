#include "core/base/thread_slots.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>

#include "stress.h"

TEST_SUITE_BEGIN("thread lines");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::repetitions;

TEST_CASE("every attached thread has a slot of its own, and one thread too many has none") {
  const auto lines = std::make_unique<ThreadSlots>();
  std::set<ThreadSlot*> owned;
  for (std::uint32_t i = 0; i < kThreadsMax; ++i) {
    ThreadSlot* line = lines->acquire();
    REQUIRE(line != nullptr);
    REQUIRE(owned.insert(line).second);
  }
  CHECK(lines->acquire() == nullptr);
  lines->release(*owned.begin());
  CHECK(lines->acquire() == *owned.begin());
  CHECK(lines->acquire() == nullptr);
}

TEST_CASE("an owner that acquires several times has one slot, which is free after as many releases") {
  const auto lines = std::make_unique<ThreadSlots>();
  ThreadSlot* line = lines->acquire(7);
  REQUIRE(line != nullptr);
  for (int i = 0; i < 1'000; ++i) CHECK(lines->acquire(7) == line);
  std::set<ThreadSlot*> others;
  for (std::uint64_t owner = 100; owner < 99 + kThreadsMax; ++owner) {
    REQUIRE(others.insert(lines->acquire(owner)).second);
  }
  CHECK(others.count(line) == 0);
  CHECK(lines->acquire(8) == nullptr);
  CHECK(lines->acquire(7) == line);  // an owner that has a slot needs no other
  for (int i = 0; i < 1'001; ++i) lines->release(line);
  CHECK(lines->acquire(8) == nullptr);
  lines->release(line);
  CHECK(lines->acquire(8) == line);
  CHECK(lines->acquire(7) == nullptr);
}

TEST_CASE("a released slot keeps its counters, so that sums never shrink") {
  const auto lines = std::make_unique<ThreadSlots>();
  ThreadSlot* first = lines->acquire();
  REQUIRE(first != nullptr);
  first->count(3, 10);
  lines->release(first);
  ThreadSlot* second = lines->acquire();
  REQUIRE(second != nullptr);
  second->count(3);
  CHECK(lines->sum(3) == 11);
  CHECK(lines->sum(0) == 0);
  CHECK(lines->sum(kThreadCounters - 1) == 0);
}

TEST_CASE("no count is lost when threads come, attach more than once, count and go") {
  const auto lines = std::make_unique<ThreadSlots>();
  std::atomic<std::uint64_t> shared{0};
  in_threads(6, [&](unsigned thread) {
    for (std::uint64_t i = 0; i < repetitions(5'000); ++i) {
      ThreadSlot* line = lines->acquire(1 + thread);
      shared += lines->acquire(1 + thread) != line;
      shared += line->inside.exchange(1) != 0;
      for (int n = 0; n < 5; ++n) line->count(1);
      line->inside = 0;
      lines->release(line);
      lines->release(line);
    }
  });
  CHECK(shared == 0);  // no slot had two owners
  CHECK(lines->sum(1) == 6 * 5 * repetitions(5'000));
}

}  // namespace

TEST_SUITE_END();
