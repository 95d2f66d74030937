// A bounded multi-producer single-consumer ring of fixed-size records with exact capacity.
//
//   one line each:  | tail            | limit              | head              |
//                   | producers CAS   | producers, cached  | the consumer      |
//   then the slots: | stamp | record | stamp | record | ...     a power of two >= capacity
//
// A position counts records in steps of two: bit 0 of `tail` is the closed flag, so one CAS both claims and
// finds out that the ring is closed, and nothing can be published after the consumer saw "closed and drained".
// Positions wrap at 2^64 and are compared by signed difference only.
//
// A producer claims n positions by a CAS on tail, checked against a cached limit (head + capacity; refreshed
// from head only when the ring looks full), copies, and publishes each slot by storing its lap-stamped
// sequence. Nobody waits for an earlier claim: a preempted producer makes its own slot "empty for now" and
// nothing more. The consumer reads stamps, never writes a slot, and stores head once per batch.
//
// Sources: D. Vyukov's bounded queue (a sequence per slot), JCTools MpscArrayQueue (the cached producer limit),
// LMAX Disruptor (availability apart from payload). A full/empty flag instead of a sequence would let a whole
// lap come out of order when a producer is preempted.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>

#include "core/atomics.h"

namespace sluice {

inline constexpr std::uint64_t kRingStep = 2;
inline constexpr std::uint64_t kRingClosed = 1;

template <class A>
struct RingControl {
  using Word = typename A::template atomic<std::uint64_t>;

  alignas(kCacheLine) Word tail;   // next position to claim | kRingClosed
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
  static constexpr std::uint64_t bytes(std::uint64_t capacity, std::uint64_t record_bytes) {
    return sizeof(RingControl<A>) + std::bit_ceil(capacity) * slot_bytes(record_bytes);
  }

  // A view of the ring at `memory`, which must be aligned to kCacheLine and hold bytes(...) bytes.
  Ring(void* memory, std::uint64_t capacity, std::uint64_t record_bytes)
      : control_(static_cast<RingControl<A>*>(memory)),
        slots_(static_cast<std::byte*>(memory) + sizeof(RingControl<A>)),
        capacity_(capacity),
        mask_(std::bit_ceil(capacity) - 1),
        slot_bytes_(slot_bytes(record_bytes)),
        record_bytes_(record_bytes) {}

  // Makes an empty ring whose first record has position `start` (even). Once, before any thread uses it.
  void format(std::uint64_t start) {
    new (control_) RingControl<A>{};
    control_->tail.store(start, std::memory_order_relaxed);
    control_->head.store(start, std::memory_order_relaxed);
    control_->limit.store(start + capacity_ * kRingStep, std::memory_order_relaxed);
    // A slot's first stamp must differ from the one its first record will publish, whatever `start` is.
    for (std::uint64_t i = 0; i <= mask_; ++i) {
      const std::uint64_t position = start + i * kRingStep;
      (new (slot(position)) RingSlot<A>{})->stamp.store(position, std::memory_order_relaxed);
    }
  }

  // ---- producers ----------------------------------------------------------------------------------------

  // Claims up to `want` (>= 1) consecutive positions. What is claimed must be written and published.
  Claim claim(std::uint32_t want) noexcept {
    // Pairs with the CAS of other producers only through the value: a stale tail makes the CAS fail.
    std::uint64_t tail = control_->tail.load(std::memory_order_relaxed);
    for (;;) {
      if (tail & kRingClosed) return {tail, 0, true};
      // ACQ limit: pairs with REL limit below, whose writer had acquired head: slots under the limit are read.
      std::uint64_t limit = control_->limit.load(std::memory_order_acquire);
      std::int64_t room = static_cast<std::int64_t>(limit - tail) / static_cast<std::int64_t>(kRingStep);
      if (room < static_cast<std::int64_t>(want)) {
        // ACQ head: pairs with REL head in advance(): the consumer has finished reading what it frees.
        limit = control_->head.load(std::memory_order_acquire) + capacity_ * kRingStep;
        room = static_cast<std::int64_t>(limit - tail) / static_cast<std::int64_t>(kRingStep);
        // REL limit: hands this producer's view of head on. A slower one may overwrite it with an older
        // limit; that is only too small, and refreshed again.
        control_->limit.store(limit, std::memory_order_release);
        if (room <= 0) {
          // Full for the tail that was read; if that tail is old, look again.
          const std::uint64_t now = control_->tail.load(std::memory_order_relaxed);
          if (now == tail) return {tail, 0, false};
          tail = now;
          continue;
        }
      }
      const std::uint32_t count = room < static_cast<std::int64_t>(want) ? static_cast<std::uint32_t>(room) : want;
      // Relaxed: a claim publishes nothing; the stamps do.
      if (control_->tail.compare_exchange_weak(tail, tail + count * kRingStep, std::memory_order_relaxed,
                                               std::memory_order_relaxed)) {
        return {tail, count, false};
      }
    }
  }

  // The record bytes of a claimed position (to write) or of a readable one (to read).
  void* record(std::uint64_t position) noexcept { return slot(position) + sizeof(RingSlot<A>); }

  void publish(std::uint64_t position) noexcept {
    // REL stamp: pairs with ACQ stamp in readable(): the record's bytes are written before it is readable.
    stamp(position).store(position + kRingStep, std::memory_order_release);
  }

  PushResult push(const void* from) noexcept {
    const Claim claimed = claim(1);
    if (claimed.count == 0) return claimed.closed ? PushResult::kClosed : PushResult::kFull;
    A::write_bytes(record(claimed.position), from, record_bytes_);
    publish(claimed.position);
    return PushResult::kPushed;
  }

  // Whether a push would find no room. A hint: another thread may change it at once.
  bool looks_full() const noexcept { return depth() >= capacity_; }

  // ---- the consumer -------------------------------------------------------------------------------------

  // The next position to consume. Only the consumer writes it.
  std::uint64_t head() const noexcept { return control_->head.load(std::memory_order_relaxed); }

  // Whether `position` has been published. A claimed, unpublished slot is "empty for now".
  bool readable(std::uint64_t position) const noexcept {
    // ACQ stamp: pairs with REL stamp in publish().
    return stamp(position).load(std::memory_order_acquire) == position + kRingStep;
  }

  void read(std::uint64_t position, void* to) noexcept { A::read_bytes(to, record(position), record_bytes_); }

  // Frees everything before `position` for producers.
  void advance(std::uint64_t position) noexcept {
    // REL head: pairs with ACQ head in claim(): the reads of the freed slots are over.
    control_->head.store(position, std::memory_order_release);
  }

  // Whether the ring is closed and everything that was ever claimed has been consumed.
  bool drained() const noexcept {
    return control_->tail.load(std::memory_order_relaxed) == (head() | kRingClosed);
  }

  // ---- anyone -------------------------------------------------------------------------------------------

  // No claim succeeds after this. Returns whether this call closed the ring.
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
    // Head first: tail is then at least as new, so the difference cannot be negative. It may exceed the
    // capacity when head moved in between. ACQ head keeps the two loads in this order.
    const std::uint64_t head = control_->head.load(std::memory_order_acquire);
    const std::uint64_t depth = (position_of(control_->tail.load(std::memory_order_relaxed)) - head) / kRingStep;
    return depth < capacity_ ? depth : capacity_;
  }

  std::uint64_t claimed() const noexcept { return position_of(control_->tail.load(std::memory_order_relaxed)); }
  std::uint64_t capacity() const noexcept { return capacity_; }
  std::uint64_t record_bytes() const noexcept { return record_bytes_; }
  std::uint64_t slot_index(std::uint64_t position) const noexcept { return (position / kRingStep) & mask_; }

 private:
  static std::uint64_t position_of(std::uint64_t tail) noexcept { return tail & ~kRingClosed; }
  std::byte* slot(std::uint64_t position) const noexcept { return slots_ + slot_index(position) * slot_bytes_; }
  typename A::template atomic<std::uint64_t>& stamp(std::uint64_t position) const noexcept {
    return reinterpret_cast<RingSlot<A>*>(slot(position))->stamp;
  }

  RingControl<A>* control_;
  std::byte* slots_;
  std::uint64_t capacity_;
  std::uint64_t mask_;
  std::uint64_t slot_bytes_;
  std::uint64_t record_bytes_;
};

static_assert(offsetof(RingControl<StdAtomics>, limit) == kCacheLine);
static_assert(offsetof(RingControl<StdAtomics>, head) == 2 * kCacheLine);
static_assert(sizeof(RingControl<StdAtomics>) == 3 * kCacheLine);

}  // namespace sluice
