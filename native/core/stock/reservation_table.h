// A reservation is held, then resolved at most once. A CAS on its state decides which thread resolves it.
//
//                                    extend, part, change
//                                  +-------+
//           take a free slot       v       |   resolve (exactly one wins)
//   free ------------------------> held ---+---------------------------> confirmed | cancelled | expired
//    ^                                                                              |
//    +------------------------------------------------------------------------------+  slots freed; used again last
//
// An id is | generation : 32 | slot + 1 : 32 |. The generation changes with every use of the slot, so an id from an
// earlier use finds another generation there, and is answered `unknown`.
//
// A reservation of several lines is a chain of slots; the first slot has the state of the whole reservation. After the
// reservation has ended, its slots keep their contents until they are used again. Until then, bought units can be
// listed and returned.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/base/free_list.h"
#include "core/base/layout.h"
#include "core/base/spin_wait.h"
#include "core/stock/deadline_index.h"
#include "core/stock/ledger_key.h"

namespace sluice {

// kChanging: held, while a thread writes its deadline or its units (some instructions; more where it takes units).
// kLine: the slot is in use as a line of a reservation. Its state is in another slot, or the reservation is not
// published yet.
enum class Phase : std::uint8_t {
  kFree = 0,
  kHeld = 1,
  kConfirmed = 2,
  kCancelled = 3,
  kExpired = 4,
  kChanging = 5,
  kLine = 6
};

// A thread writes the fields other than `state` and `sold` before it publishes the reservation, or while it alone may
// change the reservation. A reader that must know that the fields belong to the generation asked for compares the state
// before and after it reads them, or changes the state by a CAS. The fields are atomic (relaxed) because a late reader
// may read them while the slot is being used again.
struct alignas(kCacheLine) Reservation {
  static constexpr std::uint32_t kHasId = 1U << 31;

  std::atomic<std::uint64_t>
      state;  // | generation : 32 | version : 29 | phase : 3 |; end_change() makes a new version
  std::atomic<std::uint64_t> deadline_ns;  // in a line that is not the first: the id of its reservation
  // The upper 32 bits are the generation, the lower 32 the units that were bought and not returned. A return changes
  // the word by compare and swap, so that the return fails if the slot was used again meanwhile.
  std::atomic<std::uint64_t> sold;
  // The user that reserved: see LedgerUser. The text is valid only if its length is not 0.
  std::atomic<std::uint64_t> user_low, user_high;
  std::atomic<std::uint32_t> text_length;  // with kHasId: the client gave an id, which is in `ids_`
  // The line in this slot.
  std::atomic<std::uint32_t> item;
  std::atomic<std::uint32_t> stock_shard;
  std::atomic<std::uint32_t> quantity;  // held; after the end: what was held until then
  // The entry in the user table, or kNoUser; possibly another pair's entry if the quantity is 0.
  std::atomic<std::uint32_t> user_entry;
  std::atomic<std::uint32_t> next;  // the slot of the next line, or kNoSlot
  std::atomic<std::uint64_t> text[LedgerUser::kWords];

  static std::uint64_t units_in(std::uint64_t sold) noexcept { return sold & 0xffffffff; }

  void put_user(const LedgerUser& user, bool has_id) noexcept {
    user_low.store(user.key.low, std::memory_order_relaxed);
    user_high.store(user.key.high, std::memory_order_relaxed);
    text_length.store(user.text_length | (has_id ? kHasId : 0), std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < user.text_words(); ++i) {
      text[i].store(user.text[i], std::memory_order_relaxed);
    }
  }
  LedgerUser user() const noexcept {
    LedgerUser user;
    user.key = {user_low.load(std::memory_order_relaxed), user_high.load(std::memory_order_relaxed)};
    user.text_length = std::min(text_length.load(std::memory_order_relaxed) & ~kHasId,
                                static_cast<std::uint32_t>(LedgerUser::kTextMax));
    for (std::uint32_t i = 0; i < user.text_words(); ++i) {
      user.text[i] = text[i].load(std::memory_order_relaxed);
    }
    return user;
  }
};
static_assert(sizeof(Reservation) == kCacheLine);

// The phase of a reservation at an instant: kFree if the table has no such reservation (any more); kExpired also if it
// is still held, but its deadline is over.
struct Standing {
  Phase phase;
  std::uint64_t left_ns;  // what is left of its hold; 0 if it is not held
};

// The client's id of a reservation, as a listing shows it: a number, or a text of at most kTextMax octets.
struct ReservationId {
  static constexpr std::size_t kWords = 7, kTextMax = kWords * sizeof(std::uint64_t);
  static constexpr std::uint64_t kNone = 0, kNumber = 1;  // 1 + n: a text of n octets

  std::uint64_t tag = kNone;
  std::uint64_t words[kWords] = {};

  std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(words),
            tag <= kNumber ? 0 : std::min<std::size_t>(tag - 1, kTextMax)};
  }
};

class ReservationTable {
 public:
  static constexpr Layout layout(std::uint32_t slots) { return Places(slots).layout; }

  ReservationTable(void* memory, std::uint32_t slots)
      : ReservationTable(static_cast<std::byte*>(memory), slots, Places(slots)) {}

  void format() {
    free_.format(size_);
    deadlines_.format();
  }

  std::uint32_t take_slot() noexcept { return free_.take(); }
  void free_slot(std::uint32_t slot) noexcept { free_.put(slot); }

  // Begins a new use of a taken slot. From now on, a reader of the slot's earlier record finds that it is gone.
  void begin_use(std::uint32_t slot) noexcept {
    Reservation& reservation = slots_[slot];
    auto generation = static_cast<std::uint32_t>(reservation.state.load(std::memory_order_relaxed) >> 32) + 1;
    if (generation == 0) generation = 1;  // no id has generation 0
    reservation.state.store(state_of(generation, Phase::kLine), std::memory_order_relaxed);
    // A relaxed store is enough: a return that came earlier has taken its units, and one that comes later finds another
    // generation.
    reservation.sold.store(std::uint64_t{generation} << 32, std::memory_order_relaxed);
    // Pairs with the acquire fences of standing() and RecordReader: a reader of anything written to the slot from now
    // on finds its state and its generation changed.
    std::atomic_thread_fence(std::memory_order_release);
  }

  // Publishes a slot in use, filled in by the caller, as a held reservation. Returns its id.
  std::uint64_t hold(std::uint32_t slot) noexcept {
    Reservation& reservation = slots_[slot];
    const std::uint64_t state = reservation.state.load(std::memory_order_relaxed);
    // REL state: pairs with ACQ in state(): the fields are written before the reservation can be found.
    reservation.state.store(with_phase(state, Phase::kHeld), std::memory_order_release);
    index(slot);
    return id_of(slot, state);
  }
  // Indexes the deadline of the hold in `slot`, so that a look finds it when it is due. Called after the hold was
  // published.
  void index(std::uint32_t slot) noexcept {
    deadlines_.insert(slot, slots_[slot].deadline_ns.load(std::memory_order_relaxed));
  }
  // Returns the id that hold() returns for a slot in use.
  std::uint64_t id_in(std::uint32_t slot) const noexcept {
    return id_of(slot, slots_[slot].state.load(std::memory_order_relaxed));
  }

  // Keeps the client's id for the reservation that begins in the slot; a text that is too long is not kept.
  void put_id(std::uint32_t slot, const Key& id, std::string_view text) noexcept {
    StoredId& stored = ids_[slot];
    if (text.empty()) {
      stored.words[0].store(is_number(id) ? ReservationId::kNumber : ReservationId::kNone,
                            std::memory_order_relaxed);
      stored.words[1].store(id.low, std::memory_order_relaxed);
      return;
    }
    const bool fits = text.size() <= ReservationId::kTextMax;
    stored.words[0].store(fits ? 1 + text.size() : ReservationId::kNone, std::memory_order_relaxed);
    for (std::size_t at = 0; fits && at < text.size(); at += sizeof(std::uint64_t)) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + at, std::min(sizeof word, text.size() - at));
      stored.words[1 + at / sizeof word].store(word, std::memory_order_relaxed);
    }
  }
  // Returns the client's id that is stored for the slot. The caller checks to which reservation it belongs.
  ReservationId id_stored(std::uint32_t slot) const noexcept {
    ReservationId id;
    const Reservation& reservation = slots_[slot];
    if ((reservation.text_length.load(std::memory_order_relaxed) & Reservation::kHasId) == 0) return id;
    id.tag = ids_[slot].words[0].load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < ReservationId::kWords; ++i) {
      id.words[i] = ids_[slot].words[1 + i].load(std::memory_order_relaxed);
    }
    return id;
  }

  // Returns the slot that an id names, or kNoSlot if this table cannot have given out such an id.
  std::uint32_t slot_of(std::uint64_t id) const noexcept {
    const std::uint64_t slot = (id & 0xffffffff) - 1;
    return slot < size_ && (id >> 32) != 0 ? static_cast<std::uint32_t>(slot) : kNoSlot;
  }

  // Returns the state of the reservation with this id, once no thread is changing it; with phase kFree if its slot has
  // another generation by now.
  std::uint64_t state(std::uint64_t id) const noexcept {
    const std::uint32_t slot = slot_of(id);
    if (slot == kNoSlot) return 0;
    std::uint64_t state = 0;
    spin_wait([&] {
      // ACQ state: pairs with REL in hold() and end_change().
      state = slots_[slot].state.load(std::memory_order_acquire);
      return (state >> 32) != (id >> 32) || phase_in(state) != Phase::kChanging;
    });
    return (state >> 32) == (id >> 32) ? state : 0;
  }
  Phase phase(std::uint64_t id) const noexcept { return phase_in(state(id)); }
  // Returns the phase of the reservation at `now`. Another thread may extend or resolve it right afterwards.
  Standing standing(std::uint64_t id, std::uint64_t now) const noexcept {
    for (;;) {
      const std::uint64_t seen = state(id);
      if (phase_in(seen) != Phase::kHeld) return {phase_in(seen), 0};
      const std::uint64_t deadline = slots_[slot_of(id)].deadline_ns.load(std::memory_order_relaxed);
      // Pairs with the fences in begin_use() and begin_change(): if the deadline was written by a later use or change,
      // the state is found changed below.
      std::atomic_thread_fence(std::memory_order_acquire);
      if (state(id) != seen) continue;
      return deadline > now ? Standing{Phase::kHeld, deadline - now} : Standing{Phase::kExpired, 0};
    }
  }
  // Returns the id of the reservation that begins in `slot` with this state.
  static std::uint64_t id_of(std::uint32_t slot, std::uint64_t state) noexcept {
    return (state >> 32 << 32) | (slot + 1ULL);
  }
  static Phase phase_in(std::uint64_t state) noexcept { return static_cast<Phase>(state & kPhaseMask); }

  // Changes the state from `seen` to the phase `to`. Returns false if `seen` is not held, or the state has changed
  // since. A caller that gets true must free the slots.
  bool resolve(std::uint32_t slot, std::uint64_t seen, Phase to) noexcept {
    // ACQ_REL state: the caller's reads of the fields stay before this CAS. The CAS succeeds for only one of the
    // threads that resolve.
    return phase_in(seen) == Phase::kHeld &&
           slots_[slot].state.compare_exchange_strong(seen, with_phase(seen, to), std::memory_order_acq_rel,
                                                      std::memory_order_relaxed);
  }

  // Changes the state from `seen`, which is held, to kChanging: no other thread resolves or changes the reservation
  // until end_change(). Returns false if the state has changed since.
  bool begin_change(std::uint32_t slot, std::uint64_t seen) noexcept {
    // ACQ state: pairs with REL in hold() and end_change(). This thread sees the fields as the last change left them.
    const bool begun = slots_[slot].state.compare_exchange_strong(
        seen, with_phase(seen, Phase::kChanging), std::memory_order_acquire, std::memory_order_relaxed);
    // Pairs with the acquire fences of standing() and RecordReader: a reader of anything written from now on finds the
    // state changed.
    std::atomic_thread_fence(std::memory_order_release);
    return begun;
  }
  // Ends the change that began in the state `seen`. `phase`: kHeld, or how the reservation is resolved; then the caller
  // must free the slots.
  void end_change(std::uint32_t slot, std::uint64_t seen, Phase phase) noexcept {
    // A new version: a thread that saw the old deadline as due cannot resolve, unless exactly 2^29 changes happen
    // between its look and its CAS. The version wraps around within the lower half.
    const auto version = static_cast<std::uint32_t>(seen & ~kPhaseMask) + (1U << kPhaseBits);
    // REL state: pairs with ACQ in state().
    slots_[slot].state.store((seen >> 32 << 32) | version | static_cast<std::uint64_t>(phase),
                             std::memory_order_release);
  }

  // Makes the deadline of a reservation, which is held in the state `seen`, no earlier than `deadline_ns`. Returns
  // false if the state has changed since.
  bool extend(std::uint32_t slot, std::uint64_t seen, std::uint64_t deadline_ns) noexcept {
    if (!begin_change(slot, seen)) return false;
    std::atomic<std::uint64_t>& deadline = slots_[slot].deadline_ns;
    deadline.store(std::max(deadline.load(std::memory_order_relaxed), deadline_ns),
                   std::memory_order_relaxed);
    end_change(slot, seen, Phase::kHeld);
    return true;
  }

  // Returns the id of the reservation that is held in `slot` now, or 0.
  std::uint64_t held_in(std::uint32_t slot) const noexcept {
    // ACQ state: pairs with REL in hold() and end_change().
    const std::uint64_t state = slots_[slot].state.load(std::memory_order_acquire);
    const Phase phase = phase_in(state);
    return phase == Phase::kHeld || phase == Phase::kChanging ? id_of(slot, state) : 0;
  }

  DeadlineIndex<>& deadlines() noexcept { return deadlines_; }
  const DeadlineIndex<>& deadlines() const noexcept { return deadlines_; }

  std::uint32_t free_slots() const noexcept { return free_.size(); }
  template <class Visit>
  void for_each_free(Visit&& visit) const {
    free_.for_each(visit);
  }
  Reservation& operator[](std::uint32_t slot) const noexcept { return slots_[slot]; }
  std::uint32_t size() const noexcept { return size_; }

 private:
  struct Places {
    explicit constexpr Places(std::uint32_t slots)
        : free(layout.place(FreeList<>::layout(slots))),
          slots(layout.place<Reservation>(slots)),
          ids(layout.place<StoredId>(slots)),
          deadlines(layout.place(DeadlineIndex<>::layout(slots))) {}

    Layout layout;
    std::uint64_t free, slots, ids, deadlines;
  };

  ReservationTable(std::byte* memory, std::uint32_t slots, const Places& at)
      : free_(memory + at.free, slots),
        slots_(reinterpret_cast<Reservation*>(memory + at.slots)),
        ids_(reinterpret_cast<StoredId*>(memory + at.ids)),
        deadlines_(memory + at.deadlines, slots),
        size_(slots) {}

  static constexpr int kPhaseBits = 3;
  static constexpr std::uint64_t kPhaseMask = (1ULL << kPhaseBits) - 1;

  static std::uint64_t state_of(std::uint64_t generation, Phase phase) noexcept {
    return (generation << 32) | static_cast<std::uint64_t>(phase);
  }
  static std::uint64_t with_phase(std::uint64_t state, Phase phase) noexcept {
    return (state & ~kPhaseMask) | static_cast<std::uint64_t>(phase);
  }

  struct StoredId {
    std::atomic<std::uint64_t> words[1 + ReservationId::kWords];
  };

  FreeList<> free_;
  Reservation* slots_;
  StoredId* ids_;  // valid for reservations whose client gave an id
  DeadlineIndex<> deadlines_;
  std::uint32_t size_;
};

}  // namespace sluice
