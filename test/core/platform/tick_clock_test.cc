#include "platform/tick_clock.h"

#include <doctest/doctest.h>

#include <cstdint>

#include "core/base/system.h"
#include "stress.h"

TEST_SUITE_BEGIN("tick clock");

namespace {

using sluice::TickClock;
using sluice::test::Random;

// A processor and a system with one true time, in nanoseconds. The counter has `per_second` ticks a second.
struct Fake {
  static inline std::uint64_t true_ns = 0, per_second = 0, counter_ahead = 0, system_readings = 0;
  static inline std::uint64_t lost_ns =
      0;  // how long the thread is away after the next reading of the system's clock

  static void start(std::uint64_t ticks_per_second) {
    true_ns = 5'000'000'000;
    per_second = ticks_per_second;
    counter_ahead = system_readings = lost_ns = 0;
  }
  static std::uint64_t ticks() noexcept {
    true_ns += 10;
    return static_cast<std::uint64_t>(static_cast<double>(true_ns) * static_cast<double>(per_second) / 1e9) +
           counter_ahead;
  }
  static std::uint64_t ns() noexcept {
    ++system_readings;
    const std::uint64_t read = true_ns += 20;
    true_ns += lost_ns;
    lost_ns = 0;
    return read;
  }
};

using FakeClock = TickClock<Fake>;

// How much a time may be late: see tick_clock.h. The rest is the time of the readings themselves.
constexpr std::uint64_t kLateMax = FakeClock::kSpanNs / 2048 + 150;

// Reads the clock until it uses the counter.
void settle(FakeClock& clock) {
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t before = Fake::system_readings;
    clock.now();
    if (Fake::system_readings == before) return;
    Fake::true_ns += 100'000;
  }
  FAIL("the clock never used the counter");
}

TEST_CASE("a time is never early, late by 128 ns at most, and never goes back") {
  Random random(7);
  for (const std::uint64_t per_second : {600'000'000ULL, 2'450'000'000ULL, 5'100'000'000ULL}) {
    CAPTURE(per_second);
    Fake::start(per_second);
    FakeClock clock;
    settle(clock);
    std::uint64_t last = 0;
    const std::uint64_t readings_before = Fake::system_readings;
    constexpr std::uint64_t kTimes = 200'000;
    for (std::uint64_t i = 0; i < kTimes; ++i) {
      Fake::true_ns += random.below(i % 1'000 == 0 ? 50'000'000 : 2'000);
      const std::uint64_t before = Fake::true_ns;
      const std::uint64_t now = clock.now();
      REQUIRE(now <= Fake::true_ns);
      REQUIRE(now + kLateMax >= before);
      REQUIRE(now >= last);
      last = now;
    }
    CHECK(Fake::system_readings - readings_before < kTimes / 20);  // it mostly reads the counter
  }
}

TEST_CASE("a thread that loses the processor between two readings makes no anchor of them") {
  Fake::start(3'000'000'000);
  FakeClock clock;
  settle(clock);
  for (int i = 0; i < 100; ++i) {
    Fake::true_ns += 1'000'000;
    Fake::lost_ns = 7'000'000;
    clock.now();
    const std::uint64_t before = Fake::true_ns;
    REQUIRE(clock.now() + kLateMax >= before);
  }
}

TEST_CASE("a counter that jumps misleads for the rest of a span at most, and the clock never goes back") {
  Fake::start(3'000'000'000);
  FakeClock clock;
  std::uint64_t last = 0;
  const auto read = [&] {
    const std::uint64_t now = clock.now();
    REQUIRE(now >= last);
    REQUIRE(now <= Fake::true_ns + FakeClock::kSpanNs);
    last = now;
  };
  for (int round = 0; round < 50; ++round) {
    settle(clock);
    last = clock.now();
    SUBCASE("forward, within the span") { Fake::counter_ahead += 300'000; }
    SUBCASE("forward, within the span and then beyond it") {
      Fake::counter_ahead += 300'000;
      read();
      Fake::counter_ahead += 3'000'000;
    }
    SUBCASE("forward, far") { Fake::counter_ahead += 1ULL << 40; }
    SUBCASE("back") { Fake::counter_ahead -= 1'000'000; }
    SUBCASE("to another rate") { Fake::per_second = round % 2 == 0 ? 1'000'000'000 : 3'000'000'000; }
    for (int i = 0; i < 20; ++i) read();
    Fake::true_ns += FakeClock::kSpanNs;
    for (int i = 0; i < 20; ++i) {
      read();
      REQUIRE(last + FakeClock::kSpanNs + kLateMax >= Fake::true_ns);
    }
  }
}

TEST_CASE("an uneven counter is not used") {
  Fake::start(3'000'000'000);
  FakeClock clock;
  Random random(3);
  std::uint64_t last = 0;
  for (int i = 0; i < 2'000; ++i) {
    Fake::true_ns += 10'000'000;
    Fake::per_second = 1'000'000'000 + random.below(2'000'000'000);
    Fake::counter_ahead += random.below(1'000'000'000);
    const std::uint64_t now = clock.now();
    REQUIRE(now >= last);
    REQUIRE(now <= Fake::true_ns + FakeClock::kSpanNs);
    last = now;
  }
}

TEST_CASE("the real clock never goes back") {
  std::uint64_t last = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    const std::uint64_t now = sluice::system::monotonic_ns();
    REQUIRE(now >= last);
    last = now;
  }
}

}  // namespace
