// A bell that rings in one thread's event loop.
#pragma once

#include <node_api.h>

#include "addon/environment.h"
#include "platform/bell.h"

namespace sluice {

// One attachment's listener to a bell, and the JavaScript function that call() calls. open() makes the listener.
class LoopBell {
 public:
  // Makes the listener, unless there is one already. Throws std::bad_alloc if the loop cannot take the listener.
  void open(Environment& environment, Bell& bell, BellListener::Callback on_ring, void* data);
  void close(Environment& environment, Bell& bell);
  void keep_loop_alive(bool alive) {
    if (listener_ != nullptr) listener_->keep_loop_alive(alive);
  }

  // Sets the JavaScript function, unless one is set already. `on_ring` of open() calls it with call().
  void set_callback(napi_env env, napi_value callback);
  void drop_callback(napi_env env);
  void call(napi_env env) const;

 private:
  BellListener* listener_ = nullptr;
  napi_ref callback_ = nullptr;
};

}  // namespace sluice
