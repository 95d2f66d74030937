#include "core/limiter/limiter_waiters.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "stress.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("limiter line");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::ZeroedMemory;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kEpoch = 77 * kSecond;

struct Lined {
  Lined(const LimiterConfig& config, std::uint32_t max)
      : memory(Limiter::bytes(config)),
        line_memory(LimiterWaiters::bytes(max)),
        limiter(memory, config),
        line(limiter, line_memory, max),
        manual(kEpoch),
        clock(&manual) {
    limiter.format(config, kEpoch, KeySecret{{1, 2}});
    line.format();
  }

  ZeroedMemory memory, line_memory;
  Limiter limiter;
  LimiterWaiters line;
  ManualClock manual;
  Clock clock;
};

LimiterConfig depth_of(std::uint64_t max, std::uint64_t keys) {
  LimiterConfig config;
  config.has_depth = true;
  config.depth_max = max;
  config.keys_max = keys;
  return config;
}

TEST_CASE("waiters are served in order, and a waiter that leaves lets the next one move up") {
  Lined lined(depth_of(2, 0), 4);
  ThreadSlot* thread = lined.limiter.thread_slots().acquire();
  LimiterWaiters::Woken woken;
  std::uint64_t depth = 0;
  const LimiterWaiters::Asking asking{*thread, lined.clock, depth, woken};
  LimiterWaiters::Owner owners[4]{{1}, {2}, {3}, {4}};
  const auto join = [&](std::uint64_t cost, LimiterWaiters::Owner& owner) {
    return lined.line.join(asking, kEpoch, {cost, kNever, owner, nullptr});
  };
  const auto told = [&](std::uint64_t owner) { return lined.line.told(owners[owner - 1]); };
  REQUIRE(join(2, owners[0]).waiter == LimiterWaiters::kNone);
  const auto big = join(2, owners[1]), small = join(1, owners[2]), last = join(1, owners[3]);
  REQUIRE(lined.line.waiting() == 3);
  REQUIRE(lined.limiter.release(*thread, 1));
  lined.line.given_back(asking, kEpoch, nullptr);
  CHECK(told(2).outcome == LimiterWaiters::Told::kFront);  // 1 is free, but the first waiter wants 2
  CHECK(told(2).outcome == LimiterWaiters::Told::kNothing);
  woken.count = 0;
  lined.line.leave(asking, kEpoch, big.waiter);
  REQUIRE(woken.count == 2);
  CHECK(woken.owners[0] == 3);
  CHECK(woken.owners[1] == 4);  // now at the front
  const auto front = told(4), served = told(3);
  CHECK(served.outcome == LimiterWaiters::Told::kServed);
  CHECK(served.waiter == small.waiter);
  CHECK(front.outcome == LimiterWaiters::Told::kFront);
  CHECK(front.waiter == last.waiter);
  CHECK(told(3).outcome == LimiterWaiters::Told::kNothing);
  CHECK(told(4).outcome == LimiterWaiters::Told::kNothing);
  CHECK(lined.limiter.in_flight() == 2);
}

TEST_CASE(
    "told() reports a waiter as the front when the one before it leaves, and reports none that has left") {
  Lined lined(depth_of(1, 0), 4);
  ThreadSlot* thread = lined.limiter.thread_slots().acquire();
  LimiterWaiters::Woken woken;
  std::uint64_t depth = 0;
  const LimiterWaiters::Asking asking{*thread, lined.clock, depth, woken};
  LimiterWaiters::Owner owner{1};
  const auto join = [&] { return lined.line.join(asking, kEpoch, {1, kNever, owner, nullptr}); };
  REQUIRE(join().waiter == LimiterWaiters::kNone);
  const auto first = join(), second = join(), third = join();
  lined.line.leave(asking, kEpoch, first.waiter);
  const auto front = lined.line.told(owner);
  CHECK(front.outcome == LimiterWaiters::Told::kFront);
  CHECK(front.waiter == second.waiter);
  REQUIRE(lined.limiter.release(*thread, 1));
  lined.line.given_back(asking, kEpoch, nullptr);   // serves the second waiter, and lists it as served
  lined.line.leave(asking, kEpoch, second.waiter);  // before the owner has read that it was served
  const auto served = lined.line.told(owner);
  CHECK(served.outcome == LimiterWaiters::Told::kServed);
  CHECK(served.waiter == third.waiter);
  CHECK(lined.line.told(owner).outcome == LimiterWaiters::Told::kNothing);
  CHECK(lined.limiter.in_flight() == 1);
}

TEST_CASE("a depth that follows a queue serves no more waiters than the queue has room for") {
  LimiterConfig config = depth_of(100, 0);
  config.depth_of_queue = true;
  constexpr std::uint32_t kWaiting = 300;
  Lined lined(config, kWaiting);
  ThreadSlot* thread = lined.limiter.thread_slots().acquire();
  LimiterWaiters::Owner owner{1};
  const auto asking_at = [&](std::uint64_t& depth, LimiterWaiters::Woken& woken) {
    return LimiterWaiters::Asking{*thread, lined.clock, depth, woken};
  };
  std::uint64_t full = 100;
  for (std::uint32_t i = 0; i < kWaiting; ++i) {
    LimiterWaiters::Woken woken;
    lined.line.join(asking_at(full, woken), kEpoch, {1, kNever, owner, nullptr});
  }
  REQUIRE(lined.line.waiting() == kWaiting);
  std::uint64_t depth = 0;
  for (bool more = true; more;) {
    LimiterWaiters::Woken woken;
    lined.line.given_back(asking_at(depth, woken), kEpoch, nullptr);
    more = woken.full();
  }
  CHECK(depth == 100);
  CHECK(lined.line.waiting() == kWaiting - 100);
}

TEST_CASE("a review walks over a waiting line once, however many have expired behind those that stay") {
  constexpr std::uint32_t kPatient = 200, kLate = 300;
  Lined lined(depth_of(1, 0), kPatient + kLate);
  ThreadSlot* thread = lined.limiter.thread_slots().acquire();
  LimiterWaiters::Woken woken;
  std::uint64_t depth = 0;
  const LimiterWaiters::Asking asking{*thread, lined.clock, depth, woken};
  LimiterWaiters::Owner owners[2]{{1}, {2}};
  const auto join = [&](std::uint64_t patience, LimiterWaiters::Owner& owner) {
    return lined.line.join(asking, kEpoch, {1, patience, owner, nullptr});
  };
  REQUIRE(join(kNever, owners[0]).waiter == LimiterWaiters::kNone);
  for (std::uint32_t i = 0; i < kPatient; ++i) join(kNever, owners[0]);
  for (std::uint32_t i = 0; i < kLate; ++i) join(kSecond, owners[i % 2]);
  const std::uint64_t late = kEpoch + 2 * kSecond;
  SUBCASE("of one state") { lined.line.review_of(asking, late, nullptr); }
  SUBCASE("of all states") { lined.line.review(asking, late, 0); }
  CHECK(lined.line.waiting() == kPatient);
  CHECK(woken.full());
  CHECK(woken.missed);
  LimiterWaiters::Woken all;
  CHECK(lined.line.listed(all, 0) == kPatient + kLate);
  REQUIRE(all.count == 2);
  CHECK(all.owners[0] + all.owners[1] == 3);
  CHECK_FALSE(all.missed);
}

TEST_CASE("when the limits are no longer enforced, every waiter is served, and only depth is charged") {
  LimiterConfig config = depth_of(1, 0);
  config.window_count = 1;
  config.windows[0].sliding = {5, 1'000 * kSecond, 1};
  Lined lined(config, 4);
  ThreadSlot* thread = lined.limiter.thread_slots().acquire();
  LimiterWaiters::Woken woken;
  std::uint64_t depth = 0;
  const LimiterWaiters::Asking asking{*thread, lined.clock, depth, woken};
  LimiterWaiters::Owner owner{1};
  const auto join = [&](std::uint64_t patience) {
    return lined.line.join(asking, kEpoch, {1, patience, owner, nullptr});
  };
  REQUIRE(join(kNever).waiter == LimiterWaiters::kNone);
  const auto first = join(kSecond), second = join(kNever), third = join(kNever);
  REQUIRE(lined.line.waiting() == 3);
  lined.limiter.configure(lined.clock, [](LimiterConfig& next, std::uint64_t) { next.enforce = false; });
  // Even the first waiter is served, although its time is over.
  SUBCASE("by a review") { lined.line.review(asking, kEpoch + 2 * kSecond, 0); }
  SUBCASE("by an owner") { lined.line.tend(asking, kEpoch + 2 * kSecond, first.waiter); }
  CHECK(lined.line.waiting() == 0);
  const auto sum = [&](std::uint32_t counter) { return lined.limiter.thread_slots().sum(counter); };
  CHECK(lined.limiter.in_flight() == 4);
  CHECK(sum(Limiter::kDryRefusals) == 3);
  CHECK(sum(Limiter::kByQueueDepth) == 3);
  const auto left = [&] { return lined.limiter.rooms(*thread, kEpoch + 2 * kSecond, 0).windows[0].left; };
  CHECK(left() == 4);
  lined.line.leave(asking, kEpoch + 2 * kSecond, second.waiter);  // its owner has not read that it was served
  CHECK(left() == 4);
  CHECK(lined.limiter.in_flight() == 3);
  CHECK(sum(Limiter::kDryRefusals) == 2);
  CHECK(sum(Limiter::kByQueueDepth) == 2);
  CHECK(sum(Limiter::kAllowed) == 1);
  for (const auto& waiter : {first, third}) {
    const auto told = lined.line.told(owner);
    CHECK(told.outcome == LimiterWaiters::Told::kServed);
    CHECK(told.waiter == waiter.waiter);
    CHECK(told.refusal.tier == Tier::kQueueDepth);
  }
  CHECK(lined.line.told(owner).outcome == LimiterWaiters::Told::kNothing);
}

TEST_CASE("a dry run lets no wait end by its deadline, even if one call cannot serve all waiters") {
  constexpr std::uint32_t kWaiting = 2 * WokenOwners::kMax;
  Lined lined(depth_of(1, 0), kWaiting);
  ThreadSlot* thread = lined.limiter.thread_slots().acquire();
  LimiterWaiters::Woken woken;
  std::uint64_t depth = 0;
  const LimiterWaiters::Asking asking{*thread, lined.clock, depth, woken};
  LimiterWaiters::Owner owner{1};
  LimiterWaiters::Joined last;
  for (std::uint32_t i = 0; i <= kWaiting; ++i) {
    last = lined.line.join(asking, kEpoch, {1, kSecond, owner, nullptr});
  }
  REQUIRE(lined.line.waiting() == kWaiting);
  lined.limiter.configure(lined.clock, [](LimiterConfig& next, std::uint64_t) { next.enforce = false; });
  woken = {};
  lined.line.tend(asking, kEpoch + 2 * kSecond, last.waiter);
  CHECK(woken.full());
  woken = {};
  lined.line.given_back(asking, kEpoch + 2 * kSecond, nullptr);
  CHECK(lined.line.waiting() == 0);
  for (std::uint32_t i = 0; i < kWaiting; ++i) {
    REQUIRE(lined.line.told(owner).outcome == LimiterWaiters::Told::kServed);
  }
}

// While told() runs for one owner, the pages of memory that contain only entries of the other owner are inaccessible: a
// step through one of these entries would end the test's process.
TEST_CASE("told() for one owner takes no step through the entries of another") {
  constexpr std::uint32_t kOthers = 1000, kOwn = 20;
  Lined lined(depth_of(kOthers + kOwn, 0), kOthers + kOwn);
  ThreadSlot* thread = lined.limiter.thread_slots().acquire();
  LimiterWaiters::Woken woken;
  std::uint64_t depth = 0;
  const LimiterWaiters::Asking asking{*thread, lined.clock, depth, woken};
  LimiterWaiters::Owner other{1}, own{2};
  REQUIRE(lined.line.join(asking, kEpoch, {kOthers + kOwn, kNever, own, nullptr}).waiter ==
          LimiterWaiters::kNone);
  const auto join = [&](LimiterWaiters::Owner& owner) {
    return lined.line.join(asking, kEpoch, {1, kNever, owner, nullptr}).waiter;
  };
  for (std::uint32_t i = 0; i < kOthers; ++i) REQUIRE(join(other) == i);  // this owner's entries come first
  for (std::uint32_t i = 0; i < kOwn; ++i) REQUIRE(join(own) == kOthers + i);
  REQUIRE(lined.limiter.release(*thread, kOthers + kOwn));
  do {
    woken = {};
    lined.line.given_back(asking, kEpoch, nullptr);
  } while (woken.full());
  REQUIRE(lined.line.waiting() == 0);

  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  std::byte* waiters = lined.line_memory.get() + sizeof(LimiterWaiters::Control);
  const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(waiters);
  const std::uintptr_t begin = (at + page - 1) / page * page;
  const std::uintptr_t end = (at + kOthers * sizeof(LimiterWaiters::Waiter)) / page * page;
  REQUIRE(begin < end);
  const auto allow = [&](int protection) {
    return mprotect(waiters + (begin - at), end - begin, protection) == 0;
  };
  REQUIRE(allow(PROT_NONE));
  std::uint32_t heard = 0;
  while (lined.line.told(own).outcome == LimiterWaiters::Told::kServed) ++heard;
  REQUIRE(allow(PROT_READ | PROT_WRITE));
  CHECK(heard == kOwn);
  for (heard = 0; lined.line.told(other).outcome == LimiterWaiters::Told::kServed;) ++heard;
  CHECK(heard == kOthers);
}

TEST_CASE(
    "owners that come and go share the lists, and told() for an old owner reports nothing of the list's new "
    "owner") {
  Lined lined(depth_of(1, 0), 2);
  ThreadSlot* thread = lined.limiter.thread_slots().acquire();
  LimiterWaiters::Woken woken;
  std::uint64_t depth = 0;
  const LimiterWaiters::Asking asking{*thread, lined.clock, depth, woken};
  LimiterWaiters::Owner first{1}, stays{2};
  const auto join = [&](LimiterWaiters::Owner& owner) {
    return lined.line.join(asking, kEpoch, {1, kNever, owner, nullptr}).waiter;
  };
  REQUIRE(join(first) == LimiterWaiters::kNone);
  REQUIRE(join(stays) != LimiterWaiters::kNone);
  lined.line.leave(asking, kEpoch, join(first));
  for (std::uint64_t number = 3; number < 100; ++number) {
    LimiterWaiters::Owner passing{number};
    const std::uint32_t waiter = join(passing);
    REQUIRE(waiter != LimiterWaiters::kNone);
    REQUIRE(passing.list == first.list);
    lined.line.leave(asking, kEpoch, waiter);
  }
  LimiterWaiters::Owner last{100};
  REQUIRE(join(last) != LimiterWaiters::kNone);
  lined.line.abandon(asking, kEpoch, stays, 0);
  REQUIRE(lined.limiter.release(*thread, 1));
  lined.line.given_back(asking, kEpoch, nullptr);
  CHECK(lined.line.told(first).outcome == LimiterWaiters::Told::kNothing);
  CHECK(lined.line.told(stays).outcome == LimiterWaiters::Told::kNothing);
  CHECK(lined.line.told(last).outcome == LimiterWaiters::Told::kServed);
  CHECK(lined.line.told(last).outcome == LimiterWaiters::Told::kNothing);
}

TEST_CASE(
    "a waiter that was served and leaves gives back what it holds, also if its key was forgotten meanwhile") {
  Lined lined(depth_of(1, 8), 4);
  ThreadSlot* thread = lined.limiter.thread_slots().acquire();
  LimiterWaiters::Woken woken;
  std::uint64_t depth = 0;
  const LimiterWaiters::Asking asking{*thread, lined.clock, depth, woken};
  const auto key = [&](std::uint64_t number) {
    return lined.limiter.key(KeyKind::kNumber, &number, sizeof number);
  };
  const auto decide = [&](std::uint64_t number) {
    const Key asked = key(number);
    return lined.limiter.decide(*thread, lined.clock, kEpoch, 1, 0, &asked).refused_by == Tier::kNone;
  };
  for (std::uint64_t number = 0; number < 16 + 2; ++number) REQUIRE(decide(number));
  const Key guest = key(17);
  LimiterWaiters::Owner owner{1};
  const auto joined = lined.line.join(asking, kEpoch, {1, kNever, owner, &guest});
  REQUIRE(joined.waiter != LimiterWaiters::kNone);
  REQUIRE(lined.limiter.release(*thread, 1, &guest));
  lined.line.given_back(asking, kEpoch, &guest);
  REQUIRE(woken.count == 1);
  for (std::uint64_t number = 100; number < 164; ++number) REQUIRE(decide(number));
  REQUIRE(lined.limiter.thread_slots().sum(Limiter::kForgotten) == 2);
  const std::uint64_t before = lined.limiter.in_flight();
  lined.line.leave(asking, kEpoch, joined.waiter);
  CHECK(lined.limiter.in_flight() == before - 1);
}

TEST_CASE("every guest may wait, whichever slot it has, until all slots that may stay are taken") {
  Lined lined(depth_of(1, 8), 128);
  ThreadSlot* thread = lined.limiter.thread_slots().acquire();
  LimiterWaiters::Woken woken;
  std::uint64_t depth = 0;
  const LimiterWaiters::Asking asking{*thread, lined.clock, depth, woken};
  const auto key = [&](std::uint64_t number) {
    return lined.limiter.key(KeyKind::kNumber, &number, sizeof number);
  };
  LimiterWaiters::Owner owner{1};
  const auto join = [&](std::uint64_t number, std::uint64_t patience) {
    const Key asked = key(number);
    return lined.line.join(asking, kEpoch, {1, patience, owner, &asked});
  };
  constexpr std::uint64_t kPlaces = 16;
  constexpr std::uint64_t kStaying = 64 - 64 / GuestRing::kStride;
  for (std::uint64_t number = 0; number < kPlaces + 64; ++number) {
    const LimiterWaiters::Joined first = join(number, kNever);  // takes the whole limit of the key
    REQUIRE((first.decision.refused_by == Tier::kNone && first.waiter == LimiterWaiters::kNone));
    if (number < kPlaces) continue;
    const LimiterWaiters::Joined second = join(number, kNever);
    CAPTURE(number);
    if (number < kPlaces + kStaying) {
      CHECK(second.waiter != LimiterWaiters::kNone);
    } else {
      CHECK(second.waiter == LimiterWaiters::kNone);
      CHECK(second.decision.refused_by == Tier::kLine);
    }
  }
  CHECK(lined.line.waiting() == kStaying);
  CHECK(lined.limiter.thread_slots().sum(Limiter::kByLine) == 64 - kStaying);
  CHECK(lined.limiter.thread_slots().sum(Limiter::kAllowed) == kPlaces + 64);
  CHECK(lined.limiter.thread_slots().sum(Limiter::kForgotten) == 0);
}

TEST_CASE("when threads wait, leave and release, every waiter is served and nothing is left over") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (std::uint64_t round = 0; round < repetitions(60); ++round) {
    const bool keyed = round % 2 == 1;
    Lined lined(depth_of(2, keyed ? 16 : 0), 64);
    constexpr unsigned kThreads = 4;
    std::atomic<std::uint64_t> done{0};
    std::atomic<std::uint64_t> held_of[2]{};  // what the threads hold of each key
    in_threads(kThreads, [&](unsigned index) {
      Random random(round * kThreads + index);
      ThreadSlot* thread = lined.limiter.thread_slots().acquire();
      LimiterWaiters::Owner owner{index + 1};
      for (int i = 0; i < 200; ++i) {
        LimiterWaiters::Woken woken;
        std::uint64_t depth = 0;
        const LimiterWaiters::Asking asking{*thread, lined.clock, depth, woken};
        const std::uint64_t number = random.below(2);
        const Key chosen = lined.limiter.key(KeyKind::kNumber, &number, sizeof number);
        const Key* key = keyed ? &chosen : nullptr;
        const std::uint64_t cost = random.between(1, 2);
        const auto joined = lined.line.join(asking, kEpoch, {cost, kNever, owner, key});
        bool held = joined.decision.refused_by == Tier::kNone;
        if (joined.waiter != LimiterWaiters::kNone) {
          if (random.once_in(5)) {
            lined.line.leave(asking, kEpoch, joined.waiter);
          } else {
            // The release by another thread serves this waiter. If a wake-up were lost, this loop would never end.
            for (auto told = lined.line.told(owner); told.outcome != LimiterWaiters::Told::kServed;
                 told = lined.line.told(owner)) {
              if (told.outcome == LimiterWaiters::Told::kNothing) std::this_thread::yield();
            }
            held = true;
          }
        }
        if (held) {
          if (keyed) {
            // Of each key at most 2 are held. in_flight() cannot show that: it adds up the threads' counters, which
            // change meanwhile.
            REQUIRE(held_of[number].fetch_add(cost) + cost <= 2);
            held_of[number].fetch_sub(cost);
          } else {
            REQUIRE(lined.limiter.in_flight() <= 2);
          }
          REQUIRE(lined.limiter.release(*thread, cost, key));
          lined.line.given_back(asking, kEpoch, key);
          ++done;
        }
      }
      lined.limiter.thread_slots().release(thread);
    });
    REQUIRE(done > 0);
    REQUIRE(lined.line.waiting() == 0);
    REQUIRE(lined.limiter.in_flight() == 0);
  }
}

}  // namespace

TEST_SUITE_END();
