// What the two faces of a session share: its place in memory that both reach, by numbers of fixed width. Native code
// writes a cell when the session begins, and both faces work on the session's state in it. All places are offsets from
// the beginning of that memory.
//
//   cell:  | QueueCell | staging of the session: see QueueStaging |
//
// Only the session's thread uses its cell, and one call of a face at a time. V8 may end that thread, or cut off what it
// runs, between two calls and within a call of the WebAssembly face (see queue_calls.h). Native code then still finds a
// whole session: a call writes `state` before it changes the queue.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/atomics.h"

namespace sluice {

// Where the secret is: a random word that native code writes before the first cell. The first page is otherwise unused.
inline constexpr std::uint32_t kSecretOffset = 64;

// The part of a session's state that both faces change.
struct QueueState {
  std::uint32_t leased;  // 1 while the session is the consumer
  std::uint32_t shown;   // how many records were shown, and can be freed
};

struct alignas(kCacheLine) QueueCell {
  // The key that lib/ passes with each call, XOR the secret of the memory. A program that gets hold of the functions of
  // the WebAssembly face has neither: it cannot use a cell, nor make one of the bytes of its own records.
  std::uint64_t key;
  QueueState state;
  std::uint32_t control, ring, waiters,
      slot;                      // of the queue: its QueueControl, its ring, the RoomWaiters::Control,
                                 // and the ThreadSlot of this thread
  std::uint32_t in, out, words;  // of the staging: see QueueSession::Buffers
  std::uint32_t overwrites;      // 1: the queue overwrites, so a push without room is not refused
  std::uint64_t capacity, record_bytes;  // of the ring
};
static_assert(sizeof(QueueCell) == kCacheLine);

}  // namespace sluice
