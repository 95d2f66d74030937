// The tag of an admitted order, beside its slot of the ring (see core/queue/slot_tags.h): what the gate needs when the
// order is decided or dropped. The stamp that publishes the record publishes the tag too.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/base/key_hash.h"
#include "core/queue/queue.h"

namespace sluice {

// In place of a reservation: the order was admitted without a stock.
inline constexpr std::uint64_t kNoReservation = ~0ULL;

struct AdmittedOrder {
  std::uint64_t reservation = 0;  // or kNoReservation; 0: the record was pushed past the gate
  std::uint64_t hold_ns = 0;      // the length of its hold, and of each renewal of it
  Key key;                        // the key with which the limiter was asked; {0, 0}: none

  bool admitted() const noexcept { return reservation != 0; }
  bool reserved() const noexcept { return admitted() && reservation != kNoReservation; }

  const Key* limiter_key() const noexcept { return key == Key{} ? nullptr : &key; }

  static AdmittedOrder of(const Tag& tag) noexcept {
    AdmittedOrder order;
    std::memcpy(static_cast<void*>(&order), tag.bytes, sizeof order);
    return order;
  }
};
static_assert(sizeof(AdmittedOrder) == kTagBytesMax && std::is_trivially_copyable_v<AdmittedOrder>);

// One for each slot. The slot's producer writes it, and the consumer clears it; the stamp orders these accesses as it
// does those to the record. The reservation is atomic because a gate that ends takes all tags, while other threads may
// still take records past the gate.

struct OrderTag {
  void put(const AdmittedOrder& order) noexcept {
    reservation.store(order.reservation, std::memory_order_relaxed);
    hold_ns = order.hold_ns;
    key = order.key;
  }
  AdmittedOrder get() const noexcept {
    const std::uint64_t given = reservation.load(std::memory_order_relaxed);
    return given == 0 ? AdmittedOrder{} : AdmittedOrder{given, hold_ns, key};
  }
  // As get(), and clears the tag. Only the first thread that takes the tag gets the order.
  AdmittedOrder take() noexcept {
    // ACQ, REL reservation: pair with each other: a thread that finds the tag taken sees everything that the thread
    // that took it wrote before.
    const std::uint64_t given = reservation.exchange(0, std::memory_order_acq_rel);
    return given == 0 ? AdmittedOrder{} : AdmittedOrder{given, hold_ns, key};
  }
  // Clears the tag. Otherwise the slot's next record would have this tag if it is pushed past the gate.
  void clear() noexcept { reservation.store(0, std::memory_order_relaxed); }

  std::atomic<std::uint64_t> reservation{0};
  std::uint64_t hold_ns = 0;
  Key key;
};
static_assert(sizeof(OrderTag) == sizeof(AdmittedOrder) && offsetof(OrderTag, reservation) == 0 &&
              offsetof(OrderTag, hold_ns) == offsetof(AdmittedOrder, hold_ns) &&
              offsetof(OrderTag, key) == offsetof(AdmittedOrder, key));

// The tags of a queue. The queue must have been created with room for an OrderTag beside each slot.
inline OrderTag* order_tags(Queue& queue) noexcept {
  return reinterpret_cast<OrderTag*>(queue.tags().memory());
}

}  // namespace sluice
