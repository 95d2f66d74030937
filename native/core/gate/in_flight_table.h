// Orders that the consumer has taken from the queue and not decided yet, in shared memory. If a consumer dies, the
// orders that it had in hand are handed out again to the next one, in the order of admission. So each order is
// delivered at least once.
//
//   taken from the ring                handed out (deliveries + 1)              decided
//   ------------------> used, in order ------------------> in hand -----------------------> free
//                          ^                                  |
//                          +----------------------------------+   the next consumer begins: all that is used
//
//   memory:  | Control | entry | entry | ...        entry: | links | deliveries | order's tag | record |
//   used:    first <-> ... <-> [cursor] <-> ... last        before the cursor: in hand; from it on: to be handed out
//
// Only the consumer, which has the queue's lease, uses the table; other threads read only the counts. The release and
// the acquire of the lease order the writes of one consumer before the reads of the next. No operation calls
// JavaScript, so a thread that is terminated never leaves the table half changed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/atomics.h"
#include "core/base/check.h"
#include "core/base/layout.h"
#include "core/gate/order_tag.h"

namespace sluice {

class InFlightTable {
 public:
  static constexpr std::uint32_t kNone = ~0u;

  struct Entry {
    std::uint32_t previous,
        next;                  // neighbours in order of admission; `next` also links free ones
    std::uint64_t session;     // the session that handed it out last
    std::uint32_t deliveries;  // how many times it was handed out
    std::uint64_t renew_at;    // when its hold must be renewed; kNever: not at all
    AdmittedOrder order;
  };
  static_assert(sizeof(Entry) == 64);

  struct Control {
    std::uint32_t capacity;
    std::uint32_t unused;       // entries from here on were never used
    std::uint32_t free;         // the first free one of those used before
    std::uint32_t first, last;  // the first and last used one
    std::uint32_t cursor;       // the next one to be handed out again
    std::uint64_t session;
    alignas(kCacheLine) std::atomic<std::uint64_t> used;  // written by the consumer, read by any thread
    std::atomic<std::uint64_t> redelivered;
  };

  static Layout layout(std::uint32_t capacity, std::uint64_t record_bytes) {
    Layout layout;
    layout.note(sizeof(Entry));
    layout.place<Control>();
    layout.place_bytes(entry_bytes(record_bytes), capacity);
    return layout;
  }
  static std::uint64_t bytes(std::uint32_t capacity, std::uint64_t record_bytes) {
    return layout(capacity, record_bytes).bytes();
  }

  InFlightTable() = default;
  // A view of the table at `memory`, which is zeroed at creation and aligned to kCacheLine.
  InFlightTable(void* memory, std::uint64_t record_bytes)
      : control_(static_cast<Control*>(memory)),
        entries_(reinterpret_cast<std::byte*>(control_ + 1)),
        record_bytes_(record_bytes) {}

  void format(std::uint32_t capacity) noexcept {
    control_->capacity = capacity;
    control_->free = control_->first = control_->last = control_->cursor = kNone;
  }

  // ---- the consumer -------------------------------------------------------------------------------------

  // Called when a consumer begins: all used entries will be handed out again. Returns the number of its session.
  std::uint64_t begin() noexcept {
    control_->cursor = control_->first;
    return ++control_->session;
  }

  // Hands out the next entry that an earlier consumer left, and returns it; kNone: there are no more.
  std::uint32_t again() noexcept {
    const std::uint32_t entry = control_->cursor;
    if (entry == kNone) return kNone;
    control_->cursor = (*this)[entry].next;
    if ((*this)[entry].deliveries != 0) add(control_->redelivered, 1);
    hand_out((*this)[entry]);
    return entry;
  }

  std::uint32_t room() const noexcept {
    return control_->capacity - static_cast<std::uint32_t>(control_->used.load(std::memory_order_relaxed));
  }

  // Enters an order that was taken from the ring, and hands it out. There must be room, and no entry left to hand out
  // again.
  std::uint32_t take(const AdmittedOrder& order, const std::byte* record) noexcept {
    SLUICE_CHECK(control_->cursor == kNone, "what was in hand before is handed out first");
    const std::uint32_t entry = free_entry();
    Entry& taken = (*this)[entry];
    taken.previous = control_->last;
    taken.next = kNone;
    (control_->last == kNone ? control_->first : (*this)[control_->last].next) = entry;
    control_->last = entry;
    taken.deliveries = 0;
    taken.order = order;
    std::memcpy(this->record(entry), record, record_bytes_);
    hand_out(taken);
    add(control_->used, 1);
    return entry;
  }

  // Whether `session` has the entry in hand.
  bool in_hand(std::uint32_t entry, std::uint64_t session) const noexcept {
    return entry < control_->unused && (*this)[entry].session == session && session == control_->session;
  }

  // Called when the entry reached no handler: it waits for the next consumer as if it had not been handed out. It must
  // be in hand.
  void put_back(std::uint32_t entry) noexcept {
    (*this)[entry].session = 0;
    --(*this)[entry].deliveries;
  }

  // Removes an entry that is decided. It must be in hand.
  void remove(std::uint32_t entry) noexcept {
    Entry& removed = (*this)[entry];
    (removed.previous == kNone ? control_->first : (*this)[removed.previous].next) = removed.next;
    (removed.next == kNone ? control_->last : (*this)[removed.next].previous) = removed.previous;
    removed.session = 0;
    removed.next = control_->free;
    control_->free = entry;
    add(control_->used, ~0ULL);
  }

  // Calls visit(entry), in order of admission, for each entry that was handed out in this session and not removed.
  // These include entries that were put back.
  template <class Visit>
  void for_each_in_hand(Visit&& visit) noexcept {
    for (std::uint32_t at = control_->first; at != control_->cursor; at = (*this)[at].next)
      visit((*this)[at]);
  }

  // ---- any thread, while there is no consumer ------------------------------------------------------------

  template <class Visit>
  void for_each(Visit&& visit) noexcept {
    for (std::uint32_t at = control_->first; at != kNone; at = (*this)[at].next) visit((*this)[at]);
  }

  // ---- any thread ---------------------------------------------------------------------------------------

  std::uint64_t used() const noexcept { return control_->used.load(std::memory_order_relaxed); }
  std::uint64_t redelivered() const noexcept { return control_->redelivered.load(std::memory_order_relaxed); }
  std::uint32_t capacity() const noexcept { return control_->capacity; }

  Entry& operator[](std::uint32_t entry) const noexcept { return *reinterpret_cast<Entry*>(at(entry)); }
  std::byte* record(std::uint32_t entry) const noexcept { return at(entry) + sizeof(Entry); }

 private:
  static std::uint64_t entry_bytes(std::uint64_t record_bytes) {
    return round_up(sizeof(Entry) + record_bytes, alignof(Entry));
  }
  std::byte* at(std::uint32_t entry) const noexcept { return entries_ + entry * entry_bytes(record_bytes_); }
  // Only the consumer adds.
  static void add(std::atomic<std::uint64_t>& word, std::uint64_t by) noexcept {
    word.store(word.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  void hand_out(Entry& entry) noexcept {
    entry.session = control_->session;
    ++entry.deliveries;
  }
  std::uint32_t free_entry() noexcept {
    const std::uint32_t entry = control_->free;
    if (entry != kNone) {
      control_->free = (*this)[entry].next;
      return entry;
    }
    SLUICE_CHECK(control_->unused < control_->capacity, "nothing is taken without room");
    return control_->unused++;
  }

  Control* control_ = nullptr;
  std::byte* entries_ = nullptr;
  std::uint64_t record_bytes_ = 0;
};

}  // namespace sluice
