// Under Relacy: those tables of the stock ledger that have a protocol of their own (items, counts of users, free slots,
// movements). Usage and exit codes as in queue_model.cc.
#include <memory>

#include "core/base/free_list.h"
#include "core/stock/item_table.h"
#include "core/stock/movement_log.h"
#include "core/stock/user_table.h"
#include "explore.h"

namespace sluice::model {

// Sets the words to zero, as they are in the memory of a new segment.
template <class... Atomics>
void zero(Atomics&... atomics) {
  (atomics.store(0, std::memory_order_relaxed), ...);
}

// The memory of a model's table. All executions use the same memory.
template <class Model>
alignas(kCacheLine) std::byte memory[1 << 16];

// A table for one item of `kShards` shards, in memory that is zeroed as that of a new segment is.
template <std::uint32_t kShards>
class ItemModel {
 public:
  using Table = ItemTable<RelacyAtomics>;

  ItemModel() : items(storage(), kShards, secret) {
    zero((new (control()) typename Table::Control)->items);
    control()->shards = 0;
    for (std::uint32_t i = 0; i < kShards; ++i) {
      auto* item = new (&items[i]) typename Table::Item;
      zero(item->per_user, item->counts_users, item->closed, item->change, item->total, item->sold_uncounted,
           item->backorder);
      auto* shard = new (&items.shard(i)) typename Table::StockShard;
      zero(shard->word, shard->returns_begun, shard->returns_ended);
      shard->sharded = 0;
    }
    for (std::uint64_t i = 0; i < kIndex; ++i) zero(*new (index() + i) typename Table::AtomicU32);
  }
  ~ItemModel() {
    std::destroy_at(control());
    std::destroy_n(&items[0], kShards);
    std::destroy_n(&items.shard(0), kShards);
    std::destroy_n(index(), kIndex);
  }

  typename Table::Added add(std::uint64_t quantity, std::uint64_t backorder = 0) {
    return items.add({number_key(7), {}, quantity, 0, kShards, 0, backorder});
  }
  typename Table::Item& item() { return items[0]; }

  Table items;

 private:
  static constexpr KeySecret secret{{1, 2}};
  static constexpr std::uint64_t kIndex = Table::index_size(kShards);

  static void* storage() { return memory<ItemModel>; }
  static typename Table::Control* control() { return static_cast<typename Table::Control*>(storage()); }
  typename Table::AtomicU32* index() {
    return reinterpret_cast<typename Table::AtomicU32*>(&items.shard(kShards));
  }
};

// While one thread adds an item, the others find it with all of its units, or do not find it.
struct AddItem : rl::test_suite<AddItem, 3> {
  ItemModel<1> model;

  void thread(unsigned index) {
    if (index == 0) {
      require(model.add(5) == ItemModel<1>::Table::Added::kAdded, "there is room");
    } else if (index == 1 ? model.items.find(number_key(7)) != kNoItem : model.items.size() == 1) {
      const StockCounts counts = model.items.counts(model.item());
      require(counts.total == 5 && counts.available == 5, "an item is found with its units");
    }
  }
};

// While one thread changes the total, the counts that another reads show no sold units, and the whole total as
// available.
struct ChangeTotal : rl::test_suite<ChangeTotal, 2> {
  ItemModel<2> model;

  void before() { model.add(4); }
  void thread(unsigned index) {
    if (index == 0) {
      model.items.restock(model.item(), 3);
      model.items.withdraw(model.item(), 2);
      return;
    }
    for (int i = 0; i < 2; ++i) {
      const StockCounts counts = model.items.counts(model.item());
      require(counts.sold == 0 && counts.available == counts.total, "nothing was sold");
    }
  }
};

// While one thread changes the backorder cap, the counts of units that another reads do not change.
struct ChangeBackorder : rl::test_suite<ChangeBackorder, 2> {
  ItemModel<2> model;

  void before() { model.add(2); }
  void thread(unsigned index) {
    if (index == 0) {
      require(model.items.set_backorder(model.item(), 3, false) == LevelSet::kDone, "the cap can be set");
      require(model.items.set_backorder(model.item(), 1, true) == LevelSet::kDone, "the cap can be set");
      return;
    }
    for (int i = 0; i < 2; ++i) {
      const StockCounts counts = model.items.counts(model.item());
      require(counts.available == 2 && counts.sold == 0 && counts.backordered == 0, "nothing was sold");
    }
  }
};

enum class Move { kReserve, kTakeAway, kGather };

// One thread puts a unit back into one shard before it takes one from the other, or takes one and puts it back as a
// failed gathering does. The other thread never finds the item sold out.
template <Move kMove, std::uint32_t kTo>
struct NeverSoldOut : rl::test_suite<NeverSoldOut<kMove, kTo>, 2> {
  ItemModel<2> model;

  void before() {
    model.add(2);
    model.items.shard(kTo).reserve(1);
  }
  void thread(unsigned index) {
    auto& to = model.items.shard(kTo);
    auto& from = model.items.shard(1 - kTo);
    if (index == 1) {
      require(model.items.look(model.item(), 1) != ItemModel<2>::Table::Look::kSoldOut,
              "an item is found sold out only if it was sold out at some instant");
    } else if (kMove == Move::kGather) {
      // Does what a gathering does that finds too few units.
      const typename ItemModel<2>::Table::StockShard::Return may_come_back(model.items.shard(0));
      require(from.reserve(1), "no other thread takes units");
      from.put_back(1);
    } else {
      to.put_back(1);
      if (kMove == Move::kReserve) {
        require(from.reserve(1), "no other thread takes units");
      } else {
        require(from.take_away(1) == 1, "no other thread takes units");
      }
    }
  }
};

// A withdrawal takes units to find out that none is above the cap, and puts them back. Meanwhile, another thread does
// not find the item sold out, because its units can still be backordered.
struct WithdrawUnderCap : rl::test_suite<WithdrawUnderCap, 2> {
  ItemModel<2> model;

  void before() { model.add(0, 2); }
  void thread(unsigned index) {
    if (index == 0) {
      require(model.items.withdraw(model.item(), 1) == 0, "nothing is withdrawn of what can be backordered");
    } else {
      require(model.items.look(model.item(), 1) != ItemModel<2>::Table::Look::kSoldOut,
              "an item is found sold out only if it was sold out at some instant");
    }
  }
  void after() {
    const StockCounts counts = model.items.counts(model.item());
    require(counts.total == 0 && counts.available == 0 && counts.backordered == 0,
            "the counts are as before");
  }
};

// A user table of one bucket.
class UserModel {
 public:
  using Table = UserTable<RelacyAtomics>;

  UserModel() : users(storage(), 2) {
    zero((new (control()) Table::Control)->used);
    new (bucket()) Table::Bucket;
    zero(bucket()->reach);
    for (auto& entry : bucket()->entries) zero(entry.low, entry.high, entry.held);
  }
  ~UserModel() {
    std::destroy_at(control());
    std::destroy_at(bucket());
  }
  Table::Added add(std::uint64_t user, std::uint64_t quantity, std::uint64_t limit) {
    return users.add(hashed(user), 0, quantity, limit);
  }
  std::uint64_t count(std::uint64_t user) { return users.count(hashed(user), 0); }
  // The key of user 2 differs from that of user 1 in one half, the key of user 3 in the other half.
  static HashedKey hashed(std::uint64_t user) { return {user == 3 ? Key{1, 2} : number_key(user), 0}; }

  Table users;

 private:
  static void* storage() { return memory<UserModel>; }
  static Table::Control* control() { return static_cast<Table::Control*>(storage()); }
  static Table::Bucket* bucket() { return reinterpret_cast<Table::Bucket*>(control() + 1); }
};

// Two threads add a unit each for the same user, whose limit allows one unit.
struct SameUser : rl::test_suite<SameUser, 2> {
  UserModel model;
  Atomic<std::uint32_t> added{0};

  void thread(unsigned) {
    const auto mine = model.add(1, 1, 1);
    if (mine.result == UserModel::Table::Add::kAdded) added.fetch_add(1, std::memory_order_relaxed);
  }
  void after() {
    require(added.load(std::memory_order_relaxed) == 1, "a double click passes once");
    require(model.users.used() == 1 && model.count(1) == 1, "the double click is counted once");
  }
};

// One user gives its units back, and another gets its entry. A thread that looks for either never finds the other's
// count.
template <std::uint64_t kSecond>
struct OneAfterTheOther : rl::test_suite<OneAfterTheOther<kSecond>, 2> {
  UserModel model;

  void thread(unsigned index) {
    if (index == 0) {
      model.users.put_back(model.add(1, 3, 3).entry, 3);
      model.add(kSecond, 1, 1);
      return;
    }
    for (std::uint64_t user : {kSecond, std::uint64_t{1}}) {
      const std::uint64_t count = model.count(user);
      require(count == 0 || count == (user == 1 ? 3u : 1u), "no user is taken for another");
    }
  }
};

// Users come and go in the same entries: odd ones with 3 units, even ones with 1. Each finds its own entry, and a
// thread that reads a user's count does not find another user's.
struct UsersComeAndGo : rl::test_suite<UsersComeAndGo, 3> {
  UserModel model;

  static std::uint64_t units(std::uint64_t user) { return user % 2 == 1 ? 3 : 1; }
  void thread(unsigned index) {
    if (index == 2) {
      for (std::uint64_t user : {2, 1}) {
        const std::uint64_t count = model.count(user);
        require(count % units(user) == 0 && count <= 2 * units(user), "no user is taken for another");
      }
      return;
    }
    for (std::uint64_t i = 0; i < 2; ++i) {
      const std::uint64_t user = 1 + (index + i) % 2;
      const auto mine = model.add(user, units(user), 2 * units(user));
      if (mine.result != UserModel::Table::Add::kAdded) continue;
      require(model.users.entry_of(UserModel::hashed(user), 0) == mine.entry, "the user finds its own entry");
      model.users.put_back(mine.entry, units(user));
    }
  }
  void after() {
    require(model.users.used() == 0, "no entry is in use");
    for (std::uint32_t entry = 0; entry < model.users.size(); ++entry) {
      require(model.users.count_of(entry) == 0, "no entry counts a unit");
    }
  }
};

// Threads take slots and put them back. Each slot has one owner at a time, which sees what the owner before it wrote.
template <std::uint32_t kSlots>
struct TakeAndPut : rl::test_suite<TakeAndPut<kSlots>, 2> {
  using List = FreeList<RelacyAtomics>;

  TakeAndPut() : list(memory<TakeAndPut>, kSlots) {
    zero((new (control()) typename List::Control)->taken, control()->put);
    for (std::uint32_t i = 0; i < List::cells(kSlots); ++i) zero(*new (cells() + i) typename List::Cell);
    list.format(kSlots);
    for (auto& use : uses) use(info(Site::current())) = 0;
  }
  ~TakeAndPut() {
    std::destroy_n(cells(), List::cells(kSlots));
    std::destroy_at(control());
  }

  void thread(unsigned) {
    for (int i = 0; i < 3; ++i) {
      const std::uint32_t slot = list.take();
      if (slot == kNoSlot) continue;
      require(slot < kSlots, "the list has this slot");
      uses[slot](info(Site::current())) = uses[slot](info(Site::current())) + 1;
      list.put(slot);
    }
  }
  void after() {
    require(list.size() == kSlots, "all slots are free again");
    std::uint32_t seen = 0;
    list.for_each([&](std::uint32_t slot) { seen |= 1U << slot; });
    require(seen == (1U << kSlots) - 1, "each slot is free once");
  }

  static typename List::Control* control() {
    return reinterpret_cast<typename List::Control*>(memory<TakeAndPut>);
  }
  static typename List::Cell* cells() { return reinterpret_cast<typename List::Cell*>(control() + 1); }

  List list;
  PlainWord uses[kSlots];
};

// Writers overwrite the only entry of a log while a reader reads it.
struct ReadMovements : rl::test_suite<ReadMovements, 3> {
  using Log = MovementLog<RelacyAtomics>;

  ReadMovements() : log(memory<ReadMovements>, 1) {
    zero((new (control()) Log::Control)->head);
    new (entry()) Log::Entry;
    zero(entry()->stamp);
    for (auto& word : entry()->words) zero(word);
  }
  ~ReadMovements() {
    std::destroy_at(control());
    std::destroy_at(entry());
  }

  void thread(unsigned index) {
    if (index < 2) {
      const std::uint64_t number = index + 1;
      log.append({MovementKind::kReserved, 0, number, number, number, LedgerUser::number(number)});
      return;
    }
    Movement movement;
    for (std::uint64_t position = 0; position < 2;) {
      const Log::Read answer = log.read(position, movement);
      if (answer == Log::Read::kNothingYet) return;
      if (answer == Log::Read::kOverwritten) {
        require(log.oldest() > position, "a reader that missed movements learns how many");
        position = log.oldest();
        continue;
      }
      const std::uint64_t number = movement.quantity;
      require(number != 0 && movement.when_ns == number && movement.reservation == number &&
                  movement.user.key.low == number,
              "a movement is read whole");
      ++position;
    }
  }
  void after() {
    Movement movement;
    require(log.read(0, movement) == Log::Read::kOverwritten && log.read(1, movement) == Log::Read::kRead,
            "the newest is there");
  }

  static Log::Control* control() { return reinterpret_cast<Log::Control*>(memory<ReadMovements>); }
  static Log::Entry* entry() { return reinterpret_cast<Log::Entry*>(control() + 1); }

  Log log;
};

}  // namespace sluice::model

int main(int count, char** arguments) {
  using namespace sluice::model;
  const unsigned long executions = executions_wanted(count, arguments);
  explore<AddItem>("an item is added while others look", executions);
  explore<ChangeTotal>("totals change while others count", executions);
  explore<ChangeBackorder>("a cap changes while others count", executions);
  explore<NeverSoldOut<Move::kReserve, 0>>("a unit moves to the first shard by a reservation", executions);
  explore<NeverSoldOut<Move::kReserve, 1>>("a unit moves to the last shard by a reservation", executions);
  explore<NeverSoldOut<Move::kTakeAway, 0>>("a unit moves to the first shard by withdrawing", executions);
  explore<NeverSoldOut<Move::kTakeAway, 1>>("a unit moves to the last shard by withdrawing", executions);
  explore<NeverSoldOut<Move::kGather, 0>>("a gathering fails", executions);
  explore<WithdrawUnderCap>("nothing is withdrawn under a cap", executions);
  explore<SameUser>("two threads add for one user", executions);
  explore<OneAfterTheOther<2>>("a user leaves its place to another", executions);
  explore<OneAfterTheOther<3>>("a user leaves its place to another whose key ends otherwise", executions);
  explore<UsersComeAndGo>("users come and go in the same places", executions);
  explore<TakeAndPut<1>>("one slot is taken and put back", executions);
  explore<TakeAndPut<2>>("two slots are taken and put back", executions);
  explore<ReadMovements>("a slow reader of movements", executions);
}
