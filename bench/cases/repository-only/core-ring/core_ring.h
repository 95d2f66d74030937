// sluice's ring. A push does what a push to the queue does: it claims, copies and publishes. The consumer takes up to
// 64 items at a time, as the queue's does, but reads them in place, where the queue first copies them to staging.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "core/queue/ring.h"

namespace bench {

// All threads read this object, so it must not share a cache line with words that the consumer writes.
template <class Item>
class alignas(sluice::kCacheLine) CoreRing {
 public:
  explicit CoreRing(std::uint64_t capacity)
      : memory_(::operator new(sluice::Ring<>::bytes(capacity, sizeof(Item)), kAlignment)),
        ring_(memory_, capacity, sizeof(Item)) {
    ring_.format(0);
  }
  CoreRing(const CoreRing&) = delete;
  CoreRing& operator=(const CoreRing&) = delete;
  ~CoreRing() { ::operator delete(memory_, kAlignment); }

  // Pushes as many items as there is room for, from the front of `items`. Returns how many.
  std::uint32_t push(const Item* items, std::uint32_t count) noexcept {
    const auto claim = ring_.claim(count);
    sluice::Ring<>::Cursor at(ring_, claim.position);
    for (std::uint32_t i = 0; i < claim.count; ++i, at.next()) {
      sluice::StdAtomics::write_bytes(at.record(), items + i, sizeof(Item));
      at.publish();
    }
    return claim.count;
  }

  // Visits up to kBatch published items, and returns how many.
  template <class Visit>
  std::uint32_t drain(Visit&& visit) noexcept {
    sluice::Ring<>::Cursor at(ring_, ring_.head());
    std::uint32_t count = 0;
    for (; count < kBatch && at.readable(); ++count, at.next()) {
      visit(*reinterpret_cast<const Item*>(at.record()));
      at.pull_stamp_line();
    }
    if (count != 0) ring_.advance(at.position());
    return count;
  }

 private:
  static constexpr std::uint32_t kBatch = 64;  // the same as kStagedRecords in contract/limits.h
  static constexpr std::align_val_t kAlignment{sluice::kCacheLine};

  void* memory_;
  sluice::Ring<> ring_;
};

}  // namespace bench
