// The reservations in a snapshot of a stock ledger: those held, then what the free slots contain, in the order in which
// the slots will be taken. All accesses are relaxed: no operation is half done while a snapshot is taken or restored.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/stock/cart_reserver.h"
#include "core/stock/ledger_memory.h"
#include "core/stock/reservation_record.h"

namespace sluice {

// `Words` takes what this writes, with put(), put_text() and list().
template <class Words>
class ReservationsWriter {
 public:
  ReservationsWriter(LedgerMemory& memory, std::uint64_t now, Words& words)
      : memory_(memory), now_(now), words_(words) {}

  void write() {
    words_.list([&](auto&& one_more) { write_held(one_more); });
    words_.list([&](auto&& one_more) { write_free(one_more); });
  }

 private:
  template <class OneMore>
  void write_held(OneMore&& one_more) {
    const ReservationTable& table = memory_.reservations;
    for (std::uint32_t slot = 0; slot < table.size(); ++slot) {
      if (table.held_in(slot) == 0) continue;
      one_more();
      const std::uint64_t deadline = table[slot].deadline_ns.load(std::memory_order_relaxed);
      words_.put(deadline > now_ ? deadline - now_ : 0);
      write_client(slot);
      words_.list([&](auto&& one_more_line) {
        CartReserver::for_each_line(memory_, slot, [&](std::uint32_t at, std::uint32_t, std::uint32_t) {
          one_more_line();
          words_.put(at);
          words_.put(state_of(at));
          write_line(at);
        });
      });
    }
  }

  // Writes the free slots, except those at the beginning of the free list that were never used and are in the order of
  // their numbers: ReservationsReader frees the slots that it has not read first, in the order of their numbers.
  template <class OneMore>
  void write_free(OneMore&& one_more) {
    bool unused = true;
    std::uint64_t after = 0;
    memory_.reservations.for_each_free([&](std::uint32_t slot) {
      unused = unused && state_of(slot) == 0 && slot >= after;
      after = slot + 1ULL;
      if (unused) return;
      one_more();
      const Reservation& line = memory_.reservations[slot];
      words_.put(slot);
      words_.put(state_of(slot));
      if (state_of(slot) == 0) return;
      words_.put(line.next.load(std::memory_order_relaxed));
      words_.put(line.deadline_ns.load(std::memory_order_relaxed));  // for a line, the id of its reservation
      write_client(slot);
      write_line(slot);
    });
  }

  std::uint64_t state_of(std::uint32_t slot) const {
    return memory_.reservations[slot].state.load(std::memory_order_relaxed);
  }
  void write_client(std::uint32_t slot) {
    const LedgerUser user = memory_.reservations[slot].user();
    words_.put(user.key);
    words_.put_text(user.text, user.text_length);
    const ReservationId id = memory_.reservations.id_stored(slot);
    words_.put(id.tag);
    if (id.tag == ReservationId::kNumber) words_.put(id.words[0]);
    if (id.tag > ReservationId::kNumber)
      words_.put_text(id.words, static_cast<std::uint32_t>(id.text().size()));
  }
  void write_line(std::uint32_t slot) {
    const Reservation& line = memory_.reservations[slot];
    words_.put(line.item.load(std::memory_order_relaxed));
    words_.put(line.stock_shard.load(std::memory_order_relaxed));
    words_.put(line.quantity.load(std::memory_order_relaxed));
    words_.put(Reservation::units_in(line.sold.load(std::memory_order_relaxed)));
    words_.put(line.user_entry.load(std::memory_order_relaxed) == kNoUser ? 0 : 1);
  }

  LedgerMemory& memory_;
  std::uint64_t now_;
  Words& words_;
};

// `Words` gives what was written, with take(), below(), take_key(), take_text() and take_slot(). Its `sound` becomes
// false once the words contradict one another or the tables.
template <class Words>
class ReservationsReader {
 public:
  // The words of scratch memory that the reader needs: for each slot, a bit that is set once the slot was read; then
  // the numbers of the free slots that were read.
  static std::uint64_t scratch_words(const LedgerShape& shape) {
    return seen_words(shape.reservations) + (shape.reservations + 1ULL) / 2;
  }

  ReservationsReader(LedgerMemory& memory, std::uint64_t now, Words& words, std::uint64_t* scratch)
      : memory_(memory),
        table_(memory.reservations),
        now_(now),
        words_(words),
        seen_(scratch),
        used_(reinterpret_cast<std::uint32_t*>(scratch + seen_words(table_.size()))) {
    std::fill_n(seen_, seen_words(table_.size()), 0);
  }

  // Reads into formatted tables that have their items and users already.
  void read() {
    for (std::uint64_t left = words_.take(); words_.sound && left != 0; --left) read_held();
    for (std::uint64_t left = words_.take(); words_.sound && left != 0; --left) read_free();
    if (!words_.sound) return;
    for (std::uint32_t i = 0; i < table_.size(); ++i) table_.take_slot();
    for (std::uint32_t slot = 0; slot < table_.size(); ++slot) {
      if (!seen(slot)) table_.free_slot(slot);
    }
    std::for_each(used_, used_ + used_count_, [this](std::uint32_t slot) { table_.free_slot(slot); });
    words_.sound =
        std::all_of(used_, used_ + used_count_, [this](std::uint32_t slot) { return record_fits(slot); });
  }

 private:
  static std::uint64_t seen_words(std::uint32_t slots) { return (slots + 63ULL) / 64; }
  bool seen(std::uint32_t slot) const { return (seen_[slot / 64] >> slot % 64 & 1) != 0; }

  // The items of one reservation: no more than a request can name, because code that works on reservations has no room
  // for more.
  struct ItemSet {
    // Returns false if there is no room for the item.
    bool add(std::uint32_t item) {
      if (std::find(items, items + count, item) != items + count) return true;
      if (count == StockRequest::kLinesMax) return false;
      items[count++] = item;
      return true;
    }
    std::uint32_t count = 0;
    std::uint32_t items[StockRequest::kLinesMax];
  };

  // For a free slot: whether the record that begins in it has no more items than a reservation can have. True if the
  // record is not whole any more.
  bool record_fits(std::uint32_t slot) const {
    const RecordReader reader(memory_);
    const std::uint64_t id = reader.id_at(slot);
    ReservationRecord record;
    if (id == 0 || !reader.read(id, record)) return true;
    ItemSet items;
    return std::all_of(record.lines, record.lines + record.count,
                       [&items](const ReservationRecord::Line& line) { return items.add(line.item); });
  }

  void read_held() {
    const std::uint64_t remaining = words_.take();
    const Client client = read_client();
    std::uint32_t head = kNoSlot, last = kNoSlot;
    ItemSet items;
    const std::uint64_t lines = words_.below(ReservationRecord::kLinesMax + 1);
    for (std::uint64_t left = lines; words_.sound && left != 0; --left) {
      const std::uint32_t slot = words_.take_slot();
      if (!words_.sound) return;
      const bool first = last == kNoSlot;
      read_state(slot, [first](Phase phase) { return phase == (first ? Phase::kHeld : Phase::kLine); });
      if (first) head = slot;
      read_line(slot, &client.user.key);
      words_.sound = words_.sound && items.add(table_[slot].item.load(std::memory_order_relaxed));
      if (!words_.sound) return;
      table_[slot].next.store(kNoSlot, std::memory_order_relaxed);
      if (first) {
        table_[slot].deadline_ns.store(now_ + remaining, std::memory_order_relaxed);
        put_client(slot, client);
      } else {
        table_[slot].deadline_ns.store(table_.id_in(head), std::memory_order_relaxed);
        table_[last].next.store(slot, std::memory_order_relaxed);
      }
      last = slot;
    }
    words_.sound = words_.sound && last != kNoSlot;
    if (words_.sound) table_.index(head);
  }

  void read_free() {
    const std::uint32_t slot = words_.take_slot();
    if (!words_.sound) return;
    read_state(slot, [](Phase phase) {
      return phase == Phase::kFree || phase == Phase::kLine ||
             (phase >= Phase::kConfirmed && phase <= Phase::kExpired);
    });
    if (!words_.sound) return;
    used_[used_count_++] = slot;  // at most one for each slot: none is seen twice
    if (table_[slot].state.load(std::memory_order_relaxed) == 0) return;
    table_[slot].next.store(words_.below(1ULL << 32), std::memory_order_relaxed);
    table_[slot].deadline_ns.store(words_.take(), std::memory_order_relaxed);
    put_client(slot, read_client());
    read_line(slot, nullptr);
  }

  // Reads the state of a slot. It is sound only if the slot was not read before, `fits(phase)` is true, and a state
  // other than 0 has a generation.
  template <class Fits>
  void read_state(std::uint32_t slot, Fits&& fits) {
    const std::uint64_t state = words_.take();
    words_.sound = words_.sound && !seen(slot) && fits(ReservationTable::phase_in(state)) &&
                   (state == 0 || state >> 32 != 0);
    if (!words_.sound) return;
    seen_[slot / 64] |= 1ULL << slot % 64;
    table_[slot].state.store(state, std::memory_order_relaxed);
  }

  struct Client {
    LedgerUser user;
    Key id;
    char text[ReservationId::kTextMax];
    std::uint32_t text_length = 0;
  };
  Client read_client() {
    Client client;
    const Key key = words_.take_key();
    char octets[LedgerUser::kTextMax];
    client.user = {key, {octets, words_.take_text(octets, sizeof octets)}};
    const std::uint64_t tag = words_.take();
    if (tag == ReservationId::kNumber) client.id = number_key(words_.take());
    if (tag > ReservationId::kNumber) client.text_length = words_.take_text(client.text, sizeof client.text);
    return client;
  }
  void put_client(std::uint32_t slot, const Client& client) {
    const bool has_id = client.id != Key{} || client.text_length != 0;
    table_[slot].put_user(client.user, has_id);
    if (has_id) table_.put_id(slot, client.id, {client.text, client.text_length});
  }

  // `user`: the user of a held reservation, whose count includes the units; nullptr: the reservation has ended.
  void read_line(std::uint32_t slot, const Key* user) {
    const std::uint32_t number = words_.below(memory_.items.size());
    const std::uint64_t stock_shard = words_.take();
    const std::uint32_t quantity = words_.below(kQuantityMax + 1);
    const std::uint64_t sold = words_.below(kQuantityMax + 1);
    const bool counts = words_.below(2) != 0;
    if (!words_.sound) return;
    const Item<>& item = memory_.items[number];
    // After the end, and where nothing is held, it only matters whether there was an entry, not which.
    std::uint32_t entry = counts ? 0 : kNoUser;
    if (counts && user != nullptr && quantity != 0) {
      entry = memory_.users.entry_of({memory_.control->secret, *user}, number);
      words_.sound = entry != kNoUser;
    }
    words_.sound =
        words_.sound && stock_shard >= item.first_shard && stock_shard < item.first_shard + item.shards;
    Reservation& line = table_[slot];
    line.sold.store((line.state.load(std::memory_order_relaxed) >> 32 << 32) | sold,
                    std::memory_order_relaxed);
    line.item.store(number, std::memory_order_relaxed);
    line.stock_shard.store(static_cast<std::uint32_t>(stock_shard), std::memory_order_relaxed);
    line.quantity.store(quantity, std::memory_order_relaxed);
    line.user_entry.store(entry, std::memory_order_relaxed);
  }

  LedgerMemory& memory_;
  ReservationTable& table_;
  std::uint64_t now_;
  Words& words_;
  std::uint64_t* seen_;
  std::uint32_t* used_;
  std::uint32_t used_count_ = 0;
};

}  // namespace sluice
