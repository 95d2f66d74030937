// Answers of native functions, besides counts and the enumerations of the core.
#pragma once

#include <cstdint>

namespace sluice {

// These mean the same for every hot function.
inline constexpr std::int32_t kDisposed = -100;
inline constexpr std::int32_t kBadArgument = -101;  // lib/ never passes one
inline constexpr std::int32_t kNoResources = -102;  // the system has no memory, or no descriptor, left

// ---- queue ----

inline constexpr std::int32_t kClosed = -1;
inline constexpr std::int32_t kNotConsumer = -2;
inline constexpr std::int32_t kLineFull = -4;  // `maxWaiting` callers wait for room already
// Answer of next() when it shows one record that has left the queue already. No count is as large.
inline constexpr std::int32_t kShownAndGone = 65;

// Answers of park() and awaitRecord(): the next step of a consumer that found no record.
enum class Park : std::int32_t { kReady = 0, kParked = 1, kEnded = 2 };

// ---- limiter ----

// A refusal is its Tier, plus kOversized if the limit is below the cost, plus kWindowUnit times the number of the
// window that refused, plus kDryRun if the request was allowed all the same.
inline constexpr std::int32_t kOversized = 8, kWindowUnit = 16, kDryRun = 64;
// acquire(): if the request waits, kWaits plus the number of its waiter.
inline constexpr std::int32_t kWaits = 128;
// told() returns kToldUnit times the waiter's number, plus the outcome. It returns kForgotten minus that number if the
// waiter was served, but its charge was given back because there was no memory to record it.
inline constexpr std::int32_t kToldUnit = 4, kForgotten = -1'000;

// ---- stock ----

inline constexpr std::int32_t kUnknownSku = -1, kUnknownGroup = -2;
inline constexpr std::int32_t kRefusals =
    64;  // plus a ReserveResult, in answers that are otherwise a ResolveResult
// The fields that changeItem() changes: a bit each.
inline constexpr std::uint32_t kChangePerUser = 1, kChangeBackorder = 2, kClamp = 4;
// What the number passed to findReservation() is: the reservation's own number, or the id of its order.
inline constexpr std::uint32_t kByReservation = 0, kById = 1;

// ---- gate ----

inline constexpr std::int32_t kLimited = 64;  // plus the limiter's refusal

}  // namespace sluice
