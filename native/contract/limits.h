// Bounds of options, where no algorithm of the core sets them. lib/ checks an option first, and names it in its error.
// Native code checks again, because it sizes memory by these numbers. contract.h gathers the bounds of the core.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice {

// ---- queue ----

inline constexpr std::uint32_t kWaitersMax = 65'536;  // of a queue, and of a limiter
inline constexpr std::uint32_t kWeightMax = 1'000;
// The most records that one native call takes from JavaScript or gives to it.
inline constexpr std::uint32_t kStagedRecords = 64;
// The most records that one native call drops, where JavaScript or a gate learns of each.
inline constexpr std::uint32_t kDroppedMax = 64;
// The longest sleep of one call, even if JavaScript asks for more: nothing wakes a sleeping thread that is being
// terminated.
inline constexpr std::uint32_t kSleepMsMax = 100;
// The most pauses of one call that spins, for the same reason.
inline constexpr std::uint32_t kSpinMax = 1'000'000;

// ---- limiter ----

inline constexpr std::uint64_t kCostMax = 0xffff'ffff;
inline constexpr double kDayMs = 86'400'000, kWindowMsMax = 366 * kDayMs;
inline constexpr double kLoopDelayMsMin = 1, kLoopDelayMsMax = 60'000;  // of the adaptive tier
inline constexpr double kQueueWaitMsMin = 0.001, kQueueWaitMsMax = 3'600'000;
inline constexpr double kAdaptiveMsMin = 10, kAdaptiveMsMax = 60'000;
// The most UTF-16 code units of a key that is a text, and the most bits of one that is a bigint.
inline constexpr std::size_t kKeyTextMax = 1'024, kKeyBitsMax = 8'192;
inline constexpr std::uint32_t kZoneChangesMax = 4'096;
inline constexpr double kZoneTimeMsMax = 9e12, kZoneOffsetMsMax = 2e8;  // 285 years from 1970; two days

// ---- stock and gate ----

inline constexpr double kHoldMsMax = kDayMs;

// ---- clock ----

// The latest start and the end of a manual clock. Calendars and rates are exact that far.
inline constexpr std::uint64_t kClockStartNsMax = 1'000'000'000'000'000'000,
                               kClockEndNs = 1'100'000'000'000'000'000;

}  // namespace sluice
