// The table of the orders that the gate's consumer has taken from the queue and not decided yet, in shared memory. If a
// consumer dies, the orders that it had in hand are handed out again to the next consumer, in the order of admission.
// So each order that is taken is delivered at least once.
//
//   taken from the ring                handed out (deliveries + 1)              decided
//   ------------------> used, in order ------------------> in hand -----------------------> free
//                          ^                                  |
//                          +----------------------------------+   for all used entries: the next consumer begins
//
//   memory:  | Control | entry | entry | ...        entry: | links | session | deliveries | renewal | order | record |
//   used:    first <-> ... <-> [cursor] <-> ... last        before the cursor: handed out in this session
//                                                           from the cursor on: to be handed out again
//
// A session in this file is one consumer's use of the table, from its begin() on. Only the consumer changes the table;
// other threads read the counts, and the entries while there is no consumer. The release and the acquire of the lease
// order the writes of one consumer before the reads of the next. No operation calls JavaScript, so a thread that is
// terminated never leaves the table half changed.
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
    std::uint32_t previous, next;  // neighbours in order of admission; `next` also links free entries
    std::uint64_t session;         // the session that handed the entry out last; 0: put back, or free
    std::uint32_t deliveries;      // how many times the entry was handed out, and not put back
    std::uint64_t renew_at;        // the time at which its hold must be renewed; kNever: it is not renewed
    AdmittedOrder order;
  };
  static_assert(sizeof(Entry) == 64);

  struct Control {
    std::uint32_t capacity;
    std::uint32_t unused;       // the entries from this one on were never used
    std::uint32_t free;         // the first free entry among those that were used before
    std::uint32_t first, last;  // the first and the last used entry
    std::uint32_t cursor;       // the next entry to be handed out again
    std::uint64_t session;      // the number of the newest session
    // How many entries are used. Written by the consumer, read by any thread.
    alignas(kCacheLine) std::atomic<std::uint64_t> used;
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

  // Called when a consumer begins: again() will hand out all used entries. Returns the number of the new session.
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

  // Enters an order that was taken from the ring, and hands it out. Returns its entry. There must be room(), and
  // again() must have handed out all entries of earlier sessions.
  std::uint32_t take(const AdmittedOrder& order, const std::byte* record) noexcept {
    SLUICE_CHECK(control_->cursor == kNone, "entries of earlier sessions are handed out before new orders");
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

  // Called when the entry reached no handler: the entry waits for the next consumer as if it had not been handed out.
  // It must be in hand.
  void put_back(std::uint32_t entry) noexcept {
    (*this)[entry].session = 0;
    --(*this)[entry].deliveries;
  }

  // Frees an entry whose order is decided. It must be in hand.
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

  // Calls visit(entry) for each used entry.
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
    SLUICE_CHECK(control_->unused < control_->capacity, "an order is taken only if the table has room");
    return control_->unused++;
  }

  Control* control_ = nullptr;
  std::byte* entries_ = nullptr;
  std::uint64_t record_bytes_ = 0;
};

}  // namespace sluice
