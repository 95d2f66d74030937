// The client ids already answered, so that asking again with the same id gives the same answer.
//
// Buckets of 17 entries; an id lives in its home, the bucket that its keyed hash names. An entry is of an id that was
// admitted (its answer is a reservation, of whatever phase by now) or of one that was refused. What makes room:
//
//   for an admitted id   a free entry or the oldest refused one, as long as fewer than 16 are of admitted ids; else the
//                        oldest admitted one whose reservation is not held any more; else the 17th entry; else, where
//                        17 are held, an entry of a spill bucket, which the other half of the hash names
//   for a refused id     a free entry or the oldest refused one of its home; else it is not remembered
//
// So refusals, which cost nothing, never displace an id that was admitted, and have one entry of each bucket that no
// admitted id takes before it must. Nothing that is held is ever forgotten.
//
// There are twice as many entries as `capacity` in homes, so that a home is full of held ids only by bad luck (one in
// 270 at `capacity` held ids), and one spill bucket for 16 homes, which is full by chance in practically no table: see
// docs/guarantees.md. A home counts what it has in spill buckets; one with nothing there is all that is looked at.
//
// A bucket is locked while one id in it is decided: a few hundred nanoseconds of native code that calls nothing
// and cannot be interrupted by JavaScript. The home first, then the spill bucket, so nobody waits in a circle. A thread
// that finds a bucket locked for longer (its holder was preempted) says so (locked(), kBusy) instead of waiting.
//
//   bucket:  | clock, spilled, lock | ids[17] | answers[17] | bodies[17] | ages[17] |
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>

#include "core/atomics.h"
#include "core/id_answer.h"
#include "core/ledger_key.h"

namespace sluice {

class IdTable {
 public:
  static constexpr std::uint32_t kWays = 17, kAdmittedWays = 16;

  struct alignas(kCacheLine) Bucket {
    std::uint32_t clock;                 // grows with each entry made
    std::atomic<std::uint16_t> spilled;  // of a home: how many of its ids are in spill buckets
    std::atomic<std::uint8_t> locked;
    Key ids[kWays];  // {0, 0}: free
    IdAnswer answers[kWays];
    std::uint64_t bodies[kWays];
    std::uint32_t ages[kWays];  // the clock when the entry was made
  };

  static constexpr std::uint64_t homes(std::uint32_t capacity) {
    return std::bit_ceil((capacity * 2ULL + kAdmittedWays - 1) / kAdmittedWays);
  }
  static constexpr std::uint64_t spills(std::uint32_t capacity) {
    return std::min(homes(capacity), std::max<std::uint64_t>(homes(capacity) / 16, 4));
  }
  static constexpr std::uint64_t bytes(std::uint32_t capacity) {
    return (homes(capacity) + spills(capacity)) * sizeof(Bucket);
  }

  // The secret is read when the table is used.
  IdTable(void* memory, std::uint32_t capacity, const KeySecret& secret)
      : secret_(secret),
        buckets_(static_cast<Bucket*>(memory)),
        homes_(homes(capacity)),
        spills_(spills(capacity)) {}

  // Where the id lives.
  Bucket& home(const HashedKey& id) const noexcept { return buckets_[id.hash & (homes_ - 1)]; }

  // Has the home of `id` fetched from memory, which takes as long as some hundred instructions, while they run.
  void prefetch(const HashedKey& id) const noexcept {
    const auto* bucket = reinterpret_cast<const std::byte*>(&home(id));
    for (std::size_t at = 0; at < sizeof(Bucket); at += 64) prefetch_to_write(bucket + at);
  }

  enum class Room : std::uint8_t { kFound, kNone, kBusy };

  // What the table knows of one id, and room for it. Its buckets are locked while this lives.
  class Visit {
   public:
    Visit(IdTable& table, const HashedKey& id) noexcept : table_(table), id_(id) {
      Bucket& home = table.home(id);
      if (!lock(home)) return;
      home_ = &home;
      way_ = find(home, id.key);
      if (way_ != kWays) {
        bucket_ = home_;
      } else if (home.spilled.load(std::memory_order_relaxed) != 0) {
        // Relaxed: it grows under the lock of the home. A thread that finds a count that has fallen meanwhile looks in
        // vain.
        if (!lock_spill()) {
          unlock_all();
          return;
        }
        way_ = find(*spill_, id.key);
        if (way_ != kWays) bucket_ = spill_;
      }
    }
    ~Visit() { unlock_all(); }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

    // False: another thread has been deciding an id of one of the buckets for unusually long.
    bool locked() const noexcept { return home_ != nullptr; }
    // Whether the id is remembered; if so, with which body and answer.
    bool known() const noexcept { return bucket_ != nullptr; }
    std::uint64_t body() const noexcept { return bucket_->bodies[way_]; }
    IdAnswer answer() const noexcept { return bucket_->answers[way_]; }
    void change(IdAnswer answer) noexcept { bucket_->answers[way_] = answer; }

    // Looks for room for the id, which is not known, in case it is admitted. `held(reservation)`: whether that
    // is held. Changes nothing yet.
    template <class Held>
    Room find_room(Held&& held) noexcept {
      room_ = home_;
      room_way_ = admitted_room(*home_, held);
      if (room_way_ != kWays) return Room::kFound;
      if (home_->spilled.load(std::memory_order_relaxed) == kSpilledMax) return Room::kNone;
      if (spill_ == nullptr && !lock_spill()) return Room::kBusy;
      room_ = spill_;
      room_way_ = admitted_room(*spill_, held);
      return room_way_ != kWays ? Room::kFound : Room::kNone;
    }
    // Remembers the id as admitted, in the room that was found.
    void remember(std::uint64_t body, IdAnswer answer) noexcept {
      table_.put(*room_, room_way_, *home_, id_.key, body, answer);
    }
    // Remembers the id as refused, if there is room for that.
    void remember_refused(std::uint64_t body) noexcept {
      const std::uint32_t way = spare(*home_);
      if (way != kWays) table_.put(*home_, way, *home_, id_.key, body, IdAnswer::refused());
    }

   private:
    bool lock_spill() noexcept {
      Bucket& spill = table_.spill(id_);
      if (lock(spill)) spill_ = &spill;
      return spill_ != nullptr;
    }
    void unlock_all() noexcept {
      // REL locked: pairs with ACQ in lock().
      if (spill_ != nullptr) spill_->locked.store(0, std::memory_order_release);
      if (home_ != nullptr) home_->locked.store(0, std::memory_order_release);
      home_ = spill_ = nullptr;
    }

    IdTable& table_;
    const HashedKey id_;
    Bucket* home_ = nullptr;
    Bucket* spill_ = nullptr;  // if it is locked
    Bucket* bucket_ = nullptr;
    Bucket* room_ = nullptr;
    std::uint32_t way_ = kWays, room_way_ = kWays;
  };

  // Calls `visit(id, body, answer, spilled)` for each remembered id, the oldest of a bucket first. For snapshots, while
  // nobody decides.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    for (std::uint64_t at = 0; at < homes_ + spills_; ++at) {
      const Bucket& bucket = buckets_[at];
      std::uint32_t ways[kWays], known = 0;
      for (std::uint32_t way = 0; way < kWays; ++way) {
        if (bucket.ids[way] != Key{}) ways[known++] = way;
      }
      std::sort(ways, ways + known,
                [&bucket](std::uint32_t a, std::uint32_t b) { return age(bucket, a) > age(bucket, b); });
      for (std::uint32_t i = 0; i < known; ++i) {
        const std::uint32_t way = ways[i];
        visit(bucket.ids[way], bucket.bodies[way], bucket.answers[way], at >= homes_);
      }
    }
  }
  // Remembers an id of a snapshot, which had it in a spill bucket or not; false if it has no place, or has one already.
  bool restore(const Key& key, std::uint64_t body, IdAnswer answer, bool spilled) noexcept {
    const HashedKey id(secret_, key);
    Bucket& at_home = home(id);
    Bucket& at_spill = spill(id);
    if (key == Key{} || find(at_home, key) != kWays || find(at_spill, key) != kWays) return false;
    const std::uint32_t home_way = find(at_home, Key{}), spill_way = find(at_spill, Key{});
    if (home_way != kWays && !(spilled && spill_way != kWays)) {
      put(at_home, home_way, at_home, key, body, answer);
      return true;
    }
    if (spill_way == kWays || at_home.spilled.load(std::memory_order_relaxed) == kSpilledMax) return false;
    put(at_spill, spill_way, at_home, key, body, answer);
    return true;
  }

 private:
  static constexpr int kSpinsMax = 2000;  // about 20 us of pauses: a hundred times the longest holder
  static constexpr std::uint16_t kSpilledMax = 0xffff;

  Bucket& spill(const HashedKey& id) const noexcept {
    return buckets_[homes_ + ((id.hash >> 32) & (spills_ - 1))];
  }

  static bool lock(Bucket& bucket) noexcept {
    for (int spins = 0; spins < kSpinsMax; ++spins) {
      // ACQ locked: pairs with REL in unlock_all().
      if (bucket.locked.load(std::memory_order_relaxed) == 0 &&
          bucket.locked.exchange(1, std::memory_order_acquire) == 0) {
        return true;
      }
      cpu_pause();
    }
    return false;
  }

  // The entry of `key`, or kWays.
  static std::uint32_t find(const Bucket& bucket, const Key& key) noexcept {
    for (std::uint32_t way = 0; way < kWays; ++way) {
      if (bucket.ids[way] == key) return way;
    }
    return kWays;
  }
  static std::uint32_t age(const Bucket& bucket, std::uint32_t way) noexcept {
    return bucket.clock - bucket.ages[way];
  }

  // A free entry, else that of the refused id that is the oldest, else kWays.
  static std::uint32_t spare(const Bucket& bucket) noexcept {
    std::uint32_t oldest = kWays;
    for (std::uint32_t way = 0; way < kWays; ++way) {
      if (bucket.ids[way] == Key{}) return way;
      if (!bucket.answers[way].is_refusal()) continue;
      if (oldest == kWays || age(bucket, way) > age(bucket, oldest)) oldest = way;
    }
    return oldest;
  }

  // Where an admitted id can be remembered; kWays: all that are there are held.
  template <class Held>
  static std::uint32_t admitted_room(const Bucket& bucket, Held&& held) noexcept {
    std::uint32_t admitted = 0;  // a bit for each way
    for (std::uint32_t way = 0; way < kWays; ++way) {
      if (bucket.ids[way] != Key{} && !bucket.answers[way].is_refusal()) admitted |= 1U << way;
    }
    if (std::popcount(admitted) >= static_cast<int>(kAdmittedWays)) {
      // The oldest is asked first, and as a rule is the last one asked: to know of an answer is a look at memory far away.
      for (std::uint32_t left = admitted; left != 0;) {
        std::uint32_t oldest = kWays;
        for (std::uint32_t way = 0; way < kWays; ++way) {
          if ((left >> way & 1) == 0) continue;
          if (oldest == kWays || age(bucket, way) > age(bucket, oldest)) oldest = way;
        }
        if (!held(bucket.answers[oldest].reservation())) return oldest;
        left &= ~(1U << oldest);
      }
    }
    return spare(bucket);
  }

  // Makes an entry of an id with this home. Both buckets are locked.
  void put(Bucket& bucket, std::uint32_t way, Bucket& home_of_id, const Key& id, std::uint64_t body,
           IdAnswer answer) noexcept {
    if (&bucket != &home_of_id) {
      // Relaxed: see Visit(). The home of what was here is not locked, but one that counts too much only looks in vain.
      if (bucket.ids[way] != Key{}) {
        home({secret_, bucket.ids[way]}).spilled.fetch_sub(1, std::memory_order_relaxed);
      }
      home_of_id.spilled.fetch_add(1, std::memory_order_relaxed);
    }
    bucket.ids[way] = id;
    bucket.bodies[way] = body;
    bucket.answers[way] = answer;
    bucket.ages[way] = ++bucket.clock;
  }

  const KeySecret& secret_;
  Bucket* buckets_;  // the homes, then the spill buckets
  std::uint64_t homes_, spills_;
};

static_assert(sizeof(IdTable::Bucket) == 5 * kCacheLine);

}  // namespace sluice
