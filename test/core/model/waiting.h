// A queue with waiters for room, for models: RoomWaiters, ring and doorbell of native/core, and a bell for each thread
// in place of its eventfd.
#pragma once

#include <ostream>

#include "core/queue/room_waiters.h"
#include "queue.h"

namespace sluice {

// Prints a state in the history of a defect.
inline std::ostream& operator<<(std::ostream& out, WaiterState state) {
  return out << static_cast<std::uint32_t>(state);
}

}  // namespace sluice

namespace sluice::model {

template <std::uint64_t kCapacity, std::uint32_t kWaiters, unsigned kOwners>
class WaitingModel : public QueueModel<kCapacity> {
 public:
  using ModelLine = RoomWaiters<RelacyAtomics>;
  using ModelWaiter = typename ModelLine::Waiter;
  using Base = QueueModel<kCapacity>;
  using Base::ring;

  WaitingModel() : line(memory_, kWaiters, sizeof(PlainWord)) {
    line.format();
    for (std::uint32_t i = 0; i < kWaiters; ++i) new (payload(i)) PlainWord;
  }
  ~WaitingModel() {
    for (std::uint32_t i = 0; i < kWaiters; ++i) {
      std::destroy_at(static_cast<PlainWord*>(payload(i)));
      std::destroy_at(reinterpret_cast<ModelWaiter*>(memory_ + kPlaces) + i);
    }
    std::destroy_at(reinterpret_cast<typename ModelLine::Control*>(memory_));
  }

  // Serves the waiters, as Queue::serve_waiting() in core/queue/queue.h and its caller do.
  void serve() {
    WokenOwners woken;
    line.serve(ring, 0, woken);
    wake(woken);
    Base::ring_if_parked();
  }
  void close() {
    require(ring.close(), "the first to close closes");
    WokenOwners woken;
    line.close(ring, 0, woken);
    wake(woken);
    Base::ring_if_parked();
  }

  // The next two functions begin to wait, for a push or for permits, look for room once more, and return the waiter.
  std::uint32_t wait_to_push(unsigned owner, std::uint64_t value) { return joined(owner, 0, &value); }
  std::uint32_t wait_to_reserve(unsigned owner, std::uint32_t permits) {
    return joined(owner, permits, nullptr);
  }
  // Sleeps until the waiter is served or the queue is closed. Returns whether it was served. Relacy reports a lost
  // wake-up as a deadlock.
  bool served(unsigned owner, std::uint32_t waiter) {
    while (line.state(waiter) == WaiterState::kWaiting) bells_[owner].listen();
    const bool was = line.state(waiter) == WaiterState::kServed;
    line.retire(waiter);
    return was;
  }
  bool leave(std::uint32_t waiter) {
    std::uint32_t lane = 0;
    if (!line.leave([this](std::uint32_t) -> typename Base::ModelRing& { return ring; }, waiter, lane))
      return false;
    serve();
    return true;
  }
  // Does what Queue::abandon() and QueueSession::end() do.
  void abandon(unsigned owner) {
    std::uint32_t unused = 0;
    line.abandon([this](std::uint32_t) -> typename Base::ModelRing& { return ring; }, owner,
                 [&unused](std::uint32_t, std::uint32_t permits) { unused += permits; });
    if (unused != 0) ring.return_permits(unused);
    serve();
  }
  // Closes the queue. Returns whether each place for a waiter is free, and given out only once.
  bool all_free() {
    ring.close();
    std::uint32_t seen = 0;
    for (std::uint32_t i = 0; i < kWaiters; ++i) {
      const std::uint32_t waiter = line.join(ring, 0, 0, 1, [](void*) {});
      if (waiter != kNoWaiter) seen |= 1u << waiter;
    }
    return seen == (1u << kWaiters) - 1 && line.join(ring, 0, 0, 1, [](void*) {}) == kNoWaiter;
  }
  void push_reserved(std::uint64_t value, std::uint32_t unused) {
    const std::uint64_t position = ring.claim_reserved(1, unused);
    RelacyAtomics::write_bytes(ring.record(position), &value, sizeof value);
    ring.publish(position);
    if (unused != 0) serve();
    Base::ring_if_parked();
  }

  // Does what QueueConsumer::free_shown(), somebody_waits() and their caller do. Returns whether there was a record.
  template <class Visit>
  bool consume(Visit&& visit) {
    if (Base::drain(visit) == 0) return false;
    ModelLine::freed_room();
    if (line.waiting() != 0) serve();
    return true;
  }

  ModelLine line;

 private:
  // Where the places and the payloads begin: see RoomWaiters.
  static constexpr std::uint64_t kPlaces = sizeof(typename ModelLine::Control);
  static constexpr std::uint64_t kPayloads = kPlaces + round_up(kWaiters * sizeof(ModelWaiter), kCacheLine);
  static constexpr std::uint64_t kPayload = round_up(sizeof(PlainWord), 8);

  std::uint32_t joined(unsigned owner, std::uint32_t permits, const std::uint64_t* value) {
    const std::uint32_t waiter = line.join(ring, 0, owner, permits, [value](void* place) {
      if (value != nullptr) RelacyAtomics::write_bytes(place, value, sizeof *value);
    });
    require(waiter != kNoWaiter, "there is a place for every waiter");
    serve();
    return waiter;
  }
  void wake(const WokenOwners& woken) {
    for (std::uint32_t i = 0; i < woken.count; ++i) bells_[woken.owners[i]].ring();
  }
  static void* payload(std::uint32_t waiter) { return memory_ + kPayloads + waiter * kPayload; }

  alignas(kCacheLine) static inline std::byte memory_[kPayloads + round_up(kWaiters * kPayload, kCacheLine)];
  ModelBell bells_[kOwners];
};

}  // namespace sluice::model
