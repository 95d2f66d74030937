// What a JavaScript object can do with a reservation of the ledger that it is attached to.
#include <napi.h>

#include <cstdint>

#include "addon/stock_functions.h"
#include "addon/stock_staging.h"

namespace sluice {

namespace {

// confirm(); cancel(); extend(), with the hold: the ResolveResult
template <class Resolve>
napi_value resolve(napi_env env, napi_callback_info info, Resolve&& resolve) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const std::uint64_t now = self.clock().now();
  return number(env, static_cast<std::int32_t>(
                         resolve(self, self.words().get<std::uint64_t>(StockStaging::kReservation), now)));
}
napi_value confirm(napi_env env, napi_callback_info info) {
  return resolve(env, info, [](StockAttachment& self, std::uint64_t id, std::uint64_t now) {
    return self.ledger().confirm(self.line(), id, now);
  });
}
napi_value cancel(napi_env env, napi_callback_info info) {
  return resolve(env, info, [](StockAttachment& self, std::uint64_t id, std::uint64_t now) {
    return self.ledger().cancel(self.line(), id, now);
  });
}
napi_value extend(napi_env env, napi_callback_info info) {
  return resolve(env, info, [](StockAttachment& self, std::uint64_t id, std::uint64_t now) {
    return self.ledger().extend(self.line(), id, now,
                                now + self.words().get<std::uint64_t>(StockStaging::kHoldNs));
  });
}

// With a part of the reservation in staging: as many lines as the first argument says; without any, the quantity, or all.
// The ResolveResult; which line it is about stands in staging.
template <class Resolve>
napi_value resolve_part(napi_env env, napi_callback_info info, Resolve&& resolve) {
  std::uint32_t arguments[2];
  auto& self = attachment<StockAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  auto& lines = self.lines();
  const std::uint32_t count = staged_lines(self, arguments[0], lines);
  if (count != arguments[0]) return number(env, kBadArgument);
  const Part part{lines, count, count == 0 ? self.words().get<std::uint64_t>(StockStaging::kQuantity) : 0};
  const ResolveAnswer answer = resolve(self, self.words().get<std::uint64_t>(StockStaging::kReservation),
                                       self.clock().now(), part, arguments[1]);
  self.words().put(StockStaging::kLine, static_cast<std::uint64_t>(answer.line));
  return number(env, static_cast<std::int32_t>(answer.result));
}
// confirmPart(lines, 1: what is left stays held)
napi_value confirm_part(napi_env env, napi_callback_info info) {
  return resolve_part(
      env, info,
      [](StockAttachment& self, std::uint64_t id, std::uint64_t now, const Part& part, std::uint32_t hold) {
        return self.ledger().confirm_part(self.line(), id, now, part,
                                          hold == 0 ? Rest::kRelease : Rest::kHold);
      });
}
// cancelPart(lines)
napi_value cancel_part(napi_env env, napi_callback_info info) {
  return resolve_part(env, info,
                      [](StockAttachment& self, std::uint64_t id, std::uint64_t now, const Part& part,
                         std::uint32_t) { return self.ledger().cancel_part(self.line(), id, now, part); });
}
// giveBack(lines)
napi_value give_back(napi_env env, napi_callback_info info) {
  return resolve_part(env, info,
                      [](StockAttachment& self, std::uint64_t id, std::uint64_t now, const Part& part,
                         std::uint32_t) { return self.ledger().give_back(self.line(), id, now, part); });
}
// giveBackOf(): of the item whose sku, and of the user whose key stand in staging, with the quantity; kUnknownSku if there
// is no such item
napi_value give_back_of(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const std::uint32_t item = self.ledger().items().find(staged_sku(self));
  if (item == kNoItem) return number(env, kUnknownSku);
  if (self.words().get<std::uint64_t>(StockStaging::kQuantity) - 1 >= kQuantityMax)
    return number(env, kBadArgument);
  const LedgerUser user = StagedKey(self.words(), StockStaging::kUser).user(self.ledger().secret());
  return number(env, static_cast<std::int32_t>(self.ledger().give_back(
                         self.line(), item, self.words().get<std::uint64_t>(StockStaging::kQuantity), user,
                         self.clock().now())));
}

// change(lines): to the quantities of so many lines in staging, or, without any, to the quantity of its only item. The
// ResolveResult, or kRefusals + the ReserveResult; which line it is about stands in staging
napi_value change(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<StockAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  auto& lines = self.lines();
  const std::uint32_t count = staged_lines(self, arguments[0], lines, 0);
  const auto quantity = self.words().get<std::uint64_t>(StockStaging::kQuantity);
  if (count != arguments[0] || (count == 0 && quantity - 1 >= kQuantityMax)) return number(env, kBadArgument);
  const auto id = self.words().get<std::uint64_t>(StockStaging::kReservation);
  const ResolveAnswer answer =
      self.ledger().change(self.line(), id, self.clock().now(), {lines, count, count == 0 ? quantity : 0});
  self.words().put(StockStaging::kLine, static_cast<std::uint64_t>(answer.line));
  return number(env, answer.result == ResolveResult::kRefused
                         ? kRefusals + static_cast<std::int32_t>(answer.refusal)
                         : static_cast<std::int32_t>(answer.result));
}

constexpr HotFunction kOrderFunctions[] = {
    {"confirm", confirm},          {"cancel", cancel},          {"extend", extend},
    {"confirmPart", confirm_part}, {"cancelPart", cancel_part}, {"giveBack", give_back},
    {"giveBackOf", give_back_of},  {"change", change},
};

}  // namespace

std::span<const HotFunction> order_functions() { return kOrderFunctions; }

}  // namespace sluice
