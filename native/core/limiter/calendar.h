// Calendar periods of a time zone: days, weeks (from Monday), months and years. A period lasts until the first moment
// of the next one, however many hours that is.
//
// A zone is a table of the times at which its offset changes. lib/ finds these times with Intl.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/base/spin_lock.h"
#include "core/limiter/token_bucket.h"  // kNever

namespace sluice {

enum class Every : std::uint8_t { kNone = 0, kDay = 1, kWeek = 2, kMonth = 3, kYear = 4 };

// From `at_ns` on (nanoseconds since 1970, UTC) until the next change, the zone's clocks are `offset_ns` ahead of UTC;
// if it is negative, behind UTC.
struct ZoneChange {
  std::int64_t at_ns, offset_ns;
};

// Computes the periods of one zone. Each period has a number, 1 or more; the period after it has the next number.
class Calendar {
 public:
  // `changes`: in order of time; the first one is in force from the beginning of time.
  Calendar(Every every, const ZoneChange* changes, std::uint32_t count)
      : every_(every), changes_(changes), count_(count) {}

  std::int64_t period_at(std::int64_t wall_ns) const noexcept {
    const std::int64_t days = floored(wall_ns + changes_[index_at(wall_ns)].offset_ns, kDayNs);
    switch (every_) {
      case Every::kDay:
        return days + kFirst;
      case Every::kWeek:
        return floored(days + 3, 7) + kFirst;  // 1970-01-01 was a Thursday, 3 days after a Monday
      default:
        break;
    }
    const Month month = month_of(days);
    return every_ == Every::kYear ? month.year : month.year * 12 + month.index;
  }
  // Returns the first moment of the period, in nanoseconds since 1970.
  std::int64_t begin(std::int64_t period) const noexcept { return first_at(first_day(period) * kDayNs); }
  // Returns the length of the shortest period, if the zone's offset does not change within it.
  std::uint64_t shortest_ns() const noexcept {
    constexpr std::int64_t days[] = {0, 1, 7, 28, 365};
    return static_cast<std::uint64_t>(days[static_cast<int>(every_)] * kDayNs);
  }
  // Returns a length that no period exceeds. It contains 3 hours for changes of the zone's offset.
  std::uint64_t longest_ns() const noexcept {
    constexpr std::int64_t days[] = {0, 1, 7, 31, 366};
    return static_cast<std::uint64_t>(days[static_cast<int>(every_)] * kDayNs + kDayNs / 8);
  }

 private:
  static constexpr std::int64_t kDayNs = 86'400'000'000'000;
  static constexpr std::int64_t kFirst = 1'024;  // the number of the day, or week, of 1970-01-01

  struct Month {
    std::int64_t year, index;
  };

  static std::int64_t floored(std::int64_t a, std::int64_t b) noexcept {
    return a >= 0 ? a / b : -((-a + b - 1) / b);
  }
  // The proleptic Gregorian calendar in eras of 400 years that begin in March (Howard Hinnant's algorithms).
  static Month month_of(std::int64_t days) noexcept {
    days += 719'468;
    const std::int64_t era = floored(days, 146'097), of_era = days - era * 146'097;
    const std::int64_t year = (of_era - of_era / 1'460 + of_era / 36'524 - of_era / 146'096) / 365;
    const std::int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    const std::int64_t from_march = (5 * of_year + 2) / 153;
    const std::int64_t index = from_march < 10 ? from_march + 2 : from_march - 10;
    return {year + era * 400 + (index < 2 ? 1 : 0), index};
  }
  static std::int64_t day_of(std::int64_t year, std::int64_t month_index) noexcept {
    year -= month_index < 2 ? 1 : 0;
    const std::int64_t era = floored(year, 400), of_era = year - era * 400;
    const std::int64_t from_march = month_index < 2 ? month_index + 10 : month_index - 2;
    return era * 146'097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * from_march + 2) / 5 - 719'468;
  }
  std::int64_t first_day(std::int64_t period) const noexcept {
    switch (every_) {
      case Every::kDay:
        return period - kFirst;
      case Every::kWeek:
        return (period - kFirst) * 7 - 3;
      case Every::kMonth:
        return day_of(floored(period, 12), period - floored(period, 12) * 12);
      default:
        return day_of(period, 0);
    }
  }

  // Returns the index of the change that is in force at `wall_ns`.
  std::uint32_t index_at(std::int64_t wall_ns) const noexcept {
    const ZoneChange* after =
        std::upper_bound(changes_ + 1, changes_ + count_, wall_ns,
                         [](std::int64_t time, const ZoneChange& change) { return time < change.at_ns; });
    return static_cast<std::uint32_t>(after - changes_) - 1;
  }
  // Returns the first moment at which the zone's clocks show `local_ns` or later.
  std::int64_t first_at(std::int64_t local_ns) const noexcept {
    for (std::uint32_t i = index_at(local_ns - 2 * kDayNs);; ++i) {
      const std::int64_t at = local_ns - changes_[i].offset_ns;
      if (i + 1 == count_ || at < changes_[i + 1].at_ns) return i == 0 ? at : std::max(at, changes_[i].at_ns);
    }
  }

  Every every_;
  const ZoneChange* changes_;
  std::uint32_t count_;
};

// The present period of a calendar window, the same for all its states and threads. It follows the wall clock into a
// later period at once, but into an earlier one only when the limiter's time has advanced by the longest period's
// length since the present one was entered. So if the wall clock is set back, no period gets a second quota within that
// time, and no key is locked out for longer than that.
struct CalendarPeriod {
  std::atomic<std::int64_t> period;
  std::atomic<std::uint64_t> since;  // when the present period was entered, in the limiter's time
  SpinLock<> lock;                   // held by the thread that changes it

  // Returns the present period at `time`, in the limiter's time. `of_wall`: the period that this thread's wall clock
  // shows. `longest`: Calendar::longest_ns().
  std::int64_t now(std::int64_t of_wall, std::uint64_t time, std::uint64_t longest) const noexcept {
    const std::int64_t present = period.load(std::memory_order_relaxed);
    return of_wall >= present || is_over(time, longest) ? of_wall : present;
  }
  // Returns what now() returns, and makes it the present period of all threads.
  std::int64_t enter(std::int64_t of_wall, std::uint64_t time, std::uint64_t longest) noexcept {
    // Relaxed: a thread that has read the word of a state (with ACQ) sees here the period of that word, or one that was
    // entered after it.
    if (period.load(std::memory_order_relaxed) == of_wall) [[likely]]
      return of_wall;
    lock.lock();
    const std::int64_t entered = now(of_wall, time, longest);
    if (entered != period.load(std::memory_order_relaxed)) {
      since.store(time, std::memory_order_relaxed);
      period.store(entered, std::memory_order_relaxed);
    }
    lock.unlock();
    return entered;
  }
  // Returns the nanoseconds until the present period may be left for an earlier one; 0: it may be left now.
  std::uint64_t held_for(std::uint64_t time, std::uint64_t longest) const noexcept {
    return is_over(time, longest) ? 0 : since.load(std::memory_order_relaxed) + longest - time;
  }

 private:
  bool is_over(std::uint64_t time, std::uint64_t longest) const noexcept {
    const std::uint64_t from = since.load(std::memory_order_relaxed);
    return time > from && time - from >= longest;
  }
};

// A calendar window of one state. Its count is one word:  | period : 34 | count : 30 |
class CalendarWindow {
 public:
  using Cell = std::atomic<std::uint64_t>;
  static constexpr std::uint64_t kCountMax = (1ULL << 30) - 1;

  CalendarWindow(std::uint64_t limit, const Calendar& calendar, CalendarPeriod& period, Cell& cell,
                 std::uint64_t wall_ns)
      : limit_(limit),
        calendar_(calendar),
        period_(period),
        cell_(cell),
        wall_(static_cast<std::int64_t>(wall_ns)) {}

  // Returns the period that was charged; 0: refused.
  std::uint64_t take(std::uint64_t cost, std::uint64_t time) noexcept {
    return cost > limit_ ? 0 : count(cost, time, limit_);
  }
  void add(std::uint64_t cost, std::uint64_t time) noexcept {
    while (count(std::min(cost, kCountMax), time, kCountMax) == 0) {
      cost = std::min(cost, kCountMax - used(time));
    }
  }
  void refund(std::uint64_t charged, std::uint64_t cost) noexcept {
    std::uint64_t word = cell_.load(std::memory_order_relaxed);
    while (period_in(word) == charged) {
      const std::uint64_t given = std::min(cost, word & kCountMax);
      // REL cell: pairs with ACQ in count() and used().
      if (cell_.compare_exchange_weak(word, word - given, std::memory_order_release,
                                      std::memory_order_relaxed)) {
        return;
      }
    }
  }
  void forget(std::uint64_t cost, std::uint64_t time) noexcept { refund(present(time), cost); }
  // REL cell: pairs with ACQ in count() and used(). They take a 0 for the word of an earlier period, because 0 is the
  // number of no period.
  void clear() noexcept { cell_.store(0, std::memory_order_release); }

  std::uint64_t used(std::uint64_t time) const noexcept {
    // ACQ cell: pairs with REL in count() and refund(). So present() sees the period that is in the word, or one that
    // was entered after it.
    const std::uint64_t word = cell_.load(std::memory_order_acquire);
    return period_in(word) == present(time) ? word & kCountMax : 0;
  }
  // Whether nothing is counted in the present period, so that the state may be forgotten. Enters that period for all
  // threads first, so that the answer stays true if the wall clock is set back.
  bool empty(std::uint64_t time) noexcept {
    period_.enter(calendar_.period_at(wall_), time, calendar_.longest_ns());
    return used(time) == 0;
  }
  std::uint64_t remaining(std::uint64_t time) const noexcept {
    const std::uint64_t counted = used(time);
    return counted >= limit_ ? 0 : limit_ - counted;
  }
  std::uint64_t retry_after(std::uint64_t cost, std::uint64_t time) const noexcept {
    if (cost > limit_) return kNever;
    return used(time) + cost <= limit_ ? 0 : until(1, time);
  }
  std::uint64_t least_wait(std::uint64_t all, std::uint64_t time) const noexcept {
    // Units that add() counted beyond the limit end with the period, as all others do, so they take nothing from later
    // periods.
    const std::uint64_t periods = (std::min(used(time), limit_) + all - 1) / limit_;
    if (periods == 0) return 0;
    if (periods > TokenRate::kTimeMax / calendar_.shortest_ns()) return kNever;
    return until(static_cast<std::int64_t>(periods), time);
  }
  // Returns the nanoseconds until the present period may be over: see until().
  std::uint64_t more_in(std::uint64_t time) const noexcept { return until(1, time); }

 private:
  static std::uint64_t period_in(std::uint64_t word) noexcept { return word >> 30; }
  std::uint64_t present(std::uint64_t time) const noexcept {
    return static_cast<std::uint64_t>(period_.now(calendar_.period_at(wall_), time, calendar_.longest_ns()));
  }

  // Returns the period in which `cost` was counted; 0: the count would exceed `most`.
  std::uint64_t count(std::uint64_t cost, std::uint64_t time, std::uint64_t most) noexcept {
    const std::int64_t of_wall = calendar_.period_at(wall_);
    // ACQ cell: pairs with REL below, and in refund(). A thread that reads a period from the word sees that period in
    // enter(), or one that was entered after it.
    std::uint64_t word = cell_.load(std::memory_order_acquire);
    for (;;) {
      const auto period = static_cast<std::uint64_t>(period_.enter(of_wall, time, calendar_.longest_ns()));
      const std::uint64_t counted = period_in(word) == period ? word & kCountMax : 0;
      if (counted + cost > most) return 0;
      if (cell_.compare_exchange_weak(word, period << 30 | (counted + cost), std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
        return period;
      }
    }
  }

  // Returns the nanoseconds until the `periods`-th period after the present one begins. If the wall clock shows an
  // earlier period than the present one, returns no more than the time until the present one may be left for it.
  std::uint64_t until(std::int64_t periods, std::uint64_t time) const noexcept {
    const std::uint64_t longest = calendar_.longest_ns();
    const std::int64_t of_wall = calendar_.period_at(wall_), now = period_.now(of_wall, time, longest);
    const std::int64_t begins = calendar_.begin(now + periods);
    const std::uint64_t by_wall = begins > wall_ ? static_cast<std::uint64_t>(begins - wall_) : 1;
    return now > of_wall ? std::min(by_wall, std::max<std::uint64_t>(period_.held_for(time, longest), 1))
                         : by_wall;
  }

  std::uint64_t limit_;
  Calendar calendar_;
  CalendarPeriod& period_;
  Cell& cell_;
  std::int64_t wall_;
};

}  // namespace sluice
