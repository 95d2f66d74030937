// The least cost of waking an event loop: two threads, each on its own processor, sleep in epoll and wake each other by
// eventfd, as libuv does. Nothing else happens in a round trip.
//
//   eventfd <milliseconds of pause between trips> <milliseconds of warm-up> <milliseconds of trips>
//
// Prints {"p50": ..., "p99": ...}: nanoseconds a round trip.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "processors.h"

namespace {

using Clock = std::chrono::steady_clock;

class Sleeper {
 public:
  Sleeper() {
    epoll_event readable{};
    readable.events = EPOLLIN;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &readable) == 0) return;
    std::perror("eventfd, epoll");
    std::exit(1);
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  ~Sleeper() {
    close(epoll_);
    close(event_);
  }

  void wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(event_, &one, sizeof one);
  }
  void sleep() const {
    epoll_event woken;
    while (epoll_wait(epoll_, &woken, 1, -1) < 1) {
    }
    std::uint64_t rings;
    [[maybe_unused]] const auto taken = read(event_, &rings, sizeof rings);
  }

 private:
  int event_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  int epoll_ = epoll_create1(EPOLL_CLOEXEC);
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) return 2;
  const auto milliseconds = [&](int i) {
    return std::chrono::milliseconds(std::strtoul(arguments[i], nullptr, 10));
  };
  const std::chrono::milliseconds pause = milliseconds(1);
  Sleeper there;
  Sleeper back;
  std::atomic<bool> over{false};
  std::thread echo([&] {
    bench::use_processor(1);
    for (;;) {
      there.sleep();
      if (over.load()) return;
      back.wake();
    }
  });
  bench::use_processor(0);
  std::vector<std::int64_t> trips;
  const Clock::time_point warm = Clock::now() + milliseconds(2);
  const Clock::time_point end = warm + milliseconds(3);
  while (trips.empty() || Clock::now() < end) {
    const Clock::time_point sent = Clock::now();
    there.wake();
    back.sleep();
    if (sent >= warm) trips.push_back(std::chrono::nanoseconds(Clock::now() - sent).count());
    if (pause.count() != 0) std::this_thread::sleep_for(pause);
  }
  over.store(true);
  there.wake();
  echo.join();
  std::sort(trips.begin(), trips.end());
  const auto quantile = [&](std::size_t percent) {
    return static_cast<long long>(trips[trips.size() * percent / 100]);
  };
  std::printf("{\"p50\": %lld, \"p99\": %lld}\n", quantile(50), quantile(99));
  return 0;
}
