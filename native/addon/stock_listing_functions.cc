// Finds and lists reservations, as JavaScript objects.
#include <napi.h>

#include <algorithm>
#include <cstdint>
#include <memory>

#include "addon/objects.h"
#include "addon/stock_answers.h"
#include "addon/stock_functions.h"
#include "core/stock/reservation_record.h"

namespace sluice {

namespace {

// { reservation, state: a Phase, leftMs, user?, id?, lines: [{ sku, quantity, sold }] }; the lines of one item are
// added up.
Napi::Object record_object(napi_env env, StockAttachment& self, const ReservationRecord& record,
                           std::uint64_t now) {
  Napi::Object result = Napi::Object::New(env);
  const Phase phase = record.phase_at(now);
  put(result, "reservation", Napi::BigInt::New(env, record.id));
  put(result, "state", static_cast<double>(phase));
  put(result, "leftMs", phase == Phase::kHeld ? static_cast<double>(record.deadline_ns - now) / 1e6 : 0);
  set_user(env, result, record.user);
  const ReservationId& id = record.client_id;
  if (id.tag == ReservationId::kNumber) put(result, "id", Napi::BigInt::New(env, id.words[0]));
  if (id.tag > ReservationId::kNumber) {
    put(result, "id", Napi::String::New(env, id.text().data(), id.text().size()));
  }
  Napi::Array lines = Napi::Array::New(env);
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < record.count; ++i) {
    const auto of_same_item = [&](const ReservationRecord::Line& line) {
      return line.item == record.lines[i].item;
    };
    if (std::any_of(record.lines, record.lines + i, of_same_item)) continue;
    std::uint64_t quantity = 0, sold = 0;
    for (const ReservationRecord::Line* line = record.lines + i; line != record.lines + record.count;
         ++line) {
      if (!of_same_item(*line)) continue;
      quantity += line->quantity;
      sold += Reservation::units_in(line->sold);
    }
    Napi::Object line = Napi::Object::New(env);
    put(line, "sku", sku_of(env, self.session().ledger().items()[record.lines[i].item]));
    put(line, "quantity", static_cast<double>(quantity));
    put(line, "sold", static_cast<double>(sold));
    put(lines, count++, line);
  }
  put(result, "lines", lines);
  return result;
}

// findReservation(kByReservation or kById): the reservation, or the client's id, is in staging; undefined if its record
// is gone
napi_value find_reservation(napi_env env, napi_callback_info info) {
  std::uint32_t by[1];
  auto& self = attachment<StockAttachment>(env, info, by);
  if (self.detached()) return number(env, kDisposed);
  StockCalls& calls = self.calls();
  const std::uint64_t id = by[0] == kByReservation ? calls.reservation() : calls.reservation_of_id();
  const std::unique_ptr<ReservationRecord> record(new ReservationRecord);
  if (!self.session().find(id, *record)) return nullptr;
  return record_object(env, self, *record, self.session().clock().now());
}

// listReservations(slot, phases: a bit each): { next, found } for the next slots of the table from `slot` on; at the
// end `next` is the number of slots. A user's key, or an item's sku, in staging limits the list to that user or item.
// kUnknownSku if there is no such item
napi_value list_reservations(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<StockAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  StockCalls& calls = self.calls();
  const bool of_item = calls.sku() != Key{};
  const StockSession::Filter filter{arguments[1], calls.user(), of_item ? calls.item() : kNoItem};
  if (of_item && filter.item == kNoItem) return number(env, kUnknownSku);
  const std::unique_ptr<ReservationRecord> record(new ReservationRecord);
  Napi::Array found = Napi::Array::New(env);
  std::uint32_t count = 0;
  const std::uint32_t next = self.session().list(arguments[0], filter, *record,
                                                 [&](const ReservationRecord& one, std::uint64_t now) {
                                                   put(found, count++, record_object(env, self, one, now));
                                                 });
  Napi::Object result = Napi::Object::New(env);
  put(result, "next", static_cast<double>(next));
  put(result, "found", found);
  return result;
}

constexpr HotFunction<functions::kStock> kListingFunctions[] = {
    {"findReservation", guarded<find_reservation>},
    {"listReservations", guarded<list_reservations>},
};

}  // namespace

std::span<const HotFunction<functions::kStock>> listing_functions() { return kListingFunctions; }

}  // namespace sluice
