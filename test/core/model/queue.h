// A queue for models: native/core's ring and doorbell, with an event in place of the eventfd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "core/queue/doorbell.h"
#include "core/queue/ring.h"
#include "relacy_atomics.h"

namespace sluice::model {

// Works as an eventfd does: a thread that hears the bell sees what each thread wrote before that thread rang, even if
// the bell was ringing already. (With Relacy's event alone, it would not see what the later ringers wrote.)
class ModelBell {
 public:
  ModelBell() { event_.init(false, false, info(Site::current())); }
  ~ModelBell() { event_.deinit(info(Site::current())); }

  void ring() {
    rung_.fetch_add(1, std::memory_order_acq_rel);
    event_.set(info(Site::current()));
  }
  void listen() {
    event_.wait(false, false, info(Site::current()));
    rung_.exchange(0, std::memory_order_acq_rel);
  }

 private:
  rl::generic_event event_;
  Atomic<std::uint32_t> rung_{0};
};

template <std::uint64_t kCapacity>
class QueueModel {
 public:
  using ModelRing = Ring<RelacyAtomics>;
  using ModelDoorbell = Doorbell<RelacyAtomics>;

  // Positions start two records before they wrap around.
  static constexpr std::uint64_t kStart = 0 - 2 * kRingStep;

  QueueModel() : ring(ring_memory_, kCapacity, sizeof(PlainWord)) {
    ring.format(kStart);
    for (std::uint64_t i = 0; i < kSlots; ++i) new (ring.record(i * kRingStep)) PlainWord;
    doorbell = new (doorbell_memory_) ModelDoorbell;
  }
  ~QueueModel() {
    std::destroy_at(doorbell);
    for (std::uint64_t i = 0; i < kSlots; ++i) {
      auto* record = static_cast<PlainWord*>(ring.record(i * kRingStep));
      auto* slot = reinterpret_cast<RingSlot<RelacyAtomics>*>(reinterpret_cast<std::byte*>(record) -
                                                              sizeof(RingSlot<RelacyAtomics>));
      std::destroy_at(record);
      std::destroy_at(slot);
    }
    std::destroy_at(reinterpret_cast<RingControl<RelacyAtomics>*>(ring_memory_));
  }

  // ---- producers ----

  void ring_if_parked() {
    if (doorbell->must_ring()) bell_.ring();
  }

  // Pushes as soon as there is room. Returns false if the ring is closed. `asks`: as the WebAssembly face does, which
  // cannot ring, and asks first whether it must let native code ring.
  bool push_waiting(std::uint64_t value, bool asks = false) {
    PushResult result;
    while ((result = ring.push(&value)) == PushResult::kFull) RelacyAtomics::pause();
    if (result == PushResult::kPushed && (!asks || doorbell->awaited())) ring_if_parked();
    return result == PushResult::kPushed;
  }

  // ---- the consumer ----

  // Does what QueueConsumer::park() in core/queue/queue_consumer.h does for a queue of one lane.
  bool park() {
    doorbell->park();
    if (!ring.readable(ring.head()) && !ring.drained()) return true;
    doorbell->unpark();
    return false;
  }

  // Sleeps until the bell rings, unless there is something to do. Relacy reports a lost wake-up as a deadlock.
  void sleep() {
    if (park()) bell_.listen();
  }

  // Calls `visit(value)` for each readable record, then frees all of them at once. Returns how many there were.
  template <class Visit>
  std::uint64_t drain(Visit&& visit) {
    std::uint64_t count = 0;
    ModelRing::Cursor at(ring, ring.head());
    for (; at.readable(); at.next(), ++count) {
      std::uint64_t value = 0;
      ring.read(at.position(), &value);
      at.pull_stamp_line();
      visit(value);
    }
    if (count != 0) ring.advance(at.position());
    return count;
  }

  ModelRing ring;
  ModelDoorbell* doorbell;

 private:
  static constexpr std::uint64_t kSlots = std::bit_ceil(kCapacity);

  // Static, because Relacy places the model's other members in memory whose alignment is too small for these.
  alignas(kCacheLine) static inline std::byte ring_memory_[ModelRing::bytes(kCapacity, sizeof(PlainWord))];
  alignas(kCacheLine) static inline std::byte doorbell_memory_[sizeof(ModelDoorbell)];

  ModelBell bell_;
};

// Makes records, of the value producer * 16 + number, and checks that the consumer sees each producer's in order.
class Arrivals {
 public:
  static std::uint64_t record(unsigned producer, unsigned number) { return producer * 16 + number; }

  void expect(std::uint64_t value) {
    const std::uint64_t producer = value / 16;
    require(producer < kProducers, "each record was made by a producer");
    require(value % 16 == next_[producer],
            "each producer's records arrive in its order, none missing or twice");
    ++next_[producer];
  }
  std::uint64_t from(unsigned producer) const { return next_[producer]; }

 private:
  static constexpr unsigned kProducers = 2;
  std::uint64_t next_[kProducers] = {};
};

}  // namespace sluice::model
