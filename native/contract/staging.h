// Layouts of the buffers that JavaScript and native code share: offsets in bytes. Words have 64 bits but where it says
// otherwise. An attachment refuses a buffer that is shorter than kBytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "contract/limits.h"
#include "core/limiter/limiter_window.h"
#include "core/stock/item_table.h"
#include "core/stock/ledger_key.h"
#include "core/stock/stock_request.h"

namespace sluice {

// Room for what stats() and its like answer: see figures.h.
inline constexpr std::size_t kFiguresMax = 24, kFiguresBytes = kFiguresMax * sizeof(double);

// A push's ttl, in ns; how many records the last call dropped; then each one's `Dropped`, as a double.
struct QueueStaging {
  static constexpr std::size_t kTtlNs = 0, kDropped = 8, kReasons = 16, kReasonBytes = 8,
                               kFigures = kReasons + kDroppedMax * kReasonBytes,
                               kBytes = kFigures + kFiguresBytes;
};

// A batch gathers records:  | count : u32 | permits : u32 | records ... |
struct BatchStaging {
  static constexpr std::size_t kCount = 0, kPermits = 4, kRecords = 8;
};

struct LimiterStaging {
  // Doubles: results of tryAcquire, peek, acquire, tend and told; the patience of acquire.
  static constexpr std::size_t kRetryAfterMs = 0, kRemaining = 8, kTier = 16, kPatienceMs = 24,
                               kTightest = 32, kNowMs = 40, kLeftMs = 48;
  // Results of rooms: of bucket, depth and each window what is left, and the milliseconds until one more is.
  static constexpr std::size_t kRooms = 56, kRoomBytes = 16,
                               kRoomsEnd = kRooms + kRoomBytes * (2 + kWindowsMax);
  // The receipt of what was allowed, which JavaScript keeps and hands back to refund as it is: the slot of the bucket,
  // the serial (32 bits), and a word for each window.
  static constexpr std::size_t kSlot = kRoomsEnd, kSerial = kSlot + 8, kCharged = kSerial + 8,
                               kFigures = kCharged + std::size_t{8} * kWindowsMax,
                               kBytes = kFigures + kFiguresBytes;
};

// A key is two words: | tag | number, or where its text stands | with the tag 0: absent, 1: a number, 1 + n: a text of
// n octets of UTF-8. A line is a sku's key and a quantity. The last item is the room for texts.
struct StockStaging {
  static constexpr std::size_t kHoldNs = 0, kReservation = 8, kQuantity = 16, kLine = 24, kPerUser = 32,
                               kShards = 40, kBackorder = 48, kUser = 56, kId = 72, kLines = 88,
                               kLineQuantity = 16, kLineBytes = 24;
  static constexpr std::size_t kFigures = kLines + StockRequest::kLinesMax * kLineBytes,
                               kTexts = kFigures + kFiguresBytes,
                               kBytes = kTexts + LedgerUser::kTextMax + kIdTextMax +
                                        StockRequest::kLinesMax * kSkuTextMax;
};

// A result's reservation, retryAfterMs and line; after take() in how many ms to renew() at the latest (-1: as known
// before), then of each order taken its reservation (0: none), its entry and its deliveries (32 bits each).
struct GateStaging {
  static constexpr std::size_t kReservation = 0, kRetryAfterMs = 8, kLine = 16, kRenewInMs = 24, kTaken = 32,
                               kTakenEntry = 8, kTakenDeliveries = 12, kTakenBytes = 16,
                               kFigures = kTaken + kStagedRecords * kTakenBytes,
                               kBytes = kFigures + kFiguresBytes;
};

}  // namespace sluice
