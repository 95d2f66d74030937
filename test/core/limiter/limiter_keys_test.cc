#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "core/limiter/limiter.h"
#include "keyed_limiter.h"
#include "limiter_tiers.h"
#include "stress.h"

TEST_SUITE_BEGIN("limiter keys");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::kEpoch;
using sluice::test::Keyed;
using sluice::test::keyed;
using sluice::test::kSecond;
using sluice::test::Random;
using sluice::test::repetitions;

TEST_CASE("the fingerprint of a key depends on its octets, its kind and the limiter's secret") {
  const char text[] = "0123456789abcdefg";
  const KeySecret secret{{1, 2}}, other{{1, 3}};
  const Key key = KeyHash::of(secret, KeyKind::kString, text, 16);
  CHECK(key == KeyHash::of(secret, KeyKind::kString, text, 16));
  CHECK_FALSE(key == KeyHash::of(secret, KeyKind::kString, text, 15));
  CHECK_FALSE(key == KeyHash::of(secret, KeyKind::kString, text, 17));
  CHECK_FALSE(key == KeyHash::of(secret, KeyKind::kString, text + 1, 16));
  CHECK_FALSE(key == KeyHash::of(secret, KeyKind::kNumber, text, 16));
  CHECK_FALSE(key == KeyHash::of(other, KeyKind::kString, text, 16));
}

TEST_CASE("each key has its own limit, and the keys together have none") {
  Keyed keyed_limiter(keyed(100, 3, 0, 0));
  for (std::uint64_t key = 0; key < 100; ++key) {
    for (int i = 0; i < 3; ++i) REQUIRE(keyed_limiter.ask(key) == Tier::kNone);
    REQUIRE(keyed_limiter.ask(key) == Tier::kTokenBucket);
  }
  CHECK(keyed_limiter.sum(Limiter::kOverflowed) == 0);
}

TEST_CASE("a million new keys make the limiter forget neither debt nor block of a key that has a place") {
  Keyed flooded(keyed(1'000, 3, 100, 0));
  constexpr std::uint64_t kSpender = 1, kBlocked = 3;
  const Key blocked = flooded.key_of(kBlocked);
  REQUIRE(flooded.limiter.block(*flooded.thread, flooded.clock.now(), 1'000'000 * kSecond, &blocked));
  std::uint64_t spender_passed = 0;
  while (flooded.ask(kSpender) == Tier::kNone) ++spender_passed;
  REQUIRE(spender_passed == 3);
  const std::uint64_t flood = repetitions(1'000'000);
  for (std::uint64_t i = 0; i < flood; ++i) {
    flooded.ask(1'000 + i);
    if (i % (flood / 100) != 0) continue;
    flooded.manual.advance(kSecond / 10);  // 100 times during the flood, so 10 seconds in all
    REQUIRE(flooded.ask(kBlocked) == Tier::kBlocked);
    if (flooded.ask(kSpender) == Tier::kNone) ++spender_passed;
  }
  CHECK(spender_passed <= 3 + 10);  // one a second, as if there had been no flood
  CHECK(spender_passed >= 3 + 9);
  CHECK(flooded.sum(Limiter::kForgotten) > 0);
}

// How a flood uses each of its keys.
struct Flood {
  const char* name;
  int uses;
  bool keeps_charged;  // the flood comes back to its keys, so that they never recover
  bool holds;          // the flood never releases its depth
};

TEST_CASE("however a flood uses its keys, no first request of a new key is refused") {
  for (const Flood& flood : {Flood{"once", 1, false, false}, Flood{"twice", 2, false, false},
                             Flood{"three times", 3, false, false}, Flood{"to the limit", 9, false, false},
                             Flood{"kept charged", 3, true, false}, Flood{"kept in flight", 3, true, true}}) {
    CAPTURE(flood.name);
    Keyed flooded(keyed(1'000, 5, 50, flood.holds ? 5 : 0));
    std::uint64_t refused = 0, next = 1'000'000;
    for (std::uint64_t newcomer = 0; newcomer < 1'000; ++newcomer) {
      for (int i = 0; i < 20; ++i, ++next) {
        for (int use = 0; use < flood.uses; ++use) flooded.ask(next);
        if (flood.keeps_charged) flooded.ask(1'000'000 + next % 3'000);
      }
      flooded.manual.advance(kSecond / 1'000);
      if (flooded.ask(newcomer) != Tier::kNone) ++refused;
    }
    CHECK(refused == 0);
    CHECK(flooded.sum(Limiter::kOverflowed) > 0);
  }
}

TEST_CASE("a guest is forgotten after as many newer guests as there are slots, and not one sooner") {
  Keyed small(keyed(8, 1, 0, 0));  // one set, 64 guests
  const std::uint64_t guests = GuestRing::slots(8);
  REQUIRE(guests == 64);
  for (std::uint64_t key = 0; key < KeyTable::kWays; ++key) REQUIRE(small.ask(key) == Tier::kNone);
  REQUIRE(small.ask(100) == Tier::kNone);
  for (std::uint64_t newer = 1; newer < guests; ++newer) {
    REQUIRE(small.ask(100 + newer) == Tier::kNone);
    REQUIRE(small.ask(100) == Tier::kTokenBucket);
  }
  CHECK(small.sum(Limiter::kForgotten) == 0);
  REQUIRE(small.ask(100 + guests) == Tier::kNone);
  CHECK(small.sum(Limiter::kForgotten) == 1);
  CHECK(small.ask(100) == Tier::kNone);
  for (std::uint64_t key = 0; key < KeyTable::kWays; ++key) REQUIRE(small.ask(key) == Tier::kTokenBucket);
  CHECK(small.sum(Limiter::kPlaces) == KeyTable::kWays + guests);
}

TEST_CASE("with `max` keys, all of which owe something, not one is forgotten") {
  Keyed honest(keyed(20'000, 1, 0, 0));
  for (std::uint64_t key = 0; key < 20'000; ++key) REQUIRE(honest.ask(key) == Tier::kNone);
  for (std::uint64_t key = 0; key < 20'000; ++key) REQUIRE(honest.ask(key) == Tier::kTokenBucket);
  CHECK(honest.sum(Limiter::kForgotten) == 0);
  // Guests made less than one in a thousand of the requests; each key made two.
  CHECK(honest.sum(Limiter::kOverflowed) < 2 * 20'000 / 1'000);
}

TEST_CASE("a blocked guest stays, and new guests still find a slot, however many are blocked") {
  Keyed small(keyed(8, 1, 0, 0));
  for (std::uint64_t key = 0; key < KeyTable::kWays; ++key) REQUIRE(small.ask(key) == Tier::kNone);
  std::uint64_t blocked = 0;
  for (std::uint64_t number = 100; number < 300; ++number) {
    const Key key = small.key_of(number);
    if (number % 2 == 0) REQUIRE(small.ask(number) == Tier::kNone);  // it is a guest already
    if (small.limiter.block(*small.thread, small.clock.now(), 9 * kSecond, &key)) ++blocked;
  }
  CHECK(blocked == 60);  // all slots but those in which no guest stays
  std::uint64_t still = 0;
  for (std::uint64_t number = 1'000; number < 2'000; ++number) REQUIRE(small.ask(number) == Tier::kNone);
  for (std::uint64_t number = 100; number < 300; ++number)
    still += small.ask(number) == Tier::kBlocked ? 1 : 0;
  CHECK(still == blocked);
  small.manual.advance(9 * kSecond);
  for (std::uint64_t number = 3'000; number < 3'000 + 64; ++number) REQUIRE(small.ask(number) == Tier::kNone);
  CHECK(small.ask(101) == Tier::kNone);
}

TEST_CASE("blocked guests push no other out, and a guest whose slot they take keeps its debt") {
  Keyed small(keyed(8, 1, 0, 9));
  constexpr std::uint64_t kGuests = 64;
  for (std::uint64_t key = 0; key < KeyTable::kWays + kGuests; ++key) REQUIRE(small.ask(key) == Tier::kNone);
  std::uint64_t blocked = 0;
  for (std::uint64_t number = KeyTable::kWays; number < KeyTable::kWays + kGuests; ++number) {
    const Key key = small.key_of(number);
    if (small.limiter.block(*small.thread, small.clock.now(), 1, &key)) ++blocked;
  }
  CHECK(blocked == kGuests - kGuests / GuestRing::kStride);
  small.manual.advance(1);
  for (std::uint64_t key = 0; key < KeyTable::kWays + kGuests; ++key) {
    CHECK(small.ask(key) == Tier::kTokenBucket);
  }
  CHECK(small.sum(Limiter::kForgotten) == 0);
  CHECK(small.sum(Limiter::kPlaces) == KeyTable::kWays + kGuests);
}

TEST_CASE("a guest that changed slots to be blocked is not the next one forgotten") {
  Keyed small(keyed(8, 1, 0, 0));
  const std::uint64_t last = KeyTable::kWays + GuestRing::kStride;  // in a slot where no guest may stay
  for (std::uint64_t number = 0; number <= last; ++number) REQUIRE(small.ask(number) == Tier::kNone);
  const Key key = small.key_of(last);
  REQUIRE(small.limiter.block(*small.thread, small.clock.now(), 1, &key));
  small.manual.advance(1);
  for (std::uint64_t newer = 1; newer < 64 - 2 * GuestRing::kStride; ++newer) {
    REQUIRE(small.ask(last + newer) == Tier::kNone);
    REQUIRE(small.ask(last) == Tier::kTokenBucket);
  }
  CHECK(small.sum(Limiter::kForgotten) == 0);
}

TEST_CASE("a guest keeps its debt through a block, whichever slot it had") {
  for (const bool by_window : {false, true}) {
    Keyed small(by_window ? keyed(8, 9, 1, 9) : keyed(8, 1, 0, 9));
    for (std::uint64_t key = 0; key < KeyTable::kWays; ++key) REQUIRE(small.ask(key) == Tier::kNone);
    // One of these guests is in a slot where no guest may stay, so the block moves it to another slot.
    for (std::uint64_t number = 100; number < 100 + GuestRing::kStride; ++number) {
      REQUIRE(small.ask(number) == Tier::kNone);
      const Key key = small.key_of(number);
      REQUIRE(small.limiter.block(*small.thread, small.clock.now(), 1, &key));
    }
    small.manual.advance(1);
    for (std::uint64_t number = 100; number < 100 + GuestRing::kStride; ++number) {
      CHECK(small.ask(number) == (by_window ? Tier::kSlidingWindow : Tier::kTokenBucket));
    }
    CHECK(small.sum(Limiter::kForgotten) == 0);
    CHECK(small.sum(Limiter::kPlaces) == KeyTable::kWays + GuestRing::kStride);
  }
}

TEST_CASE("a key that owes nothing gives its place to a new key, or to a guest that owes nothing") {
  Keyed small(keyed(8, 1, 0, 0));  // one set
  for (std::uint64_t key = 0; key < KeyTable::kWays; ++key) REQUIRE(small.ask(key) == Tier::kNone);
  REQUIRE(small.ask(100) == Tier::kNone);
  CHECK(small.sum(Limiter::kOverflowed) == 1);
  small.manual.advance(kSecond);
  CHECK(small.ask(102) == Tier::kNone);
  CHECK(small.ask(100) == Tier::kNone);
  CHECK(small.ask(100) == Tier::kTokenBucket);
  CHECK(small.sum(Limiter::kEvicted) == 2);
  CHECK(small.sum(Limiter::kOverflowed) == 1);
  CHECK(small.sum(Limiter::kPlaces) == KeyTable::kWays);
}

TEST_CASE("a look at a key that was never used takes no place") {
  Keyed small(keyed(8, 3, 0, 0));
  for (std::uint64_t key = 0; key < 1'000; ++key) REQUIRE(small.remaining(key) == 3);
  CHECK(small.sum(Limiter::kPlaces) == 0);
}

TEST_CASE("depth in flight is released where it was entered, also if its key was forgotten") {
  Keyed small(keyed(8, 0, 0, 2));
  for (std::uint64_t key = 0; key < KeyTable::kWays; ++key) REQUIRE(small.ask(key) == Tier::kNone);
  REQUIRE(small.ask(100, 2) == Tier::kNone);
  REQUIRE(small.ask(100) == Tier::kQueueDepth);
  REQUIRE(small.ask(101, 1) == Tier::kNone);
  const Limiter::Decision refunded = small.decide(102, 2);
  small.manual.advance(1'000'000 * kSecond);
  for (std::uint64_t key = 1'000; key < 1'000 + 64; ++key) REQUIRE(small.ask(key) == Tier::kNone);
  CHECK(small.sum(Limiter::kForgotten) == 3);
  REQUIRE(small.ask(100) == Tier::kNone);  // key 100 has come back
  CHECK(small.limiter.in_flight() == KeyTable::kWays + 2 + 1 + 2 + 64 + 1);
  const auto release = [&](std::uint64_t number, std::uint64_t cost) {
    const Key key = small.key_of(number);
    return small.limiter.release(*small.thread, cost, &key);
  };
  CHECK(release(0, 1));
  CHECK(release(100, 1));
  CHECK(release(100, 2));
  CHECK(release(101, 1));
  const Key key = small.key_of(102);
  small.limiter.undo(*small.thread, small.clock, small.clock.now(), refunded, 2, &key);
  CHECK(release(1'000, 1));  // key 1,000 was forgotten when key 100 came back
  CHECK_FALSE(release(100, 1));
  CHECK_FALSE(release(101, 1));
  CHECK(small.limiter.in_flight() == KeyTable::kWays - 1 + 63);
  CHECK(small.remaining(5'000) == 2);
}

TEST_CASE("depth entered before and after its key was forgotten is released too, in any amounts") {
  Keyed flooded(keyed(1, 0, 0, 4));
  const auto release = [&](std::uint64_t number, std::uint64_t cost) {
    const Key key = flooded.key_of(number);
    return flooded.limiter.release(*flooded.thread, cost, &key);
  };
  constexpr std::uint64_t kVictim = 1'000;
  for (std::uint64_t key = 0; key < 16; ++key) REQUIRE(flooded.ask(key) == Tier::kNone);  // the table is full
  for (const bool at_once : {true, false}) {
    REQUIRE(flooded.ask(kVictim, 1) == Tier::kNone);
    for (std::uint64_t key = 100; key < 164; ++key) {
      REQUIRE(flooded.ask(key) == Tier::kNone);
      REQUIRE(release(key, 1));
    }
    REQUIRE(flooded.ask(kVictim, 2) == Tier::kNone);
    CHECK_FALSE(release(kVictim, 4));  // more than is in flight
    CHECK(flooded.limiter.in_flight() == 16 + 3);
    CHECK((at_once ? release(kVictim, 3) : release(kVictim, 1) && release(kVictim, 2)));
    CHECK(flooded.limiter.in_flight() == 16);
    CHECK(flooded.remaining(kVictim) == 4);
    CHECK_FALSE(release(kVictim, 1));
  }
}

TEST_CASE("with threads whose keys come and go as guests, the totals are exact") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (std::uint64_t round = 0; round < repetitions(20); ++round) {
    Keyed shared(keyed(8, 0, 0, 3));
    in_threads(4, [&](unsigned index) {
      Random random(round * 4 + index);
      ThreadSlot* thread = shared.limiter.thread_slots().acquire();
      std::vector<std::uint64_t> held;
      for (int i = 0; i < 2'000; ++i) {
        const std::uint64_t number = random.below(200);
        const Key key = shared.key_of(number);
        const auto decision = shared.limiter.decide(*thread, shared.clock, kEpoch, 1, 0, &key);
        if (decision.refused_by == Tier::kNone) held.push_back(number);
        if (held.size() < 20) continue;
        const Key back = shared.key_of(held[random.below(held.size())]);
        std::swap(held[random.below(held.size())], held.back());
        const Key last = shared.key_of(held.back());
        REQUIRE(shared.limiter.release(*thread, 1, &last));
        held.pop_back();
        shared.limiter.peek(*thread, shared.clock, kEpoch, 1, 0, &back);
      }
      for (const std::uint64_t number : held) {
        const Key key = shared.key_of(number);
        REQUIRE(shared.limiter.release(*thread, 1, &key));
      }
      shared.limiter.thread_slots().release(thread);
    });
    REQUIRE(shared.limiter.in_flight() == 0);
    REQUIRE(shared.sum(Limiter::kPlaces) <= KeyTable::kWays + 64);
  }
}

TEST_CASE("with many threads, each key is charged for exactly what passed") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (std::uint64_t round = 0; round < repetitions(40); ++round) {
    constexpr std::uint64_t kKeys = 20;
    Keyed shared(keyed(1'000, 100, 90, 0));
    std::atomic<std::uint64_t> passed[kKeys] = {};
    in_threads(4, [&](unsigned index) {
      Random random(round * 4 + index);
      ThreadSlot* thread = shared.limiter.thread_slots().acquire();
      for (int i = 0; i < 1'500; ++i) {
        const std::uint64_t number = random.below(kKeys), cost = random.between(1, 3);
        const Key key = shared.key_of(number);
        const auto decision = shared.limiter.decide(*thread, shared.clock, kEpoch, cost, 0, &key);
        if (decision.refused_by != Tier::kNone) continue;
        if (random.once_in(4)) {
          shared.limiter.undo(*thread, shared.clock, kEpoch, decision, cost, &key);
        } else {
          passed[number] += cost;
        }
      }
      shared.limiter.thread_slots().release(thread);
    });
    for (std::uint64_t number = 0; number < kKeys; ++number) {
      REQUIRE(passed[number] <= 90);
      REQUIRE(shared.remaining(number) == 90 - passed[number]);
    }
  }
}

}  // namespace

TEST_SUITE_END();
