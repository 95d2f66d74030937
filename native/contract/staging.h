// Layouts of the buffers that JavaScript and native code share: offsets in bytes. A word has 64 bits unless stated
// otherwise. An attachment refuses a buffer that is shorter than the kBytes of its layout.
#pragma once

#include <cstddef>
#include <cstdint>

#include "contract/limits.h"
#include "core/base/histogram.h"
#include "core/base/layout.h"
#include "core/limiter/limiter_window.h"
#include "core/queue/ring.h"
#include "core/stock/item_table.h"
#include "core/stock/ledger_key.h"
#include "core/stock/stock_request.h"

namespace sluice {

// Room for the figures in figures.h, in each buffer of an object.
inline constexpr std::size_t kFiguresMax = 24, kFiguresBytes = kFiguresMax * sizeof(double);

// The time to live of the next push, in nanoseconds; how many records the last call dropped; the place of the first
// record that the WebAssembly face shows; then, for each dropped record that was copied, its `Dropped`, as a double.
//
//   the staging of a queue:  | these words | stamp | in[0] | stamp | in[1] ... | out[] | dropped[] |
struct QueueStaging {
  static constexpr std::size_t kTtlNs = 0, kDropped = 8, kShownAt = 16, kReasons = 24, kReasonBytes = 8,
                               kFigures = kReasons + kDroppedMax * kReasonBytes,
                               kBytes = kFigures + kFiguresBytes;

  // Where the other parts begin, for records of that many bytes. Records in `in` lie as in the ring: each behind room
  // for its stamp, `in_apart` bytes from one to the next.
  struct Places {
    explicit constexpr Places(std::uint64_t record_bytes)
        : in_apart(Ring<>::slot_bytes(record_bytes)),
          words(layout.place_bytes(kBytes)),
          in(layout.place_bytes(in_apart, kStagedRecords) + sizeof(RingSlot<StdAtomics>)),
          out(layout.place_bytes(record_bytes, kStagedRecords)),
          dropped(layout.place_bytes(record_bytes, kDroppedMax)) {}

    Layout layout;
    std::uint64_t in_apart, words, in, out, dropped;
  };
};

// What waits() writes: doubles. `sum` in nanoseconds, then how many waits are in each bucket of the histogram.
struct WaitsStaging {
  static constexpr std::size_t kSum = 0, kBuckets = 8,
                               kBytes = kBuckets + Histogram::kBuckets * sizeof(double);
};

// A batch gathers records:  | count : u32 | permits : u32 | records ... |
struct BatchStaging {
  static constexpr std::size_t kCount = 0, kPermits = 4, kRecords = 8;
};

struct LimiterStaging {
  // Doubles: results of tryAcquire(), peek(), acquire(), tend() and told(); and the patience of acquire(), which
  // JavaScript writes.
  static constexpr std::size_t kRetryAfterMs = 0, kRemaining = 8, kTier = 16, kPatienceMs = 24,
                               kTightest = 32, kNowMs = 40, kLeftMs = 48;
  // The answer of allow() and allowOne(), 32 bits.
  static constexpr std::size_t kAnswer = 56;
  // The results of rooms(): for the token bucket, the depth tier and each window, how much room is left, and the
  // milliseconds until there is room for one more.
  static constexpr std::size_t kRooms = 64, kRoomBytes = 16,
                               kRoomsEnd = kRooms + kRoomBytes * (2 + kWindowsMax);
  // The receipt of an allowed request (see Receipt in core/limiter/limiter_tiers.h): the slot of the token bucket, the
  // serial number, and a word for each window. JavaScript keeps these words, and writes them here again, unchanged, for
  // refund().
  static constexpr std::size_t kSlot = kRoomsEnd, kSerial = kSlot + 8, kCharged = kSerial + 8,
                               kFigures = kCharged + std::size_t{8} * kWindowsMax,
                               kBytes = kFigures + kFiguresBytes;
};

// A key is two words: | type | number, or the offset of its text |. Type 0: absent; 1: a number; 1 + n: a text of n
// octets of UTF-8. A line is a sku's key and a quantity. The texts themselves are at the end. kSellNs: for how many
// nanoseconds from now an item is sold, 0: without an end; for sellUntil(), the value of Item::sell_until.
struct StockStaging {
  static constexpr std::size_t kHoldNs = 0, kReservation = 8, kQuantity = 16, kLine = 24, kPerUser = 32,
                               kShards = 40, kBackorder = 48, kSellNs = 56, kUser = 64, kId = 80, kLines = 96,
                               kLineQuantity = 16, kLineBytes = 24;
  static constexpr std::size_t kFigures = kLines + StockRequest::kLinesMax * kLineBytes,
                               kTexts = kFigures + kFiguresBytes,
                               kBytes = kTexts + LedgerUser::kTextMax + kIdTextMax +
                                        StockRequest::kLinesMax * kSkuTextMax;
};

// The reservation, retryAfterMs and line of the answer of admit(), admitWith() and admitAside(), and kAnswer, the
// answer itself (32 bits). After take(): the milliseconds until renew() must be called (-1: no sooner than an earlier
// answer asked for), then for each order its reservation (0: none), its entry and its deliveries (32 bits each).
struct GateStaging {
  static constexpr std::size_t kReservation = 0, kRetryAfterMs = 8, kLine = 16, kRenewInMs = 24, kAnswer = 32,
                               kAside = 40, kAsideBytes = 32, kTaken = kAside + kAsideBytes, kTakenEntry = 8,
                               kTakenDeliveries = 12, kTakenBytes = 16,
                               kFigures = kTaken + kStagedRecords * kTakenBytes,
                               kBytes = kFigures + kFiguresBytes;
};

}  // namespace sluice
