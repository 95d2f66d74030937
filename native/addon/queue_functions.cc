// What JavaScript calls on a queue: hot functions over QueueAttachment, and creating and attaching.
#include <algorithm>

#include "addon/objects.h"
#include "addon/queue.h"

namespace sluice {
namespace {

// What the hot functions of a queue answer, beside counts.
constexpr std::int32_t kClosed = -1;
constexpr std::int32_t kNotConsumer = -2;
constexpr std::int32_t kLineFull = -4;

// Success answers undefined: a number would have to be made.
napi_value pushed(napi_env env, QueueAttachment& self, PushResult result) {
  if (result == PushResult::kPushed) [[likely]] {
    self.ring_if_parked();
    return nullptr;
  }
  return number(env, result == PushResult::kFull ? 0 : kClosed);
}

// push(): lane 0, the queue's own ttl
napi_value push(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  return pushed(env, self, self.queue().push(self.line(), 0, self.in(), self.clock(), self.ttl(false)));
}

// pushTo(lane, hasTtl, waits): whoever is ready to wait for room is not rejected by a full queue
napi_value push_to(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[3];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  Queue& queue = self.queue();
  const PushResult result = queue.push(arguments[0], self.in(), queue.push_time(self.clock()),
                                       self.ttl(arguments[1] != 0), [](std::uint64_t) {});
  if (result == PushResult::kFull && arguments[2] == 0) self.line().count(Queue::kRejected);
  return pushed(env, self, result);
}

// pushMany(count, lane, hasTtl, more): how many were taken. `more` records are to follow if there is room for these.
napi_value push_many(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[4];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  const std::uint32_t count = std::min(arguments[0], self.in_records());
  if (count == 0) return number(env, 0);
  const auto claim = self.queue().push_many(self.line(), arguments[1], self.in(), count, self.clock(),
                                            self.ttl(arguments[2] != 0));
  if (claim.count != 0) self.ring_if_parked();
  if (claim.count < count && !claim.closed) self.line().count(Queue::kRejected, arguments[3]);
  return number(env, claim.closed ? kClosed : static_cast<std::int32_t>(claim.count));
}

// waitPush(lane, hasTtl): the waiter's number
napi_value wait_push(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  const std::uint32_t waiter = self.wait_to_push(arguments[0], self.ttl(arguments[1] != 0));
  return number(env, waiter == kNoWaiter ? kLineFull : static_cast<std::int32_t>(waiter));
}

// waitReserve(lane, permits): the waiter's number
napi_value wait_reserve(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  const std::uint32_t waiter = self.wait_to_reserve(arguments[0], arguments[1]);
  return number(env, waiter == kNoWaiter ? kLineFull : static_cast<std::int32_t>(waiter));
}

// waiterState(waiter): the WaiterState
napi_value waiter_state(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  return number(env, static_cast<std::int32_t>(self.queue().waiting_line().state(arguments[0])));
}

// leave(waiter): 1, or 0 if it has been served or closed
napi_value leave(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  return number(env, self.leave(arguments[0]) ? 1 : 0);
}

// retire(waiter, lane, permits): it has been served `permits` (0: a push) or closed, and its owner knows
napi_value retire(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[3];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  self.queue().waiting_line().retire(arguments[0]);
  self.took_permits(arguments[1], arguments[2]);
  return nullptr;
}

// awaitServed(ms): sleeps until a waiter of this thread may have been served
napi_value await_served(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (!self.detached()) self.await_served(static_cast<int>(arguments[0]));
  return nullptr;
}

// onServed(callback): called from the loop when waiters may have been served, or the queue was closed
napi_value on_served(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  std::size_t count = 1;
  napi_value callback = nullptr;
  napi_get_cb_info(env, info, &count, &callback, nullptr, &data);
  auto& self = *static_cast<QueueAttachment*>(data);
  if (self.detached()) return number(env, kDisposed);
  self.served().set_callback(env, callback);
  return number(env, self.listen_for_served() ? 1 : 0);
}

// keepAlive(0 | 1): whether a wait of this thread keeps its loop alive
napi_value keep_alive(napi_env env, napi_callback_info info) {
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
  if (self.queue().closed()) return number(env, kClosed);
  return number(env, static_cast<std::int32_t>(self.reserve(arguments[0], arguments[1])));
}

// pushReserved(lane, used, unused, hasTtl)
napi_value push_reserved(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[4];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  self.push_reserved(arguments[0], self.in(), arguments[1], arguments[2], self.ttl(arguments[3] != 0));
  return number(env, 1);
}

// openBatch(buffer, lane): the batch's number
napi_value open_batch(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  std::size_t count = 2;
  napi_value values[2];
  napi_get_cb_info(env, info, &count, values, nullptr, &data);
  auto& self = *static_cast<QueueAttachment*>(data);
  if (self.detached()) return number(env, kDisposed);
  std::uint32_t lane = 0;
  napi_get_value_uint32(env, values[1], &lane);
  return number(env, static_cast<std::int32_t>(self.open_batch(env, values[0], lane)));
}

// fillBatch(batch): the permits it has now
napi_value fill_batch(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (self.queue().closed()) return number(env, kClosed);
  const std::uint32_t permits = self.fill_batch(arguments[0]);
  if (permits == 0) self.line().count(Queue::kRejected);
  return number(env, static_cast<std::int32_t>(permits));
}

// flushBatch(batch): how many records were published
napi_value flush_batch(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  return number(env, static_cast<std::int32_t>(self.flush_batch(arguments[0])));
}

// closeBatch(batch)
napi_value close_batch(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (!self.detached()) self.close_batch(arguments[0]);
  return nullptr;
}

// Shows records to whoever consumes the queue itself. The reservations of orders that a gate admitted do not go with
// them; those of orders that are dropped are given back.
std::uint32_t show(QueueAttachment& self, std::uint32_t max) {
  constexpr auto nothing = [](auto...) {};
  SharedQueue& shared = *self.shared();
  if (shared.tags.load(std::memory_order_acquire) == nullptr) return self.show(max, nothing, nothing);
  return self.show(max, nothing, [&shared](std::uint64_t slot) { shared.drop_order(slot); });
}

// next(consumed, max): removes the `consumed` records shown last, then shows up to `max` more
napi_value next(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (!self.consumes()) return number(env, kNotConsumer);
  self.free_shown(arguments[0]);
  const std::uint32_t max = std::min(arguments[1], self.out_records());
  return number(env, static_cast<std::int32_t>(max == 0 ? 0 : show(self, max)));
}

// take(max): removes up to `max` records
napi_value take(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (!self.consumes()) return number(env, kNotConsumer);
  const std::uint32_t count = show(self, std::min(arguments[0], self.out_records()));
  self.free_shown(count);
  return number(env, static_cast<std::int32_t>(count));
}

// takeOne(): removes one record: undefined, or 0 if there is none
napi_value take_one(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  if (!self.consumes()) return number(env, kNotConsumer);
  if (show(self, 1) == 0) return number(env, 0);
  self.free_shown(1);
  return nullptr;
}

// wantDropped(0 | 1): whether dropped records are copied out
napi_value want_dropped(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (!self.detached()) self.want_dropped(arguments[0] != 0);
  return nullptr;
}

napi_value park(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  if (!self.consumes()) return number(env, kNotConsumer);
  return number(env, static_cast<std::int32_t>(self.park()));
}

napi_value unpark(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (!self.detached()) self.unpark();
  return nullptr;
}

// setRef(0 | 1): whether a wait for records keeps this thread's loop alive
napi_value set_ref(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (!self.detached()) self.set_ref(arguments[0] != 0);
  return nullptr;
}

napi_value drained(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  return number(env, self.detached() ? kDisposed : self.consumer().drained() ? 1 : 0);
}

// consumed(): whether some thread is the consumer
napi_value consumed(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  return number(env, self.detached() ? kDisposed : self.queue().leased() ? 1 : 0);
}

// awaitRecord(ms): sleeps until there may be something to consume
napi_value await_record(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (!self.consumes()) return number(env, kNotConsumer);
  return number(env, static_cast<std::int32_t>(self.await_record(static_cast<int>(arguments[0]))));
}

// spin(pauses): 1 as soon as there is something to read, 0 after so many pauses
napi_value spin(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  for (std::uint32_t i = 0; i < arguments[0]; ++i) {
    if (self.consumer().readable()) return number(env, 1);
    cpu_pause();
  }
  return number(env, self.consumer().readable() ? 1 : 0);
}

napi_value consumes(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  return number(env, self.consumes() ? 1 : kNotConsumer);
}

napi_value give_lease(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (!self.detached()) self.give_lease();
  return nullptr;
}

napi_value on_arrival(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  std::size_t count = 1;
  napi_value callback = nullptr;
  napi_get_cb_info(env, info, &count, &callback, nullptr, &data);
  auto& self = *static_cast<QueueAttachment*>(data);
  if (!self.detached()) self.arrivals().set_callback(env, callback);
  return nullptr;
}

napi_value close(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  return number(env, self.close() ? 1 : 0);
}

napi_value closed(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  return number(env, self.detached() ? kDisposed : self.queue().closed() ? 1 : 0);
}

napi_value depth(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  return number(env,
                static_cast<double>(self.detached() ? kDisposed : static_cast<double>(self.queue().depth())));
}

napi_value stats(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const Queue& queue = self.queue();
  const Histogram& waits = queue.waits();
  Napi::Object wait = Napi::Object::New(env);
  wait.Set("count", static_cast<double>(waits.count()));
  wait.Set("mean", waits.mean());
  wait.Set("p50", static_cast<double>(waits.at(0.5)));
  wait.Set("p90", static_cast<double>(waits.at(0.9)));
  wait.Set("p99", static_cast<double>(waits.at(0.99)));
  wait.Set("p999", static_cast<double>(waits.at(0.999)));
  wait.Set("max", static_cast<double>(waits.max()));
  const auto oldest = static_cast<double>(queue.dropped(Dropped::kOldest));
  const auto shed = static_cast<double>(queue.dropped(Dropped::kShed));
  Napi::Object result = Napi::Object::New(env);
  result.Set("depth", static_cast<double>(queue.depth()));
  result.Set("highWater", static_cast<double>(queue.high_water()));
  result.Set("pushed", static_cast<double>(queue.pushed()));
  result.Set("popped", static_cast<double>(queue.popped()));
  result.Set("rejected", static_cast<double>(queue.rejected()));
  result.Set("expired", static_cast<double>(queue.dropped(Dropped::kExpired)));
  result.Set("dropped", oldest + shed);
  result.Set("shed", shed);
  result.Set("waiting", static_cast<double>(queue.waiting()));
  result.Set("waitersRefused", static_cast<double>(queue.waiters_refused()));
  result.Set("permits", static_cast<double>(queue.permits()));
  result.Set("wakeups", static_cast<double>(queue.wakeups()));
  result.Set("waitNs", wait);
  return result;
}

napi_value dispose(napi_env env, napi_callback_info info) {
  attachment<QueueAttachment>(env, info).detach();
  return nullptr;
}

constexpr HotFunction kQueueFunctions[] = {
    {"push", push},
    {"pushTo", push_to},
    {"pushMany", push_many},
    {"waitPush", wait_push},
    {"waitReserve", wait_reserve},
    {"waiterState", waiter_state},
    {"leave", leave},
    {"retire", retire},
    {"awaitServed", await_served},
    {"onServed", on_served},
    {"keepAlive", keep_alive},
    {"reserve", reserve},
    {"pushReserved", push_reserved},
    {"openBatch", open_batch},
    {"fillBatch", fill_batch},
    {"flushBatch", flush_batch},
    {"closeBatch", close_batch},
    {"next", next},
    {"take", take},
    {"takeOne", take_one},
    {"wantDropped", want_dropped},
    {"park", park},
    {"unpark", unpark},
    {"setRef", set_ref},
    {"drained", drained},
    {"consumed", consumed},
    {"awaitRecord", await_record},
    {"spin", spin},
    {"consumes", consumes},
    {"giveLease", give_lease},
    {"onArrival", on_arrival},
    {"close", close},
    {"closed", closed},
    {"depth", depth},
    {"stats", stats},
    {"dispose", dispose},
};

Napi::Value attach(Napi::Env env, const std::shared_ptr<SharedQueue>& shared, const Napi::Object& staging) {
  QueueAttachment* attached = QueueAttachment::make(Environment::of(env), shared);
  if (attached == nullptr) return Napi::String::New(env, kTooManyThreads);
  attached->stage(env, get(staging, "in"), get(staging, "out"), get(staging, "dropped"),
                  get(staging, "words"));
  const QueueShape& shape = shared->shape;
  Napi::Object object(env, hot_object(env, attached, kQueueFunctions));
  object.Set("handle", handle_of(env, *shared));
  object.Set("capacity", static_cast<double>(shape.capacity));
  object.Set("lanes", static_cast<double>(shape.lanes));
  object.Set("expires", shape.expires);
  object.Set("manualClock", shared->time.manual != nullptr);
  object.Set("drops", shape.needs_choice());
  object.Set("overflow", static_cast<double>(shape.overflow));
  // For whoever builds on this attachment natively (the gate), while `object` is alive.
  object.Set("attachment", Napi::External<QueueAttachment>::New(env, attached));
  return object;
}

// Milliseconds to nanoseconds; Infinity is kNoDeadline.
std::uint64_t nanoseconds(double ms) {
  return ms >= 1e13 ? kNoDeadline : static_cast<std::uint64_t>(ms * 1e6);
}

// createQueue({ capacity, recordBytes, schema, start, lanes, weights, maxWaiting, latency, ttlMs?, overflow,
//               shed?: { targetMs, intervalMs }, clock? }, staging)
Napi::Value create_queue(const Napi::CallbackInfo& info) {
  const auto options = info[0].As<Napi::Object>();
  auto shared = std::make_shared<SharedQueue>();
  QueueShape& shape = shared->shape;
  shape.capacity = u64(options, "capacity");
  shape.record_bytes = u64(options, "recordBytes");
  shape.lanes = u32(options, "lanes");
  shape.waiters = u32(options, "maxWaiting");
  shape.latency = flag(options, "latency");
  shape.expires = get(options, "ttlMs").IsNumber();
  if (shape.expires) shape.ttl_ns = nanoseconds(f64(options, "ttlMs"));
  shape.overflow = static_cast<Overflow>(u32(options, "overflow"));
  const Napi::Object shed = nested(options, "shed"), weights = nested(options, "weights");
  if (!shed.IsEmpty()) {
    shape.shedding = {nanoseconds(f64(shed, "targetMs")), nanoseconds(f64(shed, "intervalMs"))};
  }
  for (std::uint32_t lane = 0; lane < shape.lanes && !weights.IsEmpty(); ++lane) {
    shape.weights[lane] = static_cast<std::uint32_t>(u64(weights.Get(lane)));
  }
  const std::uint64_t schema = u64(options, "schema"), start = u64(options, "start") * kRingStep;
  if (!clock_option(options, shared->time)) return Napi::String::New(info.Env(), kDeadHandle);
  if (!intact(options)) return {};
  shared->segment = Segment::create(SegmentKind::kQueue, schema, Queue::bytes(shape));
  if (!shared->segment || !shared->bell.valid()) return Napi::String::New(info.Env(), kNoMemory);
  shared->view().format(start);
  Registry::instance().add(shared);
  return attach(info.Env(), shared, info[1].As<Napi::Object>());
}

// attachQueue(handle, schema, staging)
Napi::Value attach_queue(const Napi::CallbackInfo& info) {
  const auto shared = find_handle<SharedQueue>(ObjectKind::kQueue, info[0]);
  if (shared == nullptr) return Napi::String::New(info.Env(), kDeadHandle);
  const AttachError error =
      check_segment(shared->segment.base(), shared->segment.bytes(), SegmentKind::kQueue, u64(info[1]));
  if (error != AttachError::kNone) return Napi::String::New(info.Env(), reason(error));
  return attach(info.Env(), shared, info[2].As<Napi::Object>());
}

}  // namespace

void export_queue(Napi::Env env, Napi::Object exports) {
  exports.Set("createQueue", Napi::Function::New(env, create_queue));
  exports.Set("attachQueue", Napi::Function::New(env, attach_queue));
}

}  // namespace sluice
