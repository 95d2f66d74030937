// The functions of a queue that the consumer calls.
#include <algorithm>

#include "addon/queue_functions.h"

namespace sluice {
namespace {

// next(consumed, max): removes the first `consumed` of the records shown last, then shows up to `max` more, or one that
// has left the queue (see QueueSession::next). A queue that overwrites cannot keep records shown between two calls, so
// there `max` must be 0: such a call only takes the lease.
napi_value next(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  QueueSession& session = self.session();
  if (!session.consumes()) return number(env, kNotConsumer);
  if (arguments[0] > session.consumer().shown()) return number(env, kBadArgument);
  if (session.queue().overwrites() && arguments[1] != 0) return number(env, kBadArgument);
  return number(env, static_cast<std::int32_t>(session.next(arguments[0], arguments[1])));
}

// take(max): removes up to `max` records
napi_value take_many(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (!self.session().consumes()) return number(env, kNotConsumer);
  return number(env, static_cast<std::int32_t>(self.session().take(arguments[0])));
}

// takeOne(): removes one record; undefined, or kNone if there was none
napi_value take_one(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  if (!self.session().consumes()) return number(env, kNotConsumer);
  return self.session().take(1) == 0 ? number(env, kNone) : nullptr;
}

// tell(): wakes the threads that wait for what was freed; called after records were taken through the other face
napi_value tell(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (!self.detached()) self.session().tell_of_room();
  return nullptr;
}

// wantDropped(0 | 1): whether dropped records are copied out
napi_value want_dropped(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (!self.detached()) self.session().want_dropped(arguments[0] != 0);
  return nullptr;
}

napi_value park(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  if (!self.session().consumes()) return number(env, kNotConsumer);
  return number(env, static_cast<std::int32_t>(self.park()));
}

napi_value unpark(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (!self.detached()) self.unpark();
  return nullptr;
}

// awaitRecord(ms): sleeps until there may be something to consume, at most `ms`
napi_value await_record(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (!self.session().consumes()) return number(env, kNotConsumer);
  const int ms = static_cast<int>(std::min(arguments[0], kSleepMsMax));
  return number(env, static_cast<std::int32_t>(self.await_record(ms)));
}

// spin(pauses): 1 as soon as there is something to read; 0 if there is nothing after that many pauses, at most kSpinMax
napi_value spin(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  const std::uint32_t pauses = std::min(arguments[0], kSpinMax);
  for (std::uint32_t i = 0; i < pauses; ++i) {
    if (self.session().consumer().readable()) return number(env, 1);
    cpu_pause();
  }
  return number(env, self.session().consumer().readable() ? 1 : 0);
}

napi_value consumes(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  return number(env, self.session().consumes() ? 1 : kNotConsumer);
}

napi_value give_lease(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (!self.detached()) self.give_lease();
  return nullptr;
}

napi_value on_arrival(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (!self.detached()) self.arrivals().set_callback(env, arguments[0]);
  return nullptr;
}

// setRef(0 | 1): whether a wait for records keeps this thread's loop alive
napi_value set_ref(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (!self.detached()) self.set_ref(arguments[0] != 0);
  return nullptr;
}

constexpr HotFunction<functions::kQueue> kConsumerFunctions[] = {
    {"tell", tell},
    {"next", next},
    {"take", take_many},
    {"takeOne", take_one},
    {"wantDropped", want_dropped},
    {"park", guarded<park>},
    {"unpark", unpark},
    {"setRef", set_ref},
    {"awaitRecord", await_record},
    {"spin", spin},
    {"consumes", consumes},
    {"giveLease", give_lease},
    {"onArrival", on_arrival},
};

}  // namespace

std::span<const HotFunction<functions::kQueue>> queue_consumer_functions() { return kConsumerFunctions; }

}  // namespace sluice
