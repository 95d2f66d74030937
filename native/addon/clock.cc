#include "addon/clock.h"

#include "addon/objects.h"

namespace sluice {
namespace {

// createClock(startNs) -> { handle, now(): ns, advance(ns): ns }
// attachClock(handle)  -> the same
Napi::Value clock_object(Napi::Env env, const std::shared_ptr<SharedClock>& shared) {
  Napi::Object object = Napi::Object::New(env);
  put(object, "handle", handle_of(env, *shared));
  put(object, "now", Napi::Function::New(env, [shared](const Napi::CallbackInfo& info) {
        return Napi::Number::New(info.Env(), static_cast<double>(shared->clock.now()));
      }));
  put(object, "advance", Napi::Function::New(env, [shared](const Napi::CallbackInfo& info) {
        return Napi::Number::New(info.Env(), static_cast<double>(shared->advance(u64(info[0]))));
      }));
  return object;
}

Napi::Value create_clock(const Napi::CallbackInfo& info) {
  const auto shared = std::make_shared<SharedClock>(u64(info[0]));
  Registry::instance().add(shared);
  return clock_object(info.Env(), shared);
}

Napi::Value attach_clock(const Napi::CallbackInfo& info) {
  const auto shared = find_handle<SharedClock>(ObjectKind::kClock, info[0]);
  if (shared == nullptr) return Napi::String::New(info.Env(), kDeadHandle);
  return clock_object(info.Env(), shared);
}

}  // namespace

void export_clock(Napi::Env env, Napi::Object exports) {
  put(exports, "createClock", Napi::Function::New(env, guarded<create_clock>));
  put(exports, "attachClock", Napi::Function::New(env, guarded<attach_clock>));
}

}  // namespace sluice
