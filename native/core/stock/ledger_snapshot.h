// Writes a stock ledger as a sequence of octets, and reads it back: groups and items, what users hold and have bought,
// reservations, and ids with their answers. A snapshot is written while no operation is inside. It contains the time
// that remains until each deadline of a hold, and of an item's sale.
//
//   | magic | version | checksum of the rest | rest |      words of 64 bits, little-endian
//
// A snapshot does not contain the counters of operations, nor the movements.
//
// The caller supplies the memory: `Words`, which grows by push_back() and holds the snapshot, and the scratch of
// read().
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "core/base/hash.h"
#include "core/stock/ledger_audit.h"
#include "core/stock/ledger_memory.h"
#include "core/stock/reservation_snapshot.h"

namespace sluice {

// kItems to kIds: that table of the new ledger is smaller than the snapshot's, and the snapshot's entries do not fit
// into it.
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
  static constexpr std::uint64_t kVersion = 3;
  static constexpr std::size_t kHeaderWords = 3;

  // Writes into `words`, which is empty. Throws what its push_back() throws.
  template <class Words>
  static void write(LedgerMemory& memory, std::uint64_t now, Words& words) {
    words.push_back(kMagic);
    words.push_back(kVersion);
    words.push_back(0);
    {
      const Paused paused(memory.control->quiesce, *memory.thread_slots);
      Writer<Words>{memory, now, words}.write();
    }
    words[2] = checksum(words);
  }

  // Checks a snapshot of `size` octets and reads the shape of its ledger. `words`: as many whole words as `size` octets
  // contain.
  static SnapshotError open(std::span<const std::uint64_t> words, std::size_t size, LedgerShape& shape) {
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

  // How many words of scratch read() needs for a ledger of this shape.
  static std::uint64_t scratch_words(const LedgerShape& shape) {
    return std::max(audit_words(shape), ReservationsReader<Reader>::scratch_words(shape));
  }

  // Reads into zeroed memory of `shape`, which may differ from the snapshot's. Unless the answer is kNone, the memory
  // is not a sound ledger.
  static SnapshotError read(LedgerMemory& memory, const LedgerShape& shape,
                            std::span<const std::uint64_t> words, std::uint64_t now, Sweeping sweeping,
                            std::uint64_t* scratch) {
    Reader reader{memory, shape, now, words, scratch};
    if (!reader.read(sweeping)) return reader.error;
    return audit(memory, scratch).adds_up(memory.reservations.size()) ? SnapshotError::kNone
                                                                      : SnapshotError::kDamaged;
  }

 private:
  static constexpr std::size_t kShapeWords = 5;
  static constexpr std::uint64_t kTimeToSellMax = 1ULL << 62;  // so that a sum with the time of a clock fits

  static std::uint64_t checksum(std::span<const std::uint64_t> words) {
    std::uint64_t sum = mix(words.size());
    for (std::size_t i = kHeaderWords; i < words.size(); ++i) sum = mix(sum ^ words[i]);
    return sum;
  }

  template <class Words>
  struct Writer {
    LedgerMemory& memory;
    std::uint64_t now;
    Words& words;
    std::uint64_t boot_now = memory.clock.boot_now();

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
    // Writes a list, then the length of the list in front of it. `entries(one more)` calls `one more` before each entry
    // that it writes.
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
      list([&](auto&& one_more) { write_groups(one_more); });
      list([&](auto&& one_more) { write_items(one_more); });
      list([&](auto&& one_more) { write_users(one_more); });
      ReservationsWriter(memory, now, *this).write();
      list([&](auto&& one_more) { write_ids(one_more); });
    }

    template <class OneMore>
    void write_groups(OneMore&& one_more) {
      for (std::uint32_t number = 0; number < memory.groups.size(); ++number) {
        const GroupTable::Group& group = memory.groups[number];
        one_more();
        put_text(group.name, group.name_length);
        put(group.per_user.load(std::memory_order_relaxed));
      }
    }

    template <class OneMore>
    void write_items(OneMore&& one_more) {
      for (std::uint32_t number = 0; number < memory.items.size(); ++number) {
        const Item<>& item = memory.items[number];
        one_more();
        put(item.sku);
        put_text(item.name, item.name_length);
        put(item.shards);
        put(item.group);
        put(item.per_user.load(std::memory_order_relaxed));
        put(item.counts_users.load(std::memory_order_relaxed));
        put(item.sold_uncounted.load(std::memory_order_relaxed));
        put(item.closed.load(std::memory_order_relaxed));
        put(item.total.load(std::memory_order_relaxed));
        put(item.backorder.load(std::memory_order_relaxed));
        put(time_to_sell(item));
        for (std::uint32_t shard = 0; shard < item.shards; ++shard) {
          put(memory.items.shard(item.first_shard + shard).word.load(std::memory_order_relaxed));
        }
      }
    }

    // Returns 1 + the time that is left until the sale is over; 0: it does not end.
    std::uint64_t time_to_sell(const Item<>& item) const {
      const std::uint64_t until = item.sell_until.load(std::memory_order_relaxed);
      return until == 0 ? 0 : until - std::min(boot_now, until - 1);
    }

    template <class OneMore>
    void write_users(OneMore&& one_more) {
      for (std::uint32_t entry = 0; entry < memory.users.size(); ++entry) {
        if (memory.users.count_of(entry) == 0) continue;
        one_more();
        put(memory.users.user_of(entry));
        put(memory.users.item_of(entry));
        put(memory.users.count_of(entry));
        put(memory.bought.of(entry));
      }
    }

    // Writes the oldest id of a bucket first, so that reading them in that order restores their ages.
    template <class OneMore>
    void write_ids(OneMore&& one_more) {
      memory.ids.for_each([&](const Key& id, std::uint64_t body, IdAnswer answer, bool spilled) {
        one_more();
        put(id);
        put(body);
        put(answer.without_queue().word());
        put(spilled ? 1 : 0);
      });
    }
  };

  struct Reader {
    LedgerMemory& memory;
    const LedgerShape& shape;
    std::uint64_t now;
    std::span<const std::uint64_t> words;
    std::uint64_t* scratch;
    std::size_t at = kHeaderWords;
    bool sound = true;
    SnapshotError error = SnapshotError::kDamaged;  // valid if `sound` is false
    LedgerShape written{};                          // the shape of the snapshot's ledger
    std::uint64_t boot_now = memory.clock.boot_now();

    // Returns the next word. Past the end, returns 0 and makes `sound` false.
    std::uint64_t take() {
      sound = sound && at < words.size();
      return sound ? words[at++] : 0;
    }
    // Returns the next word. If it is not below `limit`, returns 0 and makes `sound` false.
    std::uint32_t below(std::uint64_t limit) {
      const std::uint64_t word = take();
      sound = sound && word < limit;
      return sound ? static_cast<std::uint32_t>(word) : 0;
    }
    Key take_key() {
      const std::uint64_t low = take();
      const Key key{low, take()};
      sound = sound && is_ledger_key(key);
      return key;
    }
    std::uint32_t take_text(void* text, std::size_t max) {
      const std::uint32_t length = below(max + 1);
      for (std::uint32_t i = 0; i < length; i += 8) {
        const std::uint64_t word = take();
        std::memcpy(static_cast<char*>(text) + i, &word, std::min(8u, length - i));
      }
      return length;
    }

    // Makes `sound` false unless `fits`. If the table (`room`) is smaller than the snapshot's (`had`), `error` becomes
    // `too_small`.
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
      for (std::uint64_t left = take(); sound && left != 0; --left) read_group();
      for (std::uint64_t left = take(); sound && left != 0; --left) read_item();
      for (std::uint64_t left = take(); sound && left != 0; --left) read_user();
      ReservationsReader(memory, now, *this, scratch).read();
      for (std::uint64_t left = take(); sound && left != 0; --left) {
        const Key id = take_key();
        const std::uint64_t body = take();
        const IdAnswer answer = IdAnswer(take()).without_queue();
        const bool spilled = below(2) != 0;
        require_room(sound && memory.ids.restore(id, body, answer, spilled), shape.ids, written.ids,
                     SnapshotError::kIds);
      }
      return sound && at == words.size();
    }

    void read_group() {
      char name[kSkuTextMax];
      const std::uint32_t length = take_text(name, sizeof name);
      const std::uint32_t per_user = below(kQuantityMax + 1);
      sound = sound && length != 0 && per_user != 0 &&
              memory.groups.add({name, length}, per_user) == GroupTable::Added::kAdded;
    }

    void read_item() {
      ItemSpec spec{};
      char name[kSkuTextMax];
      spec.sku = take_key();
      spec.name = {name, take_text(name, sizeof name)};
      spec.shards = below(kShardsMax + 1);
      spec.group = below(memory.groups.size() + 1);
      spec.per_user = below(kQuantityMax + 1);
      const std::uint32_t counts_users = below(2);
      const std::uint32_t sold_uncounted = below(kQuantityMax + 1);
      const bool closed = below(2) != 0;
      const std::uint64_t total = below(kQuantityMax + 1);
      const std::uint64_t backorder = below(kQuantityMax - total + 1);
      const std::uint64_t time_to_sell = take();
      sound = sound && time_to_sell <= kTimeToSellMax;
      sound = sound && spec.shards != 0 && ((spec.per_user == 0 && spec.group == 0) || counts_users != 0);
      if (!sound) return;
      const ItemTable<>::Added added = memory.items.add(spec, [&](std::uint32_t number) {
        return spec.group == 0 || memory.groups.join(memory.groups[spec.group - 1], number);
      });
      sound = added == ItemTable<>::Added::kAdded || added == ItemTable<>::Added::kFull;
      require_room(added == ItemTable<>::Added::kAdded, shape.items, written.items, SnapshotError::kItems);
      // A forger of snapshots can also choose the secret, and so skus and users whose searches all begin at one place.
      // To restore very many of them would take practically for ever.
      sound = sound && memory.items.steps_to(spec.sku) <= ItemTable<>::kStepsMax;
      if (!sound) return;
      Item<>& item = memory.items[memory.items.size() - 1];
      item.counts_users.store(counts_users, std::memory_order_relaxed);
      item.sold_uncounted.store(sold_uncounted, std::memory_order_relaxed);
      item.closed.store(closed ? 1 : 0, std::memory_order_relaxed);
      item.total.store(total, std::memory_order_relaxed);
      item.backorder.store(backorder, std::memory_order_relaxed);
      item.sell_until.store(time_to_sell == 0 ? 0 : boot_now + time_to_sell, std::memory_order_relaxed);
      for (std::uint32_t shard = 0; shard < item.shards; ++shard) {
        memory.items.shard(item.first_shard + shard).word.store(take(), std::memory_order_relaxed);
      }
    }

    void read_user() {
      const Key user = take_key();
      const std::uint32_t item = below(memory.items.size());
      const std::uint64_t count = below(kQuantityMax + 1);
      const std::uint64_t bought = below(count + 1);
      sound = sound && count != 0;
      if (!sound) return;
      const HashedKey hashed(memory.control->secret, user);
      const UserTable<>::Added added = memory.users.add(hashed, item, count, count);
      require_room(added.result == UserTable<>::Add::kAdded, shape.users, written.users,
                   SnapshotError::kUsers);
      sound = sound && memory.users.reach(hashed, item) <= UserTable<>::kReachMax;
      if (sound) memory.bought.add(added.entry, bought);
    }

    // A slot keeps its number, because ids of reservations contain it.
    std::uint32_t take_slot() {
      const std::uint32_t slot = below(written.reservations);
      require_room(slot < shape.reservations, shape.reservations, written.reservations,
                   SnapshotError::kReservations);
      return slot;
    }
  };
};

}  // namespace sluice
