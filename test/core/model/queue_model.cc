// The ring and the doorbell under Relacy. Usage: queue_model [executions per scenario]
// Exit code: 0 no defect found; 3 a defect, described on stdout.
#include "core/base/spin_lock.h"
#include "explore.h"
#include "queue.h"

namespace sluice::model {

// Two producers of two records each, one of which asks before it rings, and a consumer that sleeps whenever it finds
// nothing.
template <std::uint64_t kCapacity>
struct PushAndSleep : rl::test_suite<PushAndSleep<kCapacity>, 3> {
  QueueModel<kCapacity> queue;
  Arrivals arrivals;

  void thread(unsigned index) {
    if (index < 2) {
      for (unsigned i = 0; i < 2; ++i) queue.push_waiting(Arrivals::record(index, i), index == 1);
    } else {
      for (std::uint64_t seen = 0; seen < 4;) {
        const std::uint64_t count = queue.drain([this](std::uint64_t value) { arrivals.expect(value); });
        seen += count;
        if (count == 0) queue.sleep();
      }
    }
  }
};

// As PushAndSleep, but the producers claim several records at a time, and get as many as there is room for.
struct ClaimBatches : rl::test_suite<ClaimBatches, 3> {
  static constexpr std::uint64_t kCapacity = 3;
  static constexpr std::uint32_t kEach = 3;
  QueueModel<kCapacity> queue;
  Arrivals arrivals;

  void thread(unsigned index) {
    if (index < 2) {
      for (std::uint32_t done = 0; done < kEach;) {
        const auto claim = queue.ring.claim(kEach - done);
        require(claim.count <= kEach - done && !claim.closed, "a claim is no larger than was asked for");
        for (std::uint32_t i = 0; i < claim.count; ++i) {
          const std::uint64_t value = Arrivals::record(index, done + i);
          RelacyAtomics::write_bytes(queue.ring.record(claim.position + i * kRingStep), &value, sizeof value);
          queue.ring.publish(claim.position + i * kRingStep);
        }
        done += claim.count;
        if (claim.count != 0) {
          queue.ring_if_parked();
        } else {
          RelacyAtomics::pause();
        }
      }
    } else {
      for (std::uint64_t seen = 0; seen < 2 * kEach;) {
        const std::uint64_t count = queue.drain([this](std::uint64_t value) { arrivals.expect(value); });
        require(count <= kCapacity, "no more than the capacity is readable at a time");
        seen += count;
        if (count == 0) queue.sleep();
      }
    }
  }
};

// One producer closes the queue while the other pushes: accepted records arrive, and none arrives after the queue is
// drained.
struct CloseWhilePushing : rl::test_suite<CloseWhilePushing, 3> {
  QueueModel<2> queue;
  Arrivals arrivals;
  std::uint64_t accepted[2] = {};

  void thread(unsigned index) {
    if (index == 0) {
      accepted[0] += queue.push_waiting(Arrivals::record(0, 0));
      require(queue.ring.close(), "the first to close closes");
      queue.ring_if_parked();
      require(queue.ring.claim(1).closed, "no claim succeeds after the close");
    } else if (index == 1) {
      for (unsigned i = 0; i < 3 && queue.push_waiting(Arrivals::record(1, i)); ++i) ++accepted[1];
    } else {
      while (!queue.ring.drained()) {
        if (queue.drain([this](std::uint64_t value) { arrivals.expect(value); }) == 0) queue.sleep();
      }
      require(!queue.ring.readable(queue.ring.head()), "nothing is readable after the end");
    }
  }
  void after() {
    require(arrivals.from(0) == accepted[0] && arrivals.from(1) == accepted[1], "accepted records arrive");
    require(!queue.ring.readable(queue.ring.head()), "nothing is published after the end");
  }
};

// A permit is used late: the consumer has already freed room, and the other producer has claimed it.
template <bool kClose>
struct UsePermits : rl::test_suite<UsePermits<kClose>, 3> {
  static constexpr std::uint64_t kCapacity = 2;
  QueueModel<kCapacity> queue;
  Arrivals arrivals;
  std::uint64_t accepted[2] = {};

  void before() {
    require(queue.ring.reserve(9).count == kCapacity, "permits are promised up to the capacity");
    queue.ring.claim_reserved(0, 1);
  }
  void thread(unsigned index) {
    if (index == 0) {
      // Waits until the other producer has claimed room that the consumer freed.
      while (queue.ring.claimed() - queue.kStart < 2 * kRingStep) RelacyAtomics::pause();
      if (kClose) queue.ring.close();
      const std::uint64_t position = queue.ring.claim_reserved(1, 0);
      const std::uint64_t value = Arrivals::record(0, 0);
      RelacyAtomics::write_bytes(queue.ring.record(position), &value, sizeof value);
      queue.ring.publish(position);
      ++accepted[0];
      queue.ring_if_parked();
      if (kClose) return;
      typename Ring<RelacyAtomics>::Claim claim;
      while ((claim = queue.ring.reserve(1)).count == 0) RelacyAtomics::pause();
      queue.ring.close();
      queue.ring.claim_reserved(0, 1);  // drained only when this last permit is returned
      queue.ring_if_parked();
    } else if (index == 1) {
      for (unsigned i = 0; i < 3 && queue.push_waiting(Arrivals::record(1, i)); ++i) ++accepted[1];
    } else {
      while (!queue.ring.drained()) {
        // Only this thread moves head, so this count is exact at the moment at which the tail is read.
        const std::uint64_t claimed = (queue.ring.claimed() - queue.ring.head()) >> kRingPositionShift;
        require(claimed <= kCapacity, "no more is claimed than there is room for");
        if (queue.drain([this](std::uint64_t value) { arrivals.expect(value); }) == 0) queue.sleep();
      }
    }
  }
  void after() {
    require(arrivals.from(0) == accepted[0] && arrivals.from(1) == accepted[1], "accepted records arrive");
    require(queue.ring.permits() == 0, "no permit is left");
    require(!queue.ring.readable(queue.ring.head()), "nothing is published after the end");
  }
};

// A thread that neither pushes nor pops asks for the depth, whether the queue looks full, and how many positions are
// claimed from the front on.
struct WatchDepth : rl::test_suite<WatchDepth, 3> {
  static constexpr std::uint64_t kRecords = 2;
  QueueModel<8> queue;
  Arrivals arrivals;

  void thread(unsigned index) {
    if (index == 0) {
      for (unsigned i = 0; i < kRecords; ++i) queue.push_waiting(Arrivals::record(0, i));
    } else if (index == 1) {
      for (std::uint64_t seen = 0; seen < kRecords;) {
        const std::uint64_t count = queue.drain([this](std::uint64_t value) { arrivals.expect(value); });
        seen += count;
        if (count == 0) queue.sleep();
      }
    } else {
      for (int i = 0; i < 3; ++i) {
        require(queue.ring.depth() <= kRecords, "the depth is never more than what was pushed");
        require(!queue.ring.looks_full(), "a queue that was never full does not look full");
        const std::uint64_t front = queue.ring.front();
        require((queue.ring.claimed() - front) / kRingStep <= kRecords,
                "no position is claimed before the front that was read first");
      }
    }
  }
};

// Producers that find no room drop the oldest record, under a lock that the consumer takes too, as claim_over() in
// core/queue/overwriting.h does.
template <std::uint64_t kCapacity>
struct ClaimOver : rl::test_suite<ClaimOver<kCapacity>, 3> {
  static constexpr unsigned kEach = 2;
  QueueModel<kCapacity> queue;
  SpinLock<RelacyAtomics> front;
  Arrivals arrivals;
  std::uint64_t gone = 0;

  bool claim_over(std::uint64_t& position) {
    front.lock();
    std::uint32_t over = 0;
    const auto claim = queue.ring.claim_over(1, false, over);
    require(over <= claim.count && claim.count <= 1, "no more is dropped than is claimed");
    if (over != 0) {
      std::uint64_t oldest = 0;
      queue.ring.read(queue.ring.head(), &oldest);
      arrivals.expect(oldest);
      ++gone;
      queue.ring.advance(queue.ring.head() + kRingStep);
    }
    front.unlock();
    position = claim.position;
    return claim.count != 0;
  }
  void thread(unsigned index) {
    if (index < 2) {
      for (unsigned i = 0; i < kEach; ++i) {
        auto claim = queue.ring.claim(1);
        if (claim.count == 0) {
          while (!claim_over(claim.position)) RelacyAtomics::pause();
        }
        const std::uint64_t value = Arrivals::record(index, i);
        RelacyAtomics::write_bytes(queue.ring.record(claim.position), &value, sizeof value);
        queue.ring.publish(claim.position);
        queue.ring_if_parked();
      }
    } else {
      for (bool all = false; !all;) {
        front.lock();
        const std::uint64_t count = queue.drain([this](std::uint64_t value) { arrivals.expect(value); });
        require(count <= kCapacity, "no more than the capacity is readable at a time");
        gone += count;
        all = gone == 2 * kEach;
        front.unlock();
        if (count == 0 && !all) queue.sleep();
      }
    }
  }
};

}  // namespace sluice::model

int main(int count, char** arguments) {
  using namespace sluice::model;
  const unsigned long executions = executions_wanted(count, arguments);
  explore<PushAndSleep<2>>("two producers and a consumer that sleeps, capacity 2", executions);
  explore<PushAndSleep<1>>("two producers and a consumer that sleeps, capacity 1", executions);
  explore<ClaimBatches>("claims of several records, capacity 3", executions);
  explore<CloseWhilePushing>("a close while another producer pushes", executions);
  explore<UsePermits<false>>("permits beside claims", executions);
  explore<UsePermits<true>>("permits after a close", executions);
  explore<ClaimOver<1>>("claims over the oldest, capacity 1", executions);
  explore<ClaimOver<2>>("claims over the oldest, capacity 2", executions);
  explore<WatchDepth>("a third thread watches the depth", executions);
}
