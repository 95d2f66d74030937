// Reservations: held, then resolved at most once, by one CAS on their state.
//
//           take a free slot          resolve (exactly one wins)
//   free ------------------> held ----------------------------------> confirmed | cancelled | expired
//    ^                                                                          |
//    +--------------------------------------------------------------------------+  slot freed; used again last
//
// An id is | generation : 32 | slot + 1 : 32 |. The generation changes with every use of the slot, so an id from
// an earlier use finds another generation and is `unknown`: a recycled slot cannot be confused with its past.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/free_list.h"

namespace sluice {

enum class Phase : std::uint8_t { kFree = 0, kHeld = 1, kConfirmed = 2, kCancelled = 3, kExpired = 4 };

struct Reservation {
  std::atomic<std::uint64_t> state;  // | generation : 32 | phase : 32 |
  std::atomic<std::uint64_t> deadline_ns;
  // Written while the slot is free, read under a state that proves they belong to the generation asked for.
  // Atomic (relaxed) because a late reader may look at them while the slot is being used again.
  std::atomic<std::uint64_t> user;
  std::atomic<std::uint32_t> item;
  std::atomic<std::uint32_t> user_entry;  // in the user table, or kNoUser
  std::atomic<std::uint32_t> quantity;
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
    if (generation == 0) generation = 1;  // no id has generation 0
    // REL state: pairs with ACQ in find(): the fields are written before the reservation can be found.
    reservation.state.store(state_of(generation, Phase::kHeld), std::memory_order_release);
    return (std::uint64_t{generation} << 32) | (slot + 1);
  }

  // The slot an id names, or kNoSlot if it is no id that this table could have given out.
  std::uint32_t slot_of(std::uint64_t id) const noexcept {
    const std::uint64_t slot = (id & 0xffffffff) - 1;
    return slot < size_ && (id >> 32) != 0 ? static_cast<std::uint32_t>(slot) : kNoSlot;
  }
  // The phase of the reservation with this id; kFree if its slot has another generation by now.
  Phase phase(std::uint64_t id) const noexcept {
    const std::uint32_t slot = slot_of(id);
    if (slot == kNoSlot) return Phase::kFree;
    // ACQ state: pairs with REL in hold().
    const std::uint64_t state = slots_[slot].state.load(std::memory_order_acquire);
    return (state >> 32) == (id >> 32) ? phase_in(state) : Phase::kFree;
  }

  // Held -> `to`, if it is this caller who does it. The winner owes the slot to the free list.
  bool resolve(std::uint64_t id, Phase to) noexcept {
    Reservation& reservation = slots_[slot_of(id)];
    std::uint64_t held = state_of(id >> 32, Phase::kHeld);
    // ACQ_REL state: what the caller read of the fields stays before it; one winner among all resolvers.
    return reservation.state.compare_exchange_strong(held, state_of(id >> 32, to), std::memory_order_acq_rel,
                                                     std::memory_order_relaxed);
  }

  // The id of the reservation that is held in `slot` now, or 0.
  std::uint64_t held_in(std::uint32_t slot) const noexcept {
    const std::uint64_t state = slots_[slot].state.load(std::memory_order_acquire);
    return phase_in(state) == Phase::kHeld ? (state >> 32 << 32) | (slot + 1) : 0;
  }

  std::uint32_t free_slots() const noexcept { return free_.size(); }
  Reservation& operator[](std::uint32_t slot) const noexcept { return slots_[slot]; }
  std::uint32_t size() const noexcept { return size_; }

 private:
  static std::uint64_t state_of(std::uint64_t generation, Phase phase) noexcept {
    return (generation << 32) | static_cast<std::uint64_t>(phase);
  }
  static Phase phase_in(std::uint64_t state) noexcept { return static_cast<Phase>(state & 0xff); }

  FreeList free_;
  Reservation* slots_;
  std::uint32_t size_;
};

}  // namespace sluice
