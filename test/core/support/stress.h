// Helpers of the stress tests: the seed of the run, numbers drawn from it, and threads that start together.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

// Used at the beginning of a stress test: a failure then prints how to replay it.
#define SLUICE_PRINT_SEED_ON_FAILURE() INFO("replay with SLUICE_SEED=", sluice::test::run_seed())

namespace sluice::test {

#if defined(__SANITIZE_THREAD__)
inline constexpr std::uint64_t kSlowdown = 20;
#elif defined(__SANITIZE_ADDRESS__)
inline constexpr std::uint64_t kSlowdown = 4;
#elif defined(SLUICE_EMULATED)
inline constexpr std::uint64_t kSlowdown = 20;
#else
inline constexpr std::uint64_t kSlowdown = 1;
#endif

// Returns as many repetitions as a test can afford: fewer in the slower builds.
constexpr std::uint64_t repetitions(std::uint64_t in_a_plain_build) {
  return in_a_plain_build < kSlowdown ? 1 : in_a_plain_build / kSlowdown;
}

inline std::uint64_t run_seed() {
  static const std::uint64_t seed = [] {
    const char* given = std::getenv("SLUICE_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  }();
  return seed;
}

// SplitMix64 (S. Vigna). An equal seed and stream give equal numbers.
class Random {
 public:
  explicit Random(std::uint64_t stream)
      : state_(run_seed() * 0x9e3779b97f4a7c15ULL + stream * 0xd1342543de82ef95ULL) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
  bool once_in(std::uint64_t times) { return below(times) == 0; }

 private:
  std::uint64_t state_;
};

// Runs body(0) .. body(threads - 1), each in a thread of its own. All begin at the same moment. Joins them.
template <class Body>
void in_threads(unsigned threads, Body&& body) {
  std::atomic<unsigned> waiting{threads};
  std::vector<std::thread> running;
  for (unsigned i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      waiting.fetch_sub(1, std::memory_order_acq_rel);
      while (waiting.load(std::memory_order_acquire) != 0) std::this_thread::yield();
      body(i);
    });
  }
  for (std::thread& thread : running) thread.join();
}

}  // namespace sluice::test
