// The index of deadlines under Relacy: holds that are inserted while other threads look. Usage and exit codes as in
// queue_model.cc.
#include <algorithm>
#include <memory>

#include "core/stock/deadline_index.h"
#include "explore.h"

namespace sluice::model {

// Slots of a table, each with the deadline of the hold in it, under an index of two leaves.
template <std::uint32_t kGroup>
class IndexModel {
 public:
  using Index = DeadlineIndex<RelacyAtomics, kGroup>;
  static constexpr std::uint32_t kSlots = 2 * kGroup;
  static constexpr std::uint64_t kFree = Index::kNever;

  IndexModel() : index(made(), kSlots) {
    index.format();
    for (auto& deadline : deadlines) deadline.store(kFree, std::memory_order_relaxed);
  }
  ~IndexModel() {
    index.for_words([](auto& word) { std::destroy_at(&word); });
  }

  void hold(std::uint32_t slot, std::uint64_t deadline) {
    deadlines[slot].store(deadline, std::memory_order_release);
    index.insert(slot, deadline);
  }
  // Ends a hold and does not change its bound, as a confirmation does.
  void end(std::uint32_t slot) { deadlines[slot].store(kFree, std::memory_order_relaxed); }
  void look(std::uint64_t now, std::uint32_t slots = LookBudget::kUnlimited) {
    LookBudget budget(slots);
    index.look(now, budget, [&](std::uint32_t slot, std::uint32_t end) {
      std::uint64_t earliest = kFree;
      for (; slot < end; ++slot) {
        // Relaxed: the order of this word and the index's words must come from the index alone.
        std::uint64_t deadline = deadlines[slot].load(std::memory_order_relaxed);
        if (deadline <= now && deadlines[slot].compare_exchange_strong(
                                   deadline, kFree, std::memory_order_relaxed, std::memory_order_relaxed)) {
          deadline = kFree;
        }
        earliest = std::min(earliest, deadline);
      }
      return earliest;
    });
  }
  bool held(std::uint32_t slot, std::uint64_t deadline) {
    return deadlines[slot].load(std::memory_order_relaxed) == deadline;
  }
  // Checks that every hold is found when it is due.
  void check() {
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
      const std::uint64_t deadline = deadlines[slot].load(std::memory_order_relaxed);
      require(deadline == kFree || index.covers(slot, deadline), "a hold is found when it is due");
    }
  }

  Index index;
  Atomic<std::uint64_t> deadlines[kSlots];

 private:
  static void* made() {
    Index(memory_, kSlots).for_words([](auto& word) { std::construct_at(&word); });
    return memory_;
  }
  alignas(kCacheLine) static inline std::byte memory_[4'096];
};

// A thread inserts a hold while a look raises the bounds above it.
struct InsertWhileLooking : rl::test_suite<InsertWhileLooking, 2> {
  IndexModel<1> model;

  void before() {
    model.hold(0, 1);
    model.end(0);
    model.hold(1, 9);
  }
  void thread(unsigned index) {
    if (index == 0) {
      model.hold(0, 5);
    } else {
      model.look(2);
    }
  }
  void after() { model.check(); }
};

// Each thread but the last inserts a hold into the first leaf, whose bound an earlier look has raised, so that the last
// thread's look need not visit that leaf. So it depends on the order of accesses to different levels whether a look
// finds the holds.
template <std::uint32_t kGroup>
struct RaiseTheRoot : rl::test_suite<RaiseTheRoot<kGroup>, kGroup + 1> {
  IndexModel<kGroup> model;

  void before() {
    for (const std::uint32_t slot : {0u, kGroup}) {
      model.hold(slot, 1);
      model.end(slot);
    }
    model.look(2, kGroup);  // raises only the bound of the first leaf, not that of the root
  }
  void thread(unsigned index) {
    if (index == kGroup) {
      model.look(2);
      return;
    }
    model.hold(index, 5 + index);
    if (index == 0) return;
    model.look(6);
    require(!model.held(index, 6) || model.index.due(6), "a thread that looks when a hold is due finds it");
  }
  void after() { model.check(); }
};

// Two threads insert holds into one leaf while a third looks. One of them relies on a bound that the other has lowered.
template <bool kEmpty>
struct TwoInsert : rl::test_suite<TwoInsert<kEmpty>, 3> {
  IndexModel<2> model;

  void before() {
    if (kEmpty) return;
    model.hold(2, 1);
    model.hold(0, 1);
    model.end(0);
  }
  void thread(unsigned index) {
    if (index == 0) {
      model.hold(0, 5);
    } else if (index == 1) {
      model.hold(1, 6);
      // A look that begins now finds the hold, unless another look is not over yet.
      model.look(6);
      require(!model.held(1, 6) || model.index.due(6), "a thread that looks when a hold is due finds it");
    } else {
      model.look(kEmpty ? 5 : 2);
    }
  }
  void after() { model.check(); }
};

// Two threads look at due holds while a third inserts. Once nothing is due, all due holds have expired.
struct TwoLook : rl::test_suite<TwoLook, 3> {
  IndexModel<1> model;

  void before() {
    model.hold(0, 1);
    model.hold(1, 2);
  }
  void thread(unsigned index) {
    if (index == 2) {
      model.hold(0, 4);
      return;
    }
    model.look(2);
    if (model.index.due(2)) return;  // another look is under way
    require(!model.held(1, 2), "nothing is due once the due holds have expired");
  }
  void after() { model.check(); }
};

// A thread that finds nothing due sees what was written when the due hold expired, whichever thread's look expired it.
struct SeeWhatExpired : rl::test_suite<SeeWhatExpired, 3> {
  IndexModel<1> model;
  PlainWord units{0};

  void before() { model.hold(0, 1); }
  void thread(unsigned index) {
    const Site here = Site::current();
    if (index == 2) {
      if (!model.index.due(1)) require(units(info(here)).load() != 0, "the units are back");
      return;
    }
    LookBudget budget(LookBudget::kUnlimited);
    model.index.look(1, budget, [&](std::uint32_t, std::uint32_t) {
      // A plain word, because only one look at a time gets here.
      units(info(here)).store(units(info(here)).load() + 1);
      return IndexModel<1>::kFree;
    });
  }
};

}  // namespace sluice::model

int main(int count, char** arguments) {
  using namespace sluice::model;
  const unsigned long executions = executions_wanted(count, arguments);
  explore<InsertWhileLooking>("a hold is inserted under a look", executions);
  explore<RaiseTheRoot<1>>("a hold is inserted under a word that is being raised", executions);
  explore<RaiseTheRoot<2>>("two holds are inserted under a word that is being raised", executions);
  explore<TwoInsert<false>>("two holds are inserted under a look", executions);
  explore<TwoInsert<true>>("two holds are inserted into an empty table", executions);
  explore<TwoLook>("two threads look while a hold is inserted", executions);
  explore<SeeWhatExpired>("a thread that finds nothing due sees what expired", executions);
}
