// A clock that reads the processor's time stamp counter, and the system's monotonic clock only now and then. The
// counter takes a third to a half of the time of the system's clock (13 and 27 ns where both were measured).
//
//   time = anchor_ns + ticks since the anchor * rate        for kSpanNs after an anchor; then there is a new anchor
//
// The rate is measured between two readings of both clocks that are kBaseTicksMin apart or more. It is used lowered by
// 1/2048, about as much as a system's clock is slewed at most. So a time is not early, and late by kSpanNs / 2048
// (128 ns) at most, as if the thread had lost the processor just after it read the clock. It never goes back.
//
// A counter that does not run evenly is found at the next anchor: the new rate differs from the old one. Then, and
// until a rate is known, every time is read from the system's clock.
//
// Each thread has a clock of its own. The times of two threads differ by 128 ns at most.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sluice {

// `Source` has static functions: ticks() reads the counter, ns() the system's monotonic clock.
template <class Source>
class TickClock {
 public:
  static constexpr std::uint64_t kSpanNs = 1ULL << 18;

  std::uint64_t now() noexcept {
    const std::uint64_t since = Source::ticks() - anchor_ticks_;
    if (since < span_) [[likely]]
      return anchor_ns_ + (since * rate_ >> kRateBits);
    return now_from_system();
  }

 private:
  static constexpr int kRateBits = 32;
  // The most ticks between the readings of the counter before and after a reading of the system's clock. If there are
  // more, the thread lost the processor in between, and the readings do not belong together.
  static constexpr std::uint64_t kPairTicksMax = 1'024;
  // With these, a rate is wrong by 1/8192 at most because of the readings.
  static constexpr std::uint64_t kBaseTicksMin = 1ULL << 24, kBaseTicksMax = 1ULL << 32;
  // Nanoseconds of a tick, from a counter of 16 GHz to one of 500 MHz.
  static constexpr double kTickNsMin = 1.0 / 16, kTickNsMax = 2;

#if defined(_MSC_VER)
  __declspec(noinline)
#else
  __attribute__((noinline))
#endif
      std::uint64_t now_from_system() noexcept {
    const std::uint64_t before = Source::ticks();
    const std::uint64_t ns = std::max(Source::ns(), latest());
    const std::uint64_t ticks = Source::ticks();
    span_ = 0;
    anchor_ns_ = ns;
    if (ticks - before > kPairTicksMax) return ns;
    const std::uint64_t base_ticks = ticks - base_ticks_;
    if (base_ticks < kBaseTicksMin) return ns;
    const double tick_ns = static_cast<double>(ns - base_ns_) / static_cast<double>(base_ticks);
    const bool even =
        tick_ns >= kTickNsMin && tick_ns <= kTickNsMax &&
        (tick_ns_ == 0 || (tick_ns > tick_ns_ * (1 - kUneven) && tick_ns < tick_ns_ * (1 + kUneven)));
    if (!even || base_ticks > kBaseTicksMax) {
      base_ticks_ = ticks;
      base_ns_ = ns;
    }
    tick_ns_ = even ? tick_ns : 0;
    if (!even) return ns;
    rate_ = static_cast<std::uint64_t>(tick_ns * (1 - 1.0 / 2048) * static_cast<double>(1ULL << kRateBits));
    anchor_ticks_ = ticks;
    span_ = static_cast<std::uint64_t>(static_cast<double>(kSpanNs) / tick_ns);
    return ns;
  }
  // How much two rates may differ: a slewed clock, and what kBaseTicksMin says.
  static constexpr double kUneven = 1.0 / 512;

  // Returns the latest time that this clock can have returned.
  std::uint64_t latest() const noexcept { return anchor_ns_ + (span_ * rate_ >> kRateBits); }

  std::uint64_t anchor_ticks_ = 0, anchor_ns_ = 0;
  std::uint64_t span_ = 0;  // ticks after the anchor for which the rate is used; 0: the rate is not used
  std::uint64_t rate_ = 0;  // nanoseconds of a tick, in units of 2^-kRateBits, lowered
  std::uint64_t base_ticks_ = 0, base_ns_ = 0;
  double tick_ns_ = 0;  // 0: not known
};

}  // namespace sluice
