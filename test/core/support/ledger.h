// A stock ledger in memory of its own, for its tests.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "core/stock/stock_ledger.h"
#include "platform/ledger_copies.h"
#include "zeroed_memory.h"

namespace sluice::test {

inline constexpr KeySecret kSecret{{11, 22}};
inline constexpr std::uint64_t kHold = 1'000;

inline Key sku(std::uint64_t number) { return number_key(number); }

struct TestLedger {
  explicit TestLedger(const LedgerShape& shape, Sweeping sweeping = Sweeping::kAsked)
      : shape(shape), memory(StockLedger::bytes(shape)), ledger(memory, shape, Clock(&boot)) {
    ledger.format(shape, kHold, kSecret, sweeping);
    thread = ledger.thread_slots().acquire();
  }

  ItemTable<>::Added add(std::uint64_t number, std::uint64_t quantity, std::uint64_t per_user = 0,
                         std::uint32_t shards = 1, std::uint32_t group = 0, std::uint64_t backorder = 0) {
    return ledger.add_item(*thread, {sku(number), {}, quantity, per_user, shards, group, backorder}, now);
  }
  StockAnswer reserve(std::vector<StockRequest::Line> lines, std::uint64_t user = 0, std::uint64_t id = 0,
                      std::uint64_t hold = kHold) {
    return reserve_and(std::move(lines), user, id, hold, [](std::uint64_t) { return true; });
  }
  template <class Publish>
  StockAnswer reserve_and(std::vector<StockRequest::Line> lines, std::uint64_t user, std::uint64_t id,
                          std::uint64_t hold, Publish&& publish) {
    const StockRequest request{lines.data(), static_cast<std::uint32_t>(lines.size()),
                               user == 0 ? LedgerUser{} : LedgerUser::number(user),
                               id == 0 ? Key{} : number_key(id), hold};
    return ledger.reserve(*thread, request, now, publish);
  }
  StockAnswer reserve(std::uint64_t number, std::uint64_t quantity, std::uint64_t user = 0,
                      std::uint64_t id = 0, std::uint64_t hold = kHold) {
    return reserve({{sku(number), quantity}}, user, id, hold);
  }
  // Asks as StockSession::reserve() does: peek() first; holds whose time is over expire if they may be the reason for a
  // refusal.
  StockAnswer ask(std::vector<StockRequest::Line> lines, std::uint64_t user = 0, std::uint64_t id = 0) {
    const StockRequest request{lines.data(), static_cast<std::uint32_t>(lines.size()),
                               user == 0 ? LedgerUser{} : LedgerUser::number(user),
                               id == 0 ? Key{} : number_key(id), kHold};
    const ManualClock manual(now);
    const Clock clock(&manual);
    CallTime time(clock);
    StockAnswer verdict = ledger.peek(request);
    if (verdict.provisional) verdict = ledger.peek_past_due(*thread, request, time);
    if (verdict.result != ReserveResult::kReserved) return ledger.refuse(*thread, request, verdict);
    return ledger.reserve(*thread, request, now, [](std::uint64_t) { return true; });
  }
  StockAnswer ask(std::uint64_t number, std::uint64_t quantity, std::uint64_t user = 0,
                  std::uint64_t id = 0) {
    return ask({{sku(number), quantity}}, user, id);
  }
  StockAnswer peek(std::uint64_t number, std::uint64_t quantity, std::uint64_t user = 0) {
    const StockRequest::Line one{sku(number), quantity};
    return ledger.peek({&one, 1, user == 0 ? LedgerUser{} : LedgerUser::number(user), Key{}, kHold});
  }

  // Becomes the same ledger as another one of its shape, through a snapshot.
  bool restores(TestLedger& other) {
    const std::vector<std::uint64_t> words = snapshot_of(other.ledger.memory(), other.now);
    std::memset(memory, 0, StockLedger::bytes(shape));
    now = other.now;
    const SnapshotError error = read_snapshot(ledger.memory(), shape, words, now, Sweeping::kAsked);
    thread = ledger.thread_slots().acquire();
    return error == SnapshotError::kNone;
  }

  ResolveResult confirm(std::uint64_t id) { return ledger.confirm(*thread, id, now); }
  ResolveResult confirm(std::uint64_t id, std::uint64_t quantity, Rest rest = Rest::kRelease) {
    return ledger.confirm_part(*thread, id, now, {nullptr, 0, quantity}, rest).result;
  }
  ResolveAnswer confirm(std::uint64_t id, const std::vector<StockRequest::Line>& lines, Rest rest) {
    return ledger.confirm_part(*thread, id, now, part_of(lines), rest);
  }
  ResolveResult cancel(std::uint64_t id, std::uint64_t quantity) {
    return ledger.cancel_part(*thread, id, now, {nullptr, 0, quantity}).result;
  }
  ResolveAnswer cancel(std::uint64_t id, const std::vector<StockRequest::Line>& lines) {
    return ledger.cancel_part(*thread, id, now, part_of(lines));
  }
  ResolveAnswer change(std::uint64_t id, const std::vector<StockRequest::Line>& lines) {
    return ledger.change(*thread, id, now, part_of(lines));
  }
  ResolveAnswer change(std::uint64_t id, std::uint64_t quantity) {
    return ledger.change(*thread, id, now, {nullptr, 0, quantity});
  }
  ResolveResult give_back(std::uint64_t id, std::uint64_t quantity = 0) {
    return ledger.give_back(*thread, id, now, {nullptr, 0, quantity}).result;
  }
  ResolveAnswer give_back(std::uint64_t id, const std::vector<StockRequest::Line>& lines) {
    return ledger.give_back(*thread, id, now, part_of(lines));
  }
  ResolveResult give_back_of(std::uint64_t user, std::uint64_t number, std::uint64_t quantity) {
    const LedgerUser who = user == 0 ? LedgerUser{} : LedgerUser::number(user);
    return ledger.give_back(*thread, item(number), quantity, who, now);
  }
  static Part part_of(const std::vector<StockRequest::Line>& lines) {
    return {lines.data(), static_cast<std::uint32_t>(lines.size()), 0};
  }
  ResolveResult cancel(std::uint64_t id) { return ledger.cancel(*thread, id, now); }
  std::uint32_t expire() { return ledger.expire_due(*thread, now); }

  void sell_for(std::uint64_t number, std::uint64_t ns) {
    ledger.sell_until(item(number), ledger.sell_for(ns));
  }
  std::uint32_t item(std::uint64_t number) { return ledger.items().find(sku(number)); }
  StockCounts counts(std::uint64_t number) { return ledger.items().counts(ledger.items()[item(number)]); }
  bool holds(std::uint64_t number, std::uint64_t available, std::uint64_t reserved, std::uint64_t sold) {
    const StockCounts found = counts(number);
    return found.available == available && found.reserved == reserved && found.sold == sold &&
           found.total == available + reserved + sold;
  }
  bool audited() { return audit(ledger.memory()).adds_up(ledger.slots()); }
  std::uint64_t sum(StockLedger::Counter counter) { return ledger.thread_slots().sum(counter); }

  LedgerShape shape;
  ZeroedMemory memory;
  ManualClock boot{kHold};  // only for the times until which items are sold
  StockLedger ledger;
  ThreadSlot* thread = nullptr;
  std::uint64_t now = 1'000'000;
};

}  // namespace sluice::test
