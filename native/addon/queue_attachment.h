// A queue as the threads of the process share it, and as one thread of Node sees it: a session, the bells that its
// event loop hears, and the JavaScript buffers that it works on.
#pragma once

#include <atomic>
#include <deque>
#include <memory>

#include "addon/clock.h"
#include "addon/loop_bell.h"
#include "addon/object_attachment.h"
#include "contract/staging.h"
#include "platform/bells.h"
#include "platform/mapping.h"
#include "session/queue_session.h"

namespace sluice {

struct SharedQueue : SharedObject, QueueHost {
  using Object = Queue;

  SharedQueue() : SharedObject(ObjectKind::kQueue) {}

  Queue view() const { return Queue(segment.body()); }
  const QueueShape& shape() const { return shape_in<Queue>(segment.body()); }

  void ring_consumer() noexcept override { bell.ring(); }
  void ring(std::uint64_t session) noexcept override { bells.ring(session); }
  void ring_all() noexcept override { bells.ring_all(); }
  void give_back(const Tag& tag) noexcept override {
    // Relaxed: the user set it before it put a tag, and a thread that has a tag has it from its record's stamp.
    returns.load(std::memory_order_relaxed)->give_back(tag);
  }

  Segment segment;
  ClockSource time;
  Bell bell;                                  // the consumer's
  Bells bells;                                // of attachments that wait for room or want to hear of the end
  std::atomic<TagReturns*> returns{nullptr};  // of the tags' user, while they have one
};

class QueueAttachment final : public ObjectAttachment<SharedQueue, QueueStaging> {
 public:
  // nullptr when kThreadsMax threads have this queue attached.
  static QueueAttachment* make(Environment& environment, std::shared_ptr<SharedQueue> shared);

  QueueSession& session() { return session_; }

  // { in, out, dropped, words }, as the session uses them. False: not buffers of the size that native code writes to.
  bool stage(napi_env env, napi_value buffers);

  // Before its session waits for room. Throws std::bad_alloc.
  Bell& own_bell();
  // Throws std::bad_alloc.
  void listen_for_served();
  LoopBell& served() { return served_; }

  static constexpr std::uint32_t kNoBatch = ~0u;
  // kNoBatch: there is no buffer, or none with room for a record. Throws std::bad_alloc.
  std::uint32_t open_batch(napi_env env, napi_value buffer, std::uint32_t lane);
  // nullptr: there is none of that number.
  QueueSession::Batch* batch(std::uint32_t number) {
    return number < batches_.size() && batches_[number].is_open ? &batches_[number].batch : nullptr;
  }
  // Publishes what is gathered; the number is free for another batch.
  void close_batch(std::uint32_t number);

  void give_lease();
  // Throws std::bad_alloc.
  Park park();
  void unpark();
  // Whether a wait for records keeps the thread's loop alive.
  void set_ref(bool ref);
  // Sleeps at most `ms` until there may be something to consume.
  Park await_record(int ms) {
    return session_.await_record([this, ms] { shared_->bell.wait(ms); });
  }
  LoopBell& arrivals() { return arrivals_; }

 private:
  struct GatheredBatch {
    QueueSession::Batch batch;
    Staging buffer;
    bool is_open = false;
  };

  QueueAttachment(Environment& environment, std::shared_ptr<SharedQueue> shared, ThreadSlot& slot);
  void end() override;
  void drop_arrivals();
  void drop_own_bell();

  QueueSession session_;
  bool parked_ = false;  // the loop waits for the bell
  bool ref_ = true;
  Staging in_, out_, dropped_records_;
  LoopBell arrivals_, served_;
  std::unique_ptr<Bell> own_bell_;
  std::deque<GatheredBatch> batches_;  // which stay where they are
};

}  // namespace sluice
