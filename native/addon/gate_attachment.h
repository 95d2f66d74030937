// A gate as the threads of the process share it, and as one thread sees it.
#pragma once

#include <memory>

#include "addon/environment.h"
#include "addon/gate_returns.h"
#include "addon/hot_function.h"
#include "addon/limiter_attachment.h"
#include "addon/queue_attachment.h"
#include "addon/registry.h"
#include "addon/stock_attachment.h"
#include "contract/staging.h"
#include "core/gate/gate_memory.h"
#include "platform/mapping.h"

namespace sluice {

struct SharedGate : SharedObject {
  SharedGate() : SharedObject(ObjectKind::kGate) {}
  // What is left, in the queue or by a consumer that died, is no longer in flight. Its reservations run out.
  ~SharedGate() override {
    if (queue == nullptr) return;
    const auto release = [this](const AdmittedOrder& order) { returns.release_place(order); };
    queue->view().end_tags([&release](const Tag& tag) { release(AdmittedOrder::of(tag)); });
    memory().table().for_each([&release](const InFlightTable::Entry& entry) { release(entry.order); });
  }

  GateMemory memory() const { return GateMemory(segment.body(), queue->shape.record_bytes); }

  Segment segment;
  std::shared_ptr<SharedQueue> queue;
  std::shared_ptr<SharedLimiter> limiter;  // nullptr: none
  std::shared_ptr<SharedStock> stock;      // nullptr: none
  GateReturns returns;
};

// What of a gate's parts this thread has attached. The parts belong to JavaScript objects that the gate's keeps
// alive, but each can be disposed of on its own.
struct GateParts {
  QueueAttachment* queue;
  LimiterAttachment* limiter;
  StockAttachment* stock;

  bool detached() const {
    return queue->detached() || (limiter != nullptr && limiter->detached()) ||
           (stock != nullptr && stock->detached());
  }
  // Whether they are this gate's parts, and attached.
  bool are_of(const SharedGate& gate) const {
    return queue != nullptr && !detached() && queue->shared() == gate.queue &&
           (limiter == nullptr ? gate.limiter == nullptr : limiter->shared() == gate.limiter) &&
           (stock == nullptr ? gate.stock == nullptr : stock->shared() == gate.stock);
  }
  // An admission reads the clock once, for all of its parts.
  bool share_a_clock() const {
    const auto& clock = queue->shared()->time.manual;
    return (limiter == nullptr || limiter->shared()->time.manual == clock) &&
           (stock == nullptr || stock->shared()->time.manual == clock);
  }
};

class GateAttachment : public Attachment {
 public:
  static GateAttachment* make(Environment& environment, std::shared_ptr<SharedGate> shared,
                              const GateParts& parts);

  bool usable() const { return !detached() && !parts_.detached(); }
  // Whether an order has a key where the limiter has keys, and no other, and lines, or a field, for the stock: lib/
  // asks nothing else.
  bool fits(const Key* key, std::uint32_t cart_lines) const {
    const bool keyed = parts_.limiter != nullptr && parts_.limiter->shared()->config().keys_max != 0;
    if ((key != nullptr) != keyed) return false;
    if (parts_.stock == nullptr) return cart_lines == 0;
    return cart_lines != 0 || fields_.sku.type != NumberType::kNone;
  }
  bool fits_record_alone() const { return fits_record_alone_; }
  // The order is the record in the queue's staging; see AdmissionRequest. `kOver`: to a queue that overwrites.
  template <bool kOver>
  Admission::Result admit(std::uint64_t hold_ns = 0, const Key* key = nullptr,
                          const StockRequest::Line* cart = nullptr, std::uint32_t cart_lines = 0);

  // Takes up to `max` orders: records to the queue's staging, the rest to the gate's. `begins`: for a new consumer,
  // which gets first what the last one had in hand.
  std::uint32_t take(std::uint32_t max, bool begins);
  // Confirms (`quantity` units; 0: all) or cancels an order in hand, whose entry is then free; or any reservation, if
  // `entry` is not in hand. Without a stock there is nothing to resolve. kBadQuantity: nothing is decided.
  ResolveResult resolve(std::uint32_t entry, std::uint64_t reservation, bool confirm, std::uint32_t quantity);
  // No handler was given the order in hand: its delivery does not count.
  void put_back(std::uint32_t entry);
  // Extends the holds in hand that are about to be over. Returns in how many ns to come again, or kNever.
  std::uint64_t renew();

  const GateParts& parts() const { return parts_; }
  const SharedGate& shared() const { return *shared_; }
  ThreadSlots& thread_slots() const { return shared_->memory().slots(); }
  const InFlightTable& table() const { return table_; }

  // False: not a buffer of the size that native code writes to.
  bool stage(napi_env env, napi_value buffer) {
    words_ = Staging(env, buffer);
    return words_.bytes() >= GateStaging::kBytes;
  }
  const Staging& words() const { return words_; }

 protected:
  void on_detach() override;

 private:
  GateAttachment(Environment& environment, std::shared_ptr<SharedGate> shared, const GateParts& parts,
                 ThreadSlot* line);

  // What others are to hear of after an admission.
  Admission::Result done(const Admission::Result& result, const Key* key);
  // Whether this thread is the consumer in whose session the table's entries are in hand.
  bool in_session() const { return parts_.queue->session().has_lease() && session_ != 0; }
  std::uint32_t take_again(std::uint32_t max, std::uint64_t now);
  std::uint32_t take_new(std::uint32_t max, std::uint64_t now);
  std::uint32_t take_new_over(std::uint32_t max, std::uint64_t now);
  // Takes the orders that the queue shows. The queue calls dropped(slot) for each order that it drops.
  template <class Drop>
  std::uint32_t take_shown(std::uint32_t max, std::uint64_t now, Drop&& dropped);
  // An order that the queue drops was admitted: its hold ends at once.
  void give_back(const AdmittedOrder& order);
  void hand_out(std::uint32_t i, std::uint32_t entry, std::uint64_t now);
  ResolveResult resolve_reservation(std::uint64_t reservation, bool confirm, std::uint32_t quantity = 0);
  void release_place(const AdmittedOrder& order);

  std::shared_ptr<SharedGate> shared_;
  GateParts parts_;
  ThreadSlot* line_;
  const AdmissionFields& fields_;
  Admission::Parts admission_;
  InFlightTable table_;
  bool fits_record_alone_;             // fits(nullptr, 0)
  std::uint64_t session_ = 0;          // 0: has not consumed yet
  std::uint64_t renewal_at_ = kNever;  // when JavaScript calls renew()
  Staging words_;
};

// Here, so that the hot functions inline it: as a call it takes a tenth longer.
template <bool kOver>
Admission::Result GateAttachment::admit(std::uint64_t hold_ns, const Key* key, const StockRequest::Line* cart,
                                        std::uint32_t cart_lines) {
  const AdmissionRequest asked{parts_.queue->session().in(), hold_ns, key, cart, cart_lines};
  if constexpr (kOver) {
    AdmittedOrder overwritten;
    const Admission::Result result = Admission::admit_over(admission_, fields_, asked, overwritten);
    release_place(overwritten);
    return done(result, key);
  } else {
    return done(Admission::admit(admission_, fields_, asked), key);
  }
}
inline Admission::Result GateAttachment::done(const Admission::Result& result, const Key* key) {
  if (result.outcome == Outcome::kAdmitted || result.outcome == Outcome::kRequeued) [[likely]] {
    parts_.queue->session().ring_if_parked();
    return result;
  }
  if (result.broke_promise) parts_.queue->session().permits_returned(0);
  if (result.refunded && parts_.limiter->session().waiting() != 0) {
    parts_.limiter->session().given_back(key);
  }
  return result;
}

}  // namespace sluice
