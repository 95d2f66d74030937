// Replaces the addon's eventfd: once the bell is rung, the next thread that listens hears it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace sluice::test {

class Bell {
 public:
  void ring() {
    const std::lock_guard lock(mutex_);
    rung_ = true;
    heard_.notify_one();
  }
  // Returns false if the bell has not rung within a minute: then a wake-up was lost.
  bool listen() {
    std::unique_lock lock(mutex_);
    const bool rung = heard_.wait_for(lock, std::chrono::minutes(1), [this] { return rung_; });
    rung_ = false;
    return rung;
  }

 private:
  std::mutex mutex_;
  std::condition_variable heard_;
  bool rung_ = false;
};

}  // namespace sluice::test
