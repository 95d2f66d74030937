// One measurement of one ring:
//
//   rings <core|per-slot|mutex> <8|64> <batch> threads <producers> <milliseconds>
//     producer threads push for that time; prints {"perSecond": ...}: items that the consumer has finished
//   rings <core|per-slot|mutex> <8|64> <batch> alone <items>
//     one thread pushes and drains in turn: for counting instructions
// The consumer has its own processor and spins; the producers share the other processors. A producer that finds the
// ring full sleeps for 100 us, in which the consumer cannot empty the ring. The exit code is 1 if an item was lost,
// duplicated, altered or out of order.
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

#include "core/base/atomics.h"
#include "core_ring.h"
#include "item.h"
#include "mutex_deque.h"
#include "per_slot_release.h"
#include "processors.h"

namespace {

using bench::Audit;
using bench::Item;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kCapacity = 65'536;
constexpr std::uint32_t kBatchMax = 64;

struct Settings {
  std::uint32_t batch;
  bool alone;
  unsigned producers;     // only for `threads`
  unsigned milliseconds;  // only for `threads`
  std::uint64_t items;    // only for `alone`
};

template <std::size_t Bytes>
class Source {
 public:
  Source(unsigned producer, std::uint32_t batch) : producer_(producer), batch_(batch) {}

  const Item<Bytes>* next() {
    for (std::uint32_t i = 0; i < batch_; ++i) items_[i].fill(producer_, number_++);
    return items_;
  }
  std::uint64_t sent() const { return number_; }

 private:
  Item<Bytes> items_[kBatchMax];
  std::uint64_t producer_;
  std::uint64_t number_ = 0;
  std::uint32_t batch_;
};

struct alignas(sluice::kCacheLine) Line {
  std::atomic<std::uint32_t> word{0};
};

int unsound(std::string_view ring) {
  std::fprintf(stderr, "%.*s: lost, doubled, altered or out of order\n", static_cast<int>(ring.size()),
               ring.data());
  return 1;
}

template <class Ring, std::size_t Bytes>
int with_threads(std::string_view name, const Settings& settings) {
  Ring ring(kCapacity);
  Line ready, go, stop, finished;
  std::array<std::uint64_t, bench::kProducersMax> sent{};
  std::vector<std::thread> producers;
  const auto wait_for_start = [&] {
    ready.word.fetch_add(1);
    go.word.wait(0);
  };
  for (unsigned i = 0; i < settings.producers; ++i) {
    producers.emplace_back([&, i] {
      bench::avoid_processor(0);
      Source<Bytes> source(i, settings.batch);
      wait_for_start();
      while (stop.word.load(std::memory_order_relaxed) == 0) {
        const Item<Bytes>* items = source.next();
        for (std::uint32_t pushed = 0;;) {
          pushed += ring.push(items + pushed, settings.batch - pushed);
          if (pushed == settings.batch) break;
          std::this_thread::sleep_for(std::chrono::microseconds(100));
        }
      }
      sent[i] = source.sent();
      finished.word.fetch_add(1, std::memory_order_release);  // pairs with ACQ below: `sent`
    });
  }
  Audit audit;
  Clock::time_point ended;

  std::thread consumer([&] {
    bench::use_processor(0);
    wait_for_start();
    for (;;) {
      const bool last = finished.word.load(std::memory_order_acquire) == settings.producers;
      const std::uint32_t count = ring.drain([&](const Item<Bytes>& item) { audit.see(item); });
      if (count != 0) continue;
      if (last) break;
      sluice::cpu_pause();
    }
    ended = Clock::now();
  });
  while (ready.word.load() != settings.producers + 1)
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  const Clock::time_point started = Clock::now();
  go.word.store(1);
  go.word.notify_all();
  std::this_thread::sleep_for(std::chrono::milliseconds(settings.milliseconds));
  stop.word.store(1, std::memory_order_relaxed);
  for (std::thread& producer : producers) producer.join();
  consumer.join();
  if (!audit.complete(sent)) return unsound(name);
  const double seconds = std::chrono::duration<double>(ended - started).count();
  std::printf("{\"perSecond\": %.0f, \"count\": %llu}\n", static_cast<double>(audit.count()) / seconds,
              static_cast<unsigned long long>(audit.count()));
  return 0;
}

template <class Ring, std::size_t Bytes>
int alone(std::string_view name, const Settings& settings) {
  Ring ring(kCapacity);
  Source<Bytes> source(0, settings.batch);
  Audit audit;
  while (source.sent() < settings.items) {
    ring.push(source.next(), settings.batch);
    ring.drain([&](const Item<Bytes>& item) { audit.see(item); });
  }
  return audit.complete({{source.sent()}}) ? 0 : unsound(name);
}

template <class Ring, std::size_t Bytes>
int run(std::string_view name, const Settings& settings) {
  return settings.alone ? alone<Ring, Bytes>(name, settings) : with_threads<Ring, Bytes>(name, settings);
}

template <std::size_t Bytes>
int choose(std::string_view name, const Settings& settings) {
  using bench::CoreRing, bench::PerSlotRelease, bench::MutexDeque;
  if (name == "core") return run<CoreRing<Item<Bytes>>, Bytes>(name, settings);
  if (name == "per-slot") return run<PerSlotRelease<Item<Bytes>>, Bytes>(name, settings);
  if (name == "mutex") return run<MutexDeque<Item<Bytes>>, Bytes>(name, settings);
  return 2;
}

unsigned number(const char* text) { return static_cast<unsigned>(std::strtoul(text, nullptr, 10)); }

}  // namespace

int main(int count, char** arguments) {
  const bool is_alone = count == 6 && std::string_view(arguments[4]) == "alone";
  if (!is_alone && count != 7) return 2;
  Settings settings{};
  settings.batch = number(arguments[3]);
  settings.alone = is_alone;
  if (is_alone) {
    settings.items = number(arguments[5]);
  } else {
    settings.producers = number(arguments[5]);
    settings.milliseconds = number(arguments[6]);
  }
  const bool fits =
      settings.batch >= 1 && settings.batch <= kBatchMax && settings.producers <= bench::kProducersMax;
  if (!fits) return 2;
  return number(arguments[2]) == 8 ? choose<8>(arguments[1], settings) : choose<64>(arguments[1], settings);
}
