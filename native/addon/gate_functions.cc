// Creates gates and attaches to them, and the functions of a gate, as JavaScript calls them.
#include <napi.h>

#include "addon/gate_attachment.h"
#include "addon/objects.h"
#include "addon/queue_functions.h"
#include "contract/figures.h"
#include "contract/limits.h"

namespace sluice {

namespace {

// Puts the answer of an admission into the staging buffer. To make a JavaScript number of it would take longer than to
// refuse an order.
napi_value answered(const GateAttachment& self, std::int32_t answer) {
  self.words().put(GateStaging::kAnswer, answer);
  return nullptr;
}

// admit()
template <bool kOver>
SLUICE_FLATTEN napi_value admit(napi_env env, napi_callback_info info) {
  auto& self = attachment<GateAttachment>(env, info);
  return answered(self, self.usable() ? self.calls().admit<kOver>() : kDisposed);
}

// Reads (holdNs, lines, key?) and passes them to admit(calls, hold_ns, lines, key, stock).
template <class Admit>
napi_value admit_given(napi_env env, napi_callback_info info, Admit&& admit) {
  napi_value values[3];
  auto& self = attachment<GateAttachment>(env, info, values);
  if (!self.usable()) return answered(self, kDisposed);
  double hold_ns = 0;
  std::uint32_t lines = 0;
  napi_get_value_double(env, values[0], &hold_ns);
  napi_get_value_uint32(env, values[1], &lines);
  const GateParts& parts = self.parts();
  const Key* key = parts.limiter != nullptr ? parts.limiter->key(env, values[2]) : nullptr;
  StockCalls* stock = parts.stock != nullptr ? &parts.stock->calls() : nullptr;
  return answered(self, admit(self.calls(), hold_ns, lines, key, stock));
}

// admitWith(holdNs, lines, key?)
template <bool kOver>
SLUICE_FLATTEN napi_value admit_with(napi_env env, napi_callback_info info) {
  return admit_given(env, info,
                     [](const GateCalls& calls, auto... given) { return calls.admit_with<kOver>(given...); });
}

// admitAside(holdNs, lines, key?)
napi_value admit_aside(napi_env env, napi_callback_info info) {
  return admit_given(env, info,
                     [](const GateCalls& calls, auto... given) { return calls.admit_aside(given...); });
}

// pushAside()
napi_value push_aside(napi_env env, napi_callback_info info) {
  auto& self = attachment<GateAttachment>(env, info);
  return number(env, self.usable() ? self.calls().push_aside() : kDisposed);
}

// dropAside()
napi_value drop_aside(napi_env env, napi_callback_info info) {
  auto& self = attachment<GateAttachment>(env, info);
  if (self.usable()) self.calls().drop_aside();
  return nullptr;
}

// take(max, begins)
napi_value take(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<GateAttachment>(env, info, arguments);
  if (!self.usable()) return number(env, kDisposed);
  return number(env, self.calls().take(arguments[0], arguments[1] != 0));
}

// resolve(confirm, entry, quantity)
napi_value resolve(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[3];
  auto& self = attachment<GateAttachment>(env, info, arguments);
  if (!self.usable()) return number(env, kDisposed);
  return number(env, self.calls().resolve(arguments[0] != 0, arguments[1], arguments[2]));
}

// putBack(entry)
napi_value put_back(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<GateAttachment>(env, info, arguments);
  if (self.usable()) self.calls().put_back(arguments[0]);
  return nullptr;
}

// renew()
napi_value renew(napi_env env, napi_callback_info info) {
  auto& self = attachment<GateAttachment>(env, info);
  if (!self.usable()) return number(env, kDisposed);
  return number(env, self.calls().renew());
}

// stats(): 0; staging: figures::kGate
napi_value stats(napi_env env, napi_callback_info info) {
  auto& self = attachment<GateAttachment>(env, info);
  if (!self.usable()) return number(env, kDisposed);
  const GateSession& session = self.session();
  put_figures(figures::kGate, {session.thread_slots(), session.table()}, self.words(), GateStaging::kFigures);
  return number(env, 0);
}

constexpr HotFunction<functions::kGate> kGateFunctions[] = {
    {"admitAside", admit_aside},
    {"pushAside", push_aside},
    {"dropAside", drop_aside},
    {"take", take},
    {"resolve", resolve},
    {"putBack", put_back},
    {"renew", renew},
    {"stats", stats},
    {"dispose", dispose<GateAttachment>},
};
// There are two pairs, so that a gate whose queue does not overwrite pays nothing for overwriting.
constexpr HotFunction<functions::kGate> kAdmit[] = {{"admit", admit<false>},
                                                    {"admitWith", admit_with<false>}};
constexpr HotFunction<functions::kGate> kAdmitOver[] = {{"admit", admit<true>},
                                                        {"admitWith", admit_with<true>}};

// Returns the attachment of a part's native object; nullptr if `parts` has no part of that name.
template <class A>
A* attachment_of(const Napi::Object& parts, const char* name) {
  const Napi::Value attachment = get(nested(parts, name), "attachment");
  return attachment.IsExternal() ? attachment.As<Napi::External<A>>().Data() : nullptr;
}

GateParts parts_of(const Napi::Object& parts) {
  return {attachment_of<QueueAttachment>(parts, "queue"), attachment_of<LimiterAttachment>(parts, "limiter"),
          attachment_of<StockAttachment>(parts, "stock")};
}

// `given`: the native objects of the parts.
Napi::Value attach(Napi::Env env, const std::shared_ptr<SharedGate>& shared, const GateParts& parts,
                   const Napi::Object& given, const Napi::Value& staging) {
  GateAttachment* attached = GateAttachment::make(Environment::of(env), shared, parts);
  const bool over = shared->queue->shape().overwrites();
  return object_of<functions::kGate>(
      env, attached, staging, {over ? kAdmitOver : kAdmit, kGateFunctions}, [&](Napi::Object& object) {
        put(object, "maxInHand", static_cast<double>(shared->memory().table().capacity()));
        // The gate's attachment has pointers to the parts' attachments. This property keeps the parts alive as long as
        // the gate's object (to which a Hold, for example, refers).
        put(object, "parts", given);
      });
}

RequestField field(const Napi::Object& fields, const char* name) {
  const Napi::Object object = nested(fields, name);
  if (object.IsEmpty()) return {};
  return {static_cast<NumberType>(u32(object, "type")), u32(object, "offset"), u32(object, "textRoom")};
}

// createGate({ queue, limiter?, stock? } (native objects), { sku, quantity, user, id } ({ type, offset, textRoom }),
//            maxInHand, staging, commit)
Napi::Value create_gate(const Napi::CallbackInfo& info) {
  const auto given = info[0].As<Napi::Object>();
  const auto fields = info[1].As<Napi::Object>();
  const GateParts parts = parts_of(given);
  GateShape shape = {.fields = {field(fields, "sku"), field(fields, "quantity"), field(fields, "user"),
                                field(fields, "id")}};
  const std::uint64_t in_hand_max = u64(info[2]);
  const bool commit = u64(info[4]) != 0;
  if (!intact(given)) return {};
  if (parts.queue == nullptr || parts.detached()) return Napi::String::New(info.Env(), kPartDisposed);
  const QueueShape& queue_shape = parts.queue->shared()->shape();
  if (!within<std::uint64_t>(in_hand_max, 1, kInHandMax)) return Napi::String::New(info.Env(), kBadRange);
  if (!shape.fields.within(queue_shape.record_bytes)) return Napi::String::New(info.Env(), kBadStaging);
  if (queue_shape.tag_bytes != sizeof(OrderTag))  // it has several lanes
    return Napi::String::New(info.Env(), kBadRange);
  if (!parts.share_a_clock()) return Napi::String::New(info.Env(), kClocksDiffer);
  auto shared = std::make_shared<SharedGate>();
  if (parts.limiter != nullptr) shared->limiter = parts.limiter->shared();
  if (parts.stock != nullptr) shared->stock = parts.stock->shared();
  if (!shared->open_returns()) return Napi::String::New(info.Env(), kTooManyThreads);
  const std::shared_ptr<SharedQueue>& queue = parts.queue->shared();
  shape.in_hand_max = static_cast<std::uint32_t>(in_hand_max);
  shape.record_bytes = queue_shape.record_bytes;
  shared->segment =
      Segment::create<GateMemory>(shape, shape.schema_hash(queue->segment.schema_hash()), commit);
  if (!shared->segment) return Napi::String::New(info.Env(), kNoMemory);
  Queue view = queue->view();
  if (!view.tags().begin()) return Napi::String::New(info.Env(), kQueueGated);
  if (commit) view.tags().commit(view.slots());
  queue->returns.store(&shared->returns, std::memory_order_relaxed);
  shared->queue = queue;
  shared->memory().format(shape);
  Registry::instance().add(shared);
  return attach(info.Env(), shared, parts, given, info[3]);
}

Napi::Object field_object(Napi::Env env, const RequestField& field) {
  Napi::Object object = Napi::Object::New(env);
  put(object, "type", static_cast<double>(field.type));
  put(object, "offset", static_cast<double>(field.offset));
  put(object, "textRoom", static_cast<double>(field.text_room));
  return object;
}

std::uint64_t schema_of(const SharedGate& gate, const GateShape& shape) {
  return shape.schema_hash(gate.queue->segment.schema_hash());
}

Napi::Object parts_object(Napi::Env env, const SharedGate& gate) {
  Napi::Object parts = Napi::Object::New(env);
  put(parts, "queue", handle_of(env, *gate.queue));
  if (gate.limiter != nullptr) put(parts, "limiter", handle_of(env, *gate.limiter));
  if (gate.stock != nullptr) put(parts, "stock", handle_of(env, *gate.stock));
  Napi::Object fields = Napi::Object::New(env);
  const AdmissionFields& given = gate.memory().fields();
  if (given.sku.type != NumberType::kNone) put(fields, "sku", field_object(env, given.sku));
  if (given.quantity.type != NumberType::kNone) put(fields, "quantity", field_object(env, given.quantity));
  if (given.user.type != NumberType::kNone) put(fields, "user", field_object(env, given.user));
  if (given.id.type != NumberType::kNone) put(fields, "id", field_object(env, given.id));
  put(parts, "fields", fields);
  return parts;
}

// gateParts(handle): the handles of { queue, limiter?, stock? }, and the gate's fields
Napi::Value gate_parts(const Napi::CallbackInfo& info) {
  return by_handle<SharedGate>(info, ObjectKind::kGate, schema_of,
                               [](Napi::Env env, const auto& shared) { return parts_object(env, *shared); });
}

// attachGate(handle, { queue, limiter?, stock? } (native objects), staging)
Napi::Value attach_gate(const Napi::CallbackInfo& info) {
  return by_handle<SharedGate>(info, ObjectKind::kGate, schema_of,
                               [&](Napi::Env env, const auto& shared) -> Napi::Value {
                                 const auto given = info[1].As<Napi::Object>();
                                 const GateParts parts = parts_of(given);
                                 if (!intact(given)) return {};
                                 if (!parts.are_of(*shared)) return Napi::String::New(env, kPartDisposed);
                                 return attach(env, shared, parts, given, info[2]);
                               });
}

}  // namespace

void export_gate(Napi::Object exports) {
  export_function<guarded<create_gate>>(exports, "createGate");
  export_function<guarded<gate_parts>>(exports, "gateParts");
  export_function<guarded<attach_gate>>(exports, "attachGate");
}

}  // namespace sluice
