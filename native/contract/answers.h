// Answers of native functions that are neither counts nor enumerations of the core.
#pragma once

#include <cstdint>

namespace sluice {

// The next three mean the same for every function of a native object.
inline constexpr std::int32_t kDisposed = -100;
inline constexpr std::int32_t kBadArgument = -101;  // lib/ never passes such an argument
inline constexpr std::int32_t kNoResources = -102;  // the system has no memory, or no descriptor, left

// ---- queue ----

inline constexpr std::int32_t kClosed = -1;
inline constexpr std::int32_t kNotConsumer = -2;
inline constexpr std::int32_t kElsewhere = -3;  // this face does not do that: the native function does
inline constexpr std::int32_t kLineFull = -4;   // `maxWaiting` callers already wait for room
// The answer of next() when it shows one record that has already left the queue. A count of records is at most 64.
inline constexpr std::int32_t kShownAndGone = 65;
// The answer of a push of one record that found no room, and of takeOne() if there was no record. For success the
// WebAssembly face answers kDone; a native function returns undefined, because a number would have to be created.
inline constexpr std::int32_t kNone = 1, kDone = 0;
// Answers of the WebAssembly face: see session/queue_calls.h. kThenRing and kThenTell are added to another answer.
inline constexpr std::int32_t kShowElsewhere = 66, kThenRing = 128, kThenTell = 128;
// The argument `more` of the WebAssembly face's pushMany(): the caller may wait, so a record without room is not
// rejected.
inline constexpr std::int32_t kMayWait = -1;

// Answers of park() and awaitRecord(): the next step of a consumer that found no record.
enum class Park : std::int32_t { kReady = 0, kParked = 1, kEnded = 2 };

// ---- limiter ----

// The answer for a refusal: its Tier, plus kOversized if the limit is below the cost, plus kWindowUnit times the index
// of the window that refused, plus kDryRun if the limiter allowed the request all the same.
inline constexpr std::int32_t kOversized = 8, kWindowUnit = 16, kDryRun = 64;
// The answer of acquire() if the request waits: kWaits plus the number of its waiter.
inline constexpr std::int32_t kWaits = 128;
// told() returns kToldUnit times the number of a waiter, plus the outcome for that waiter. It returns kForgotten minus
// the number if the waiter was served, but its charge was given back because there was no memory to record it.
inline constexpr std::int32_t kToldUnit = 4, kForgotten = -1'000;

// ---- stock ----

inline constexpr std::int32_t kUnknownSku = -1, kUnknownGroup = -2;
// kRefusals plus a ReserveResult: a refusal, where other answers are a ResolveResult.
inline constexpr std::int32_t kRefusals = 64;
// Bits of the argument of changeItem(): which settings it changes; and kClamp: if the new backorder cap is below the
// units that are backordered, the call sets the lowest possible cap in place of refusing.
inline constexpr std::uint32_t kChangePerUser = 1, kChangeBackorder = 2, kClamp = 4, kChangeSellFor = 8;
// The argument of findReservation(): whether the caller passes the reservation's own number, or the id of its order.
inline constexpr std::uint32_t kByReservation = 0, kById = 1;

// ---- gate ----

// kLimited plus the limiter's answer for a refusal: the limiter refused the order.
inline constexpr std::int32_t kLimited = 64;

}  // namespace sluice
