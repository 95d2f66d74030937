// Two ways in which an admission pushes its order: PushIntoRoom, which refuses if the queue is full, and PushOver,
// which then drops the oldest order. `tags`: one for each slot of the ring.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/gate/order_tag.h"
#include "core/queue/queue.h"

namespace sluice {

// Pushes only if there is room. It has no members, so that it costs nothing to pass it on.
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
  // PushOver calls cancel(order) here for an overwritten order that has a reservation. This way overwrites no order.
  template <class Cancel>
  static void settle(Cancel&&) noexcept {}
};

// Pushes over the oldest order if there is no room. It keeps that order for settle(), because a thread must not wait
// for anything while it pushes.
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
