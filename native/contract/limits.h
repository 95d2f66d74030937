// How large an option may be, where no algorithm of the core sets the bound. lib/ names the option in its error. Native
// code compares once more, because it makes memory of these numbers. contract.h gathers the bounds of the core.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice {

// ---- queue ----

inline constexpr std::uint64_t kCapacityMax = 1U << 24, kRecordBytesMax = 1ULL << 32;
inline constexpr std::uint32_t kWaitersMax = 65'536;  // of a queue, and of a limiter
inline constexpr std::uint32_t kWeightMax = 1'000;
// Records that one native call takes from JavaScript or gives to it.
inline constexpr std::uint32_t kStagedRecords = 64;
// Records that one native call drops at the most, where JavaScript or a gate is to hear of each.
inline constexpr std::uint32_t kDroppedMax = 64;
// The longest that one call sleeps, whatever it is asked for: a thread that is being terminated is not woken.
inline constexpr std::uint32_t kSleepMsMax = 100;

// ---- limiter ----

inline constexpr std::uint64_t kCostMax = 0xffff'ffff;
inline constexpr double kDayMs = 86'400'000, kWindowMsMax = 366 * kDayMs;
inline constexpr double kLoopDelayMsMin = 1, kLoopDelayMsMax = 60'000;  // of the adaptive tier
inline constexpr double kQueueWaitMsMin = 0.001, kQueueWaitMsMax = 3'600'000;
inline constexpr double kAdaptiveMsMin = 10, kAdaptiveMsMax = 60'000;
// Keys that are texts have so many UTF-16 code units, and bigints so many bits.
inline constexpr std::size_t kKeyTextMax = 1'024, kKeyBitsMax = 8'192;
inline constexpr std::uint32_t kZoneChangesMax = 4'096;
inline constexpr double kZoneTimeMsMax = 9e12, kZoneOffsetMsMax = 2e8;  // 285 years from 1970; two days

// ---- stock and gate ----

inline constexpr double kHoldMsMax = kDayMs;
inline constexpr std::uint64_t kInHandMax = 65'536;

// ---- clock ----

// What a manual clock shows. Calendars and rates are exact that far, and periods of the past have numbers.
inline constexpr std::uint64_t kClockStartNsMax = 1'000'000'000'000'000'000,
                               kClockEndNs = 1'100'000'000'000'000'000;

}  // namespace sluice
