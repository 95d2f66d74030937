// Hot paths are plain Node-API functions whose data pointer is the attachment: there is no `this` to unwrap. Arguments,
// other than a limiter's keys, are numbers, and results are numbers or undefined. Anything larger is in a staging
// buffer, whose address native code asks for once, when an object is attached.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <span>

#include "addon/environment.h"
#include "contract/answers.h"
#include "contract/functions.h"
#include "core/base/thread_slots.h"

namespace sluice {

inline napi_value number(napi_env env, std::int32_t value) {
  napi_value result = nullptr;
  napi_create_int32(env, value, &result);
  return result;
}
inline napi_value number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

// Returns the attachment for which a hot function was made.
template <class A>
A& attachment(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
  return *static_cast<A*>(data);
}

// Returns the attachment. `arguments` get the call's arguments as unsigned numbers: 0 for one that is missing or no
// number.
template <class A, std::size_t N>
A& attachment(napi_env env, napi_callback_info info, std::uint32_t (&arguments)[N]) {
  void* data = nullptr;
  std::size_t count = N;
  napi_value values[N];
  napi_get_cb_info(env, info, &count, values, nullptr, &data);
  for (std::size_t i = 0; i < N; ++i) {
    arguments[i] = 0;
    if (i < count) napi_get_value_uint32(env, values[i], &arguments[i]);
  }
  return *static_cast<A*>(data);
}

// Returns the attachment. `arguments` get the call's arguments as JavaScript values: undefined for one that is missing.
template <class A, std::size_t N>
A& attachment(napi_env env, napi_callback_info info, napi_value (&arguments)[N]) {
  void* data = nullptr;
  std::size_t count = N;
  napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
  return *static_cast<A*>(data);
}

// Wraps a function that may allocate, and throws std::bad_alloc if the system has no memory. It throws before it has
// changed anything that other threads see. No exception may reach Node.js, which would end the process.
template <napi_callback Function>
napi_value guarded(napi_env env, napi_callback_info info) noexcept {
  try {
    return Function(env, info);
  } catch (const std::exception&) {
    return number(env, kNoResources);
  }
}

// A function, with its name in the contract's list.
template <const auto& kNames>
struct HotFunction {
  NameIn<kNames> name;
  napi_callback call;
};

// Defines an own property, so that nothing that a program has put into Object.prototype is read or called.
inline void define(napi_env env, napi_value object, const char* name, napi_value value) {
  constexpr auto kPlain =
      static_cast<napi_property_attributes>(napi_writable | napi_enumerable | napi_configurable);
  const napi_property_descriptor property = {name,    nullptr, nullptr, nullptr,
                                             nullptr, value,   kPlain,  nullptr};
  napi_define_properties(env, object, 1, &property);
}

// Returns the attachment that `make(slot)` makes with a slot of its thread; nullptr if all slots are taken. Throws what
// `make` throws, after it has given the slot back.
template <class Make>
auto made_with_slot(ThreadSlots& slots, Environment& environment, Make&& make) -> decltype(make(nullptr)) {
  ThreadSlot* slot = slots.acquire(environment.number());
  if (slot == nullptr) return nullptr;
  try {
    return make(slot);
  } catch (...) {
    slots.release(slot);
    throw;
  }
}

// Makes an object that has the given functions and owns `attachment`: when the object is collected, or the environment
// ends, the attachment is detached and freed. The functions must not be called after that. If the thread is being
// terminated, Node-API lets no object own anything: then this function frees the attachment and returns nullptr.
template <const auto& kNames, class A>
napi_value hot_object(napi_env env, A* attachment,
                      std::initializer_list<std::span<const HotFunction<kNames>>> groups) {
  napi_value object = nullptr;
  napi_create_object(env, &object);
  for (const std::span<const HotFunction<kNames>> functions : groups) {
    for (const HotFunction<kNames>& function : functions) {
      napi_value value = nullptr;
      napi_create_function(env, function.name.text(), NAPI_AUTO_LENGTH, function.call, attachment, &value);
      define(env, object, function.name.text(), value);
    }
  }
  const auto free = [](napi_env, void* data, void*) {
    auto* owned = static_cast<Attachment*>(data);
    owned->detach();
    delete owned;
  };
  auto* owned = static_cast<Attachment*>(attachment);
  if (napi_wrap(env, object, owned, free, nullptr, nullptr) == napi_ok) return object;
  free(env, owned, nullptr);
  return nullptr;
}

// A staging buffer: memory of a JavaScript ArrayBuffer, held so that it is not collected. Its address does not change,
// because lib/ never resizes or transfers the ArrayBuffer.
class Staging {
 public:
  Staging() = default;
  Staging(napi_env env, napi_value buffer) {
    void* data = nullptr;
    std::size_t bytes = 0;
    napi_get_arraybuffer_info(env, buffer, &data, &bytes);
    span_ = {static_cast<std::byte*>(data), bytes};
    napi_create_reference(env, buffer, 1, &held_);
  }
  std::span<std::byte> span() const { return span_; }

  void release(napi_env env) {
    if (held_ != nullptr) napi_delete_reference(env, held_);
    held_ = nullptr;
  }

 private:
  std::span<std::byte> span_;
  napi_ref held_ = nullptr;  // deleted by release(), or with the environment
};

}  // namespace sluice
