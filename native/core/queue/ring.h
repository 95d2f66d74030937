// A bounded multi-producer single-consumer ring of fixed-size records with exact capacity.
//
//   a cache line each:  | tail            | limit              | head              |
//                       | producers CAS   | producers, cached  | the consumer      |
//   then the slots:     | stamp | record | stamp | record | ...     a power of two >= capacity
//
// A position counts records in the upper 48 bits of a word, and is compared by signed difference only, so it may
// wrap. The lower bits of `tail` decide whether a producer may claim:
//
//   tail:  | position : 48 | permits : 14 | waiting : 1 | closed : 1 |
//
// So one CAS claims, and fails if room was promised, a waiter came, or the ring was closed since the producer read the
// word. No record is published after the consumer has seen that the ring is closed and drained.
//
// A producer claims n positions by a CAS on tail. Before that, it compares the positions with a cached limit (head +
// capacity), which it refreshes from head only when the limit leaves too little room. A claim on permits, which already
// have their room, is an addition to tail instead. Then the producer copies the records, and publishes each slot by
// storing its stamp, which contains the position and thus the lap. No producer waits for an earlier claim: if a
// producer is preempted between claim and publication, only the consumer waits, which finds that producer's slot empty.
// (For a queue that overwrites see claim_over().) The consumer reads stamps, and stores head once for all records that
// it frees at one time.
//
// A consumer that has read a record also stores the slot's stamp again: Cursor::pull_stamp_line(). The value is
// unchanged; the store pulls the cache line into the consumer's core, so that the next producer need not invalidate a
// shared copy. Without this store, between cores that share no cache, the whole ring was 1.5 to 2.4 times slower (AMD
// EPYC).
//
// Sources: D. Vyukov's bounded queue (a sequence per slot), JCTools MpscArrayQueue (the cached producer limit), LMAX
// Disruptor (the availability of a record is stored apart from its payload). A full/empty flag instead of a stamp with
// the position would let records be read a whole lap out of order when a producer is preempted.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "core/base/atomics.h"
#include "core/base/layout.h"
#include "core/base/probe.h"

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

  alignas(kCacheLine) Word tail;   // the next position to claim, permits and flags
  alignas(kCacheLine) Word limit;  // a past value of head + capacity: a claim below it need not look at head
  alignas(kCacheLine) Word head;   // the next position to consume
};

template <class A>
struct RingSlot {
  // Once the record of a position is published: that position + kRingStep.
  typename A::template atomic<std::uint64_t> stamp;
};

enum class PushResult : std::uint8_t { kPushed, kFull, kClosed };

template <class A = StdAtomics>
class Ring {
 public:
  // The result of a function that claims positions, or takes permits.
  struct Claim {
    std::uint64_t position;  // the first position claimed
    std::uint32_t count;     // how many positions were claimed, or permits taken; 0: refused
    bool closed;             // if refused: whether the ring is closed
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
    // The bytes of the record: to be written if this thread has claimed the position, to be read if it is readable().
    std::byte* record() const noexcept { return slot_ + sizeof(RingSlot<A>); }
    // Whether the record of the position has been published. A slot that is only claimed looks empty.
    bool readable() const noexcept {
      // ACQ stamp: pairs with REL stamp in publish().
      return stamp().load(std::memory_order_acquire) == position_ + kRingStep;
    }
    void publish() const noexcept {
      SLUICE_PROBE(push, reinterpret_cast<std::uintptr_t>(first_), position_);
      // REL stamp: pairs with ACQ stamp in readable(): the record's bytes are written before it is readable.
      stamp().store(position_ + kRingStep, std::memory_order_release);
    }
    // Takes the cache line of the stamp from the core of the producer that wrote it: see the head of this file. The
    // consumer calls this after it has read the slot and before advance(), after which a producer may store the stamp
    // of the next lap. Relaxed: REL head in advance() orders this store before that stamp. Before advance(), only these
    // threads read the record after they have read the stamp: this consumer; the next one, for which the lease orders
    // this store; and, in a queue that overwrites, threads that take `front` after this consumer.
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
      // Prefetches a free slot that this thread may soon claim, so that its cache line is in this core's cache by then.
      if (left > kPrefetched) prefetch_to_write(slot(end + kPrefetched));
      // Relaxed: a claim publishes nothing; the stamps do.
      if (control_->tail.compare_exchange_weak(tail, end, std::memory_order_relaxed,
                                               std::memory_order_relaxed)) [[likely]]
        return {tail, want, false};
    }
    return take_room(want, kRingClosed | kRingWaiting, kRingStep);
  }
  // Does what claim() does, for the first of the waiters: it claims although waiters wait.
  Claim claim_waiting(std::uint32_t want) noexcept { return take_room(want, kRingClosed, kRingStep); }

  // Promises room for up to `want` records to the caller: takes as many permits. No other caller can claim that room
  // until the permits are used or returned.
  Claim reserve(std::uint32_t want) noexcept {
    return take_room(want, kRingClosed | kRingWaiting, kRingPermit);
  }
  // Does what reserve() does, for the first of the waiters.
  Claim reserve_waiting(std::uint32_t want) noexcept { return take_room(want, kRingClosed, kRingPermit); }

  // Claims `used` positions on as many permits, gives back `unused` more permits, and returns the first position. It
  // cannot fail, even if the ring is closed.
  std::uint64_t claim_reserved(std::uint32_t used, std::uint32_t unused) noexcept {
    // Relaxed: a claim publishes nothing; the stamps do.
    const std::uint64_t position = position_of(control_->tail.fetch_add(
        used * kRingStep - (used + std::uint64_t{unused}) * kRingPermit, std::memory_order_relaxed));
    if (used == 0) return position;  // the caller writes no slot
    // The room was promised because a producer, perhaps another one than this, had acquired a head that leaves room.
    // This thread must acquire such a head, too, before it writes these slots. The consumer has already stored one;
    // this thread may only not see it yet.
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

  // Gives back permits that are not used.
  void return_permits(std::uint32_t count) noexcept {
    // Relaxed: permits publish no memory.
    control_->tail.fetch_sub(count * kRingPermit, std::memory_order_relaxed);
  }

  // ---- where permits take no room: see overwriting.h --------------------------------------------------------

  // Gives the caller up to `want` permits, even without room. claim_over() does not refuse a claim on a permit.
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
  // Claims up to `want` positions; with `on_permits`, on as many permits, even if the ring is closed. Sets `over`: the
  // last `over` of these positions have no room until the caller frees the `over` oldest records, which are published.
  // Claims none if there is no room and the oldest record is not published. The caller holds the lock without which no
  // thread moves head, so it sees all that other threads have freed.
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

  // ---- runs: several records that lie behind each other as in the ring, each behind room for a stamp ----------

  // Claims up to `want` consecutive positions for the records of a run, and writes the stamps of the run. The caller
  // must then call publish_run() with this claim.
  Claim claim_run(std::byte* run, std::uint32_t want) noexcept {
    return take_room(want, kRingClosed | kRingWaiting, kRingStep,
                     [&](std::uint64_t position, std::uint32_t count) {
                       for (std::uint32_t i = 0; i < count; ++i) {
                         const std::uint64_t stamp = position + (i + std::uint64_t{1}) * kRingStep;
                         std::memcpy(run + i * slot_bytes_, &stamp, sizeof stamp);
                       }
                     });
  }
  // Copies the run into the slots of the claim, and publishes it by the stamp of its first record. The stamps of the
  // others are plain bytes of the copy: the consumer reads the stamp of a position only after it has found the record
  // before it readable, or that record was consumed. So REL stamp in publish() also orders them.
  void publish_run(const std::byte* run, const Claim& claim) noexcept {
    const std::uint64_t count = run_at(claim.position, claim.count);
    constexpr std::uint64_t kStamp = sizeof(RingSlot<A>);
    std::memcpy(slot(claim.position) + kStamp, run + kStamp, count * slot_bytes_ - kStamp);
    std::memcpy(slots_, run + count * slot_bytes_, (claim.count - count) * slot_bytes_);
    publish(claim.position);
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

  // Whether a push would find no room, because all room is claimed or promised, or because a waiter waits for room. The
  // answer is only a hint: other threads may claim or free room at any time.
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

  // How many of `count` positions from this one on have slots behind each other, without the step to the first slot.
  std::uint32_t run_at(std::uint64_t position, std::uint32_t count) const noexcept {
    const std::uint64_t to_end = mask_ + 1 - slot_index(position);
    return count < to_end ? count : static_cast<std::uint32_t>(to_end);
  }

  void read(std::uint64_t position, void* to) noexcept { A::read_bytes(to, record(position), record_bytes_); }

  // Frees all slots before `position` for producers.
  void advance(std::uint64_t position) noexcept {
    // REL head: pairs with ACQ head in take_room() and claim_reserved(): the reads of the freed slots are over.
    control_->head.store(position, std::memory_order_release);
  }

  // Whether the ring is closed, all records that were ever claimed have left it, and there is neither a permit nor a
  // waiter.
  bool drained() const noexcept {
    return control_->tail.load(std::memory_order_relaxed) == (head() | kRingClosed);
  }

  // ---- RoomWaiters, under its lock -------------------------------------------------------------------------

  // Afterwards claim() and reserve() are refused until stop_waiting(). For the handshake with a thread that frees room
  // see RoomWaiters.
  void start_waiting() noexcept { control_->tail.fetch_or(kRingWaiting, std::memory_order_relaxed); }
  void stop_waiting() noexcept { control_->tail.fetch_and(~kRingWaiting, std::memory_order_relaxed); }
  bool somebody_waits() const noexcept {
    return control_->tail.load(std::memory_order_relaxed) & kRingWaiting;
  }

  // ---- any thread ---------------------------------------------------------------------------------------

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
    // Head is read first: tail is then at least as new, so the difference cannot be negative. The difference may exceed
    // the capacity if head has moved between the two loads. ACQ head keeps the loads in this order.
    const std::uint64_t head = control_->head.load(std::memory_order_acquire);
    const std::uint64_t depth =
        (position_of(control_->tail.load(std::memory_order_relaxed)) - head) / kRingStep;
    return depth < capacity_ ? depth : capacity_;
  }

  // The oldest position that was not consumed at the moment of the load. The consumer may have consumed it since.
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
  const void* memory() const noexcept { return control_; }
  // Names the ring to tracers, the same in all threads of the process: the address of the first slot.
  std::uint64_t id() const noexcept { return reinterpret_cast<std::uintptr_t>(slots_); }
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
  // How many positions below `limit` are neither claimed nor promised. Negative if the limit is out of date, or if
  // there are more permits than room (see reserve_always()).
  static std::int64_t room(std::uint64_t tail, std::uint64_t limit) noexcept {
    return (static_cast<std::int64_t>(limit - position_of(tail)) >> kRingPositionShift) -
           static_cast<std::int64_t>(permits_of(tail));
  }

  // Adds up to `want` times `unit` (one position, or one permit) to tail. Refuses if one of the flags `refused_by` is
  // set. Calls prepare(position, count) before each attempt to claim these positions.
  template <class Prepare>
  Claim take_room(std::uint32_t want, std::uint64_t refused_by, std::uint64_t unit,
                  const Prepare& prepare) noexcept {
    // Relaxed: if another producer has moved tail since, the CAS below fails.
    std::uint64_t tail = control_->tail.load(std::memory_order_relaxed);
    for (;;) {
      if (tail & refused_by) [[unlikely]]
        return {position_of(tail), 0, (tail & kRingClosed) != 0};
      // ACQ limit: pairs with REL limit below. The thread that stored the limit had acquired head before, so the
      // consumer has finished reading the slots that the limit frees.
      std::uint64_t limit = control_->limit.load(std::memory_order_acquire);
      std::int64_t free = room(tail, limit);
      if (free < static_cast<std::int64_t>(want)) {
        // ACQ head: pairs with REL head in advance(): the consumer has finished reading what it frees.
        limit = control_->head.load(std::memory_order_acquire) + capacity_ * kRingStep;
        free = room(tail, limit);
        // REL limit: publishes the head that this producer has acquired. A slower producer may store an older limit
        // over this one. That limit is only too small, and a later claim refreshes it.
        control_->limit.store(limit, std::memory_order_release);
        if (free <= 0) {
          // The ring is full, as far as the tail that was read shows. If tail has changed since, this looks again.
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
      SLUICE_ASSUME(count !=
                    0);  // so that a caller need not ask whether a claim that succeeded has no position
      prepare(position_of(tail), count);
      // Relaxed: a claim publishes nothing; the stamps do.
      if (control_->tail.compare_exchange_weak(tail, tail + count * unit, std::memory_order_relaxed,
                                               std::memory_order_relaxed)) {
        return {position_of(tail), count, false};
      }
    }
  }
  Claim take_room(std::uint32_t want, std::uint64_t refused_by, std::uint64_t unit) noexcept {
    return take_room(want, refused_by, unit, [](std::uint64_t, std::uint32_t) {});
  }
  std::byte* slot(std::uint64_t position) const noexcept {
    return slots_ + slot_index(position) * slot_bytes_;
  }

  // How many positions after the end of a claim the prefetched slot is.
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
