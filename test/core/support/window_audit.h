// Finds the time span of a window's length in which most was admitted, to check the sliding window's promise.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace sluice::test {

class WindowAudit {
 public:
  void admit(std::uint64_t at, std::uint64_t cost = 1) { admitted_.push_back({at, cost}); }
  void add(const WindowAudit& other) {
    admitted_.insert(admitted_.end(), other.admitted_.begin(), other.admitted_.end());
  }

  // The largest sum of costs in any [t, t + window_ns).
  std::uint64_t fullest(std::uint64_t window_ns) {
    std::sort(admitted_.begin(), admitted_.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
    std::uint64_t fullest = 0, sum = 0;
    std::size_t first = 0;
    for (const Admission& last : admitted_) {
      sum += last.cost;
      while (last.at - admitted_[first].at >= window_ns) sum -= admitted_[first++].cost;
      fullest = std::max(fullest, sum);
    }
    return fullest;
  }
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const Admission& one : admitted_) sum += one.cost;
    return sum;
  }

 private:
  struct Admission {
    std::uint64_t at, cost;
  };
  std::vector<Admission> admitted_;
};

}  // namespace sluice::test
