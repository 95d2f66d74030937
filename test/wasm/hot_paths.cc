// The calls on the hot paths of the core, as a WebAssembly module makes them: without a C library and without
// allocation. scripts/wasm-check.js compiles and links this file, and checks what the module imports.
#include <cstddef>
#include <cstdint>

#include "core/limiter/limiter.h"
#include "core/queue/queue.h"
#include "core/queue/queue_consumer.h"
#include "core/stock/stock_ledger.h"
#include "shared_structs.h"

namespace {

using namespace sluice;

const Clock kClock;

}  // namespace

#define SLUICE_EXPORT(name, result) extern "C" __attribute__((export_name(#name))) result name

SLUICE_EXPORT(ringPush, int)(Ring<>& ring, Doorbell<>& bell, const void* record) {
  const Ring<>::Claim claim = ring.claim(1);
  if (claim.count == 0) return claim.closed ? -1 : 0;
  const Ring<>::Cursor at(ring, claim.position);
  __builtin_memcpy(at.record(), record, 64);
  at.publish();
  return 1 + bell.must_ring();
}

SLUICE_EXPORT(ringTake, bool)(Ring<>& ring, void* record) {
  const Ring<>::Cursor at(ring, ring.head());
  if (!at.readable()) return false;
  __builtin_memcpy(record, at.record(), 64);
  ring.advance(at.position() + kRingStep);
  return true;
}

SLUICE_EXPORT(queuePush, int)(Queue& queue, const void* record) {
  const std::uint64_t now = queue.push_time(kClock);
  const PushResult result = queue.push(0, record, now, kNoDeadline, [](std::uint64_t) {});
  return static_cast<int>(result) + (queue.must_ring() ? 8 : 0);
}

SLUICE_EXPORT(queueTake, std::uint32_t)(QueueConsumer& consumer, std::byte* records, std::uint32_t max) {
  const auto nothing = [](auto...) {};
  const auto drop = [](auto...) { return true; };
  const std::uint32_t count = consumer.show(records, max, kClock, nothing, drop);
  consumer.free_shown(count);
  return count;
}

SLUICE_EXPORT(decide, int)(Limiter& limiter, ThreadSlot& slot, const Key* key) {
  return static_cast<int>(limiter.decide(slot, kClock, kClock.now(), 1, 0, key).refused_by);
}

SLUICE_EXPORT(reserve, std::uint64_t)(StockLedger& ledger, ThreadSlot& slot, const StockRequest& request) {
  return ledger.reserve(slot, request, kClock.now(), [](std::uint64_t) { return true; }).reservation;
}

SLUICE_EXPORT(confirm, int)(StockLedger& ledger, ThreadSlot& slot, std::uint64_t reservation) {
  return static_cast<int>(ledger.confirm(slot, reservation, kClock.now()));
}
