// Reasons why a native function did not create or attach an object: strings from which lib/binding/answers.ts makes
// typed errors.
#pragma once

#include "core/base/segment.h"
#include "core/stock/ledger_snapshot.h"

namespace sluice {

inline constexpr const char* kDeadHandle = "dead-handle";
inline constexpr const char* kNoMemory = "no-memory";
inline constexpr const char* kTooManyThreads = "too-many-threads";
inline constexpr const char* kPartDisposed = "disposed";
inline constexpr const char* kQueueGated = "queue-gated";
inline constexpr const char* kClocksDiffer = "clocks-differ";
// The arena has no room for the cell of a queue: lib/ calls again, with a staging buffer.
inline constexpr const char* kNoCell = "no-cell";
// lib/ never causes the next two.
inline constexpr const char* kBadStaging = "bad-staging";
inline constexpr const char* kBadRange = "bad-range";  // a number is out of range

constexpr const char* reason(AttachError error) {
  switch (error) {
    case AttachError::kNone:
      return "none";
    case AttachError::kMisaligned:
      return "misaligned";
    case AttachError::kTooSmall:
      return "too-small";
    case AttachError::kBadMagic:
      return "bad-magic";
    case AttachError::kBadVersion:
      return "bad-version";
    case AttachError::kBadKind:
      return "bad-kind";
    case AttachError::kBadLayout:
      return "bad-layout";
    case AttachError::kBadSchema:
      return "bad-schema";
  }
  return nullptr;
}

// If a table is too small for the snapshot, the reason is the name of the option of Stock.restore() that sets its size.
constexpr const char* reason(SnapshotError error) {
  switch (error) {
    case SnapshotError::kNone:
      return "none";
    case SnapshotError::kNoSnapshot:
      return "no-snapshot";
    case SnapshotError::kVersion:
      return "snapshot-version";
    case SnapshotError::kDamaged:
      return "snapshot-damaged";
    case SnapshotError::kItems:
      return "maxItems";
    case SnapshotError::kReservations:
      return "maxReservations";
    case SnapshotError::kUsers:
      return "maxUsers";
    case SnapshotError::kIds:
      return "maxIds";
  }
  return nullptr;
}

}  // namespace sluice
