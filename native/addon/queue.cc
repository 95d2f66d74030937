#include "addon/queue.h"

#include "addon/objects.h"

namespace sluice {

QueueAttachment::QueueAttachment(Environment& environment, std::shared_ptr<SharedQueue> shared, ThreadLine* line)
    : Attachment(environment),
      shared_(std::move(shared)),
      queue_(shared_->view()),
      line_(line),
      clock_(shared_->time.clock()),
      number_(Registry::instance().next_attachment()) {}

QueueAttachment* QueueAttachment::make(Environment& environment, std::shared_ptr<SharedQueue> shared) {
  ThreadLine* line = shared->view().lines().acquire();
  return line == nullptr ? nullptr : new QueueAttachment(environment, std::move(shared), line);
}

void QueueAttachment::stage(napi_env env, napi_value in, napi_value out) {
  in_ = Staging(env, in);
  out_ = Staging(env, out);
}

void QueueAttachment::on_detach() {
  give_lease();
  queue_.lines().release(line_);
  in_.release(environment_.env());
  out_.release(environment_.env());
  shared_.reset();  // the last attachment to go unmaps the memory
}

bool QueueAttachment::take_lease() {
  has_lease_ = queue_.take_lease(number_);
  return has_lease_;
}

void QueueAttachment::give_lease() {
  if (listener_ != nullptr) {
    queue_.unpark();
    environment_.handle_closing();
    listener_->close(
        shared_->bell, [](void* data) { static_cast<Environment*>(data)->handle_closed(); }, &environment_);
    listener_ = nullptr;
  }
  if (callback_ != nullptr) napi_delete_reference(environment_.env(), callback_);
  callback_ = nullptr;
  if (has_lease_) queue_.give_lease(number_);
  has_lease_ = false;
}

void QueueAttachment::on_arrival(napi_env env, napi_value callback) {
  if (callback_ == nullptr) napi_create_reference(env, callback, 1, &callback_);
}

QueueAttachment::Park QueueAttachment::park(napi_env) {
  if (listener_ == nullptr) {
    listener_ = BellListener::open(
        environment_.loop(), shared_->bell, [](void* data) { static_cast<QueueAttachment*>(data)->arrived(); }, this);
    if (listener_ == nullptr) return Park::kFailed;
  }
  if (!queue_.park()) return queue_.readable() ? Park::kReady : Park::kEnded;
  listener_->keep_loop_alive(true);
  return Park::kParked;
}

void QueueAttachment::unpark() {
  queue_.unpark();
  if (listener_ != nullptr) listener_->keep_loop_alive(false);
}

void QueueAttachment::arrived() {
  napi_env env = environment_.env();
  unpark();
  queue_.woke();
  napi_handle_scope scope = nullptr;
  if (callback_ == nullptr || napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value callback = nullptr, receiver = nullptr;
  if (napi_get_reference_value(env, callback_, &callback) == napi_ok &&
      napi_get_global(env, &receiver) == napi_ok &&
      napi_make_callback(env, nullptr, receiver, callback, 0, nullptr, nullptr) == napi_pending_exception) {
    napi_value error = nullptr;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

namespace {

// What the hot functions of a queue answer, beside counts.
constexpr std::int32_t kClosed = -1;
constexpr std::int32_t kNotConsumer = -2;

napi_value push(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  switch (self.queue().push(self.line(), self.in(), self.clock())) {
    case PushResult::kPushed: self.ring_if_parked(); return number(env, 1);
    case PushResult::kFull: return number(env, 0);
    case PushResult::kClosed: return number(env, kClosed);
  }
  return nullptr;
}

// pushMany(count, more): how many were taken. `more` records are to follow if there is room for these.
napi_value push_many(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  const std::uint32_t count = std::min(arguments[0], self.in_records());
  if (count == 0) return number(env, 0);
  const auto claim = self.queue().push_many(self.line(), self.in(), count, self.clock());
  if (claim.count != 0) self.ring_if_parked();
  if (claim.count < count && !claim.closed) self.line().count(Queue::kRejected, arguments[1]);
  return number(env, claim.closed ? kClosed : static_cast<std::int32_t>(claim.count));
}

// next(consumed, max): removes the `consumed` records shown last, then shows up to `max` more
napi_value next(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (!self.consumes()) return number(env, kNotConsumer);
  self.queue().advance(arguments[0]);
  const std::uint32_t max = std::min(arguments[1], self.out_records());
  return number(env, static_cast<std::int32_t>(
                         self.queue().peek(self.out(), max, self.clock(), [](std::uint32_t, std::uint64_t) {})));
}

// take(max): removes up to `max` records
napi_value take(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (!self.consumes()) return number(env, kNotConsumer);
  const std::uint32_t max = std::min(arguments[0], self.out_records());
  const std::uint32_t count =
      self.queue().peek(self.out(), max, self.clock(), [](std::uint32_t, std::uint64_t) {});
  self.queue().advance(count);
  return number(env, static_cast<std::int32_t>(count));
}

napi_value park(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  if (!self.consumes()) return number(env, kNotConsumer);
  return number(env, static_cast<std::int32_t>(self.park(env)));
}

napi_value unpark(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (!self.detached()) self.unpark();
  return nullptr;
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
  if (!self.detached()) self.on_arrival(env, callback);
  return nullptr;
}

napi_value close(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const bool closed_now = self.queue().close();
  if (closed_now) self.ring_if_parked();
  return number(env, closed_now ? 1 : 0);
}

napi_value closed(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  return number(env, self.detached() ? kDisposed : self.queue().ring().closed() ? 1 : 0);
}

napi_value depth(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  return number(env, self.detached() ? static_cast<double>(kDisposed)
                                     : static_cast<double>(self.queue().ring().depth()));
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
  Napi::Object result = Napi::Object::New(env);
  result.Set("depth", static_cast<double>(queue.ring().depth()));
  result.Set("highWater", static_cast<double>(queue.high_water()));
  result.Set("pushed", static_cast<double>(queue.pushed()));
  result.Set("popped", static_cast<double>(queue.popped()));
  result.Set("rejected", static_cast<double>(queue.rejected()));
  result.Set("wakeups", static_cast<double>(queue.wakeups()));
  result.Set("waitNs", wait);
  return result;
}

napi_value dispose(napi_env env, napi_callback_info info) {
  attachment<QueueAttachment>(env, info).detach();
  return nullptr;
}

constexpr HotFunction kQueueFunctions[] = {
    {"push", push},         {"pushMany", push_many}, {"next", next},           {"take", take},
    {"park", park},         {"unpark", unpark},      {"consumes", consumes},   {"giveLease", give_lease},
    {"close", close},       {"closed", closed},      {"onArrival", on_arrival}, {"depth", depth},
    {"stats", stats},       {"dispose", dispose},
};

Napi::Value attach(Napi::Env env, const std::shared_ptr<SharedQueue>& shared, const Napi::Object& staging) {
  QueueAttachment* attached = QueueAttachment::make(Environment::of(env), shared);
  if (attached == nullptr) return Napi::String::New(env, kTooManyThreads);
  attached->stage(env, get(staging, "in"), get(staging, "out"));
  Napi::Object object(env, hot_object(env, attached, kQueueFunctions));
  object.Set("handle", handle_of(env, *shared));
  object.Set("capacity", static_cast<double>(shared->shape.capacity));
  // For whoever builds on this attachment natively (the gate), while `object` is alive.
  object.Set("attachment", Napi::External<QueueAttachment>::New(env, attached));
  return object;
}

// createQueue({ capacity, recordBytes, timed, start, schema, clock? }, { in, out })
Napi::Value create_queue(const Napi::CallbackInfo& info) {
  const auto options = info[0].As<Napi::Object>();
  auto shared = std::make_shared<SharedQueue>();
  shared->shape = {u64(options, "capacity"), u64(options, "recordBytes"), flag(options, "timed")};
  shared->schema = u64(options, "schema");
  const std::uint64_t start = u64(options, "start") * kRingStep;
  if (!clock_option(options, shared->time)) return Napi::String::New(info.Env(), kDeadHandle);
  if (!intact(options)) return {};
  shared->segment = Segment::create(SegmentKind::kQueue, shared->schema, Queue::bytes(shared->shape));
  if (!shared->segment || !shared->bell.valid()) return Napi::String::New(info.Env(), kNoMemory);
  shared->view().format(start);
  Registry::instance().add(shared);
  return attach(info.Env(), shared, info[1].As<Napi::Object>());
}

// attachQueue(handle, schema, { in, out })
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
