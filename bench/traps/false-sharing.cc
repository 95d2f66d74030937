// Two threads with a counter each, `gap` bytes apart:
//   false-sharing add|store <gap> <operations>
// `add` is a locked fetch_add, `store` a plain load and store, as for a counter that one thread writes and others
// read. Prints {"nsPerOperation": ...}.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>

#include "core/base/atomics.h"
#include "processors.h"

namespace {

using Counter = std::atomic<std::uint64_t>;

void count_up(Counter& counter, std::uint64_t operations, bool add) {
  for (std::uint64_t i = 0; i < operations; ++i) {
    if (add) {
      counter.fetch_add(1, std::memory_order_relaxed);
    } else {
      counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) return 2;
  const bool add = std::strcmp(arguments[1], "add") == 0;
  const std::uint64_t gap = std::strtoull(arguments[2], nullptr, 10);
  const std::uint64_t operations = std::strtoull(arguments[3], nullptr, 10);
  if (gap < sizeof(Counter) || gap % sizeof(Counter) != 0 || gap > 4096 || operations == 0) return 2;

  constexpr std::align_val_t kAlignment{4096};
  auto* memory = static_cast<std::byte*>(::operator new(8192, kAlignment));
  Counter* counters[] = {new (memory) Counter{0}, new (memory + gap) Counter{0}};

  std::atomic<int> ready{0};
  std::chrono::steady_clock::time_point started[2], ended[2];
  const auto run = [&](int i) {
    bench::use_processor(i);
    ready.fetch_add(1);
    while (ready.load() != 2) sluice::cpu_pause();
    started[i] = std::chrono::steady_clock::now();
    count_up(*counters[i], operations, add);
    ended[i] = std::chrono::steady_clock::now();
  };
  std::thread first(run, 0), second(run, 1);
  first.join();
  second.join();

  const bool complete = counters[0]->load() == operations && counters[1]->load() == operations;
  ::operator delete(memory, kAlignment);
  if (!complete) return 1;
  const auto begin = started[0] < started[1] ? started[0] : started[1];
  const auto end = ended[0] > ended[1] ? ended[0] : ended[1];
  std::printf("{\"nsPerOperation\": %.3f}\n", std::chrono::duration<double, std::nano>(end - begin).count() /
                                                  static_cast<double>(operations));
  return 0;
}
