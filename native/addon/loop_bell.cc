#include "addon/loop_bell.h"

namespace sluice {

void LoopBell::open(Environment& environment, Bell& bell, BellListener::Callback on_ring, void* data) {
  if (listener_ == nullptr) listener_ = BellListener::open(environment.loop(), bell, on_ring, data);
}

void LoopBell::close(Environment& environment, Bell& bell) {
  if (listener_ == nullptr) return;
  environment.handle_closing();
  listener_->close(
      bell, [](void* data) { static_cast<Environment*>(data)->handle_closed(); }, &environment);
  listener_ = nullptr;
}

void LoopBell::set_callback(napi_env env, napi_value callback) {
  if (callback_ == nullptr) napi_create_reference(env, callback, 1, &callback_);
}

void LoopBell::drop_callback(napi_env env) {
  if (callback_ != nullptr) napi_delete_reference(env, callback_);
  callback_ = nullptr;
}

void LoopBell::call(napi_env env) const {
  napi_handle_scope scope = nullptr;
  if (callback_ == nullptr || napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value callback = nullptr, receiver = nullptr;
  if (napi_get_reference_value(env, callback_, &callback) == napi_ok &&
      napi_get_global(env, &receiver) == napi_ok &&
      napi_make_callback(env, nullptr, receiver, callback, 0, nullptr, nullptr) == napi_pending_exception) {
    napi_value error = nullptr;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

}  // namespace sluice
