// The ledger's answer to an id: the reservation that the id got, and whether through a gate; or 0, if it was refused.
//
//   | generation : 32 | by a gate : 1 | in no queue : 1 | 0 : 5 | slot + 1 : 25 |
//
// A gate puts the orders that it admits in its queue. A restored ledger comes without a queue. An order that a gate
// admitted is then in no queue, until a request repeats its id and the gate queues the order again.
#pragma once

#include <cstdint>

namespace sluice {

class IdAnswer {
 public:
  static constexpr std::uint32_t kSlotBits = 25;

  explicit constexpr IdAnswer(std::uint64_t word) noexcept : word_(word) {}
  static constexpr IdAnswer refused() noexcept { return IdAnswer(0); }
  static constexpr IdAnswer reserved(std::uint64_t reservation, bool by_gate) noexcept {
    return IdAnswer(reservation | (by_gate ? kByGate : 0));
  }

  constexpr std::uint64_t word() const noexcept { return word_; }
  constexpr bool is_refusal() const noexcept { return word_ == 0; }
  constexpr std::uint64_t reservation() const noexcept { return word_ & ~(kByGate | kInNoQueue); }
  constexpr bool by_gate() const noexcept { return (word_ & kByGate) != 0; }
  constexpr bool in_no_queue() const noexcept { return (word_ & kInNoQueue) != 0; }

  constexpr IdAnswer queued() const noexcept { return IdAnswer(word_ & ~kInNoQueue); }
  // Returns the answer for a ledger that has no queue.
  constexpr IdAnswer without_queue() const noexcept {
    return IdAnswer(by_gate() ? word_ | kInNoQueue : word_);
  }

 private:
  static constexpr std::uint64_t kByGate = 1ULL << 31, kInNoQueue = 1ULL << 30;

  std::uint64_t word_;
};

}  // namespace sluice
