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
#include "core/base/segment.h"
#include "core/base/thread_slots.h"
#include "core/gate/admission.h"
#include "core/gate/in_flight_table.h"
#include "core/queue/queue_shape.h"

namespace sluice {

inline constexpr std::uint32_t kInHandMax = 65'536;  // the largest GateShape::in_hand_max

// The sizes of a gate, and the fields that it reads from a record. All of these are fixed at creation.
struct GateShape {
  AdmissionFields fields;
  std::uint32_t in_hand_max = 0;
  std::uint64_t record_bytes = 0;  // the size of a record of the gate's queue

  // Whether a gate can have this shape.
  bool sound() const noexcept {
    return in_hand_max != 0 && in_hand_max <= kInHandMax && record_bytes != 0 &&
           record_bytes <= kRecordBytesMax && fields.within(record_bytes);
  }
  // Returns a hash of the fields, and of the schema of the records that contain these fields.
  std::uint64_t schema_hash(std::uint64_t record_schema) const noexcept {
    std::uint64_t hash = layout_hash(record_schema, fields.has_text);
    for (const RequestField& field : {fields.sku, fields.quantity, fields.user, fields.id})
      hash = layout_hash(hash, field.type, field.offset, field.text_room);
    return hash;
  }
};

struct alignas(kCacheLine) GateControl {
  GateShape shape;
};
static_assert(std::is_trivially_copyable_v<GateControl> && sizeof(GateControl) == kCacheLine);

class GateMemory {
 public:
  // For check_segment(): see core/base/segment.h.
  static constexpr SegmentKind kKind = SegmentKind::kGate;
  using Shape = GateShape;
  static Layout layout(const GateShape& shape) {
    Layout layout;
    layout.place<GateControl>();
    layout.place<ThreadSlots>();
    layout.place(InFlightTable::layout(shape.in_hand_max, shape.record_bytes));
    layout.note(shape.in_hand_max, shape.record_bytes, kThreadsMax, kThreadCounters, NumberType::kText);
    return layout;
  }
  static std::uint64_t bytes(const GateShape& shape) { return layout(shape).bytes(); }

  // A view of the memory at `memory`, which is zeroed at creation and aligned to kCacheLine.
  explicit GateMemory(std::byte* memory) noexcept : memory_(memory) {}

  void format(const GateShape& shape) noexcept {
    new (memory_) GateControl{shape};
    table().format(shape.in_hand_max);
  }

  const GateShape& shape() const noexcept { return shape_in<GateMemory>(memory_); }
  const AdmissionFields& fields() const noexcept { return shape().fields; }
  ThreadSlots& thread_slots() const noexcept { return *reinterpret_cast<ThreadSlots*>(memory_ + kSlots); }
  InFlightTable table() const noexcept { return InFlightTable(memory_ + kTable, shape().record_bytes); }

 private:
  static constexpr std::uint64_t kSlots = sizeof(GateControl), kTable = kSlots + sizeof(ThreadSlots);

  std::byte* memory_;
};

}  // namespace sluice
