// The names of the functions that JavaScript calls.
#pragma once

#include <string_view>

namespace sluice {

namespace functions {

inline constexpr std::string_view kAddon[] = {"createClock",   "attachClock",   "createQueue", "attachQueue",
                                              "createLimiter", "attachLimiter", "createStock", "restoreStock",
                                              "attachStock",   "createGate",    "gateParts",   "attachGate",
                                              "pinThread",     "stagingBytes",  "openWindow",  "bootTimeMs"};
inline constexpr std::string_view kClock[] = {"now", "advance"};
inline constexpr std::string_view kQueue[] = {
    "ring",         "tell",        "push",      "pushTo",      "pushMany",   "waitPush",    "waitReserve",
    "waiterState",  "leave",       "retire",    "awaitServed", "onServed",   "keepAlive",   "reserve",
    "pushReserved", "openBatch",   "fillBatch", "flushBatch",  "closeBatch", "next",        "take",
    "takeOne",      "wantDropped", "park",      "unpark",      "setRef",     "awaitRecord", "spin",
    "consumes",     "giveLease",   "onArrival", "drained",     "consumed",   "empty",       "awaitEmpty",
    "emptied",      "close",       "closed",    "depth",       "claimed",    "gone",        "stats",
    "waits",        "dispose"};
inline constexpr std::string_view kLimiter[] = {
    "allow",    "allowOne",  "tryAcquire", "peek",     "rooms",   "release", "penalize", "reward",
    "refund",   "reset",     "block",      "overload", "acquire", "tend",    "told",     "leave",
    "onServed", "keepAlive", "configure",  "stats",    "limits",  "dispose"};
inline constexpr std::string_view kStock[] = {
    "reserve",          "confirm",    "cancel",         "extend",         "confirmPart",  "cancelPart",
    "giveBack",         "giveBackOf", "change",         "expire",         "sweep",        "addItem",
    "restock",          "withdraw",   "setTotal",       "closeItem",      "reopenItem",   "changeItem",
    "configure",        "addGroup",   "changeGroup",    "limitsUsers",    "counts",       "audit",
    "sellUntil",        "stats",      "oldestMovement", "endOfMovements", "readMovement", "findReservation",
    "listReservations", "snapshot",   "dispose"};
inline constexpr std::string_view kGate[] = {"admit",     "admitWith", "admitAside", "pushAside",
                                             "dropAside", "take",      "resolve",    "putBack",
                                             "renew",     "stats",     "dispose"};

}  // namespace functions

// A name in the list `kNames`. A NameIn of any other name does not compile.
template <const auto& kNames>
class NameIn {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): so that a table can contain plain strings
  consteval NameIn(const char* name) : text_(name) {
    for (const std::string_view known : kNames) {
      if (known == name) return;
    }
    throw "this name is not in the contract";
  }
  constexpr const char* text() const { return text_; }

 private:
  const char* text_;
};

}  // namespace sluice
