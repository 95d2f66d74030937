// Gathers every number, layout and name that C++ and TypeScript share, from the headers that define them. print.cc
// prints them as lib/binding/contract.ts. That file and the addon each contain a hash of the text; lib/ compares the
// two hashes when it loads the addon.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "contract/answers.h"
#include "contract/figures.h"
#include "contract/functions.h"
#include "contract/limits.h"
#include "contract/reasons.h"
#include "contract/staging.h"
#include "contract/typescript.h"
#include "contract/words.h"
#include "core/base/histogram.h"
#include "core/base/thread_slots.h"
#include "core/gate/gate_memory.h"
#include "core/gate/in_flight_table.h"
#include "core/limiter/key_table.h"
#include "core/limiter/limiter_window.h"
#include "core/limiter/token_rate.h"
#include "core/queue/queue_shape.h"
#include "core/queue/ring.h"
#include "core/stock/ledger_memory.h"

namespace sluice::contract {

template <class Source, std::size_t N>
std::vector<std::string_view> names_of(const Figure<Source> (&figures)[N]) {
  std::vector<std::string_view> names;
  for (const Figure<Source>& figure : figures) names.emplace_back(figure.name);
  return names;
}

inline void describe_answers(TypeScript& to) {
  to.numbers("answers", "Answers of native functions in place of a count.",
             {{"disposed", kDisposed},
              {"badArgument", kBadArgument},
              {"noResources", kNoResources},
              {"closed", kClosed},
              {"notConsumer", kNotConsumer},
              {"none", kNone},
              {"elsewhere", kElsewhere},
              {"lineFull", kLineFull},
              {"unknownSku", kUnknownSku},
              {"unknownGroup", kUnknownGroup}});
  constexpr std::string_view kReasons[] = {
      kDeadHandle,
      kNoMemory,
      kTooManyThreads,
      kPartDisposed,
      kQueueGated,
      kClocksDiffer,
      kNoCell,
      kBadStaging,
      kBadRange,
      reason(AttachError::kBadSchema),
      reason(AttachError::kBadLayout),
      reason(AttachError::kMisaligned),
      reason(AttachError::kTooSmall),
      reason(AttachError::kBadMagic),
      reason(AttachError::kBadVersion),
      reason(AttachError::kBadKind),
      reason(SnapshotError::kNoSnapshot),
      reason(SnapshotError::kVersion),
      reason(SnapshotError::kDamaged),
      reason(SnapshotError::kItems),
      reason(SnapshotError::kReservations),
      reason(SnapshotError::kUsers),
      reason(SnapshotError::kIds),
  };
  to.one_of("Reason", "Reasons why a native function did not create or attach an object.", kReasons);
}

inline void describe_queue(TypeScript& to) {
  to.words<Overflow>("overflows", "How a queue treats a record that finds no room.");
  to.words<Dropped>("dropReasons", "Reasons why a record left the queue without being consumed.");
  to.words<WaiterState>("waiterStates", "States of a wait for room.");
  to.words<Park>("parks", "The next step of a consumer that found no record.");
  to.number("ringPositionBits", "How many lower bits of the word of a position are 0.", kRingPositionShift);
  to.number("shownAndGone", "The answer of next() when it shows one record that has already left the queue.",
            kShownAndGone);
  to.numbers(
      "faceAnswers",
      "Answers of the WebAssembly face of a queue. `thenRing` and `thenTell` are added to another one.",
      {{"done", kDone},
       {"showElsewhere", kShowElsewhere},
       {"thenRing", kThenRing},
       {"thenTell", kThenTell},
       {"mayWait", kMayWait}});
}

// See Histogram::index_of().
inline void describe_waits(TypeScript& to) {
  to.number("bucketsPerPower",
            "How many buckets of equal width a histogram has below this number, and for each power of two "
            "from it on.",
            Histogram::kSub);
}

inline void describe_limiter(TypeScript& to) {
  to.words<Tier>("tiers", "The tiers that can refuse a request.");
  to.numbers(
      "refusalBits",
      "Added to the tier of a refusal; `window` is first multiplied by the index of the window that refused.",
      {{"oversized", kOversized}, {"window", kWindowUnit}, {"dryRun", kDryRun}});
  to.number("waits", "The answer of acquire() if the request waits: this plus the number of its waiter.",
            kWaits);
  to.words<LimiterWaiters::Told::Outcome>(
      "told",
      "Outcomes for a waiter. told() returns one of them, plus `toldUnit` times the number of the waiter.");
  to.number("toldUnit", "The factor of the number of the waiter in answers of told(): see `told`.",
            kToldUnit);
  to.number(
      "forgotten",
      "The answer of told() if the charge of a served waiter had to be given back: this minus its number.",
      kForgotten);
  to.words<Every>("periods", "Periods of a calendar window. A sliding window has 0 in place of one.");
}

inline void describe_stock(TypeScript& to) {
  to.words<ReserveResult>("reserveResults", "Answers to a request to the stock.");
  to.words<ResolveResult>("resolveResults", "Answers to a call that ends, changes or returns a reservation.");
  to.number("refusals", "This plus a reserve result is a refusal, where other answers are a resolve result.",
            kRefusals);
  to.words<Phase>("phases", "Phases of a reservation.");
  to.words<ItemTable<>::Added>("itemsAdded", "Answers to addItem().");
  to.words<GroupTable::Added>("groupsAdded", "Answers to addGroup().");
  to.words<LevelSet>("levelsSet", "Answers to a call that sets a total or a backorder cap.");
  to.words<MovementKind>("movementKinds", "Kinds of movements.");
  to.numbers("itemChanges",
             "Bits of the argument of changeItem(). `clamp`: too low a backorder cap becomes the lowest "
             "possible one.",
             {{"perUser", kChangePerUser},
              {"backorder", kChangeBackorder},
              {"clamp", kClamp},
              {"sellFor", kChangeSellFor}});
  to.numbers("finds", "The argument of findReservation(): by which number it finds a reservation.",
             {{"reservation", kByReservation}, {"id", kById}});
}

inline void describe_gate(TypeScript& to) {
  to.words<NumberType>("fieldTypes", "Types of the fields that a gate reads from a record.");
  to.words<Outcome>("outcomes", "Answers of admit() that are neither `admitted` nor reserve results.");
  to.number("admitted", "The answer of admit() for an order that is newly admitted.",
            static_cast<std::uint32_t>(Outcome::kAdmitted));
  to.number("limited", "The answer of admit() if the limiter refused: this plus the answer of the limiter.",
            kLimited);
  to.number("noEntry", "In place of the entry of an order that is not in hand.", InFlightTable::kNone);
}

inline void describe_staging(TypeScript& to) {
  to.numbers("queueStaging", "Offsets in the buffer `words` of a queue, in bytes.",
             {{"ttlNs", QueueStaging::kTtlNs},
              {"dropped", QueueStaging::kDropped},
              {"shownAt", QueueStaging::kShownAt},
              {"reasons", QueueStaging::kReasons},
              {"reasonBytes", QueueStaging::kReasonBytes},
              {"figures", QueueStaging::kFigures},
              {"bytes", QueueStaging::kBytes}});
  to.numbers(
      "waitsStaging", "Offsets in the buffer that waits() fills, in bytes.",
      {{"sum", WaitsStaging::kSum}, {"buckets", WaitsStaging::kBuckets}, {"bytes", WaitsStaging::kBytes}});
  to.numbers("batchStaging", "Offsets in the buffer of a batch, in bytes.",
             {{"count", BatchStaging::kCount},
              {"permits", BatchStaging::kPermits},
              {"records", BatchStaging::kRecords}});
  to.numbers("limiterStaging", "Offsets in the buffer of a limiter, in bytes.",
             {{"answer", LimiterStaging::kAnswer},
              {"retryAfterMs", LimiterStaging::kRetryAfterMs},
              {"remaining", LimiterStaging::kRemaining},
              {"tier", LimiterStaging::kTier},
              {"patienceMs", LimiterStaging::kPatienceMs},
              {"tightest", LimiterStaging::kTightest},
              {"nowMs", LimiterStaging::kNowMs},
              {"leftMs", LimiterStaging::kLeftMs},
              {"rooms", LimiterStaging::kRooms},
              {"roomBytes", LimiterStaging::kRoomBytes},
              {"slot", LimiterStaging::kSlot},
              {"serial", LimiterStaging::kSerial},
              {"charged", LimiterStaging::kCharged},
              {"figures", LimiterStaging::kFigures},
              {"bytes", LimiterStaging::kBytes}});
  to.numbers("stockStaging", "Offsets in the buffer of a stock ledger, in bytes.",
             {{"holdNs", StockStaging::kHoldNs},
              {"reservation", StockStaging::kReservation},
              {"quantity", StockStaging::kQuantity},
              {"line", StockStaging::kLine},
              {"perUser", StockStaging::kPerUser},
              {"shards", StockStaging::kShards},
              {"backorder", StockStaging::kBackorder},
              {"sellNs", StockStaging::kSellNs},
              {"user", StockStaging::kUser},
              {"id", StockStaging::kId},
              {"lines", StockStaging::kLines},
              {"lineQuantity", StockStaging::kLineQuantity},
              {"lineBytes", StockStaging::kLineBytes},
              {"texts", StockStaging::kTexts},
              {"figures", StockStaging::kFigures},
              {"bytes", StockStaging::kBytes}});
  to.numbers("gateStaging", "Offsets in the buffer of a gate, in bytes.",
             {{"reservation", GateStaging::kReservation},
              {"retryAfterMs", GateStaging::kRetryAfterMs},
              {"line", GateStaging::kLine},
              {"renewInMs", GateStaging::kRenewInMs},
              {"answer", GateStaging::kAnswer},
              {"aside", GateStaging::kAside},
              {"asideBytes", GateStaging::kAsideBytes},
              {"taken", GateStaging::kTaken},
              {"takenEntry", GateStaging::kTakenEntry},
              {"takenDeliveries", GateStaging::kTakenDeliveries},
              {"takenBytes", GateStaging::kTakenBytes},
              {"figures", GateStaging::kFigures},
              {"bytes", GateStaging::kBytes}});
}

inline void describe_figures(TypeScript& to) {
  to.list("queueFigures", "Figures of Queue.stats().", names_of(figures::kQueue));
  to.list("waitFigures", "Figures of `waitNs` in Queue.stats(), after `queueFigures`.",
          names_of(figures::kWaits));
  to.list("limiterFigures", "Figures of Limiter.stats().", names_of(figures::kLimiter));
  to.list("refusalFigures", "Figures of `refused` in Limiter.stats(), after `limiterFigures`.",
          names_of(figures::kRefusals));
  to.list("limitFigures", "Figures of Limiter.limits().", names_of(figures::kLimits));
  to.list("windowFigures", "Figures of each window in Limiter.limits(), after `limitFigures`.",
          names_of(figures::kWindowLimits));
  to.list("stockFigures", "Figures of Stock.stats().", names_of(figures::kStock));
  to.list("countFigures", "Figures of Stock.counts().", names_of(figures::kCounts));
  to.list("auditFigures", "Figures of Stock.audit(). The `countFigures` of one item follow them.",
          names_of(figures::kAudit));
  to.list("gateFigures", "Figures of Gate.stats().", names_of(figures::kGate));
}

inline void describe_functions(TypeScript& to) {
  to.list("addonFunctions", "Functions of the addon.", functions::kAddon);
  to.list("clockFunctions", "Functions of a clock.", functions::kClock);
  to.list("queueFunctions", "Functions of a queue.", functions::kQueue);
  to.list("limiterFunctions", "Functions of a limiter.", functions::kLimiter);
  to.list("stockFunctions", "Functions of a stock ledger.", functions::kStock);
  to.list("gateFunctions", "Functions of a gate.", functions::kGate);
}

inline void describe_limits(TypeScript& to) {
  to.number("threadsMax", "The most threads that can have one object attached at one time.", kThreadsMax);
  to.number("stagedRecords", "The most records in the buffer `in` of a queue, and in its buffer `out`.",
            kStagedRecords);
  to.number("arenaPages",
            "The size of the memory that native code and WebAssembly share, in pages of 64 KiB.",
            kArenaPages);
  to.numbers("queueLimits", "The largest settings of a queue, and of calls to it.",
             {{"capacity", kCapacityMax},
              {"lanes", kLanesMax},
              {"weight", kWeightMax},
              {"waiters", kWaitersMax},
              {"permits", kRingPermitsMax},
              {"spin", kSpinMax},
              {"droppedAtOnce", kDroppedMax}});
  to.numbers("limiterLimits",
             "The largest settings of a limiter. A name that ends in `Min` is that of a smallest one.",
             {{"rateMin", kTokenRateMin},
              {"rate", kTokenRateMax},
              {"cost", kCostMax},
              {"warmUpMs", kDayMs},
              {"windows", kWindowsMax},
              {"windowLimit", kWindowLimitMax},
              {"windowMs", kWindowMsMax},
              {"buckets", kWindowBucketsMax},
              {"logLimit", kLogLimitMax},
              {"keys", kKeysMax},
              {"keyText", kKeyTextMax},
              {"keyBits", kKeyBitsMax},
              {"waiters", kWaitersMax},
              {"loopDelayMsMin", kLoopDelayMsMin},
              {"loopDelayMs", kLoopDelayMsMax},
              {"queueWaitMsMin", kQueueWaitMsMin},
              {"queueWaitMs", kQueueWaitMsMax},
              {"adaptiveMsMin", kAdaptiveMsMin},
              {"adaptiveMs", kAdaptiveMsMax}});
  to.numbers("stockLimits", "The largest settings of a stock ledger.",
             {{"items", kItemsMax},
              {"shards", kShardsMax},
              {"groups", GroupTable::kGroupsMax},
              {"groupMembers", GroupTable::kMembersMax},
              {"reservations", kReservationsMax},
              {"users", kUsersMax},
              {"ids", kIdsMax},
              {"movements", kMovementsMax},
              {"quantity", kQuantityMax},
              {"lines", StockRequest::kLinesMax},
              {"skuText", kSkuTextMax},
              {"userText", LedgerUser::kTextMax},
              {"idText", kIdTextMax},
              {"holdMs", kHoldMsMax},
              {"sellForMs", kSellForMsMax}});
  to.numbers("gateLimits", "The largest settings of a gate.",
             {{"inHand", kInHandMax}, {"holdMs", kHoldMsMax}});
  to.numbers("clockLimits", "The latest start of a manual clock, and its end, in milliseconds.",
             {{"startMs", kClockStartNsMax / 1'000'000}, {"endMs", kClockEndNs / 1'000'000}});
}

// Returns the contract as TypeScript, without its hash.
inline std::string text() {
  TypeScript to;
  describe_answers(to);
  describe_queue(to);
  describe_waits(to);
  describe_limiter(to);
  describe_stock(to);
  describe_gate(to);
  describe_staging(to);
  describe_figures(to);
  describe_functions(to);
  describe_limits(to);
  return to.text();
}

// Returns the FNV-1a hash of the text, in hexadecimal.
inline std::string hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100'0000'01b3;
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[hash >> shift & 0xf];
  return digits;
}

}  // namespace sluice::contract
