// The tags of the orders in the slots of a queue, and the way back for what a gate admitted and the queue drops where no
// thread of the gate does it.
//
//   tag of a slot:   put by its producer ----> cleared by whoever takes the order out of the queue
//                                        \---> taken, then given back by whoever drops it, whatever the gate does meanwhile
//
// A queue has one gate at a time. When that goes, it takes what is left itself, and waits until other threads have given
// back what they have taken: a few hundred nanoseconds of native code, unless the ledger is paused meanwhile.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "core/base/check.h"
#include "core/base/spin_wait.h"
#include "core/gate/order_tag.h"

namespace sluice {

// What a gate does with an order that the queue drops. Calls may overlap.
struct OrderReturns {
  virtual ~OrderReturns() = default;
  virtual void give_back(const AdmittedOrder& order) = 0;
};

class OrderTags {
 public:
  // A gate begins. Throws std::bad_alloc, and then it does not. `slots`: of the ring, always the same.
  void open(OrderReturns* returns, std::uint64_t slots) {
    if (memory_ == nullptr) memory_ = std::make_unique<OrderTag[]>(slots);
    slots_ = slots;
    // Relaxed: whoever takes an order has it from its stamp, and so this, too.
    returns_.store(returns, std::memory_order_relaxed);
    // REL tags: pairs with ACQ in all(): the tags are made. Of a second gate, whose tags are those of the first, the stamps of
    // its orders say all.
    tags_.store(memory_.get(), std::memory_order_release);
  }
  // The gate goes. Orders that are still in the queue are from now on as if pushed past it; `left(order)` is told of each.
  // Its returns are not used any more afterwards. No thread of the gate is there any more.
  template <class Left>
  void close(Left&& left) {
    for (std::uint64_t slot = 0; slot < slots_; ++slot) left(memory_[slot].take());
    // ACQ carried: pairs with REL in give_back(). What was taken before its tag was looked at here is counted.
    spin_wait([this] { return carried_.load(std::memory_order_acquire) == 0; });
    returns_.store(nullptr, std::memory_order_relaxed);
  }

  // One for each slot, or nullptr as long as there was no gate.
  OrderTag* all() const noexcept {
    // ACQ tags: pairs with REL in open().
    return tags_.load(std::memory_order_acquire);
  }

  // The order of a slot whose record is dropped; if it was admitted, give_back() must follow, soon. Waits for nothing.
  AdmittedOrder take(std::uint64_t slot) noexcept {
    // Looked up here, not when the call of the queue began: there may have been no gate then.
    OrderTag* tags = all();
    if (tags == nullptr) return {};
    // Relaxed: close() finds it counted, because it finds the tag taken.
    carried_.fetch_add(1, std::memory_order_relaxed);
    const AdmittedOrder order = tags[slot].take();
    if (!order.admitted()) carried_.fetch_sub(1, std::memory_order_release);
    return order;
  }
  // Of an order that was taken. May wait for other threads.
  void give_back(const AdmittedOrder& order) {
    returns_.load(std::memory_order_relaxed)->give_back(order);
    // REL carried: pairs with ACQ in close(), after which the returns are gone.
    carried_.fetch_sub(1, std::memory_order_release);
  }

 private:
  std::unique_ptr<OrderTag[]> memory_;
  std::uint64_t slots_ = 0;
  std::atomic<OrderTag*> tags_{nullptr};
  std::atomic<OrderReturns*> returns_{nullptr};  // of the gate, while there is one
  std::atomic<std::uint32_t> carried_{0};        // orders taken, and not given back yet
};

// Orders that leave a queue where nothing may be waited for, under `front`, say (see overwriting.h): given back when this
// goes, which is when they can be.
template <std::uint32_t kMax>
class CarriedOrders {
 public:
  explicit CarriedOrders(OrderTags& tags) noexcept : tags_(tags) {}
  // With that of one slot.
  CarriedOrders(OrderTags& tags, std::uint64_t slot) noexcept : tags_(tags) { (*this)(slot); }
  ~CarriedOrders() {
    for (std::uint32_t i = 0; i < count_; ++i) tags_.give_back(order(i));
  }
  CarriedOrders(const CarriedOrders&) = delete;
  CarriedOrders& operator=(const CarriedOrders&) = delete;

  // The record of the slot is dropped.
  void operator()(std::uint64_t slot) noexcept {
    const AdmittedOrder taken = tags_.take(slot);
    if (!taken.admitted()) return;
    SLUICE_CHECK(count_ < kMax, "no more are dropped than can be carried");
    new (&memory_[count_++ * sizeof taken]) AdmittedOrder(taken);
  }

 private:
  const AdmittedOrder& order(std::uint32_t i) const noexcept {
    return *std::launder(reinterpret_cast<const AdmittedOrder*>(&memory_[i * sizeof(AdmittedOrder)]));
  }

  OrderTags& tags_;
  std::uint32_t count_ = 0;
  alignas(AdmittedOrder) std::byte memory_[kMax * sizeof(AdmittedOrder)];  // not written before it is used
};

}  // namespace sluice
