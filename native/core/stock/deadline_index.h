// Finds due holds with a tree of lower bounds of deadlines. A look skips holds that are not due, and one word shows
// that none is due.
//
//   root        | bound : 63 | looking : 1 |      one word, on a cache line of its own
//   branches      about as many words as each of them has leaves below it
//   leaves        one word for each 16 slots of the reservation table
//
// Once a hold is inserted, no word above it has a bound after the hold's deadline, unless the word is marked (below). A
// bound may be too early, because a hold that is extended or has ended leaves its bound; the look that this causes
// raises it.
//
//   insert                               look at a word whose bound is past
//   publish the hold                     mark the word: looking, no bound
//   fence (seq_cst)                      fence (seq_cst)
//   from the leaf to the root:           read what is below, and expire what is due
//     lower the bound if it is later     take the mark away; the bound is the earliest that was left below,
//                                        or the earliest that was inserted meanwhile
//
// An inserter is a thread that inserts a hold, a looker one that looks. Both have a full fence between their store and
// their load, so at least one of them sees the other's store: either the inserter finds the mark and lowers the bound
// itself, or the looker finds the hold. As a rule an inserter finds earlier bounds, and then writes nothing shared.
//
// The same problem exists between two levels: an inserter reads a word and then the word above it, while a looker marks
// the upper word and then reads the lower one. These accesses are seq_cst, so that they are in one order. Therefore, if
// an inserter found a bound low enough, whichever thread lowered it, each look that marks a word above it later finds
// that bound, too. Without that order the looker could still read the word's older value.
//
// A marked word counts as due. So a thread that finds the root's bound in the future knows that no look has holds left
// to expire, and that the holds that looks found due have expired completely. (The units of a hold that expires because
// a call names it may still be on their way back.)
//
// If a look finds that another look has marked a leaf, it skips the leaf. If it finds such a mark on a word above the
// leaves, it looks below that word, too, but only the other look raises the bound.
//
// Extending a hold makes its deadline later, so no bound has to change.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "core/base/atomics.h"
#include "core/base/layout.h"

namespace sluice {

// How many slots one look may read, rounded up to whole leaves. Further cache lines that it reads count as about one
// slot each.
class LookBudget {
 public:
  static constexpr std::uint32_t kUnlimited = ~0u;

  explicit LookBudget(std::uint32_t slots) noexcept : left_(slots) {}
  bool left() const noexcept { return left_ != 0; }
  void spend(std::uint32_t slots) noexcept {
    if (left_ != kUnlimited) left_ -= std::min(left_, slots);
  }

 private:
  std::uint32_t left_;
};

// kGroup: slots of a leaf.
template <class A = StdAtomics, std::uint32_t kGroup = 16>
class DeadlineIndex {
 public:
  using AtomicU64 = typename A::template atomic<std::uint64_t>;

  static constexpr std::uint64_t kNever = ~0ULL >> 1;

  static constexpr std::uint32_t leaves(std::uint32_t slots) { return quotient(slots, kGroup); }
  // Leaves below a branch: a power of 2.
  static constexpr std::uint32_t fan(std::uint32_t slots) { return 1U << std::bit_width(leaves(slots)) / 2; }
  static constexpr std::uint32_t branches(std::uint32_t slots) { return quotient(leaves(slots), fan(slots)); }
  static constexpr Layout layout(std::uint32_t slots) {
    return layout_of<AtomicU64, AtomicU64, AtomicU64>(leaves(slots), branches(slots), 1);
  }
  static constexpr std::uint64_t bytes(std::uint32_t slots) { return layout(slots).bytes(); }

  DeadlineIndex(void* memory, std::uint32_t slots)
      : leaves_(static_cast<AtomicU64*>(memory)),
        branches_(after(leaves_, leaves(slots))),
        root_(after(branches_, branches(slots))),
        slots_(slots),
        fan_shift_(static_cast<std::uint32_t>(std::countr_zero(fan(slots)))) {}

  // Formats the index for a table without holds.
  void format() {
    for_words([](AtomicU64& word) { word.store(word_of(kNever, false), std::memory_order_relaxed); });
  }

  // Called after a hold has been published in `slot`.
  void insert(std::uint32_t slot, std::uint64_t deadline) noexcept {
    // Pairs with the fence in look_at_leaf().
    A::fence(std::memory_order_seq_cst);
    const std::uint64_t bound = std::min(deadline, kNever - 1);
    const std::uint32_t leaf = slot / kGroup;
    lower(leaves_[leaf], bound);
    lower(branches_[leaf >> fan_shift_], bound);
    lower(*root_, bound);
  }

  // Whether a hold may be due, or another thread is just expiring one.
  bool due(std::uint64_t now) const noexcept {
    // ACQ word: pairs with REL in finish(): if the bound is in the future, the units of holds that looks have expired
    // below it have been given back.
    return may_be_due(root_->load(std::memory_order_acquire), now);
  }

  // Looks at slots whose holds may be due, in the order of slots, until the budget is spent. `scan(first, last)`
  // expires due holds in the slots from `first` to before `last`, and returns the earliest deadline of a hold that
  // remains there, or kNever.
  template <class Scan>
  void look(std::uint64_t now, LookBudget& budget, Scan&& scan) noexcept {
    if (!due(now)) return;
    look_above(*root_, now, budget, branches_, branches_ + branches(slots_), [&](std::uint32_t branch) {
      const std::uint32_t first = branch << fan_shift_;
      const std::uint32_t last = std::min(first + (1U << fan_shift_), leaves(slots_));
      look_above(branches_[branch], now, budget, leaves_ + first, leaves_ + last,
                 [&](std::uint32_t leaf) { look_at_leaf(first + leaf, now, budget, scan); });
    });
  }

  // For audits, while no thread inserts or looks: whether a look would find a hold in `slot` from its deadline on.
  bool covers(std::uint32_t slot, std::uint64_t deadline) const noexcept {
    const std::uint32_t leaf = slot / kGroup;
    const auto early = [deadline](const AtomicU64& word) {
      return may_be_due(word.load(std::memory_order_relaxed), deadline);
    };
    return early(leaves_[leaf]) && early(branches_[leaf >> fan_shift_]) && early(*root_);
  }

  // Calls `visit` for each word of the index. Public because tests construct and destroy the words with it.
  template <class Visit>
  void for_words(Visit&& visit) const {
    std::for_each(leaves_, leaves_ + leaves(slots_), visit);
    std::for_each(branches_, branches_ + branches(slots_), visit);
    visit(*root_);
  }

 private:
  static constexpr std::uint32_t kWordsInLine = 8;  // words in 64 bytes: a cache line for the budget

  static constexpr std::uint32_t quotient(std::uint32_t a, std::uint32_t b) {
    return a / b + (a % b != 0 ? 1 : 0);
  }
  static constexpr std::uint64_t level_bytes(std::uint32_t words) {
    return round_up(words * sizeof(AtomicU64), kCacheLine);
  }
  static AtomicU64* after(AtomicU64* level, std::uint32_t words) {
    return reinterpret_cast<AtomicU64*>(reinterpret_cast<std::byte*>(level) + level_bytes(words));
  }

  static std::uint64_t word_of(std::uint64_t bound, bool looking) noexcept {
    return bound << 1 | (looking ? 1 : 0);
  }
  static std::uint64_t bound_in(std::uint64_t word) noexcept { return word >> 1; }
  static bool looking(std::uint64_t word) noexcept { return (word & 1) != 0; }
  static bool may_be_due(std::uint64_t word, std::uint64_t now) noexcept {
    return looking(word) || bound_in(word) <= now;
  }

  static void lower(AtomicU64& at, std::uint64_t bound) noexcept {
    for (;;) {
      // SC word: pairs with the CAS in mark(). If a look has marked the word before this load, the CAS below lowers the
      // bound.
      std::uint64_t word = at.load(std::memory_order_seq_cst);
      if (word <= word_of(bound, true)) [[likely]]
        return;  // the word's bound is no later than `bound`
      // SC word: pairs with the load in read(), of a look that marks a word above this one later.
      if (at.compare_exchange_weak(word, word_of(bound, looking(word)), std::memory_order_seq_cst,
                                   std::memory_order_relaxed)) {
        return;
      }
    }
  }

  // Marks a word whose bound is past. Returns true if this caller has marked it; it then raises the bound with
  // finish().
  static bool mark(AtomicU64& at, std::uint64_t now) noexcept {
    std::uint64_t word = at.load(std::memory_order_relaxed);
    while (!looking(word) && bound_in(word) <= now) {
      // SC word: pairs with the load in lower(). An inserter that comes later finds kNever, and so lowers the bound.
      if (at.compare_exchange_weak(word, word_of(kNever, true), std::memory_order_seq_cst,
                                   std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // Takes the mark away. No hold that is left below is due before `bound`.
  static void finish(AtomicU64& at, std::uint64_t bound) noexcept {
    std::uint64_t word = at.load(std::memory_order_relaxed);
    // REL word: pairs with the loads in read() and due(), which then see the effects of what expired below.
    while (!at.compare_exchange_weak(word, word_of(std::min(bound_in(word), bound), false),
                                     std::memory_order_release, std::memory_order_relaxed)) {
    }
  }

  // Reads a word below one that this look has marked.
  static std::uint64_t read(const AtomicU64& below) noexcept {
    // SC word: pairs with the CAS in lower() and with REL in finish().
    return below.load(std::memory_order_seq_cst);
  }

  // Looks at a word with other words below it. Calls `look_at_one(i)` for each of those that may be due.
  template <class LookAtOne>
  static void look_above(AtomicU64& word, std::uint64_t now, LookBudget& budget, const AtomicU64* first,
                         const AtomicU64* last, LookAtOne&& look_at_one) noexcept {
    const bool mine = mark(word, now);
    std::uint64_t earliest = kNever;
    budget.spend(static_cast<std::uint32_t>(last - first) / kWordsInLine);
    for (const AtomicU64* below = first; below != last; ++below) {
      std::uint64_t seen = read(*below);
      if (may_be_due(seen, now) && budget.left()) {
        look_at_one(static_cast<std::uint32_t>(below - first));
        seen = read(*below);
      }
      earliest = std::min(earliest, looking(seen) ? 0 : bound_in(seen));
    }
    if (mine) finish(word, earliest);
  }

  template <class Scan>
  void look_at_leaf(std::uint32_t leaf, std::uint64_t now, LookBudget& budget, Scan& scan) noexcept {
    if (!mark(leaves_[leaf], now)) return;
    // Pairs with the fence in insert().
    A::fence(std::memory_order_seq_cst);
    budget.spend(kGroup);
    const std::uint32_t first = leaf * kGroup;
    const std::uint64_t earliest = scan(first, std::min(first + kGroup, slots_));
    finish(leaves_[leaf], std::min(earliest, kNever));
  }

  AtomicU64* leaves_;
  AtomicU64* branches_;
  AtomicU64* root_;
  std::uint32_t slots_;
  std::uint32_t fan_shift_;
};

}  // namespace sluice
