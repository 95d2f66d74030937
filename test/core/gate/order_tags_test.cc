// What the queue drops where no thread of the gate does it goes back by the gate's returns, for as long as they are there.
#include "core/gate/order_tags.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "stress.h"

TEST_SUITE_BEGIN("order tags");

namespace {

using namespace sluice;
using sluice::test::in_threads;
using sluice::test::repetitions;

struct Returns : OrderReturns {
  void give_back(const AdmittedOrder& order) override {
    if (gone) FAIL_CHECK("the returns are used after the gate has gone");
    sum.fetch_add(order.reservation);
  }
  std::atomic<bool> gone{false};
  std::atomic<std::uint64_t> sum{0};
};

AdmittedOrder order(std::uint64_t reservation) { return {reservation, 0, Key{}}; }

}  // namespace

TEST_CASE("an order goes back once, when its carrier goes, and no order is no order") {
  OrderTags tags;
  CHECK(tags.all() == nullptr);
  CHECK_FALSE(tags.take(0).admitted());
  Returns returns;
  tags.open(&returns, 4);
  tags.all()[1].put(order(7));
  tags.all()[3].put(order(30));
  {
    CarriedOrders<2> carried(tags);
    for (const std::uint64_t slot : {0, 1, 1, 3}) carried(slot);
    CHECK(returns.sum == 0);
  }
  CHECK(returns.sum == 37);
}

TEST_CASE("a gate that goes waits for what others have taken and not given back") {
  Returns returns;
  OrderTags tags;
  tags.open(&returns, 2);
  tags.all()[0].put(order(1));
  tags.all()[1].put(order(20));
  std::atomic<bool> told{false};
  std::thread closing;
  {
    const CarriedOrders<1> carried(tags, 0);
    closing = std::thread([&] {
      tags.close([&](const AdmittedOrder& left) {
        if (left.reservation == 20) told = true;
      });
      returns.gone = true;
    });
    // By then it has told of the other one; it gets turns enough to be gone if it does not wait.
    while (!told) std::this_thread::yield();
    for (int turn = 0; turn < 10'000; ++turn) std::this_thread::yield();
  }
  closing.join();
  CHECK(returns.sum == 1);
}

TEST_CASE("of an order that several take, one has it: the gate that goes, or who drops it") {
  for (std::uint64_t round = 0; round < repetitions(300); ++round) {
    constexpr std::uint64_t kSlots = 64;
    Returns returns;
    OrderTags tags;
    tags.open(&returns, kSlots);
    std::uint64_t all = 0;
    for (std::uint64_t slot = 0; slot < kSlots; ++slot) {
      tags.all()[slot].put(order(slot + 1));
      all += slot + 1;
    }
    std::uint64_t left = 0;
    in_threads(3, [&](unsigned thread) {
      if (thread == 0) {
        tags.close([&](const AdmittedOrder& order) { left += order.reservation; });
        returns.gone = true;
        return;
      }
      for (std::uint64_t i = 0; i < kSlots; ++i) CarriedOrders<1>(tags, thread == 1 ? i : kSlots - 1 - i);
    });
    CHECK(left + returns.sum.load() == all);
  }
}

TEST_SUITE_END();
