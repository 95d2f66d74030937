#include "session/stock_calls.h"

#include <atomic>

namespace sluice {

template <class Resolve>
std::int32_t StockCalls::resolve_part(std::uint32_t count, Resolve&& resolve) noexcept {
  const StockSession::Lines part = lines(count);
  if (part.size() != count) return kBadArgument;
  const ResolveAnswer answer =
      resolve(Part{part.data(), count, count == 0 ? staged(StockStaging::kQuantity) : 0});
  words_.put(StockStaging::kLine, std::uint64_t{answer.line});
  return answer_of(answer.result);
}

std::int32_t StockCalls::confirm_part(std::uint32_t count, std::uint32_t hold) noexcept {
  return resolve_part(count, [&](const Part& part) {
    return session_.confirm_part(reservation(), part, hold == 0 ? Rest::kRelease : Rest::kHold);
  });
}

std::int32_t StockCalls::cancel_part(std::uint32_t count) noexcept {
  return resolve_part(count, [&](const Part& part) { return session_.cancel_part(reservation(), part); });
}

std::int32_t StockCalls::give_back(std::uint32_t count) noexcept {
  return resolve_part(count, [&](const Part& part) { return session_.give_back(reservation(), part); });
}

std::int32_t StockCalls::give_back_of() noexcept {
  return with_item([&](std::uint32_t item) {
    const std::uint64_t quantity = staged(StockStaging::kQuantity);
    if (quantity - 1 >= kQuantityMax) return kBadArgument;
    const LedgerUser user = StagedKey(words_, StockStaging::kUser).user(secret());
    return answer_of(session_.give_back_of(item, quantity, user));
  });
}

std::int32_t StockCalls::change(std::uint32_t count) noexcept {
  const StockSession::Lines part = lines(count, 0);
  const std::uint64_t quantity = staged(StockStaging::kQuantity);
  if (part.size() != count || (count == 0 && quantity - 1 >= kQuantityMax)) return kBadArgument;
  const ResolveAnswer answer =
      session_.change(reservation(), {part.data(), count, count == 0 ? quantity : 0});
  words_.put(StockStaging::kLine, std::uint64_t{answer.line});
  return answer.result == ResolveResult::kRefused ? kRefusals + static_cast<std::int32_t>(answer.refusal)
                                                  : answer_of(answer.result);
}

std::int32_t StockCalls::add_item() noexcept {
  const StagedKey sku(words_, StockStaging::kLines);
  const std::string_view group_name = StagedKey(words_, StockStaging::kUser).sku();
  const std::uint32_t group = group_name.empty() ? 0 : session_.ledger().groups().find(group_name);
  if (group == 0 && !group_name.empty()) return kUnknownGroup;
  const ItemSpec spec{sku.key(secret()),
                      sku.sku(),
                      staged(StockStaging::kQuantity),
                      staged(StockStaging::kPerUser),
                      static_cast<std::uint32_t>(staged(StockStaging::kShards)),
                      group,
                      staged(StockStaging::kBackorder),
                      session_.ledger().sell_for(staged(StockStaging::kSellNs))};
  if (!StockSession::sound(spec)) return kBadArgument;
  return static_cast<std::int32_t>(session_.add_item(spec));
}

template <class Act>
std::int32_t StockCalls::with_item(Act&& act) noexcept {
  const std::uint32_t found = item();
  return found == kNoItem ? kUnknownSku : act(found);
}

std::int32_t StockCalls::restock() noexcept {
  return with_item(
      [&](std::uint32_t item) { return session_.restock(item, staged(StockStaging::kQuantity)) ? 1 : 0; });
}

double StockCalls::withdraw() noexcept {
  const std::uint32_t found = item();
  if (found == kNoItem) return kUnknownSku;
  return static_cast<double>(session_.withdraw(found, staged(StockStaging::kQuantity)));
}

std::int32_t StockCalls::close_item() noexcept {
  return with_item([&](std::uint32_t item) {
    session_.close_item(item);
    return 1;
  });
}

std::int32_t StockCalls::reopen_item() noexcept {
  return with_item([&](std::uint32_t item) {
    session_.reopen_item(item);
    return 1;
  });
}

std::int32_t StockCalls::set_total(std::uint32_t clamp) noexcept {
  return with_item([&](std::uint32_t item) {
    const std::uint64_t total = staged(StockStaging::kQuantity);
    return static_cast<std::int32_t>(session_.set_total(item, total, clamp != 0));
  });
}

std::int32_t StockCalls::change_item(std::uint32_t changes) noexcept {
  return with_item([&](std::uint32_t item) {
    LevelSet set = LevelSet::kDone;
    if ((changes & kChangeBackorder) != 0) {
      const std::uint64_t backorder = staged(StockStaging::kBackorder);
      set = session_.set_backorder(item, backorder, (changes & kClamp) != 0);
    }
    if ((changes & kChangePerUser) != 0 && set == LevelSet::kDone) {
      session_.ledger().limit_users(item, staged(StockStaging::kPerUser));
    }
    if ((changes & kChangeSellFor) != 0 && set == LevelSet::kDone) {
      session_.sell_until(item, session_.ledger().sell_for(staged(StockStaging::kSellNs)));
    }
    return static_cast<std::int32_t>(set);
  });
}

std::int32_t StockCalls::sell_until() noexcept {
  return with_item([&](std::uint32_t item) {
    session_.sell_until(item, staged(StockStaging::kSellNs));
    return 1;
  });
}

std::int32_t StockCalls::configure() noexcept {
  session_.ledger().set_hold_ns(staged(StockStaging::kHoldNs));
  return 0;
}

std::int32_t StockCalls::add_group() noexcept {
  const StagedKey name(words_, StockStaging::kLines);
  return static_cast<std::int32_t>(
      session_.ledger().groups().add(name.sku(), staged(StockStaging::kPerUser)));
}

std::int32_t StockCalls::change_group() noexcept {
  GroupTable& groups = session_.ledger().groups();
  const std::uint32_t group = groups.find(StagedKey(words_, StockStaging::kLines).sku());
  if (group == 0) return 0;
  // Relaxed: see UserLimits.
  groups[group - 1].per_user.store(staged(StockStaging::kPerUser), std::memory_order_relaxed);
  return 1;
}

std::int32_t StockCalls::limits_users() noexcept {
  const ItemTable<>& items = session_.ledger().items();
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    if (items[i].per_user.load(std::memory_order_relaxed) != 0 || items[i].group != 0) return 1;
  }
  return 0;
}

}  // namespace sluice
