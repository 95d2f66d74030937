// While the tags have a user, the tag of each dropped record is given back to that user, once.
#include "core/queue/slot_tags.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <thread>

#include "queue_numbers.h"
#include "stress.h"

TEST_SUITE_BEGIN("slot tags");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::Numbers;
using sluice::test::repetitions;
using sluice::test::shape_of;

struct Returns : TagReturns {
  void give_back(const Tag& tag) noexcept override {
    if (gone) FAIL_CHECK("the returns are used after the user of the tags has gone");
    sum.fetch_add(number_of(tag));
  }
  static std::uint64_t number_of(const Tag& tag) {
    std::uint64_t number;
    std::memcpy(&number, tag.bytes, sizeof number);
    return number;
  }
  std::atomic<bool> gone{false};
  std::atomic<std::uint64_t> sum{0};
};

constexpr std::uint64_t kTagBytes = 16;

QueueShape tagged(std::uint64_t capacity) {
  QueueShape shape = shape_of(capacity);
  shape.tag_bytes = kTagBytes;
  return shape;
}
// A queue of numbers, each with a tag of two words: the number, and twice the number.
struct Tagged : Numbers {
  explicit Tagged(std::uint64_t capacity) : Numbers(tagged(capacity)) {}

  std::uint64_t push_tagged(std::uint64_t number) {
    std::uint64_t at = 0;
    const auto write = [&](std::uint64_t slot) {
      at = slot;
      const std::uint64_t tag[] = {number, 2 * number};
      std::memcpy(queue.tags().memory() + slot * kTagBytes, tag, sizeof tag);
    };
    REQUIRE(queue.push(0, &number, 0, kNoDeadline, write) == PushResult::kPushed);
    return at;
  }
};

}  // namespace

TEST_CASE("tags have one user at a time, and without a user there is nothing to take") {
  Tagged it(4);
  SlotTags<>& tags = it.queue.tags();
  Tag tag;
  CHECK_FALSE(tags.used());
  CHECK_FALSE(tags.take(0, tag));
  CHECK(tags.begin());
  CHECK(tags.used());
  CHECK_FALSE(tags.begin());
  CHECK_FALSE(tags.take(0, tag));
  it.queue.end_tags([](const Tag&) { FAIL("nothing has a tag"); });
  CHECK_FALSE(tags.used());
  CHECK(tags.begin());
}

TEST_CASE(
    "CarriedTags gives each tag back once and whole when it ends, and nothing for a slot without a tag") {
  Tagged it(4);
  Returns returns;
  REQUIRE(it.queue.tags().begin());
  const std::uint64_t seven = it.push_tagged(7);
  it.push(8);
  const std::uint64_t thirty = it.push_tagged(30);
  {
    CarriedTags<4> carried(it.queue.tags(), returns);
    for (const std::uint64_t slot : {(seven + 1) % 4, seven, seven, thirty}) carried(slot);
    CHECK(returns.sum == 0);
  }
  CHECK(returns.sum == 37);
  const std::uint64_t more = it.push_tagged(9);
  Tag tag;
  REQUIRE(it.queue.tags().take(more, tag));
  it.queue.tags().given_back();
  std::uint64_t words[2];
  std::memcpy(words, tag.bytes, sizeof words);
  CHECK(words[0] == 9);
  CHECK(words[1] == 18);
}

TEST_CASE("a user that ends gets the tags in the queue, wherever positions wrap, and no others") {
  Tagged it(5);
  REQUIRE(it.queue.tags().begin());
  for (std::uint64_t i = 1; i <= 5; ++i) it.push_tagged(i);
  QueueConsumer consumer(it.queue);
  std::uint64_t out[2];
  const auto clear = [&](std::uint32_t, std::uint32_t, std::uint64_t slot) { it.queue.tags().clear(slot); };
  const auto drop = [](auto...) { return true; };
  consumer.free_shown(consumer.show(reinterpret_cast<std::byte*>(out), 2, it.clock, clear, drop));
  it.push(6);
  it.push_tagged(70);
  std::uint64_t left = 0;
  it.queue.end_tags([&](const Tag& tag) { left += Returns::number_of(tag); });
  CHECK(left == 3 + 4 + 5 + 70);
  REQUIRE(it.queue.tags().begin());
  it.queue.end_tags([](const Tag&) { FAIL("the tags were given back before"); });
}

TEST_CASE("a user that ends waits for tags that other threads have taken and not given back") {
  Tagged it(2);
  Returns returns;
  REQUIRE(it.queue.tags().begin());
  const std::uint64_t first = it.push_tagged(1);
  it.push_tagged(20);
  std::atomic<bool> told{false};
  std::thread ending;
  {
    const CarriedTags<1> carried(it.queue.tags(), returns, first);
    ending = std::thread([&] {
      it.queue.end_tags([&](const Tag& tag) {
        if (Returns::number_of(tag) == 20) told = true;
      });
      returns.gone = true;
    });
    // When `told` is true, the user that ends has taken the tag 20. If it did not wait for the tag that `carried` has
    // taken, it would very likely end during these turns.
    while (!told) std::this_thread::yield();
    for (int turn = 0; turn < 10'000; ++turn) std::this_thread::yield();
  }
  ending.join();
  CHECK(returns.sum == 1);
}

TEST_CASE("exactly one taker gets a tag: the user that ends, or a thread that drops the record") {
  for (std::uint64_t round = 0; round < repetitions(300); ++round) {
    constexpr std::uint64_t kSlots = 64;
    Tagged it(kSlots);
    Returns returns;
    REQUIRE(it.queue.tags().begin());
    std::uint64_t all = 0;
    for (std::uint64_t slot = 0; slot < kSlots; ++slot) {
      it.push_tagged(slot + 1);
      all += slot + 1;
    }
    std::uint64_t left = 0;
    in_threads(3, [&](unsigned thread) {
      if (thread == 0) {
        it.queue.end_tags([&](const Tag& tag) { left += Returns::number_of(tag); });
        returns.gone = true;
        return;
      }
      for (std::uint64_t i = 0; i < kSlots; ++i)
        CarriedTags<1>(it.queue.tags(), returns, thread == 1 ? i : kSlots - 1 - i);
    });
    CHECK(left + returns.sum.load() == all);
  }
}

TEST_SUITE_END();
