#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <thread>
#include <vector>

#include "core/queue/ring.h"
#include "stress.h"
#include "zeroed_memory.h"

TEST_SUITE_BEGIN("ring under threads");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::Random;
using sluice::test::repetitions;
using sluice::test::ZeroedMemory;

struct Record {
  std::uint64_t producer;
  std::uint64_t number;
  std::uint64_t check;  // a checksum of `producer` and `number`, which a torn record does not match

  static std::uint64_t sum(std::uint64_t producer, std::uint64_t number) {
    return (producer + 1) * 0x9e3779b97f4a7c15ULL ^ number * 0xbf58476d1ce4e5b9ULL;
  }
};

constexpr std::uint64_t kNearTheEnd = 0 - 100 * kRingStep;

struct SharedRing {
  explicit SharedRing(std::uint64_t capacity)
      : memory(Ring<>::bytes(capacity, sizeof(Record))), ring(memory, capacity, sizeof(Record)) {
    ring.format(kNearTheEnd);
  }
  ZeroedMemory memory;
  Ring<> ring;
};

// The faults that a consumer finds. They are counted, because assertions in the thread would slow it down.
class Audit {
 public:
  explicit Audit(unsigned producers) : next_(producers) {}

  void see(const Record& record) {
    ++seen_;
    if (record.producer >= next_.size() || record.check != Record::sum(record.producer, record.number)) {
      ++torn_;
    } else if (record.number != next_[record.producer]++) {
      ++out_of_order_;
      next_[record.producer] = record.number + 1;
    }
  }
  std::uint64_t seen() const { return seen_; }
  std::uint64_t from(unsigned producer) const { return next_[producer]; }
  void check() const {
    CHECK(torn_ == 0);
    CHECK(out_of_order_ == 0);
  }

 private:
  std::vector<std::uint64_t> next_;
  std::uint64_t seen_ = 0, torn_ = 0, out_of_order_ = 0;
};

// Reads up to `max` records, and frees them. Returns how many.
std::uint64_t drain(Ring<>& ring, Audit& audit, std::uint64_t max) {
  std::uint64_t count = 0;
  Ring<>::Cursor at(ring, ring.head());
  for (; count < max && at.readable(); at.next(), ++count) {
    Record record;
    ring.read(at.position(), &record);
    at.pull_stamp_line();
    audit.see(record);
  }
  if (count != 0) ring.advance(at.position());
  return count;
}

// Pushes the numbers below `count`, in claims of up to `batch`, or one by one.
void push_all(Ring<>& ring, std::uint64_t producer, std::uint64_t count, std::uint32_t batch,
              Random& random) {
  for (std::uint64_t number = 0; number < count;) {
    if (batch == 1 && random.once_in(2)) {
      const Record record{producer, number, Record::sum(producer, number)};
      if (ring.push(&record) == PushResult::kPushed) {
        ++number;
      } else {
        std::this_thread::yield();
      }
      continue;
    }
    const std::uint64_t left = count - number;
    const auto want = static_cast<std::uint32_t>(random.between(1, batch < left ? batch : left));
    const auto claim = ring.claim(want);
    for (std::uint32_t i = 0; i < claim.count; ++i, ++number) {
      const Record record{producer, number, Record::sum(producer, number)};
      StdAtomics::write_bytes(ring.record(claim.position + i * kRingStep), &record, sizeof record);
      // Yields now and then, as if preempted between claim and publish.
      if (random.once_in(4096)) std::this_thread::yield();
      ring.publish(claim.position + i * kRingStep);
    }
    if (claim.count == 0) std::this_thread::yield();
  }
}

TEST_CASE("nothing is lost, doubled, torn or out of its producer's order, with more producers than cores") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (const std::uint64_t capacity : {1, 2, 3, 50, 1024}) {
    for (const unsigned producers : {1u, 3u, 8u}) {
      for (const std::uint32_t batch : {1u, 7u}) {
        CAPTURE(capacity);
        CAPTURE(producers);
        CAPTURE(batch);
        const std::uint64_t each = repetitions(capacity < 10 ? 8'000 : 60'000);
        SharedRing shared(capacity);
        Audit audit(producers);
        in_threads(producers + 1, [&](unsigned index) {
          Random random(index);
          if (index < producers) {
            push_all(shared.ring, index, each, batch, random);
          } else {
            while (audit.seen() < producers * each) {
              if (drain(shared.ring, audit, random.between(1, 64)) == 0) std::this_thread::yield();
            }
          }
        });
        audit.check();
        for (unsigned i = 0; i < producers; ++i) CHECK(audit.from(i) == each);
        CHECK(shared.ring.depth() == 0);
        CHECK_FALSE(shared.ring.readable(shared.ring.head()));
      }
    }
  }
}

TEST_CASE("producers that race for the last places fill exactly the capacity") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (std::uint64_t round = 0; round < repetitions(300); ++round) {
    const std::uint64_t capacity = 1 + round % 37;
    SharedRing shared(capacity);
    std::atomic<std::uint64_t> taken{0};
    in_threads(4, [&](unsigned index) {
      Random random(round * 4 + index);
      for (;;) {
        const auto claim = shared.ring.claim(static_cast<std::uint32_t>(random.between(1, 3)));
        if (claim.count == 0) break;
        taken.fetch_add(claim.count, std::memory_order_relaxed);
      }
    });
    REQUIRE(taken.load() == capacity);
    REQUIRE(shared.ring.depth() == capacity);
  }
}

TEST_CASE("records accepted before a close arrive, and nothing arrives after the end") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  for (std::uint64_t round = 0; round < repetitions(300); ++round) {
    constexpr unsigned kProducers = 3;
    SharedRing shared(1 + round % 5);
    Audit audit(kProducers);
    std::uint64_t accepted[kProducers] = {};
    std::atomic<unsigned> closers{0};
    bool late = false;
    in_threads(kProducers + 2, [&](unsigned index) {
      if (index < kProducers) {
        for (;;) {
          const Record record{index, accepted[index], Record::sum(index, accepted[index])};
          const PushResult result = shared.ring.push(&record);
          if (result == PushResult::kClosed) break;
          if (result == PushResult::kPushed) ++accepted[index];
          if (result == PushResult::kFull) std::this_thread::yield();
        }
      } else if (index == kProducers) {
        Random random(round);
        for (std::uint64_t i = random.below(2000); i != 0; --i) cpu_pause();
        closers += shared.ring.close();
      } else {
        while (!shared.ring.drained()) {
          if (drain(shared.ring, audit, 64) == 0) std::this_thread::yield();
        }
        late = shared.ring.readable(shared.ring.head());
      }
    });
    audit.check();
    REQUIRE(closers == 1);
    REQUIRE_FALSE(late);
    REQUIRE_FALSE(shared.ring.readable(shared.ring.head()));
    for (unsigned i = 0; i < kProducers; ++i) REQUIRE(audit.from(i) == accepted[i]);
  }
}

TEST_CASE("a thread that only looks sees a depth that is never negative and never above the capacity") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  constexpr std::uint64_t kCapacity = 7;
  const std::uint64_t each = repetitions(200'000);
  SharedRing shared(kCapacity);
  Audit audit(1);
  std::atomic<bool> done{false};
  std::uint64_t too_deep = 0, backwards = 0;
  in_threads(3, [&](unsigned index) {
    Random random(index);
    if (index == 0) {
      push_all(shared.ring, 0, each, 3, random);
    } else if (index == 1) {
      while (audit.seen() < each) {
        if (drain(shared.ring, audit, 5) == 0) std::this_thread::yield();
      }
      done = true;
    } else {
      std::uint64_t claimed = kNearTheEnd;
      while (!done) {
        too_deep += shared.ring.depth() > kCapacity;
        const std::uint64_t now = shared.ring.claimed();
        backwards += static_cast<std::int64_t>(now - claimed) < 0;
        claimed = now;
      }
    }
  });
  audit.check();
  CHECK(too_deep == 0);
  CHECK(backwards == 0);
}

}  // namespace

TEST_SUITE_END();
