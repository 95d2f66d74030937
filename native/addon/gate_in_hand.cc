// The orders that a gate's consumer has in hand: taking, holding and resolving them.
#include <algorithm>

#include "addon/gate_attachment.h"

namespace sluice {

std::uint32_t GateAttachment::take(std::uint32_t max, bool begins) {
  const std::uint64_t now = parts_.stock != nullptr ? parts_.stock->session().clock().now() : 0;
  if (begins) {
    session_ = table_.begin();
    renewal_at_ = kNever;
  }
  const std::uint64_t renewal_before = renewal_at_;
  std::uint32_t count = take_again(max, now);
  if (count == 0) count = take_new(max, now);
  const bool sooner = renewal_at_ < renewal_before;
  words_.put(GateStaging::kRenewInMs,
             sooner ? milliseconds(renewal_at_ > now ? renewal_at_ - now : 0) : -1.0);
  return count;
}

std::uint32_t GateAttachment::take_again(std::uint32_t max, std::uint64_t now) {
  QueueSession& queue = parts_.queue->session();
  const std::uint64_t record_bytes = shared_->queue->shape.record_bytes;
  std::uint32_t count = 0;
  for (; count < max; ++count) {
    const std::uint32_t entry = table_.again();
    if (entry == InFlightTable::kNone) break;
    std::memcpy(queue.out() + count * record_bytes, table_.record(entry), record_bytes);
    hand_out(count, entry, now);
  }
  queue.show_nothing();
  return count;
}

template <class Drop>
std::uint32_t GateAttachment::take_shown(std::uint32_t max, std::uint64_t now, Drop&& dropped) {
  QueueSession& queue = parts_.queue->session();
  const std::uint64_t record_bytes = shared_->queue->shape.record_bytes;
  const std::uint32_t count = queue.show(
      std::min(max, table_.room()),
      [&](std::uint32_t i, std::uint32_t, std::uint64_t slot) {
        hand_out(i, table_.take(admission_.tags[slot].get(), queue.out() + i * record_bytes), now);
      },
      dropped);
  queue.free_shown(count);
  return count;
}

std::uint32_t GateAttachment::take_new(std::uint32_t max, std::uint64_t now) {
  if (parts_.queue->session().queue().overwrites()) return take_new_over(max, now);
  return take_shown(max, now, [this](std::uint64_t slot) { give_back(admission_.tags[slot].take()); });
}

std::uint32_t GateAttachment::take_new_over(std::uint32_t max, std::uint64_t now) {
  QueueSession& queue = parts_.queue->session();
  if (queue.queue().depth() == 0) return queue.find_nothing();
  AdmittedOrder dropped[kDroppedMax];
  std::uint32_t drops = 0;
  std::uint32_t count = 0;
  {
    const Queue::Front front(queue.queue());
    count =
        take_shown(max, now, [&](std::uint64_t slot) { dropped[drops++] = admission_.tags[slot].take(); });
  }
  for (std::uint32_t i = 0; i < drops; ++i) give_back(dropped[i]);
  return count;
}

void GateAttachment::give_back(const AdmittedOrder& order) {
  if (order.reserved()) resolve_reservation(order.reservation, false);
  release_place(order);
}

void GateAttachment::hand_out(std::uint32_t i, std::uint32_t entry, std::uint64_t now) {
  InFlightTable::Entry& taken = table_[entry];
  const AdmittedOrder& order = taken.order;
  const std::size_t at = GateStaging::kTaken + i * GateStaging::kTakenBytes;
  words_.put(at, order.reserved() ? order.reservation : std::uint64_t{0});
  words_.put(at + GateStaging::kTakenEntry, entry);
  words_.put(at + GateStaging::kTakenDeliveries, taken.deliveries);
  taken.renew_at = kNever;
  if (admission_.stock == nullptr || !order.reserved()) return;
  const std::uint64_t until = admission_.stock->held_until(order.reservation);
  if (until <= now) return;  // it was resolved by others, or has run out
  taken.renew_at = until - std::min(order.hold_ns / 2, until);
  renewal_at_ = std::min(renewal_at_, taken.renew_at);
}

std::uint64_t GateAttachment::renew() {
  if (admission_.stock == nullptr || !in_session()) return kNever;
  const std::uint64_t now = parts_.stock->session().clock().now();
  renewal_at_ = kNever;
  table_.for_each_in_hand([&](InFlightTable::Entry& entry) {
    const AdmittedOrder& order = entry.order;
    if (entry.renew_at == kNever) return;
    // With those that are due come those that soon will be, so that many make few rounds.
    if (now + order.hold_ns / 8 >= entry.renew_at) {
      const std::uint64_t until = now + order.hold_ns;
      const bool held = admission_.stock->extend(*admission_.stock_slot, order.reservation, now, until) ==
                        ResolveResult::kDone;
      entry.renew_at = held ? until - order.hold_ns / 2 : kNever;
    }
    renewal_at_ = std::min(renewal_at_, entry.renew_at);
  });
  return renewal_at_ == kNever ? kNever : renewal_at_ - now;
}

ResolveResult GateAttachment::resolve(std::uint32_t entry, std::uint64_t reservation, bool confirm,
                                      std::uint32_t quantity) {
  if (!in_session() || !table_.in_hand(entry, session_))
    return resolve_reservation(reservation, confirm, quantity);
  const AdmittedOrder order = table_[entry].order;
  const ResolveResult result = resolve_reservation(order.reservation, confirm, quantity);
  if (result == ResolveResult::kBadQuantity) return result;
  release_place(order);
  table_.remove(entry);
  return result;
}

void GateAttachment::put_back(std::uint32_t entry) {
  if (in_session() && table_.in_hand(entry, session_)) table_.put_back(entry);
}

ResolveResult GateAttachment::resolve_reservation(std::uint64_t reservation, bool confirm,
                                                  std::uint32_t quantity) {
  if (admission_.stock == nullptr) return ResolveResult::kDone;
  const std::uint64_t now = parts_.stock->session().clock().now();
  StockLedger& ledger = *admission_.stock;
  ThreadSlot& line = *admission_.stock_slot;
  if (!confirm) return ledger.cancel(line, reservation, now);
  if (quantity == 0) return ledger.confirm(line, reservation, now);
  return ledger.confirm_part(line, reservation, now, {nullptr, 0, quantity}, Rest::kRelease).result;
}

void GateAttachment::release_place(const AdmittedOrder& order) {
  if (parts_.limiter == nullptr || !order.admitted()) return;
  parts_.limiter->session().release_place(1, order.key == Key{} ? nullptr : &order.key);
}

}  // namespace sluice
