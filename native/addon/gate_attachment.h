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
  // False: limiter or stock have no thread slot for its returns.
  bool open_returns();

  Segment segment;
  std::shared_ptr<SharedQueue> queue;      // nullptr while the gate is being made
  std::shared_ptr<SharedLimiter> limiter;  // nullptr: none
  std::shared_ptr<SharedStock> stock;      // nullptr: none
  GateReturns returns;                     // go first
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
  // Whether they are this gate's parts, and attached.
  bool are_of(const SharedGate& gate) const {
    return queue != nullptr && !detached() && queue->shared() == gate.queue &&
           (limiter == nullptr ? gate.limiter == nullptr : limiter->shared() == gate.limiter) &&
           (stock == nullptr ? gate.stock == nullptr : stock->shared() == gate.stock);
  }
  // An admission reads the clock once, for all of its parts.
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
