// A ring of 64-bit numbers.
#pragma once

#include <cstdint>
#include <optional>

#include "core/queue/ring.h"
#include "zeroed_memory.h"

namespace sluice::test {

struct RingNumbers {
  RingNumbers(std::uint64_t capacity, std::uint64_t start)
      : memory(Ring<>::bytes(capacity, sizeof(std::uint64_t))),
        ring(memory, capacity, sizeof(std::uint64_t)) {
    ring.format(start);
  }
  PushResult push(std::uint64_t number) { return ring.push(&number); }
  std::optional<std::uint64_t> pop() {
    const std::uint64_t head = ring.head();
    if (!ring.readable(head)) return std::nullopt;
    std::uint64_t number = 0;
    ring.read(head, &number);
    ring.advance(head + kRingStep);
    return number;
  }

  ZeroedMemory memory;
  Ring<> ring;
};

}  // namespace sluice::test
