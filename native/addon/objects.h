// Cold calls between lib/binding/addon.ts and the classes of this folder: creating, attaching, handles, errors.
//
// A cold call returns an object, or a string that is the reason why there is none; lib/ makes a typed error of the
// reason.
#pragma once

#include <napi.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <string>

#include "addon/clock.h"
#include "addon/environment.h"
#include "addon/hot_function.h"
#include "addon/registry.h"
#include "contract/reasons.h"

namespace sluice {

// A cold call may fail to allocate at any step. Destructors then undo what it has begun.
template <Napi::Value (*Function)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) noexcept {
  try {
    return Function(info);
  } catch (const std::exception&) {
    return Napi::String::New(info.Env(), kNoMemory);
  }
}

// These functions read own properties of options only. Native code must not call JavaScript in the middle of its work,
// and a getter that a program has put into Object.prototype would get the options as `this`, with all the native
// objects in them. (lib/ makes the options, without getters.)
//
// A thread may be terminated while a call reads properties. The call then gets no more of them, and what it has read is
// incomplete, so it must check intact() before it uses any of it. get() reads no property of an object that could
// not be read itself (an empty one), because node-addon-api would end the process.
inline napi_status own(const Napi::Object& object, const char* name, napi_value& key, bool& has) {
  const napi_status status = napi_create_string_utf8(object.Env(), name, NAPI_AUTO_LENGTH, &key);
  return status == napi_ok ? napi_has_own_property(object.Env(), object, key, &has) : status;
}
inline Napi::Value get(const Napi::Object& object, const char* name) {
  napi_value key = nullptr, value = nullptr;
  bool has = false;
  if (object.IsEmpty() || own(object, name, key, has) != napi_ok || !has) return {};
  return napi_get_property(object.Env(), object, key, &value) == napi_ok ? Napi::Value(object.Env(), value)
                                                                         : Napi::Value();
}
// The object under `name`; empty if there is none.
inline Napi::Object nested(const Napi::Object& object, const char* name) {
  const Napi::Value value = get(object, name);
  return value.IsObject() ? value.As<Napi::Object>() : Napi::Object();
}
// Whether everything that was read until now is valid. False: the thread is being terminated.
inline bool intact(const Napi::Object& options) {
  napi_value key = nullptr;
  bool has = false;
  return own(options, "", key, has) == napi_ok;
}

template <class Number>
bool within(Number number, Number least, Number most) {
  return number >= least && number <= most;  // false for NaN
}
// Converts milliseconds to nanoseconds. Returns the largest number if `ms` is negative, NaN, or 1e13 (317 years) or
// more.
inline std::uint64_t nanoseconds(double ms) {
  return ms >= 0 && ms < 1e13 ? static_cast<std::uint64_t>(ms * 1e6) : ~0ULL;
}

// u64() and u32() cut fractions off. They return 0 for a value that is neither a number nor a bigint, and the largest
// number for one that is negative, NaN or too large. (u64() returns the low 64 bits of a bigint.)
inline std::uint64_t u64(const Napi::Value& value) {
  if (value.IsBigInt()) {
    bool lossless = false;
    return value.As<Napi::BigInt>().Uint64Value(&lossless);
  }
  if (!value.IsNumber()) return 0;
  const double number = value.As<Napi::Number>().DoubleValue();
  return number >= 0 && number < 0x1p64 ? static_cast<std::uint64_t>(number) : ~0ULL;
}
inline std::uint64_t u64(const Napi::Object& object, const char* name) { return u64(get(object, name)); }
inline double f64(const Napi::Object& object, const char* name) {
  const Napi::Value value = get(object, name);
  return value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : 0;
}
inline std::uint32_t u32(const Napi::Object& object, const char* name) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(u64(object, name), ~0U));
}
inline bool flag(const Napi::Object& object, const char* name) {
  const Napi::Value value = get(object, name);
  return value.IsBoolean() && value.As<Napi::Boolean>();
}

// Native code sets properties of objects and arrays only by put() and define(). Napi::Object::Set would call a setter
// that a program has put into Object.prototype or Array.prototype, and that may dispose of what the caller is working
// on.
template <class T>
void put(const Napi::Object& object, const char* name, const T& value) {
  define(object.Env(), object, name, Napi::Value::From(object.Env(), value));
}
template <class T>
void put(const Napi::Array& array, std::uint32_t index, const T& value) {
  put(array, std::to_string(index).c_str(), value);
}

inline Napi::Object handle_of(Napi::Env env, const SharedObject& object) {
  Napi::Object handle = Napi::Object::New(env);
  put(handle, "id", Napi::Number::New(env, static_cast<double>(object.id)));
  put(handle, "token", Napi::BigInt::New(env, object.token));
  return handle;
}

template <class Object>
std::shared_ptr<Object> find_handle(ObjectKind kind, const Napi::Value& handle) {
  if (!handle.IsObject()) return nullptr;
  const auto object = handle.As<Napi::Object>();
  return Registry::instance().find<Object>(kind, u64(object, "id"), u64(object, "token"));
}

// Reads `options.clock`, the handle of a manual clock; without it, `source` remains the monotonic clock. False: the
// handle is dead.
inline bool clock_option(const Napi::Object& options, ClockSource& source) {
  const Napi::Value handle = get(options, "clock");
  if (!handle.IsObject()) return true;
  source.manual = find_handle<SharedClock>(ObjectKind::kClock, handle);
  return source.manual != nullptr;
}

// A function of the addon, by its name in the contract's list.
template <Napi::Value (*Function)(const Napi::CallbackInfo&)>
void export_function(Napi::Object exports, NameIn<functions::kAddon> name) {
  put(exports, name.text(), Napi::Function::New(exports.Env(), Function));
}

void export_clock(Napi::Object exports);
void export_queue(Napi::Object exports);
void export_limiter(Napi::Object exports);
void export_stock(Napi::Object exports);
void export_gate(Napi::Object exports);
void export_affinity(Napi::Object exports);

}  // namespace sluice
