// Queues of random shapes behave as plain lists do, step by step. The shapes are those that neither overwrite nor shed
// and have no waiters for room.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "queue_numbers.h"
#include "stress.h"

TEST_SUITE_BEGIN("queue against plain lists");

namespace {

using namespace sluice;
using sluice::test::List;
using sluice::test::Numbers;
using sluice::test::Random;

// A model of the queue in plain lists, written from its documentation and not from its code.
class Plain {
 public:
  struct Record {
    std::uint64_t number, enqueued, deadline;
    bool measured = false;
  };

  explicit Plain(const QueueShape& shape) : shape_(shape), lanes_(shape.lanes), earned_(shape.lanes) {}

  std::uint64_t room(std::uint32_t lane) const {
    return shape_.ring_capacity() - lanes_[lane].size() - permits[lane];
  }
  void push(std::uint32_t lane, std::uint64_t number, std::uint64_t now, std::uint64_t ttl) {
    lanes_[lane].push_back({number, now, ttl > kNoDeadline - now ? kNoDeadline : now + ttl});
    ++pushed;
  }

  List show(std::uint32_t max, std::uint64_t now) {
    drop_from_the_front(now);
    List shown;
    shown_lanes_.clear();
    std::vector<std::uint64_t> earned = earned_;
    std::vector<std::size_t> next(lanes_.size());
    while (shown.size() < max) {
      std::vector<std::uint32_t> ready;
      for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
        if (next[lane] < lanes_[lane].size() && !droppable(lane, next[lane], now)) ready.push_back(lane);
      }
      if (ready.empty()) break;
      const std::uint32_t lane = choose(ready, earned);
      Record& record = lanes_[lane][next[lane]++];
      if (shape_.latency && !record.measured) waits.push_back(now - record.enqueued);
      record.measured = true;
      shown.push_back(record.number);
      shown_lanes_.push_back(lane);
      earned_after_.resize(shown.size());
      earned_after_[shown.size() - 1] = earned;
    }
    return shown;
  }
  void free(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) lanes_[shown_lanes_[i]].pop_front();
    if (count != 0) earned_ = earned_after_[count - 1];
    popped += count;
    shown_lanes_.clear();
  }
  std::uint64_t depth() const {
    std::uint64_t total = 0;
    for (const auto& lane : lanes_) total += lane.size();
    return total;
  }
  std::uint64_t depth(std::uint32_t lane) const { return lanes_[lane].size(); }

  std::uint64_t permits[kLanesMax] = {};
  std::uint64_t pushed = 0, popped = 0, rejected = 0;
  std::vector<Numbers::Drop> drops;
  List waits;

 private:
  bool expired(std::uint32_t lane, std::size_t index, std::uint64_t now) const {
    return shape_.expires && lanes_[lane][index].deadline <= now;
  }
  bool too_old(std::uint32_t lane, std::size_t index) const {
    return shape_.overflow == Overflow::kDropOldest && lanes_[lane].size() - index > shape_.capacity;
  }
  bool droppable(std::uint32_t lane, std::size_t index, std::uint64_t now) const {
    return expired(lane, index, now) || too_old(lane, index);
  }
  void drop_from_the_front(std::uint64_t now) {
    for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
      while (!lanes_[lane].empty() && droppable(lane, 0, now)) {
        drops.push_back({expired(lane, 0, now) ? Dropped::kExpired : Dropped::kOldest,
                         lanes_[lane].front().number, lane});
        lanes_[lane].pop_front();
      }
    }
  }
  // Returns the most urgent lane, unless another lane has earned the sum of all weights while others were served: that
  // lane goes first.
  std::uint32_t choose(const std::vector<std::uint32_t>& ready, std::vector<std::uint64_t>& earned) const {
    std::uint64_t sum = 0;
    for (std::uint32_t lane = 0; lane < shape_.lanes; ++lane) sum += shape_.weights[lane];
    for (std::size_t i = 1; i < ready.size(); ++i) earned[ready[i]] += shape_.weights[ready[i]];
    for (std::size_t i = 1; i < ready.size(); ++i) {
      if (earned[ready[i]] < sum) continue;
      earned[ready[i]] -= sum;
      return ready[i];
    }
    return ready[0];
  }

  QueueShape shape_;
  std::vector<std::deque<Record>> lanes_;
  std::vector<std::uint64_t> earned_;
  std::vector<std::uint32_t> shown_lanes_;
  std::vector<std::vector<std::uint64_t>> earned_after_;
};

QueueShape any_shape(Random& random) {
  QueueShape shape = sluice::test::shape_of(
      random.between(1, 9), static_cast<std::uint32_t>(random.once_in(3) ? 1 : random.between(1, 8)));
  shape.latency = random.once_in(2);
  shape.expires = random.once_in(2);
  if (shape.expires && random.once_in(2)) shape.ttl_ns = random.between(1, 200);
  if (random.once_in(2)) shape.overflow = Overflow::kDropOldest;
  for (std::uint32_t lane = 0; lane < shape.lanes; ++lane) {
    shape.weights[lane] = static_cast<std::uint32_t>(random.between(1, 9));
  }
  return shape;
}

// Sorts drops by lane, because drops in different lanes may be reported in any order.
std::vector<Numbers::Drop> by_lane(std::vector<Numbers::Drop> drops) {
  std::stable_sort(drops.begin(), drops.end(), [](const auto& a, const auto& b) { return a.lane < b.lane; });
  return drops;
}

void check_equal(const Numbers& numbers, const Plain& plain) {
  REQUIRE(numbers.queue.pushed() == plain.pushed);
  REQUIRE(numbers.queue.popped() == plain.popped);
  REQUIRE(numbers.queue.rejected() == plain.rejected);
  REQUIRE(numbers.queue.depth() == plain.depth());
  REQUIRE(numbers.conserved());
  for (std::uint32_t lane = 0; lane < numbers.queue.shape().lanes; ++lane) {
    REQUIRE(numbers.queue.ring(lane).depth() == plain.depth(lane));
    REQUIRE(numbers.queue.ring(lane).permits() == plain.permits[lane]);
  }
  REQUIRE(by_lane(numbers.drops) == by_lane(plain.drops));
  REQUIRE(numbers.queue.waits().count() == plain.waits.size());
  if (!plain.waits.empty()) {
    REQUIRE(numbers.queue.waits().max() == *std::max_element(plain.waits.begin(), plain.waits.end()));
  }
}

TEST_CASE("pushes, permits, passing time, shows and partial frees of queues of random shapes") {
  SLUICE_PRINT_SEED_ON_FAILURE();
  Random random(1);
  for (std::uint64_t round = 0; round < sluice::test::repetitions(300); ++round) {
    CAPTURE(round);
    const QueueShape shape = any_shape(random);
    Numbers numbers(shape);
    Plain plain(shape);
    std::uint64_t next = 0;
    for (int step = 0; step < 300; ++step) {
      const std::uint64_t now = numbers.manual.now();
      const auto lane = static_cast<std::uint32_t>(random.below(shape.lanes));
      switch (random.below(7)) {
        case 0:
        case 1: {
          const std::uint64_t ttl = random.once_in(3) ? random.below(200) : shape.ttl_ns;
          const bool fits = plain.room(lane) != 0;
          REQUIRE(numbers.push(next, lane, ttl) == (fits ? PushResult::kPushed : PushResult::kFull));
          if (fits) plain.push(lane, next, now, ttl);
          plain.rejected += !fits;
          ++next;
          break;
        }
        case 2: {
          List list(random.between(1, 6));
          for (std::uint64_t& number : list) number = next++;
          const std::uint64_t fit = std::min<std::uint64_t>(plain.room(lane), list.size());
          REQUIRE(numbers.push_many(list, lane).count == fit);
          for (std::uint64_t i = 0; i < fit; ++i) plain.push(lane, list[i], now, shape.ttl_ns);
          plain.rejected += list.size() - fit;
          break;
        }
        case 3: {
          const auto want = static_cast<std::uint32_t>(random.between(1, 3));
          const std::uint32_t got = numbers.queue.ring(lane).reserve(want).count;
          REQUIRE(got == std::min<std::uint64_t>(plain.room(lane), want));
          plain.permits[lane] += got;
          break;
        }
        case 4: {
          List list(random.below(plain.permits[lane] + 1));
          for (std::uint64_t& number : list) number = next++;
          const std::uint64_t unused = random.below(plain.permits[lane] - list.size() + 1);
          numbers.push_reserved(list, static_cast<std::uint32_t>(unused), lane);
          plain.permits[lane] -= list.size() + unused;
          for (const std::uint64_t number : list) plain.push(lane, number, now, shape.ttl_ns);
          break;
        }
        case 5:
          numbers.manual.advance(random.below(60));
          break;
        default: {
          const auto max = static_cast<std::uint32_t>(random.once_in(4) ? 64 : random.between(1, 8));
          const List shown = numbers.show(max);
          REQUIRE(shown == plain.show(max, now));
          const std::uint64_t freed = random.below(shown.size() + 1);
          numbers.consumer.free_shown(static_cast<std::uint32_t>(freed));
          plain.free(freed);
        }
      }
      check_equal(numbers, plain);
    }
  }
}

}  // namespace

TEST_SUITE_END();
