// One thread's session of a limiter, and the depth and waiters that the thread leaves when it ends.
#include "session/limiter_session.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "limiter_sessions.h"
#include "session/limiter_calls.h"
#include "stress.h"

TEST_SUITE_BEGIN("limiter session");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::LimiterHostOfTests;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::TestLimiter;
using Told = LimiterWaiters::Told;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

LimiterConfig depth_of(std::uint64_t max, std::uint64_t keys = 0, std::uint32_t waiting_max = 8) {
  LimiterConfig config;
  config.has_depth = true;
  config.depth_max = max;
  config.keys_max = keys;
  config.waiting_max = waiting_max;
  return config;
}
LimiterConfig window_of(std::uint64_t limit) {
  LimiterConfig config;
  config.window_count = 1;
  config.windows[0].sliding = {limit, kSecond, 1};
  config.waiting_max = 8;
  return config;
}
LimiterChanges unchanged() {
  LimiterChanges changes{kNan, kNan, kNan, kNan, kNan, {}};
  for (auto& window : changes.windows) window = {kNan, kNan};
  return changes;
}
Key key_of(const TestLimiter& limiter, std::string_view text) {
  return limiter.segment().limiter().key(KeyKind::kString, text.data(), text.size());
}
bool takes(LimiterSession& session, std::uint64_t cost, const Key* key = nullptr) {
  return session.try_acquire(cost, key).decision.refused_by == Tier::kNone;
}
bool waits(const LimiterSession::Joined& joined) { return joined.waiter != LimiterWaiters::kNone; }

TEST_CASE("depth held by decisions is given back when the session ends, and what allow() took is not") {
  for (const bool keyed : {false, true}) {
    TestLimiter limiter(depth_of(100, keyed ? 16 : 0));
    const Key a = key_of(limiter, "a"), b = key_of(limiter, "b");
    const Key *one = keyed ? &a : nullptr, *other = keyed ? &b : nullptr;
    auto session = limiter.attach();
    REQUIRE(takes(*session, 10, one));
    REQUIRE(takes(*session, 5, other));
    REQUIRE(takes(*session, 3, one));
    REQUIRE(session->decide(7, one).refused_by == Tier::kNone);
    CHECK(limiter.in_flight() == 25);
    CHECK(session->release(10, one));
    CHECK(limiter.in_flight() == 15);
    session->end();
    CHECK(limiter.in_flight() == 7);
    CHECK(limiter.threads() == 0);
    session.reset();
    CHECK(limiter.host.blocks == 0);
  }
}

TEST_CASE("a session that has ended does not call its host, because it may be collected after the limiter") {
  std::unique_ptr<LimiterSession> session;
  {
    TestLimiter limiter(depth_of(100, 16));
    const Key key = key_of(limiter, "a");
    session = limiter.attach();
    REQUIRE(takes(*session, 10, &key));
    session->end();
  }
  session.reset();  // ASan would report a use of the host, whose memory is freed
}

TEST_CASE("a session that ends serves the waiters for the depth that it held") {
  TestLimiter limiter(depth_of(2));
  auto holder = limiter.attach(), waiter = limiter.attach();
  REQUIRE(takes(*holder, 2));
  const LimiterSession::Joined joined = waiter->acquire(2, kNever, nullptr);
  REQUIRE(waits(joined));
  holder->end();
  CHECK(limiter.host.was_rung(waiter->number()));
  const LimiterSession::Told told = waiter->told();
  CHECK(told.told.outcome == Told::kServed);
  CHECK(told.told.waiter == joined.waiter);
  CHECK(limiter.in_flight() == 2);
  waiter->end();
  CHECK(limiter.in_flight() == 0);
}

TEST_CASE("a session that ends leaves no waiter, served or not, and no charge") {
  TestLimiter limiter(depth_of(1));
  auto holder = limiter.attach(), gone = limiter.attach(), next = limiter.attach();
  REQUIRE(takes(*holder, 1));
  const LimiterSession::Joined served = gone->acquire(1, kNever, nullptr);
  const LimiterSession::Joined waiting = gone->acquire(1, kNever, nullptr);
  const LimiterSession::Joined behind = next->acquire(1, kNever, nullptr);
  REQUIRE(holder->release(1, nullptr));  // serves the first waiter, which has not seen that yet
  CHECK(gone->is_waiter(served.waiter));
  CHECK(gone->is_waiter(waiting.waiter));
  CHECK_FALSE(next->is_waiter(waiting.waiter));
  gone->end();
  const LimiterSession::Told told = next->told();
  CHECK(told.told.outcome == Told::kServed);
  CHECK(told.told.waiter == behind.waiter);
  CHECK(next->waiting() == 0);
  CHECK(limiter.in_flight() == 1);
  next->end();
  holder->end();
  CHECK(limiter.in_flight() == 0);
}

TEST_CASE("a hopeless wait is refused, one that is given up is forgotten, one whose time comes is served") {
  TestLimiter limiter(window_of(1));
  auto session = limiter.attach();
  REQUIRE(takes(*session, 1));
  const LimiterSession::Joined hopeless = session->acquire(1, kSecond / 2, nullptr);
  CHECK_FALSE(waits(hopeless));  // the window has room only later
  CHECK(hopeless.decision.refused_by == Tier::kSlidingWindow);
  CHECK(hopeless.wait > kSecond / 2);
  const LimiterSession::Joined first = session->acquire(1, 10 * kSecond, nullptr);
  const LimiterSession::Joined second = session->acquire(1, 10 * kSecond, nullptr);
  REQUIRE(waits(first));
  REQUIRE(waits(second));
  CHECK(session->tend(second.waiter).tended.left == 10 * kSecond);
  session->leave(second.waiter);
  CHECK(session->waiting() == 1);
  limiter.manual.advance(5 * kSecond);
  session->tend(first.waiter);
  const LimiterSession::Told told = session->told();
  CHECK(told.told.waiter == first.waiter);
  CHECK(told.told.outcome == Told::kServed);
  CHECK(session->told().told.outcome == Told::kNothing);
  session->end();
}

TEST_CASE("a refund gives back the part still in force, and serves the waiters for it") {
  TestLimiter limiter(window_of(2));
  auto session = limiter.attach(), waiter = limiter.attach();
  const LimiterSession::Acquired acquired = session->try_acquire(2, nullptr);
  REQUIRE(acquired.decision.refused_by == Tier::kNone);
  CHECK(acquired.outlook.remaining == 0);
  REQUIRE(waits(waiter->acquire(1, kNever, nullptr)));
  session->refund(acquired.decision.receipt, 2, nullptr);
  CHECK(limiter.host.was_rung(waiter->number()));
  CHECK(waiter->told().told.outcome == Told::kServed);
  CHECK(session->peek(1, nullptr).remaining == 1);
  session->end();
  waiter->end();
}

TEST_CASE("without memory to remember a decision, the decision is undone") {
  TestLimiter limiter(depth_of(4, 16));
  const Key key = key_of(limiter, "a");
  auto session = limiter.attach(), holder = limiter.attach();
  limiter.host.has_memory = false;
  CHECK_FALSE(session->try_acquire(1, &key).kept);
  CHECK(limiter.in_flight() == 0);
  CHECK_FALSE(session->acquire(1, kNever, &key).kept);
  CHECK(limiter.in_flight() == 0);
  limiter.host.has_memory = true;
  REQUIRE(holder->try_acquire(4, &key).kept);
  const LimiterSession::Joined waiting = session->acquire(3, kNever, &key);
  REQUIRE(waits(waiting));
  limiter.host.has_memory = false;
  REQUIRE(holder->release(4, &key));
  const LimiterSession::Told told = session->told();
  CHECK_FALSE(told.kept);
  CHECK(told.told.waiter == waiting.waiter);
  CHECK(limiter.in_flight() == 0);
  session->end();
  holder->end();
}

TEST_CASE("an undone decision serves the waiters that came while it held its depth") {
  for (const bool at_once : {true, false}) {
    TestLimiter limiter(depth_of(1, 16));
    const Key key = key_of(limiter, "a");
    auto session = limiter.attach(), waiter = limiter.attach();
    LimiterSession::Joined joined;
    limiter.host.has_memory = false;
    limiter.host.when_out_of_memory = [&] { joined = waiter->acquire(1, kNever, &key); };
    CHECK_FALSE((at_once ? session->try_acquire(1, &key).kept : session->acquire(1, kNever, &key).kept));
    limiter.host.has_memory = true;
    REQUIRE(waits(joined));
    CHECK(limiter.host.was_rung(waiter->number()));
    CHECK(waiter->told().told.outcome == Told::kServed);
    CHECK(limiter.in_flight() == 1);
    session->end();
    waiter->end();
  }
}

TEST_CASE("waiters see changed limits at once") {
  TestLimiter limiter(depth_of(2));
  auto session = limiter.attach(), waiter = limiter.attach();
  REQUIRE(takes(*session, 2));
  REQUIRE(waits(waiter->acquire(2, kNever, nullptr)));
  LimiterChanges changes = unchanged();
  changes.depth_max = 1;  // a cost of 2 can never pass now
  REQUIRE(session->configure(changes));
  CHECK(limiter.host.was_rung(waiter->number()));
  CHECK(waiter->told().told.outcome == Told::kExpired);
  changes.depth_max = 5;
  REQUIRE(session->configure(changes));
  CHECK(session->limits().depth_max == 5);
  CHECK(waiter->acquire(3, kNever, nullptr).decision.refused_by == Tier::kNone);
  session->end();
  waiter->end();
}

TEST_CASE("limits out of range change nothing") {
  LimiterConfig config = window_of(5);
  config.has_bucket = true;
  config.bucket = {TokenRate::per_second(10), 10};
  config.has_depth = true;
  config.depth_max = 3;
  TestLimiter limiter(config);
  auto session = limiter.attach();
  const auto refuses = [&](auto&& change) {
    LimiterChanges changes = unchanged();
    changes.burst = 20;  // a burst of 20 alone would be in range
    change(changes);
    return !session->configure(changes) && session->limits().bucket.burst == 10;
  };
  CHECK(refuses([](LimiterChanges& changes) { changes.rate_per_second = 0; }));
  CHECK(refuses([](LimiterChanges& changes) { changes.burst = 0; }));
  CHECK(refuses([](LimiterChanges& changes) { changes.burst = 0x1p32; }));
  CHECK(refuses([](LimiterChanges& changes) { changes.warm_up_ms = -1; }));
  CHECK(refuses([](LimiterChanges& changes) { changes.depth_max = 0; }));
  CHECK(refuses([](LimiterChanges& changes) { changes.windows[0].limit = 0; }));
  CHECK(refuses([](LimiterChanges& changes) { changes.windows[0].window_ms = 0.5; }));
  // There is no such window, so its length is ignored.
  CHECK_FALSE(refuses([](LimiterChanges& changes) { changes.windows[1].window_ms = -1; }));
  session->end();
}

TEST_CASE("calls refuse impossible costs, keys and waiters, and write nothing beyond their buffer") {
  TestLimiter limiter(depth_of(2, 16));
  const Key key = key_of(limiter, "a");
  auto session = limiter.attach(), other = limiter.attach();
  std::array<std::byte, LimiterStaging::kBytes> memory{};
  const LimiterCalls calls(*session, Words(memory)), others(*other, Words(memory));
  for (const double cost : {-1.0, 0x1p32, kNan, kInfinity}) {
    CHECK(calls.allow(cost, &key) == kBadArgument);
    CHECK(calls.try_acquire(cost, &key) == kBadArgument);
    CHECK(calls.peek(cost, &key) == kBadArgument);
    CHECK(calls.release(cost, &key) == kBadArgument);
    CHECK(calls.acquire(cost, &key) == kBadArgument);
    CHECK(calls.penalize(cost, &key) == kBadArgument);
    CHECK(calls.reward(cost, &key) == kBadArgument);
    CHECK(calls.refund(cost, &key) == kBadArgument);
  }
  CHECK(calls.allow(1, nullptr) == kBadArgument);
  CHECK(calls.reset(0, nullptr) == kBadArgument);
  CHECK(calls.rooms(0, nullptr) == kBadArgument);
  REQUIRE(calls.try_acquire(2, &key) == 0);
  Words(memory).put(LimiterStaging::kPatienceMs, kInfinity);
  const std::int32_t waiter = calls.acquire(1, &key) - kWaits;
  REQUIRE(waiter >= 0);
  CHECK(calls.tend(waiter, nullptr) == 0);
  CHECK(others.tend(waiter, nullptr) == kBadArgument);
  CHECK(others.leave(waiter, nullptr) == kBadArgument);
  for (const double number : {-1.0, 8.0, 1e300, kNan}) CHECK(calls.tend(number, nullptr) == kBadArgument);
  const auto before = memory;
  const LimiterCalls cut(*session, Words(std::span<std::byte>(memory).first(LimiterStaging::kRemaining)));
  CHECK(cut.peek(1, &key) > 0);
  CHECK(cut.rooms(0, &key) == 1);
  CHECK(std::equal(memory.begin() + LimiterStaging::kRemaining, memory.end(),
                   before.begin() + LimiterStaging::kRemaining));
  session->end();
  other->end();
}

TEST_CASE("a time in milliseconds is never less than its nanoseconds, and hardly more") {
  Random random(1);
  for (std::uint64_t i = 0; i < repetitions(100'000); ++i) {
    const std::uint64_t ns = random.next() >> (1 + random.below(60));
    const double ms = milliseconds(ns);
    if (ns >= 1ULL << 51) REQUIRE(static_cast<std::uint64_t>(ms * 1e6) >= ns);
    REQUIRE(std::abs(ms - static_cast<double>(ns) / 1e6) <= ms * 1e-15);
  }
  CHECK(milliseconds(kNever) == kInfinity);
}

TEST_CASE("held costs: the sums are right while many keys come and go") {
  LimiterHostOfTests host;
  HeldCosts held(host);
  Random random(2);
  std::array<std::uint64_t, 600> model{}, found{};
  for (std::uint64_t i = 0; i < repetitions(200'000); ++i) {
    const std::size_t at = random.below(i % 20'000 < 10'000 ? model.size() : 5);
    const std::uint64_t cost = 1 + random.below(3);
    const Key key{at % 7 + 16 * (at % 3), at + 1};  // so that many keys share a home
    if (random.below(2) == 0) {
      REQUIRE(held.add(&key, cost));
      model[at] += cost;
    } else {
      held.remove(&key, cost);
      model[at] -= std::min(model[at], cost);
    }
    REQUIRE(held.keys() <= model.size());
  }
  REQUIRE(held.add(nullptr, 9));
  held.remove(nullptr, 2);
  std::uint64_t keyless = 0;
  held.give_all(
      [&](const Key* key, std::uint64_t cost) { (key == nullptr ? keyless : found[key->high - 1]) += cost; });
  CHECK(keyless == 7);
  CHECK((found == model));
  CHECK(held.keys() == 0);
  CHECK(host.blocks == 0);
}

TEST_CASE("held costs: after give_all() the table does not use its host") {
  auto host = std::make_unique<LimiterHostOfTests>();
  HeldCosts held(*host);
  const Key key{1, 2};
  REQUIRE(held.add(&key, 3));
  held.give_all([](const Key*, std::uint64_t) {});
  host.reset();  // as if the session were destroyed after its limiter
}

TEST_CASE("every waiter that can no longer be served within its patience learns it, however many there are") {
  constexpr std::uint32_t kSessions = 100, kPatient = 150;
  TestLimiter limiter(depth_of(1, 4, kPatient + 2 * kSessions));
  const Key key = key_of(limiter, "a");
  auto patient = limiter.attach();
  REQUIRE(takes(*patient, 1, &key));
  for (std::uint32_t i = 0; i < kPatient; ++i) patient->acquire(1, kNever, &key);
  std::vector<std::unique_ptr<LimiterSession>> sessions;
  for (std::uint32_t i = 0; i < kSessions; ++i) sessions.push_back(limiter.attach());
  // The sessions take turns, so that each waiter has another owner than the one before.
  for (std::uint32_t i = 0; i < 2 * kSessions; ++i) sessions[i % kSessions]->acquire(1, kSecond, &key);
  REQUIRE(patient->waiting() == kPatient + 2 * kSessions);
  limiter.host.rung.clear();
  patient->block(5 * kSecond, &key);
  CHECK(patient->waiting() == kPatient);
  for (auto& session : sessions) {
    CHECK(limiter.host.was_rung(session->number()));
    for (int i = 0; i < 2; ++i) CHECK(session->told().told.outcome == Told::kExpired);
    CHECK(session->told().told.outcome == Told::kNothing);
    session->end();
  }
  CHECK(limiter.host.was_rung(patient->number()));  // rung because one of its waiters is at the front
  patient->end();
}

TEST_CASE(
    "a session that ends before it sees that it was served serves all waiters for which it makes room") {
  for (const bool keyed : {false, true}) {
    constexpr std::uint32_t kWaiting = 150;
    TestLimiter limiter(depth_of(kWaiting, keyed ? 4 : 0, kWaiting + 1));
    const Key text = key_of(limiter, "a");
    const Key* key = keyed ? &text : nullptr;
    auto holder = limiter.attach(), ends = limiter.attach(), others = limiter.attach();
    REQUIRE(takes(*holder, kWaiting, key));
    ends->acquire(kWaiting, kNever, key);
    for (std::uint32_t i = 0; i < kWaiting; ++i) others->acquire(1, kNever, key);
    REQUIRE(holder->release(kWaiting, key));
    REQUIRE(holder->waiting() == kWaiting);
    ends->end();
    CHECK(holder->waiting() == 0);
    CHECK(limiter.in_flight() == kWaiting);
    others->end();
    holder->end();
    CHECK(limiter.in_flight() == 0);
  }
}

TEST_CASE("threads that come and go leave nothing in flight and no waiters") {
  TestLimiter limiter(depth_of(3, 4, 64));
  in_threads(4, [&](std::uint64_t thread) {
    Random random(thread);
    for (std::uint64_t round = 0; round < repetitions(100); ++round) {
      auto session = limiter.attach();
      for (int i = 0; i < 40; ++i) {
        const char letter = static_cast<char>('a' + random.below(6));
        const Key key = key_of(limiter, {&letter, 1});
        switch (random.below(4)) {
          case 0:
            session->try_acquire(1 + random.below(2), &key);
            break;
          case 1:
            session->acquire(1, kNever, &key);
            break;
          case 2:
            if (const Told told = session->told().told; told.outcome == Told::kServed)
              session->release(told.cost, &told.key);
            break;
          default:
            session->reward(1, &key);
        }
      }
      session->end();
    }
  });
  CHECK(limiter.in_flight() == 0);
  CHECK(limiter.threads() == 0);
  auto session = limiter.attach();
  CHECK(session->waiting() == 0);
  session->end();
}

}  // namespace

TEST_SUITE_END();
