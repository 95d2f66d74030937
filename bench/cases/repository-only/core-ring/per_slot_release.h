// A bounded ring after D. Vyukov, for one consumer: each slot has a sequence number, which the producer advances to
// publish and the consumer advances to release. Its best form: no other thread accesses the consumer's position, a
// batch is claimed with one CAS (if the last slot of a batch is free, all before it are, because slots are released in
// order), and positions have their own cache lines.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace bench {

template <class Item>
class PerSlotRelease {
 public:
  explicit PerSlotRelease(std::uint64_t capacity)  // a power of two
      : slots_(std::make_unique<Slot[]>(capacity)), mask_(capacity - 1) {
    for (std::uint64_t i = 0; i < capacity; ++i) slots_[i].sequence.store(i, std::memory_order_relaxed);
  }

  std::uint32_t push(const Item* items, std::uint32_t count) noexcept {
    std::uint64_t position = tail_.load(std::memory_order_relaxed);
    std::uint32_t want = count;
    for (;;) {
      const std::uint64_t last = position + want - 1;
      // ACQ sequence: pairs with REL in drain(): the slot has been read.
      const std::uint64_t sequence = slots_[last & mask_].sequence.load(std::memory_order_acquire);
      const auto ahead = static_cast<std::int64_t>(sequence - last);
      if (ahead == 0) {
        // Relaxed: a claim publishes nothing; the sequences do.
        if (tail_.compare_exchange_weak(position, position + want, std::memory_order_relaxed)) break;
      } else if (ahead > 0) {
        position = tail_.load(std::memory_order_relaxed);  // other threads have claimed these slots
      } else if (want > 1) {
        want /= 2;  // there is less room
      } else {
        const std::uint64_t now = tail_.load(std::memory_order_relaxed);
        if (now == position) return 0;
        position = now;
      }
    }
    for (std::uint32_t i = 0; i < want; ++i) {
      Slot& slot = slots_[(position + i) & mask_];
      slot.item = items[i];
      // REL sequence: pairs with ACQ in drain(): the item is written.
      slot.sequence.store(position + i + 1, std::memory_order_release);
    }
    return want;
  }

  template <class Visit>
  std::uint32_t drain(Visit&& visit) noexcept {
    std::uint32_t count = 0;
    for (; count < kBatch; ++count) {
      Slot& slot = slots_[head_ & mask_];
      // ACQ sequence: pairs with REL in push().
      if (slot.sequence.load(std::memory_order_acquire) != head_ + 1) break;
      visit(slot.item);
      // REL sequence: pairs with ACQ in push().
      slot.sequence.store(head_ + mask_ + 1, std::memory_order_release);
      ++head_;
    }
    return count;
  }

 private:
  static constexpr std::uint32_t kBatch = 64;
  static constexpr std::size_t kLine = 128;

  struct Slot {
    std::atomic<std::uint64_t> sequence;
    Item item;
  };

  alignas(kLine) std::atomic<std::uint64_t> tail_{0};
  alignas(kLine) std::uint64_t head_ = 0;  // only the consumer uses it
  alignas(kLine) std::unique_ptr<Slot[]> slots_;
  std::uint64_t mask_;
};

}  // namespace bench
