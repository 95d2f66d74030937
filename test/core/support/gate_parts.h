// A gate's parts in memory of their own, for tests of admissions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "core/gate/admission.h"
#include "zeroed_memory.h"

namespace sluice::test {

inline constexpr std::uint64_t kSecond = 1'000'000'000;

struct Record {
  std::uint64_t sku, quantity, user, id;
  const std::byte* bytes() const { return reinterpret_cast<const std::byte*>(this); }
};
inline RequestField field(std::size_t offset) {
  return {NumberType::kU64, static_cast<std::uint32_t>(offset)};
}

struct Shape {
  std::uint64_t capacity = 8;
  std::uint64_t units = 8;
  std::uint64_t per_user = 0;
  std::uint64_t burst = 1'000'000;
  std::uint64_t keys = 0;
  bool ids = false;
  std::uint32_t waiters = 0;  // how many callers may wait for room in the queue
  Overflow overflow = Overflow::kReject;
  std::uint64_t ttl_ns = 0;  // 0: orders do not expire in the queue
};

// A gate's parts in memory of their own, which a test can compare as a whole.
struct Gate {
  explicit Gate(const Shape& shape)
      : queue_shape(queue_of(shape)),
        limits(limits_of(shape)),
        ledger_shape{4, 64, 64, 64, 64},
        slots_memory(sizeof(ThreadSlots)),
        queue_memory(Queue::bytes(queue_shape)),
        limiter_memory(Limiter::bytes(limits)),
        stock_memory(StockLedger::bytes(ledger_shape)),
        queue(queue_memory, queue_shape),
        limiter(limiter_memory, limits),
        stock(stock_memory, ledger_shape),
        tags(order_tags(queue), queue.slots()),
        manual(kSecond),
        clock(&manual) {
    queue.format(0);
    limiter.format(limits, clock.now(), KeySecret{{1, 2}});
    stock.format(ledger_shape, 30 * kSecond, KeySecret{{3, 4}}, Sweeping::kByPassers);
    ThreadSlot* thread = stock.thread_slots().acquire();
    for (const std::uint64_t sku : {1, 2}) {
      stock.add_item(*thread, {number_key(sku), {}, shape.units, shape.per_user, 1}, clock.now());
    }
    stock.thread_slots().release(thread);
    fields = {field(offsetof(Record, sku)), field(offsetof(Record, quantity)), field(offsetof(Record, user)),
              shape.ids ? field(offsetof(Record, id)) : RequestField{}};
  }
  static QueueShape queue_of(const Shape& shape) {
    QueueShape queue;
    queue.capacity = shape.capacity;
    queue.record_bytes = sizeof(Record);
    queue.weights[0] = 1;
    queue.tag_bytes = sizeof(OrderTag);
    queue.overflow = shape.overflow;
    queue.waiters = shape.waiters;
    queue.expires = shape.ttl_ns != 0;
    if (queue.expires) queue.ttl_ns = shape.ttl_ns;
    return queue;
  }
  static LimiterConfig limits_of(const Shape& shape) {
    LimiterConfig config;
    config.has_bucket = config.has_depth = true;
    config.bucket = {TokenRate::per_second(1), shape.burst};
    config.depth_max = 1'000'000;
    config.keys_max = shape.keys;
    return config;
  }
  ThreadSlots& thread_slots() const { return *static_cast<ThreadSlots*>(static_cast<void*>(slots_memory)); }

  Admission::Parts attach() {
    Admission::Parts parts{&queue,
                           &limiter,
                           &stock,
                           thread_slots().acquire(),
                           queue.thread_slots().acquire(),
                           limiter.thread_slots().acquire(),
                           stock.thread_slots().acquire(),
                           tags.data(),
                           nullptr,
                           clock};
    return parts;
  }
  Admission::Result admit(const Admission::Parts& parts, const Record& record, const Key* key = nullptr) {
    return Admission::admit(parts, fields, {record.bytes(), 0, key});
  }

  // Returns a copy of all shared memory, without what only the owner of `parts` writes.
  std::vector<std::byte> shared(const Admission::Parts& parts) const {
    std::vector<std::byte> all;
    const auto append = [&all](const std::byte* from, std::uint64_t bytes, const ThreadSlot* own) {
      const std::size_t at = all.size();
      all.insert(all.end(), from, from + bytes);
      const auto* own_at = reinterpret_cast<const std::byte*>(own);
      std::memset(all.data() + at + (own_at - from), 0, sizeof *own);
    };
    append(slots_memory.get(), sizeof(ThreadSlots), parts.slot);
    append(queue_memory.get(), Queue::bytes(queue_shape), parts.queue_slot);
    append(limiter_memory.get(), Limiter::bytes(limits), parts.limiter_slot);
    append(stock_memory.get(), StockLedger::bytes(ledger_shape), parts.stock_slot);
    return all;
  }

  QueueShape queue_shape;
  LimiterConfig limits;
  LedgerShape ledger_shape;
  ZeroedMemory slots_memory, queue_memory, limiter_memory, stock_memory;
  Queue queue;
  Limiter limiter;
  StockLedger stock;
  std::span<OrderTag> tags;
  ManualClock manual;
  Clock clock;
  AdmissionFields fields;
};

}  // namespace sluice::test
