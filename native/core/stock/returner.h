// Units that were bought go back on sale, and their user's count is returned: as long as the record of their
// reservation is there, or by what the user has bought.
//
// One return at a time. So what is found bought, by an item or by a user, stays so: else only sales change it, and they
// only add. What a reservation's record says is taken from it by compare and swap, because its slots may be used again
// at any time; the first that is taken makes the units this return's, whatever becomes of the record.
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

  Returner(LedgerMemory& memory, ThreadSlot& line, std::uint64_t now) noexcept
      : memory_(memory), line_(line), now_(now) {
    memory.control->returns.lock();
  }
  ~Returner() { memory_.control->returns.unlock(); }
  Returner(const Returner&) = delete;
  Returner& operator=(const Returner&) = delete;

  // The part of what was bought with the reservation, or nothing.
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

  // Units of an item, whatever reservation they were bought with: those of the user, or, without one, those that no
  // user's count has.
  ResolveResult give_back(std::uint32_t number, std::uint64_t quantity, const LedgerUser& user) noexcept {
    Item<>& item = memory_.items[number];
    if (memory_.items.counts(item).sold < quantity) return ResolveResult::kNotBought;
    const bool counted = user.key != Key{} && item.counts_users.load(std::memory_order_relaxed) != 0;
    const std::uint32_t entry = counted ? take_bought(user.key, number, quantity) : kNoUser;
    if (counted ? entry == kNoUser : !memory_.items.take_uncounted(item, quantity)) {
      return counted ? ResolveResult::kNotBought : ResolveResult::kNeedsUser;
    }
    if (counted) memory_.users.put_back(entry, quantity);
    const std::uint32_t shard = memory_.thread_slots->number(line_) % item.shards;
    memory_.items.give_back(item, item.first_line + shard, quantity);
    memory_.movements.append({MovementKind::kReversed, number, quantity, now_, 0, user});
    line_.count(kReturned);
    return ResolveResult::kDone;
  }

 private:
  // Of the units taken in the record, which it has. kAlreadyReturned: not all of them are bought any more.
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
    line_.count(kReturned);
    return ResolveResult::kDone;
  }

  // The entry of the pair, from which `units` bought were taken; kNoUser: it has not bought so many.
  std::uint32_t take_bought(const Key& user, std::uint32_t item, std::uint64_t units) noexcept {
    const HashedKey hashed(memory_.control->secret, user);
    const std::uint32_t entry = memory_.users.entry_of(hashed, item);
    if (entry == kNoUser || !memory_.bought.take(entry, units)) return kNoUser;
    if (memory_.users.entry_of(hashed, item) == entry) return entry;
    memory_.bought.add(entry, units);  // of another pair, which came in its place meanwhile
    return kNoUser;
  }

  // What a line sold, from the account of its user, or of those that have none.
  bool take_from_account(const Key& user, ReservationRecord::Line& line) noexcept {
    if (line.taken == 0) return true;
    if (line.entry == kNoUser) return memory_.items.take_uncounted(memory_.items[line.item], line.taken);
    // The entry of then may be another's by now, if all that it had was returned.
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

  // From the record of a line, unless its slot was used again.
  bool take_sold(const ReservationRecord::Line& line) noexcept {
    return line.taken == 0 || change_sold(line, 0 - std::uint64_t{line.taken});
  }
  void put_back_sold(const ReservationRecord::Line& line) noexcept { change_sold(line, line.taken); }
  bool change_sold(const ReservationRecord::Line& line, std::uint64_t by) noexcept {
    std::atomic<std::uint64_t>& sold = memory_.reservations[line.slot].sold;
    std::uint64_t before = line.sold;
    while (before >> 32 == line.sold >> 32) {
      // Relaxed: all else of the record was read and found whole before; the generation says whether it still stands.
      if (sold.compare_exchange_weak(before, before + by, std::memory_order_relaxed,
                                     std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // The first line for which `visit` returns false, or the end.
  template <class Visit>
  static ReservationRecord::Line* for_each_line(ReservationRecord& record, Visit&& visit) noexcept {
    ReservationRecord::Line* line = record.lines;
    while (line != record.lines + record.count && visit(*line)) ++line;
    return line;
  }

  LedgerMemory& memory_;
  ThreadSlot& line_;
  std::uint64_t now_;
};

}  // namespace sluice
