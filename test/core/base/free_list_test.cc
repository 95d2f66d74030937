#include "core/base/free_list.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <set>
#include <vector>

#include "halting_atomics.h"
#include "stress.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("free list");

namespace {

using namespace sluice;
using sluice::test::after_next_cas;
using sluice::test::before_next_cas;
using sluice::test::HaltingAtomics;
using sluice::test::in_threads;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::ZeroedMemory;

struct Slots {
  // A fresh list whose positions start at `past`. The sequences in its cells have 32 bits, so if `past` is just below
  // 2^32, they soon wrap around.
  explicit Slots(std::uint32_t count, std::uint64_t past = 0)
      : memory(FreeList<>::bytes(count)), list(memory, count) {
    list.format(count, past);
  }

  ZeroedMemory memory;
  FreeList<> list;
};

TEST_CASE("a fresh list gives out every slot once, then none") {
  for (const std::uint32_t count : {1u, 2u, 3u, 7u, 8u, 100u}) {
    Slots slots(count);
    CHECK(slots.list.size() == count);
    std::set<std::uint32_t> taken;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t slot = slots.list.take();
      REQUIRE(slot < count);
      REQUIRE(taken.insert(slot).second);
    }
    CHECK(slots.list.take() == kNoSlot);
    CHECK(slots.list.size() == 0);
    slots.list.put(*taken.rbegin());
    CHECK(slots.list.take() == *taken.rbegin());
    CHECK(slots.list.take() == kNoSlot);
  }
}

TEST_CASE("the slot that has been free for longest comes first") {
  Slots slots(3);
  const std::uint32_t first = slots.list.take();
  slots.list.put(first);
  CHECK(slots.list.take() != first);
  CHECK(slots.list.take() != first);
  CHECK(slots.list.take() == first);
}

TEST_CASE("a list works as before when the 32-bit sequences in its cells wrap around") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  for (const std::uint32_t count : {1u, 3u, 4u, 50u}) {
    // The second argument is a multiple of the number of cells, as format() requires.
    Slots slots(count, (1ULL << 32) - 4 * FreeList<>::cells(count));
    std::vector<std::uint32_t> taken;
    for (int i = 0; i < 2'000; ++i) {
      if (random.once_in(2)) {
        const std::uint32_t slot = slots.list.take();
        REQUIRE((slot == kNoSlot) == (taken.size() == count));
        if (slot != kNoSlot) taken.push_back(slot);
      } else if (!taken.empty()) {
        const std::size_t which = random.below(taken.size());
        slots.list.put(taken[which]);
        taken.erase(taken.begin() + static_cast<std::ptrdiff_t>(which));
      }
      REQUIRE(slots.list.size() == count - taken.size());
    }
  }
}

TEST_CASE("put() does not wait for a taker that lost the processor, however many rounds other threads make") {
  using List = FreeList<HaltingAtomics>;
  constexpr std::uint32_t kCount = 3;
  ZeroedMemory memory(List::bytes(kCount));
  List list(memory, kCount);
  list.format(kCount);
  for (std::uint32_t rounds = 0; rounds < 100; ++rounds) {
    (rounds % 2 == 0 ? before_next_cas : after_next_cas) = [&] {
      for (std::uint32_t i = 0; i < rounds; ++i) list.put(list.take());
    };
    const std::uint32_t mine = list.take();
    REQUIRE(mine < kCount);
    std::set<std::uint32_t> all{mine};
    for (std::uint32_t i = 1; i < kCount; ++i) all.insert(list.take());
    REQUIRE(all.size() == kCount);
    REQUIRE(list.take() == kNoSlot);
    for (const std::uint32_t slot : all) list.put(slot);
  }
}

TEST_CASE("under contention no slot has two owners and none is lost") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (const std::uint32_t count : {1u, 2u, 5u, 64u}) {
    for (const std::uint64_t past : {0ULL, (1ULL << 32) - 2 * FreeList<>::cells(64)}) {
      CAPTURE(count);
      Slots slots(count, past);
      const auto owners = std::make_unique<std::atomic<unsigned>[]>(count);
      std::atomic<std::uint64_t> shared{0}, strange{0};
      in_threads(6, [&](unsigned index) {
        Random random(index);
        for (std::uint64_t i = 0; i < repetitions(30'000); ++i) {
          const std::uint32_t slot = slots.list.take();
          if (slot == kNoSlot) {
            std::this_thread::yield();
            continue;
          }
          strange += slot >= count;
          shared += owners[slot].fetch_add(1, std::memory_order_relaxed) != 0;
          if (random.once_in(64)) std::this_thread::yield();
          owners[slot].fetch_sub(1, std::memory_order_relaxed);
          slots.list.put(slot);
        }
      });
      REQUIRE(shared == 0);
      REQUIRE(strange == 0);
      REQUIRE(slots.list.size() == count);
      std::set<std::uint32_t> left;
      for (std::uint32_t i = 0; i < count; ++i) left.insert(slots.list.take());
      REQUIRE(left.size() == count);
      REQUIRE(left.count(kNoSlot) == 0);
    }
  }
}

}  // namespace

TEST_SUITE_END();
