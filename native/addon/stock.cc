#include "addon/stock.h"

#include <vector>

#include "addon/objects.h"

namespace sluice {

StockAttachment::StockAttachment(Environment& environment, std::shared_ptr<SharedStock> shared,
                                 ThreadLine* line)
    : Attachment(environment),
      shared_(std::move(shared)),
      ledger_(shared_->view()),
      line_(line),
      clock_(shared_->time.clock()) {}

StockAttachment* StockAttachment::make(Environment& environment, std::shared_ptr<SharedStock> shared) {
  ThreadLine* line = shared->view().lines().acquire();
  return line == nullptr ? nullptr : new StockAttachment(environment, std::move(shared), line);
}

void StockAttachment::on_detach() {
  ledger_.lines().release(line_);
  words_.release(environment_.env());
  shared_.reset();
}

namespace {

// The staging words: reserve() reads 0 to 4, and answers in 5; confirm() and cancel() read 5.
constexpr std::size_t kSku = 0, kQuantity = 8, kUser = 16, kId = 24, kHoldNs = 32, kReservation = 40;

constexpr std::int32_t kNeedsUser = -3;

bool limits_users(const ItemTable& items) {
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    if (items[i].per_user != 0) return true;
  }
  return false;
}

// reserve(hasId, hasUser): the ReserveResult
napi_value reserve(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<StockAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  const Staging& words = self.words();
  StockLedger::Request request{words.get<std::uint64_t>(kSku),
                               words.get<std::uint64_t>(kQuantity),
                               words.get<std::uint64_t>(kUser),
                               words.get<std::uint64_t>(kId),
                               arguments[0] != 0,
                               words.get<std::uint64_t>(kHoldNs)};
  const std::uint32_t item = self.ledger().items().find(request.sku);
  if (arguments[1] == 0 && item != kNoItem && self.ledger().items()[item].per_user != 0) {
    return number(env, kNeedsUser);
  }
  const ReserveResult verdict = self.ledger().peek(request);
  const StockLedger::Answer answer = verdict != ReserveResult::kReserved
                                         ? self.ledger().refuse(self.line(), request, verdict)
                                         : self.ledger().reserve(self.line(), request, self.clock().now(),
                                                                 [](std::uint64_t) { return true; });
  words.put(kReservation, answer.reservation);
  return number(env, static_cast<std::int32_t>(answer.result));
}

napi_value confirm(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  return number(env, static_cast<std::int32_t>(self.ledger().confirm(
                         self.line(), self.words().get<std::uint64_t>(kReservation), self.clock().now())));
}

napi_value cancel(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  return number(env, static_cast<std::int32_t>(self.ledger().cancel(
                         self.line(), self.words().get<std::uint64_t>(kReservation), self.clock().now())));
}

// sweep(slots): how many of the next `slots` slots were due and have expired
napi_value sweep(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<StockAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  const std::uint32_t slots = std::min(arguments[0], self.ledger().slots());
  return number(env, static_cast<std::int32_t>(self.ledger().sweep(self.line(), self.clock().now(), slots)));
}

Napi::Object counts_object(napi_env env, const Item::Counts& counts) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("total", static_cast<double>(counts.total));
  result.Set("available", static_cast<double>(counts.available));
  result.Set("reserved", static_cast<double>(counts.reserved));
  result.Set("sold", static_cast<double>(counts.sold));
  return result;
}

// counts(): of the item whose sku stands in staging; undefined if there is none
napi_value counts(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const std::uint32_t item = self.ledger().items().find(self.words().get<std::uint64_t>(kSku));
  if (item == kNoItem) return nullptr;
  return counts_object(env, self.ledger().items()[item].counts());
}

napi_value audit(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const StockLedger::Audit report = self.ledger().audit();
  Napi::Object result = Napi::Object::New(env);
  result.Set("items", static_cast<double>(self.ledger().items().size()));
  result.Set("held", static_cast<double>(report.held));
  result.Set("free", static_cast<double>(report.free_slots));
  result.Set("slots", static_cast<double>(self.ledger().slots()));
  if (report.item != kNoItem) {
    Napi::Object mismatch = counts_object(env, report.counts);
    mismatch.Set("sku", static_cast<double>(self.ledger().items()[report.item].sku));
    mismatch.Set("reservedFound", static_cast<double>(report.reserved_found));
    mismatch.Set("usersFound", static_cast<double>(report.users_found));
    result.Set("mismatch", mismatch);
  }
  return result;
}

napi_value stats(napi_env env, napi_callback_info info) {
  auto& self = attachment<StockAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  ThreadLines& lines = self.ledger().lines();
  Napi::Object result = Napi::Object::New(env);
  result.Set("reserved", static_cast<double>(lines.sum(StockLedger::kReserved)));
  result.Set("confirmed", static_cast<double>(lines.sum(StockLedger::kConfirmed)));
  result.Set("cancelled", static_cast<double>(lines.sum(StockLedger::kCancelled)));
  result.Set("expired", static_cast<double>(lines.sum(StockLedger::kExpired)));
  result.Set("refused", static_cast<double>(lines.sum(StockLedger::kRefused)));
  return result;
}

napi_value dispose(napi_env env, napi_callback_info info) {
  attachment<StockAttachment>(env, info).detach();
  return nullptr;
}

constexpr HotFunction kStockFunctions[] = {
    {"reserve", reserve}, {"confirm", confirm}, {"cancel", cancel}, {"sweep", sweep},
    {"counts", counts},   {"audit", audit},     {"stats", stats},   {"dispose", dispose},
};

Napi::Value attach(Napi::Env env, const std::shared_ptr<SharedStock>& shared, const Napi::Value& words) {
  StockAttachment* attached = StockAttachment::make(Environment::of(env), shared);
  if (attached == nullptr) return Napi::String::New(env, kTooManyThreads);
  attached->stage(env, words);
  Napi::Object object(env, hot_object(env, attached, kStockFunctions));
  object.Set("handle", handle_of(env, *shared));
  object.Set("slots", static_cast<double>(shared->shape.reservations));
  object.Set("holdMs", static_cast<double>(attached->ledger().hold_ns()) / 1e6);
  object.Set("limitsUsers", limits_users(attached->ledger().items()));
  object.Set("manualClock", shared->time.manual != nullptr);
  object.Set("attachment", Napi::External<StockAttachment>::New(env, attached));
  return object;
}

// createStock({ items: [{ sku, quantity, perUser }], maxReservations, maxUsers, maxIds, holdMs, clock? }, staging)
Napi::Value create_stock(const Napi::CallbackInfo& info) {
  const auto options = info[0].As<Napi::Object>();
  auto shared = std::make_shared<SharedStock>();
  if (!clock_option(options, shared->time)) return Napi::String::New(info.Env(), kDeadHandle);
  struct GivenItem {
    std::uint64_t sku, quantity, per_user;
  };
  std::vector<GivenItem> items;
  if (const auto list = nested(options, "items"); list.IsArray()) {
    items.resize(list.As<Napi::Array>().Length());
    for (std::uint32_t i = 0; i < items.size(); ++i) {
      const Napi::HandleScope scope(info.Env());
      const Napi::Value value = list.Get(i);
      const auto item = value.IsObject() ? value.As<Napi::Object>() : Napi::Object();
      items[i] = {u64(item, "sku"), u64(item, "quantity"), u64(item, "perUser")};
    }
  }
  const auto size = static_cast<std::uint32_t>(items.size());
  shared->shape = {size, u32(options, "maxReservations"), u32(options, "maxUsers"), u32(options, "maxIds")};
  const auto hold_ns = static_cast<std::uint64_t>(f64(options, "holdMs") * 1e6);
  if (!intact(options)) return {};
  shared->segment = Segment::create(SegmentKind::kStock, 0, StockLedger::bytes(shared->shape));
  if (!shared->segment) return Napi::String::New(info.Env(), kNoMemory);
  StockLedger ledger = shared->view();
  ledger.format(shared->shape, hold_ns);
  for (std::uint32_t i = 0; i < size; ++i) {
    if (!ledger.items().put(i, items[i].sku, items[i].quantity, items[i].per_user)) {
      return Napi::String::New(info.Env(), "duplicate-sku");
    }
  }
  Registry::instance().add(shared);
  return attach(info.Env(), shared, info[1]);
}

// attachStock(handle, staging)
Napi::Value attach_stock(const Napi::CallbackInfo& info) {
  const auto shared = find_handle<SharedStock>(ObjectKind::kStock, info[0]);
  if (shared == nullptr) return Napi::String::New(info.Env(), kDeadHandle);
  return attach(info.Env(), shared, info[1]);
}

}  // namespace

void export_stock(Napi::Env env, Napi::Object exports) {
  exports.Set("createStock", Napi::Function::New(env, create_stock));
  exports.Set("attachStock", Napi::Function::New(env, attach_stock));
}

}  // namespace sluice
