// Copies the record of a reservation from its slots, as a whole and without a lock. The reservation is held, or has
// ended and its slots have not been used again.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/stock/ledger_memory.h"
#include "core/stock/stock_request.h"

namespace sluice {

struct ReservationRecord {
  // An item can have two lines for each of its shards: one that counts for the user, and one that does not, if the
  // item's limit per user was set or removed between the reservation and a change of it.
  static constexpr std::uint32_t kLinesMax = StockRequest::kLinesMax * kShardsMax * 2;

  struct Line {
    std::uint64_t sold;  // the word `sold` of the slot: see Reservation
    std::uint32_t slot, item, stock_shard, quantity, entry;
    std::uint32_t taken;  // 0; a return notes here how many units it takes from the line
  };

  // The phase at `now`: from its deadline on it has expired, whether a thread has noticed that or not.
  Phase phase_at(std::uint64_t now) const noexcept {
    return phase == Phase::kHeld && now >= deadline_ns ? Phase::kExpired : phase;
  }

  std::uint64_t id;
  Phase phase;
  std::uint64_t deadline_ns;
  LedgerUser user;
  ReservationId client_id;
  std::uint32_t count;
  Line lines[kLinesMax];
};

class RecordReader {
 public:
  explicit RecordReader(const LedgerMemory& memory) noexcept : table_(memory.reservations) {}

  // Returns the id of the reservation whose first slot this is, held or ended; 0: there is none.
  std::uint64_t id_at(std::uint32_t slot) const noexcept {
    const std::uint64_t state = table_[slot].state.load(std::memory_order_relaxed);
    const Phase phase = ReservationTable::phase_in(state);
    return phase == Phase::kFree || phase == Phase::kLine ? 0 : ReservationTable::id_of(slot, state);
  }

  // Returns false if the record is gone, or not whole any more.
  bool read(std::uint64_t id, ReservationRecord& record) const noexcept {
    for (;;) {
      const std::uint64_t state = table_.state(id);
      record.phase = ReservationTable::phase_in(state);
      if (record.phase == Phase::kFree || record.phase == Phase::kLine) return false;
      record.id = id;
      const bool whole = copy(record);
      // Pairs with the fences in begin_use() and begin_change(): if the state is the same now, all that was copied
      // belongs to it.
      std::atomic_thread_fence(std::memory_order_acquire);
      const std::uint64_t now = table_[table_.slot_of(id)].state.load(std::memory_order_relaxed);
      if (now == state) return whole && lines_are_its_own(record);
    }
  }

 private:
  // Copies what the slots contain, even if it is out of date. Returns false if the chain is not that of this
  // reservation.
  bool copy(ReservationRecord& record) const noexcept {
    const std::uint32_t head = table_.slot_of(record.id);
    const Reservation& first = table_[head];
    record.deadline_ns = first.deadline_ns.load(std::memory_order_relaxed);
    record.user = first.user();
    record.client_id = table_.id_stored(head);
    record.count = 0;
    for (std::uint32_t slot = head; slot != kNoSlot;) {
      if (record.count == ReservationRecord::kLinesMax || slot >= table_.size()) return false;
      const Reservation& line = table_[slot];
      // ACQ sold: pairs with REL in HeldUnits::sell().
      const std::uint64_t sold = line.sold.load(std::memory_order_acquire);
      if (slot == head ? sold >> 32 != record.id >> 32
                       : line.deadline_ns.load(std::memory_order_relaxed) != record.id) {
        return false;
      }
      record.lines[record.count++] = {sold,
                                      slot,
                                      line.item.load(std::memory_order_relaxed),
                                      line.stock_shard.load(std::memory_order_relaxed),
                                      line.quantity.load(std::memory_order_relaxed),
                                      line.user_entry.load(std::memory_order_relaxed),
                                      0};
      slot = line.next.load(std::memory_order_relaxed);
    }
    return true;
  }

  // Called after the fence: whether no slot of a line was used again while it was copied.
  bool lines_are_its_own(const ReservationRecord& record) const noexcept {
    for (std::uint32_t i = 0; i < record.count; ++i) {
      const ReservationRecord::Line& line = record.lines[i];
      if (table_[line.slot].sold.load(std::memory_order_relaxed) >> 32 != line.sold >> 32) return false;
    }
    return true;
  }

  const ReservationTable& table_;
};

}  // namespace sluice
