// How an admission puts its order into a queue: a plain one, which refuses what finds no room, or one that overwrites.
// `tags`: one for each slot of the ring.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/gate/order_tag.h"
#include "core/queue/queue.h"

namespace sluice {

// Where there is room. Without a state, so that it costs nothing to pass it on.
struct PushIntoRoom {
  static bool looks_full(const Queue& queue) noexcept { return queue.ring().looks_full(); }
  static PushResult promise(Queue& queue) noexcept { return queue.promise_room(0); }
  static void push_promised(Queue& queue, OrderTag* tags, const std::byte* record, std::uint64_t now,
                            const AdmittedOrder& order) noexcept {
    queue.push_promised(0, record, now, queue.shape().ttl_ns,
                        [&](std::uint64_t slot) { tags[slot].put(order); });
  }
  static PushResult push(Queue& queue, OrderTag* tags, const std::byte* record, std::uint64_t now,
                         const AdmittedOrder& order) noexcept {
    return queue.push(0, record, now, queue.shape().ttl_ns,
                      [&](std::uint64_t slot) { tags[slot].put(order); });
  }
  // Calls cancel(order) if another order was overwritten that has a reservation.
  template <class Cancel>
  static void settle(Cancel&&) noexcept {}
};

// Over the oldest order where there is none; that one is remembered, because nothing may be waited for meanwhile.
struct PushOver {
  AdmittedOrder& overwritten;

  static bool looks_full(const Queue&) noexcept { return false; }
  static PushResult promise(Queue& queue) noexcept { return queue.promise_over(0); }
  void push_promised(Queue& queue, OrderTag* tags, const std::byte* record, std::uint64_t now,
                     const AdmittedOrder& order) const noexcept {
    queue.push_promised_over(
        0, record, now, queue.shape().ttl_ns, [&](std::uint64_t slot) { tags[slot].put(order); },
        [&](std::uint64_t slot) { overwritten = tags[slot].take(); });
  }
  PushResult push(Queue& queue, OrderTag* tags, const std::byte* record, std::uint64_t now,
                  const AdmittedOrder& order) const noexcept {
    const PushResult pushed = PushIntoRoom::push(queue, tags, record, now, order);
    if (pushed != PushResult::kFull) return pushed;
    return queue.push_over(
        0, record, now, queue.shape().ttl_ns, [&](std::uint64_t slot) { tags[slot].put(order); },
        [&](std::uint64_t slot) { overwritten = tags[slot].take(); });
  }
  template <class Cancel>
  void settle(Cancel&& cancel) const noexcept {
    if (overwritten.reserved()) cancel(overwritten);
  }
};

}  // namespace sluice
