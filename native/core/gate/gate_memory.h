// The memory that the threads of a gate share.
//
//   segment body:  | GateControl | ThreadSlots | InFlightTable |
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

#include "core/base/atomics.h"
#include "core/base/layout.h"
#include "core/base/thread_slots.h"
#include "core/gate/admission.h"
#include "core/gate/in_flight_table.h"

namespace sluice {

struct alignas(kCacheLine) GateControl {
  AdmissionFields fields;  // written at creation only
};
static_assert(std::is_trivially_copyable_v<GateControl> && sizeof(GateControl) == kCacheLine);

class GateMemory {
 public:
  static std::uint64_t bytes(std::uint32_t in_hand_max, std::uint64_t record_bytes) {
    Layout layout;
    layout.place<GateControl>();
    layout.place<ThreadSlots>();
    layout.place_bytes(InFlightTable::bytes(in_hand_max, record_bytes));
    return layout.bytes();
  }

  // A view of the memory at `memory`, which is zeroed at creation and aligned to kCacheLine.
  GateMemory(std::byte* memory, std::uint64_t record_bytes) noexcept
      : memory_(memory), record_bytes_(record_bytes) {}

  void format(const AdmissionFields& fields, std::uint32_t in_hand_max) noexcept {
    new (memory_) GateControl{fields};
    table().format(in_hand_max);
  }

  const AdmissionFields& fields() const noexcept { return reinterpret_cast<GateControl*>(memory_)->fields; }
  ThreadSlots& thread_slots() const noexcept { return *reinterpret_cast<ThreadSlots*>(memory_ + kSlots); }
  InFlightTable table() const noexcept { return InFlightTable(memory_ + kTable, record_bytes_); }

 private:
  static constexpr std::uint64_t kSlots = sizeof(GateControl), kTable = kSlots + sizeof(ThreadSlots);

  std::byte* memory_;
  std::uint64_t record_bytes_;
};

}  // namespace sluice
