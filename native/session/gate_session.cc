#include "session/gate_session.h"

namespace sluice {

GateSession::GateSession(const GateMemory& memory, ThreadSlot* slot, const Parts& parts) noexcept
    : parts_(parts),
      thread_slots_(memory.thread_slots()),
      fields_(memory.fields()),
      admission_{},
      table_(memory.table()),
      fits_record_alone_(fits(nullptr, 0)) {
  admission_.slot = slot;
  admission_.queue = &parts.queue.queue();
  admission_.queue_slot = &parts.queue.slot();
  admission_.clock = parts.queue.clock();
  admission_.tags = order_tags(parts.queue.queue());
  if (parts.limiter != nullptr) {
    admission_.limiter = &parts.limiter->limiter();
    admission_.limiter_slot = &parts.limiter->slot();
    admission_.depth_queue = parts.limiter->depth_queue();
  }
  if (parts.stock != nullptr) {
    admission_.stock = &parts.stock->ledger();
    admission_.stock_slot = &parts.stock->slot();
  }
}

Admission::Result GateSession::admit_aside(std::uint64_t hold_ns, const Key* key, StockSession::Lines cart,
                                           AdmittedOrder& aside) noexcept {
  const AdmissionRequest asked{parts_.queue.in(), hold_ns, key, cart.empty() ? nullptr : cart.data(),
                               static_cast<std::uint32_t>(cart.size())};
  return done(Admission::admit_aside(admission_, fields_, asked, aside), key);
}

PushResult GateSession::push_aside(const AdmittedOrder& aside) noexcept {
  Queue& queue = parts_.queue.queue();
  const std::uint64_t now = queue.push_time(admission_.clock);
  const PushResult pushed = PushIntoRoom::push(queue, admission_.tags, parts_.queue.in(), now, aside);
  if (pushed == PushResult::kPushed) parts_.queue.ring_if_parked();
  return pushed;
}

std::uint64_t GateSession::renew() noexcept {
  if (parts_.stock == nullptr || !is_consumer()) return kNever;
  const std::uint64_t now = stock_time();
  renewal_at_ = kNever;
  table_.for_each_in_hand([&](InFlightTable::Entry& entry) {
    const AdmittedOrder& order = entry.order;
    if (entry.renew_at == kNever) return;
    // Also renews a hold whose renewal is due within an eighth of its length, so that many holds need few rounds.
    if (now + order.hold_ns / 8 >= entry.renew_at) {
      const std::uint64_t until = now + order.hold_ns;
      const bool held = parts_.stock->ledger().extend(parts_.stock->slot(), order.reservation, now, until) ==
                        ResolveResult::kDone;
      entry.renew_at = held ? until - order.hold_ns / 2 : kNever;
    }
    renewal_at_ = std::min(renewal_at_, entry.renew_at);
  });
  return renewal_at_ == kNever ? kNever : renewal_at_ - now;
}

ResolveResult GateSession::resolve(std::uint32_t entry, std::uint64_t reservation, bool confirm,
                                   std::uint32_t quantity) noexcept {
  if (!has_in_hand(entry)) return resolve_reservation(reservation, confirm, quantity);
  const AdmittedOrder order = table_[entry].order;
  const ResolveResult result = resolve_reservation(order.reservation, confirm, quantity);
  if (result == ResolveResult::kBadQuantity) return result;
  SLUICE_PROBE(settle, queue_id(), entry, confirm, result);
  release_place(order);
  table_.remove(entry);
  return result;
}

void GateSession::put_back(std::uint32_t entry) noexcept {
  if (has_in_hand(entry)) table_.put_back(entry);
}

void GateSession::give_back(const AdmittedOrder& order) noexcept {
  if (order.reserved()) resolve_reservation(order.reservation, false, 0);
  release_place(order);
}

ResolveResult GateSession::resolve_reservation(std::uint64_t reservation, bool confirm,
                                               std::uint32_t quantity) noexcept {
  if (parts_.stock == nullptr) return ResolveResult::kDone;
  if (!confirm) return parts_.stock->cancel(reservation);
  if (quantity == 0) return parts_.stock->confirm(reservation);
  return parts_.stock->confirm_part(reservation, {nullptr, 0, quantity}, Rest::kRelease).result;
}

void GateSession::release_place(const AdmittedOrder& order) noexcept {
  if (parts_.limiter == nullptr || !order.admitted()) return;
  parts_.limiter->release_place(1, order.limiter_key());
}

}  // namespace sluice
