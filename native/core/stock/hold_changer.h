// Changes the quantities of a held reservation: takes more units as a new reservation does, or puts some back.
//
// The reservation is `changing` meanwhile: a thread that wants to resolve, change or expire it waits. This thread may
// wait for the lock of an item, or for the lock under which a group's units are counted for a user. No thread that
// holds one of these locks waits for a reservation. Accesses to its lines are relaxed: begin_change() acquires what the
// last change released in end_change().
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/stock/cart_reserver.h"
#include "core/stock/held_units.h"
#include "core/stock/ledger_memory.h"
#include "core/stock/resolver.h"
#include "core/stock/stock_request.h"

namespace sluice {

class HoldChanger {
 public:
  enum Counter : std::uint32_t { kChanged = 7 };

  HoldChanger(LedgerMemory& memory, ThreadSlot& thread, std::uint64_t now) noexcept
      : memory_(memory), thread_(thread), now_(now) {}

  // Makes the reservation hold as many units of each item as `wanted` names for it, or of its only item if `wanted`
  // names no items. Of other items it holds as many as before. Changes everything or nothing: it takes more units
  // before it puts any back.
  ResolveAnswer change(std::uint64_t id, const Part& wanted) noexcept {
    ResolveAnswer answer;
    const auto attempt = [&](std::uint32_t head, std::uint64_t seen) -> std::optional<ResolveResult> {
      if (!memory_.reservations.begin_change(head, seen)) return std::nullopt;
      const ResolveResult result = change_held(head, id, wanted, answer);
      if (result == ResolveResult::kDone) thread_.count(kChanged);
      memory_.reservations.end_change(head, seen, Phase::kHeld);
      return result;
    };
    answer.result = Resolver(memory_, thread_, now_).decide(id, attempt);
    return answer;
  }

 private:
  struct Level {
    std::uint32_t item = kNoItem;
    bool is_there = false;  // in the reservation
    std::uint64_t wanted = 0, held = 0, bought = 0;
  };

  ResolveResult change_held(std::uint32_t head, std::uint64_t id, const Part& wanted,
                            ResolveAnswer& answer) noexcept {
    const ResolveResult verdict = find_levels(head, wanted, answer.line);
    if (verdict != ResolveResult::kDone) return verdict;
    const LedgerUser user = memory_.reservations[head].user();
    CartReserver more(memory_, thread_);
    answer.refusal = take_more(more, user, answer.line);
    if (answer.refusal != ReserveResult::kReserved) {
      more.undo();
      return ResolveResult::kRefused;
    }
    // From here on nothing can fail.
    put_back_less(head, id);
    append(head, id, more.first(), user);
    return ResolveResult::kDone;
  }

  // `line`: set to the line of the part to which the verdict applies.
  ResolveResult find_levels(std::uint32_t head, const Part& wanted, std::uint32_t& line) noexcept {
    count_ = wanted.line_count;
    for (std::uint32_t i = 0; i < count_; ++i) {
      levels_[i] = {memory_.items.find(wanted.lines[i].sku), false, wanted.lines[i].quantity, 0, 0};
    }
    std::uint64_t left = 0;
    CartReserver::for_each_line(memory_, head, [&](std::uint32_t slot, std::uint32_t held, std::uint32_t) {
      const Reservation& reserved = memory_.reservations[slot];
      const std::uint32_t item = reserved.item.load(std::memory_order_relaxed);
      Level* level = level_of(item);
      // Two levels are enough to show that the reservation has several items.
      if (level == nullptr && wanted.line_count == 0 && count_ < 2) {
        level = &(levels_[count_++] = {item, false, wanted.quantity, 0, 0});
      }
      if (level == nullptr) {
        left += held;
        return;
      }
      level->is_there = true;
      level->held += held;
      level->bought += Reservation::units_in(reserved.sold.load(std::memory_order_relaxed));
    });
    line = 0;
    // A quantity that names no item is ambiguous if the reservation has several.
    if (wanted.line_count == 0 && count_ != 1) return ResolveResult::kBadQuantity;
    for (; line < count_; ++line) {
      const Level& level = levels_[line];
      if (!level.is_there) return ResolveResult::kBadLine;
      // `sold` counts bought units in 32 bits. It counts the held ones, too, once all of them are bought.
      if (level.bought + level.wanted > kQuantityMax) return ResolveResult::kBadQuantity;
      left += level.wanted;
    }
    return left == 0 ? ResolveResult::kNothingLeft : ResolveResult::kDone;
  }

  ReserveResult take_more(CartReserver& more, const LedgerUser& user, std::uint32_t& line) noexcept {
    for (line = 0; line < count_; ++line) {
      const Level& level = levels_[line];
      if (level.wanted <= level.held) continue;
      const StockRequest::Line missing{memory_.items[level.item].sku, level.wanted - level.held};
      const ReserveResult result = more.take({&missing, 1, user, Key{}, 0}, 0);
      if (result != ReserveResult::kReserved) return result;
    }
    return ReserveResult::kReserved;
  }

  void put_back_less(std::uint32_t head, std::uint64_t id) noexcept {
    HeldUnits units(memory_, head, id, now_);
    CartReserver::for_each_line(
        memory_, head, [&](std::uint32_t slot, std::uint32_t held, std::uint32_t entry) {
          Reservation& line = memory_.reservations[slot];
          Level* const level = level_of(line.item.load(std::memory_order_relaxed));
          if (level == nullptr || level->held <= level->wanted) return;
          const std::uint64_t back = std::min<std::uint64_t>(held, level->held - level->wanted);
          if (back == 0) return;
          units.put_back(slot, entry, back, MovementKind::kCancelled);
          const std::uint64_t left = held - back;
          line.quantity.store(static_cast<std::uint32_t>(left), std::memory_order_relaxed);
          level->held -= back;
        });
  }

  // Appends the lines that were taken to the reservation. If find_same() finds a line for the same shard, adds the
  // units to that line. So the reservation never has more lines than RecordReader has room for, however often it is
  // changed.
  void append(std::uint32_t head, std::uint64_t id, std::uint32_t taken, const LedgerUser& user) noexcept {
    ReservationTable& table = memory_.reservations;
    CartReserver::for_each_line(
        memory_, taken, [&](std::uint32_t slot, std::uint32_t units, std::uint32_t entry) {
          memory_.record_movement(MovementKind::kReserved, slot, id, units, user, now_);
          Reservation& line = table[slot];
          std::uint32_t last = kNoSlot;
          const std::uint32_t same = find_same(head, line, last);
          if (same != kNoSlot) {
            std::atomic<std::uint32_t>& quantity = table[same].quantity;
            quantity.store(quantity.load(std::memory_order_relaxed) + units, std::memory_order_relaxed);
            // If the line held nothing, its entry may be another pair's by now.
            table[same].user_entry.store(entry, std::memory_order_relaxed);
            table.free_slot(slot);
            return;
          }
          line.deadline_ns.store(id, std::memory_order_relaxed);
          line.next.store(kNoSlot, std::memory_order_relaxed);
          table[last].next.store(slot, std::memory_order_relaxed);
        });
  }

  // Returns the reservation's line with units of the same shard as `like`, which count for the user exactly if those of
  // `like` do. If there is none, returns kNoSlot, and sets `last` to the reservation's last line.
  std::uint32_t find_same(std::uint32_t head, const Reservation& like, std::uint32_t& last) noexcept {
    const std::uint32_t stock_shard = like.stock_shard.load(std::memory_order_relaxed);
    const bool counts = like.user_entry.load(std::memory_order_relaxed) != kNoUser;
    for (std::uint32_t slot = head; slot != kNoSlot;) {
      const Reservation& line = memory_.reservations[slot];
      if (line.stock_shard.load(std::memory_order_relaxed) == stock_shard &&
          (line.user_entry.load(std::memory_order_relaxed) != kNoUser) == counts) {
        return slot;
      }
      last = slot;
      slot = line.next.load(std::memory_order_relaxed);
    }
    return kNoSlot;
  }

  Level* level_of(std::uint32_t item) noexcept {
    Level* const end = levels_ + count_;
    Level* const found =
        std::find_if(levels_, end, [item](const Level& level) { return level.item == item; });
    return found == end ? nullptr : found;
  }

  LedgerMemory& memory_;
  ThreadSlot& thread_;
  std::uint64_t now_;
  std::uint32_t count_ = 0;
  Level levels_[StockRequest::kLinesMax];
};

}  // namespace sluice
