// Calendar windows. Two tests compare them with a walk through the days, or through the hours of a zone.
#include "core/limiter/calendar.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <vector>

#include "core/limiter/limiter.h"
#include "limiter_tiers.h"
#include "stress.h"
#include "timed_limiter.h"

TEST_SUITE_BEGIN("calendar");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::TimedLimiter;

constexpr std::int64_t kHour = 3'600'000'000'000, kDay = 24 * kHour;
constexpr std::int64_t kBeginning = INT64_MIN;
constexpr Every kAll[] = {Every::kDay, Every::kWeek, Every::kMonth, Every::kYear};

// A zone one hour ahead of UTC, and two hours from day 80 to day 300 of each year, if its first day is day 0. Its years
// have 365 days.
std::vector<ZoneChange> saving_zone(std::int64_t years) {
  std::vector<ZoneChange> changes{{kBeginning, kHour}};
  for (std::int64_t year = 0; year < years; ++year) {
    changes.push_back({(year * 365 + 80) * kDay + kHour, 2 * kHour});
    changes.push_back({(year * 365 + 300) * kDay + kHour, kHour});
  }
  return changes;
}

// The year and the month of a day. dates() returns them for each day since 1970, found by counting.
struct CountedDate {
  std::int64_t year, month;
};
std::vector<CountedDate> dates(std::int64_t days) {
  constexpr int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  std::vector<CountedDate> all;
  for (std::int64_t year = 1970; static_cast<std::int64_t>(all.size()) < days; ++year) {
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    for (int month = 0; month < 12; ++month) {
      for (int day = 0; day < lengths[month] + (leap && month == 1 ? 1 : 0); ++day)
        all.push_back({year, month});
    }
  }
  return all;
}

TEST_CASE("periods are those found by counting days, for 140 years") {
  const ZoneChange utc{kBeginning, 0};
  const auto counted = dates(140 * 366);
  for (const Every every : kAll) {
    const Calendar calendar(every, &utc, 1);
    for (std::int64_t day = 1; day < 140 * 365; ++day) {
      const auto& [year, month] = counted[static_cast<std::size_t>(day)];
      const auto& before = counted[static_cast<std::size_t>(day - 1)];
      const bool begins = every == Every::kDay || (every == Every::kWeek && (day + 3) % 7 == 0) ||
                          (every == Every::kMonth && month != before.month) ||
                          (every == Every::kYear && year != before.year);
      const std::int64_t period = calendar.period_at(day * kDay);
      REQUIRE(period - calendar.period_at(day * kDay - 1) == (begins ? 1 : 0));
      if (begins) REQUIRE(calendar.begin(period) == day * kDay);
    }
  }
}

TEST_CASE("a period begins at the first moment that shows its date, whatever the offset does") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(31);
  for (std::uint64_t round = 0; round < repetitions(40); ++round) {
    std::vector<ZoneChange> changes{
        {kBeginning, static_cast<std::int64_t>(random.below(26)) * kHour - 12 * kHour}};
    for (std::int64_t at = 100 * kDay; changes.size() < 20;) {
      at += static_cast<std::int64_t>(random.between(20, 200)) * kDay +
            static_cast<std::int64_t>(random.below(24)) * kHour;
      changes.push_back({at, changes[0].offset_ns + (random.once_in(2) ? kHour : 0)});
    }
    for (const Every every : kAll) {
      const Calendar calendar(every, changes.data(), static_cast<std::uint32_t>(changes.size()));
      std::int64_t latest = calendar.period_at(50 * kDay), began = 0;
      for (std::int64_t at = 50 * kDay; at < 2'500 * kDay; at += kHour) {
        const std::int64_t period = calendar.period_at(at);
        if (period <= latest) continue;  // no period has begun, also if the zone is set back
        REQUIRE(period == latest + 1);
        REQUIRE(calendar.begin(period) == at);
        if (began != 0) REQUIRE(static_cast<std::uint64_t>(at - began) <= calendar.longest_ns());
        latest = period;
        began = at;
      }
    }
  }
}

struct Timed : TimedLimiter {
  Timed(Every every, std::uint64_t limit, const std::vector<ZoneChange>& changes, std::int64_t start,
        std::uint64_t keys = 0)
      : TimedLimiter(config_of(every, limit, changes, keys), static_cast<std::uint64_t>(start)) {
    std::copy(changes.begin(), changes.end(), limiter.zone_changes());
  }
  static LimiterConfig config_of(Every every, std::uint64_t limit, const std::vector<ZoneChange>& changes,
                                 std::uint64_t keys) {
    LimiterConfig config;
    config.window_count = 1;
    config.is_manual = true;
    config.keys_max = keys;
    config.windows[0].every = every;
    config.windows[0].sliding.limit = limit;
    config.windows[0].zone_changes = static_cast<std::uint32_t>(changes.size());
    return config;
  }
};

TEST_CASE("each period has its limit, and a refused request waits until the next one begins") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(32);
  const auto changes = saving_zone(30);
  for (const Every every : kAll) {
    for (const std::uint64_t keys : {0, 8}) {
      const Calendar calendar(every, changes.data(), static_cast<std::uint32_t>(changes.size()));
      Timed timed(every, 5, changes, 400 * kDay, keys);
      std::map<std::int64_t, std::uint64_t> counts;
      for (std::uint64_t step = 0; step < repetitions(3'000); ++step) {
        const auto now = static_cast<std::int64_t>(timed.clock.now());
        if (now > 9'000 * kDay) break;
        std::uint64_t& count = counts[calendar.period_at(now)];
        const std::uint64_t cost = random.between(1, 3);
        const auto outlook = timed.peek(cost);
        const auto decision = timed.decide(cost);
        REQUIRE((decision.refused_by == Tier::kNone) == (count + cost <= 5));
        if (decision.refused_by == Tier::kNone) {
          count += cost;
          if (random.once_in(4)) {
            if (random.once_in(2)) timed.manual.advance(random.below(static_cast<std::uint64_t>(40 * kDay)));
            timed.limiter.refund(*timed.thread, timed.clock.now(), decision.receipt, cost, timed.key);
            count -= cost;
          }
          continue;
        }
        REQUIRE(outlook.retry_after ==
                static_cast<std::uint64_t>(calendar.begin(calendar.period_at(now) + 1) - now));
        timed.manual.advance(random.once_in(2) ? outlook.retry_after - 1 : outlook.retry_after);
      }
      for (const auto& [period, count] : counts) REQUIRE(count <= 5);
      REQUIRE(counts.size() > 10);
    }
  }
}

TEST_CASE("a wait of more than 36 years is reported as never, however many wait") {
  const ZoneChange utc{kBeginning, 0};
  constexpr std::uint64_t in_a_year[] = {0, 365, 52, 12, 1};
  constexpr auto year = static_cast<std::uint64_t>(365 * kDay);
  for (const Every every : kAll) {
    CalendarPeriod period{};
    CalendarWindow::Cell cell{};
    CalendarWindow window(1, Calendar(every, &utc, 1), period, cell, 56 * year);
    REQUIRE(window.take(1, 1) != 0);
    const std::uint64_t periods = in_a_year[static_cast<int>(every)];
    CHECK(window.least_wait(30 * periods, 1) > 28 * year);
    CHECK(window.least_wait(30 * periods, 1) < 32 * year);
    for (const std::uint64_t years : {41, 250, 300, 10'000, 100'000'000}) {
      CHECK(window.least_wait(years * periods, 1) == kNever);
    }
  }
}

TEST_CASE("a wall clock that is set back gives no second quota, and locks no key out for ever") {
  const std::vector<ZoneChange> utc{{kBeginning, 0}};
  const Calendar calendar(Every::kDay, utc.data(), 1);
  CalendarPeriod period{};
  CalendarWindow::Cell cell{0};
  const auto at = [&](std::int64_t wall) {
    return CalendarWindow(5, calendar, period, cell, static_cast<std::uint64_t>(wall));
  };
  const std::uint64_t longest = calendar.longest_ns();
  constexpr std::int64_t noon = 1'000 * kDay + 12 * kHour;
  std::uint64_t time = 1;
  const auto taken = [&](std::int64_t wall) {
    std::uint64_t count = 0;
    while (at(wall).take(1, time) != 0) ++count;
    return count;
  };
  REQUIRE(taken(noon) == 5);
  REQUIRE(taken(noon + kDay) == 5);  // set forward by a day
  REQUIRE(taken(noon) == 0);         // and back
  REQUIRE(taken(noon - 400 * kDay) == 0);
  CHECK(at(noon).retry_after(1, time) == longest);
  CHECK(at(noon + 3 * kHour).retry_after(1, time + 3) == longest - 3);
  time += 20 * static_cast<std::uint64_t>(kHour);
  REQUIRE(taken(noon + 20 * kHour) == 0);  // the day of noon + kDay, which is used up
  CHECK(at(noon + 20 * kHour).retry_after(1, time) == 16 * static_cast<std::uint64_t>(kHour));
  REQUIRE(taken(noon + 36 * kHour) == 5);
  // The wall clock is set forward by ten years, and back. The key is refused for no longer than the longest period.
  REQUIRE(taken(noon + 3'650 * kDay) == 5);
  time += longest - 1;
  REQUIRE(taken(noon + 3 * kDay) == 0);
  CHECK(at(noon + 3 * kDay).retry_after(1, time) == 1);
  time += 1;
  REQUIRE(taken(noon + 3 * kDay) == 5);
}

TEST_CASE("a key forgotten because its period was over gets no second quota when the clock is set back") {
  const std::vector<ZoneChange> utc{{kBeginning, 0}};
  const Calendar calendar(Every::kDay, utc.data(), 1);
  CalendarPeriod period{};
  CalendarWindow::Cell cell{0};
  constexpr std::int64_t noon = 1'000 * kDay + 12 * kHour;
  const auto at = [&](std::int64_t wall) {
    return CalendarWindow(5, calendar, period, cell, static_cast<std::uint64_t>(wall));
  };
  REQUIRE(at(noon).take(5, 1) != 0);
  CHECK_FALSE(at(noon).empty(1));
  CHECK(at(noon + kDay).remaining(1) == 5);  // a look begins no period
  CHECK_FALSE(at(noon).empty(1));
  REQUIRE(at(noon + kDay).empty(1));
  cell.store(0);                      // as if the key had lost its place, and got one again
  REQUIRE(at(noon).take(5, 2) != 0);  // counted in the next day, which has begun
  CHECK(at(noon + kDay).remaining(2) == 0);
}

TEST_CASE("a key is forgotten when its period is over, not before") {
  const std::vector<ZoneChange> utc{{kBeginning, 0}};
  Timed timed(Every::kMonth, 5, utc, 400 * kDay, 8);
  REQUIRE(timed.decide(3).refused_by == Tier::kNone);
  const auto crowd = [&](std::uint64_t first) {
    for (std::uint64_t number = first; number < first + 2'000; ++number) {
      const Key other = timed.limiter.key(KeyKind::kNumber, &number, sizeof number);
      timed.limiter.decide(*timed.thread, timed.clock, timed.clock.now(), 1, 0, &other);
    }
  };
  crowd(100);
  CHECK(timed.peek().remaining == 2);
  CHECK(timed.decide(3).refused_by == Tier::kSlidingWindow);
  timed.manual.advance(31 * kDay);
  CHECK(timed.peek().remaining == 5);
  timed.limiter.penalize(*timed.thread, timed.clock, timed.clock.now(), 50, timed.key);
  CHECK(timed.peek().remaining == 0);
  timed.limiter.reward(*timed.thread, timed.clock.now(), 47, timed.key);
  CHECK(timed.peek().remaining == 2);
  timed.limiter.reset(*timed.thread, timed.key);
  CHECK(timed.peek().remaining == 5);
}

TEST_CASE("threads that go from one period into the next get the limit of each, once") {
  const std::vector<ZoneChange> utc{{kBeginning, 0}};
  for (const std::uint64_t keys : {0, 8}) {
    Timed timed(Every::kDay, 100, utc, 400 * kDay, keys);
    std::atomic<std::uint64_t> taken{0};
    constexpr std::uint64_t days = 50;
    in_threads(4, [&](int index) {
      if (index == 3) {
        for (std::uint64_t day = 1; day < days; ++day) {
          while (taken.load() < day * 100) std::this_thread::yield();
          timed.manual.advance(static_cast<std::uint64_t>(kDay));
        }
        return;
      }
      ThreadSlot* thread = timed.limiter.thread_slots().acquire();
      while (taken.load() < days * 100) {
        if (timed.limiter.decide(*thread, timed.clock, timed.clock.now(), 1, 0, timed.key).refused_by ==
            Tier::kNone) {
          ++taken;
        }
      }
    });
    // Each day ended only when all of its limit was taken.
    CHECK(timed.decide(1).refused_by == Tier::kSlidingWindow);
    CHECK(taken.load() == days * 100);
  }
}

}  // namespace

TEST_SUITE_END();
