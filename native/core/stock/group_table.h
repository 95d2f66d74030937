// Groups of items that share a limit per user: how many units of all items of the group together one user can hold or
// have bought.
//
// A group has no counts of its own. A thread that reserves units of a group's item adds up the user's counts of all the
// group's items, which are in the user table. Meanwhile, and until it has added its units to one of these counts, it
// holds a lock, which the hash of the user's key chooses. So no other thread adds units of the group for this user in
// that time.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "core/base/atomics.h"
#include "core/base/layout.h"
#include "core/base/spin_lock.h"
#include "core/stock/item_table.h"
#include "core/stock/ledger_key.h"

namespace sluice {

class GroupTable {
 public:
  static constexpr std::uint32_t kGroupsMax = 64, kMembersMax = 64, kLocks = 64;

  struct alignas(kCacheLine) Group {
    // `name` and `name_length` are written before the group can be found, then never again.
    char name[kSkuTextMax];
    std::uint32_t name_length;
    std::atomic<std::uint32_t> members;
    std::atomic<std::uint64_t> per_user;
    std::uint32_t items[kMembersMax];  // the numbers of the members; join() adds one

    std::string_view name_text() const noexcept { return {name, name_length}; }
  };
  struct Control {
    alignas(kCacheLine) std::atomic<std::uint32_t> groups;
    SpinLock<> lock;  // held by a thread that adds a group
  };
  struct alignas(kCacheLine) UserLock {
    SpinLock<> lock;
  };
  enum class Added : std::uint8_t { kAdded, kExists, kFull };

  static constexpr Layout layout() { return layout_of<Control, UserLock, Group>(1, kLocks, kGroupsMax); }

  explicit GroupTable(void* memory)
      : control_(static_cast<Control*>(memory)),
        locks_(reinterpret_cast<UserLock*>(control_ + 1)),
        groups_(reinterpret_cast<Group*>(locks_ + kLocks)) {}

  Added add(std::string_view name, std::uint64_t per_user) noexcept {
    control_->lock.lock();
    const Added added = add_locked(name, per_user);
    control_->lock.unlock();
    return added;
  }

  // Returns 1 + the number of the group with this name; 0: there is none.
  std::uint32_t find(std::string_view name) const noexcept {
    for (std::uint32_t number = size(); number != 0; --number) {
      if (groups_[number - 1].name_text() == name) return number;
    }
    return 0;
  }

  // Makes an item, which no thread can find yet, a member of the group. Returns false if the group is full. Only one
  // thread at a time calls this.
  bool join(Group& group, std::uint32_t item) noexcept {
    const std::uint32_t members = group.members.load(std::memory_order_relaxed);
    if (members == kMembersMax) return false;
    group.items[members] = item;
    // REL members: pairs with ACQ in sum().
    group.members.store(members + 1, std::memory_order_release);
    return true;
  }

  // Returns the sum of `count(item)` over the group's items.
  template <class Count>
  static std::uint64_t sum(const Group& group, Count&& count) noexcept {
    std::uint64_t sum = 0;
    // ACQ members: pairs with REL in join(). A thread that has found an item in the item table finds it among the
    // members.
    const std::uint32_t members = group.members.load(std::memory_order_acquire);
    for (std::uint32_t i = 0; i < members; ++i) sum += count(group.items[i]);
    return sum;
  }

  // The lock under which threads add for a user with this hash.
  SpinLock<>& lock_of(std::uint64_t hash) const noexcept { return locks_[hash % kLocks].lock; }

  Group& operator[](std::uint32_t number) const noexcept { return groups_[number]; }
  // ACQ groups: pairs with REL in add_locked().
  std::uint32_t size() const noexcept { return control_->groups.load(std::memory_order_acquire); }

 private:
  Added add_locked(std::string_view name, std::uint64_t per_user) noexcept {
    if (find(name) != 0) return Added::kExists;
    const std::uint32_t number = control_->groups.load(std::memory_order_relaxed);
    if (number == kGroupsMax) return Added::kFull;
    Group& group = groups_[number];
    name.copy(group.name, sizeof group.name);
    group.name_length = static_cast<std::uint32_t>(name.size());
    group.per_user.store(per_user, std::memory_order_relaxed);
    // REL groups: pairs with ACQ in size().
    control_->groups.store(number + 1, std::memory_order_release);
    return Added::kAdded;
  }

  Control* control_;
  UserLock* locks_;
  Group* groups_;
};

}  // namespace sluice
