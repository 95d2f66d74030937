// Recomputes the counts of a stock ledger from its reservations and user entries, while no operation is inside.
//
// An audit works in memory that its caller gives it:
//
//   scratch:  | 4 words for each stock shard | an AuditedPair for each reservation |
#pragma once

#include <algorithm>
#include <cstdint>
#include <new>
#include <optional>
#include <utility>

#include "core/stock/cart_reserver.h"
#include "core/stock/ledger_memory.h"

namespace sluice {

struct LedgerAudit {
  std::uint32_t item = kNoItem;  // the first item that does not add up
  StockCounts counts{};          // of that item
  // The units of that item in reservations and in user entries.
  std::uint64_t reserved_found = 0, users_found = 0;
  std::uint64_t held = 0;                      // how many reservations are held
  std::uint64_t lines = 0, free_slots = 0;     // the lines of these; lines + free_slots = slots
  std::uint64_t users = 0, users_counted = 0;  // pairs with a count; the table's own number of them
  std::uint64_t users_off = 0;                 // pairs whose count is not what they hold and have bought
  std::uint64_t shards_off = 0;                // shards whose reserved units are not those of their lines
  std::uint64_t never_due = 0;                 // reservations that no look would find when they are due

  bool adds_up(std::uint64_t slots) const noexcept {
    return item == kNoItem && lines + free_slots == slots && users == users_counted && users_off == 0 &&
           shards_off == 0 && never_due == 0;
  }
};

// A pair of a user and an item: the units that one line of a reservation holds for it (`quantity`), and how many of its
// counted units are not bought (`count`).
struct AuditedPair {
  std::uint32_t entry, quantity;
  std::uint64_t count;
};
static_assert(sizeof(AuditedPair) == 2 * sizeof(std::uint64_t));

// How many words of scratch an audit needs.
inline std::uint64_t audit_words(const LedgerShape& shape) {
  return std::uint64_t{4} * shape.items + std::uint64_t{2} * shape.reservations;
}

// `scratch` points to audit_words() words; what they hold does not matter.
inline LedgerAudit audit(LedgerMemory& memory, std::uint64_t* scratch) noexcept {
  std::uint64_t held_by_users = 0, unaccounted = 0;
  const std::uint32_t most = memory.control->shape.items;
  std::fill_n(scratch, std::uint64_t{4} * most, 0);
  std::uint64_t *reserved = scratch, *reserved_counted = reserved + most, *counted = reserved_counted + most,
                *on_line = counted + most;
  auto* pairs = reinterpret_cast<AuditedPair*>(on_line + most);
  std::uint64_t pair_count = 0;
  LedgerAudit report;
  std::optional<Paused<Quiesce<>>> paused(std::in_place, memory.control->quiesce, *memory.thread_slots);
  ReservationTable& table = memory.reservations;
  report.free_slots = table.free_slots();
  for (std::uint32_t slot = 0; slot < table.size(); ++slot) {
    if (table.held_in(slot) == 0) continue;
    ++report.held;
    const std::uint64_t deadline = table[slot].deadline_ns.load(std::memory_order_relaxed);
    report.never_due += !table.deadlines().covers(slot, deadline);
    CartReserver::for_each_line(
        memory, slot, [&](std::uint32_t at, std::uint32_t quantity, std::uint32_t entry) {
          ++report.lines;
          const std::uint32_t item = table[at].item.load(std::memory_order_relaxed);
          reserved[item] += quantity;
          if (entry != kNoUser) reserved_counted[item] += quantity;
          on_line[table[at].stock_shard.load(std::memory_order_relaxed)] += quantity;
          // If there are more lines than slots, the rest is not compared: `adds_up` finds that error by their number.
          if (entry == kNoUser || quantity == 0 || pair_count == table.size()) return;
          held_by_users += quantity;
          new (&pairs[pair_count++])
              AuditedPair{entry, quantity, memory.users.count_of(entry) - memory.bought.of(entry)};
        });
  }
  for (std::uint32_t entry = 0; entry < memory.users.size(); ++entry) {
    const std::uint64_t count = memory.users.count_of(entry);
    const std::uint64_t bought = memory.bought.of(entry);
    report.users_off += bought > count;
    unaccounted += count - bought;
    if (count == 0) continue;
    ++report.users;
    counted[memory.users.item_of(entry)] += count;
  }
  report.users_counted = memory.users.used();
  for (std::uint32_t number = 0; number < memory.items.size(); ++number) {
    const Item<>& item = memory.items[number];
    const StockCounts counts = memory.items.counts(item);
    for (std::uint32_t i = item.first_shard; i < item.first_shard + item.shards; ++i) {
      const std::uint64_t word = memory.items.shard(i).word.load(std::memory_order_relaxed);
      report.shards_off += StockShard<>::reserved_in(word) != on_line[i];
    }
    const std::uint64_t sold_counted =
        item.counts_users.load(std::memory_order_relaxed) == 0
            ? 0
            : counts.sold - item.sold_uncounted.load(std::memory_order_relaxed);
    // counts() computes `sold` as what the available and reserved units of the shards leave of `most_taken`. If these
    // are more than `most_taken`, `sold` has wrapped around below 0, and so is greater than `most_taken`.
    const std::uint64_t most_taken = counts.total + counts.backorder;
    const bool adds_up = most_taken <= kQuantityMax && counts.sold <= most_taken &&
                         counts.reserved == reserved[number] &&
                         counted[number] == reserved_counted[number] + sold_counted;
    if (adds_up || report.item != kNoItem) continue;
    report.item = number;
    report.counts = counts;
    report.reserved_found = reserved[number];
    report.users_found = counted[number];
  }
  paused.reset();
  std::sort(pairs, pairs + pair_count,
            [](const AuditedPair& a, const AuditedPair& b) { return a.entry < b.entry; });
  for (std::uint64_t i = 0; i < pair_count;) {
    const AuditedPair& pair = pairs[i];
    std::uint64_t holds = 0;
    for (; i < pair_count && pairs[i].entry == pair.entry; ++i) holds += pairs[i].quantity;
    report.users_off += holds != pair.count;
  }
  // If the loop above has found no error in the pairs that reservations name, a difference here is in pairs that no
  // reservation names.
  report.users_off += unaccounted != held_by_users;
  return report;
}

}  // namespace sluice
