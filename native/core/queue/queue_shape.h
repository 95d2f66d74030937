// The settings with which a queue was created, and the places of the times beside a record in its slot.
//
//   in a slot:  | stamp | enqueued_ns, if stamped() | deadline_ns, if records can expire | record |
#pragma once

#include <cstdint>
#include <cstring>

#include "core/base/layout.h"
#include "core/queue/room_waiters.h"
#include "core/queue/shedding.h"
#include "core/queue/slot_tags.h"

namespace sluice {

inline constexpr std::uint64_t kNoDeadline = ~0ULL;
// The largest capacity, and the largest record size, that a queue can have.
inline constexpr std::uint64_t kCapacityMax = 1U << 24, kRecordBytesMax = 1ULL << 32;

enum class Overflow : std::uint8_t { kReject = 0, kDropOldest = 1, kCaller = 2, kOverwrite = 3 };

struct QueueShape {
  std::uint64_t capacity = 0;  // of each lane, in records; not rounded up to a power of two
  std::uint64_t record_bytes = 0;
  std::uint32_t lanes = 1;
  std::uint32_t waiters = 0;           // the most waiters for room; 0: none
  bool latency = false;                // whether the waits of records are measured
  bool expires = false;                // whether records can have a deadline
  std::uint64_t ttl_ns = kNoDeadline;  // the time to live of records that are pushed without one
  Overflow overflow = Overflow::kReject;
  SheddingConfig shedding;
  std::uint32_t weights[kLanesMax] = {};
  std::uint32_t tag_bytes = 0;  // the size of a slot's tag; 0: there are no tags. See slot_tags.h

  // Whether a queue can have this shape.
  bool sound() const {
    return capacity != 0 && capacity <= kCapacityMax && record_bytes != 0 &&
           record_bytes <= kRecordBytesMax && lanes != 0 && lanes <= kLanesMax &&
           overflow <= Overflow::kOverwrite && tag_bytes <= kTagBytesMax;
  }
  // Makes the hash of the layout depend on all settings.
  void note_in(Layout& layout) const {
    layout.note(capacity, record_bytes, lanes, waiters, latency, expires, ttl_ns, overflow,
                shedding.target_ns, shedding.interval_ns, tag_bytes);
    for (const std::uint32_t weight : weights) layout.note(weight);
  }

  // Whether the consumer may have to drop records, and so must check each one before it shows it.
  bool needs_choice() const {
    return expires || shedding.target_ns != 0 || overflow == Overflow::kDropOldest;
  }
  // Whether a push to a full lane makes room itself, by dropping the lane's oldest record.
  bool overwrites() const { return overflow == Overflow::kOverwrite; }
  bool stamped() const { return latency || shedding.target_ns != 0; }
  bool needs_time() const { return stamped() || expires; }
  // Whether the consumer shows all records in the order of their positions, and measures no waits.
  bool plain() const { return lanes == 1 && !needs_choice() && !latency; }
  std::uint64_t time_bytes() const { return stamped() ? sizeof(std::uint64_t) : 0; }
  std::uint64_t meta_bytes() const { return time_bytes() + (expires ? sizeof(std::uint64_t) : 0); }
  std::uint64_t payload_bytes() const { return meta_bytes() + record_bytes; }
  // With kDropOldest, a lane may contain up to twice its capacity; the consumer drops the oldest records, until the
  // lane contains no more than its capacity.
  std::uint64_t ring_capacity() const { return overflow == Overflow::kDropOldest ? 2 * capacity : capacity; }

  void write_times(std::byte* payload, std::uint64_t now, std::uint64_t ttl) const noexcept {
    if (stamped()) std::memcpy(payload, &now, sizeof now);
    if (expires) {
      const std::uint64_t deadline = ttl > kNoDeadline - now ? kNoDeadline : now + ttl;
      std::memcpy(payload + time_bytes(), &deadline, sizeof deadline);
    }
  }
  std::uint64_t enqueued(const std::byte* payload) const noexcept { return word(payload); }
  std::uint64_t deadline(const std::byte* payload) const noexcept { return word(payload + time_bytes()); }
  const std::byte* record(const std::byte* payload) const noexcept { return payload + meta_bytes(); }

 private:
  static std::uint64_t word(const std::byte* at) noexcept {
    std::uint64_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
};

}  // namespace sluice
