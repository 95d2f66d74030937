#include "addon/gate.h"

#include "addon/objects.h"
#include "core/planted.h"

namespace sluice {

GateAttachment::GateAttachment(Environment& environment, std::shared_ptr<SharedGate> shared,
                               const GateParts& parts, ThreadLine* line)
    : Attachment(environment), shared_(std::move(shared)), parts_(parts), line_(line), admission_{} {
  admission_.queue = &parts.queue->queue();
  admission_.queue_line = &parts.queue->line();
  admission_.clock = parts.queue->clock();
  if (parts.limiter != nullptr) {
    admission_.limiter = &parts.limiter->limiter();
    admission_.limiter_line = &parts.limiter->line();
    admission_.depth_queue = parts.limiter->queue();
  }
  if (parts.stock != nullptr) {
    admission_.stock = &parts.stock->ledger();
    admission_.stock_line = &parts.stock->line();
  }
  admission_.line = line_;
  admission_.tags = shared_->queue->tags.load(std::memory_order_acquire);
}

GateAttachment* GateAttachment::make(Environment& environment, std::shared_ptr<SharedGate> shared,
                                     const GateParts& parts) {
  ThreadLine* line = shared->lines().acquire();
  return line == nullptr ? nullptr : new GateAttachment(environment, std::move(shared), parts, line);
}

void GateAttachment::on_detach() {
  // What this thread had in hand and will not finish is no longer in flight. Its reservations run out. The limiter's
  // own attachment of this thread may have gone before, so this takes another.
  if (shared_->limiter != nullptr && in_hand_ != 0) {
    LimiterAttachment* limiter = LimiterAttachment::make(environment_, shared_->limiter);
    if (limiter != nullptr) {
      limiter->release(in_hand_);
      limiter->detach();
      delete limiter;
    }
  }
  in_hand_ = 0;
  shared_->lines().release(line_);
  words_.release(environment_.env());
  shared_.reset();
}

Admission::Result GateAttachment::admit(std::uint64_t hold_ns) {
  const Admission::Result result = Admission::admit(admission_, shared_->fields, parts_.queue->in(), hold_ns);
  if (result.outcome == Outcome::kAdmitted) {
    parts_.queue->ring_if_parked();
  } else if (parts_.limiter != nullptr && parts_.limiter->waiting() != 0) {
    parts_.limiter->given_back();  // it may have been charged and refunded
  }
  return result;
}

std::uint32_t GateAttachment::take(std::uint32_t max) {
  QueueAttachment& queue = *parts_.queue;
  const std::uint32_t count = queue.show(
      max,
      [this](std::uint32_t i, std::uint32_t, std::uint64_t slot) {
        const std::uint64_t tag = taken_tag(slot);
        words_.put(kTaken + i * sizeof(std::uint64_t), tag);
        if (tag != 0) ++in_hand_;
      },
      // What the queue drops was admitted: its reservation goes back on sale.
      [this](std::uint64_t slot) {
        const std::uint64_t tag = taken_tag(slot);
        if (tag == 0) return;
        ++in_hand_;
        resolve(tag, false, true);
        if (!SLUICE_PLANTED(kReleaseTwice)) return;
        ++in_hand_;
        resolve(tag, false, true);
      });
  queue.free_shown(count);
  return count;
}

std::uint64_t GateAttachment::taken_tag(std::uint64_t slot) {
  // Relaxed: published by the slot's stamp. Cleared, so that a record pushed past the gate has the tag 0.
  return admission_.tags[slot].exchange(0, std::memory_order_relaxed);
}

ResolveResult GateAttachment::resolve(std::uint64_t reservation, bool confirm, bool leaves) {
  if (leaves) {
    --in_hand_;
    if (parts_.limiter != nullptr) parts_.limiter->release(1);
  }
  if (admission_.stock == nullptr) return ResolveResult::kDone;
  const std::uint64_t now = parts_.stock->clock().now();
  return confirm ? admission_.stock->confirm(*admission_.stock_line, reservation, now)
                 : admission_.stock->cancel(*admission_.stock_line, reservation, now);
}

namespace {

constexpr std::int32_t kNotConsumer = -2;

// admit(): the Outcome, or 32 + the tier that refused; the record stands in the queue's staging
napi_value admit(napi_env env, napi_callback_info info) {
  auto& self = attachment<GateAttachment>(env, info);
  if (!self.usable()) return number(env, kDisposed);
  const Admission::Result result = self.admit(self.words().get<std::uint64_t>(GateAttachment::kHoldNs));
  if (result.outcome == Outcome::kRateLimited) {
    self.words().put(GateAttachment::kRetryAfterMs, milliseconds(result.retry_after));
    return number(env, 32 + static_cast<std::int32_t>(result.tier));
  }
  self.words().put(GateAttachment::kReservation, result.reservation);
  return number(env, static_cast<std::int32_t>(result.outcome));
}

// take(max): how many records were removed
napi_value take(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<GateAttachment>(env, info, arguments);
  if (!self.usable()) return number(env, kDisposed);
  if (!self.parts().queue->consumes()) return number(env, kNotConsumer);
  const auto room =
      static_cast<std::uint32_t>((self.words().bytes() - GateAttachment::kTaken) / sizeof(std::uint64_t));
  return number(env, static_cast<std::int32_t>(
                         self.take(std::min({arguments[0], self.parts().queue->out_records(), room}))));
}

// resolve(confirm, leaves): the ResolveResult; the reservation stands in staging
napi_value resolve(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<GateAttachment>(env, info, arguments);
  if (!self.usable()) return number(env, kDisposed);
  return number(env, static_cast<std::int32_t>(
                         self.resolve(self.words().get<std::uint64_t>(GateAttachment::kReservation),
                                      arguments[0] != 0, arguments[1] != 0)));
}

napi_value stats(napi_env env, napi_callback_info info) {
  auto& self = attachment<GateAttachment>(env, info);
  if (!self.usable()) return number(env, kDisposed);
  const ThreadLines& lines = self.lines();
  Napi::Object result = Napi::Object::New(env);
  result.Set("admitted", static_cast<double>(lines.sum(Admission::kAdmittedCount)));
  result.Set("duplicates", static_cast<double>(lines.sum(Admission::kDuplicateCount)));
  result.Set("rateLimited", static_cast<double>(lines.sum(Admission::kRateLimitedCount)));
  result.Set("queueFull", static_cast<double>(lines.sum(Admission::kQueueFullCount)));
  result.Set("soldOut", static_cast<double>(lines.sum(Admission::kSoldOutCount)));
  result.Set("userLimit", static_cast<double>(lines.sum(Admission::kUserLimitCount)));
  result.Set("otherwiseRefused", static_cast<double>(lines.sum(Admission::kOtherCount)));
  return result;
}

napi_value dispose(napi_env env, napi_callback_info info) {
  attachment<GateAttachment>(env, info).detach();
  return nullptr;
}

constexpr HotFunction kGateFunctions[] = {
    {"admit", admit}, {"take", take}, {"resolve", resolve}, {"stats", stats}, {"dispose", dispose},
};

// The attachment behind the native object of a part, or nullptr if there is none.
template <class A>
A* attachment_of(const Napi::Object& parts, const char* name) {
  const Napi::Value attachment = get(nested(parts, name), "attachment");
  return attachment.IsExternal() ? attachment.As<Napi::External<A>>().Data() : nullptr;
}

GateParts parts_of(const Napi::Object& parts) {
  return {attachment_of<QueueAttachment>(parts, "queue"), attachment_of<LimiterAttachment>(parts, "limiter"),
          attachment_of<StockAttachment>(parts, "stock")};
}

Napi::Value attach(Napi::Env env, const std::shared_ptr<SharedGate>& shared, const GateParts& parts,
                   const Napi::Value& words) {
  GateAttachment* attached = GateAttachment::make(Environment::of(env), shared, parts);
  if (attached == nullptr) return Napi::String::New(env, kTooManyThreads);
  attached->stage(env, words);
  Napi::Object object(env, hot_object(env, attached, kGateFunctions));
  object.Set("handle", handle_of(env, *shared));
  return object;
}

NumberField field(const Napi::Object& fields, const char* name) {
  const Napi::Object object = nested(fields, name);
  if (object.IsEmpty()) return {};
  return {static_cast<NumberType>(u32(object, "type")), u32(object, "offset")};
}

// createGate({ queue, limiter?, stock? } (native objects), { sku, quantity, user, id } ({ type, offset }), staging)
Napi::Value create_gate(const Napi::CallbackInfo& info) {
  const auto given = info[0].As<Napi::Object>();
  const auto fields = info[1].As<Napi::Object>();
  const GateParts parts = parts_of(given);
  const AdmissionFields admission_fields = {field(fields, "sku"), field(fields, "quantity"),
                                            field(fields, "user"), field(fields, "id")};
  if (!intact(given)) return {};
  if (parts.queue == nullptr || parts.detached()) return Napi::String::New(info.Env(), "disposed");
  if (!parts.share_a_clock()) return Napi::String::New(info.Env(), "clocks-differ");
  auto shared = std::make_shared<SharedGate>();
  shared->fields = admission_fields;
  shared->segment = Segment::create(SegmentKind::kGate, 0, sizeof(ThreadLines));
  if (!shared->segment) return Napi::String::New(info.Env(), kNoMemory);
  if (parts.queue->shared()->gated.exchange(true, std::memory_order_acquire)) {
    return Napi::String::New(info.Env(), "queue-gated");
  }
  shared->queue = parts.queue->shared();
  shared->queue->make_tags();
  if (parts.limiter != nullptr) shared->limiter = parts.limiter->shared();
  if (parts.stock != nullptr) shared->stock = parts.stock->shared();
  Registry::instance().add(shared);
  return attach(info.Env(), shared, parts, info[2]);
}

Napi::Object field_object(Napi::Env env, const NumberField& field) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("type", static_cast<double>(field.type));
  object.Set("offset", static_cast<double>(field.offset));
  return object;
}

// gateParts(handle): the handles of { queue, limiter?, stock? }, and its fields
Napi::Value gate_parts(const Napi::CallbackInfo& info) {
  const auto shared = find_handle<SharedGate>(ObjectKind::kGate, info[0]);
  if (shared == nullptr) return Napi::String::New(info.Env(), kDeadHandle);
  Napi::Object parts = Napi::Object::New(info.Env());
  parts.Set("queue", handle_of(info.Env(), *shared->queue));
  if (shared->limiter != nullptr) parts.Set("limiter", handle_of(info.Env(), *shared->limiter));
  if (shared->stock != nullptr) parts.Set("stock", handle_of(info.Env(), *shared->stock));
  Napi::Object fields = Napi::Object::New(info.Env());
  const AdmissionFields& given = shared->fields;
  if (given.sku.type != NumberType::kNone) fields.Set("sku", field_object(info.Env(), given.sku));
  if (given.quantity.type != NumberType::kNone)
    fields.Set("quantity", field_object(info.Env(), given.quantity));
  if (given.user.type != NumberType::kNone) fields.Set("user", field_object(info.Env(), given.user));
  if (given.id.type != NumberType::kNone) fields.Set("id", field_object(info.Env(), given.id));
  parts.Set("fields", fields);
  return parts;
}

// attachGate(handle, { queue, limiter?, stock? } (native objects), staging)
Napi::Value attach_gate(const Napi::CallbackInfo& info) {
  const auto shared = find_handle<SharedGate>(ObjectKind::kGate, info[0]);
  if (shared == nullptr) return Napi::String::New(info.Env(), kDeadHandle);
  const auto given = info[1].As<Napi::Object>();
  const GateParts parts = parts_of(given);
  if (!intact(given)) return {};
  return attach(info.Env(), shared, parts, info[2]);
}

}  // namespace

void export_gate(Napi::Env env, Napi::Object exports) {
  exports.Set("createGate", Napi::Function::New(env, create_gate));
  exports.Set("gateParts", Napi::Function::New(env, gate_parts));
  exports.Set("attachGate", Napi::Function::New(env, attach_gate));
}

}  // namespace sluice
