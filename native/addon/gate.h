// A gate as the threads of the process share it, and as one thread sees it.
#pragma once

#include <memory>

#include "addon/environment.h"
#include "addon/hot_function.h"
#include "addon/limiter.h"
#include "addon/queue.h"
#include "addon/registry.h"
#include "addon/stock.h"
#include "core/admission.h"
#include "core/segment.h"

namespace sluice {

//   segment body:  | ThreadLines | tags, one per slot of the queue's ring |
struct SharedGate : SharedObject {
  SharedGate() : SharedObject(ObjectKind::kGate) {}
  ~SharedGate() override {
    if (queue != nullptr) queue->gated.store(false, std::memory_order_relaxed);
  }

  using Tag = std::atomic<std::uint64_t>;
  static std::uint64_t bytes(const QueueShape& shape) {
    return sizeof(ThreadLines) + std::bit_ceil(shape.ring_capacity()) * sizeof(Tag);
  }
  ThreadLines& lines() const { return *reinterpret_cast<ThreadLines*>(segment.body()); }
  Tag* tags() const { return reinterpret_cast<Tag*>(segment.body() + sizeof(ThreadLines)); }

  Segment segment;
  std::shared_ptr<SharedQueue> queue;
  std::shared_ptr<SharedLimiter> limiter;  // nullptr: none
  std::shared_ptr<SharedStock> stock;      // nullptr: none
  AdmissionFields fields;
};

// What of a gate's parts this thread has attached. The parts belong to JavaScript objects that the gate's keeps
// alive, but each can be disposed of on its own.
struct GateParts {
  QueueAttachment* queue;
  LimiterAttachment* limiter;
  StockAttachment* stock;

  bool detached() const {
    return queue->detached() || (limiter != nullptr && limiter->detached()) ||
           (stock != nullptr && stock->detached());
  }
  // An admission reads the clock once, for all of its parts.
  bool share_a_clock() const {
    const auto& clock = queue->shared()->time.manual;
    return (limiter == nullptr || limiter->shared()->time.manual == clock) &&
           (stock == nullptr || stock->shared()->time.manual == clock);
  }
};

class GateAttachment : public Attachment {
 public:
  static GateAttachment* make(Environment& environment, std::shared_ptr<SharedGate> shared,
                              const GateParts& parts);

  bool usable() const { return !detached() && !parts_.detached(); }
  Admission::Result admit(std::uint64_t hold_ns);
  // Removes up to `max` records to the queue's staging, and their reservations to the gate's.
  std::uint32_t take(std::uint32_t max);
  // Confirms or cancels; without a stock there is nothing to resolve. `leaves`: the order is no longer in flight.
  ResolveResult resolve(std::uint64_t reservation, bool confirm, bool leaves);
  const GateParts& parts() const { return parts_; }
  ThreadLines& lines() const { return shared_->lines(); }

  void stage(napi_env env, napi_value buffer) { words_ = Staging(env, buffer); }
  const Staging& words() const { return words_; }

  // The staging words: a result's reservation and retryAfterMs, a request's hold, then the reservations of take().
  static constexpr std::size_t kReservation = 0, kRetryAfterMs = 8, kHoldNs = 16, kTaken = 24;

 protected:
  void on_detach() override;

 private:
  GateAttachment(Environment& environment, std::shared_ptr<SharedGate> shared, const GateParts& parts,
                 ThreadLine* line);

  std::shared_ptr<SharedGate> shared_;
  std::uint64_t taken_tag(std::uint64_t slot);

  GateParts parts_;
  ThreadLine* line_;
  Admission::Parts admission_;
  Staging words_;
};

}  // namespace sluice
