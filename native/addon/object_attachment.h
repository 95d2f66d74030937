// Code that queues, limiters, stocks and gates have in common: how a thread attaches them, finds them by a handle, and
// disposes of them.
#pragma once

#include <napi.h>

#include <initializer_list>
#include <memory>
#include <span>
#include <utility>

#include "addon/environment.h"
#include "addon/hot_function.h"
#include "addon/objects.h"
#include "session/words.h"

namespace sluice {

// One thread's attachment of a shared object. Until it is detached, it keeps the object and a staging buffer of the
// layout `Layout`.
template <class Shared, class Layout>
class ObjectAttachment : public Attachment {
 public:
  const std::shared_ptr<Shared>& shared() const { return shared_; }

  // The staging buffer: see the struct `Layout`.
  const Words& words() const { return words_; }
  // Keeps `buffer` as the staging buffer. False: it is shorter than the layout.
  bool stage(napi_env env, napi_value buffer) {
    staging_ = Staging(env, buffer);
    return stage(staging_.span());
  }

 protected:
  ObjectAttachment(Environment& environment, std::shared_ptr<Shared> shared)
      : Attachment(environment), shared_(std::move(shared)) {}

  bool stage(std::span<std::byte> buffer) {
    words_ = Words(buffer);
    return words_.bytes() >= Layout::kBytes;
  }
  // The staging buffer as JavaScript made it; empty: it is memory of native code.
  std::span<std::byte> staged() const { return staging_.span(); }

  // Gives back everything that other threads may need. The shared object still exists meanwhile.
  virtual void end() = 0;

  std::shared_ptr<Shared> shared_;

 private:
  void on_detach() final {
    end();
    staging_.release(environment_.env());
    shared_.reset();  // the last reference unmaps the object's memory
  }

  Staging staging_;
  Words words_;
};

// Returns a JavaScript object that owns the new attachment `attached`, with its functions and its handle;
// describe(object) adds other properties. If `attached` is nullptr, or refuses `staging`, it returns the reason
// instead. Returns an empty value if the thread is being terminated.
template <const auto& kNames, class A, class Describe>
Napi::Value object_of(Napi::Env env, A* attached, const Napi::Value& staging,
                      std::initializer_list<std::span<const HotFunction<kNames>>> functions,
                      Describe&& describe) {
  if (attached == nullptr) return Napi::String::New(env, kTooManyThreads);
  if (!attached->stage(env, staging)) {
    attached->detach();
    delete attached;
    return Napi::String::New(env, kBadStaging);
  }
  napi_value made = hot_object<kNames>(env, attached, functions);
  if (made == nullptr) return {};
  Napi::Object object(env, made);
  put(object, "handle", handle_of(env, *attached->shared()));
  // Creating a gate, or attaching one, reads this property of the native objects of its parts.
  put(object, "attachment", Napi::External<A>::New(env, attached));
  describe(object);
  return object;
}

// Calls use(env, shared) for the object that the handle info[0] names. Returns a reason instead if the handle is dead,
// or if the object's segment is of another kind or layout, or has another schema hash than `schema(shared, shape)`
// returns: see core/base/segment.h.
template <class Shared, class Schema, class Use>
Napi::Value by_handle(const Napi::CallbackInfo& info, ObjectKind kind, Schema&& schema, Use&& use) {
  const auto shared = find_handle<Shared>(kind, info[0]);
  if (shared == nullptr) return Napi::String::New(info.Env(), kDeadHandle);
  const AttachError error = shared->segment.template check<typename Shared::Object>(
      [&](const auto& shape) -> std::uint64_t { return schema(*shared, shape); });
  if (error != AttachError::kNone) return Napi::String::New(info.Env(), reason(error));
  return use(info.Env(), shared);
}
// The schema hash of an object that has no records.
inline constexpr auto kNoSchema = [](const auto&, const auto&) -> std::uint64_t { return 0; };

// dispose()
template <class A>
napi_value dispose(napi_env env, napi_callback_info info) {
  attachment<A>(env, info).detach();
  return nullptr;
}

}  // namespace sluice
