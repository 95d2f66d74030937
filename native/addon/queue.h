// A queue as the threads of the process share it, and as one thread sees it.
#pragma once

#include <memory>
#include <mutex>

#include "addon/bell.h"
#include "addon/clock.h"
#include "addon/environment.h"
#include "addon/hot_function.h"
#include "addon/registry.h"
#include "core/queue.h"
#include "core/segment.h"

namespace sluice {

struct SharedGate;

struct SharedQueue : SharedObject {
  SharedQueue() : SharedObject(ObjectKind::kQueue) {}

  Segment segment;
  QueueShape shape;
  std::uint64_t schema = 0;
  ClockSource time;
  Bell bell;
  std::atomic<bool> gated{false};  // a gate feeds it: a queue has at most one

  Queue view() const { return Queue(segment.body(), shape); }
};

// Reads or removes records for the consumer and copies them to a staging buffer; wakes it when more come.
class QueueAttachment : public Attachment {
 public:
  // nullptr when kThreadsMax threads have this queue attached.
  static QueueAttachment* make(Environment& environment, std::shared_ptr<SharedQueue> shared);

  Queue& queue() { return queue_; }
  ThreadLine& line() { return *line_; }
  const Clock& clock() const { return clock_; }
  const std::shared_ptr<SharedQueue>& shared() const { return shared_; }

  // Staging: `in` holds records to push, `out` records read, each a whole number of records.
  void stage(napi_env env, napi_value in, napi_value out);
  std::byte* in() const { return in_.data(); }
  std::byte* out() const { return out_.data(); }
  std::uint32_t in_records() const { return static_cast<std::uint32_t>(in_.bytes() / shared_->shape.record_bytes); }
  std::uint32_t out_records() const { return static_cast<std::uint32_t>(out_.bytes() / shared_->shape.record_bytes); }

  // After pushing or closing.
  void ring_if_parked() {
    if (queue_.must_ring()) shared_->bell.ring();
  }

  // Whether this attachment is the consumer, becoming it if nobody is.
  bool consumes() { return has_lease_ || take_lease(); }
  void give_lease();

  // What arrival the consumer may wait for: see park().
  enum class Park : std::int32_t { kReady = 0, kParked = 1, kEnded = 2, kFailed = 3 };
  Park park(napi_env env);
  void unpark();
  void on_arrival(napi_env env, napi_value callback);

 protected:
  void on_detach() override;

 private:
  QueueAttachment(Environment& environment, std::shared_ptr<SharedQueue> shared, ThreadLine* line);
  bool take_lease();
  void arrived();

  std::shared_ptr<SharedQueue> shared_;
  Queue queue_;
  ThreadLine* line_;
  Clock clock_;
  const std::uint64_t number_;  // of this attachment: the lease's owner
  bool has_lease_ = false;
  Staging in_, out_;
  BellListener* listener_ = nullptr;
  napi_ref callback_ = nullptr;  // called when the bell rings
};

}  // namespace sluice
