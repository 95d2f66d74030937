import type { Fault } from '../support/mutated-sources.js';

/** The faults that the simulator must find, each planted in a copy of native/ or dist/. */
export const faults: Record<string, Fault & { finds: string }> = {
  kSkipRefund: {
    finds: 'a refusal by the window leaves the token bucket charged',
    sound: 'if (config_.has_bucket) undo_bucket(taken.receipt, cost, now, clock_now);',
    faulty: '',
  },
  kKeepEarlierWindows: {
    finds: 'a refusal by a later window leaves the earlier ones charged',
    sound: 'refund_windows(i, taken.receipt, cost, now);',
    faulty: '',
  },
  kRefundOthers: {
    finds: 'a late refund gives back what others were charged',
    within: `void refund_rates(const Receipt& receipt, std::uint64_t cost, std::uint64_t now) noexcept {
      if (receipt.serial != state_.line->serial) return;`,
    sound: 'if (receipt.serial != state_.line->serial) return;',
    faulty: 'return reward(cost, now);',
  },
  kShortWindow: {
    finds: 'a window forgets a bucket too early',
    within: 'for (std::uint64_t age = 1; age <= config_.buckets; ++age) { at = at == 0',
    sound: 'age <= config_.buckets',
    faulty: 'age < config_.buckets',
  },
  kWholeWindow: {
    finds: 'retryAfterMs is the whole window',
    sound: 'return start_of(leaving + config_.buckets + 1) - now;',
    faulty: 'return (config_.buckets + 1) * config_.bucket_ns;',
  },
  kKeepAdmissionCharge: {
    finds: 'the gate does not refund the limiter when the stock refuses',
    sound: '!queued(result.outcome) && parts.limiter != nullptr',
    faulty: 'false',
  },
  kReleaseTwice: {
    finds: 'an order that the queue drops gives back its place in flight twice',
    within: 'if (order.reserved()) resolve_reservation(order.reservation, false, 0); release_place(order);',
    sound: 'release_place(order);',
    faulty: 'release_place(order); release_place(order);',
  },
  kKeepOverwritten: {
    finds: 'an order that another one overwrites keeps its hold',
    sound: 'if (overwritten.reserved()) cancel(overwritten);',
    faulty: '',
  },
  kKeepDropped: {
    finds: 'an order that is dropped past the gate keeps its hold and its place in flight',
    sound: 'returns_.give_back(carried_[i]);',
    faulty: '',
  },
  kForgetInHand: {
    finds: 'orders that a dead consumer of the gate had in hand are not handed out again',
    sound: 'control_->cursor = control_->first;',
    faulty: 'control_->cursor = kNone;',
  },
  // One thread cannot see whether a record is copied after it is published, so here the copy is left out.
  kPublishBeforeCopy: {
    finds: 'a record is published before it is copied',
    sound: 'std::memcpy(payload + meta_bytes_, record, shape_.record_bytes);',
    faulty: '',
  },
  kOneTooMany: {
    finds: 'the capacity is off by one',
    within: 'limit = control_->head.load(std::memory_order_acquire) + capacity_ * kRingStep; free =',
    sound: 'capacity_ * kRingStep',
    faulty: '(capacity_ + 1) * kRingStep',
  },
  kOvertake: {
    finds: 'a push overtakes waiters for room',
    sound: 'return take_room(want, kRingClosed | kRingWaiting, kRingStep);',
    faulty: 'return claim_waiting(want);',
  },
  kKeepPermits: {
    finds: 'the permits of an object that is disposed of do not return',
    sound: 'if (permits_[lane] != 0) queue_.return_permits(lane, permits_[lane]);',
    faulty: '',
  },
  kExpireLate: {
    finds: 'a record is handed out at its very deadline',
    sound: 'now >= shape_.deadline(payload)',
    faulty: 'now > shape_.deadline(payload)',
  },
  kDropTooEarly: {
    finds: 'drop-oldest drops one record too many',
    sound: '((ring.claimed() - position) >> kRingPositionShift) > shape_.capacity',
    faulty: '((ring.claimed() - position) >> kRingPositionShift) >= shape_.capacity',
  },
  kStarveLanes: {
    finds: 'lanes do not get their share',
    sound: 'if (chosen != urgent) earned_[chosen] -= sum;',
    faulty: 'return urgent;',
  },
  kExpireEarly: {
    finds: 'a reservation expires a nanosecond early',
    sound: 'return now_ >= memory_.reservations[slot].deadline_ns.load(std::memory_order_relaxed);',
    faulty: 'return now_ + 1 >= memory_.reservations[slot].deadline_ns.load(std::memory_order_relaxed);',
  },
  kSkipLook: {
    finds: 'a refusal does not look at holds that are over',
    within: 'if (left) { expire_due(thread, time.now(), kLookSlots);',
    sound: 'expire_due(thread, time.now(), kLookSlots);',
    faulty: '',
  },
  kSameGeneration: {
    finds: 'a place is used again without a new generation',
    sound: 'if (generation == 0) generation = 1;',
    faulty: 'generation = 1;',
  },
  kShorterHold: {
    finds: 'an extension can shorten a hold',
    sound: 'std::max(deadline.load(std::memory_order_relaxed), deadline_ns)',
    faulty: 'deadline_ns',
  },
  kKeepUserCount: {
    finds: 'an expired reservation still counts for its user',
    sound: 'if (entry != kNoUser) memory_.users.put_back(entry, units);',
    faulty: 'if (entry != kNoUser && kind != MovementKind::kExpired) memory_.users.put_back(entry, units);',
  },
  kKeepCartUsers: {
    finds: 'a cart that fails still counts for its user',
    sound: 'if (quantity != 0 && entry != kNoUser) memory_.users.put_back(entry, quantity);',
    faulty: '',
  },
  kLosePart: {
    finds: 'the rest of a partly confirmed reservation is lost',
    sound: 'stock_of(memory_.reservations[slot]).put_back(units);',
    faulty: 'if (kind != MovementKind::kReturned) stock_of(memory_.reservations[slot]).put_back(units);',
  },
  kForgetFailure: {
    finds: 'an id that failed can succeed later',
    sound: 'if (final && !refusal.provisional) id.remember_refused(request.body(secret()));',
    faulty: '',
  },
  kForgetIds: {
    finds: 'a snapshot has no ids',
    sound: 'list([&](auto&& one_more) { write_ids(one_more); });',
    faulty: 'list([](auto&&) {});',
  },
  kReturnAgain: {
    finds: 'units that were returned can be returned again by their reservation',
    sound: 'change_sold(line, 0 - std::uint64_t{line.taken})',
    faulty: 'true',
  },
  kKeepReturned: {
    finds: 'units that were returned still count for their user',
    sound: 'if (line.entry != kNoUser) memory_.users.put_back(line.entry, line.taken);',
    faulty: '',
  },
  kKeepChanged: {
    finds: 'units that a change puts back on sale are still held as well',
    within: 'const std::uint64_t left = held - back;',
    sound: 'held - back',
    faulty: 'held',
  },
  kRequeueAgain: {
    finds: 'an order of a restored ledger is queued again each time it is asked for',
    within: 'answer.requeued = true; id.change(id.answer().queued());',
    sound: 'id.change(id.answer().queued());',
    faulty: '',
  },
  kOverwriteTwo: {
    finds: 'a push to a full lane that overwrites drops two records',
    sound: 'control.drop_oldest(ring, lane, depth());',
    faulty: `control.drop_oldest(ring, lane, depth());
      if (over == 1 && ring.readable(ring.head())) control.drop_oldest(ring, lane, depth());`,
  },
  kGroupForgets: {
    finds: 'the limit of a group counts the new units alone',
    sound: 'return has + quantity > limited.per_user.load(std::memory_order_relaxed);',
    faulty: 'return quantity > limited.per_user.load(std::memory_order_relaxed);',
  },
  kWithdrawBackorder: {
    finds: 'a withdrawal takes units that can only be backordered',
    within: 'const std::uint64_t cap = item.backorder.load(std::memory_order_relaxed); change_total(item,',
    sound: 'item.backorder.load(std::memory_order_relaxed)',
    faulty: '0',
  },
  kLastLineCounts: {
    finds: 'the lines of a cart are not added up',
    sound: '(sums.get(sku) ?? 0)',
    faulty: '0',
  },
};
