// Puts bought units back on sale and subtracts them from their user's count. A return names the reservation, while its
// record still exists; or the item, and the user that bought if the item counts users.
//
// Returns run one at a time. Besides returns, only sales change how many units of an item are sold, or how many a user
// has bought, and sales only add. So units that a return finds bought stay bought until it takes them. The slots of a
// reservation that has ended may be used again at any time, so a return takes units from the record by compare and
// swap. If one of the slots was used again, the return puts back what it has taken.
#pragma once

#include <cstdint>

#include "core/stock/chain_part.h"
#include "core/stock/ledger_memory.h"
#include "core/stock/reservation_record.h"
#include "core/stock/stock_request.h"

namespace sluice {

class Returner {
 public:
  enum Counter : std::uint32_t { kReturned = 8 };

  Returner(LedgerMemory& memory, ThreadSlot& thread, std::uint64_t now) noexcept
      : memory_(memory), thread_(thread), now_(now) {
    memory.control->returns.lock();
  }
  ~Returner() { memory_.control->returns.unlock(); }
  Returner(const Returner&) = delete;
  Returner& operator=(const Returner&) = delete;

  // Puts `part` of what was bought with the reservation back on sale, or changes nothing.
  ResolveAnswer give_back(std::uint64_t id, const Part& part) noexcept {
    ReservationRecord record;
    if (!RecordReader(memory_).read(id, record)) return {ResolveResult::kUnknown};
    ChainPart chosen(memory_, part);
    std::uint64_t bought = 0;
    for_each_line(record, [&](ReservationRecord::Line& line) {
      chosen.offer(line.item, Reservation::units_in(line.sold));
      bought += Reservation::units_in(line.sold);
      return true;
    });
    if (bought == 0) {
      return {record.phase == Phase::kConfirmed ? ResolveResult::kAlreadyReturned
                                                : ResolveResult::kNotBought};
    }
    ResolveAnswer answer;
    answer.result = chosen.verdict(answer.line);
    if (answer.result != ResolveResult::kDone) return answer;
    for_each_line(record, [&](ReservationRecord::Line& line) {
      line.taken = static_cast<std::uint32_t>(chosen.take(line.item, Reservation::units_in(line.sold)));
      return true;
    });
    answer.result = give_back_taken(record, chosen);
    return answer;
  }

  // Puts units of an item back on sale, whatever reservation they were bought with: if there is a user and the item
  // counts users, units that the user has bought; otherwise units that no user's count includes.
  ResolveResult give_back(std::uint32_t number, std::uint64_t quantity, const LedgerUser& user) noexcept {
    Item<>& item = memory_.items[number];
    if (memory_.items.counts(item).sold < quantity) return ResolveResult::kNotBought;
    const bool counted = user.key != Key{} && item.counts_users.load(std::memory_order_relaxed) != 0;
    const std::uint32_t entry = counted ? take_bought(user.key, number, quantity) : kNoUser;
    if (counted ? entry == kNoUser : !memory_.items.take_uncounted(item, quantity)) {
      return counted ? ResolveResult::kNotBought : ResolveResult::kNeedsUser;
    }
    if (counted) memory_.users.put_back(entry, quantity);
    const std::uint32_t shard = memory_.thread_slots->number(thread_) % item.shards;
    memory_.items.give_back(item, item.first_shard + shard, quantity);
    memory_.movements.append({MovementKind::kReversed, number, quantity, now_, 0, user});
    thread_.count(kReturned);
    return ResolveResult::kDone;
  }

 private:
  // Puts the units that each line of `record` names in `taken` back on sale, or changes nothing. kAlreadyReturned: some
  // of them are no longer bought. kUnknown: a slot of the record was used again.
  ResolveResult give_back_taken(ReservationRecord& record, const ChainPart& chosen) noexcept {
    bool all = true;
    chosen.for_each_item([&](std::uint32_t item, std::uint64_t units) {
      all = all && memory_.items.counts(memory_.items[item]).sold >= units;
    });
    if (!all) return ResolveResult::kAlreadyReturned;
    ReservationRecord::Line* const end = record.lines + record.count;
    ReservationRecord::Line* const accounts = for_each_line(
        record, [&](ReservationRecord::Line& line) { return take_from_account(record.user.key, line); });
    ReservationRecord::Line* const records =
        accounts != end
            ? record.lines
            : for_each_line(record, [&](ReservationRecord::Line& line) { return take_sold(line); });
    if (records != end) {
      for (ReservationRecord::Line* line = record.lines; line != accounts; ++line) put_back_account(*line);
      for (ReservationRecord::Line* line = record.lines; line != records; ++line) put_back_sold(*line);
      return accounts != end ? ResolveResult::kAlreadyReturned : ResolveResult::kUnknown;
    }
    for_each_line(record, [&](ReservationRecord::Line& line) {
      if (line.taken == 0) return true;
      if (line.entry != kNoUser) memory_.users.put_back(line.entry, line.taken);
      memory_.items.give_back(memory_.items[line.item], line.stock_shard, line.taken);
      memory_.movements.append(
          {MovementKind::kReversed, line.item, line.taken, now_, record.id, record.user});
      return true;
    });
    thread_.count(kReturned);
    return ResolveResult::kDone;
  }

  // Takes `units` from what the pair of user and item has bought, and returns its entry. kNoUser: the pair has fewer.
  std::uint32_t take_bought(const Key& user, std::uint32_t item, std::uint64_t units) noexcept {
    const HashedKey hashed(memory_.control->secret, user);
    const std::uint32_t entry = memory_.users.entry_of(hashed, item);
    if (entry == kNoUser || !memory_.bought.take(entry, units)) return kNoUser;
    if (memory_.users.entry_of(hashed, item) == entry) return entry;
    memory_.bought.add(entry, units);  // they were another pair's, which has got this entry meanwhile
    return kNoUser;
  }

  // Takes the line's `taken` units from what the user has bought, or from the sold units that no user's count includes.
  // Returns false, and takes nothing, if there are fewer.
  bool take_from_account(const Key& user, ReservationRecord::Line& line) noexcept {
    if (line.taken == 0) return true;
    if (line.entry == kNoUser) return memory_.items.take_uncounted(memory_.items[line.item], line.taken);
    // The entry that the line names may belong to another pair by now, if all units of the line's pair were returned.
    const std::uint32_t entry = take_bought(user, line.item, line.taken);
    if (entry != kNoUser) line.entry = entry;
    return entry != kNoUser;
  }
  void put_back_account(const ReservationRecord::Line& line) noexcept {
    if (line.taken == 0) return;
    if (line.entry == kNoUser) {
      memory_.items.sold_uncounted(memory_.items[line.item], line.taken);
    } else {
      memory_.bought.add(line.entry, line.taken);
    }
  }

  // Takes the line's `taken` units from the word `sold` of its slot. Returns false if the slot was used again.
  bool take_sold(const ReservationRecord::Line& line) noexcept {
    return line.taken == 0 || change_sold(line, 0 - std::uint64_t{line.taken});
  }
  void put_back_sold(const ReservationRecord::Line& line) noexcept { change_sold(line, line.taken); }
  bool change_sold(const ReservationRecord::Line& line, std::uint64_t by) noexcept {
    std::atomic<std::uint64_t>& sold = memory_.reservations[line.slot].sold;
    std::uint64_t before = line.sold;
    while (before >> 32 == line.sold >> 32) {
      // Relaxed: the rest of the record was read and found whole before; the generation shows whether the slot still
      // has it.
      if (sold.compare_exchange_weak(before, before + by, std::memory_order_relaxed,
                                     std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // Returns the first line for which `visit` returns false, or the end.
  template <class Visit>
  static ReservationRecord::Line* for_each_line(ReservationRecord& record, Visit&& visit) noexcept {
    ReservationRecord::Line* line = record.lines;
    while (line != record.lines + record.count && visit(*line)) ++line;
    return line;
  }

  LedgerMemory& memory_;
  ThreadSlot& thread_;
  std::uint64_t now_;
};

}  // namespace sluice
