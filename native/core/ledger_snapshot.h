// A stock ledger as a sequence of octets, and back: what it sells, who holds and has bought what, which ids were
// told what. Written while no operation is inside. Deadlines are written as what remains of them.
//
//   | magic | version | checksum of the rest | rest |      words of 64 bits, little-endian
//
// Not in it: the counters of operations, and the movements.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "core/ledger_memory.h"
#include "core/line_reserver.h"
#include "core/planted.h"

namespace sluice {

enum class SnapshotError : std::uint8_t { kNone, kNoSnapshot, kVersion, kDamaged };

class LedgerSnapshot {
 public:
  static constexpr std::uint64_t kMagic = 0x746f'6873'7061'6e73;  // "snapshot", little-endian
  static constexpr std::uint64_t kVersion = 1;
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

  // The shape of the ledger in a snapshot whose checksum holds.
  static SnapshotError check(const std::vector<std::uint64_t>& words, LedgerShape& shape) {
    if (words.empty() || words[0] != kMagic) return SnapshotError::kNoSnapshot;
    if (words.size() < kHeaderWords + kShapeWords) return SnapshotError::kDamaged;
    if (words[1] != kVersion) return SnapshotError::kVersion;
    if (words[2] != checksum(words)) return SnapshotError::kDamaged;
    const auto at = [&words](std::size_t i) { return static_cast<std::uint32_t>(words[kHeaderWords + i]); };
    shape = {at(0), at(1), at(2), at(3), at(4)};
    return SnapshotError::kNone;
  }

  // Into zeroed memory of the snapshot's shape. False if it contradicts itself; the memory is then worthless.
  static bool read(LedgerMemory& memory, const std::vector<std::uint64_t>& words, std::uint64_t now) {
    return Reader{memory, now, words}.read();
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
      put(control.hold_ns);
      put(control.secret.words[0]);
      put(control.secret.words[1]);
      list([&](auto&& one_more) { write_items(one_more); });
      list([&](auto&& one_more) { write_users(one_more); });
      list([&](auto&& one_more) { write_reservations(one_more); });
      list([&](auto&& one_more) { write_ids(one_more); });
    }

    template <class OneMore>
    void write_items(OneMore&& one_more) {
      for (std::uint32_t number = 0; number < memory.items.size(); ++number) {
        const Item& item = memory.items[number];
        one_more();
        put(item.sku);
        put_text(item.name, item.name_length);
        put(item.shards);
        put(item.per_user);
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

    // Every slot that was ever used: of the resolved ones, what they became.
    template <class OneMore>
    void write_reservations(OneMore&& one_more) {
      ReservationTable& table = memory.reservations;
      for (std::uint32_t slot = 0; slot < table.size(); ++slot) {
        const std::uint64_t state = table[slot].state.load(std::memory_order_relaxed);
        if (state == 0) continue;
        one_more();
        put(slot);
        put(state);
        if (ReservationTable::phase_in(state) != Phase::kHeld) continue;
        const std::uint64_t deadline = table[slot].deadline_ns.load(std::memory_order_relaxed);
        put(deadline > now ? deadline - now : 0);
        const LedgerUser user = table[slot].user();
        put(user.key);
        put_text(user.text, user.text_length);
        list([&](auto&& one_more_line) {
          LineReserver::for_each_line(memory, slot,
                                      [&](std::uint32_t at, std::uint32_t quantity, std::uint32_t) {
                                        one_more_line();
                                        const Reservation& line = table[at];
                                        put(at);
                                        put(line.item.load(std::memory_order_relaxed));
                                        put(line.stock_line.load(std::memory_order_relaxed));
                                        put(quantity);
                                      });
        });
      }
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
    std::uint64_t now;
    const std::vector<std::uint64_t>& words;
    std::size_t at = kHeaderWords;
    bool sound = true;

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

    bool read() {
      LedgerShape shape;
      shape = {below(kItemsMax + 1), below(~0u), below(~0u), below(~0u), below(~0u)};
      const std::uint64_t hold_ns = take();
      const std::uint64_t secret = take();
      memory.format(shape, hold_ns, KeySecret{{secret, take()}});
      for (std::uint64_t left = take(); sound && left != 0; --left) read_item();
      for (std::uint64_t left = take(); sound && left != 0; --left) read_user();
      read_reservations();
      for (std::uint64_t left = take(); sound && left != 0; --left) {
        const Key id = take_key();
        const std::uint64_t body = take();
        sound = sound && memory.ids.restore(id, body, take());
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
      const bool closed = below(2) != 0;
      const std::uint64_t total = below(kQuantityMax + 1);
      sound = sound && spec.shards != 0 && memory.items.add(spec) == ItemTable::Added::kAdded;
      if (!sound) return;
      Item& item = memory.items[memory.items.size() - 1];
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
      sound =
          sound && count != 0 && memory.users.add(user, item, count, count).result == UserTable::Add::kAdded;
    }

    void read_reservations() {
      ReservationTable& table = memory.reservations;
      std::vector<bool> used(table.size());
      for (std::uint64_t left = take(); sound && left != 0; --left) {
        const std::uint32_t slot = below(table.size());
        const std::uint64_t state = take();
        sound = sound && ReservationTable::phase_in(state) <= Phase::kExpired;
        if (!sound) return;
        table[slot].state.store(state, std::memory_order_relaxed);
        if (ReservationTable::phase_in(state) == Phase::kHeld) read_held(slot, used);
      }
      // The rest of the slots are free, in the order of their numbers.
      for (std::uint32_t i = 0; sound && i < table.size(); ++i) {
        const std::uint32_t slot = table.take_slot();
        if (!used[slot]) table.free_slot(slot);
      }
    }

    void read_held(std::uint32_t slot, std::vector<bool>& used) {
      ReservationTable& table = memory.reservations;
      table[slot].deadline_ns.store(now + take(), std::memory_order_relaxed);
      LedgerUser user;
      user.key = take_key();
      user.text_length = take_text(user.text, sizeof user.text);
      table[slot].put_user(user);
      std::uint32_t last = kNoSlot;
      for (std::uint64_t left = take(); sound && left != 0; --left) {
        const std::uint32_t at_slot = below(table.size());
        const std::uint32_t number = below(memory.items.size());
        const std::uint64_t stock_line = take();
        const std::uint32_t quantity = below(kQuantityMax + 1);
        if (!sound) return;
        const Item& item = memory.items[number];
        sound = !used[at_slot] && (last != kNoSlot || at_slot == slot) && stock_line >= item.first_line &&
                stock_line < item.first_line + item.shards;
        if (!sound) return;
        used[at_slot] = true;
        Reservation& line = table[at_slot];
        line.item.store(number, std::memory_order_relaxed);
        line.stock_line.store(static_cast<std::uint32_t>(stock_line), std::memory_order_relaxed);
        line.quantity.store(quantity, std::memory_order_relaxed);
        line.user_entry.store(item.per_user == 0 ? kNoUser : memory.users.entry_of(user.key, number),
                              std::memory_order_relaxed);
        line.next.store(kNoSlot, std::memory_order_relaxed);
        if (last != kNoSlot) table[last].next.store(at_slot, std::memory_order_relaxed);
        last = at_slot;
      }
      sound = sound && last != kNoSlot;
    }
  };
};

}  // namespace sluice
