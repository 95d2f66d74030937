#include "core/base/quiesce.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "core/base/thread_slots.h"
#include "stress.h"

TEST_SUITE_BEGIN("quiesce");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::Random;
using sluice::test::repetitions;

TEST_CASE("a reader that no thread disturbs pauses at once, again and again") {
  Quiesce<> quiesce;
  const auto slots = std::make_unique<ThreadSlots>();
  ThreadSlot* slot = slots->acquire();
  for (int i = 0; i < 3; ++i) {
    quiesce.enter(*slot);
    CHECK(slot->inside == 1);
    quiesce.leave(*slot);
    CHECK(slot->inside == 0);
    quiesce.pause(*slots);
    quiesce.resume();
  }
}

TEST_CASE("readers never see an operation half done, and operations never run beside a reader") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  // Only a fence orders one reader before the next. The thread sanitizer does not see fences, so under it there is one
  // reader. quiesce_model.cc has two.
#if defined(__SANITIZE_THREAD__)
  constexpr unsigned kOperators = 3, kReaders = 1;
#else
  constexpr unsigned kOperators = 3, kReaders = 2;
#endif
  Quiesce<> quiesce;
  const auto slots = std::make_unique<ThreadSlots>();
  // The words are not atomic on purpose: only the protocol orders them. Each operation leaves the two words of a pair
  // equal.
  struct alignas(kCacheLine) Pair {
    std::uint64_t first = 0, second = 0;
  };
  Pair pairs[kOperators];
  std::atomic<unsigned> operating{kOperators};
  std::uint64_t torn[kReaders] = {}, shrunk[kReaders] = {};
  in_threads(kOperators + kReaders, [&](unsigned index) {
    if (index < kOperators) {
      ThreadSlot* slot = slots->acquire();
      Random random(index);
      for (std::uint64_t i = 0; i < repetitions(1'000'000); ++i) {
        quiesce.enter(*slot);
        ++pairs[index].first;
        if (random.once_in(1'000)) std::this_thread::yield();
        ++pairs[index].second;
        quiesce.leave(*slot);
      }
      slots->release(slot);
      --operating;
      return;
    }
    const unsigned reader = index - kOperators;
    std::uint64_t before = 0;
    do {
      quiesce.pause(*slots);
      std::uint64_t sum = 0;
      for (const Pair& pair : pairs) {
        torn[reader] += pair.first != pair.second;
        sum += pair.first;
      }
      shrunk[reader] += sum < before;
      before = sum;
      quiesce.resume();
      std::this_thread::yield();
    } while (operating != 0);
  });
  for (unsigned reader = 0; reader < kReaders; ++reader) {
    CHECK(torn[reader] == 0);
    CHECK(shrunk[reader] == 0);
  }
  for (const Pair& pair : pairs) CHECK(pair.first == repetitions(1'000'000));
}

}  // namespace

TEST_SUITE_END();
