// Reservations as objects, for those who look for them.
#include <napi.h>

#include <algorithm>
#include <cstdint>
#include <memory>

#include "addon/objects.h"
#include "addon/stock_functions.h"
#include "addon/stock_staging.h"
#include "core/stock/reservation_record.h"

namespace sluice {

namespace {

// What is looked at in one call.
constexpr std::uint32_t kSlotsAtATime = 4'096, kFoundAtATime = 64;

// { reservation, state: a Phase, leftMs, user?, id?, lines: [{ sku, quantity, sold }] }; several lines of an item are one.
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
    put(line, "sku", sku_of(env, self.ledger().items()[record.lines[i].item]));
    put(line, "quantity", static_cast<double>(quantity));
    put(line, "sold", static_cast<double>(sold));
    put(lines, count++, line);
  }
  put(result, "lines", lines);
  return result;
}

// findReservation(kByReservation or kById, which stands in staging): undefined if nothing is known of it
napi_value find_reservation(napi_env env, napi_callback_info info) {
  std::uint32_t by[1];
  auto& self = attachment<StockAttachment>(env, info, by);
  if (self.detached()) return number(env, kDisposed);
  StockLedger& ledger = self.ledger();
  const std::uint64_t id =
      by[0] == kByReservation
          ? self.words().get<std::uint64_t>(StockStaging::kReservation)
          : ledger.reservation_of(self.line(),
                                  StagedKey(self.words(), StockStaging::kId).key(ledger.secret()));
  const std::unique_ptr<ReservationRecord> record(new ReservationRecord);
  if (!RecordReader(ledger.memory()).read(id, *record)) return nullptr;
  return record_object(env, self, *record, self.clock().now());
}

// listReservations(slot, phases: a bit each): { next, found } of the next places of the table from `slot` on, `next` being
// the number of places after the last; with a user, or an item's sku, in staging, of these only. kUnknownSku if there is no such item
napi_value list_reservations(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<StockAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  StockLedger& ledger = self.ledger();
  const Key user = StagedKey(self.words(), StockStaging::kUser).key(ledger.secret());
  const Key sku = staged_sku(self);
  const std::uint32_t item = sku == Key{} ? kNoItem : ledger.items().find(sku);
  if (sku != Key{} && item == kNoItem) return number(env, kUnknownSku);
  const std::unique_ptr<ReservationRecord> record(new ReservationRecord);
  const std::uint64_t now = self.clock().now();
  const RecordReader reader(ledger.memory());
  const auto wanted = [&](const ReservationRecord& one) {
    if ((arguments[1] >> static_cast<std::uint32_t>(one.phase_at(now)) & 1) == 0) return false;
    if (user != Key{} && one.user.key != user) return false;
    return item == kNoItem || std::any_of(one.lines, one.lines + one.count,
                                          [item](const auto& line) { return line.item == item; });
  };
  Napi::Array found = Napi::Array::New(env);
  std::uint32_t count = 0, slot = std::min(arguments[0], ledger.slots());
  const std::uint32_t end = slot + std::min(kSlotsAtATime, ledger.slots() - slot);
  for (; slot != end && count != kFoundAtATime; ++slot) {
    const std::uint64_t id = reader.id_at(slot);
    if (id != 0 && reader.read(id, *record) && wanted(*record)) {
      put(found, count++, record_object(env, self, *record, now));
    }
  }
  Napi::Object result = Napi::Object::New(env);
  put(result, "next", static_cast<double>(slot));
  put(result, "found", found);
  return result;
}

constexpr HotFunction kListingFunctions[] = {
    {"findReservation", guarded<find_reservation>},
    {"listReservations", guarded<list_reservations>},
};

}  // namespace

std::span<const HotFunction> listing_functions() { return kListingFunctions; }

}  // namespace sluice
