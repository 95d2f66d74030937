// The WebAssembly face: the calls of QueueCalls, each as one function. The memory is a window on the arena (see
// platform/arena.h), so an offset in the arena is an address here.
//
// The module has no data of its own, no stack and no imports but the memory, because all threads have the same memory.
#include <cstddef>
#include <cstdint>

#include "session/queue_calls.h"

namespace {

std::uint64_t secret() {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the memory begins at address 0
  return *reinterpret_cast<const std::uint64_t*>(std::uintptr_t{sluice::kSecretOffset});
}

}  // namespace

// A call does nothing without the cell's key, which JavaScript passes in two halves. A cell whose session has ended has
// no key, or that of another session.
#define SLUICE_CALL(name, call, ...)                                                               \
  extern "C" __attribute__((export_name(#name), flatten)) std::int32_t name(                       \
      sluice::QueueCell& cell, std::uint32_t low, std::uint32_t high __VA_OPT__(, ) __VA_ARGS__) { \
    if ((cell.key ^ (std::uint64_t{high} << 32 | low)) != secret()) [[unlikely]]                   \
      return sluice::kElsewhere;                                                                   \
    return sluice::QueueCalls(cell, 0).call;                                                       \
  }

SLUICE_CALL(push, push())
SLUICE_CALL(pushMany, push_many(count, more), std::uint32_t count, std::uint32_t more)
SLUICE_CALL(takeOne, take_one())
SLUICE_CALL(next, next(consumed, max), std::uint32_t consumed, std::uint32_t max)
