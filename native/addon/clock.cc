#include "addon/clock.h"

#include <algorithm>

#include "addon/objects.h"
#include "contract/limits.h"

namespace sluice {
namespace {

// createClock(startNs) -> { handle, now(): ns, advance(ns): ns }
// attachClock(handle)  -> an object with the same properties
Napi::Value clock_object(Napi::Env env, const std::shared_ptr<SharedClock>& shared) {
  Napi::Object object = Napi::Object::New(env);
  put(object, "handle", handle_of(env, *shared));
  put(object, "now", Napi::Function::New(env, [shared](const Napi::CallbackInfo& info) {
        return Napi::Number::New(info.Env(), static_cast<double>(shared->clock.now()));
      }));
  put(object, "advance", Napi::Function::New(env, [shared](const Napi::CallbackInfo& info) {
        const std::uint64_t left = kClockEndNs - std::min(kClockEndNs, shared->clock.now());
        return Napi::Number::New(info.Env(),
                                 static_cast<double>(shared->advance(std::min(u64(info[0]), left))));
      }));
  return object;
}

Napi::Value create_clock(const Napi::CallbackInfo& info) {
  const std::uint64_t start = u64(info[0]);
  if (start > kClockStartNsMax) return Napi::String::New(info.Env(), kBadRange);
  const auto shared = std::make_shared<SharedClock>(start);
  Registry::instance().add(shared);
  return clock_object(info.Env(), shared);
}

Napi::Value attach_clock(const Napi::CallbackInfo& info) {
  const auto shared = find_handle<SharedClock>(ObjectKind::kClock, info[0]);
  if (shared == nullptr) return Napi::String::New(info.Env(), kDeadHandle);
  return clock_object(info.Env(), shared);
}

// bootTimeMs() -> the milliseconds of the machine's clock that goes on while the machine is suspended
Napi::Value boot_time(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(system::boot_ns()) / 1e6);
}

}  // namespace

void export_clock(Napi::Object exports) {
  export_function<guarded<create_clock>>(exports, "createClock");
  export_function<guarded<attach_clock>>(exports, "attachClock");
  export_function<guarded<boot_time>>(exports, "bootTimeMs");
}

}  // namespace sluice
