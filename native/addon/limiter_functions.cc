// The functions of a limiter, as JavaScript calls them; and how limiters are created and attached.
#include <napi.h>

#include <algorithm>
#include <memory>
#include <string>

#include "addon/limiter_attachment.h"
#include "addon/limiter_options.h"
#include "addon/objects.h"
#include "addon/random.h"
#include "contract/figures.h"

namespace sluice {

namespace {

// Calls a function of LimiterCalls: f(number, key?). A missing argument is 0, or no key.
template <std::int32_t (LimiterCalls::*Method)(double, const Key*) const noexcept>
napi_value call(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  napi_value values[2];
  std::size_t count = 2;
  napi_get_cb_info(env, info, &count, values, nullptr, &data);
  auto& self = *static_cast<LimiterAttachment*>(data);
  if (self.detached()) return number(env, kDisposed);
  double first = 0;
  if (count > 0) napi_get_value_double(env, values[0], &first);
  const Key* key = count > 1 ? self.key(env, values[1]) : nullptr;
  return number(env, (self.calls().*Method)(first, key));
}

// Puts the answer of allow() into the staging buffer. To make a JavaScript number of it would take longer than to
// refuse a request.
napi_value answered(const LimiterAttachment& self, std::int32_t answer) {
  self.words().put(LimiterStaging::kAnswer, answer);
  return nullptr;
}

// allow(cost, key?)
SLUICE_FLATTEN napi_value allow(napi_env env, napi_callback_info info) {
  napi_value values[2];
  auto& self = attachment<LimiterAttachment>(env, info, values);
  if (self.detached()) return answered(self, kDisposed);
  double cost = 0;
  napi_get_value_double(env, values[0], &cost);
  return answered(self, self.calls().allow(cost, self.key(env, values[1])));
}

// allowOne(): allow(1), for a limiter without keys
SLUICE_FLATTEN napi_value allow_one(napi_env env, napi_callback_info info) {
  auto& self = attachment<LimiterAttachment>(env, info);
  return answered(self, self.detached() ? kDisposed : self.calls().allow(1, nullptr));
}

// onServed(callback): 1; the event loop calls `callback` when waiters of this thread may have been served
napi_value limiter_on_served(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  auto& self = attachment<LimiterAttachment>(env, info, arguments);
  if (self.detached()) return number(env, kDisposed);
  self.on_served(env, arguments[0]);
  return number(env, 1);
}

// keepAlive(0 | 1): whether this thread's waits keep its event loop alive
napi_value limiter_keep_alive(napi_env env, napi_callback_info info) {
  std::uint32_t alive[1];
  auto& self = attachment<LimiterAttachment>(env, info, alive);
  if (!self.detached()) self.keep_loop_alive(alive[0] != 0);
  return nullptr;
}

// configure(changes): 1. See read_changes().
napi_value configure(napi_env env, napi_callback_info info) {
  const Napi::CallbackInfo call(env, info);
  auto& self = attachment<LimiterAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  LimiterChanges changes;
  // detached() is checked again below, because a getter that a program has put into the list of windows may have
  // disposed of this object.
  if (!read_changes(call[0].As<Napi::Object>(), self.session().config().window_count, changes))
    return nullptr;
  if (self.detached()) return number(env, kDisposed);
  return number(env, self.session().configure(changes) ? 1 : kBadArgument);
}

// stats(): 0; staging: figures::kLimiter, then kRefusals
napi_value limiter_stats(napi_env env, napi_callback_info info) {
  auto& self = attachment<LimiterAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  LimiterSession& session = self.session();
  Limiter& limiter = session.limiter();
  const std::uint64_t in_flight =
      session.config().depth_of_queue ? session.queue_depth() : limiter.in_flight();
  const figures::LimiterSource source{limiter.thread_slots(), session.waiting(), in_flight,
                                      self.shared()->segment.bytes()};
  const std::size_t refusals = put_figures(figures::kLimiter, source, self.words(), LimiterStaging::kFigures);
  put_figures(figures::kRefusals, source, self.words(), refusals);
  return number(env, 0);
}

// limits(): 0; staging: figures::kLimits, then kWindowLimits of each window
napi_value limits(napi_env env, napi_callback_info info) {
  auto& self = attachment<LimiterAttachment>(env, info);
  if (self.detached()) return number(env, kDisposed);
  const LimiterConfig config = self.session().limits();
  std::size_t at = put_figures(figures::kLimits, config, self.words(), LimiterStaging::kFigures);
  for (std::uint32_t i = 0; i < config.window_count; ++i)
    at = put_figures(figures::kWindowLimits, config.windows[i].sliding, self.words(), at);
  return number(env, 0);
}

constexpr HotFunction<functions::kLimiter> kLimiterFunctions[] = {
    {"allow", allow},
    {"allowOne", allow_one},
    {"tryAcquire", call<&LimiterCalls::try_acquire>},
    {"peek", call<&LimiterCalls::peek>},
    {"rooms", call<&LimiterCalls::rooms>},
    {"release", call<&LimiterCalls::release>},
    {"penalize", call<&LimiterCalls::penalize>},
    {"reward", call<&LimiterCalls::reward>},
    {"refund", call<&LimiterCalls::refund>},
    {"reset", call<&LimiterCalls::reset>},
    {"block", call<&LimiterCalls::block>},
    {"overload", call<&LimiterCalls::overload>},
    {"acquire", call<&LimiterCalls::acquire>},
    {"tend", call<&LimiterCalls::tend>},
    {"told", call<&LimiterCalls::told>},
    {"leave", call<&LimiterCalls::leave>},
    {"onServed", guarded<limiter_on_served>},
    {"keepAlive", limiter_keep_alive},
    {"configure", guarded<configure>},
    {"stats", limiter_stats},
    {"limits", limits},
    {"dispose", dispose<LimiterAttachment>},
};

// For each window, the settings that configure() cannot change.
Napi::Array fixed_windows(Napi::Env env, const SharedLimiter& shared) {
  const LimiterConfig& config = shared.config();
  Napi::Array windows = Napi::Array::New(env);
  for (std::uint32_t i = 0; i < config.window_count; ++i) {
    Napi::Object window = Napi::Object::New(env);
    put(window, "logCapacity", static_cast<double>(config.windows[i].log_capacity));
    put(window, "every", static_cast<double>(config.windows[i].every));
    put(window, "timeZone", std::string(shared.notes().time_zone(i)));
    put(windows, i, window);
  }
  return windows;
}

Napi::Value attach(Napi::Env env, const std::shared_ptr<SharedLimiter>& shared, const Napi::Value& staging) {
  LimiterAttachment* attached = LimiterAttachment::make(Environment::of(env), shared);
  return object_of<functions::kLimiter>(
      env, attached, staging, {kLimiterFunctions}, [&](Napi::Object& object) {
        const LimiterConfig& config = shared->config();
        put(object, "keyed", config.keys_max != 0);
        put(object, "hasBucket", config.has_bucket);
        put(object, "hasDepth", config.has_depth);
        put(object, "maxEventLoopDelayMs", shared->notes().max_loop_delay_ms);
        put(object, "adaptiveIntervalMs", shared->notes().adaptive_interval_ms);
        put(object, "followsQueue", config.depth_of_queue);
        put(object, "manualClock", shared->time.manual != nullptr);
        put(object, "windows", fixed_windows(env, *shared));
      });
}

// createLimiter(options, staging): see read_limiter().
Napi::Value create_limiter(const Napi::CallbackInfo& info) {
  auto shared = std::make_shared<SharedLimiter>();
  LimiterDescription described;
  const char* refusal = read_limiter(info[0].As<Napi::Object>(), *shared, described);
  if (refusal == kThreadEnds) return {};
  if (refusal != nullptr) return Napi::String::New(info.Env(), refusal);
  shared->segment = Segment::create<LimiterSegment>(described.config, 0, described.commit);
  if (!shared->segment) return Napi::String::New(info.Env(), kNoMemory);
  LimiterSegment::format(shared->segment.body(), described.config, described.notes,
                         shared->time.clock().now(), random_secret());
  std::copy(described.zone_changes.begin(), described.zone_changes.end(),
            shared->memory().limiter().zone_changes());
  Registry::instance().add(shared);
  return attach(info.Env(), shared, info[1]);
}

// attachLimiter(handle, staging)
Napi::Value attach_limiter(const Napi::CallbackInfo& info) {
  return by_handle<SharedLimiter>(
      info, ObjectKind::kLimiter, kNoSchema,
      [&](Napi::Env env, const auto& shared) { return attach(env, shared, info[1]); });
}

}  // namespace

void export_limiter(Napi::Object exports) {
  export_function<guarded<create_limiter>>(exports, "createLimiter");
  export_function<guarded<attach_limiter>>(exports, "attachLimiter");
}

}  // namespace sluice
