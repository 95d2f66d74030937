// A bound on work in flight. A request enters before its work, and leaves after it.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice {

class DepthGate {
 public:
  // Relaxed: `in_flight_` is the whole state, and it publishes no other memory.
  bool enter(std::uint64_t max, std::uint64_t cost) noexcept {
    std::uint64_t in_flight = in_flight_.load(std::memory_order_relaxed);
    while (cost <= max && in_flight <= max - cost) {  // written so that no sum overflows
      if (in_flight_.compare_exchange_weak(in_flight, in_flight + cost, std::memory_order_relaxed,
                                           std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // Adds `cost` even if that exceeds the bound.
  void force(std::uint64_t cost) noexcept { in_flight_.fetch_add(cost, std::memory_order_relaxed); }

  // Returns false, and changes nothing, if less than `cost` is in flight: a caller has left twice, or another
  // DepthGate counts a part of `cost` (see Limiter::leave()).
  bool leave(std::uint64_t cost) noexcept {
    std::uint64_t in_flight = in_flight_.load(std::memory_order_relaxed);
    while (in_flight >= cost) {
      if (in_flight_.compare_exchange_weak(in_flight, in_flight - cost, std::memory_order_relaxed,
                                           std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  std::uint64_t in_flight() const noexcept { return in_flight_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> in_flight_{0};
};

}  // namespace sluice
