// The calls of a stock ledger, as JavaScript makes them through any face: each takes numbers and returns one number;
// the rest is in the staging buffer. See StockStaging, and contract/answers.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "contract/answers.h"
#include "contract/staging.h"
#include "session/stock_session.h"
#include "session/words.h"

namespace sluice {

// A key in staging.
class StagedKey {
 public:
  StagedKey(const Words& words, std::size_t at) noexcept
      : tag_(words.get<std::uint64_t>(at)),
        value_(words.get<std::uint64_t>(at + 8)),
        text_(tag_ > 1 ? words.text(value_, tag_ - 1) : std::string_view()) {}

  std::string_view text() const noexcept { return text_; }
  std::string_view sku() const noexcept { return text_.substr(0, kSkuTextMax); }
  Key key(const KeySecret& secret) const noexcept {
    return tag_ == 0 ? Key{} : tag_ == 1 ? number_key(value_) : text_key(secret, text_);
  }
  LedgerUser user(const KeySecret& secret) const noexcept {
    return tag_ == 0   ? LedgerUser{}
           : tag_ == 1 ? LedgerUser::number(value_)
                       : LedgerUser::named(secret, text_.substr(0, LedgerUser::kTextMax));
  }

 private:
  std::uint64_t tag_, value_;
  std::string_view text_;
};

class StockCalls {
 public:
  explicit StockCalls(StockSession& session) noexcept : session_(session) {}
  void stage(const Words& staging) noexcept { words_ = staging; }

  // Reads the first `count` lines of a cart from staging, at most kLinesMax. Returns none if a quantity is less than
  // `least` or too large; lib/ never passes such a quantity. The lines are valid until the next call.
  StockSession::Lines lines(std::uint32_t count, std::uint64_t least = 1) noexcept {
    count = std::min(count, StockRequest::kLinesMax);
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::size_t at = StockStaging::kLines + i * StockStaging::kLineBytes;
      lines_[i] = {StagedKey(words_, at).key(secret()),
                   words_.get<std::uint64_t>(at + StockStaging::kLineQuantity)};
    }
    const StockSession::Lines staged(lines_, count);
    return StockSession::sound(staged, least) ? staged : StockSession::Lines();
  }

  // reserve(lines): the ReserveResult. A hold of 0 in staging means the default of the ledger. The staging gets the
  // reservation, the line and the hold; for a repetition, it gets the phase in place of the line, and what is left of
  // the hold
  std::int32_t reserve(std::uint32_t count) noexcept {
    // A local copy whose length is checked once: the compiler then drops the check of each access below.
    const Words words = words_;
    if (words.bytes() < StockStaging::kBytes) return kBadArgument;
    const StockSession::Lines cart = lines(count);
    if (cart.empty()) return kBadArgument;
    const auto hold_ns = words.get<std::uint64_t>(StockStaging::kHoldNs);
    const StagedKey id(words, StockStaging::kId);
    const StockRequest request{cart.data(),
                               static_cast<std::uint32_t>(cart.size()),
                               StagedKey(words, StockStaging::kUser).user(secret()),
                               id.key(secret()),
                               hold_ns != 0 ? hold_ns : session_.ledger().hold_ns(),
                               id.text()};
    const auto [answer, standing] = session_.reserve(request);
    const bool repeated = answer.result == ReserveResult::kDuplicate;
    words.put(StockStaging::kReservation, answer.reservation);
    words.put(StockStaging::kLine,
              repeated ? static_cast<std::uint64_t>(standing.phase) : std::uint64_t{answer.line});
    words.put(StockStaging::kHoldNs, repeated ? standing.left_ns : request.hold_ns);
    return static_cast<std::int32_t>(answer.result);
  }

  // confirm(), cancel(), and extend() with the hold in staging, for the reservation in staging: the ResolveResult
  std::int32_t confirm() noexcept { return answer_of(session_.confirm(reservation())); }
  std::int32_t cancel() noexcept { return answer_of(session_.cancel(reservation())); }
  std::int32_t extend() noexcept {
    return answer_of(session_.extend(reservation(), staged(StockStaging::kHoldNs)));
  }
  // confirmPart(lines, hold), cancelPart(lines), giveBack(lines), for a part of the reservation in staging: the
  // ResolveResult. The part is the first `lines` lines in staging. If `lines` is 0, it is the quantity in staging, and
  // if that is 0, too, it is all. `hold`: 1 if the rest stays held, 0 if it is released. The staging gets the line to
  // which the result applies
  std::int32_t confirm_part(std::uint32_t count, std::uint32_t hold) noexcept;
  std::int32_t cancel_part(std::uint32_t count) noexcept;
  std::int32_t give_back(std::uint32_t count) noexcept;
  // giveBackOf(), with the sku of the item, the key of the user and the quantity in staging: the ResolveResult, or
  // kUnknownSku if there is no such item
  std::int32_t give_back_of() noexcept;
  // change(lines): changes the reservation in staging to the quantities of the first `lines` lines there; if `lines` is
  // 0, its only item to the quantity there. The ResolveResult, or kRefusals plus the ReserveResult; the staging gets
  // the line to which it applies
  std::int32_t change(std::uint32_t count) noexcept;

  // expire(): expires all due holds, and returns how many
  std::int32_t expire() noexcept { return static_cast<std::int32_t>(session_.expire()); }
  // sweep(slots): expires due holds, but looks at `slots` slots at most; 1 if some may be left, otherwise 0
  std::int32_t sweep(std::uint32_t slots) noexcept { return session_.sweep(slots) ? 1 : 0; }

  // addItem(): the ItemTable::Added, or kUnknownGroup. In staging are the sku in the first line, the name of its group
  // in place of the user, and the numbers of the ItemSpec
  std::int32_t add_item() noexcept;
  // The calls from restock() to sellUntil() act on the item whose sku is in staging, and answer kUnknownSku if there
  // is none. restock(): 1, or 0 if total and backorder would be too large. withdraw(): how many units were withdrawn.
  // closeItem(), reopenItem(): 1
  std::int32_t restock() noexcept;
  double withdraw() noexcept;
  std::int32_t close_item() noexcept;
  std::int32_t reopen_item() noexcept;
  // setTotal(clamp): the LevelSet
  std::int32_t set_total(std::uint32_t clamp) noexcept;
  // changeItem(changes), with the new values in staging: the LevelSet of the backorder; unless it is kDone, nothing is
  // changed. `changes`: kChangePerUser, kChangeBackorder, kChangeSellFor and kClamp, a bit each
  std::int32_t change_item(std::uint32_t changes) noexcept;
  // sellUntil(), with the value of Item::sell_until in staging: 1
  std::int32_t sell_until() noexcept;

  // configure(): 0; makes the hold in staging the default of the ledger
  std::int32_t configure() noexcept;
  // addGroup(): the GroupTable::Added. In staging are the group's name, in place of a sku, and its limit per user
  std::int32_t add_group() noexcept;
  // changeGroup(), with the name and the new limit in staging as for addGroup(): 1, or 0 if there is no group of this
  // name
  std::int32_t change_group() noexcept;
  // limitsUsers(): 1 if any item has a limit per user, or is in a group
  std::int32_t limits_users() noexcept;

  // oldestMovement(): the position of the oldest movement that is still there; endOfMovements(): the position of the
  // next one to be recorded
  double oldest_movement() noexcept { return static_cast<double>(session_.ledger().movements().oldest()); }
  double end_of_movements() noexcept { return static_cast<double>(session_.ledger().movements().end()); }

  // The key of the sku in staging, {} without one; and the item that has it, or kNoItem.
  Key sku() const noexcept { return StagedKey(words_, StockStaging::kLines).key(secret()); }
  std::uint32_t item() const noexcept { return session_.ledger().items().find(sku()); }
  // The key of the user in staging, {} without one.
  Key user() const noexcept { return StagedKey(words_, StockStaging::kUser).key(secret()); }
  // The reservation in staging; and the reservation of the client's id there, 0 without one.
  std::uint64_t reservation() const noexcept { return staged(StockStaging::kReservation); }
  std::uint64_t reservation_of_id() const noexcept {
    return session_.reservation_of(StagedKey(words_, StockStaging::kId).key(secret()));
  }

 private:
  static std::int32_t answer_of(ResolveResult result) noexcept { return static_cast<std::int32_t>(result); }
  const KeySecret& secret() const noexcept { return session_.ledger().secret(); }
  std::uint64_t staged(std::size_t at) const noexcept { return words_.get<std::uint64_t>(at); }
  // Calls resolve(part) for the part in staging.
  template <class Resolve>
  std::int32_t resolve_part(std::uint32_t count, Resolve&& resolve) noexcept;
  // Calls act(item) for the item whose sku is in staging.
  template <class Act>
  std::int32_t with_item(Act&& act) noexcept;

  StockSession& session_;
  Words words_;
  // A member, because a local variable would be cleared in each call, which would cost 190 instructions.
  StockRequest::Line lines_[StockRequest::kLinesMax];
};

}  // namespace sluice
