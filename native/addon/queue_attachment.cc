#include "addon/queue_attachment.h"

#include <algorithm>

#include "addon/objects.h"
#include "core/base/check.h"

namespace sluice {

QueueAttachment::QueueAttachment(Environment& environment, std::shared_ptr<SharedQueue> shared,
                                 ThreadSlot* line)
    : Attachment(environment),
      shared_(std::move(shared)),
      queue_(shared_->view()),
      consumer_(queue_),
      line_(line),
      clock_(shared_->time.clock()),
      number_(Registry::instance().next_number()) {}

QueueAttachment* QueueAttachment::make(Environment& environment, std::shared_ptr<SharedQueue> shared) {
  return made_with_line(shared->view().lines(), environment,
                        [&](ThreadSlot* line) { return new QueueAttachment(environment, shared, line); });
}

bool QueueAttachment::stage(napi_env env, napi_value in, napi_value out, napi_value dropped,
                            napi_value words) {
  in_ = Staging(env, in);
  out_ = Staging(env, out);
  dropped_records_ = Staging(env, dropped);
  words_ = Staging(env, words);
  return in_records() > 0 && out_records() > 0 &&
         dropped_records_.bytes() >= kDroppedMax * shared_->shape.record_bytes &&
         words_.bytes() >= QueueStaging::kBytes;
}

void QueueAttachment::on_detach() {
  napi_env env = environment_.env();
  // What was gathered was accepted: it is published, not lost. Permits that were not used are returned.
  for (std::uint32_t batch = 0; batch < batches_.size(); ++batch) {
    flush_batch(batch);
    batches_[batch].buffer.release(env);
  }
  queue_.abandon(number_, [this](std::uint32_t lane, std::uint32_t permits) { permits_[lane] += permits; });
  for (std::uint32_t lane = 0; lane < shared_->shape.lanes; ++lane) {
    if (permits_[lane] != 0) queue_.return_permits(lane, permits_[lane]);
    permits_[lane] = 0;
    serve_waiting(lane);
  }
  ring_if_parked();
  tell_if_drained();  // its permits held up the end
  queue_.stop_awaiting_empty(awaits_empty_);
  awaits_empty_ = 0;
  if (own_bell_ != nullptr) {
    shared_->bells.remove(number_);
    served_.drop_callback(env);
    served_.close(environment_, *own_bell_);
    own_bell_.reset();  // its descriptor is free now, not when the object is collected
  }
  give_lease();
  queue_.lines().release(line_);
  in_.release(env);
  out_.release(env);
  dropped_records_.release(env);
  words_.release(env);
  shared_.reset();  // the last attachment to go unmaps the memory
}

// ---- producing ---------------------------------------------------------------------------------------------

PushResult QueueAttachment::push_when_full(std::uint32_t lane, std::uint64_t now, std::uint64_t ttl,
                                           bool waits) {
  if (queue_.overwrites()) {
    CarriedOrders<1> dropped(shared_->tags);
    return queue_.push_over(
        lane, in(), now, ttl, [](std::uint64_t) {}, dropped);
  }
  if (!waits) line_->count(Queue::kRejected);
  return PushResult::kFull;
}

Ring<>::Claim QueueAttachment::push_many(std::uint32_t lane, std::uint32_t count, std::uint32_t more,
                                         std::uint64_t ttl) {
  const std::uint64_t now = queue_.push_time(clock_);
  Ring<>::Claim claim = queue_.push_many(lane, in(), count, now, ttl);
  if (claim.count == count || claim.closed) return claim;
  if (!queue_.overwrites()) {
    line_->count(Queue::kRejected, count - claim.count + more);
    return claim;
  }
  const std::byte* rest = in() + claim.count * shared_->shape.record_bytes;
  claim.count += push_over(lane, rest, count - claim.count, false, now, ttl);
  claim.closed = claim.count == 0;
  return claim;
}

std::uint32_t QueueAttachment::push_over(std::uint32_t lane, const std::byte* records, std::uint32_t count,
                                         bool on_permits, std::uint64_t now, std::uint64_t ttl) {
  const std::uint64_t record_bytes = shared_->shape.record_bytes;
  std::uint32_t pushed = 0;
  while (pushed < count) {
    Carried dropped(shared_->tags);
    const std::uint32_t some = std::min(count - pushed, kDroppedMax);
    const Ring<>::Claim claim =
        queue_.push_many_over(lane, records + pushed * record_bytes, some, on_permits, now, ttl, dropped);
    if (claim.count == 0) break;
    pushed += claim.count;
  }
  return pushed;
}

void QueueAttachment::serve_waiting(std::uint32_t lane) {
  if (shared_->shape.waiters == 0) return;
  queue_.serve_waiting(lane, [this](std::uint64_t owner) { shared_->bells.ring(owner); });
  ring_if_parked();
}

Bell& QueueAttachment::own_bell() {
  if (own_bell_ == nullptr) {
    auto bell = std::make_unique<Bell>();
    shared_->bells.add(number_, bell.get());
    own_bell_ = std::move(bell);
  }
  return *own_bell_;
}

std::uint32_t QueueAttachment::wait_to_push(std::uint32_t lane, std::uint64_t ttl) {
  own_bell();
  if (scratch_ == nullptr) scratch_ = std::make_unique<std::byte[]>(shared_->shape.payload_bytes());
  const std::uint32_t waiter = queue_.wait_to_push(*line_, lane, number_, in(), scratch_.get(), clock_, ttl);
  if (waiter != kNoWaiter) serve_waiting(lane);
  return waiter;
}

std::uint32_t QueueAttachment::wait_to_reserve(std::uint32_t lane, std::uint32_t permits) {
  own_bell();
  const std::uint32_t waiter = queue_.wait_to_reserve(*line_, lane, number_, permits);
  if (waiter != kNoWaiter) serve_waiting(lane);
  return waiter;
}

bool QueueAttachment::leave(std::uint32_t waiter) {
  std::uint32_t lane = 0;
  if (!queue_.leave(waiter, lane)) return false;
  serve_waiting(lane);  // who stood behind it may want less
  return true;
}

void QueueAttachment::await_served(int ms) { own_bell().wait(ms); }

void QueueAttachment::listen_for_served() {
  served_.open(
      environment_, own_bell(),
      [](void* data) {
        auto* self = static_cast<QueueAttachment*>(data);
        self->served_.call(self->environment_.env());
      },
      this);
}

std::uint32_t QueueAttachment::reserve(std::uint32_t lane, std::uint32_t want) {
  const std::uint32_t count = queue_.reserve(lane, want).count;
  permits_[lane] += count;
  return count;
}

void QueueAttachment::push_reserved(std::uint32_t lane, const std::byte* records, std::uint32_t used,
                                    std::uint32_t unused, std::uint64_t ttl) {
  SLUICE_CHECK(permits_[lane] >= used + unused, "no more permits are used than were taken");
  permits_[lane] -= used + unused;
  const std::uint64_t now = used == 0 ? 0 : queue_.push_time(clock_);
  if (queue_.overwrites()) {
    push_over(lane, records, used, true, now, ttl);
    if (unused != 0) queue_.return_permits(lane, unused);
  } else {
    queue_.push_reserved(lane, records, used, unused, now, ttl);
  }
  // Permits that were used count too: a lane has room for so many permits, whatever its capacity.
  permits_returned(lane);
}

void QueueAttachment::permits_returned(std::uint32_t lane) {
  if (queue_.somebody_waits(lane)) serve_waiting(lane);
  ring_if_parked();
  tell_if_drained();  // permits hold up the end
}

std::uint32_t QueueAttachment::open_batch(napi_env env, napi_value buffer, std::uint32_t lane) {
  std::uint32_t batch = 0;
  while (batch < batches_.size() && batches_[batch].buffer.data() != nullptr) ++batch;
  if (batch == batches_.size()) batches_.emplace_back();
  Batch opened{Staging(env, buffer), lane};
  if (opened.buffer.bytes() < BatchStaging::kRecords || batch_records(opened) == 0) {
    opened.buffer.release(env);
    return kNoBatch;
  }
  batches_[batch] = opened;
  return batch;
}

void QueueAttachment::close_batch(std::uint32_t batch) {
  flush_batch(batch);
  batches_[batch].buffer.release(environment_.env());
  batches_[batch].buffer = Staging();
}

std::uint32_t QueueAttachment::fill_batch(std::uint32_t batch) {
  Batch& filled = batches_[batch];
  const std::uint32_t most = batch_records(filled);
  const auto has = filled.buffer.get<std::uint32_t>(BatchStaging::kPermits);
  const std::uint32_t permits = has >= most ? has : has + reserve(filled.lane, most - has);
  filled.buffer.put(BatchStaging::kPermits, permits);
  return permits;
}

std::uint32_t QueueAttachment::flush_batch(std::uint32_t batch) {
  Batch& flushed = batches_[batch];
  if (flushed.buffer.data() == nullptr) return 0;  // closed
  const std::uint32_t permits =
      std::min(flushed.buffer.get<std::uint32_t>(BatchStaging::kPermits), permits_[flushed.lane]);
  const std::uint32_t count =
      std::min({flushed.buffer.get<std::uint32_t>(BatchStaging::kCount), permits, batch_records(flushed)});
  if (permits == 0) return 0;
  flushed.buffer.put(BatchStaging::kCount, std::uint32_t{0});
  flushed.buffer.put(BatchStaging::kPermits, std::uint32_t{0});
  push_reserved(flushed.lane, flushed.buffer.data() + BatchStaging::kRecords, count, permits - count,
                shared_->shape.ttl_ns);
  return count;
}

// ---- consuming ---------------------------------------------------------------------------------------------

bool QueueAttachment::take_lease() {
  has_lease_ = queue_.take_lease(number_);
  return has_lease_;
}

void QueueAttachment::give_lease() {
  if (has_lease_) consumer_.unpark();
  parked_ = false;
  arrivals_.drop_callback(environment_.env());
  arrivals_.close(environment_, shared_->bell);
  if (!has_lease_) return;
  has_lease_ = false;
  consumer_.forget_shown();
  queue_.give_lease(number_);
  // Between the lease and "closed", as whoever closes has its CAS between "closed" and a look at the lease.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (queue_.closed()) shared_->bells.ring_all();  // who waits for the end learns that nobody consumes
}

void QueueAttachment::free_shown(std::uint32_t count) {
  if (count == 0) return;
  // A gate's queue has one lane.
  if (OrderTag* tags = shared_->tags.all(); tags != nullptr) {
    const Ring<>& ring = queue_.ring();
    for (std::uint32_t i = 0; i < count; ++i) tags[ring.slot_index(ring.head() + i * kRingStep)].clear();
  }
  consumer_.free_shown(count);
  const bool somebody_waits = consumer_.somebody_waits();
  tell_if_empty();
  if (!somebody_waits) return;
  for (std::uint32_t lane = 0; lane < shared_->shape.lanes; ++lane) serve_waiting(lane);
}

Park QueueAttachment::park() {
  arrivals_.open(
      environment_, shared_->bell,
      [](void* data) {
        auto* self = static_cast<QueueAttachment*>(data);
        self->unpark();
        self->consumer_.woke();
        self->arrivals_.call(self->environment_.env());
      },
      this);
  if (!consumer_.park()) {
    // Not "is it readable": of a queue that overwrites, what was may just have been dropped for what is on its way.
    if (!consumer_.drained()) return Park::kReady;
    tell_if_drained();
    return Park::kEnded;
  }
  parked_ = true;
  arrivals_.keep_loop_alive(ref_);
  return Park::kParked;
}

void QueueAttachment::unpark() {
  parked_ = false;
  consumer_.unpark();
  arrivals_.keep_loop_alive(false);
}

void QueueAttachment::set_ref(bool ref) {
  ref_ = ref;
  if (parked_) arrivals_.keep_loop_alive(ref);
}

Park QueueAttachment::await_record(int ms) {
  if (consumer_.park()) {
    shared_->bell.wait(ms);
    consumer_.unpark();
  }
  return consumer_.readable() ? Park::kReady : consumer_.drained() ? Park::kEnded : Park::kParked;
}

std::uint64_t QueueAttachment::await_empty(bool begins) {
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

bool QueueAttachment::close() {
  if (!queue_.close([this](std::uint64_t owner) { shared_->bells.ring(owner); })) return false;
  ring_if_parked();
  shared_->bells.ring_all();  // who listens for the end
  return true;
}

}  // namespace sluice
