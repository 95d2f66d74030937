// A gate as the threads of the process share it, and as one thread sees it.
#pragma once

#include <memory>

#include "addon/limiter_attachment.h"
#include "addon/object_attachment.h"
#include "addon/queue_attachment.h"
#include "addon/stock_attachment.h"
#include "contract/staging.h"
#include "core/gate/gate_memory.h"
#include "platform/mapping.h"
#include "session/gate_calls.h"
#include "session/gate_returns.h"
#include "session/gate_session.h"

namespace sluice {

struct SharedGate final : SharedObject {
  using Object = GateMemory;

  SharedGate() : SharedObject(ObjectKind::kGate) {}
  ~SharedGate() override;

  GateMemory memory() const { return GateMemory(segment.body()); }
  // Takes a thread slot of the limiter and one of the stock for `returns`. False: one of them has no slot left.
  bool open_returns();

  Segment segment;
  std::shared_ptr<SharedQueue> queue;      // nullptr while the gate is being made
  std::shared_ptr<SharedLimiter> limiter;  // nullptr: none
  std::shared_ptr<SharedStock> stock;      // nullptr: none
  GateReturns returns;                     // declared last, so that they are destroyed first
};

// This thread's attachments of a gate's parts. They belong to the parts' JavaScript objects, which the gate's object
// keeps alive; but a program can dispose of each part separately.
struct GateParts {
  QueueAttachment* queue;
  LimiterAttachment* limiter;
  StockAttachment* stock;

  bool detached() const {
    return queue->detached() || (limiter != nullptr && limiter->detached()) ||
           (stock != nullptr && stock->detached());
  }
  // Whether these attachments are of this gate's parts, and none is detached.
  bool are_of(const SharedGate& gate) const {
    return queue != nullptr && !detached() && queue->shared() == gate.queue &&
           (limiter == nullptr ? gate.limiter == nullptr : limiter->shared() == gate.limiter) &&
           (stock == nullptr ? gate.stock == nullptr : stock->shared() == gate.stock);
  }
  // Whether all parts have the same clock: an admission uses the same reading of it for all of them.
  bool share_a_clock() const {
    const auto& clock = queue->shared()->time.manual;
    return (limiter == nullptr || limiter->shared()->time.manual == clock) &&
           (stock == nullptr || stock->shared()->time.manual == clock);
  }
  GateSession::Parts sessions() const {
    return {queue->session(), limiter == nullptr ? nullptr : &limiter->session(),
            stock == nullptr ? nullptr : &stock->session()};
  }
};

class GateAttachment final : public ObjectAttachment<SharedGate, GateStaging> {
 public:
  // nullptr when kThreadsMax threads have this gate attached.
  static GateAttachment* make(Environment& environment, std::shared_ptr<SharedGate> shared,
                              const GateParts& parts);

  bool usable() const { return !detached() && !parts_.detached(); }
  const GateParts& parts() const { return parts_; }
  GateSession& session() { return session_; }
  GateCalls calls() { return {session_, words()}; }

 private:
  GateAttachment(Environment& environment, std::shared_ptr<SharedGate> shared, const GateParts& parts,
                 ThreadSlot* slot);
  void end() override { session_.end(); }

  const GateParts parts_;
  GateSession session_;
};

}  // namespace sluice
