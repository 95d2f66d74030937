// One thread's use of a stock ledger. Carts and parts are spans; each call reads the clock at most once. A session does
// not know its face.
//
// A session belongs to one thread. It is made with a thread slot of its ledger, and end() frees that slot. It keeps no
// reservations: the caller decides those, or they expire.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "core/base/atomics.h"
#include "core/base/clock.h"
#include "core/stock/reservation_record.h"
#include "core/stock/stock_ledger.h"

namespace sluice {

class StockSession {
 public:
  using Lines = std::span<const StockRequest::Line>;

  StockSession(const StockLedger& ledger, ThreadSlot* slot) noexcept
      : ledger_(ledger), slot_(slot), clock_(ledger.clock()) {}
  StockSession(const StockSession&) = delete;
  StockSession& operator=(const StockSession&) = delete;

  // Nothing may be called afterwards.
  void end() noexcept { ledger_.thread_slots().release(slot_); }

  StockLedger& ledger() noexcept { return ledger_; }
  ThreadSlot& slot() noexcept { return *slot_; }
  const Clock& clock() const noexcept { return clock_; }

  // Whether these are the lines of a cart, or of a part: at most kLinesMax, each of `least` to kQuantityMax units.
  static bool sound(Lines lines, std::uint64_t least) noexcept {
    return lines.size() <= StockRequest::kLinesMax &&
           std::all_of(lines.begin(), lines.end(), [least](const StockRequest::Line& line) {
             return line.quantity >= least && line.quantity <= kQuantityMax;
           });
  }

  // ---- reservations ----------------------------------------------------------------------------------------------

  struct Reserved {
    StockAnswer answer;
    Standing standing{};  // for a repetition: the reservation's state now
  };
  SLUICE_INLINE Reserved reserve(const StockRequest& request) noexcept {
    CallTime time(clock_);
    StockAnswer verdict = ledger_.peek(request);
    if (verdict.provisional) verdict = ledger_.peek_past_due(*slot_, request, time);
    Reserved reserved;
    reserved.answer = verdict.result != ReserveResult::kReserved
                          ? ledger_.refuse(*slot_, request, verdict)
                          : ledger_.reserve(*slot_, request, time.now(), [](std::uint64_t) { return true; });
    if (reserved.answer.result == ReserveResult::kDuplicate) {
      reserved.standing = ledger_.standing(reserved.answer.reservation, time.now());
    }
    return reserved;
  }

  ResolveResult confirm(std::uint64_t reservation) noexcept {
    return ledger_.confirm(*slot_, reservation, clock_.now());
  }
  ResolveResult cancel(std::uint64_t reservation) noexcept {
    return ledger_.cancel(*slot_, reservation, clock_.now());
  }
  // Holds the reservation for at least `hold_ns` from now.
  ResolveResult extend(std::uint64_t reservation, std::uint64_t hold_ns) noexcept {
    const std::uint64_t now = clock_.now();
    return ledger_.extend(*slot_, reservation, now, now + hold_ns);
  }
  // The lines of a part are sound(): at least 1 unit each; in change(), at least 0.
  ResolveAnswer confirm_part(std::uint64_t reservation, const Part& part, Rest rest) noexcept {
    return ledger_.confirm_part(*slot_, reservation, clock_.now(), part, rest);
  }
  ResolveAnswer cancel_part(std::uint64_t reservation, const Part& part) noexcept {
    return ledger_.cancel_part(*slot_, reservation, clock_.now(), part);
  }
  ResolveAnswer give_back(std::uint64_t reservation, const Part& part) noexcept {
    return ledger_.give_back(*slot_, reservation, clock_.now(), part);
  }
  // Puts bought units of an item back on sale, whatever reservation they were bought with: see
  // StockLedger::give_back().
  ResolveResult give_back_of(std::uint32_t item, std::uint64_t quantity, const LedgerUser& user) noexcept {
    return ledger_.give_back(*slot_, item, quantity, user, clock_.now());
  }
  ResolveAnswer change(std::uint64_t reservation, const Part& to) noexcept {
    return ledger_.change(*slot_, reservation, clock_.now(), to);
  }

  // ---- sweeps ----------------------------------------------------------------------------------------------------

  // Expires all reservations that are due. Returns how many.
  std::uint32_t expire() noexcept { return ledger_.expire_due(*slot_, clock_.now()); }
  // Expires due reservations, but looks at `slots` slots of the table at most. Returns whether some may be left.
  bool sweep(std::uint32_t slots) noexcept {
    const std::uint64_t now = clock_.now();
    ledger_.expire_due(*slot_, now, slots);
    return ledger_.due(now);
  }

  // ---- items -----------------------------------------------------------------------------------------------------

  static bool sound(const ItemSpec& spec) noexcept {
    return spec.shards != 0 && spec.shards <= kShardsMax && spec.quantity <= kQuantityMax &&
           spec.backorder <= kQuantityMax - spec.quantity;
  }
  ItemTable<>::Added add_item(const ItemSpec& spec) noexcept {
    return ledger_.add_item(*slot_, spec, clock_.now());
  }
  bool restock(std::uint32_t item, std::uint64_t quantity) noexcept {
    return ledger_.restock(*slot_, item, quantity, clock_.now());
  }
  std::uint64_t withdraw(std::uint32_t item, std::uint64_t quantity) noexcept {
    return ledger_.withdraw(*slot_, item, quantity, clock_.now());
  }
  LevelSet set_total(std::uint32_t item, std::uint64_t total, bool clamp) noexcept {
    return ledger_.set_total(*slot_, item, total, clamp, clock_.now());
  }
  LevelSet set_backorder(std::uint32_t item, std::uint64_t backorder, bool clamp) noexcept {
    return ledger_.set_backorder(*slot_, item, backorder, clamp);
  }
  void sell_until(std::uint32_t item, std::uint64_t until) noexcept { ledger_.sell_until(item, until); }
  void close_item(std::uint32_t item) noexcept { ledger_.close_item(*slot_, item, clock_.now()); }
  void reopen_item(std::uint32_t item) noexcept { ledger_.reopen_item(*slot_, item, clock_.now()); }

  // ---- listing ---------------------------------------------------------------------------------------------------

  // The most slots that one list() reads, and the most reservations that it shows.
  static constexpr std::uint32_t kSlotsAtATime = 4'096, kFoundAtATime = 64;

  struct Filter {
    std::uint32_t phases;  // a bit for each Phase
    Key user;              // {}: any
    std::uint32_t item;    // kNoItem: any

    bool admits(const ReservationRecord& record, std::uint64_t now) const noexcept {
      if ((phases >> static_cast<std::uint32_t>(record.phase_at(now)) & 1) == 0) return false;
      if (user != Key{} && record.user.key != user) return false;
      return item == kNoItem || std::any_of(record.lines, record.lines + record.count,
                                            [this](const auto& line) { return line.item == item; });
    }
  };
  // Calls show(record, now) for some of the reservations that the filter admits, from slot `from` of the table on.
  // Returns the slot at which to continue; at the end, the number of slots. `record` is memory for one record.
  template <class Show>
  std::uint32_t list(std::uint32_t from, const Filter& filter, ReservationRecord& record, Show&& show) {
    const std::uint64_t now = clock_.now();
    const RecordReader reader(ledger_.memory());
    std::uint32_t slot = std::min(from, ledger_.slots()), count = 0;
    const std::uint32_t end = slot + std::min(kSlotsAtATime, ledger_.slots() - slot);
    for (; slot != end && count != kFoundAtATime; ++slot) {
      const std::uint64_t id = reader.id_at(slot);
      if (id == 0 || !reader.read(id, record) || !filter.admits(record, now)) continue;
      ++count;
      show(record, now);
    }
    return slot;
  }
  // False: the record of the reservation is gone, or there was none.
  bool find(std::uint64_t reservation, ReservationRecord& record) noexcept {
    return RecordReader(ledger_.memory()).read(reservation, record);
  }
  // Returns the reservation that was made for a client's id; 0: none was, or it is forgotten.
  std::uint64_t reservation_of(const Key& id) noexcept { return ledger_.reservation_of(*slot_, id); }

 private:
  StockLedger ledger_;
  ThreadSlot* slot_;
  Clock clock_;
};

}  // namespace sluice
