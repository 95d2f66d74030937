// A call is repeated until each of its allocations has failed once: first the first one, then the second, and so on.
// The global allocator is replaced for all suites of the binary, but fails only in this suite.
#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

#include "ledger.h"

namespace {

thread_local std::int64_t fails_at = -1;  // how many allocations succeed before one fails; negative: all do
thread_local std::int64_t live = 0;       // allocations that this thread has not freed

// Returns nullptr if the allocation fails.
void* try_to_allocate(std::size_t bytes) noexcept {
  if (fails_at >= 0 && fails_at-- == 0) return nullptr;
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory != nullptr) ++live;
  return memory;
}
void* allocate(std::size_t bytes) {
  void* memory = try_to_allocate(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void release(void* memory) noexcept {
  if (memory != nullptr) --live;
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes); }
void* operator new[](std::size_t bytes) { return allocate(bytes); }
// The standard library uses these too, for example in std::stable_sort.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return try_to_allocate(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return try_to_allocate(bytes); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }

TEST_SUITE_BEGIN("out of memory");

namespace {

using namespace sluice;
using namespace sluice::test;

// Calls `act` with its first allocation failing, then with its second, until no allocation fails. After each call it
// checks that nothing is left allocated, and calls `sound`. `act` must not assert, because an assertion would catch the
// exception. Returns how many calls failed.
template <class Act, class Sound>
int fail_each_allocation(Act&& act, Sound&& sound) {
  for (int failures = 0;; ++failures) {
    const std::int64_t before = live;
    bool failed = false;
    fails_at = failures;
    try {
      act();
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    fails_at = -1;
    const std::int64_t after = live;
    REQUIRE(after == before);
    sound();
    if (!failed) return failures;
  }
}

constexpr LedgerShape kShape{4, 200, 200, 64, 8};

struct Used : TestLedger {
  Used() : TestLedger(kShape) {
    add(1, 1'000, 20, 2);
    add(2, 1'000);
    for (std::uint64_t user = 1; user <= 60; ++user) {
      const StockAnswer answer = reserve({{sku(1), 1}, {sku(2), 2}}, user, 100 + user);
      if (user % 4 == 0) confirm(answer.reservation);
    }
  }
  // If the ledger were still paused, each of these calls would wait for ever.
  void works() {
    const StockAnswer answer = reserve(1, 1, 7);
    REQUIRE(answer.result == ReserveResult::kReserved);
    REQUIRE(cancel(answer.reservation) == ResolveResult::kDone);
    REQUIRE(audited());
  }
};

TEST_CASE("an audit that gets no memory changes nothing in the ledger") {
  Used one;
  const int failures = fail_each_allocation([&] { audit(one.ledger.memory()); }, [&] { one.works(); });
  CHECK(failures == 1);  // it allocates once, before it pauses other threads
}

TEST_CASE("a snapshot that gets no memory changes nothing in the ledger") {
  Used one;
  const int failures =
      fail_each_allocation([&] { snapshot_of(one.ledger.memory(), one.now); }, [&] { one.works(); });
  CHECK(failures > 8);
}

TEST_CASE("a snapshot is restored only where there is memory for it") {
  Used one;
  const std::vector<std::uint64_t> words = snapshot_of(one.ledger.memory(), one.now);
  int restored = 0;
  const int failures = fail_each_allocation(
      [&] {
        std::vector<std::uint64_t> opened;
        LedgerShape shape;
        if (open_snapshot(words.data(), words.size() * 8, opened, shape) != SnapshotError::kNone) return;
        ZeroedMemory memory(StockLedger::bytes(shape));
        StockLedger ledger(memory, shape);
        restored +=
            read_snapshot(ledger.memory(), shape, opened, one.now, Sweeping::kAsked) == SnapshotError::kNone;
      },
      [] {});
  CHECK(failures == 2);
  CHECK(restored == 1);
}

}  // namespace

TEST_SUITE_END();
