// The client ids already answered, so that asking again with the same id gives the same answer.
//
// Buckets of 16 entries; an id lives in the one its keyed hash names. A full bucket forgets its oldest entry whose
// reservation is resolved (or that was refused); if all are still held, the new id is refused. The table has
// room for twice `capacity` ids, so that at `capacity` remembered ids fewer than 1 % of the buckets are full.
//
// A bucket is locked while one id in it is decided: a few hundred nanoseconds of native code that calls nothing
// and cannot be interrupted by JavaScript. Who finds it locked for longer than that (its holder was preempted)
// is told so instead of waiting.
//
//   bucket:  | lock, clock | ids[16] | answers[16] | bodies[16] | ages[16] |
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>

#include "core/atomics.h"
#include "core/ledger_key.h"

namespace sluice {

class IdTable {
 public:
  static constexpr std::uint32_t kWays = 16;

  struct alignas(kCacheLine) Bucket {
    std::atomic<std::uint32_t> locked;
    std::uint32_t clock;  // grows with each entry made
    Key ids[kWays];       // {0, 0}: free
    std::uint64_t answers[kWays];
    std::uint64_t bodies[kWays];
    std::uint32_t ages[kWays];  // the clock when the entry was made
  };

  static constexpr std::uint64_t buckets(std::uint32_t capacity) {
    return std::bit_ceil((capacity * 2ULL + kWays - 1) / kWays);
  }
  static constexpr std::uint64_t bytes(std::uint32_t capacity) { return buckets(capacity) * sizeof(Bucket); }

  IdTable(void* memory, std::uint32_t capacity)
      : buckets_(static_cast<Bucket*>(memory)), mask_(buckets(capacity) - 1) {}

  // Has the bucket of `id` fetched from memory, which takes as long as some hundred instructions, while they run.
  void prefetch(const HashedKey& id) const noexcept {
    const auto* bucket = reinterpret_cast<const std::byte*>(&buckets_[id.hash & mask_]);
    for (std::size_t at = 0; at < sizeof(Bucket); at += 64) prefetch_to_write(bucket + at);
  }

  // The bucket of `id`, locked; nullptr if its holder did not let go within a bounded spin.
  Bucket* lock(const HashedKey& id) noexcept {
    Bucket& bucket = buckets_[id.hash & mask_];
    for (int spins = 0; spins < kSpinsMax; ++spins) {
      // ACQ locked: pairs with REL in unlock().
      if (bucket.locked.load(std::memory_order_relaxed) == 0 &&
          bucket.locked.exchange(1, std::memory_order_acquire) == 0) {
        return &bucket;
      }
      cpu_pause();
    }
    return nullptr;
  }
  static void unlock(Bucket& bucket) noexcept { bucket.locked.store(0, std::memory_order_release); }

  // The entry of `id` in its locked bucket, or kWays.
  static std::uint32_t find(const Bucket& bucket, const Key& id) noexcept {
    for (std::uint32_t way = 0; way < kWays; ++way) {
      if (bucket.ids[way] == id) return way;
    }
    return kWays;
  }

  // Where a new id can be remembered: a free entry, else the oldest that `forgettable(answer)` allows; kWays if
  // there is none. Changes nothing.
  template <class Forgettable>
  static std::uint32_t room(const Bucket& bucket, Forgettable&& forgettable) noexcept {
    // The oldest is asked first, and as a rule is the last one asked: to know of an answer is a look at memory far away.
    for (std::uint32_t asked = 0;;) {
      std::uint32_t oldest = kWays;
      for (std::uint32_t way = 0; way < kWays; ++way) {
        if (bucket.ids[way] == Key{}) return way;
        if ((asked >> way & 1) != 0) continue;
        if (oldest == kWays || bucket.clock - bucket.ages[way] > bucket.clock - bucket.ages[oldest])
          oldest = way;
      }
      if (oldest == kWays || forgettable(bucket.answers[oldest])) return oldest;
      asked |= 1U << oldest;
    }
  }

  static void remember(Bucket& bucket, std::uint32_t way, const Key& id, std::uint64_t body,
                       std::uint64_t answer) noexcept {
    bucket.ids[way] = id;
    bucket.bodies[way] = body;
    bucket.answers[way] = answer;
    bucket.ages[way] = ++bucket.clock;
  }

  // Calls `visit(id, body, answer)` for each remembered id, the oldest of a bucket first. For snapshots, while nobody
  // decides.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::uint64_t at = 0; at <= mask_; ++at) {
      const Bucket& bucket = buckets_[at];
      std::uint32_t ways[kWays], known = 0;
      for (std::uint32_t way = 0; way < kWays; ++way) {
        if (bucket.ids[way] != Key{}) ways[known++] = way;
      }
      std::sort(ways, ways + known, [&bucket](std::uint32_t a, std::uint32_t b) {
        return bucket.clock - bucket.ages[a] > bucket.clock - bucket.ages[b];
      });
      for (std::uint32_t i = 0; i < known; ++i) {
        visit(bucket.ids[ways[i]], bucket.bodies[ways[i]], bucket.answers[ways[i]]);
      }
    }
  }
  // Remembers an id of a snapshot; false if it has no place, or has one already.
  bool restore(const HashedKey& id, std::uint64_t body, std::uint64_t answer) noexcept {
    Bucket& bucket = buckets_[id.hash & mask_];
    const std::uint32_t way = room(bucket, [](std::uint64_t) { return false; });
    if (way == kWays || id.key == Key{} || find(bucket, id.key) != kWays) return false;
    remember(bucket, way, id.key, body, answer);
    return true;
  }

 private:
  static constexpr int kSpinsMax = 2000;  // about 20 us of pauses: a hundred times the longest holder

  Bucket* buckets_;
  std::uint64_t mask_;
};

}  // namespace sluice
