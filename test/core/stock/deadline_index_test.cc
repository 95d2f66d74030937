#include "core/stock/deadline_index.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "stress.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("deadline index");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::ZeroedMemory;

// Slots with holds, as in a reservation table, and their index.
template <class Index = DeadlineIndex<>>
struct Holds {
  explicit Holds(std::uint32_t slots) : memory(Index::bytes(slots)), index(memory, slots), deadlines(slots) {
    index.format();
    for (auto& deadline : deadlines) deadline = Index::kNever;
  }

  void hold(std::uint32_t slot, std::uint64_t deadline) {
    deadlines[slot].store(deadline, std::memory_order_release);
    index.insert(slot, deadline);
  }
  // Returns the slots whose holds have expired, in order.
  std::vector<std::uint32_t> look(std::uint64_t now, std::uint32_t slots = LookBudget::kUnlimited) {
    std::vector<std::uint32_t> expired;
    LookBudget budget(slots);
    index.look(now, budget, [&](std::uint32_t slot, std::uint32_t end) {
      std::uint64_t earliest = Index::kNever;
      for (; slot < end; ++slot) {
        ++scanned;
        std::uint64_t deadline = deadlines[slot].load(std::memory_order_acquire);
        if (deadline <= now && budget.left() &&
            deadlines[slot].compare_exchange_strong(deadline, Index::kNever, std::memory_order_acq_rel)) {
          budget.spend(1);
          expired.push_back(slot);
          deadline = Index::kNever;
        }
        earliest = std::min(earliest, deadline);
      }
      return earliest;
    });
    return expired;
  }
  bool covered() const {
    for (std::uint32_t slot = 0; slot < deadlines.size(); ++slot) {
      const std::uint64_t deadline = deadlines[slot];
      if (deadline != Index::kNever && !index.covers(slot, deadline)) return false;
    }
    return true;
  }

  ZeroedMemory memory;
  Index index;
  std::vector<std::atomic<std::uint64_t>> deadlines;
  std::atomic<std::uint64_t> scanned{0};
};

TEST_CASE("a look finds exactly the due holds, in the order of slots, in tables of any size") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  for (const std::uint32_t slots : {1u, 15u, 16u, 17u, 1'024u, 1'025u, 70'000u}) {
    Holds<> holds(slots);
    std::uint64_t now = 1'000;
    CHECK_FALSE(holds.index.due(now));
    for (std::uint64_t round = 0; round < repetitions(400); ++round) {
      for (std::uint64_t i = random.below(20); i != 0; --i) {
        const auto slot = static_cast<std::uint32_t>(random.below(slots));
        if (random.once_in(3)) {
          holds.deadlines[slot] = DeadlineIndex<>::kNever;  // the hold ended in another way; its bound stays
        } else if (holds.deadlines[slot] == DeadlineIndex<>::kNever) {
          holds.hold(slot, now + random.between(1, 200));
        }
      }
      now += random.below(40);
      std::vector<std::uint32_t> due;
      for (std::uint32_t slot = 0; slot < slots && slots < 2'000; ++slot) {
        if (holds.deadlines[slot] <= now) due.push_back(slot);
      }
      if (!due.empty()) REQUIRE(holds.index.due(now));
      const std::vector<std::uint32_t> expired = holds.look(now);
      if (slots < 2'000) REQUIRE(expired == due);
      REQUIRE_FALSE(holds.index.due(now));
    }
    CHECK(holds.covered());
  }
}

TEST_CASE("one due hold among a million is found with a look at its neighbours only") {
  constexpr std::uint32_t kSlots = 1U << 20;
  Holds<> holds(kSlots);
  for (std::uint32_t slot = 0; slot < kSlots; slot += 8) holds.hold(slot, 2'000);
  holds.hold(777'777, 1'000);
  CHECK_FALSE(holds.index.due(999));
  CHECK(holds.index.due(1'000));
  CHECK(holds.look(1'000) == std::vector<std::uint32_t>{777'777});
  CHECK(holds.scanned == 16);
  CHECK_FALSE(holds.index.due(1'999));
  CHECK(holds.look(2'000).size() == kSlots / 8);
}

TEST_CASE("a look that stops at its budget leaves the rest due for the next look") {
  Holds<> holds(4'096);
  for (std::uint32_t slot = 0; slot < 4'096; ++slot) holds.hold(slot, 10);
  std::uint32_t sum = 0;
  for (int looks = 1; holds.index.due(10); ++looks) {
    holds.scanned = 0;
    const auto expired = static_cast<std::uint32_t>(holds.look(10, 512).size());
    REQUIRE(expired > 0);
    REQUIRE(expired <= 512);
    REQUIRE(holds.scanned <= 512);
    sum += expired;
    REQUIRE(holds.covered());
  }
  CHECK(sum == 4'096);
}

TEST_CASE("one look raises the bounds of holds that have ended, and then nothing is due") {
  Holds<> holds(10'000);
  for (std::uint32_t slot = 0; slot < 10'000; ++slot) holds.hold(slot, 10);
  for (auto& deadline : holds.deadlines) deadline = DeadlineIndex<>::kNever;
  holds.hold(5, 11);
  CHECK(holds.index.due(10));
  CHECK(holds.look(10).empty());
  CHECK_FALSE(holds.index.due(10));
  CHECK(holds.look(11) == std::vector<std::uint32_t>{5});
}

TEST_CASE("holds with deadlines beyond the range of a bound are not due too early") {
  Holds<> holds(3);
  constexpr std::uint64_t kLast = DeadlineIndex<>::kNever - 1;
  holds.hold(0, kLast);
  CHECK_FALSE(holds.index.due(kLast - 1));
  CHECK(holds.look(kLast).size() == 1);
}

// Threads insert holds and look at the same time. With small groups, all threads use the same words.
template <class Index>
void meet(std::uint32_t slots_each) {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr unsigned kThreads = 4;
  Holds<Index> holds(kThreads * slots_each);
  std::atomic<std::uint64_t> overlooked{0}, clock{1'000};
  in_threads(kThreads, [&](unsigned index) {
    Random random(index);
    for (std::uint64_t i = 0; i < repetitions(200'000); ++i) {
      const auto slot = static_cast<std::uint32_t>(random.below(slots_each) * kThreads + index);
      if (holds.deadlines[slot] != Index::kNever) {
        holds.look(clock.fetch_add(random.below(3)), random.once_in(2) ? 8 : LookBudget::kUnlimited);
        continue;
      }
      const std::uint64_t deadline = clock.load() + random.below(50);
      holds.hold(slot, deadline);
      if (!random.once_in(4)) continue;
      // A look that begins now, at the deadline, finds the hold, unless another look has found it or is not over yet.
      // This thread asks first whether one is not over yet, because a look may end between the two questions.
      holds.look(deadline);
      const bool over = !holds.index.due(deadline);
      overlooked += over && holds.deadlines[slot] == deadline;
    }
  });
  CHECK(overlooked == 0);
  CHECK(holds.covered());
  holds.look(~0ULL >> 2);
  for (const auto& deadline : holds.deadlines) REQUIRE(deadline == Index::kNever);
}

TEST_CASE("no hold is overlooked, however threads insert and look at the same time") {
  meet<DeadlineIndex<StdAtomics, 2>>(4);
  meet<DeadlineIndex<>>(600);
}

}  // namespace

TEST_SUITE_END();
