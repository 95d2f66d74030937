#include "addon/gate.h"

#include "addon/objects.h"
#include "addon/queue_functions.h"
#include "addon/stock_functions.h"
#include "core/planted.h"

namespace sluice {

GateAttachment::GateAttachment(Environment& environment, std::shared_ptr<SharedGate> shared,
                               const GateParts& parts, ThreadLine* line)
    : Attachment(environment),
      shared_(std::move(shared)),
      parts_(parts),
      line_(line),
      admission_{},
      table_(shared_->table()) {
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

// What this thread had in hand waits in the table for the next consumer.
void GateAttachment::on_detach() {
  shared_->lines().release(line_);
  words_.release(environment_.env());
  shared_.reset();
}

Admission::Result GateAttachment::admit(std::uint64_t hold_ns, const Key* key, const StockRequest::Line* cart,
                                        std::uint32_t cart_lines) {
  const Admission::Result result =
      Admission::admit(admission_, shared_->fields, {parts_.queue->in(), hold_ns, key, cart, cart_lines});
  if (result.outcome == Outcome::kAdmitted) [[likely]] {
    parts_.queue->ring_if_parked();
    return result;
  }
  if (result.broke_promise) parts_.queue->permits_returned(0);
  if (result.refunded && parts_.limiter->waiting() != 0) parts_.limiter->given_back(key);
  return result;
}

// ---- consuming ---------------------------------------------------------------------------------------------

std::uint32_t GateAttachment::take(std::uint32_t max, bool begins) {
  const std::uint64_t now = parts_.stock != nullptr ? parts_.stock->clock().now() : 0;
  if (begins) {
    session_ = table_.begin();
    renewal_at_ = kNever;
  }
  const std::uint64_t renewal_before = renewal_at_;
  std::uint32_t count = take_again(max, now);
  if (count == 0) count = take_new(max, now);
  const bool sooner = renewal_at_ < renewal_before;
  words_.put(kRenewInMs, sooner ? milliseconds(renewal_at_ > now ? renewal_at_ - now : 0) : -1.0);
  return count;
}

std::uint32_t GateAttachment::take_again(std::uint32_t max, std::uint64_t now) {
  QueueAttachment& queue = *parts_.queue;
  const std::uint64_t record_bytes = shared_->queue->shape.record_bytes;
  std::uint32_t count = 0;
  for (; count < max; ++count) {
    const std::uint32_t entry = table_.again();
    if (entry == InFlightTable::kNone) break;
    std::memcpy(queue.out() + count * record_bytes, table_.record(entry), record_bytes);
    hand_out(count, entry, now);
  }
  queue.show_nothing();
  return count;
}

std::uint32_t GateAttachment::take_new(std::uint32_t max, std::uint64_t now) {
  QueueAttachment& queue = *parts_.queue;
  const std::uint64_t record_bytes = shared_->queue->shape.record_bytes;
  OrderTag* tags = admission_.tags;
  const std::uint32_t count = queue.show(
      std::min(max, table_.room()),
      [&](std::uint32_t i, std::uint32_t, std::uint64_t slot) {
        hand_out(i, table_.take(tags[slot].get(), queue.out() + i * record_bytes), now);
      },
      // What the queue drops was admitted: it is given back at once.
      [&](std::uint64_t slot) {
        const AdmittedOrder order = tags[slot].get();
        tags[slot].clear();
        if (order.reserved()) resolve_reservation(order.reservation, false);
        release_place(order);
        if (SLUICE_PLANTED(kReleaseTwice)) release_place(order);
      });
  queue.free_shown(count);
  return count;
}

void GateAttachment::hand_out(std::uint32_t i, std::uint32_t entry, std::uint64_t now) {
  InFlightTable::Entry& taken = table_[entry];
  const AdmittedOrder& order = taken.order;
  const std::size_t at = kTaken + i * kTakenBytes;
  words_.put(at, order.reserved() ? order.reservation : std::uint64_t{0});
  words_.put(at + 8, entry);
  words_.put(at + 12, taken.deliveries);
  taken.renew_at = kNever;
  if (admission_.stock == nullptr || !order.reserved()) return;
  const std::uint64_t until = admission_.stock->held_until(order.reservation);
  if (until <= now) return;  // it was resolved by others, or has run out
  taken.renew_at = until - std::min(order.hold_ns / 2, until);
  renewal_at_ = std::min(renewal_at_, taken.renew_at);
}

std::uint64_t GateAttachment::renew() {
  if (admission_.stock == nullptr || !in_session()) return kNever;
  const std::uint64_t now = parts_.stock->clock().now();
  renewal_at_ = kNever;
  table_.for_each_in_hand([&](InFlightTable::Entry& entry) {
    const AdmittedOrder& order = entry.order;
    if (entry.renew_at == kNever) return;
    // With those that are due come those that soon will be, so that many make few rounds.
    if (now + order.hold_ns / 8 >= entry.renew_at) {
      const std::uint64_t until = now + order.hold_ns;
      const bool held = admission_.stock->extend(*admission_.stock_line, order.reservation, now, until) ==
                        ResolveResult::kDone;
      entry.renew_at = held ? until - order.hold_ns / 2 : kNever;
    }
    renewal_at_ = std::min(renewal_at_, entry.renew_at);
  });
  return renewal_at_ == kNever ? kNever : renewal_at_ - now;
}

ResolveResult GateAttachment::resolve(std::uint32_t entry, std::uint64_t reservation, bool confirm) {
  if (!in_session() || !table_.in_hand(entry, session_)) return resolve_reservation(reservation, confirm);
  const AdmittedOrder order = table_[entry].order;
  const ResolveResult result = resolve_reservation(order.reservation, confirm);
  release_place(order);
  table_.remove(entry);
  return result;
}

ResolveResult GateAttachment::resolve_reservation(std::uint64_t reservation, bool confirm) {
  if (admission_.stock == nullptr) return ResolveResult::kDone;
  const std::uint64_t now = parts_.stock->clock().now();
  return confirm ? admission_.stock->confirm(*admission_.stock_line, reservation, now)
                 : admission_.stock->cancel(*admission_.stock_line, reservation, now);
}

void GateAttachment::release_place(const AdmittedOrder& order) {
  if (parts_.limiter == nullptr || !order.admitted()) return;
  parts_.limiter->release(1, order.key == Key{} ? nullptr : &order.key);
}

namespace {

// Nothing if the order was admitted, else the Outcome, or 32 + the tier that refused; results stand in staging.
napi_value answered(napi_env env, const GateAttachment& self, const Admission::Result& result) {
  if (result.outcome == Outcome::kAdmitted) [[likely]] {
    self.words().put(GateAttachment::kReservation, result.reservation);
    return nullptr;
  }
  if (result.outcome == Outcome::kRateLimited) {
    self.words().put(GateAttachment::kRetryAfterMs, milliseconds(result.retry_after));
    return number(env, 32 + static_cast<std::int32_t>(result.tier));
  }
  self.words().put(GateAttachment::kReservation, result.reservation);
  self.words().put(GateAttachment::kLine, result.line);
  return number(env, static_cast<std::int32_t>(result.outcome));
}

// admit(), with the record in the queue's staging
napi_value admit(napi_env env, napi_callback_info info) {
  auto& self = attachment<GateAttachment>(env, info);
  if (!self.usable()) return number(env, kDisposed);
  return answered(env, self, self.admit());
}

// admitWith(holdNs, lines, key?): a hold of 0 is the stock's; `lines` of a cart (0: none) stand in the stock's staging
napi_value admit_with(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  std::size_t count = 3;
  napi_value values[3];
  napi_get_cb_info(env, info, &count, values, nullptr, &data);
  auto& self = *static_cast<GateAttachment*>(data);
  if (!self.usable()) return number(env, kDisposed);
  double hold_ns = 0;
  std::uint32_t lines = 0;
  if (count > 0) napi_get_value_double(env, values[0], &hold_ns);
  if (count > 1) napi_get_value_uint32(env, values[1], &lines);
  const GateParts& parts = self.parts();
  const Key* key = count > 2 && parts.limiter != nullptr ? parts.limiter->key(env, values[2]) : nullptr;
  const auto hold = static_cast<std::uint64_t>(hold_ns);
  if (lines == 0 || parts.stock == nullptr) return answered(env, self, self.admit(hold, key));
  StockRequest::Line cart[StockRequest::kLinesMax];
  const std::uint32_t staged = staged_lines(*parts.stock, lines, cart);
  return answered(env, self, self.admit(hold, key, cart, staged));
}

// take(max, begins): how many orders were taken
napi_value take(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<GateAttachment>(env, info, arguments);
  if (!self.usable()) return number(env, kDisposed);
  if (!self.parts().queue->consumes()) return number(env, kNotConsumer);
  const auto room = static_cast<std::uint32_t>((self.words().bytes() - GateAttachment::kTaken) /
                                               GateAttachment::kTakenBytes);
  const std::uint32_t max = std::min({arguments[0], self.parts().queue->out_records(), room});
  return number(env, static_cast<std::int32_t>(self.take(max, arguments[1] != 0)));
}

// resolve(confirm, entry): the ResolveResult; for what is not in hand (any more) the reservation stands in staging
napi_value resolve(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<GateAttachment>(env, info, arguments);
  if (!self.usable()) return number(env, kDisposed);
  const auto reservation = self.words().get<std::uint64_t>(GateAttachment::kReservation);
  return number(env, static_cast<std::int32_t>(self.resolve(arguments[1], reservation, arguments[0] != 0)));
}

// renew(): in how many milliseconds to come again, or Infinity
napi_value renew(napi_env env, napi_callback_info info) {
  auto& self = attachment<GateAttachment>(env, info);
  if (!self.usable()) return number(env, kDisposed);
  return number(env, milliseconds(self.renew()));
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
  result.Set("inHand", static_cast<double>(self.table().used()));
  result.Set("redelivered", static_cast<double>(self.table().redelivered()));
  return result;
}

napi_value dispose(napi_env env, napi_callback_info info) {
  attachment<GateAttachment>(env, info).detach();
  return nullptr;
}

constexpr HotFunction kGateFunctions[] = {
    {"admit", admit}, {"admitWith", admit_with}, {"take", take},       {"resolve", resolve},
    {"renew", renew}, {"stats", stats},          {"dispose", dispose},
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
  Napi::Object object(env, hot_object(env, attached, {kGateFunctions}));
  object.Set("handle", handle_of(env, *shared));
  object.Set("maxInHand", static_cast<double>(shared->table().capacity()));
  return object;
}

NumberField field(const Napi::Object& fields, const char* name) {
  const Napi::Object object = nested(fields, name);
  if (object.IsEmpty()) return {};
  return {static_cast<NumberType>(u32(object, "type")), u32(object, "offset")};
}

// createGate({ queue, limiter?, stock? } (native objects), { sku, quantity, user, id } ({ type, offset }), maxInHand,
//            staging)
Napi::Value create_gate(const Napi::CallbackInfo& info) {
  const auto given = info[0].As<Napi::Object>();
  const auto fields = info[1].As<Napi::Object>();
  const GateParts parts = parts_of(given);
  const AdmissionFields admission_fields = {field(fields, "sku"), field(fields, "quantity"),
                                            field(fields, "user"), field(fields, "id")};
  const auto in_hand_max = static_cast<std::uint32_t>(u64(info[2]));
  if (!intact(given)) return {};
  if (parts.queue == nullptr || parts.detached()) return Napi::String::New(info.Env(), "disposed");
  if (!parts.share_a_clock()) return Napi::String::New(info.Env(), "clocks-differ");
  auto shared = std::make_shared<SharedGate>();
  shared->fields = admission_fields;
  if (parts.limiter != nullptr) shared->limiter = parts.limiter->shared();
  if (parts.stock != nullptr) shared->stock = parts.stock->shared();
  if (!shared->returns.open(shared->limiter, shared->stock))
    return Napi::String::New(info.Env(), kTooManyThreads);
  const std::shared_ptr<SharedQueue>& queue = parts.queue->shared();
  const std::uint64_t table_bytes = InFlightTable::bytes(in_hand_max, queue->shape.record_bytes);
  shared->segment = Segment::create(SegmentKind::kGate, 0, sizeof(ThreadLines) + table_bytes);
  if (!shared->segment) return Napi::String::New(info.Env(), kNoMemory);
  if (queue->gated.exchange(true, std::memory_order_acquire)) {
    return Napi::String::New(info.Env(), "queue-gated");
  }
  shared->queue = queue;
  shared->queue->open_gate(&shared->returns);
  shared->table().format(in_hand_max);
  Registry::instance().add(shared);
  return attach(info.Env(), shared, parts, info[3]);
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
