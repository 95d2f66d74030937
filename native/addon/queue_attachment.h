// A queue as the threads of the process share it, and as one thread sees it.
#pragma once

#include <atomic>
#include <bit>
#include <memory>
#include <vector>

#include "addon/clock.h"
#include "addon/environment.h"
#include "addon/hot_function.h"
#include "addon/loop_bell.h"
#include "addon/registry.h"
#include "contract/staging.h"
#include "core/gate/order_tags.h"
#include "core/queue/queue.h"
#include "core/queue/queue_consumer.h"
#include "platform/bells.h"
#include "platform/mapping.h"

namespace sluice {

struct SharedQueue : SharedObject {
  SharedQueue() : SharedObject(ObjectKind::kQueue) {}

  Segment segment;
  QueueShape shape;
  ClockSource time;
  Bell bell;    // the consumer's
  Bells bells;  // of attachments that wait for room or want to hear of the end
  // A gate feeds it: a queue has at most one. The exchange of the next gate acquires what the end of the last one
  // releases: its orders are cleared.
  std::atomic<bool> gated{false};

  OrderTags tags;  // of the orders of its gate

  std::uint64_t slots() const { return std::bit_ceil(shape.ring_capacity()); }
  Queue view() const { return Queue(segment.body(), shape); }
};

class QueueAttachment : public Attachment {
 public:
  // nullptr when kThreadsMax threads have this queue attached.
  static QueueAttachment* make(Environment& environment, std::shared_ptr<SharedQueue> shared);

  Queue& queue() { return queue_; }
  QueueConsumer& consumer() { return consumer_; }
  ThreadSlot& line() { return *line_; }
  const Clock& clock() const { return clock_; }
  const std::shared_ptr<SharedQueue>& shared() const { return shared_; }

  // Staging: `in` holds records to push, `out` records shown, `dropped` records dropped, each a whole number of
  // records; `words` are numbers: see QueueStaging.
  // False: not buffers of the size that native code writes to.
  bool stage(napi_env env, napi_value in, napi_value out, napi_value dropped, napi_value words);
  std::byte* in() const { return in_.data(); }
  std::byte* out() const { return out_.data(); }
  std::uint32_t lanes() const { return shared_->shape.lanes; }
  std::uint32_t waiters() const { return shared_->shape.waiters; }
  std::uint32_t in_records() const {
    return static_cast<std::uint32_t>(in_.bytes() / shared_->shape.record_bytes);
  }
  std::uint32_t out_records() const {
    return static_cast<std::uint32_t>(out_.bytes() / shared_->shape.record_bytes);
  }
  std::uint64_t ttl(bool given) const {
    return given ? words_.get<std::uint64_t>(QueueStaging::kTtlNs) : shared_->shape.ttl_ns;
  }

  void want_dropped(bool wanted) { wants_dropped_ = wanted; }
  // The orders that one show() drops, or one push to a queue that overwrites: at most kDroppedMax.
  using Carried = CarriedOrders<kDroppedMax>;

  // ---- producing ----

  // After pushing or closing.
  void ring_if_parked() {
    if (queue_.must_ring()) shared_->bell.ring();
  }
  // Pushes what stands in staging; whoever is ready to wait for room is not counted as rejected.
  PushResult push(std::uint32_t lane, std::uint64_t ttl, bool waits = false) {
    const std::uint64_t now = queue_.push_time(clock_);
    const PushResult result = queue_.push(lane, in(), now, ttl, [](std::uint64_t) {});
    return result == PushResult::kFull ? push_when_full(lane, now, ttl, waits) : result;
  }
  // How many of the `count` in staging were pushed, and whether none was because the queue is closed. `more` are to follow
  // if there is room for these.
  Ring<>::Claim push_many(std::uint32_t lane, std::uint32_t count, std::uint32_t more, std::uint64_t ttl);
  // After freeing room in `lane`.
  void serve_waiting(std::uint32_t lane);
  std::uint32_t wait_to_push(std::uint32_t lane, std::uint64_t ttl);
  std::uint32_t wait_to_reserve(std::uint32_t lane, std::uint32_t permits);
  bool leave(std::uint32_t waiter);
  // Of places in line this attachment speaks of its own alone.
  bool owns(std::uint32_t waiter) {
    return waiter < waiters() && queue_.room_waiters().is_of(waiter, number_);
  }
  // Sleeps until this attachment's bell rings.
  void await_served(int ms);
  void listen_for_served();
  LoopBell& served() { return served_; }

  // After room that was promised is free again: whoever waits for it, or for the queue's end, looks again.
  void permits_returned(std::uint32_t lane);
  // Permits of this attachment: returned when it detaches.
  std::uint32_t reserve(std::uint32_t lane, std::uint32_t want);
  // Whether so many can be used, with records from staging, and returned.
  bool has_permits(std::uint32_t lane, std::uint32_t used, std::uint32_t unused) const {
    return lane < lanes() && used <= in_records() && std::uint64_t{used} + unused <= permits_[lane];
  }
  void took_permits(std::uint32_t lane, std::uint32_t count) { permits_[lane] += count; }
  void push_reserved(std::uint32_t lane, const std::byte* records, std::uint32_t used, std::uint32_t unused,
                     std::uint64_t ttl);

  // A batch gathers records in a JavaScript buffer: see BatchStaging.
  static constexpr std::uint32_t kNoBatch = ~0u;
  // kNoBatch: there is no buffer, or none with room for a record.
  std::uint32_t open_batch(napi_env env, napi_value buffer, std::uint32_t lane);
  bool is_batch(std::uint32_t batch) const {
    return batch < batches_.size() && batches_[batch].buffer.data() != nullptr;
  }
  std::uint32_t fill_batch(std::uint32_t batch);
  std::uint32_t flush_batch(std::uint32_t batch);
  // Publishes what is gathered; the number is free for another batch.
  void close_batch(std::uint32_t batch);

  // ---- consuming ----

  // Whether this attachment is the consumer, becoming it if nobody is.
  bool consumes() { return has_lease_ || take_lease(); }
  bool has_lease() const { return has_lease_; }
  void give_lease();

  template <class Shown, class Drop>
  std::uint32_t show(std::uint32_t max, Shown&& shown, Drop&& also_dropped);
  void free_shown(std::uint32_t count);
  // In place of show(), when there is nothing. Returns 0.
  std::uint32_t find_nothing() {
    consumer_.show_nothing();
    show_nothing();
    return 0;
  }
  // In place of show(), for who takes what was shown before.
  void show_nothing() { words_.put(QueueStaging::kDropped, 0.0); }

  // See consumer_.park().
  Park park();
  void unpark();
  // Whether a wait for records keeps the thread's loop alive.
  void set_ref(bool ref);
  // Sleeps until the consumer's bell rings; kReady or kEnded at once if there is something to do.
  Park await_record(int ms);
  LoopBell& arrivals() { return arrivals_; }

  bool close();

  // Counts this attachment among those who wait until the queue is empty, once more or once less. Returns how often it
  // was empty before.
  std::uint64_t await_empty(bool begins);

 protected:
  void on_detach() override;

 private:
  struct Batch {
    Staging buffer;
    std::uint32_t lane;
  };
  // As many as fit into the buffer, whatever is written in front of them.
  std::uint32_t batch_records(const Batch& batch) const {
    return static_cast<std::uint32_t>((batch.buffer.bytes() - BatchStaging::kRecords) /
                                      shared_->shape.record_bytes);
  }
  QueueAttachment(Environment& environment, std::shared_ptr<SharedQueue> shared, ThreadSlot* line);
  PushResult push_when_full(std::uint32_t lane, std::uint64_t now, std::uint64_t ttl, bool waits);
  // Pushes to a queue that overwrites. Returns how many records it took: all, unless it is closed.
  std::uint32_t push_over(std::uint32_t lane, const std::byte* records, std::uint32_t count, bool on_permits,
                          std::uint64_t now, std::uint64_t ttl);
  bool take_lease();
  // Made when first needed. Throws std::bad_alloc.
  Bell& own_bell();
  // After records are gone, and a fence: whoever waits for the queue to be empty, or for its end, looks again.
  void tell_if_empty() {
    if (queue_.note_empty() || (queue_.closing() && consumer_.drained())) shared_->bells.ring_all();
  }
  // After records or permits are gone: whoever waits for the queue's end looks again.
  void tell_if_drained() {
    if (queue_.closing() && consumer_.drained()) shared_->bells.ring_all();
  }

  std::shared_ptr<SharedQueue> shared_;
  Queue queue_;
  QueueConsumer consumer_;
  ThreadSlot* line_;
  Clock clock_;
  const std::uint64_t number_;  // of this attachment: the owner of its lease and of its waiters
  bool has_lease_ = false;
  bool wants_dropped_ = false;
  bool parked_ = false;  // the loop waits for the bell
  bool ref_ = true;
  std::uint32_t dropped_ = 0;  // by the last show()
  std::uint32_t awaits_empty_ = 0;
  Staging in_, out_, dropped_records_, words_;
  LoopBell arrivals_, served_;
  std::unique_ptr<Bell> own_bell_;
  std::unique_ptr<std::byte[]> scratch_;
  std::uint32_t permits_[kLanesMax] = {};
  std::vector<Batch> batches_;
};

template <class Shown, class Drop>
std::uint32_t QueueAttachment::show(std::uint32_t max, Shown&& shown, Drop&& also_dropped) {
  const std::uint64_t record_bytes = shared_->shape.record_bytes;
  dropped_ = 0;
  const std::uint32_t count =
      consumer_.show(out(), max, clock_, shown,
                     [&](Dropped reason, const std::byte* record, std::uint32_t, std::uint64_t slot) {
                       if (wants_dropped_) {
                         std::memcpy(dropped_records_.data() + dropped_ * record_bytes, record, record_bytes);
                         words_.put(QueueStaging::kReasons + dropped_ * QueueStaging::kReasonBytes,
                                    static_cast<double>(reason));
                       }
                       also_dropped(slot);
                       // Copied out, or carried from under `front`.
                       const bool kept = wants_dropped_ || queue_.overwrites();
                       return ++dropped_ < (kept ? kDroppedMax : 1'024);
                     });
  words_.put(QueueStaging::kDropped, static_cast<double>(dropped_));
  if (dropped_ != 0) {
    const bool somebody_waits = consumer_.somebody_waits();
    tell_if_empty();
    for (std::uint32_t lane = 0; somebody_waits && lane < shared_->shape.lanes; ++lane) serve_waiting(lane);
  }
  return count;
}

}  // namespace sluice
