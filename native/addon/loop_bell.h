// Bells of attachments: each listened to from one thread's event loop, and rung by whoever has news for it.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "addon/bell.h"
#include "addon/environment.h"

namespace sluice {

// A bell that one attachment listens to from its event loop, opened when first needed.
class LoopBell {
 public:
  // False if the loop has no room for it.
  bool open(Environment& environment, Bell& bell, BellListener::Callback on_ring, void* data);
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

// The bells of the attachments of one object that wait for something, by their number.
class Bells {
 public:
  void ring(std::uint64_t attachment) {
    const std::lock_guard<std::mutex> guard(mutex_);
    const auto found = bells_.find(attachment);
    if (found != bells_.end()) found->second->ring();
  }
  void ring_all() {
    const std::lock_guard<std::mutex> guard(mutex_);
    for (const auto& [attachment, bell] : bells_) bell->ring();
  }
  void add(std::uint64_t attachment, Bell* bell) {
    const std::lock_guard<std::mutex> guard(mutex_);
    bells_[attachment] = bell;
  }
  void remove(std::uint64_t attachment) {
    const std::lock_guard<std::mutex> guard(mutex_);
    bells_.erase(attachment);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, Bell*> bells_;
};

}  // namespace sluice
