// The limits per user that an item has: its own, and that of its group.
#pragma once

#include <cstdint>

#include "core/stock/ledger_memory.h"
#include "core/stock/stock_request.h"

namespace sluice {

// Called only for items that count users (see Item::counts_users). Relaxed: a reservation is checked against the limits
// as they are when this thread reads them.
class UserLimits {
 public:
  // Returns the refusal that count() would give now (but not kUsersFull), or kReserved. Writes nothing.
  SLUICE_APART static ReserveResult peek(const LedgerMemory& memory, const Item<>& item, std::uint32_t number,
                                         const StockRequest& request, std::uint64_t quantity) noexcept {
    const std::uint64_t own = item.per_user.load(std::memory_order_relaxed);
    if (own == 0 && item.group == 0) return ReserveResult::kReserved;
    if (!request.has_user()) return ReserveResult::kNeedsUser;
    const HashedKey user = request.hashed_user(memory.control->secret);
    const bool exceeded = (own != 0 && memory.users.count(user, number) + quantity > own) ||
                          (item.group != 0 && group_exceeded(memory, item.group, user, quantity));
    return exceeded ? ReserveResult::kUserLimit : ReserveResult::kReserved;
  }

  // Counts `quantity` more units for the user, if there is a limit now, and sets `entry` to the entry of this user
  // and this item in the user table. Or returns a refusal, and changes nothing.
  SLUICE_APART static ReserveResult count(LedgerMemory& memory, const Item<>& item, std::uint32_t number,
                                          const StockRequest& request, std::uint64_t quantity,
                                          std::uint32_t& entry) noexcept {
    const std::uint64_t own = item.per_user.load(std::memory_order_relaxed);
    if (own == 0 && item.group == 0) return ReserveResult::kReserved;
    if (!request.has_user()) return ReserveResult::kNeedsUser;
    const HashedKey user = request.hashed_user(memory.control->secret);
    const UserTable<>::Added added = item.group == 0
                                         ? memory.users.add(user, number, quantity, own)
                                         : count_in_group(memory, item.group, number, user, quantity, own);
    if (added.result == UserTable<>::Add::kLimit) return ReserveResult::kUserLimit;
    if (added.result == UserTable<>::Add::kFull) return ReserveResult::kUsersFull;
    entry = added.entry;
    return ReserveResult::kReserved;
  }

 private:
  using Added = UserTable<>::Added;

  SLUICE_APART static Added count_in_group(LedgerMemory& memory, std::uint32_t group, std::uint32_t number,
                                           const HashedKey& user, std::uint64_t quantity,
                                           std::uint64_t own) noexcept {
    SpinLock<>& lock = memory.groups.lock_of(user.hash);
    lock.lock();
    const Added added = group_exceeded(memory, group, user, quantity)
                            ? Added{UserTable<>::Add::kLimit, kNoUser}
                            : memory.users.add(user, number, quantity, own == 0 ? kQuantityMax : own);
    lock.unlock();
    return added;
  }

  SLUICE_APART static bool group_exceeded(const LedgerMemory& memory, std::uint32_t group,
                                          const HashedKey& user, std::uint64_t quantity) noexcept {
    const GroupTable::Group& limited = memory.groups[group - 1];
    const std::uint64_t has =
        GroupTable::sum(limited, [&](std::uint32_t item) { return memory.users.count(user, item); });
    return has + quantity > limited.per_user.load(std::memory_order_relaxed);
  }
};

}  // namespace sluice
