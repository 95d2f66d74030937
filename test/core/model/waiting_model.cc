// Waiters for room under Relacy. Usage and exit codes as in queue_model.cc.
#include "explore.h"
#include "waiting.h"

namespace sluice::model {

// Two producers of two records each that wait for room, and a consumer that sleeps whenever it finds nothing. Waiters
// are served by the consumer that frees room, or by a producer that begins to wait.
template <std::uint64_t kCapacity>
struct PushAndWait : rl::test_suite<PushAndWait<kCapacity>, 3> {
  WaitingModel<kCapacity, 2, 2> queue;
  Arrivals arrivals;

  void thread(unsigned index) {
    if (index < 2) {
      for (unsigned i = 0; i < 2; ++i) {
        const std::uint64_t value = Arrivals::record(index, i);
        if (queue.ring.push(&value) == PushResult::kPushed) {
          queue.ring_if_parked();
        } else {
          require(queue.served(index, queue.wait_to_push(index, value)), "an open queue serves all waiters");
        }
      }
    } else {
      for (std::uint64_t seen = 0; seen < 4;) {
        if (!queue.consume([&](std::uint64_t value) { arrivals.expect(value), ++seen; })) queue.sleep();
      }
    }
  }
  void after() {
    require(queue.line.waiting() == 0 && !queue.ring.somebody_waits(), "no waiter is left");
    require(queue.ring.depth() == 0, "nothing is left in the queue");
  }
};

// A waiter that leaves may have been served meanwhile; the other waiter gets its turn in any case.
struct LosePatience : rl::test_suite<LosePatience, 3> {
  WaitingModel<1, 2, 2> queue;
  Arrivals arrivals;
  std::uint64_t pushed[2] = {};
  Atomic<std::uint32_t> left{2};

  void thread(unsigned index) {
    if (index < 2) {
      for (unsigned i = 0; i < 2; ++i) {
        const std::uint32_t waiter = queue.wait_to_push(index, Arrivals::record(index, pushed[index]));
        if (index == 0 && queue.leave(waiter)) continue;
        require(queue.served(index, waiter), "an open queue serves all waiters");
        ++pushed[index];
      }
      if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) queue.close();
    } else {
      while (!queue.ring.drained()) {
        if (!queue.consume([this](std::uint64_t value) { arrivals.expect(value); })) queue.sleep();
      }
    }
  }
  void after() {
    require(arrivals.from(0) == pushed[0] && arrivals.from(1) == pushed[1], "each served waiter has pushed");
    require(queue.line.waiting() == 0 && !queue.ring.somebody_waits(), "no waiter is left");
  }
};

// One producer waits for two permits, uses one and returns one; the other waits to push.
struct WaitForPermits : rl::test_suite<WaitForPermits, 3> {
  WaitingModel<2, 2, 2> queue;
  Arrivals arrivals;

  void thread(unsigned index) {
    if (index == 0) {
      require(queue.served(0, queue.wait_to_reserve(0, 2)), "an open queue serves all waiters");
      queue.push_reserved(Arrivals::record(0, 0), 1);
    } else if (index == 1) {
      for (unsigned i = 0; i < 2; ++i) {
        require(queue.served(1, queue.wait_to_push(1, Arrivals::record(1, i))),
                "an open queue serves all waiters");
      }
    } else {
      for (std::uint64_t seen = 0; seen < 3;) {
        if (!queue.consume([&](std::uint64_t value) { arrivals.expect(value), ++seen; })) queue.sleep();
      }
    }
  }
  void after() {
    require(queue.ring.permits() == 0 && queue.ring.depth() == 0, "nothing is left in the queue");
    require(queue.line.waiting() == 0 && !queue.ring.somebody_waits(), "no waiter is left");
  }
};

// A session ends while its waiter for a permit may be served. The other waiter gets its turn, and no place is lost.
struct AbandonWhileServed : rl::test_suite<AbandonWhileServed, 3> {
  WaitingModel<1, 2, 2> queue;
  Arrivals arrivals;

  void thread(unsigned index) {
    if (index == 0) {
      for (unsigned i = 0; i < 2; ++i) {
        queue.wait_to_reserve(0, 1);
        queue.abandon(0);
      }
    } else if (index == 1) {
      for (unsigned i = 0; i < 2; ++i) {
        require(queue.served(1, queue.wait_to_push(1, Arrivals::record(1, i))),
                "an open queue serves every waiter");
      }
    } else {
      for (std::uint64_t seen = 0; seen < 2;) {
        if (!queue.consume([&](std::uint64_t value) { arrivals.expect(value), ++seen; })) queue.sleep();
      }
    }
  }
  void after() {
    require(queue.ring.permits() == 0 && queue.ring.depth() == 0, "nothing is left in the queue");
    require(queue.line.waiting() == 0 && !queue.ring.somebody_waits(), "no waiter is left");
    require(queue.all_free(), "each place is free again, once");
  }
};

// The queue is closed while callers wait. Each is served before the close, or its wait ends with the close.
struct CloseWhileWaiting : rl::test_suite<CloseWhileWaiting, 4> {
  WaitingModel<1, 2, 2> queue;
  Arrivals arrivals;
  std::uint64_t pushed[2] = {};

  void thread(unsigned index) {
    if (index < 2) {
      while (pushed[index] < 2 &&
             queue.served(index, queue.wait_to_push(index, Arrivals::record(index, pushed[index])))) {
        ++pushed[index];
      }
    } else if (index == 2) {
      queue.close();
    } else {
      while (!queue.ring.drained()) {
        if (!queue.consume([this](std::uint64_t value) { arrivals.expect(value); })) queue.sleep();
      }
    }
  }
  void after() {
    require(arrivals.from(0) == pushed[0] && arrivals.from(1) == pushed[1], "each served waiter has pushed");
    require(queue.line.waiting() == 0 && !queue.ring.somebody_waits(), "no waiter is left");
  }
};

}  // namespace sluice::model

int main(int count, char** arguments) {
  using namespace sluice::model;
  const unsigned long executions = executions_wanted(count, arguments);
  explore<PushAndWait<1>>("two producers that wait for room, capacity 1", executions);
  explore<PushAndWait<2>>("two producers that wait for room, capacity 2", executions);
  explore<LosePatience>("one waiter leaves", executions);
  explore<WaitForPermits>("a wait for permits beside one to push", executions);
  explore<AbandonWhileServed>("the session of a waiter ends", executions);
  explore<CloseWhileWaiting>("a close while others wait", executions);
}
