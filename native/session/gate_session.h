// One thread's use of a gate: the orders that it admits and, while it consumes, those that it has in hand. A session
// does not know its face, makes no system call and allocates nothing.
//
//   admit() ---> in the queue ---> take() ---> in hand ---> resolve()             decided, once
//                     |                           |   ^
//                     |                           |   +---- renew()                its hold goes on
//                     |                           +-------> put_back(), or an end  for the next consumer
//                     +---> dropped by the queue: given back, once
//
// A session belongs to one thread. It is made with a thread slot of its gate, which end() frees, and with this thread's
// sessions of the gate's parts. Once a part's session has ended, only end() of the gate's session may be called.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/base/probe.h"
#include "core/gate/admission.h"
#include "core/gate/gate_memory.h"
#include "core/gate/in_flight_table.h"
#include "session/limiter_session.h"
#include "session/queue_session.h"
#include "session/stock_session.h"

namespace sluice {

class GateSession {
 public:
  struct Parts {
    QueueSession& queue;
    LimiterSession* limiter;  // nullptr: none
    StockSession* stock;      // nullptr: none
  };

  GateSession(const GateMemory& memory, ThreadSlot* slot, const Parts& parts) noexcept;
  GateSession(const GateSession&) = delete;
  GateSession& operator=(const GateSession&) = delete;

  // Nothing may be called afterwards. The orders that this thread has in hand wait in the table for the next consumer.
  void end() noexcept { thread_slots_.release(admission_.slot); }

  QueueSession& queue() noexcept { return parts_.queue; }
  const ThreadSlots& thread_slots() const noexcept { return thread_slots_; }
  const InFlightTable& table() const noexcept { return table_; }

  // ---- admitting -------------------------------------------------------------------------------------------------

  // Whether an order may have this key and this many cart lines. It must have a key exactly if the limiter has keys.
  // With a stock it must have cart lines, or a field with its sku; without a stock it must have no cart lines. Every
  // admission relies on this.
  bool fits(const Key* key, std::uint32_t cart_lines) const noexcept {
    if (parts_.limiter == nullptr ? key != nullptr : !parts_.limiter->fits(key)) return false;
    if (parts_.stock == nullptr) return cart_lines == 0;
    return cart_lines != 0 || fields_.sku.type != NumberType::kNone;
  }
  // Whether the order has a key exactly if the limiter has keys.
  bool has_key_as_limiter(const AdmittedOrder& order) const noexcept {
    const Key* key = order.limiter_key();
    return parts_.limiter == nullptr ? key == nullptr : parts_.limiter->fits(key);
  }
  bool fits_record_alone() const noexcept { return fits_record_alone_; }

  // Admits the record in the `in` of the queue's session. A hold of 0 means the stock's default. If the gate has a
  // stock, and `cart` is empty, the record contains sku and quantity. `kOver`: the queue overwrites.
  template <bool kOver>
  Admission::Result admit(std::uint64_t hold_ns = 0, const Key* key = nullptr,
                          StockSession::Lines cart = {}) noexcept;

  // As admit(), but sets `aside` to the order in place of pushing it: see Admission::admit_aside().
  Admission::Result admit_aside(std::uint64_t hold_ns, const Key* key, StockSession::Lines cart,
                                AdmittedOrder& aside) noexcept;
  // Pushes the record in the `in` of the queue's session as that of an order that was admitted aside.
  PushResult push_aside(const AdmittedOrder& aside) noexcept;
  // Cancels the reservation of an order that was admitted aside and not pushed, and releases its place in flight. What
  // the other tiers of the limiter have charged stays charged.
  void drop_aside(const AdmittedOrder& aside) noexcept { give_back(aside); }

  // ---- consuming: the queue's session has the lease ----------------------------------------------------------------

  struct InHand {
    std::uint64_t reservation;  // 0: none
    std::uint32_t entry;        // names the order in resolve() and put_back()
    std::uint32_t deliveries;   // how many times it was handed out and not put back, including now
  };
  struct Taken {
    std::uint32_t count;
    // ns until renew() must be called; kNever: not before the time that an earlier call gave
    std::uint64_t renew_in;
  };
  // Hands out up to `max` orders: copies their records to the `out` of the queue's session, and calls each(i, InHand).
  // Orders that an earlier consumer had in hand come first. `begins`: the caller is a new consumer.
  template <class Each>
  Taken take(std::uint32_t max, bool begins, Each&& each) noexcept;

  // Confirms (`quantity` units; 0: all) or cancels an order in hand, and frees its entry. If `entry` is not in hand, it
  // resolves `reservation`. Without a stock there is nothing to resolve. kBadQuantity: nothing is decided.
  ResolveResult resolve(std::uint32_t entry, std::uint64_t reservation, bool confirm,
                        std::uint32_t quantity) noexcept;
  // Puts back an order that reached no handler: its delivery does not count.
  void put_back(std::uint32_t entry) noexcept;
  // Extends the holds of orders in hand that are due for renewal. Returns in how many ns to call it again, or kNever.
  std::uint64_t renew() noexcept;

 private:
  // Called with the result of each request: wakes the threads that the result concerns.
  Admission::Result done(const Admission::Result& result, const Key* key) noexcept;
  // Names the gate's queue to tracers.
  std::uint64_t queue_id() const noexcept { return admission_.queue->ring().id(); }
  std::uint64_t stock_time() const noexcept {
    return parts_.stock != nullptr ? parts_.stock->clock().now() : 0;
  }
  // Whether this thread is the consumer that has the table's entries in hand.
  bool is_consumer() const noexcept { return parts_.queue.has_lease() && consumer_ != 0; }
  bool has_in_hand(std::uint32_t entry) const noexcept {
    return is_consumer() && table_.in_hand(entry, consumer_);
  }
  template <class Each>
  std::uint32_t take_again(std::uint32_t max, std::uint64_t now, Each&& each) noexcept;
  template <class Each>
  std::uint32_t take_new(std::uint32_t max, std::uint64_t now, Each&& each) noexcept;
  // take_new() from a queue that overwrites.
  template <class Each>
  std::uint32_t take_new_over(std::uint32_t max, std::uint64_t now, Each&& each) noexcept;
  // Takes the orders that the queue shows, and calls dropped(slot) for each order that the queue drops.
  template <class Each, class Drop>
  std::uint32_t take_shown(std::uint32_t max, std::uint64_t now, Each&& each, Drop&& dropped) noexcept;
  // Describes an entry that is now in hand, and notes the time at which the order's hold is to be renewed.
  InHand hand_out(std::uint32_t entry, std::uint64_t now) noexcept;
  // Called with an order that the queue dropped: cancels its reservation and releases its place in flight.
  void give_back(const AdmittedOrder& order) noexcept;
  ResolveResult resolve_reservation(std::uint64_t reservation, bool confirm, std::uint32_t quantity) noexcept;
  void release_place(const AdmittedOrder& order) noexcept;

  const Parts parts_;
  ThreadSlots& thread_slots_;
  const AdmissionFields& fields_;
  Admission::Parts admission_;
  InFlightTable table_;
  bool fits_record_alone_;      // fits(nullptr, 0)
  std::uint64_t consumer_ = 0;  // the number of this thread's session as a consumer in the table; 0: none yet
  std::uint64_t renewal_at_ = kNever;  // the stock's time at which the caller is to call renew()
};

// The functions below are defined in the header, so that the compiler can inline them into the hot functions of a face.
template <bool kOver>
Admission::Result GateSession::admit(std::uint64_t hold_ns, const Key* key,
                                     StockSession::Lines cart) noexcept {
  const AdmissionRequest asked{parts_.queue.in(), hold_ns, key, cart.data(),
                               static_cast<std::uint32_t>(cart.size())};
  if constexpr (kOver) {
    AdmittedOrder overwritten;
    const Admission::Result result = Admission::admit_over(admission_, fields_, asked, overwritten);
    release_place(overwritten);
    return done(result, key);
  } else {
    return done(Admission::admit(admission_, fields_, asked), key);
  }
}

inline Admission::Result GateSession::done(const Admission::Result& result, const Key* key) noexcept {
  if (result.outcome == Outcome::kAdmitted || result.outcome == Outcome::kRequeued) [[likely]] {
    parts_.queue.ring_if_parked();
    return result;
  }
  if (result.broke_promise) parts_.queue.permits_returned(0);
  if (result.refunded && parts_.limiter->somebody_waits()) parts_.limiter->given_back(key);
  return result;
}

template <class Each>
GateSession::Taken GateSession::take(std::uint32_t max, bool begins, Each&& each) noexcept {
  const std::uint64_t now = stock_time();
  if (begins) {
    consumer_ = table_.begin();
    renewal_at_ = kNever;
  }
  const std::uint64_t renewal_before = renewal_at_;
  max = std::min(max, parts_.queue.out_records());
  std::uint32_t count = take_again(max, now, each);
  if (count == 0) count = take_new(max, now, each);
  const bool sooner = renewal_at_ < renewal_before;
  return {count, sooner ? std::max(renewal_at_, now) - now : kNever};
}

inline GateSession::InHand GateSession::hand_out(std::uint32_t entry, std::uint64_t now) noexcept {
  InFlightTable::Entry& taken = table_[entry];
  const AdmittedOrder& order = taken.order;
  const InHand in_hand{order.reserved() ? order.reservation : 0, entry, taken.deliveries};
  SLUICE_PROBE(hand, queue_id(), entry, in_hand.reservation, in_hand.deliveries);
  taken.renew_at = kNever;
  if (parts_.stock == nullptr || !order.reserved()) return in_hand;
  const std::uint64_t until = parts_.stock->ledger().held_until(order.reservation);
  if (until <= now) return in_hand;  // the reservation was resolved, or its time is over
  taken.renew_at = until - std::min(order.hold_ns / 2, until);
  renewal_at_ = std::min(renewal_at_, taken.renew_at);
  return in_hand;
}

template <class Each>
std::uint32_t GateSession::take_again(std::uint32_t max, std::uint64_t now, Each&& each) noexcept {
  const std::uint64_t record_bytes = parts_.queue.record_bytes();
  std::uint32_t count = 0;
  for (; count < max; ++count) {
    const std::uint32_t entry = table_.again();
    if (entry == InFlightTable::kNone) break;
    std::memcpy(parts_.queue.out() + count * record_bytes, table_.record(entry), record_bytes);
    each(count, hand_out(entry, now));
  }
  parts_.queue.show_nothing();
  return count;
}

template <class Each>
std::uint32_t GateSession::take_new(std::uint32_t max, std::uint64_t now, Each&& each) noexcept {
  if (parts_.queue.queue().overwrites()) return take_new_over(max, now, each);
  return take_shown(max, now, each, [this](std::uint64_t slot) { give_back(admission_.tags[slot].take()); });
}

template <class Each>
std::uint32_t GateSession::take_new_over(std::uint32_t max, std::uint64_t now, Each&& each) noexcept {
  if (parts_.queue.queue().depth() == 0) return parts_.queue.find_nothing();
  AdmittedOrder dropped[kDroppedMax];
  std::uint32_t drops = 0;
  std::uint32_t count = 0;
  {
    const Queue::Front front(parts_.queue.queue());
    count = take_shown(max, now, each,
                       [&](std::uint64_t slot) { dropped[drops++] = admission_.tags[slot].take(); });
  }
  for (std::uint32_t i = 0; i < drops; ++i) give_back(dropped[i]);
  return count;
}

template <class Each, class Drop>
std::uint32_t GateSession::take_shown(std::uint32_t max, std::uint64_t now, Each&& each,
                                      Drop&& dropped) noexcept {
  QueueSession& queue = parts_.queue;
  const std::uint32_t count = queue.show(
      std::min(max, table_.room()),
      [&](std::uint32_t i, std::uint32_t, std::uint64_t slot) {
        const std::byte* record = queue.out() + i * queue.record_bytes();
        each(i, hand_out(table_.take(admission_.tags[slot].get(), record), now));
      },
      dropped);
  queue.free_shown(count);
  return count;
}

}  // namespace sluice
