// A limiter as the threads of the process share it, and as one thread sees it.
#pragma once

#include <cstdlib>
#include <memory>

#include "addon/clock.h"
#include "addon/loop_bell.h"
#include "addon/object_attachment.h"
#include "addon/queue_attachment.h"
#include "contract/limits.h"
#include "contract/staging.h"
#include "core/limiter/limiter_segment.h"
#include "platform/bells.h"
#include "platform/mapping.h"
#include "session/limiter_calls.h"
#include "session/limiter_session.h"

namespace sluice {

struct SharedLimiter final : SharedObject, LimiterHost {
  using Object = LimiterSegment;

  SharedLimiter() : SharedObject(ObjectKind::kLimiter) {}

  LimiterSegment memory() const { return LimiterSegment(segment.body()); }
  // The caller may read only the fields that are fixed at creation.
  const LimiterConfig& config() const { return memory().config(); }
  const LimiterNotes& notes() const { return memory().notes(); }
  // Returns the parts of a new session, for a thread that has `slot`.
  LimiterSession::Parts parts(ThreadSlot* slot) const;

  void ring(std::uint64_t session) noexcept override { bells.ring(session); }
  void* allocate(std::size_t bytes) noexcept override { return std::malloc(bytes); }
  void free(void* memory) noexcept override { std::free(memory); }

  Segment segment;
  ClockSource time;
  std::shared_ptr<SharedQueue> queue;    // the queue that the tier `queueDepth` follows; nullptr: none
  std::shared_ptr<SharedQueue> watched;  // the queue that the adaptive tier watches; nullptr: none
  Bells bells;                           // of attachments whose on_served() was called
};

class LimiterAttachment final : public ObjectAttachment<SharedLimiter, LimiterStaging> {
 public:
  static LimiterAttachment* make(Environment& environment, std::shared_ptr<SharedLimiter> shared);

  LimiterSession& session() { return session_; }
  LimiterCalls calls() { return {session_, words()}; }

  // Returns the key that JavaScript passed as `value`; nullptr if that is no string, number or bigint. The key is valid
  // until the next call.
  const Key* key(napi_env env, napi_value value);

  // Sets the callback for waiters that were served, and begins to listen for them; later calls do nothing. If it throws
  // std::bad_alloc, the attachment does not listen.
  void on_served(napi_env env, napi_value callback);
  void keep_loop_alive(bool alive) { served_.keep_loop_alive(alive); }

 private:
  LimiterAttachment(Environment& environment, std::shared_ptr<SharedLimiter> shared, ThreadSlot* slot);
  void end() override;
  void drop_bell();

  LimiterSession session_;
  std::unique_ptr<Bell> bell_;
  LoopBell served_;  // called when some of this thread's waiters may have been served
  Key key_;
  // Room for the longest keys that lib/ accepts.
  char16_t text_[kKeyTextMax + 1];
  std::uint64_t digits_[1 + kKeyBitsMax / 64];
};

}  // namespace sluice
