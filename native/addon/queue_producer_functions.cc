// The functions of a queue that a producer calls, including the wait for room.
#include <algorithm>

#include "addon/queue_functions.h"

namespace sluice {
namespace {

// Whether one call may ask for that many permits. Like each number from JavaScript that native code relies on, it is
// checked, though lib/ never passes a wrong one.
bool permits(std::uint32_t count) { return count >= 1 && count <= kRingPermitsMax; }

// Returns undefined for success, because a number would have to be created.
napi_value pushed(napi_env env, QueueAttachment& self, PushResult result) {
  if (result == PushResult::kPushed) [[likely]] {
    self.session().ring_if_parked();
    return nullptr;
  }
  return number(env, result == PushResult::kFull ? kNone : kClosed);
}

// push(): lane 0, the queue's own ttl
napi_value push(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  return pushed(env, self, self.session().push(0, self.session().ttl(false)));
}

// ring(): wakes the consumer, if it sleeps; called after records were pushed through the other face
napi_value ring(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (!self.detached()) self.session().ring_if_parked();
  return nullptr;
}

// pushTo(lane, hasTtl, waits): with `waits`, a full queue does not count as a rejection
napi_value push_to(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[3];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (arguments[0] >= self.session().lanes()) return number(env, kBadArgument);
  return pushed(env, self,
                self.session().push(arguments[0], self.session().ttl(arguments[1] != 0), arguments[2] != 0));
}

// pushMany(count, lane, hasTtl, more): how many records were pushed. `more`: how many further records the caller would
// push next (see QueueSession).
napi_value push_many(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[4];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (arguments[1] >= self.session().lanes()) return number(env, kBadArgument);
  const auto claim = self.session().push_many(arguments[1], arguments[0], arguments[3],
                                              self.session().ttl(arguments[2] != 0));
  if (claim.count != 0) self.session().ring_if_parked();
  return number(env, claim.closed ? kClosed : static_cast<std::int32_t>(claim.count));
}

// waitPush(lane, hasTtl): the waiter's number, or kLineFull
napi_value wait_push(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (arguments[0] >= self.session().lanes()) return number(env, kBadArgument);
  self.own_bell();
  const std::uint32_t waiter =
      self.session().wait_to_push(arguments[0], self.session().ttl(arguments[1] != 0));
  return number(env, waiter == kNoWaiter ? kLineFull : static_cast<std::int32_t>(waiter));
}

// waitReserve(lane, permits): the waiter's number, or kLineFull
napi_value wait_reserve(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (arguments[0] >= self.session().lanes() || !permits(arguments[1])) return number(env, kBadArgument);
  self.own_bell();
  const std::uint32_t waiter = self.session().wait_to_reserve(arguments[0], arguments[1]);
  return number(env, waiter == kNoWaiter ? kLineFull : static_cast<std::int32_t>(waiter));
}

// waiterState(waiter): the WaiterState
napi_value waiter_state(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (!self.session().owns(arguments[0])) return number(env, kBadArgument);
  return number(env, static_cast<std::int32_t>(self.session().waiter_state(arguments[0])));
}

// leave(waiter): 1, or 0 if the waiter has already been served, or the queue was closed
napi_value leave(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (!self.session().owns(arguments[0])) return number(env, kBadArgument);
  return number(env, self.session().leave(arguments[0]) ? 1 : 0);
}

// retire(waiter): frees the place of a waiter that has been served, or whose queue was closed; the session gets the
// permits that the waiter was given
napi_value retire(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (!self.session().owns(arguments[0]) || !self.session().retire(arguments[0]))
    return number(env, kBadArgument);
  return nullptr;
}

// awaitServed(ms): sleeps until a waiter of this thread may have been served, but at most `ms`
napi_value await_served(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (!self.detached()) self.own_bell().wait(static_cast<int>(std::min(arguments[0], kSleepMsMax)));
  return nullptr;
}

// onServed(callback): 1; the loop calls `callback` when waiters may have been served, or the queue was closed
napi_value queue_on_served(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  self.listen_for_served();
  self.served().set_callback(env, arguments[0]);
  return number(env, 1);
}

// keepAlive(0 | 1): whether this thread's waits for room keep its event loop alive
napi_value queue_keep_alive(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (!self.detached()) self.served().keep_loop_alive(arguments[0] != 0);
  return nullptr;
}

// reserve(lane, want): how many permits were taken
napi_value reserve(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (arguments[0] >= self.session().lanes() || !permits(arguments[1])) return number(env, kBadArgument);
  if (self.session().queue().closed()) return number(env, kClosed);
  return number(env, static_cast<std::int32_t>(self.session().reserve(arguments[0], arguments[1])));
}

// pushReserved(lane, used, unused, hasTtl)
napi_value push_reserved(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[4];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (!self.session().has_permits(arguments[0], arguments[1], arguments[2])) return number(env, kBadArgument);
  self.session().push_reserved(arguments[0], self.session().in_from(0), arguments[1], arguments[2],
                               self.session().ttl(arguments[3] != 0));
  return number(env, 1);
}

// openBatch(buffer, lane): the batch's number
napi_value open_batch(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  std::uint32_t lane = 0;
  napi_get_value_uint32(env, arguments[1], &lane);
  if (lane >= self.session().lanes()) return number(env, kBadArgument);
  const std::uint32_t batch = self.open_batch(env, arguments[0], lane);
  return number(env, batch == QueueAttachment::kNoBatch ? kBadArgument : static_cast<std::int32_t>(batch));
}

// fillBatch(batch): how many permits the batch has now
napi_value fill_batch(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  QueueSession::Batch* batch = self.batch(arguments[0]);
  if (batch == nullptr) return number(env, kBadArgument);
  if (self.session().queue().closed()) return number(env, kClosed);
  return number(env, static_cast<std::int32_t>(self.session().fill_batch(*batch)));
}

// flushBatch(batch): how many records were published
napi_value flush_batch(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  QueueSession::Batch* batch = self.batch(arguments[0]);
  if (batch == nullptr) return number(env, kBadArgument);
  return number(env, static_cast<std::int32_t>(self.session().flush_batch(*batch)));
}

// closeBatch(batch)
napi_value close_batch(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (!self.detached() && self.batch(arguments[0]) != nullptr) self.close_batch(arguments[0]);
  return nullptr;
}

constexpr HotFunction<functions::kQueue> kProducerFunctions[] = {
    {"push", push},
    {"ring", ring},
    {"pushTo", push_to},
    {"pushMany", push_many},
    {"waitPush", guarded<wait_push>},
    {"waitReserve", guarded<wait_reserve>},
    {"waiterState", waiter_state},
    {"leave", leave},
    {"retire", retire},
    {"awaitServed", guarded<await_served>},
    {"onServed", guarded<queue_on_served>},
    {"keepAlive", queue_keep_alive},
    {"reserve", reserve},
    {"pushReserved", push_reserved},
    {"openBatch", guarded<open_batch>},
    {"fillBatch", fill_batch},
    {"flushBatch", flush_batch},
    {"closeBatch", close_batch},
};

}  // namespace

std::span<const HotFunction<functions::kQueue>> queue_producer_functions() { return kProducerFunctions; }

}  // namespace sluice
