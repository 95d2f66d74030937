#include "core/limiter/guest_ring.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>

#include "core/base/spin_lock.h"
#include "stress.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("guest ring");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::repetitions;
using sluice::test::ZeroedMemory;

constexpr std::uint64_t kMax = 8, kStateBytes = 64;
constexpr auto kNobodyStays = [](std::byte*) { return false; };

TEST_CASE("a guest that is moved for another one is found all the while, also without the ring's lock") {
  ZeroedMemory memory(GuestRing::bytes(kMax, kStateBytes));
  GuestRing ring(memory, kMax, kStateBytes, kStateBytes);
  const Key keys[] = {{1, 1}, {2, 1ULL << 31}};  // in two different chains
  SpinLock<> of_set[2];
  for (const Key& key : keys) ring.take(key, false, kNobodyStays, [](std::byte*) {});
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> strangers{0};
  in_threads(3, [&](unsigned index) {
    if (index < 2) {
      while (!done.load(std::memory_order_relaxed)) {
        of_set[index].lock();
        if (!ring.may_know(keys[index])) ++strangers;
        of_set[index].unlock();
      }
      return;
    }
    for (std::uint64_t i = 0; i < repetitions(300'000); ++i) {
      ring.lock();
      // The index of the key that is in slot 0, where no guest may stay.
      const unsigned first = ring.find(keys[0]) == 0 ? 0 : 1;
      ring.unlock();
      // As in a limiter: takes the lock of the key's set, and then the lock of the ring.
      of_set[first].lock();
      ring.lock();
      REQUIRE(ring.settle(0, kNobodyStays) == 1);
      ring.unlock();
      of_set[first].unlock();
    }
    done = true;
  });
  CHECK(strangers == 0);
  CHECK(ring.find(keys[0]) + ring.find(keys[1]) == 1);
}

}  // namespace

TEST_SUITE_END();
