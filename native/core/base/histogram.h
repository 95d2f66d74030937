// A log-linear histogram of 64-bit values: it has 32 counts for each power of two, so a quantile that it returns
// differs from the exact one by at most 1/64 (1.6 %), over the whole range. One thread at a time writes, and any number
// of threads read. The idea is that of HdrHistogram (G. Tene).
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

namespace sluice {

class Histogram {
 public:
  // Counts one more value. Only one thread at a time writes, so a load and a store are enough, without a locked
  // instruction. A reader may miss the newest value.
  void record(std::uint64_t value) noexcept {
    add(counts_[index_of(value)], 1);
    add(sum_, value);
    if (value > max_.load(std::memory_order_relaxed)) max_.store(value, std::memory_order_relaxed);
  }

  std::uint64_t count() const noexcept {
    std::uint64_t total = 0;
    for (std::uint32_t i = 0; i < kBuckets; ++i) total += in_bucket(i);
    return total;
  }
  std::uint64_t max() const noexcept { return max_.load(std::memory_order_relaxed); }
  std::uint64_t sum() const noexcept { return sum_.load(std::memory_order_relaxed); }
  double mean() const noexcept {
    const std::uint64_t total = count();
    return total == 0 ? 0 : static_cast<double>(sum()) / static_cast<double>(total);
  }

  // Returns about the value below which the share `quantile` of the recorded values lies: 0 means the least value, 1
  // the greatest. Returns 0 if there are no values.
  std::uint64_t at(double quantile) const noexcept {
    const std::uint64_t total = count();
    if (total == 0) return 0;
    const auto rank = static_cast<std::uint64_t>(quantile * static_cast<double>(total - 1));
    std::uint64_t seen = 0;
    for (std::uint32_t i = 0; i < kBuckets; ++i) {
      seen += in_bucket(i);
      if (seen > rank) {
        const std::uint64_t middle = middle_of(i);
        return middle < max() ? middle : max();
      }
    }
    return max();
  }

  // How many buckets there are below 2^kSubBits, and for each power of two from there on.
  static constexpr std::uint32_t kSubBits = 5;
  static constexpr std::uint32_t kSub = 1u << kSubBits;
  static constexpr std::uint32_t kBuckets = kSub + (64 - kSubBits) * kSub;

  // Returns how many values are in a bucket: see index_of().
  std::uint64_t in_bucket(std::uint32_t index) const noexcept {
    return counts_[index].load(std::memory_order_relaxed);
  }

 private:
  static std::uint32_t index_of(std::uint64_t value) noexcept {
    if (value < kSub) return static_cast<std::uint32_t>(value);
    const auto shift = static_cast<std::uint32_t>(std::bit_width(value)) - 1 - kSubBits;
    return kSub + shift * kSub + static_cast<std::uint32_t>((value >> shift) - kSub);
  }
  static std::uint64_t middle_of(std::uint32_t index) noexcept {
    if (index < kSub) return index;
    const std::uint32_t shift = (index - kSub) / kSub;
    const std::uint64_t low = static_cast<std::uint64_t>(kSub + (index - kSub) % kSub) << shift;
    return low + (1ULL << shift) / 2;
  }
  static void add(std::atomic<std::uint64_t>& word, std::uint64_t by) noexcept {
    word.store(word.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  std::atomic<std::uint64_t> sum_;
  std::atomic<std::uint64_t> max_;
  std::atomic<std::uint64_t> counts_[kBuckets];
};

}  // namespace sluice
