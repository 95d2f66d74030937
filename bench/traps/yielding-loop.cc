// A consumer that waits for items that come one at a time, alone on its processor or beside a busy thread:
//   yielding-loop yield|park alone|beside <items> <microseconds between them>
// `yield`: the consumer looks, and yields while there is nothing. `park`: it looks for a bounded time, with the
// processor's pause instruction, then parks by the core's doorbell; the bell is an eventfd, as in the queue.
// Prints {"p50": ns, "p99": ns, "max": ns, "switches": n, "cpuNs": ns, "vain": n}: the time from push to read (p50,
// p99, max); context switches and processor time of the consumer's thread; looks at an empty ring (vain).
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

#include "core/base/clock.h"
#include "core/queue/doorbell.h"
#include "core/queue/ring.h"
#include "processors.h"

namespace {

using sluice::kRingStep;

constexpr std::uint64_t kCapacity = 1024;
constexpr int kSpins = 1000;  // about 10 us

struct Shared {
  Shared() : ring(memory, kCapacity, sizeof(std::uint64_t)), bell(eventfd(0, EFD_CLOEXEC)) { ring.format(0); }
  ~Shared() { close(bell); }

  alignas(sluice::kCacheLine) std::byte memory[sluice::Ring<>::bytes(kCapacity, sizeof(std::uint64_t))];
  sluice::Ring<> ring;
  sluice::Doorbell<> doorbell;
  int bell;
  std::atomic<bool> over{false};
};

class Consumer {
 public:
  Consumer(Shared& shared, bool yields) : shared_(shared), yields_(yields) {}

  void consume(std::uint64_t items) {
    for (std::uint64_t position = 0; waits_.size() < items; position += kRingStep) {
      yields_ ? wait_yielding(position) : wait_parking(position);
      std::uint64_t sent;
      shared_.ring.read(position, &sent);
      shared_.ring.advance(position + kRingStep);
      waits_.push_back(sluice::Clock().now() - sent);
    }
  }
  std::vector<std::uint64_t>& waits() { return waits_; }
  std::uint64_t vain() const { return vain_; }

 private:
  bool has(std::uint64_t position) {
    if (shared_.ring.readable(position)) return true;
    ++vain_;
    return false;
  }
  void wait_yielding(std::uint64_t position) {
    while (!has(position)) std::this_thread::yield();
  }
  void wait_parking(std::uint64_t position) {
    for (int spins = 0; spins < kSpins; ++spins) {
      if (has(position)) return;
      sluice::cpu_pause();
    }
    for (;;) {
      shared_.doorbell.park();
      if (has(position)) break;
      std::uint64_t rings;
      if (read(shared_.bell, &rings, sizeof rings) != sizeof rings) std::abort();
      if (has(position)) break;
    }
    shared_.doorbell.unpark();
  }

  Shared& shared_;
  bool yields_;
  std::uint64_t vain_ = 0;
  std::vector<std::uint64_t> waits_;
};

void send(Shared& shared, std::uint64_t items, std::chrono::microseconds apart) {
  for (std::uint64_t i = 0; i < items; ++i) {
    std::this_thread::sleep_for(apart);
    const std::uint64_t now = sluice::Clock().now();
    if (shared.ring.push(&now) != sluice::PushResult::kPushed) std::abort();
    if (shared.doorbell.must_ring()) {
      const std::uint64_t one = 1;
      if (write(shared.bell, &one, sizeof one) != sizeof one) std::abort();
    }
  }
}

std::uint64_t ns(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_usec) * 1'000;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) return 2;
  const std::uint64_t items = std::strtoull(arguments[3], nullptr, 10);
  const std::chrono::microseconds apart(std::strtol(arguments[4], nullptr, 10));
  if (items == 0 || items > kCapacity) return 2;  // all items find room, however late the consumer is

  Shared shared;
  Consumer consumer(shared, std::strcmp(arguments[1], "yield") == 0);
  rusage used{};
  const bool is_beside = std::strcmp(arguments[2], "beside") == 0;
  std::thread busy([&] {
    if (!is_beside) return;
    bench::use_processor(0);
    while (!shared.over.load(std::memory_order_relaxed)) {
    }
  });
  std::thread consuming([&] {
    bench::use_processor(0);
    consumer.consume(items);
    getrusage(RUSAGE_THREAD, &used);
    shared.over.store(true, std::memory_order_relaxed);
  });
  bench::avoid_processor(0);
  send(shared, items, apart);
  consuming.join();
  busy.join();

  std::vector<std::uint64_t>& waits = consumer.waits();
  std::sort(waits.begin(), waits.end());
  const auto at = [&](double share) {
    return static_cast<unsigned long long>(
        waits[static_cast<std::size_t>(share * static_cast<double>(items - 1))]);
  };
  std::printf(
      "{\"p50\": %llu, \"p99\": %llu, \"max\": %llu, \"switches\": %ld, \"cpuNs\": %llu, \"vain\": %llu}\n",
      at(0.5), at(0.99), at(1), used.ru_nvcsw + used.ru_nivcsw,
      static_cast<unsigned long long>(ns(used.ru_utime) + ns(used.ru_stime)),
      static_cast<unsigned long long>(consumer.vain()));
  return 0;
}
