// A bell as one thread's event loop hears it.
#pragma once

#include <node_api.h>

#include "addon/environment.h"
#include "platform/bell.h"

namespace sluice {

// A bell that one attachment listens to from its event loop, opened when first needed.
class LoopBell {
 public:
  // Throws std::bad_alloc if the loop has no room for it.
  void open(Environment& environment, Bell& bell, BellListener::Callback on_ring, void* data);
  void close(Environment& environment, Bell& bell);
  void keep_loop_alive(bool alive) {
    if (listener_ != nullptr) listener_->keep_loop_alive(alive);
  }

  // What JavaScript is called with when the bell rings.
  void set_callback(napi_env env, napi_value callback);
  void drop_callback(napi_env env);
  void call(napi_env env) const;

 private:
  BellListener* listener_ = nullptr;
  napi_ref callback_ = nullptr;
};

}  // namespace sluice
