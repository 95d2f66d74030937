// Finds a bell by its attachment's number, to ring it from any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "platform/bell.h"

namespace sluice {

// The bells of one object's attachments, by the attachments' numbers. An attachment adds its bell before its first
// wait, and removes it when it ends.
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
