// What native functions answer beside counts and the enumerations of the core.
#pragma once

#include <cstdint>

namespace sluice {

// Answers of every hot function that mean the same everywhere.
inline constexpr std::int32_t kDisposed = -100;
inline constexpr std::int32_t kBadArgument = -101;  // which lib/ never gives
inline constexpr std::int32_t kNoResources = -102;  // the system has no memory, or no descriptor, to give

// ---- queue ----

inline constexpr std::int32_t kClosed = -1;
inline constexpr std::int32_t kNotConsumer = -2;
inline constexpr std::int32_t kLineFull = -4;  // as many as may wait for room
// next(): it shows one record, which has left the queue already. More than it ever shows.
inline constexpr std::int32_t kShownAndGone = 65;

// What a consumer that found nothing may do.
enum class Park : std::int32_t { kReady = 0, kParked = 1, kEnded = 2 };

// ---- limiter ----

// A refusal is answered as its Tier, plus kOversized if the limit is below the cost, plus kWindowUnit times the number
// of the window that refused, plus kDryRun if it was allowed all the same.
inline constexpr std::int32_t kOversized = 8, kWindowUnit = 16, kDryRun = 64;
// acquire(): plus the number of the waiter, if it is to wait.
inline constexpr std::int32_t kWaits = 128;
// told(): so many times the waiter, plus what has happened to it. kForgotten less the waiter: it was served, and gave
// that back for want of memory.
inline constexpr std::int32_t kToldUnit = 4, kForgotten = -1'000;

// ---- stock ----

inline constexpr std::int32_t kUnknownSku = -1, kUnknownGroup = -2;
inline constexpr std::int32_t kRefusals = 64;  // plus a ReserveResult, where a ResolveResult is answered too
// What changeItem() changes: a bit each.
inline constexpr std::uint32_t kChangePerUser = 1, kChangeBackorder = 2, kClamp = 4;
// What findReservation() looks for.
inline constexpr std::uint32_t kByReservation = 0, kById = 1;

// ---- gate ----

inline constexpr std::int32_t kLimited = 64;  // plus the limiter's refusal

}  // namespace sluice
