#include "addon/stock_attachment.h"

#include <string_view>

#include "addon/objects.h"
#include "addon/random.h"
#include "addon/stock_functions.h"
#include "contract/limits.h"
#include "session/ledger_copies.h"

namespace sluice {

StockAttachment::StockAttachment(Environment& environment, std::shared_ptr<SharedStock> shared,
                                 ThreadSlot* line)
    : Attachment(environment),
      shared_(std::move(shared)),
      ledger_(shared_->view()),
      line_(line),
      clock_(shared_->time.clock()) {}

StockAttachment* StockAttachment::make(Environment& environment, std::shared_ptr<SharedStock> shared) {
  return made_with_line(shared->view().lines(), environment,
                        [&](ThreadSlot* line) { return new StockAttachment(environment, shared, line); });
}

void StockAttachment::on_detach() {
  ledger_.lines().release(line_);
  words_.release(environment_.env());
  shared_.reset();
}

namespace {

Napi::Value attach(Napi::Env env, const std::shared_ptr<SharedStock>& shared, const Napi::Value& words) {
  StockAttachment* attached = StockAttachment::make(Environment::of(env), shared);
  if (attached == nullptr) return Napi::String::New(env, kTooManyThreads);
  if (!attached->stage(env, words)) {
    attached->detach();
    delete attached;
    return Napi::String::New(env, kBadStaging);
  }
  Napi::Object object(env, stock_object(env, attached));
  put(object, "handle", handle_of(env, *shared));
  put(object, "slots", static_cast<double>(shared->shape.reservations));
  put(object, "keepsMovements", shared->shape.movements > 0);
  put(object, "manualClock", shared->time.manual != nullptr);
  put(object, "attachment", Napi::External<StockAttachment>::New(env, attached));
  return object;
}

// On a manual clock nothing expires by itself.
Sweeping sweeping(const SharedStock& shared) {
  return shared.time.manual == nullptr ? Sweeping::kByPassers : Sweeping::kAsked;
}

// createStock({ maxItems, maxReservations, maxUsers, maxIds, movements, holdMs, commit, clock? }, staging): without items yet
Napi::Value create_stock(const Napi::CallbackInfo& info) {
  const auto options = info[0].As<Napi::Object>();
  auto shared = std::make_shared<SharedStock>();
  if (!clock_option(options, shared->time)) return Napi::String::New(info.Env(), kDeadHandle);
  shared->shape = {u32(options, "maxItems"), u32(options, "maxReservations"), u32(options, "maxUsers"),
                   u32(options, "maxIds"), u32(options, "movements")};
  const double hold_ms = f64(options, "holdMs");
  const bool commit = flag(options, "commit");
  if (!intact(options)) return {};
  if (!shared->shape.sound() || !within(hold_ms, 1.0, kHoldMsMax))
    return Napi::String::New(info.Env(), kBadRange);
  shared->segment = Segment::create(SegmentKind::kStock, 0, StockLedger::bytes(shared->shape), commit);
  if (!shared->segment) return Napi::String::New(info.Env(), kNoMemory);
  shared->view().format(shared->shape, nanoseconds(hold_ms), random_secret(), sweeping(*shared));
  Registry::instance().add(shared);
  return attach(info.Env(), shared, info[1]);
}

// Changes a size to that of an option, where it is given.
void resize(const Napi::Object& options, const char* name, std::uint32_t& size) {
  if (get(options, name).IsNumber()) size = u32(options, name);
}

// restoreStock(octets, { clock?, maxItems?, maxReservations?, maxUsers?, maxIds?, movements?, commit }, staging)
Napi::Value restore_stock(const Napi::CallbackInfo& info) {
  const auto options = info[1].As<Napi::Object>();
  auto shared = std::make_shared<SharedStock>();
  if (!clock_option(options, shared->time)) return Napi::String::New(info.Env(), kDeadHandle);
  if (!intact(options)) return {};
  // Asked for its address only now: a getter that a program has smuggled into the options may take the memory away.
  const auto octets = info[0].As<Napi::Uint8Array>();
  LedgerWords words;
  const SnapshotError error = open_snapshot(octets.Data(), octets.ByteLength(), words, shared->shape);
  if (error != SnapshotError::kNone) return Napi::String::New(info.Env(), reason(error));
  resize(options, "maxItems", shared->shape.items);
  resize(options, "maxReservations", shared->shape.reservations);
  resize(options, "maxUsers", shared->shape.users);
  resize(options, "maxIds", shared->shape.ids);
  resize(options, "movements", shared->shape.movements);
  const bool commit = flag(options, "commit");
  if (!intact(options)) return {};
  if (!shared->shape.sound()) return Napi::String::New(info.Env(), kBadRange);
  shared->segment = Segment::create(SegmentKind::kStock, 0, StockLedger::bytes(shared->shape), commit);
  if (!shared->segment) return Napi::String::New(info.Env(), kNoMemory);
  StockLedger ledger = shared->view();
  const SnapshotError unread =
      read_snapshot(ledger.memory(), shared->shape, words, shared->time.clock().now(), sweeping(*shared));
  if (unread != SnapshotError::kNone) return Napi::String::New(info.Env(), reason(unread));
  Registry::instance().add(shared);
  return attach(info.Env(), shared, info[2]);
}

// attachStock(handle, staging)
Napi::Value attach_stock(const Napi::CallbackInfo& info) {
  const auto shared = find_handle<SharedStock>(ObjectKind::kStock, info[0]);
  if (shared == nullptr) return Napi::String::New(info.Env(), kDeadHandle);
  return attach(info.Env(), shared, info[1]);
}

}  // namespace

void export_stock(Napi::Env env, Napi::Object exports) {
  put(exports, "createStock", Napi::Function::New(env, guarded<create_stock>));
  put(exports, "restoreStock", Napi::Function::New(env, guarded<restore_stock>));
  put(exports, "attachStock", Napi::Function::New(env, guarded<attach_stock>));
}

}  // namespace sluice
