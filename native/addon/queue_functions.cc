// Creates queues and attaches to them, and the functions of a queue that any thread calls: its state, its figures, its
// end.
#include "addon/queue_functions.h"

#include "addon/object_attachment.h"
#include "addon/objects.h"
#include "contract/figures.h"
#include "core/gate/order_tag.h"

namespace sluice {

static_assert(Arena::kBytes == kArenaPages * kWasmPageBytes);

namespace {

napi_value drained(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  return number(env, self.detached() ? kDisposed : self.session().consumer().drained() ? 1 : 0);
}

// consumed(): whether some thread is the consumer
napi_value consumed(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  return number(env, self.detached() ? kDisposed : self.session().queue().leased() ? 1 : 0);
}

napi_value empty(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  return number(env, self.detached() ? kDisposed : self.session().queue().empty() ? 1 : 0);
}

// awaitEmpty(1 | 0): begins or ends a wait for an empty queue; returns how often the queue has been found empty so far
napi_value await_empty(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  return number(env, static_cast<double>(self.session().await_empty(arguments[0] != 0)));
}

// emptied(): how often the queue was found empty while a caller waited for that
napi_value emptied(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  return number(env, static_cast<double>(self.session().queue().emptied()));
}

napi_value close(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  return number(env, self.session().close() ? 1 : 0);
}

napi_value closed(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  return number(env, self.detached() ? kDisposed : self.session().queue().closed() ? 1 : 0);
}

napi_value depth(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  return number(env, static_cast<double>(
                         self.detached() ? kDisposed : static_cast<double>(self.session().queue().depth())));
}

// claimed(lane), gone(lane): see Queue
template <std::uint64_t (Queue::*Count)(std::uint32_t) const noexcept>
napi_value count_of_lane(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  if (arguments[0] >= self.session().lanes()) return number(env, kBadArgument);
  return number(env, static_cast<double>((self.session().queue().*Count)(arguments[0])));
}

// stats(): 0; staging: figures::kQueue, then kWaits
napi_value queue_stats(napi_env env, napi_callback_info info) {
  auto& self = attachment<QueueAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const std::size_t waits =
      put_figures(figures::kQueue, self.session().queue(), self.words(), QueueStaging::kFigures);
  put_figures(figures::kWaits, self.session().queue().waits(), self.words(), waits);
  return number(env, 0);
}

// waits(buffer): 0; the buffer: WaitsStaging
napi_value waits(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  auto& self = attachment<QueueAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  void* data = nullptr;
  std::size_t bytes = 0;
  if (napi_get_arraybuffer_info(env, arguments[0], &data, &bytes) != napi_ok || bytes < WaitsStaging::kBytes)
    return number(env, kBadArgument);
  const Words to({static_cast<std::byte*>(data), bytes});
  const Histogram& waits = self.session().queue().waits();
  to.put(WaitsStaging::kSum, static_cast<double>(waits.sum()));
  for (std::uint32_t i = 0; i < Histogram::kBuckets; ++i)
    to.put(WaitsStaging::kBuckets + i * sizeof(double), static_cast<double>(waits.in_bucket(i)));
  return number(env, 0);
}

constexpr HotFunction<functions::kQueue> kQueueFunctions[] = {
    {"drained", drained},
    {"consumed", consumed},
    {"empty", empty},
    {"awaitEmpty", await_empty},
    {"emptied", emptied},
    {"close", close},
    {"closed", closed},
    {"depth", depth},
    {"stats", queue_stats},
    {"waits", waits},
    {"dispose", dispose<QueueAttachment>},
    {"claimed", count_of_lane<&Queue::claimed>},
    {"gone", count_of_lane<&Queue::gone>},
};

// How JavaScript calls the WebAssembly face of an attachment: the cell, its key, and whether it may take records, too.
Napi::Value face_of(Napi::Env env, const QueueAttachment& attached, const QueueShape& shape) {
  Napi::Object face = Napi::Object::New(env);
  put(face, "cell", static_cast<double>(attached.cell_offset()));
  put(face, "low", static_cast<double>(static_cast<std::int32_t>(attached.key())));
  put(face, "high", static_cast<double>(static_cast<std::int32_t>(attached.key() >> 32)));
  put(face, "takes", shape.plain() && !shape.overwrites());
  return face;
}

// Returns memory for a cell, if `staging` is undefined; nothing if it is a buffer, or if the arena has no room.
Piece cell_for(Napi::Env env, const Napi::Value& staging, std::uint64_t record_bytes) {
  if (!staging.IsUndefined()) return {};
  return {Environment::of(env).window(), QueueAttachment::cell_bytes(record_bytes)};
}

Napi::Value attach(Napi::Env env, const std::shared_ptr<SharedQueue>& shared, const Napi::Value& staging,
                   Piece cell) {
  QueueAttachment* attached = QueueAttachment::make(Environment::of(env), shared, std::move(cell));
  return object_of<functions::kQueue>(
      env, attached, staging, {queue_producer_functions(), queue_consumer_functions(), kQueueFunctions},
      [&](Napi::Object& object) {
        const QueueShape& shape = shared->shape();
        const QueueStaging::Places places(shape.record_bytes);
        const std::uint32_t offset = attached->cell_offset();
        const double begin = offset == 0 ? 0 : offset + static_cast<double>(sizeof(QueueCell));
        Napi::Object at = Napi::Object::New(env);
        put(at, "words", begin + static_cast<double>(places.words));
        put(at, "in", begin + static_cast<double>(places.in));
        put(at, "inApart", static_cast<double>(places.in_apart));
        put(at, "out", begin + static_cast<double>(places.out));
        put(at, "dropped", begin + static_cast<double>(places.dropped));
        put(object, "places", at);
        if (attached->cell() != nullptr) put(object, "face", face_of(env, *attached, shape));
        put(object, "capacity", static_cast<double>(shape.capacity));
        put(object, "lanes", static_cast<double>(shape.lanes));
        put(object, "expires", shape.expires);
        put(object, "manualClock", shared->time.manual != nullptr);
        put(object, "drops", shape.needs_choice());
        put(object, "latency", shape.latency);
        put(object, "overflow", static_cast<double>(shape.overflow));
      });
}

// createQueue({ capacity, recordBytes, schema, start, lanes, weights, maxWaiting, latency, ttlMs?, overflow,
//               trace, commit, shed?: { targetMs, intervalMs }, clock? }, staging?)
Napi::Value create_queue(const Napi::CallbackInfo& info) {
  const auto options = info[0].As<Napi::Object>();
  auto shared = std::make_shared<SharedQueue>();
  QueueShape shape;
  shape.capacity = u64(options, "capacity");
  shape.record_bytes = u64(options, "recordBytes");
  shape.lanes = u32(options, "lanes");
  shape.waiters = u32(options, "maxWaiting");
  const std::uint32_t overflow = u32(options, "overflow");
  if (overflow > static_cast<std::uint32_t>(Overflow::kOverwrite) || shape.waiters > kWaitersMax)
    return Napi::String::New(info.Env(), kBadRange);
  shape.overflow = static_cast<Overflow>(overflow);
  if (!shape.sound()) return Napi::String::New(info.Env(), kBadRange);
  shape.latency = flag(options, "latency");
  shape.expires = get(options, "ttlMs").IsNumber();
  if (shape.expires) shape.ttl_ns = nanoseconds(f64(options, "ttlMs"));
  const Napi::Object shed = nested(options, "shed"), weights = nested(options, "weights");
  if (!shed.IsEmpty()) {
    shape.shedding = {nanoseconds(f64(shed, "targetMs")), nanoseconds(f64(shed, "intervalMs"))};
  }
  for (std::uint32_t lane = 0; lane < shape.lanes && !weights.IsEmpty(); ++lane) {
    const std::uint64_t weight = u64(weights, std::to_string(lane).c_str());
    if (!within<std::uint64_t>(weight, 1, kWeightMax)) return Napi::String::New(info.Env(), kBadRange);
    shape.weights[lane] = static_cast<std::uint32_t>(weight);
  }
  // The orders of a gate have tags, and a gate's queue has one lane.
  if (shape.lanes == 1) shape.tag_bytes = sizeof(OrderTag);
  const std::uint64_t schema = u64(options, "schema"), start = u64(options, "start") * kRingStep;
  if (!clock_option(options, shared->time)) return Napi::String::New(info.Env(), kDeadHandle);
  const bool commit = flag(options, "commit");
  if (!intact(options)) return {};
  Piece cell = cell_for(info.Env(), info[1], shape.record_bytes);
  if (!cell && info[1].IsUndefined()) return Napi::String::New(info.Env(), kNoCell);
  // Only a queue for which the WebAssembly face has calls belongs in the arena. The face has no probes.
  const bool has_face = shape.meta_bytes() == 0 && !flag(options, "trace");
  Arena* arena = has_face ? Environment::of(info.Env()).window() : nullptr;
  shared->segment = Segment::create<Queue>(shape, schema, commit, Queue::tags_bytes(shape), arena);
  if (!shared->segment) return Napi::String::New(info.Env(), kNoMemory);
  Queue(shared->segment.body(), shape).format(start);
  Registry::instance().add(shared);
  return attach(info.Env(), shared, info[1], std::move(cell));
}

// attachQueue(handle, schema, staging?)
Napi::Value attach_queue(const Napi::CallbackInfo& info) {
  const auto schema = [&](const SharedQueue&, const QueueShape&) { return u64(info[1]); };
  return by_handle<SharedQueue>(info, ObjectKind::kQueue, schema, [&](Napi::Env env, const auto& shared) {
    Piece cell = cell_for(env, info[2], shared->shape().record_bytes);
    if (!cell && info[2].IsUndefined()) return Napi::Value(Napi::String::New(env, kNoCell));
    return attach(env, shared, info[2], std::move(cell));
  });
}

// stagingBytes(recordBytes): the size of the staging of a queue
Napi::Value staging_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(),
                           static_cast<double>(QueueStaging::Places(u64(info[0])).layout.bytes()));
}

// openWindow(octets): makes a window of the memory of a WebAssembly.Memory of Arena::kBytes bytes, over which `octets`
// is a Uint8Array. Returns whether it succeeded.
Napi::Value open_window(const Napi::CallbackInfo& info) {
  void* memory = nullptr;
  std::size_t bytes = 0;
  const bool known =
      napi_get_typedarray_info(info.Env(), info[0], nullptr, &bytes, &memory, nullptr, nullptr) == napi_ok;
  return Napi::Boolean::New(
      info.Env(), known && bytes == Arena::kBytes && Environment::of(info.Env()).open_window(memory));
}

}  // namespace

void export_queue(Napi::Object exports) {
  export_function<guarded<create_queue>>(exports, "createQueue");
  export_function<guarded<attach_queue>>(exports, "attachQueue");
  export_function<guarded<staging_bytes>>(exports, "stagingBytes");
  export_function<guarded<open_window>>(exports, "openWindow");
}

}  // namespace sluice
