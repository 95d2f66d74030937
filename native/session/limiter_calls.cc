#include "session/limiter_calls.h"

namespace sluice {

std::int32_t LimiterCalls::rooms(double, const Key* key) const noexcept {
  if (!session_.fits(key)) return kBadArgument;
  const Tiers::Rooms rooms = session_.rooms(key);
  std::size_t at = LimiterStaging::kRooms;
  const auto put_room = [&](const Tiers::Room& room) {
    words_.put(at, static_cast<double>(room.left));
    words_.put(at + sizeof(double), milliseconds(room.more_in));
    at += LimiterStaging::kRoomBytes;
  };
  put_room(rooms.bucket);
  put_room(rooms.depth);
  for (std::uint32_t i = 0; i < session_.config().window_count; ++i) put_room(rooms.windows[i]);
  return 1;
}

std::int32_t LimiterCalls::penalize(double points, const Key* key) const noexcept {
  if (!sound(points, key)) return kBadArgument;
  session_.penalize(whole(points), key);
  return 1;
}

std::int32_t LimiterCalls::reward(double points, const Key* key) const noexcept {
  if (!sound(points, key)) return kBadArgument;
  session_.reward(whole(points), key);
  return 1;
}

std::int32_t LimiterCalls::refund(double cost, const Key* key) const noexcept {
  if (!sound(cost, key)) return kBadArgument;
  session_.refund(receipt(), whole(cost), key);
  return 1;
}

std::int32_t LimiterCalls::reset(double, const Key* key) const noexcept {
  if (!session_.fits(key)) return kBadArgument;
  session_.reset(key);
  return 1;
}

std::int32_t LimiterCalls::block(double ns, const Key* key) const noexcept {
  if (!session_.fits(key)) return kBadArgument;
  return session_.block(whole(ns), key) ? 1 : 0;
}

std::int32_t LimiterCalls::overload(double ns, const Key*) const noexcept {
  session_.overload(whole(ns));
  return 1;
}

std::int32_t LimiterCalls::acquire(double cost, const Key* key) const noexcept {
  if (!sound(cost, key)) return kBadArgument;
  const double patience_ms = words_.get<double>(LimiterStaging::kPatienceMs);
  const std::uint64_t patience =
      patience_ms >= 0 && patience_ms < 1e12 ? static_cast<std::uint64_t>(patience_ms * 1e6) : kNever;
  const LimiterSession::Joined joined = session_.acquire(whole(cost), patience, key);
  words_.put(LimiterStaging::kNowMs, static_cast<double>(joined.now) / 1e6);
  words_.put(LimiterStaging::kRetryAfterMs, milliseconds(joined.wait));
  if (joined.waiter != LimiterWaiters::kNone) return kWaits + static_cast<std::int32_t>(joined.waiter);
  put_receipt(joined.decision.receipt);
  return joined.kept ? answer_of(joined.decision) : kNoResources;
}

std::int32_t LimiterCalls::tend(double waiter, const Key*) const noexcept {
  if (!is_waiter(waiter)) return kBadArgument;
  const auto [tended, now] = session_.tend(static_cast<std::uint32_t>(waiter));
  words_.put(LimiterStaging::kNowMs, static_cast<double>(now) / 1e6);
  words_.put(LimiterStaging::kRetryAfterMs, milliseconds(tended.wait));
  words_.put(LimiterStaging::kLeftMs, milliseconds(tended.left));
  return 0;
}

std::int32_t LimiterCalls::told(double, const Key*) const noexcept {
  const auto [told, kept] = session_.told();
  words_.put(LimiterStaging::kRetryAfterMs, milliseconds(told.wait));
  words_.put(LimiterStaging::kTier, static_cast<double>(answer_of(told.refusal)));
  put_receipt(told.receipt);
  const auto waiter = static_cast<std::int32_t>(told.waiter);
  return kept ? kToldUnit * waiter + told.outcome : kForgotten - waiter;
}

std::int32_t LimiterCalls::leave(double waiter, const Key*) const noexcept {
  if (!is_waiter(waiter)) return kBadArgument;
  session_.leave(static_cast<std::uint32_t>(waiter));
  return 0;
}

Receipt LimiterCalls::receipt() const noexcept {
  Receipt receipt;
  receipt.slot.end = words_.get<std::uint64_t>(LimiterStaging::kSlot);
  receipt.serial = words_.get<std::uint64_t>(LimiterStaging::kSerial);
  for (std::size_t i = 0; i < session_.config().window_count; ++i) {
    receipt.charged[i] = words_.get<std::uint64_t>(LimiterStaging::kCharged + 8 * i);
  }
  return receipt;
}

}  // namespace sluice
