// The functions of a stock ledger, as JavaScript calls them; and how ledgers are created, restored and attached.
#include "addon/stock_functions.h"

#include <napi.h>

#include <cstring>
#include <memory>

#include "addon/objects.h"
#include "addon/random.h"
#include "addon/stock_answers.h"
#include "addon/stock_attachment.h"
#include "contract/figures.h"
#include "contract/limits.h"
#include "platform/ledger_copies.h"

namespace sluice {

namespace {

// counts(): 0, staging: figures::kCounts of the item whose sku is in staging; kUnknownSku if there is none
napi_value counts(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const std::uint32_t item = self.calls().item();
  if (item == kNoItem) return number(env, kUnknownSku);
  const auto& items = self.session().ledger().items();
  put_figures(figures::kCounts, items.counts(items[item]), self.words(), StockStaging::kFigures);
  return number(env, 0);
}

// audit(): the sku of the first item that does not add up, or undefined; staging: figures::kAudit, then kCounts of that
// item
napi_value audit_report(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  StockLedger& ledger = self.session().ledger();
  const LedgerAudit report = audit(ledger.memory());
  const figures::AuditSource source{report, ledger.items().size(), ledger.slots()};
  const std::size_t counts = put_figures(figures::kAudit, source, self.words(), StockStaging::kFigures);
  put_figures(figures::kCounts, report.counts, self.words(), counts);
  if (report.item == kNoItem) return nullptr;
  return sku_of(env, ledger.items()[report.item]);
}

// stats(): 0; staging: figures::kStock
napi_value stock_stats(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  put_figures(figures::kStock, self.session().ledger().thread_slots(), self.words(), StockStaging::kFigures);
  return number(env, 0);
}

// readMovement(position): { kind, sku, quantity, timeMs, reservation, user? }; 0: not there yet, 1: overwritten
napi_value read_movement(napi_env env, napi_callback_info info) {
  napi_value values[1];
  auto& self = attachment<StockAttachment>(env, info, values);
  if (self.detached()) return number(env, kDisposed);
  double position = 0;
  napi_get_value_double(env, values[0], &position);
  Movement movement;
  switch (self.session().ledger().movements().read(static_cast<std::uint64_t>(position), movement)) {
    case MovementLog<>::Read::kNothingYet:
      return number(env, 0);
    case MovementLog<>::Read::kOverwritten:
      return number(env, 1);
    case MovementLog<>::Read::kRead:
      break;
  }
  Napi::Object result = Napi::Object::New(env);
  put(result, "kind", static_cast<double>(movement.kind));
  put(result, "sku", sku_of(env, self.session().ledger().items()[movement.item]));
  put(result, "quantity", static_cast<double>(movement.quantity));
  put(result, "timeMs", static_cast<double>(movement.when_ns) / 1e6);
  if (movement.reservation != 0) {
    put(result, "reservation", Napi::BigInt::New(env, movement.reservation));
  }
  set_user(env, result, movement.user);
  return result;
}

// snapshot(makeBuffer): fills the ArrayBuffer that makeBuffer(number of octets) returns, and returns it. If native code
// asks Node.js for more memory than there is, Node.js ends the process; a JavaScript function gets an error instead.
napi_value snapshot(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  auto& self = attachment<StockAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  const LedgerWords words = snapshot_of(self.session().ledger().memory(), self.session().clock().now());
  const std::size_t bytes = words.size() * sizeof words[0];
  void* data = nullptr;
  std::size_t room = 0;
  napi_value octets = nullptr, undefined = nullptr, buffer = nullptr;
  napi_create_double(env, static_cast<double>(bytes), &octets);
  napi_get_undefined(env, &undefined);
  if (napi_call_function(env, undefined, arguments[0], 1, &octets, &buffer) != napi_ok) return nullptr;
  if (napi_get_arraybuffer_info(env, buffer, &data, &room) != napi_ok || room < bytes)
    return number(env, kNoResources);
  std::memcpy(data, words.data(), bytes);
  return buffer;
}

constexpr HotFunction<functions::kStock> kStockFunctions[] = {
    {"reserve", kCall<&StockCalls::reserve>},
    {"expire", kCall<&StockCalls::expire>},
    {"sweep", kCall<&StockCalls::sweep>},
    {"addItem", kCall<&StockCalls::add_item>},
    {"restock", kCall<&StockCalls::restock>},
    {"withdraw", kCall<&StockCalls::withdraw>},
    {"setTotal", kCall<&StockCalls::set_total>},
    {"closeItem", kCall<&StockCalls::close_item>},
    {"reopenItem", kCall<&StockCalls::reopen_item>},
    {"changeItem", kCall<&StockCalls::change_item>},
    {"sellUntil", kCall<&StockCalls::sell_until>},
    {"configure", kCall<&StockCalls::configure>},
    {"addGroup", kCall<&StockCalls::add_group>},
    {"changeGroup", kCall<&StockCalls::change_group>},
    {"limitsUsers", kCall<&StockCalls::limits_users>},
    {"oldestMovement", kCall<&StockCalls::oldest_movement>},
    {"endOfMovements", kCall<&StockCalls::end_of_movements>},
    {"counts", counts},
    {"audit", guarded<audit_report>},
    {"stats", stock_stats},
    {"readMovement", read_movement},
    {"snapshot", guarded<snapshot>},
    {"dispose", dispose<StockAttachment>},
};

Napi::Value attach(Napi::Env env, const std::shared_ptr<SharedStock>& shared, const Napi::Value& staging) {
  StockAttachment* attached = StockAttachment::make(Environment::of(env), shared);
  return object_of<functions::kStock>(
      env, attached, staging, {kStockFunctions, order_functions(), listing_functions()},
      [&](Napi::Object& object) {
        put(object, "slots", static_cast<double>(shared->shape().reservations));
        put(object, "keepsMovements", shared->shape().movements > 0);
        put(object, "manualClock", shared->time.manual != nullptr);
      });
}

// On a manual clock, threads that reserve do not expire due holds in passing: see Sweeping.
Sweeping sweeping(const SharedStock& shared) {
  return shared.time.manual == nullptr ? Sweeping::kByPassers : Sweeping::kAsked;
}

// createStock({ maxItems, maxReservations, maxUsers, maxIds, movements, holdMs, commit, clock? }, staging): the ledger
// has no items yet
Napi::Value create_stock(const Napi::CallbackInfo& info) {
  const auto options = info[0].As<Napi::Object>();
  auto shared = std::make_shared<SharedStock>();
  if (!clock_option(options, shared->time)) return Napi::String::New(info.Env(), kDeadHandle);
  const LedgerShape shape = {u32(options, "maxItems"), u32(options, "maxReservations"),
                             u32(options, "maxUsers"), u32(options, "maxIds"), u32(options, "movements")};
  const double hold_ms = f64(options, "holdMs");
  const bool commit = flag(options, "commit");
  if (!intact(options)) return {};
  if (!shape.sound() || !within(hold_ms, 1.0, kHoldMsMax)) return Napi::String::New(info.Env(), kBadRange);
  shared->segment = Segment::create<LedgerMemory>(shape, 0, commit);
  if (!shared->segment) return Napi::String::New(info.Env(), kNoMemory);
  StockLedger(shared->segment.body(), shape)
      .format(shape, nanoseconds(hold_ms), random_secret(), sweeping(*shared));
  Registry::instance().add(shared);
  return attach(info.Env(), shared, info[1]);
}

// Sets a size to the value of an option, if it is given.
void resize(const Napi::Object& options, const char* name, std::uint32_t& size) {
  if (get(options, name).IsNumber()) size = u32(options, name);
}

// restoreStock(octets, { clock?, maxItems?, maxReservations?, maxUsers?, maxIds?, movements?, commit }, staging)
Napi::Value restore_stock(const Napi::CallbackInfo& info) {
  const auto options = info[1].As<Napi::Object>();
  auto shared = std::make_shared<SharedStock>();
  if (!clock_option(options, shared->time)) return Napi::String::New(info.Env(), kDeadHandle);
  if (!intact(options)) return {};
  // The address of `octets` is read only now, because a getter that a program has put into the options may have
  // detached the memory.
  const auto octets = info[0].As<Napi::Uint8Array>();
  LedgerWords words;
  LedgerShape shape;
  const SnapshotError error = open_snapshot(octets.Data(), octets.ByteLength(), words, shape);
  if (error != SnapshotError::kNone) return Napi::String::New(info.Env(), reason(error));
  resize(options, "maxItems", shape.items);
  resize(options, "maxReservations", shape.reservations);
  resize(options, "maxUsers", shape.users);
  resize(options, "maxIds", shape.ids);
  resize(options, "movements", shape.movements);
  const bool commit = flag(options, "commit");
  if (!intact(options)) return {};
  if (!shape.sound()) return Napi::String::New(info.Env(), kBadRange);
  shared->segment = Segment::create<LedgerMemory>(shape, 0, commit);
  if (!shared->segment) return Napi::String::New(info.Env(), kNoMemory);
  StockLedger ledger(shared->segment.body(), shape, shared->time.clock());
  const SnapshotError unread =
      read_snapshot(ledger.memory(), shape, words, shared->time.clock().now(), sweeping(*shared));
  if (unread != SnapshotError::kNone) return Napi::String::New(info.Env(), reason(unread));
  Registry::instance().add(shared);
  return attach(info.Env(), shared, info[2]);
}

// attachStock(handle, staging)
Napi::Value attach_stock(const Napi::CallbackInfo& info) {
  return by_handle<SharedStock>(info, ObjectKind::kStock, kNoSchema, [&](Napi::Env env, const auto& shared) {
    return attach(env, shared, info[1]);
  });
}

}  // namespace

void export_stock(Napi::Object exports) {
  export_function<guarded<create_stock>>(exports, "createStock");
  export_function<guarded<restore_stock>>(exports, "restoreStock");
  export_function<guarded<attach_stock>>(exports, "attachStock");
}

}  // namespace sluice
