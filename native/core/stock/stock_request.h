// The requests to a stock ledger, and its answers.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/stock/item.h"
#include "core/stock/ledger_key.h"

namespace sluice {

enum class ReserveResult : std::uint8_t {
  kReserved = 0,
  kDuplicate = 1,  // this id was reserved before, with this body (see body()): the same reservation
  kSoldOut = 2,
  kUserLimit = 3,
  kUnknownSku = 4,
  kLedgerFull = 5,     // not enough free reservation slots
  kUsersFull = 6,      // no free entry in the user table
  kIdsFull = 7,        // the reservations of all ids in this id's buckets are held
  kIdMismatch = 8,     // this id was used before, with another body
  kAlreadyFailed = 9,  // this id was refused before, and stays refused
  kIdBusy = 10,        // another thread has been deciding an id of this bucket for unusually long
  kItemClosed = 11,
  kNeedsUser = 12,     // the item, or its group, has a limit per user, and the request has no user
  kNotPublished = 13,  // the caller's publish step refused: everything was undone
  kByGate = 14,        // the request comes without a gate, but a gate admitted this id
  kNotByGate = 15,     // the request comes from a gate, but this id was reserved without one: no queue has it
  kSaleOver = 16,      // the time until which the item is sold is over
};

enum class ResolveResult : std::uint8_t {
  kDone = 0,
  kAlreadyConfirmed = 1,
  kAlreadyCancelled = 2,
  kExpired = 3,
  kUnknown = 4,
  // More than is held or bought; or a quantity without an item, where there are several items; or, in a change, more
  // than a line can count together with its bought units.
  kBadQuantity = 5,
  kBadLine = 6,    // an item that is not in the reservation
  kNotBought = 7,  // a return: nothing was bought with the reservation, or too few of the item
  kAlreadyReturned = 8,
  kNeedsUser = 9,     // a return without a user: too few sold units count for no user
  kRefused = 10,      // a change: see ResolveAnswer::refusal
  kNothingLeft = 11,  // a change: the reservation would hold nothing
};

struct StockRequest {
  static constexpr std::uint32_t kLinesMax = 64;

  struct Line {
    Key sku;
    std::uint64_t quantity;  // 1 to kQuantityMax; in a change, 0 to kQuantityMax

    // Hashes 96 of the 112 bits of a sku. The other 16 belong to the fingerprint of a text, of which 96 bits are
    // enough.
    std::uint64_t hash(const KeySecret& secret) const noexcept {
      return KeyHash::of(secret, HashOf::kLine, sku.low, sku.high << 32 | quantity);
    }
  };

  const Line* lines = nullptr;   // each sku once
  std::uint32_t line_count = 0;  // 1 to kLinesMax
  LedgerUser user{};
  Key id{};  // {0, 0}: none
  std::uint64_t hold_ns = 0;
  std::string_view id_text = {};  // if the id is a text: that text, which listings show
  bool by_gate = false;           // true: a gate asks, and queues what it reserves
  mutable HashOnce user_hash{}, id_hash{};
  mutable std::uint32_t first_item = kNoItem;  // the item of the first line, once it was found

  bool has_user() const noexcept { return user.key != Key{}; }
  bool has_id() const noexcept { return id != Key{}; }
  HashedKey hashed_user(const KeySecret& secret) const noexcept { return user_hash.of(secret, user.key); }
  HashedKey hashed_id(const KeySecret& secret) const noexcept { return id_hash.of(secret, id); }

  // A request that repeats an id must have the same body: the same lines, in any order, for the same user. The body is
  // the sum of their keyed hashes, which does not depend on the order. Without the secret, a client finds another body
  // with the same sum only by luck: once in 2^64.
  std::uint64_t body(const KeySecret& secret) const noexcept {
    std::uint64_t sum = has_user() ? hashed_user(secret).hash : 0;
    for (std::uint32_t i = 0; i < line_count; ++i) sum += lines[i].hash(secret);
    return sum;
  }
};

// Names units of a reservation: those of `lines`, or `quantity` units of its only item, or all of them.
struct Part {
  const StockRequest::Line* lines = nullptr;  // each sku once
  std::uint32_t line_count = 0;               // 0: no lines
  std::uint64_t quantity = 0;                 // 0: all

  bool is_all() const noexcept { return line_count == 0 && quantity == 0; }
};

struct ResolveAnswer {
  ResolveResult result = ResolveResult::kDone;
  std::uint32_t line = 0;                            // kBadQuantity, kBadLine, kRefused: the part's line
  ReserveResult refusal = ReserveResult::kReserved;  // for kRefused
};

struct StockAnswer {
  ReserveResult result = ReserveResult::kReserved;
  std::uint64_t reservation = 0;  // for kReserved, kDuplicate, kByGate and kNotByGate
  std::uint32_t line = 0;         // for a refusal that concerns a line: which one of the request
  bool in_no_queue = false;  // kDuplicate, to a gate: the order is in no queue, so no consumer will handle it
  bool requeued = false;     // kDuplicate: the order was in no queue, and has been published again
  // Refused, perhaps because of holds that are over; the id does not remember the refusal.
  bool provisional = false;
};

}  // namespace sluice
