// Shedding by delay. If even the shortest wait within an interval exceeds the target, the queue is congested, and does
// not only hold a burst. From then on, records that have waited more than twice the target are dropped, until the
// shortest wait within an interval does not exceed the target. This is CoDel (K. Nichols, V. Jacobson), in the form
// that folly's class Codel gives it for request queues.
#pragma once

#include <cstdint>

namespace sluice {

struct SheddingConfig {
  std::uint64_t target_ns = 0;  // 0: no shedding
  std::uint64_t interval_ns = 0;
};

class Shedding {
 public:
  // Whether a record that has waited `wait_ns` must be dropped at `now`. The consumer calls this, once or more
  // often, for each record that it would otherwise show.
  bool drops(const SheddingConfig& config, std::uint64_t wait_ns, std::uint64_t now) noexcept {
    if (now >= interval_end_) {
      standing_ = interval_end_ != 0 && shortest_ns_ > config.target_ns;
      shortest_ns_ = wait_ns;
      interval_end_ = now + config.interval_ns;
    } else if (wait_ns < shortest_ns_) {
      shortest_ns_ = wait_ns;
    }
    return standing_ && wait_ns > 2 * config.target_ns;
  }

  // The consumer calls this when it finds no record. That counts as a wait of 0, so congestion ends with the interval.
  void idle() noexcept { shortest_ns_ = 0; }

 private:
  std::uint64_t interval_end_ = 0;
  std::uint64_t shortest_ns_ = 0;
  bool standing_ = false;
};

}  // namespace sluice
