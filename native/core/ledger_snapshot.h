// A stock ledger as a sequence of octets, and back: what it sells, who holds and has bought what, which ids were
// told what. Written while no operation is inside. Deadlines are written as what remains of them.
//
//   | magic | version | checksum of the rest | rest |      words of 64 bits, little-endian
//
// Not in it: the counters of operations, and the movements.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "core/ledger_audit.h"
#include "core/ledger_memory.h"
#include "core/line_reserver.h"
#include "core/planted.h"

namespace sluice {

// The last four: the new table is smaller than the snapshot's, and what is in that does not fit.
enum class SnapshotError : std::uint8_t {
  kNone,
  kNoSnapshot,
  kVersion,
  kDamaged,
  kItems,
  kReservations,
  kUsers,
  kIds
};

class LedgerSnapshot {
 public:
  static constexpr std::uint64_t kMagic = 0x746f'6873'7061'6e73;  // "snapshot", little-endian
  static constexpr std::uint64_t kVersion = 2;
  static constexpr std::size_t kHeaderWords = 3;

  static std::vector<std::uint64_t> write(LedgerMemory& memory, std::uint64_t now) {
    std::vector<std::uint64_t> words;
    words.resize(kHeaderWords);
    memory.control->quiesce.pause(*memory.lines);
    Writer{memory, now, words}.write();
    memory.control->quiesce.resume();
    words[0] = kMagic;
    words[1] = kVersion;
    words[2] = checksum(words);
    return words;
  }

  // The words of a snapshot whose checksum holds, and the shape of its ledger.
  static SnapshotError open(const void* octets, std::size_t size, std::vector<std::uint64_t>& words,
                            LedgerShape& shape) {
    words.resize(size / sizeof words[0]);
    if (!words.empty()) std::memcpy(words.data(), octets, words.size() * sizeof words[0]);
    if (words.empty() || words[0] != kMagic) return SnapshotError::kNoSnapshot;
    if (words.size() < 2) return SnapshotError::kDamaged;
    if (words[1] != kVersion) return SnapshotError::kVersion;
    if (size % sizeof words[0] != 0 || words.size() < kHeaderWords + kShapeWords ||
        words[2] != checksum(words)) {
      return SnapshotError::kDamaged;
    }
    constexpr std::uint32_t kMost[kShapeWords] = {kItemsMax, kReservationsMax, kUsersMax, kIdsMax,
                                                  kMovementsMax};
    for (std::size_t i = 0; i < kShapeWords; ++i) {
      const std::uint64_t word = words[kHeaderWords + i];
      if (word > kMost[i] || (word == 0 && i < kShapeWords - 1)) return SnapshotError::kDamaged;
    }
    const auto at = [&words](std::size_t i) { return static_cast<std::uint32_t>(words[kHeaderWords + i]); };
    shape = {at(0), at(1), at(2), at(3), at(4)};
    return SnapshotError::kNone;
  }

  // Into zeroed memory of `shape`, which may be another than the snapshot's. Unless the answer is kNone the memory is
  // worthless.
  static SnapshotError read(LedgerMemory& memory, const LedgerShape& shape,
                            const std::vector<std::uint64_t>& words, std::uint64_t now, Sweeping sweeping) {
    Reader reader{memory, shape, now, words};
    if (!reader.read(sweeping)) return reader.error;
    return audit(memory).adds_up(memory.reservations.size()) ? SnapshotError::kNone : SnapshotError::kDamaged;
  }

 private:
  static constexpr std::size_t kShapeWords = 5;

  static std::uint64_t checksum(const std::vector<std::uint64_t>& words) {
    std::uint64_t sum = mix(words.size());
    for (std::size_t i = kHeaderWords; i < words.size(); ++i) sum = mix(sum ^ words[i]);
    return sum;
  }

  struct Writer {
    LedgerMemory& memory;
    std::uint64_t now;
    std::vector<std::uint64_t>& words;

    void put(std::uint64_t word) { words.push_back(word); }
    void put(const Key& key) {
      put(key.low);
      put(key.high);
    }
    void put_text(const void* text, std::uint32_t length) {
      put(length);
      for (std::uint32_t i = 0; i < length; i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, static_cast<const char*>(text) + i, std::min(8u, length - i));
        put(word);
      }
    }
    // A list whose length is known when it has been written: `entries(put one more)`.
    template <class Entries>
    void list(Entries&& entries) {
      const std::size_t length_at = words.size();
      put(0);
      std::uint64_t length = 0;
      entries([&length] { ++length; });
      words[length_at] = length;
    }

    void write() {
      const LedgerControl& control = *memory.control;
      const LedgerShape& shape = control.shape;
      for (const std::uint32_t size :
           {shape.items, shape.reservations, shape.users, shape.ids, shape.movements})
        put(size);
      put(control.hold_ns.load(std::memory_order_relaxed));
      put(control.secret.words[0]);
      put(control.secret.words[1]);
      put(control.sweep_cursor.load(std::memory_order_relaxed));
      list([&](auto&& one_more) { write_items(one_more); });
      list([&](auto&& one_more) { write_users(one_more); });
      list([&](auto&& one_more) { write_held(one_more); });
      list([&](auto&& one_more) { write_free(one_more); });
      list([&](auto&& one_more) { write_ids(one_more); });
    }

    template <class OneMore>
    void write_items(OneMore&& one_more) {
      for (std::uint32_t number = 0; number < memory.items.size(); ++number) {
        const Item<>& item = memory.items[number];
        one_more();
        put(item.sku);
        put_text(item.name, item.name_length);
        put(item.shards);
        put(item.per_user.load(std::memory_order_relaxed));
        put(item.counts_users.load(std::memory_order_relaxed));
        put(item.sold_uncounted.load(std::memory_order_relaxed));
        put(item.closed.load(std::memory_order_relaxed));
        put(item.total.load(std::memory_order_relaxed));
        for (std::uint32_t shard = 0; shard < item.shards; ++shard) {
          put(memory.items.line(item.first_line + shard).word.load(std::memory_order_relaxed));
        }
      }
    }

    template <class OneMore>
    void write_users(OneMore&& one_more) {
      for (std::uint32_t entry = 0; entry < memory.users.size(); ++entry) {
        if (memory.users.count_of(entry) == 0) continue;
        one_more();
        put(memory.users.user_of(entry));
        put(memory.users.item_of(entry));
        put(memory.users.count_of(entry));
      }
    }

    template <class OneMore>
    void write_held(OneMore&& one_more) {
      ReservationTable& table = memory.reservations;
      for (std::uint32_t slot = 0; slot < table.size(); ++slot) {
        if (table.held_in(slot) == 0) continue;
        one_more();
        const std::uint64_t deadline = table[slot].deadline_ns.load(std::memory_order_relaxed);
        put(deadline > now ? deadline - now : 0);
        const LedgerUser user = table[slot].user();
        put(user.key);
        put_text(user.text, user.text_length);
        list([&](auto&& one_more_line) {
          LineReserver::for_each_line(memory, slot,
                                      [&](std::uint32_t at, std::uint32_t quantity, std::uint32_t entry) {
                                        one_more_line();
                                        const Reservation& line = table[at];
                                        put(at);
                                        put(line.state.load(std::memory_order_relaxed));
                                        put(line.item.load(std::memory_order_relaxed));
                                        put(line.stock_line.load(std::memory_order_relaxed));
                                        put(quantity);
                                        put(entry == kNoUser ? 0 : 1);
                                      });
        });
      }
    }

    // The free slots in the order in which they will be taken, and what became of the last reservation of each; without
    // those at the beginning that were not used yet, whose order is that of their numbers.
    template <class OneMore>
    void write_free(OneMore&& one_more) {
      bool unused = true;
      std::uint64_t after = 0;
      memory.reservations.for_each_free([&](std::uint32_t slot) {
        const std::uint64_t state = memory.reservations[slot].state.load(std::memory_order_relaxed);
        unused = unused && state == 0 && slot >= after;
        after = slot + 1ULL;
        if (unused) return;
        one_more();
        put(slot);
        put(state);
      });
    }

    // The oldest of a bucket first, so that reading them in makes them as old again.
    template <class OneMore>
    void write_ids(OneMore&& one_more) {
      if (SLUICE_PLANTED(kForgetIds)) return;
      memory.ids.for_each([&](const Key& id, std::uint64_t body, std::uint64_t answer) {
        one_more();
        put(id);
        put(body);
        put(answer);
      });
    }
  };

  struct Reader {
    LedgerMemory& memory;
    const LedgerShape& shape;
    std::uint64_t now;
    const std::vector<std::uint64_t>& words;
    std::size_t at = kHeaderWords;
    bool sound = true;
    SnapshotError error = SnapshotError::kDamaged;  // unless sound
    LedgerShape written{};                          // of the ledger that was written

    // 0 past the end, and then nothing is sound.
    std::uint64_t take() {
      sound = sound && at < words.size();
      return sound ? words[at++] : 0;
    }
    // One that must be below `limit`.
    std::uint32_t below(std::uint64_t limit) {
      const std::uint64_t word = take();
      sound = sound && word < limit;
      return sound ? static_cast<std::uint32_t>(word) : 0;
    }
    Key take_key() {
      const std::uint64_t low = take();
      return {low, take()};
    }
    std::uint32_t take_text(void* text, std::size_t max) {
      const std::uint32_t length = below(max + 1);
      for (std::uint32_t i = 0; i < length; i += 8) {
        const std::uint64_t word = take();
        std::memcpy(static_cast<char*>(text) + i, &word, std::min(8u, length - i));
      }
      return length;
    }

    // Sound if `fits`. If not, it may be for want of room in a table that has become smaller.
    void require_room(bool fits, std::uint32_t room, std::uint32_t had, SnapshotError too_small) {
      if (!sound || fits) return;
      sound = false;
      if (room < had) error = too_small;
    }

    bool read(Sweeping sweeping) {
      written = {below(kItemsMax + 1), below(~0u), below(~0u), below(~0u), below(~0u)};
      const std::uint64_t hold_ns = take();
      const std::uint64_t secret = take();
      memory.format(shape, hold_ns, KeySecret{{secret, take()}}, sweeping);
      memory.control->sweep_cursor.store(below(1ULL << 32), std::memory_order_relaxed);
      for (std::uint64_t left = take(); sound && left != 0; --left) read_item();
      for (std::uint64_t left = take(); sound && left != 0; --left) read_user();
      read_reservations();
      for (std::uint64_t left = take(); sound && left != 0; --left) {
        const Key id = take_key();
        const std::uint64_t body = take();
        const std::uint64_t answer = take();
        require_room(sound && memory.ids.restore({memory.control->secret, id}, body, answer), shape.ids,
                     written.ids, SnapshotError::kIds);
      }
      return sound && at == words.size();
    }

    void read_item() {
      ItemSpec spec{};
      char name[kSkuTextMax];
      spec.sku = take_key();
      spec.name = {name, take_text(name, sizeof name)};
      spec.shards = below(kShardsMax + 1);
      spec.per_user = below(kQuantityMax + 1);
      const std::uint32_t counts_users = below(2);
      const std::uint32_t sold_uncounted = below(kQuantityMax + 1);
      const bool closed = below(2) != 0;
      const std::uint64_t total = below(kQuantityMax + 1);
      sound = sound && spec.shards != 0 && (spec.per_user == 0 || counts_users != 0);
      if (!sound) return;
      const ItemTable<>::Added added = memory.items.add(spec);
      sound = added != ItemTable<>::Added::kSkuExists;
      require_room(added == ItemTable<>::Added::kAdded, shape.items, written.items, SnapshotError::kItems);
      if (!sound) return;
      Item<>& item = memory.items[memory.items.size() - 1];
      item.counts_users.store(counts_users, std::memory_order_relaxed);
      item.sold_uncounted.store(sold_uncounted, std::memory_order_relaxed);
      item.closed.store(closed ? 1 : 0, std::memory_order_relaxed);
      item.total.store(total, std::memory_order_relaxed);
      for (std::uint32_t shard = 0; shard < item.shards; ++shard) {
        memory.items.line(item.first_line + shard).word.store(take(), std::memory_order_relaxed);
      }
    }

    void read_user() {
      const Key user = take_key();
      const std::uint32_t item = below(memory.items.size());
      const std::uint64_t count = below(kQuantityMax + 1);
      sound = sound && count != 0;
      if (!sound) return;
      const bool added = memory.users.add({memory.control->secret, user}, item, count, count).result ==
                         UserTable<>::Add::kAdded;
      require_room(added, shape.users, written.users, SnapshotError::kUsers);
    }

    void read_reservations() {
      ReservationTable& table = memory.reservations;
      std::vector<bool> seen(table.size());
      for (std::uint64_t left = take(); sound && left != 0; --left) read_held(seen);
      std::vector<std::uint32_t> used;
      for (std::uint64_t left = take(); sound && left != 0; --left) {
        const std::uint32_t slot = take_slot();
        if (!sound) return;
        read_state(slot, seen, false);
        used.push_back(slot);
      }
      if (!sound) return;
      for (std::uint32_t i = 0; i < table.size(); ++i) table.take_slot();
      for (std::uint32_t slot = 0; slot < table.size(); ++slot) {
        if (!seen[slot]) table.free_slot(slot);
      }
      for (const std::uint32_t slot : used) table.free_slot(slot);
    }

    // Slots keep their numbers, which reservations' ids name.
    std::uint32_t take_slot() {
      const std::uint32_t slot = below(written.reservations);
      require_room(slot < shape.reservations, shape.reservations, written.reservations,
                   SnapshotError::kReservations);
      return slot;
    }

    // A slot is in one place only, and its state is one that it can have there.
    void read_state(std::uint32_t slot, std::vector<bool>& seen, bool held) {
      const std::uint64_t state = take();
      const Phase phase = ReservationTable::phase_in(state);
      const bool resolved = phase >= Phase::kConfirmed && phase <= Phase::kExpired;
      sound = sound && !seen[slot] && (held ? phase == Phase::kHeld : resolved || state == 0) &&
              (state == 0 || state >> 32 != 0);
      if (!sound) return;
      seen[slot] = true;
      memory.reservations[slot].state.store(state, std::memory_order_relaxed);
    }

    void read_held(std::vector<bool>& seen) {
      ReservationTable& table = memory.reservations;
      const std::uint64_t remaining = take();
      LedgerUser user;
      user.key = take_key();
      user.text_length = take_text(user.text, sizeof user.text);
      std::uint32_t last = kNoSlot;
      for (std::uint64_t left = take(); sound && left != 0; --left) {
        const std::uint32_t slot = take_slot();
        if (!sound) return;
        read_state(slot, seen, last == kNoSlot);
        const std::uint32_t number = below(memory.items.size());
        const std::uint64_t stock_line = take();
        const std::uint32_t quantity = below(kQuantityMax + 1);
        const bool counted = below(2) != 0;
        if (!sound) return;
        const Item<>& item = memory.items[number];
        const std::uint32_t entry =
            counted ? memory.users.entry_of({memory.control->secret, user.key}, number) : kNoUser;
        sound = quantity != 0 && stock_line >= item.first_line &&
                stock_line < item.first_line + item.shards && (!counted || entry != kNoUser);
        Reservation& line = table[slot];
        line.item.store(number, std::memory_order_relaxed);
        line.stock_line.store(static_cast<std::uint32_t>(stock_line), std::memory_order_relaxed);
        line.quantity.store(quantity, std::memory_order_relaxed);
        line.user_entry.store(entry, std::memory_order_relaxed);
        line.next.store(kNoSlot, std::memory_order_relaxed);
        if (last != kNoSlot) {
          table[last].next.store(slot, std::memory_order_relaxed);
        } else {
          line.deadline_ns.store(now + remaining, std::memory_order_relaxed);
          line.put_user(user);
        }
        last = slot;
      }
      sound = sound && last != kNoSlot;
    }
  };
};

}  // namespace sluice
