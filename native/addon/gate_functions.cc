#include "addon/gate_functions.h"

#include <napi.h>

#include <algorithm>

#include "addon/objects.h"
#include "addon/queue_functions.h"
#include "contract/figures.h"
#include "contract/limits.h"

namespace sluice {

namespace {

constexpr double kHoldNsMax = kHoldMsMax * 1e6;

// Nothing if the order was admitted, else the Outcome, or kLimited + the refusal; results stand in staging.
napi_value answered(napi_env env, const GateAttachment& self, const Admission::Result& result) {
  if (result.outcome == Outcome::kAdmitted) [[likely]] {
    self.words().put(GateStaging::kReservation, result.reservation);
    return nullptr;
  }
  if (result.outcome == Outcome::kRateLimited) {
    self.words().put(GateStaging::kRetryAfterMs, milliseconds(result.retry_after));
    return number(env, kLimited + answer_of(Tiers::Refusal{result.tier, false, result.window}));
  }
  self.words().put(GateStaging::kReservation, result.reservation);
  self.words().put(GateStaging::kLine, result.line);
  return number(env, static_cast<std::int32_t>(result.outcome));
}

// admit(), with the record in the queue's staging
template <bool kOver>
napi_value admit(napi_env env, napi_callback_info info) {
  auto& self = attachment<GateAttachment>(env, info);
  if (!self.usable()) return number(env, kDisposed);
  if (!self.fits_record_alone()) return number(env, kBadArgument);
  return answered(env, self, self.admit<kOver>());
}

// admitWith(holdNs, lines, key?): a hold of 0 is the stock's; `lines` of a cart (0: none) stand in the stock's staging
template <bool kOver>
napi_value admit_with(napi_env env, napi_callback_info info) {
  napi_value values[3];
  auto& self = attachment<GateAttachment>(env, info, values);
  if (!self.usable()) return number(env, kDisposed);
  double hold_ns = 0;
  std::uint32_t lines = 0;
  napi_get_value_double(env, values[0], &hold_ns);
  napi_get_value_uint32(env, values[1], &lines);
  const GateParts& parts = self.parts();
  const Key* key = parts.limiter != nullptr ? parts.limiter->key(env, values[2]) : nullptr;
  if (!self.fits(key, lines) || !within(hold_ns, 0.0, kHoldNsMax)) return number(env, kBadArgument);
  const auto hold = static_cast<std::uint64_t>(hold_ns);
  if (lines == 0) return answered(env, self, self.admit<kOver>(hold, key));
  const StockSession::Lines cart = parts.stock->calls().lines(lines);
  if (cart.empty()) return number(env, kBadArgument);
  const auto count = static_cast<std::uint32_t>(cart.size());
  return answered(env, self, self.admit<kOver>(hold, key, cart.data(), count));
}

// take(max, begins): how many orders were taken
napi_value take(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[2];
  auto& self = attachment<GateAttachment>(env, info, arguments);
  if (!self.usable()) return number(env, kDisposed);
  if (!self.parts().queue->session().consumes()) return number(env, kNotConsumer);
  const auto room =
      static_cast<std::uint32_t>((self.words().bytes() - GateStaging::kTaken) / GateStaging::kTakenBytes);
  const std::uint32_t max = std::min({arguments[0], self.parts().queue->session().out_records(), room});
  return number(env, static_cast<std::int32_t>(self.take(max, arguments[1] != 0)));
}

// resolve(confirm, entry, quantity): the ResolveResult; for what is not in hand (any more) the reservation stands in
// staging
napi_value resolve(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[3];
  auto& self = attachment<GateAttachment>(env, info, arguments);
  if (!self.usable()) return number(env, kDisposed);
  const auto reservation = self.words().get<std::uint64_t>(GateStaging::kReservation);
  return number(env, static_cast<std::int32_t>(
                         self.resolve(arguments[1], reservation, arguments[0] != 0, arguments[2])));
}

// putBack(entry): an order that was taken and not started
napi_value put_back(napi_env env, napi_callback_info info) {
  std::uint32_t arguments[1];
  auto& self = attachment<GateAttachment>(env, info, arguments);
  if (self.usable()) self.put_back(arguments[0]);
  return nullptr;
}

// renew(): in how many milliseconds to come again, or Infinity
napi_value renew(napi_env env, napi_callback_info info) {
  auto& self = attachment<GateAttachment>(env, info);
  if (!self.usable()) return number(env, kDisposed);
  return number(env, milliseconds(self.renew()));
}

// stats(): 0; staging: figures::kGate
napi_value stats(napi_env env, napi_callback_info info) {
  auto& self = attachment<GateAttachment>(env, info);
  if (!self.usable()) return number(env, kDisposed);
  put_figures(figures::kGate, {self.thread_slots(), self.table()}, self.words(), GateStaging::kFigures);
  return number(env, 0);
}

napi_value dispose(napi_env env, napi_callback_info info) {
  attachment<GateAttachment>(env, info).detach();
  return nullptr;
}

constexpr HotFunction<functions::kGate> kGateFunctions[] = {
    {"take", take},   {"resolve", resolve}, {"putBack", put_back},
    {"renew", renew}, {"stats", stats},     {"dispose", dispose},
};
// Two pairs, so that a plain gate pays nothing for those that overwrite.
constexpr HotFunction<functions::kGate> kAdmit[] = {{"admit", admit<false>},
                                                    {"admitWith", admit_with<false>}};
constexpr HotFunction<functions::kGate> kAdmitOver[] = {{"admit", admit<true>},
                                                        {"admitWith", admit_with<true>}};

}  // namespace

napi_value gate_object(napi_env env, GateAttachment* attachment) {
  const bool over = attachment->parts().queue->session().queue().overwrites();
  return hot_object<functions::kGate>(env, attachment, {over ? kAdmitOver : kAdmit, kGateFunctions});
}

}  // namespace sluice
