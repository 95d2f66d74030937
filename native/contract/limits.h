// Bounds that no algorithm of the core sets: most are of options, some of single calls. lib/ checks an option first,
// and names it in its error. Native code does not rely on that, because it sizes memory by some of these numbers.
// contract.h also has the bounds that the core sets.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice {

// ---- queue ----

inline constexpr std::uint32_t kWaitersMax = 65'536;  // of a queue, and of a limiter
inline constexpr std::uint32_t kWeightMax = 1'000;
// The most records in the buffer `in` of a queue, and in its buffer `out`: see QueueSession::Buffers.
inline constexpr std::uint32_t kStagedRecords = 64;
// The most dropped records of one step that are kept: copies for JavaScript, or tags to be given back after the step.
inline constexpr std::uint32_t kDroppedMax = 64;
// The longest sleep of one call, even if JavaScript asks for more: a thread that is terminated meanwhile sleeps on
// until the end of the call.
inline constexpr std::uint32_t kSleepMsMax = 100;
// The most pauses of one call of spin(), even if JavaScript asks for more: a thread that is terminated meanwhile goes
// on until the end of the call.
inline constexpr std::uint32_t kSpinMax = 1'000'000;

// The size of the memory that native code and WebAssembly share, in WebAssembly's pages: see platform/arena.h.
inline constexpr std::uint64_t kWasmPageBytes = 65'536, kArenaPages = 16'384;

// ---- limiter ----

inline constexpr std::uint64_t kCostMax = 0xffff'ffff;
inline constexpr double kDayMs = 86'400'000, kWindowMsMax = 366 * kDayMs;
// Bounds of the adaptive tier's options.
inline constexpr double kLoopDelayMsMin = 1, kLoopDelayMsMax = 60'000;
inline constexpr double kQueueWaitMsMin = 0.001, kQueueWaitMsMax = 3'600'000;
inline constexpr double kAdaptiveMsMin = 10, kAdaptiveMsMax = 60'000;
// The most UTF-16 code units of a key that is a text, and the most bits of one that is a bigint.
inline constexpr std::size_t kKeyTextMax = 1'024, kKeyBitsMax = 8'192;
// For the time zone of a calendar window: the most changes of its offset; the largest distance of a change from 1970
// (about 285 years); and the largest offset from UTC, east or west (about 55 hours).
inline constexpr std::uint32_t kZoneChangesMax = 4'096;
inline constexpr double kZoneTimeMsMax = 9e12, kZoneOffsetMsMax = 2e8;

// ---- stock and gate ----

inline constexpr double kHoldMsMax = kDayMs;
inline constexpr double kSellForMsMax = 366 * kDayMs;

// ---- clock ----

// The latest start of a manual clock, and its end. Up to the end, calendars and rates are exact.
inline constexpr std::uint64_t kClockStartNsMax = 1'000'000'000'000'000'000,
                               kClockEndNs = 1'100'000'000'000'000'000;

}  // namespace sluice
