#include "addon/stock_functions.h"

#include <algorithm>
#include <string_view>

#include "addon/objects.h"
#include "addon/stock_staging.h"
#include "session/ledger_copies.h"

namespace sluice {

namespace {

// reserve(lines), with a hold of 0 for the ledger's own: the ReserveResult; the hold stands in staging. Of a repetition, what
// is left of the hold stands there, and the phase in place of the line
napi_value reserve(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<StockAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  const Staging& words = self.words();
  StockLedger& ledger = self.ledger();
  auto& lines = self.lines();
  const std::uint32_t count = staged_lines(self, arguments[0], lines);
  if (count == 0) return number(env, kBadArgument);
  const auto hold_ns = words.get<std::uint64_t>(StockStaging::kHoldNs);
  const StockRequest request{lines,
                             count,
                             StagedKey(words, StockStaging::kUser).user(ledger.secret()),
                             StagedKey(words, StockStaging::kId).key(ledger.secret()),
                             hold_ns != 0 ? hold_ns : ledger.hold_ns(),
                             StagedKey(words, StockStaging::kId).text()};
  CallTime time(self.clock());
  StockAnswer verdict = ledger.peek(request);
  if (verdict.provisional) verdict = ledger.peek_past_due(self.line(), request, time);
  const StockAnswer answer =
      verdict.result != ReserveResult::kReserved
          ? ledger.refuse(self.line(), request, verdict)
          : ledger.reserve(self.line(), request, time.now(), [](std::uint64_t) { return true; });
  words.put(StockStaging::kReservation, answer.reservation);
  words.put(StockStaging::kLine, static_cast<std::uint64_t>(answer.line));
  if (answer.result == ReserveResult::kDuplicate) {
    const Standing standing = ledger.standing(answer.reservation, time.now());
    words.put(StockStaging::kHoldNs, standing.left_ns);
    words.put(StockStaging::kLine, static_cast<std::uint64_t>(standing.phase));
  } else {
    words.put(StockStaging::kHoldNs, request.hold_ns);
  }
  return number(env, static_cast<std::int32_t>(answer.result));
}

// expire(): how many were due and have expired
napi_value expire(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  return number(env, static_cast<std::int32_t>(self.ledger().expire_due(self.line(), self.clock().now())));
}

// sweep(slots): expires what is due as far as looking at `slots` slots goes; 1 if something was left, else 0
napi_value sweep(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<StockAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  const std::uint64_t now = self.clock().now();
  self.ledger().expire_due(self.line(), now, arguments[0]);
  return number(env, self.ledger().due(now) ? 1 : 0);
}

// addItem(): 0 added, 1 the sku exists, 2 no room, 3 no room in its group, or kUnknownGroup; the sku in the first line, and
// the name of its group in place of the user, with the units, in staging
napi_value add_item(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const Staging& words = self.words();
  const StagedKey sku(words, StockStaging::kLines);
  const std::string_view group_name = StagedKey(words, StockStaging::kUser).sku();
  const std::uint32_t group = group_name.empty() ? 0 : self.ledger().groups().find(group_name);
  if (group == 0 && !group_name.empty()) return number(env, kUnknownGroup);
  const ItemSpec spec{sku.key(self.ledger().secret()),
                      sku.sku(),
                      words.get<std::uint64_t>(StockStaging::kQuantity),
                      words.get<std::uint64_t>(StockStaging::kPerUser),
                      static_cast<std::uint32_t>(words.get<std::uint64_t>(StockStaging::kShards)),
                      group,
                      words.get<std::uint64_t>(StockStaging::kBackorder)};
  if (spec.shards == 0 || spec.shards > kShardsMax || spec.quantity > kQuantityMax ||
      spec.backorder > kQuantityMax - spec.quantity) {
    return number(env, kBadArgument);
  }
  return number(env,
                static_cast<std::int32_t>(self.ledger().add_item(self.line(), spec, self.clock().now())));
}

// For the item whose sku stands in staging: `change(self, item, now)`; kUnknownSku if there is none.
template <class Change>
napi_value with_item(napi_env env, napi_callback_info info, Change&& change) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const std::uint32_t item = self.ledger().items().find(staged_sku(self));
  if (item == kNoItem) return number(env, kUnknownSku);
  return number(env, static_cast<double>(change(self, item, self.clock().now())));
}
// restock(): 1, or 0 if total and backorder would be too large
napi_value restock(napi_env env, napi_callback_info info) {
  return with_item(env, info, [](StockAttachment& self, std::uint32_t item, std::uint64_t now) {
    return self.ledger().restock(self.line(), item, self.words().get<std::uint64_t>(StockStaging::kQuantity),
                                 now)
               ? 1
               : 0;
  });
}
// withdraw(): how many units
napi_value withdraw(napi_env env, napi_callback_info info) {
  return with_item(env, info, [](StockAttachment& self, std::uint32_t item, std::uint64_t now) {
    return self.ledger().withdraw(self.line(), item, self.words().get<std::uint64_t>(StockStaging::kQuantity),
                                  now);
  });
}
// setTotal(clamp): the LevelSet
napi_value set_total(napi_env env, napi_callback_info info) {
  std::uint32_t clamp[1];
  auto& self = attachment<StockAttachment>(env, info, clamp);
  if (self.detached()) return number(env, kDisposed);
  const std::uint32_t item = self.ledger().items().find(staged_sku(self));
  if (item == kNoItem) return number(env, kUnknownSku);
  const auto total = self.words().get<std::uint64_t>(StockStaging::kQuantity);
  const LevelSet set = self.ledger().set_total(self.line(), item, total, clamp[0] != 0, self.clock().now());
  return number(env, static_cast<std::int32_t>(set));
}
napi_value close_item(napi_env env, napi_callback_info info) {
  return with_item(env, info, [](StockAttachment& self, std::uint32_t item, std::uint64_t now) {
    self.ledger().close_item(self.line(), item, now);
    return 1;
  });
}
napi_value reopen_item(napi_env env, napi_callback_info info) {
  return with_item(env, info, [](StockAttachment& self, std::uint32_t item, std::uint64_t now) {
    self.ledger().reopen_item(self.line(), item, now);
    return 1;
  });
}
// changeItem(changes, a bit each), with the new values in staging: the LevelSet of the backorder; unless it is kDone nothing
// is changed
napi_value change_item(napi_env env, napi_callback_info info) {
  std::uint32_t changes[1];
  auto& self = attachment<StockAttachment>(env, info, changes);
  if (self.detached()) return number(env, kDisposed);
  const std::uint32_t item = self.ledger().items().find(staged_sku(self));
  if (item == kNoItem) return number(env, kUnknownSku);
  LevelSet set = LevelSet::kDone;
  if ((changes[0] & kChangeBackorder) != 0) {
    const auto backorder = self.words().get<std::uint64_t>(StockStaging::kBackorder);
    set = self.ledger().set_backorder(self.line(), item, backorder, (changes[0] & kClamp) != 0);
  }
  if ((changes[0] & kChangePerUser) != 0 && set == LevelSet::kDone) {
    self.ledger().limit_users(item, self.words().get<std::uint64_t>(StockStaging::kPerUser));
  }
  return number(env, static_cast<std::int32_t>(set));
}

// configure(): the hold in staging
napi_value configure(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  self.ledger().set_hold_ns(self.words().get<std::uint64_t>(StockStaging::kHoldNs));
  return number(env, 0);
}

// addGroup(): 0 added, 1 the name exists, 2 no room; its name in place of a sku, with its limit, in staging
napi_value add_group(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const StagedKey name(self.words(), StockStaging::kLines);
  const auto per_user = self.words().get<std::uint64_t>(StockStaging::kPerUser);
  return number(env, static_cast<std::int32_t>(self.ledger().groups().add(name.sku(), per_user)));
}
// changeGroup(): 1, or 0 if there is none of this name
napi_value change_group(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  GroupTable& groups = self.ledger().groups();
  const std::uint32_t group = groups.find(StagedKey(self.words(), StockStaging::kLines).sku());
  if (group == 0) return number(env, 0);
  // Relaxed: see UserLimits.
  groups[group - 1].per_user.store(self.words().get<std::uint64_t>(StockStaging::kPerUser),
                                   std::memory_order_relaxed);
  return number(env, 1);
}

// Whether an item has a limit per user, or its group.
napi_value limits_users(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const ItemTable<>& items = self.ledger().items();
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    if (items[i].per_user.load(std::memory_order_relaxed) != 0 || items[i].group != 0) return number(env, 1);
  }
  return number(env, 0);
}

Napi::Object counts_object(napi_env env, const StockCounts& counts) {
  Napi::Object result = Napi::Object::New(env);
  put(result, "total", static_cast<double>(counts.total));
  put(result, "available", static_cast<double>(counts.available));
  put(result, "reserved", static_cast<double>(counts.reserved));
  put(result, "sold", static_cast<double>(counts.sold));
  if (counts.backorder != 0) {
    put(result, "backorder", static_cast<double>(counts.backorder));
    put(result, "backordered", static_cast<double>(counts.backordered));
  }
  return result;
}

// counts(): of the item whose sku stands in staging; undefined if there is none
napi_value counts(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const std::uint32_t item = self.ledger().items().find(staged_sku(self));
  if (item == kNoItem) return nullptr;
  return counts_object(env, self.ledger().items().counts(self.ledger().items()[item]));
}

napi_value audit_report(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const LedgerAudit report = audit(self.ledger().memory());
  Napi::Object result = Napi::Object::New(env);
  put(result, "items", static_cast<double>(self.ledger().items().size()));
  put(result, "held", static_cast<double>(report.held));
  put(result, "lines", static_cast<double>(report.lines));
  put(result, "free", static_cast<double>(report.free_slots));
  put(result, "slots", static_cast<double>(self.ledger().slots()));
  put(result, "users", static_cast<double>(report.users));
  put(result, "usersCounted", static_cast<double>(report.users_counted));
  put(result, "usersOff", static_cast<double>(report.users_off));
  put(result, "shardsOff", static_cast<double>(report.shards_off));
  put(result, "neverDue", static_cast<double>(report.never_due));
  if (report.item != kNoItem) {
    Napi::Object mismatch = counts_object(env, report.counts);
    put(mismatch, "sku", sku_of(env, self.ledger().items()[report.item]));
    put(mismatch, "reservedFound", static_cast<double>(report.reserved_found));
    put(mismatch, "usersFound", static_cast<double>(report.users_found));
    put(result, "mismatch", mismatch);
  }
  return result;
}

napi_value stats(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const ThreadSlots& lines = self.ledger().lines();
  Napi::Object result = Napi::Object::New(env);
  put(result, "reserved", static_cast<double>(lines.sum(StockLedger::kReserved)));
  put(result, "confirmed", static_cast<double>(lines.sum(StockLedger::kConfirmed)));
  put(result, "cancelled", static_cast<double>(lines.sum(StockLedger::kCancelled)));
  put(result, "expired", static_cast<double>(lines.sum(StockLedger::kExpired)));
  put(result, "extended", static_cast<double>(lines.sum(StockLedger::kExtended)));
  put(result, "parted", static_cast<double>(lines.sum(StockLedger::kParted)));
  put(result, "changed", static_cast<double>(lines.sum(StockLedger::kChanged)));
  put(result, "returned", static_cast<double>(lines.sum(StockLedger::kReturned)));
  put(result, "refused", static_cast<double>(lines.sum(StockLedger::kRefused)));
  return result;
}

// oldestMovement(): the position of the oldest that is still there
napi_value oldest_movement(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  return number(env, static_cast<double>(self.ledger().movements().oldest()));
}

// endOfMovements(): the position of the next one to come
napi_value end_of_movements(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  return number(env, static_cast<double>(self.ledger().movements().end()));
}

// readMovement(position): { kind, sku, quantity, timeMs, reservation, user? }; 0: not there yet, 1: overwritten
napi_value read_movement(napi_env env, napi_callback_info info) {
  napi_value values[1];
  auto& self = attachment<StockAttachment>(env, info, values);
  if (self.detached()) return number(env, kDisposed);
  double position = 0;
  napi_get_value_double(env, values[0], &position);
  Movement movement;
  switch (self.ledger().movements().read(static_cast<std::uint64_t>(position), movement)) {
    case MovementLog<>::Read::kNothingYet:
      return number(env, 0);
    case MovementLog<>::Read::kOverwritten:
      return number(env, 1);
    case MovementLog<>::Read::kRead:
      break;
  }
  Napi::Object result = Napi::Object::New(env);
  put(result, "kind", static_cast<double>(movement.kind));
  put(result, "sku", sku_of(env, self.ledger().items()[movement.item]));
  put(result, "quantity", static_cast<double>(movement.quantity));
  put(result, "timeMs", static_cast<double>(movement.when_ns) / 1e6);
  if (movement.reservation != 0) {
    put(result, "reservation", Napi::BigInt::New(env, movement.reservation));
  }
  set_user(env, result, movement.user);
  return result;
}

// snapshot(makeBuffer): what makeBuffer(octets) has made, filled. Node.js ends the process where native code asks it for
// more memory than there is; a JavaScript function can be refused it.
napi_value snapshot(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  auto& self = attachment<StockAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  const LedgerWords words = snapshot_of(self.ledger().memory(), self.clock().now());
  const std::size_t bytes = words.size() * sizeof words[0];
  void* data = nullptr;
  std::size_t room = 0;
  napi_value octets = nullptr, undefined = nullptr, buffer = nullptr;
  napi_create_double(env, static_cast<double>(bytes), &octets);
  napi_get_undefined(env, &undefined);
  if (napi_call_function(env, undefined, arguments[0], 1, &octets, &buffer) != napi_ok) return nullptr;
  if (napi_get_arraybuffer_info(env, buffer, &data, &room) != napi_ok || room < bytes)
    return number(env, kNoResources);
  std::memcpy(data, words.data(), bytes);
  return buffer;
}

napi_value dispose(napi_env env, napi_callback_info info) {
  attachment<StockAttachment>(env, info).detach();
  return nullptr;
}

constexpr HotFunction kStockFunctions[] = {
    {"reserve", reserve},
    {"expire", expire},
    {"sweep", sweep},
    {"addItem", add_item},
    {"restock", restock},
    {"withdraw", withdraw},
    {"setTotal", set_total},
    {"closeItem", close_item},
    {"reopenItem", reopen_item},
    {"changeItem", change_item},
    {"configure", configure},
    {"addGroup", add_group},
    {"changeGroup", change_group},
    {"limitsUsers", limits_users},
    {"counts", counts},
    {"audit", guarded<audit_report>},
    {"stats", stats},
    {"oldestMovement", oldest_movement},
    {"endOfMovements", end_of_movements},
    {"readMovement", read_movement},
    {"snapshot", guarded<snapshot>},
    {"dispose", dispose},
};

}  // namespace

std::uint32_t staged_lines(StockAttachment& stock, std::uint32_t count,
                           StockRequest::Line (&lines)[StockRequest::kLinesMax], std::uint64_t least) {
  count = std::min(count, StockRequest::kLinesMax);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t at = StockStaging::kLines + i * StockStaging::kLineBytes;
    lines[i] = {StagedKey(stock.words(), at).key(stock.ledger().secret()),
                stock.words().get<std::uint64_t>(at + StockStaging::kLineQuantity)};
    if (lines[i].quantity < least || lines[i].quantity > kQuantityMax) return 0;
  }
  return count;
}

bool StockAttachment::stage(napi_env env, napi_value buffer) {
  words_ = Staging(env, buffer);
  return words_.bytes() >= StockStaging::kBytes;
}

napi_value stock_object(napi_env env, StockAttachment* attachment) {
  return hot_object(env, attachment, {kStockFunctions, order_functions(), listing_functions()});
}

}  // namespace sluice
