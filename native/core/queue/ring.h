// A bounded multi-producer single-consumer ring of fixed-size records with exact capacity.
//
//   one line each:  | tail            | limit              | head              |
//                   | producers CAS   | producers, cached  | the consumer      |
//   then the slots: | stamp | record | stamp | record | ...     a power of two >= capacity
//
// A position counts records in the upper 48 bits of a word, and is compared by signed difference only, so it may
// wrap. The lower bits of `tail` decide whether a producer may claim:
//
//   tail:  | position : 48 | permits : 14 | waiting : 1 | closed : 1 |
//
// So one CAS claims, and fails if room was promised, a waiter came, or the ring was closed since the word was read.
// Nothing is published after the consumer has seen that the ring is closed and drained.
//
// A producer claims n positions by a CAS on tail. Before, it compares them with a cached limit (head + capacity), which
// it refreshes from head only when the ring looks full. Then it copies the records, and publishes each slot by storing
// its stamp, which contains the position and thus the lap. No producer waits for an earlier claim: a producer that is
// preempted delays only the consumer, which finds its slot empty until then. The consumer reads stamps, and stores head
// once per batch.
//
// A consumer that has read a record also stores the slot's stamp again: Cursor::pull_stamp_line(). The value is
// unchanged; the store pulls the cache line into the consumer's core, so that the next producer need not invalidate a
// shared copy. Without it, between cores that share no cache, the whole ring was 1.5 to 2.4 times slower (AMD EPYC).
//
// Sources: D. Vyukov's bounded queue (a sequence per slot), JCTools MpscArrayQueue (the cached producer limit), LMAX
// Disruptor (the availability of a record is stored apart from its payload). A full/empty flag instead of a sequence
// would let records be read a whole lap out of order when a producer is preempted.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>

#include "core/base/atomics.h"
#include "core/base/layout.h"

namespace sluice {

inline constexpr int kRingPositionShift = 16;
inline constexpr std::uint64_t kRingStep = 1ULL << kRingPositionShift;
inline constexpr std::uint64_t kRingClosed = 1;
inline constexpr std::uint64_t kRingWaiting = 2;
inline constexpr std::uint64_t kRingPermit = 4;
inline constexpr std::uint64_t kRingPermitsMax = kRingStep / kRingPermit - 1;

template <class A>
struct RingControl {
  using Word = typename A::template atomic<std::uint64_t>;

  alignas(kCacheLine) Word tail;   // next position to claim, permits and flags
  alignas(kCacheLine) Word limit;  // a past value of head + capacity: claims below it need not look at head
  alignas(kCacheLine) Word head;   // next position to consume
};

template <class A>
struct RingSlot {
  typename A::template atomic<std::uint64_t> stamp;  // position + kRingStep once that position is published
};

enum class PushResult : std::uint8_t { kPushed, kFull, kClosed };

template <class A = StdAtomics>
class Ring {
 public:
  struct Claim {
    std::uint64_t position;  // of the first claimed record
    std::uint32_t count;     // records claimed; 0 when full or closed
    bool closed;
  };

  static constexpr std::uint64_t slot_bytes(std::uint64_t record_bytes) {
    return round_up(sizeof(RingSlot<A>) + record_bytes, alignof(RingSlot<A>));
  }
  static constexpr Layout layout(std::uint64_t capacity, std::uint64_t record_bytes) {
    Layout layout;
    layout.note(sizeof(RingSlot<A>), kRingPositionShift, kRingPermit, kRingWaiting, kRingClosed);
    layout.place<RingControl<A>>();
    layout.place_bytes(slot_bytes(record_bytes), std::bit_ceil(capacity));
    return layout;
  }
  static constexpr std::uint64_t bytes(std::uint64_t capacity, std::uint64_t record_bytes) {
    return layout(capacity, record_bytes).bytes();
  }

  // Goes over the slots of consecutive positions.
  class Cursor {
   public:
    Cursor(const Ring& ring, std::uint64_t position) noexcept
        : first_(ring.slots_),
          end_(ring.slots_ + (ring.mask_ + 1) * ring.slot_bytes_),
          slot_bytes_(ring.slot_bytes_),
          slot_(ring.slot(position)),
          position_(position) {}

    std::uint64_t position() const noexcept { return position_; }
    // The record bytes of a claimed position (to write) or of a readable one (to read).
    std::byte* record() const noexcept { return slot_ + sizeof(RingSlot<A>); }
    // Whether the position has been published. Until then, a claimed slot looks empty.
    bool readable() const noexcept {
      // ACQ stamp: pairs with REL stamp in publish().
      return stamp().load(std::memory_order_acquire) == position_ + kRingStep;
    }
    void publish() const noexcept {
      // REL stamp: pairs with ACQ stamp in readable(): the record's bytes are written before it is readable.
      stamp().store(position_ + kRingStep, std::memory_order_release);
    }
    // Takes the cache line of the slot from the producer that wrote it. The consumer calls this after it has read the
    // slot and before advance(), after which a producer may store the stamp of the next lap. Relaxed: REL head in
    // advance() orders this store before the next lap. Until then only these threads read the stamp: this consumer; the
    // next one, for which the lease orders this store; and, in a queue that overwrites, threads that take `front` after
    // this consumer.
    void pull_stamp_line() const noexcept { stamp().store(position_ + kRingStep, std::memory_order_relaxed); }
    void next() noexcept {
      position_ += kRingStep;
      slot_ += slot_bytes_;
      if (slot_ == end_) [[unlikely]]
        slot_ = first_;
    }

   private:
    typename A::template atomic<std::uint64_t>& stamp() const noexcept {
      return reinterpret_cast<RingSlot<A>*>(slot_)->stamp;
    }

    std::byte* first_;
    std::byte* end_;
    std::uint64_t slot_bytes_;
    std::byte* slot_;
    std::uint64_t position_;
  };

  Ring() = default;

  // A view of the ring at `memory`, which must be aligned to kCacheLine and hold bytes(...) bytes.
  Ring(void* memory, std::uint64_t capacity, std::uint64_t record_bytes)
      : control_(static_cast<RingControl<A>*>(memory)),
        slots_(static_cast<std::byte*>(memory) + sizeof(RingControl<A>)),
        capacity_(capacity),
        mask_(std::bit_ceil(capacity) - 1),
        slot_bytes_(slot_bytes(record_bytes)),
        record_bytes_(record_bytes) {}

  // Makes an empty ring whose first record has position `start` (a multiple of kRingStep). Called once, before any
  // thread uses the ring.
  void format(std::uint64_t start) {
    new (control_) RingControl<A>{};
    control_->tail.store(start, std::memory_order_relaxed);
    control_->head.store(start, std::memory_order_relaxed);
    control_->limit.store(start + capacity_ * kRingStep, std::memory_order_relaxed);
    // A slot's first stamp must differ from the stamp that its first record will publish, whatever `start` is.
    for (std::uint64_t i = 0; i <= mask_; ++i) {
      const std::uint64_t position = start + i * kRingStep;
      (new (slot(position)) RingSlot<A>{})->stamp.store(position, std::memory_order_relaxed);
    }
  }

  // ---- producers ----------------------------------------------------------------------------------------

  // Claims up to `want` (>= 1) consecutive positions; none while a waiter waits for room. The caller must write
  // and publish each.
  Claim claim(std::uint32_t want) noexcept {
    // The usual case: nothing is promised, no waiter waits, the ring is open, and there is room below the limit.
    // take_room() handles all other cases.
    std::uint64_t tail = control_->tail.load(std::memory_order_relaxed);
    const std::uint64_t end = tail + want * kRingStep;
    // ACQ limit: as in take_room().
    const std::uint64_t limit = control_->limit.load(std::memory_order_acquire);
    const auto left = static_cast<std::int64_t>(limit - end);
    if ((tail & (kRingStep - 1)) == 0 && left >= 0) [[likely]] {
      // Prefetches a free slot that will soon be claimed, so that its cache line is here by then.
      if (left > kPrefetched) prefetch_to_write(slot(end + kPrefetched));
      // Relaxed: a claim publishes nothing; the stamps do.
      if (control_->tail.compare_exchange_weak(tail, end, std::memory_order_relaxed,
                                               std::memory_order_relaxed)) [[likely]]
        return {tail, want, false};
    }
    return take_room(want, kRingClosed | kRingWaiting, kRingStep);
  }
  // As claim(), but on behalf of the first waiter: it claims while waiters wait.
  Claim claim_waiting(std::uint32_t want) noexcept { return take_room(want, kRingClosed, kRingStep); }

  // Promises room for up to `want` records: no other caller can claim it until it is used or returned.
  Claim reserve(std::uint32_t want) noexcept {
    return take_room(want, kRingClosed | kRingWaiting, kRingPermit);
  }
  Claim reserve_waiting(std::uint32_t want) noexcept { return take_room(want, kRingClosed, kRingPermit); }

  // Claims `used` positions on permits, and returns `unused` more permits. It cannot fail, even if the ring is closed.
  std::uint64_t claim_reserved(std::uint32_t used, std::uint32_t unused) noexcept {
    // Relaxed: a claim publishes nothing; the stamps do.
    const std::uint64_t position = position_of(control_->tail.fetch_add(
        used * kRingStep - (used + std::uint64_t{unused}) * kRingPermit, std::memory_order_relaxed));
    if (used == 0) return position;  // nothing is written
    // The room was promised because a producer, perhaps another one than this, had acquired a head that leaves room.
    // This one must acquire it, too, before it writes these slots. The consumer has stored that head already; this
    // thread may just not see it yet.
    const std::uint64_t end = position + used * kRingStep;
    // ACQ limit: pairs with REL limit in take_room(). ACQ head: pairs with REL head in advance().
    if (static_cast<std::int64_t>(control_->limit.load(std::memory_order_acquire) - end) < 0) {
      while (static_cast<std::int64_t>(control_->head.load(std::memory_order_acquire) +
                                       capacity_ * kRingStep - end) < 0) {
        A::pause();
      }
    }
    return position;
  }

  // Returns permits that are not used.
  void return_permits(std::uint32_t count) noexcept {
    // Relaxed: permits publish no memory.
    control_->tail.fetch_sub(count * kRingPermit, std::memory_order_relaxed);
  }

  // ---- where permits take no room: see overwriting.h --------------------------------------------------------

  // Gives up to `want` permits. A claim on a permit is not refused, even without room.
  Claim reserve_always(std::uint32_t want) noexcept {
    // Relaxed: a promise publishes nothing.
    std::uint64_t tail = control_->tail.load(std::memory_order_relaxed);
    for (;;) {
      if (tail & kRingClosed) return {position_of(tail), 0, true};
      const std::uint64_t left = kRingPermitsMax - permits_of(tail);
      const std::uint32_t count = left < want ? static_cast<std::uint32_t>(left) : want;
      if (count == 0 ||
          control_->tail.compare_exchange_weak(tail, tail + count * kRingPermit, std::memory_order_relaxed,
                                               std::memory_order_relaxed)) {
        return {position_of(tail), count, false};
      }
    }
  }
  // Claims up to `want` positions; with `on_permits`, on as many permits, even if the ring is closed. The last `over`
  // of them have no room until the caller frees the `over` oldest records, which are published. It claims none if there
  // is no room and the oldest record is not published. The caller holds the lock without which no thread moves head, so
  // it sees all that other threads have freed.
  Claim claim_over(std::uint32_t want, bool on_permits, std::uint32_t& over) noexcept {
    if (want > capacity_) want = static_cast<std::uint32_t>(capacity_);
    const std::uint64_t unit = on_permits ? kRingStep - kRingPermit : kRingStep;
    std::uint32_t old = 0;  // how many of the oldest records are published
    // Relaxed: a claim publishes nothing; the stamps do.
    std::uint64_t tail = control_->tail.load(std::memory_order_relaxed);
    for (;;) {
      if ((tail & kRingClosed) && !on_permits) return {position_of(tail), 0, true};
      const auto room = static_cast<std::uint32_t>((head() + capacity_ * kRingStep - position_of(tail)) >>
                                                   kRingPositionShift);
      while (room + old < want && readable(head() + old * kRingStep)) ++old;
      const std::uint32_t count = room + old < want ? room + old : want;
      over = count > room ? count - room : 0;
      if (count == 0 ||
          control_->tail.compare_exchange_weak(tail, tail + count * unit, std::memory_order_relaxed,
                                               std::memory_order_relaxed)) {
        return {position_of(tail), count, false};
      }
    }
  }

  void* record(std::uint64_t position) noexcept { return Cursor(*this, position).record(); }

  void publish(std::uint64_t position) noexcept { Cursor(*this, position).publish(); }

  PushResult push(const void* from) noexcept {
    const Claim claimed = claim(1);
    if (claimed.count == 0) return claimed.closed ? PushResult::kClosed : PushResult::kFull;
    A::write_bytes(record(claimed.position), from, record_bytes_);
    publish(claimed.position);
    return PushResult::kPushed;
  }

  // Whether a push would find no room, because all room is claimed or promised, or a waiter waits for it. The answer is
  // only a hint: other threads may change it at any time.
  bool looks_full() const noexcept {
    const std::uint64_t tail = control_->tail.load(std::memory_order_relaxed);
    const std::uint64_t head = control_->head.load(std::memory_order_relaxed);
    return (tail & kRingWaiting) != 0 || room(tail, head + capacity_ * kRingStep) <= 0;
  }

  // ---- the consumer -------------------------------------------------------------------------------------

  // The next position to consume. Only the consumer writes it; in a queue that overwrites, only a thread that holds
  // `front` (see overwriting.h).
  std::uint64_t head() const noexcept { return control_->head.load(std::memory_order_relaxed); }

  bool readable(std::uint64_t position) const noexcept { return Cursor(*this, position).readable(); }

  void read(std::uint64_t position, void* to) noexcept { A::read_bytes(to, record(position), record_bytes_); }

  // Frees everything before `position` for producers.
  void advance(std::uint64_t position) noexcept {
    // REL head: pairs with ACQ head in take_room() and claim_reserved(): the reads of the freed slots are over.
    control_->head.store(position, std::memory_order_release);
  }

  // Whether the ring is closed and everything that was ever claimed has been consumed.
  bool drained() const noexcept {
    return control_->tail.load(std::memory_order_relaxed) == (head() | kRingClosed);  // no permits, no waiter
  }

  // ---- RoomWaiters, under its lock -------------------------------------------------------------------------

  // After this, claim() and reserve() fail until stop_waiting(). For the handshake with a thread that frees room see
  // RoomWaiters.
  void start_waiting() noexcept { control_->tail.fetch_or(kRingWaiting, std::memory_order_relaxed); }
  void stop_waiting() noexcept { control_->tail.fetch_and(~kRingWaiting, std::memory_order_relaxed); }
  bool somebody_waits() const noexcept {
    return control_->tail.load(std::memory_order_relaxed) & kRingWaiting;
  }

  // ---- anyone -------------------------------------------------------------------------------------------

  // Closes the ring: afterwards only claims on permits succeed. Returns whether this call closed it.
  bool close() noexcept {
    // Relaxed: closing publishes no data; the doorbell that follows it has the fence.
    std::uint64_t tail = control_->tail.load(std::memory_order_relaxed);
    while (!(tail & kRingClosed)) {
      if (control_->tail.compare_exchange_weak(tail, tail | kRingClosed, std::memory_order_relaxed,
                                               std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
  bool closed() const noexcept { return control_->tail.load(std::memory_order_relaxed) & kRingClosed; }

  // Records claimed and not yet consumed: 0 to capacity().
  std::uint64_t depth() const noexcept {
    // Head is read first: tail is then at least as new, so the difference cannot be negative. It may exceed the
    // capacity when head moved in between. ACQ head keeps the two loads in this order.
    const std::uint64_t head = control_->head.load(std::memory_order_acquire);
    const std::uint64_t depth =
        (position_of(control_->tail.load(std::memory_order_relaxed)) - head) / kRingStep;
    return depth < capacity_ ? depth : capacity_;
  }

  // The oldest position that is not consumed. The consumer may have consumed it meanwhile.
  std::uint64_t front() const noexcept {
    // ACQ head: pairs with REL head in advance(), so that a later load of the tail finds no older position than this.
    return control_->head.load(std::memory_order_acquire);
  }
  std::uint64_t permits() const noexcept {
    return permits_of(control_->tail.load(std::memory_order_relaxed));
  }
  std::uint64_t claimed() const noexcept {
    return position_of(control_->tail.load(std::memory_order_relaxed));
  }
  std::uint64_t capacity() const noexcept { return capacity_; }
  std::uint64_t record_bytes() const noexcept { return record_bytes_; }
  std::uint64_t slot_index(std::uint64_t position) const noexcept {
    return (position >> kRingPositionShift) & mask_;
  }

 private:
  static std::uint64_t position_of(std::uint64_t tail) noexcept { return tail & ~(kRingStep - 1); }
  static std::uint64_t permits_of(std::uint64_t tail) noexcept {
    return (tail & (kRingStep - 1)) / kRingPermit;
  }
  // How many more records fit below `limit`, beside those that are claimed or promised. Negative for an outdated limit.
  static std::int64_t room(std::uint64_t tail, std::uint64_t limit) noexcept {
    return (static_cast<std::int64_t>(limit - position_of(tail)) >> kRingPositionShift) -
           static_cast<std::int64_t>(permits_of(tail));
  }

  // Moves tail by up to `want` units (positions or permits) unless one of the `refused_by` flags is set.
  Claim take_room(std::uint32_t want, std::uint64_t refused_by, std::uint64_t unit) noexcept {
    // Relaxed: if another producer has moved tail since, the CAS below fails.
    std::uint64_t tail = control_->tail.load(std::memory_order_relaxed);
    for (;;) {
      if (tail & refused_by) [[unlikely]]
        return {position_of(tail), 0, (tail & kRingClosed) != 0};
      // ACQ limit: pairs with REL limit below, whose writer had acquired head: the slots below the limit have been
      // read.
      std::uint64_t limit = control_->limit.load(std::memory_order_acquire);
      std::int64_t free = room(tail, limit);
      if (free < static_cast<std::int64_t>(want)) {
        // ACQ head: pairs with REL head in advance(): the consumer has finished reading what it frees.
        limit = control_->head.load(std::memory_order_acquire) + capacity_ * kRingStep;
        free = room(tail, limit);
        // REL limit: publishes the head that this producer has acquired. A slower producer may overwrite the limit with
        // an older one: that is only too small, and will be refreshed again.
        control_->limit.store(limit, std::memory_order_release);
        if (free <= 0) {
          // The ring is full for the tail that was read. If tail has changed since, look again.
          const std::uint64_t now = control_->tail.load(std::memory_order_relaxed);
          if (now == tail) return {position_of(tail), 0, false};
          tail = now;
          continue;
        }
      }
      std::uint32_t count = free < static_cast<std::int64_t>(want) ? static_cast<std::uint32_t>(free) : want;
      if (unit == kRingPermit) {
        const std::uint64_t left = kRingPermitsMax - permits_of(tail);
        if (left < count) count = static_cast<std::uint32_t>(left);
        if (count == 0) return {position_of(tail), 0, false};
      }
      // Relaxed: a claim publishes nothing; the stamps do.
      if (control_->tail.compare_exchange_weak(tail, tail + count * unit, std::memory_order_relaxed,
                                               std::memory_order_relaxed)) {
        return {position_of(tail), count, false};
      }
    }
  }
  std::byte* slot(std::uint64_t position) const noexcept {
    return slots_ + slot_index(position) * slot_bytes_;
  }

  // How far behind a claim the prefetched slot is.
  static constexpr std::int64_t kPrefetched = 16 * static_cast<std::int64_t>(kRingStep);

  RingControl<A>* control_ = nullptr;
  std::byte* slots_ = nullptr;
  std::uint64_t capacity_ = 0;
  std::uint64_t mask_ = 0;
  std::uint64_t slot_bytes_ = 0;
  std::uint64_t record_bytes_ = 0;
};

static_assert(offsetof(RingControl<StdAtomics>, limit) == kCacheLine);
static_assert(offsetof(RingControl<StdAtomics>, head) == 2 * kCacheLine);
static_assert(sizeof(RingControl<StdAtomics>) == 3 * kCacheLine);

}  // namespace sluice
