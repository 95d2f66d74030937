// Reservations: held, then resolved at most once, by one CAS on their state.
//
//                                    extend
//                                  +-------+
//           take a free slot       v       |   resolve (exactly one wins)
//   free ------------------------> held ---+---------------------------> confirmed | cancelled | expired
//    ^                                                                              |
//    +------------------------------------------------------------------------------+  slots freed; used again last
//
// An id is | generation : 32 | slot + 1 : 32 |. The generation changes with every use of the slot, so an id from
// an earlier use finds another generation and is `unknown`: a recycled slot cannot be confused with its past.
//
// A reservation of several lines is a chain of slots: its first has the state, and all go together.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/free_list.h"
#include "core/ledger_key.h"
#include "core/planted.h"
#include "core/spin_wait.h"

namespace sluice {

// kExtending: held, by someone who is writing its deadline (two instructions).
enum class Phase : std::uint8_t {
  kFree = 0,
  kHeld = 1,
  kConfirmed = 2,
  kCancelled = 3,
  kExpired = 4,
  kExtending = 5
};

// Fields other than the state are written while the slot is free, and read under a state that proves they belong to
// the generation asked for. Atomic (relaxed) because a late reader may look while the slot is being used again.
struct alignas(kCacheLine) Reservation {
  std::atomic<std::uint64_t>
      state;  // | generation : 32 | version : 24 | phase : 8 |; an extension makes a version
  std::atomic<std::uint64_t> deadline_ns;
  // Who reserved: see LedgerUser. The text is there only where the length is not 0.
  std::atomic<std::uint64_t> user_low, user_high;
  std::atomic<std::uint32_t> text_length;
  // Of a line.
  std::atomic<std::uint32_t> item;
  std::atomic<std::uint32_t> stock_line;
  std::atomic<std::uint32_t> quantity;
  std::atomic<std::uint32_t> user_entry;  // in the user table, or kNoUser
  std::atomic<std::uint32_t> next;        // the slot of the next line, or kNoSlot
  std::atomic<std::uint64_t> text[LedgerUser::kWords];

  void put_user(const LedgerUser& user) noexcept {
    user_low.store(user.key.low, std::memory_order_relaxed);
    user_high.store(user.key.high, std::memory_order_relaxed);
    text_length.store(user.text_length, std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < user.text_words(); ++i) {
      text[i].store(user.text[i], std::memory_order_relaxed);
    }
  }
  LedgerUser user() const noexcept {
    LedgerUser user;
    user.key = {user_low.load(std::memory_order_relaxed), user_high.load(std::memory_order_relaxed)};
    user.text_length = text_length.load(std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < user.text_words(); ++i) {
      user.text[i] = text[i].load(std::memory_order_relaxed);
    }
    return user;
  }
};
static_assert(sizeof(Reservation) == kCacheLine);

// What a reservation is at an instant: kFree if its place has been used again, kExpired from its deadline on.
struct Standing {
  Phase phase;
  std::uint64_t left_ns;  // of its hold; 0 unless it is held
};

class ReservationTable {
 public:
  static constexpr std::uint64_t bytes(std::uint32_t slots) {
    return FreeList::bytes(slots) + round_up(slots * sizeof(Reservation), kCacheLine);
  }

  ReservationTable(void* memory, std::uint32_t slots)
      : free_(memory, slots),
        slots_(reinterpret_cast<Reservation*>(static_cast<std::byte*>(memory) + FreeList::bytes(slots))),
        size_(slots) {}

  void format() { free_.format(size_); }

  std::uint32_t take_slot() noexcept { return free_.take(); }
  void free_slot(std::uint32_t slot) noexcept { free_.put(slot); }

  // Publishes a taken slot, filled in by the caller, as a held reservation. Returns its id.
  std::uint64_t hold(std::uint32_t slot) noexcept {
    Reservation& reservation = slots_[slot];
    auto generation = static_cast<std::uint32_t>(reservation.state.load(std::memory_order_relaxed) >> 32) + 1;
    if (SLUICE_PLANTED(kSameGeneration)) generation = 1;
    if (generation == 0) generation = 1;  // no id has generation 0
    // REL state: pairs with ACQ in state(): the fields are written before the reservation can be found.
    reservation.state.store(state_of(generation, Phase::kHeld), std::memory_order_release);
    return (std::uint64_t{generation} << 32) | (slot + 1);
  }
  // The id that hold() would give.
  std::uint64_t next_id(std::uint32_t slot) const noexcept {
    auto generation =
        static_cast<std::uint32_t>(slots_[slot].state.load(std::memory_order_relaxed) >> 32) + 1;
    return (std::uint64_t{generation == 0 ? 1 : generation} << 32) | (slot + 1);
  }

  // The slot an id names, or kNoSlot if it is no id that this table could have given out.
  std::uint32_t slot_of(std::uint64_t id) const noexcept {
    const std::uint64_t slot = (id & 0xffffffff) - 1;
    return slot < size_ && (id >> 32) != 0 ? static_cast<std::uint32_t>(slot) : kNoSlot;
  }

  // The state of the reservation with this id, once nobody is extending it; its phase is kFree if its slot has another
  // generation by now.
  std::uint64_t state(std::uint64_t id) const noexcept {
    const std::uint32_t slot = slot_of(id);
    if (slot == kNoSlot) return 0;
    std::uint64_t state = 0;
    spin_wait([&] {
      // ACQ state: pairs with REL in hold() and extend().
      state = slots_[slot].state.load(std::memory_order_acquire);
      return (state >> 32) != (id >> 32) || phase_in(state) != Phase::kExtending;
    });
    return (state >> 32) == (id >> 32) ? state : 0;
  }
  Phase phase(std::uint64_t id) const noexcept { return phase_in(state(id)); }
  // What the reservation is at `now`. Advisory: another thread may extend or resolve it at once.
  Standing standing(std::uint64_t id, std::uint64_t now) const noexcept {
    for (;;) {
      const std::uint64_t seen = state(id);
      if (phase_in(seen) != Phase::kHeld) return {phase_in(seen), 0};
      const std::uint64_t deadline = slots_[slot_of(id)].deadline_ns.load(std::memory_order_relaxed);
      // Pairs with the fence in LineReserver::append(): if the deadline is of a later generation, the state is found
      // changed. Of an extension under way the later deadline may be read, which is then about to hold.
      std::atomic_thread_fence(std::memory_order_acquire);
      if (state(id) != seen) continue;
      return deadline > now ? Standing{Phase::kHeld, deadline - now} : Standing{Phase::kExpired, 0};
    }
  }
  static Phase phase_in(std::uint64_t state) noexcept { return static_cast<Phase>(state & 0xff); }

  // Held (in the state seen) -> `to`, if it is this caller who does it: false if the state seen is another, or is past.
  // The winner owes the slots to the free list.
  bool resolve(std::uint32_t slot, std::uint64_t seen, Phase to) noexcept {
    // ACQ_REL state: what the caller read of the fields stays before it; one winner among all resolvers.
    return phase_in(seen) == Phase::kHeld &&
           slots_[slot].state.compare_exchange_strong(seen, with_phase(seen, to), std::memory_order_acq_rel,
                                                      std::memory_order_relaxed);
  }

  // Held (in the state seen) with its deadline no earlier than `deadline_ns`; false if the state is another by now.
  bool extend(std::uint32_t slot, std::uint64_t seen, std::uint64_t deadline_ns) noexcept {
    Reservation& reservation = slots_[slot];
    std::uint64_t held = seen;
    // ACQ state: the deadline that is read below is the last extension's. Nobody else resolves or extends meanwhile.
    if (!reservation.state.compare_exchange_strong(held, with_phase(seen, Phase::kExtending),
                                                   std::memory_order_acquire, std::memory_order_relaxed)) {
      return false;
    }
    reservation.deadline_ns.store(
        SLUICE_PLANTED(kShorterHold)
            ? deadline_ns
            : std::max(reservation.deadline_ns.load(std::memory_order_relaxed), deadline_ns),
        std::memory_order_relaxed);
    // REL state: pairs with ACQ in state(). A new version: who saw the old deadline as due cannot resolve.
    const std::uint64_t version = ((seen >> 8) + 1) & 0xffffff;
    reservation.state.store((seen >> 32 << 32) | version << 8 | static_cast<std::uint64_t>(Phase::kHeld),
                            std::memory_order_release);
    return true;
  }

  // The id of the reservation that is held in `slot` now, or 0.
  std::uint64_t held_in(std::uint32_t slot) const noexcept {
    const std::uint64_t state = slots_[slot].state.load(std::memory_order_acquire);
    const Phase phase = phase_in(state);
    return phase == Phase::kHeld || phase == Phase::kExtending ? (state >> 32 << 32) | (slot + 1) : 0;
  }

  std::uint32_t free_slots() const noexcept { return free_.size(); }
  template <class Visit>
  void for_each_free(Visit&& visit) const {
    free_.for_each(visit);
  }
  Reservation& operator[](std::uint32_t slot) const noexcept { return slots_[slot]; }
  std::uint32_t size() const noexcept { return size_; }

 private:
  static std::uint64_t state_of(std::uint64_t generation, Phase phase) noexcept {
    return (generation << 32) | static_cast<std::uint64_t>(phase);
  }
  static std::uint64_t with_phase(std::uint64_t state, Phase phase) noexcept {
    return (state & ~0xffULL) | static_cast<std::uint64_t>(phase);
  }

  FreeList free_;
  Reservation* slots_;
  std::uint32_t size_;
};

}  // namespace sluice
