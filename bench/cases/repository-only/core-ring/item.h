// The items sent through a ring, and the check of their delivery: every word of every item.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/atomics.h"

namespace bench {

template <std::size_t Bytes>
struct Item {
  static_assert(Bytes % 8 == 0 && Bytes >= 8);
  static constexpr int kProducerShift = 56;

  std::array<std::uint64_t, Bytes / 8> words;

  void fill(std::uint64_t producer, std::uint64_t number) {
    const std::uint64_t first = producer << kProducerShift | number;
    for (std::size_t i = 0; i < words.size(); ++i) words[i] = first + i;
  }
  std::uint64_t producer() const { return words[0] >> kProducerShift; }
  std::uint64_t number() const { return words[0] & ((1ULL << kProducerShift) - 1); }
  bool intact() const {
    std::uint64_t difference = 0;
    for (std::size_t i = 1; i < words.size(); ++i) difference |= words[i] ^ (words[0] + i);
    return difference == 0;
  }
};

inline constexpr unsigned kProducersMax = 8;

// Checks each item that comes out: none may be lost, duplicated, altered, or out of its producer's order. The consumer
// writes this object for every item, so it has its own cache lines: on a cache line with words that producers read, the
// writes would slow the producers down.
class alignas(sluice::kCacheLine) Audit {
 public:
  template <std::size_t Bytes>
  void see(const Item<Bytes>& item) {
    ++count_;
    const std::uint64_t producer = item.producer();
    if (producer >= kProducersMax || !item.intact() || item.number() != due_[producer]++) ++wrong_;
  }
  std::uint64_t count() const { return count_; }
  // Whether the received items are the sent ones.
  bool complete(const std::array<std::uint64_t, kProducersMax>& sent_by) const {
    return wrong_ == 0 && due_ == sent_by;
  }

 private:
  std::array<std::uint64_t, kProducersMax> due_{};
  std::uint64_t count_ = 0;
  std::uint64_t wrong_ = 0;
};

}  // namespace bench
