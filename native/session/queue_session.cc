#include "session/queue_session.h"

#include <algorithm>

#include "core/base/check.h"

namespace sluice {

bool QueueSession::use(const Buffers& buffers) {
  in_ = buffers.in.data();
  out_ = buffers.out.data();
  dropped_records_ = buffers.dropped.data();
  in_apart_ = buffers.in_apart;
  if (in_apart_ < record_bytes_) return false;
  in_records_ = static_cast<std::uint32_t>((buffers.in.size() + in_apart_ - record_bytes_) / in_apart_);
  out_records_ = static_cast<std::uint32_t>(buffers.out.size() / record_bytes_);
  words_ = buffers.words;
  if (buffers.state != nullptr) state_ = buffers.state;
  consumer_.remember_in(state_->shown);
  return in_records_ > 0 && out_records_ > 0 && buffers.dropped.size() >= kDroppedMax * record_bytes_ &&
         words_.bytes() >= QueueStaging::kBytes;
}

void QueueSession::end() {
  // Gathered records were accepted, so they are published. Unused permits are returned.
  while (batches_ != nullptr) close_batch(*batches_);
  queue_.abandon(number_,
                 [this](std::uint32_t lane, std::uint32_t permits) { count_permits(lane, permits, 0); });
  for (std::uint32_t lane = 0; lane < lanes(); ++lane) {
    if (permits_[lane] != 0) queue_.return_permits(lane, permits_[lane]);
    count_permits(lane, 0, permits_[lane]);
    serve_waiting(lane);
  }
  ring_if_parked();
  if (has_lease()) {
    tell_if_empty();  // its thread may have ended just after the other face had freed records: see queue_calls.h
  } else {
    tell_if_drained();  // the permits of this session kept the queue from ending
  }
  queue_.stop_awaiting_empty(awaits_empty_);
  awaits_empty_ = 0;
  give_lease();
  queue_.thread_slots().release(&slot_);
  state_ = &own_state_;  // the other face's memory may be freed now
  consumer_.remember_in(own_state_.shown);
}

// ---- producing ---------------------------------------------------------------------------------------------

PushResult QueueSession::push_when_full(std::uint32_t lane, std::uint64_t now, std::uint64_t ttl,
                                        bool waits) {
  if (queue_.overwrites()) {
    CarriedTags<1> dropped(queue_.tags(), host_);
    return queue_.push_over(
        lane, in_, now, ttl, [](std::uint64_t) {}, dropped);
  }
  if (!waits) count_rejected(lane, 1);
  return PushResult::kFull;
}

Ring<>::Claim QueueSession::push_many(std::uint32_t lane, std::uint32_t count, std::uint32_t more,
                                      std::uint64_t ttl) {
  count = std::min(count, in_records_);
  if (count == 0) return {0, 0, false};
  const std::uint64_t now = queue_.push_time(clock_);
  Ring<>::Claim claim = queue_.push_many(lane, in_from(0), count, now, ttl);
  if (claim.count == count || claim.closed) return claim;
  if (!queue_.overwrites()) {
    count_rejected(lane, count - claim.count + more);
    return claim;
  }
  claim.count += push_over(lane, in_from(claim.count), count - claim.count, false, now, ttl);
  claim.closed = claim.count == 0;
  return claim;
}

std::uint32_t QueueSession::push_over(std::uint32_t lane, const Queue::Records& records, std::uint32_t count,
                                      bool on_permits, std::uint64_t now, std::uint64_t ttl) {
  std::uint32_t pushed = 0;
  while (pushed < count) {
    CarriedTags<kDroppedMax> dropped(queue_.tags(), host_);
    const std::uint32_t some = std::min(count - pushed, kDroppedMax);
    const Ring<>::Claim claim =
        queue_.push_many_over(lane, records.from(pushed), some, on_permits, now, ttl, dropped);
    if (claim.count == 0) break;
    pushed += claim.count;
  }
  return pushed;
}

// ---- waiting for room --------------------------------------------------------------------------------------

void QueueSession::serve_waiting(std::uint32_t lane) {
  if (queue_.shape().waiters == 0) return;
  queue_.serve_waiting(lane, [this](std::uint64_t session) { host_.ring(session); });
  ring_if_parked();
}

std::uint32_t QueueSession::wait_to_push(std::uint32_t lane, std::uint64_t ttl) {
  const std::uint64_t now = queue_.push_time(clock_);
  const std::uint32_t waiter = queue_.wait_to_push(slot_, lane, number_, in_, now, ttl);
  if (waiter != kNoWaiter) serve_waiting(lane);
  return waiter;
}

std::uint32_t QueueSession::wait_to_reserve(std::uint32_t lane, std::uint32_t permits) {
  const std::uint32_t waiter = queue_.wait_to_reserve(slot_, lane, number_, permits);
  if (waiter != kNoWaiter) serve_waiting(lane);
  return waiter;
}

bool QueueSession::leave(std::uint32_t waiter) {
  std::uint32_t lane = 0;
  if (!queue_.leave(waiter, lane)) return false;
  serve_waiting(lane);  // the next waiter may want fewer permits
  return true;
}

bool QueueSession::retire(std::uint32_t waiter) {
  RoomWaiters<>& waiters = queue_.room_waiters();
  if (waiters.state(waiter) == WaiterState::kWaiting) return false;
  const auto served = waiters.retire(waiter);
  count_permits(served.lane, served.permits, 0);
  return true;
}

// ---- permits -----------------------------------------------------------------------------------------------

std::uint32_t QueueSession::reserve(std::uint32_t lane, std::uint32_t want) {
  const std::uint32_t count = queue_.reserve(lane, want).count;
  count_permits(lane, count, 0);
  return count;
}

void QueueSession::push_reserved(std::uint32_t lane, const Queue::Records& records, std::uint32_t used,
                                 std::uint32_t unused, std::uint64_t ttl) {
  SLUICE_CHECK(permits_[lane] >= used + unused, "no more permits are used than were taken");
  count_permits(lane, 0, used + unused);
  const std::uint64_t now = used == 0 ? 0 : queue_.push_time(clock_);
  if (queue_.overwrites()) {
    push_over(lane, records, used, true, now, ttl);
    if (unused != 0) queue_.return_permits(lane, unused);
  } else {
    queue_.push_reserved(lane, records, used, unused, now, ttl);
  }
  // Called also if all permits were used: a lane has at most kRingPermitsMax permits at a time, whatever its capacity,
  // so the use of a permit, too, may make way for a waiter's.
  permits_returned(lane);
}

void QueueSession::permits_returned(std::uint32_t lane) {
  if (queue_.somebody_waits(lane)) serve_waiting(lane);
  ring_if_parked();
  tell_if_drained();  // permits keep the queue from ending
}

// ---- batches -----------------------------------------------------------------------------------------------

bool QueueSession::open_batch(Batch& batch) {
  if (batch.buffer.size() < BatchStaging::kRecords || batch_records(batch) == 0) return false;
  batch.next = nullptr;
  batch.link = last_batch_;
  *last_batch_ = &batch;
  last_batch_ = &batch.next;
  return true;
}

void QueueSession::close_batch(Batch& batch) {
  flush_batch(batch);
  *batch.link = batch.next;
  (batch.next != nullptr ? batch.next->link : last_batch_) = batch.link;
}

std::uint32_t QueueSession::fill_batch(Batch& batch) {
  const Words words(batch.buffer);
  const std::uint32_t most = batch_records(batch);
  const std::uint32_t has = std::min(words.get<std::uint32_t>(BatchStaging::kPermits), permits_[batch.lane]);
  const std::uint32_t permits = has >= most ? has : has + reserve(batch.lane, most - has);
  words.put(BatchStaging::kPermits, permits);
  if (permits == 0) count_rejected(batch.lane, 1);
  return permits;
}

std::uint32_t QueueSession::flush_batch(Batch& batch) {
  const Words words(batch.buffer);
  const std::uint32_t permits =
      std::min(words.get<std::uint32_t>(BatchStaging::kPermits), permits_[batch.lane]);
  const std::uint32_t count =
      std::min({words.get<std::uint32_t>(BatchStaging::kCount), permits, batch_records(batch)});
  if (permits == 0) return 0;
  words.put(BatchStaging::kCount, std::uint32_t{0});
  words.put(BatchStaging::kPermits, std::uint32_t{0});
  push_reserved(batch.lane, {batch.buffer.data() + BatchStaging::kRecords, record_bytes_}, count,
                permits - count, queue_.shape().ttl_ns);
  return count;
}

// ---- consuming ---------------------------------------------------------------------------------------------

bool QueueSession::take_lease() {
  state_->leased = queue_.take_lease(number_) ? 1 : 0;
  return has_lease();
}

void QueueSession::give_lease() {
  if (!has_lease()) return;
  consumer_.unpark();
  state_->leased = 0;
  consumer_.forget_shown();
  queue_.give_lease(number_);
  // This fence is between giving the lease and reading "closed". The fence in Queue::close() is between setting
  // "closed" and later reads of the lease. So this session sees "closed", or the threads that close() wakes see no
  // lease, or both.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (queue_.closed()) host_.ring_all();  // threads that wait for the end learn that no thread consumes
}

std::uint32_t QueueSession::take_over(std::uint32_t max) {
  if (queue_.depth() == 0) return find_nothing();
  CarriedTags<kDroppedMax> dropped(queue_.tags(), host_);
  const Queue::Front front(queue_);
  const std::uint32_t count = show(
      max, [](auto...) {}, dropped);
  free_shown(count);
  return count;
}

std::uint32_t QueueSession::next(std::uint32_t consumed, std::uint32_t max) {
  free_shown(consumed);
  if (max == 0) return 0;
  const std::uint32_t count = show_untagged(queue_.tags().used() ? 1 : max);
  // Asks again, now that the stamps were read, whether these records can have tags.
  if (count == 0 || !queue_.tags().used()) return count;
  free_shown(1);
  return kShownAndGone;
}

Park QueueSession::park() {
  if (consumer_.park()) return Park::kParked;
  // This does not ask readable() again. In a queue that overwrites, the readable records may have been dropped
  // meanwhile, to make room for a record that is not published yet.
  return consumer_.drained() ? Park::kEnded : Park::kReady;
}

// ---- the end -----------------------------------------------------------------------------------------------

bool QueueSession::close() {
  if (!queue_.close([this](std::uint64_t session) { host_.ring(session); })) return false;
  ring_if_parked();
  host_.ring_all();  // for threads that wait for the end
  return true;
}

std::uint64_t QueueSession::await_empty(bool begins) {
  const std::uint64_t before = queue_.emptied();
  if (begins) {
    ++awaits_empty_;
    queue_.await_empty();
  } else if (awaits_empty_ != 0) {
    --awaits_empty_;
    queue_.stop_awaiting_empty(1);
  }
  return before;
}

}  // namespace sluice
