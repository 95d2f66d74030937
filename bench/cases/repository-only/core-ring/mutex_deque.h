// A bounded queue of a mutex and a std::deque. Its best form: a batch is pushed under one lock, the consumer takes all
// items by a swap under one lock and reads them without the lock, and neither side takes the lock to find the queue
// full or empty. (Items that the consumer has taken no longer count as depth, which favours this queue.)
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>

namespace bench {

template <class Item>
class MutexDeque {
 public:
  explicit MutexDeque(std::uint64_t capacity) : capacity_(capacity) {}

  std::uint32_t push(const Item* items, std::uint32_t count) {
    // Relaxed: only a hint; the deciding read is under the lock.
    if (depth_.load(std::memory_order_relaxed) >= capacity_) return 0;
    const std::lock_guard lock(mutex_);
    const std::uint64_t room = capacity_ - items_.size();
    const auto taken = static_cast<std::uint32_t>(room < count ? room : count);
    items_.insert(items_.end(), items, items + taken);
    depth_.store(items_.size(), std::memory_order_relaxed);
    return taken;
  }

  template <class Visit>
  std::uint32_t drain(Visit&& visit) {
    if (depth_.load(std::memory_order_relaxed) == 0) return 0;
    {
      const std::lock_guard lock(mutex_);
      items_.swap(taken_);
      depth_.store(0, std::memory_order_relaxed);
    }
    for (const Item& item : taken_) visit(item);
    const auto count = static_cast<std::uint32_t>(taken_.size());
    taken_.clear();
    return count;
  }

 private:
  static constexpr std::size_t kLine = 128;

  alignas(kLine) std::mutex mutex_;
  std::deque<Item> items_;
  alignas(kLine) std::atomic<std::uint64_t> depth_{0};
  alignas(kLine) std::deque<Item> taken_;  // only the consumer uses it
  std::uint64_t capacity_;
};

}  // namespace bench
