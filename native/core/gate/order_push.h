// Three ways in which an admission pushes its order. If the queue is full, PushIntoRoom refuses, and PushOver drops the
// oldest record. PushAside does not push: the caller keeps the order, and pushes it later. `tags`: one for each slot of
// the ring.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/gate/order_tag.h"
#include "core/queue/queue.h"

namespace sluice {

// Pushes only if there is room. This class has no members, so it costs nothing to pass it as an argument.
struct PushIntoRoom {
  static bool looks_full(const Queue& queue) noexcept { return queue.ring().looks_full(); }
  static PushResult promise(Queue& queue) noexcept { return queue.promise_room(0); }
  // Returns whether there was a promise.
  static bool break_promise(Queue& queue) noexcept {
    queue.break_promise(0);
    return true;
  }
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
  // Does nothing, because PushIntoRoom overwrites no order: see PushOver::settle().
  template <class Cancel>
  static void settle(Cancel&&) noexcept {}
};

// Drops the oldest record if there is no room, and keeps its order in `overwritten`. The order is cancelled later, in
// settle(), because a thread must not wait for anything while it pushes.
struct PushOver {
  AdmittedOrder& overwritten;

  static bool looks_full(const Queue&) noexcept { return false; }
  static PushResult promise(Queue& queue) noexcept { return queue.promise_over(0); }
  static bool break_promise(Queue& queue) noexcept { return PushIntoRoom::break_promise(queue); }
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
  // Calls cancel(order) if an order that has a reservation was overwritten.
  template <class Cancel>
  void settle(Cancel&& cancel) const noexcept {
    if (overwritten.reserved()) cancel(overwritten);
  }
};

// Sets `aside` to the order in place of a push.
struct PushAside {
  AdmittedOrder& aside;

  static bool looks_full(const Queue&) noexcept { return false; }
  static PushResult promise(const Queue&) noexcept { return PushResult::kPushed; }
  static bool break_promise(const Queue&) noexcept { return false; }
  void push_promised(const Queue&, const OrderTag*, const std::byte*, std::uint64_t,
                     const AdmittedOrder& order) const noexcept {
    aside = order;
  }
  PushResult push(const Queue&, const OrderTag*, const std::byte*, std::uint64_t,
                  const AdmittedOrder& order) const noexcept {
    aside = order;
    return PushResult::kPushed;
  }
  template <class Cancel>
  static void settle(Cancel&&) noexcept {}
};

}  // namespace sluice
