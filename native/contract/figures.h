// The figures that stats(), counts(), audit() and limits() return: their names, their order, and the source of each.
// Native code writes them as doubles, one after another, to the object's staging buffer, from kFigures on. lib/ makes
// an object of them, by their names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "contract/staging.h"
#include "core/base/histogram.h"
#include "core/base/thread_slots.h"
#include "core/gate/admission.h"
#include "core/gate/in_flight_table.h"
#include "core/limiter/limiter.h"
#include "core/queue/queue.h"
#include "core/stock/ledger_audit.h"
#include "core/stock/stock_ledger.h"

namespace sluice {

template <class Source>
struct Figure {
  const char* name;
  double (*of)(const Source&);
};

// Writes the figures of `source` to `to`, from the offset `at` on, and returns the offset after the last of them. `to`
// has room for kFiguresMax figures in all.
template <class Source, std::size_t N, class Buffer>
std::size_t put_figures(const Figure<Source> (&figures)[N], const Source& source, const Buffer& to,
                        std::size_t at) {
  for (const Figure<Source>& figure : figures) {
    to.put(at, figure.of(source));
    at += sizeof(double);
  }
  return at;
}

namespace figures {

constexpr double number(std::uint64_t count) { return static_cast<double>(count); }

// ---- queue ----

inline constexpr Figure<Queue> kQueue[] = {
    {"depth", [](const Queue& queue) { return number(queue.depth()); }},
    {"highWater", [](const Queue& queue) { return number(queue.high_water()); }},
    {"pushed", [](const Queue& queue) { return number(queue.pushed()); }},
    {"popped", [](const Queue& queue) { return number(queue.popped()); }},
    {"rejected", [](const Queue& queue) { return number(queue.rejected()); }},
    {"expired", [](const Queue& queue) { return number(queue.dropped(Dropped::kExpired)); }},
    {"dropped",
     [](const Queue& queue) {
       return number(queue.dropped(Dropped::kOldest) + queue.dropped(Dropped::kShed));
     }},
    {"shed", [](const Queue& queue) { return number(queue.dropped(Dropped::kShed)); }},
    {"waiting", [](const Queue& queue) { return number(queue.waiting()); }},
    {"waitersRefused", [](const Queue& queue) { return number(queue.waiters_refused()); }},
    {"permits", [](const Queue& queue) { return number(queue.permits()); }},
    {"wakeups", [](const Queue& queue) { return number(queue.wakeups()); }},
};
// How long records waited, in nanoseconds.
inline constexpr Figure<Histogram> kWaits[] = {
    {"count", [](const Histogram& waits) { return number(waits.count()); }},
    {"mean", [](const Histogram& waits) { return waits.mean(); }},
    {"p50", [](const Histogram& waits) { return number(waits.at(0.5)); }},
    {"p90", [](const Histogram& waits) { return number(waits.at(0.9)); }},
    {"p99", [](const Histogram& waits) { return number(waits.at(0.99)); }},
    {"p999", [](const Histogram& waits) { return number(waits.at(0.999)); }},
    {"max", [](const Histogram& waits) { return number(waits.max()); }},
};

// ---- limiter ----

struct LimiterSource {
  const ThreadSlots& slots;
  std::uint64_t waiting, in_flight, bytes;
};
template <std::uint32_t kCounter>
double counted(const LimiterSource& source) {
  return number(source.slots.sum(kCounter));
}
inline constexpr Figure<LimiterSource> kLimiter[] = {
    {"allowed", counted<Limiter::kAllowed>},
    {"dryRefusals", counted<Limiter::kDryRefusals>},
    {"waiting", [](const LimiterSource& source) { return number(source.waiting); }},
    {"inFlight", [](const LimiterSource& source) { return number(source.in_flight); }},
    {"keys", counted<Limiter::kPlaces>},
    {"evicted", counted<Limiter::kEvicted>},
    {"overflowed", counted<Limiter::kOverflowed>},
    {"forgotten", counted<Limiter::kForgotten>},
    {"bytes", [](const LimiterSource& source) { return number(source.bytes); }},
};
// How many requests were refused, by tier.
inline constexpr Figure<LimiterSource> kRefusals[] = {
    {"token-bucket", counted<Limiter::kByTokenBucket>},
    {"sliding-window", counted<Limiter::kBySlidingWindow>},
    {"queue-depth", counted<Limiter::kByQueueDepth>},
    {"blocked", counted<Limiter::kByBlock>},
    {"adaptive", counted<Limiter::kByAdaptive>},
    {"waiting-line", counted<Limiter::kByLine>},
};
// The limits that configure() can change, besides those of the windows. A value of a tier that the limiter does not
// have means nothing.
inline constexpr Figure<LimiterConfig> kLimits[] = {
    {"ratePerSecond", [](const LimiterConfig& config) { return config.bucket.per_second; }},
    {"burst", [](const LimiterConfig& config) { return number(config.bucket.burst); }},
    {"max", [](const LimiterConfig& config) { return number(config.depth_max); }},
};
// The limits of one window. Those of all windows follow kLimits. The `windowMs` of a calendar window means nothing.
inline constexpr Figure<SlidingWindowConfig> kWindowLimits[] = {
    {"limit", [](const SlidingWindowConfig& window) { return number(window.limit); }},
    {"windowMs",
     [](const SlidingWindowConfig& window) { return number(window.bucket_ns * window.buckets) / 1e6; }},
};

// ---- stock ----

template <std::uint32_t kCounter>
double summed(const ThreadSlots& slots) {
  return number(slots.sum(kCounter));
}
inline constexpr Figure<ThreadSlots> kStock[] = {
    {"reserved", summed<StockLedger::kReserved>},   {"confirmed", summed<StockLedger::kConfirmed>},
    {"cancelled", summed<StockLedger::kCancelled>}, {"expired", summed<StockLedger::kExpired>},
    {"extended", summed<StockLedger::kExtended>},   {"parted", summed<StockLedger::kParted>},
    {"changed", summed<StockLedger::kChanged>},     {"returned", summed<StockLedger::kReturned>},
    {"refused", summed<StockLedger::kRefused>},
};
inline constexpr Figure<StockCounts> kCounts[] = {
    {"total", [](const StockCounts& counts) { return number(counts.total); }},
    {"available", [](const StockCounts& counts) { return number(counts.available); }},
    {"reserved", [](const StockCounts& counts) { return number(counts.reserved); }},
    {"sold", [](const StockCounts& counts) { return number(counts.sold); }},
    {"backorder", [](const StockCounts& counts) { return number(counts.backorder); }},
    {"backordered", [](const StockCounts& counts) { return number(counts.backordered); }},
};
struct AuditSource {
  const LedgerAudit& audit;
  std::uint32_t items, slots;
};
inline constexpr Figure<AuditSource> kAudit[] = {
    {"items", [](const AuditSource& source) { return number(source.items); }},
    {"held", [](const AuditSource& source) { return number(source.audit.held); }},
    {"lines", [](const AuditSource& source) { return number(source.audit.lines); }},
    {"free", [](const AuditSource& source) { return number(source.audit.free_slots); }},
    {"slots", [](const AuditSource& source) { return number(source.slots); }},
    {"users", [](const AuditSource& source) { return number(source.audit.users); }},
    {"usersCounted", [](const AuditSource& source) { return number(source.audit.users_counted); }},
    {"usersOff", [](const AuditSource& source) { return number(source.audit.users_off); }},
    {"shardsOff", [](const AuditSource& source) { return number(source.audit.shards_off); }},
    {"neverDue", [](const AuditSource& source) { return number(source.audit.never_due); }},
    // The next two are of an item whose counts the audit found wrong, if there is one. The counts of that item follow.
    {"reservedFound", [](const AuditSource& source) { return number(source.audit.reserved_found); }},
    {"usersFound", [](const AuditSource& source) { return number(source.audit.users_found); }},
};

// ---- gate ----

struct GateSource {
  const ThreadSlots& slots;
  const InFlightTable& table;
};
template <std::uint32_t kCounter>
double outcomes(const GateSource& source) {
  return number(source.slots.sum(kCounter));
}
inline constexpr Figure<GateSource> kGate[] = {
    {"admitted", outcomes<Admission::kAdmittedCount>},
    {"requeued", outcomes<Admission::kRequeuedCount>},
    {"duplicates", outcomes<Admission::kDuplicateCount>},
    {"rateLimited", outcomes<Admission::kRateLimitedCount>},
    {"queueFull", outcomes<Admission::kQueueFullCount>},
    {"soldOut", outcomes<Admission::kSoldOutCount>},
    {"userLimit", outcomes<Admission::kUserLimitCount>},
    {"otherwiseRefused", outcomes<Admission::kOtherCount>},
    {"inHand", [](const GateSource& source) { return number(source.table.used()); }},
    {"redelivered", [](const GateSource& source) { return number(source.table.redelivered()); }},
};

static_assert(std::size(kQueue) + std::size(kWaits) <= kFiguresMax);
static_assert(std::size(kLimiter) + std::size(kRefusals) <= kFiguresMax);
static_assert(std::size(kLimits) + kWindowsMax * std::size(kWindowLimits) <= kFiguresMax);
static_assert(std::size(kStock) <= kFiguresMax);
static_assert(std::size(kAudit) + std::size(kCounts) <= kFiguresMax);
static_assert(std::size(kGate) <= kFiguresMax);

}  // namespace figures

}  // namespace sluice
