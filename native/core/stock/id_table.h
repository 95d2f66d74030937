// The client ids that were answered, with their answers, so that a request with the same id gets the same answer again.
//
// A bucket has 17 entries. An id lives in its home, the bucket that its keyed hash names. An entry belongs to an id
// that was admitted (its answer is a reservation, which may have ended since) or to one that was refused. A new id
// takes:
//
//   for an admitted id   a free entry or the oldest refused one, if fewer than 16 belong to admitted ids; otherwise the
//                        oldest admitted one whose reservation is not held; otherwise the 17th entry; otherwise, where
//                        17 are held, an entry of a spill bucket, which the other half of the hash names
//   for a refused id     a free entry or the oldest refused one of its home; otherwise it is not remembered
//
// So refusals, which cost a client nothing, never displace an admitted id, and each bucket has one entry that no
// admitted id takes before it must. An id whose reservation is held is never forgotten.
//
// There is at least one home for every 8 ids of `capacity`, so that a home is full of held ids only by bad luck: at
// `capacity` held ids, at most one home in 269 gets 17 or more of them (the Poisson probability at a mean of 8). There
// is one spill bucket for 16 homes (but at least 4, if there are that many homes), and by chance it is full in
// practically no table: see docs/guide/guarantees.md. A home counts its ids in spill buckets; if it has none there, a
// look-up reads only the home.
//
// A thread locks a bucket while it decides one id in it. That usually takes a few hundred nanoseconds of native code,
// which calls no JavaScript. A thread locks the home first, then the spill bucket, so threads never wait in a circle.
// If a bucket stays locked for much longer, as when its holder was preempted, a thread that needs it reports that
// (locked() or kBusy) instead of waiting on.
//
// An entry can be replaced, but is never freed, so the free entries of a bucket are those after the used ones.
//
// A way is an entry's place in its bucket. Each has a tag, some bits of its id's hash, so that a look-up compares
// hardly any other id. As a rule the first 64 bytes of a bucket are enough to see that an id is not there.
//
//   bucket:  | admitted, spilled, lock, used | tags[17] | order[17] | ids[17] | answers[17] | bodies[17] |
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>

#include "core/base/atomics.h"
#include "core/base/layout.h"
#include "core/stock/id_answer.h"
#include "core/stock/ledger_key.h"

namespace sluice {

class IdTable {
 public:
  static constexpr std::uint32_t kWays = 17, kAdmittedWays = 16, kTagWords = (kWays + 7) / 8;

  struct alignas(kCacheLine) Bucket {
    std::uint32_t admitted;              // a bit for each way: its id was admitted
    std::atomic<std::uint16_t> spilled;  // for a home: how many of its ids are in spill buckets
    std::atomic<std::uint8_t> locked;
    std::uint8_t used;              // the ways below this number are in use
    std::uint64_t tags[kTagWords];  // an octet for each way, the lowest first; 0: free
    std::uint8_t order[kWays];      // the used ways, the oldest entry first
    Key ids[kWays];
    IdAnswer answers[kWays];
    std::uint64_t bodies[kWays];
  };

  static constexpr std::uint64_t homes(std::uint32_t capacity) {
    return std::bit_ceil((capacity * 2ULL + kAdmittedWays - 1) / kAdmittedWays);
  }
  static constexpr std::uint64_t spills(std::uint32_t capacity) {
    return std::min(homes(capacity), std::max<std::uint64_t>(homes(capacity) / 16, 4));
  }
  static constexpr Layout layout(std::uint32_t capacity) {
    Layout layout = layout_of<Bucket>(homes(capacity) + spills(capacity));
    layout.note(homes(capacity));
    return layout;
  }

  // The table keeps a reference to the secret, and reads it when an id is looked up.
  IdTable(void* memory, std::uint32_t capacity, const KeySecret& secret)
      : secret_(secret),
        buckets_(static_cast<Bucket*>(memory)),
        homes_(homes(capacity)),
        spills_(spills(capacity)) {}

  // The bucket in which the id lives.
  Bucket& home(const HashedKey& id) const noexcept { return buckets_[id.hash & (homes_ - 1)]; }

  // Begins to fetch the home of `id` from memory. That takes as long as some hundred instructions, which the caller
  // runs meanwhile.
  void prefetch(const HashedKey& id) const noexcept {
    const auto* bucket = reinterpret_cast<const std::byte*>(&home(id));
    for (std::size_t at = 0; at < sizeof(Bucket); at += 64) prefetch_to_write(bucket + at);
  }

  enum class Room : std::uint8_t { kFound, kNone, kBusy };

  // One id's entry in the table, or the room for one. While this object lives, the id's home is locked, and so is its
  // spill bucket, if that is needed.
  class Visit {
   public:
    Visit(IdTable& table, const HashedKey& id) noexcept : table_(table), id_(id) {
      Bucket& home = table.home(id);
      if (!lock(home)) return;
      home_ = &home;
      way_ = find(home, id);
      if (way_ != kWays) {
        bucket_ = home_;
      } else if (home.spilled.load(std::memory_order_relaxed) != 0) {
        // Relaxed: the count grows only under the lock of the home. If it falls meanwhile, this thread looks into the
        // spill bucket in vain.
        if (!lock_spill()) {
          unlock_all();
          return;
        }
        way_ = find(*spill_, id);
        if (way_ != kWays) bucket_ = spill_;
      }
    }
    ~Visit() { unlock_all(); }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

    // Returns false if another thread has been deciding an id of one of the buckets for unusually long.
    bool locked() const noexcept { return home_ != nullptr; }
    // Whether the id is remembered. If so, body() and answer() return what is remembered with it.
    bool known() const noexcept { return bucket_ != nullptr; }
    std::uint64_t body() const noexcept { return bucket_->bodies[way_]; }
    IdAnswer answer() const noexcept { return bucket_->answers[way_]; }
    void change(IdAnswer answer) noexcept { bucket_->answers[way_] = answer; }

    // Looks for the room that the id, which is not known, takes if it is admitted. `held(reservation)` reports whether
    // that reservation is held. Changes nothing yet.
    template <class Held>
    Room find_room(Held&& held) noexcept {
      room_ = home_;
      place_ = admitted_place(*home_, held);
      if (place_ != kWays) return Room::kFound;
      if (home_->spilled.load(std::memory_order_relaxed) == kSpilledMax) return Room::kNone;
      if (spill_ == nullptr && !lock_spill()) return Room::kBusy;
      room_ = spill_;
      place_ = admitted_place(*spill_, held);
      return place_ != kWays ? Room::kFound : Room::kNone;
    }
    // Remembers the id as admitted, in the room that was found.
    void remember(std::uint64_t body, IdAnswer answer) noexcept {
      table_.put(*room_, place_, *home_, id_, body, answer);
    }
    // Remembers the id as refused, if there is room for that.
    void remember_refused(std::uint64_t body) noexcept {
      const std::uint32_t place = spare_place(*home_);
      if (place != kWays) table_.put(*home_, place, *home_, id_, body, IdAnswer::refused());
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
    Bucket* spill_ = nullptr;  // nullptr unless this visit has locked it
    Bucket* bucket_ = nullptr;
    Bucket* room_ = nullptr;
    std::uint32_t way_ = kWays, place_ = kWays;
  };

  // Calls `visit(id, body, answer, spilled)` for each remembered id, the oldest of a bucket first. For snapshots, while
  // no thread decides an id.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    for (std::uint64_t at = 0; at < homes_ + spills_; ++at) {
      const Bucket& bucket = buckets_[at];
      for (std::uint32_t place = 0; place < bucket.used; ++place) {
        const std::uint32_t way = bucket.order[place];
        visit(bucket.ids[way], bucket.bodies[way], bucket.answers[way], at >= homes_);
      }
    }
  }
  // Remembers an id of a snapshot. `spilled`: the snapshot's table had it in a spill bucket. Returns false if there is
  // no place for the id, or the id is {0, 0} or in the table already.
  bool restore(const Key& key, std::uint64_t body, IdAnswer answer, bool spilled) noexcept {
    const HashedKey id(secret_, key);
    Bucket& at_home = home(id);
    Bucket& at_spill = spill(id);
    if (key == Key{} || find(at_home, id) != kWays || find(at_spill, id) != kWays) return false;
    const bool home_has_room = at_home.used < kWays, spill_has_room = at_spill.used < kWays;
    if (home_has_room && !(spilled && spill_has_room)) {
      put(at_home, at_home.used, at_home, id, body, answer);
      return true;
    }
    if (!spill_has_room || at_home.spilled.load(std::memory_order_relaxed) == kSpilledMax) return false;
    put(at_spill, at_spill.used, at_home, id, body, answer);
    return true;
  }

 private:
  static constexpr int kSpinsMax = 2000;  // about 20 us of pauses: a hundred times as long as usual
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

  // The tag has none of the bits of the hash that choose homes and spill buckets. Its top bit is set, so that find()
  // never takes a free way for one in use.
  static std::uint64_t tag_of(const HashedKey& id) noexcept { return id.hash >> 56 | 0x80; }

  // Returns the way of `id`, or kWays.
  static std::uint32_t find(const Bucket& bucket, const HashedKey& id) noexcept {
    constexpr std::uint64_t kOnes = 0x0101010101010101, kTops = kOnes << 7;
    const std::uint64_t tags = tag_of(id) * kOnes;
    for (std::uint32_t word = 0; word < kTagWords; ++word) {
      const std::uint64_t differences = bucket.tags[word] ^ tags;
      // Has the top bit of each octet in which the tags are equal. An octet above such an octet may have its top bit,
      // too, although its tags differ: the ids are compared below.
      std::uint64_t same = (differences - kOnes) & ~differences & kTops;
      for (; same != 0; same &= same - 1) {
        const std::uint32_t way = word * 8 + static_cast<std::uint32_t>(std::countr_zero(same)) / 8;
        if (bucket.ids[way] == id.key) return way;
      }
    }
    return kWays;
  }

  // The next two functions return a place for one more entry, as an index into `order`: the index of the entry to
  // replace, or the one after the last for a free entry. kWays: there is none.

  // A free entry; otherwise the oldest refused one.
  static std::uint32_t spare_place(const Bucket& bucket) noexcept {
    if (bucket.used < kWays) return bucket.used;
    for (std::uint32_t place = 0; place < kWays; ++place) {
      if ((bucket.admitted >> bucket.order[place] & 1) == 0) return place;
    }
    return kWays;
  }

  // A place for an admitted id. kWays: the reservations of all ids there are held.
  template <class Held>
  static std::uint32_t admitted_place(const Bucket& bucket, Held&& held) noexcept {
    const std::uint32_t others = ~bucket.admitted & ((1U << kWays) - 1);
    const bool enough = (others & (others - 1)) == 0;  // at most one entry is free or refused
    // `held` is called for the oldest entry first, and as a rule only for that one, because each call reads memory that
    // is not in the cache.
    for (std::uint32_t place = 0; enough && place < bucket.used; ++place) {
      const std::uint32_t way = bucket.order[place];
      const bool admitted = (bucket.admitted >> way & 1) != 0;
      if (admitted && !held(bucket.answers[way].reservation())) return place;
    }
    return spare_place(bucket);
  }

  // Makes an entry for an id with this home. Both buckets are locked, or no other thread uses the table (restore()).
  void put(Bucket& bucket, std::uint32_t place, Bucket& home_of_id, const HashedKey& id, std::uint64_t body,
           IdAnswer answer) noexcept {
    const bool replaces = place < bucket.used;
    const std::uint32_t way = replaces ? bucket.order[place] : bucket.used++;
    if (&bucket != &home_of_id) {
      // Relaxed: see Visit(). The home of the replaced id is not locked, but if that home counts too many, a thread
      // only looks into the spill bucket in vain.
      if (replaces) {
        home({secret_, bucket.ids[way]}).spilled.fetch_sub(1, std::memory_order_relaxed);
      }
      home_of_id.spilled.fetch_add(1, std::memory_order_relaxed);
    }
    std::uint64_t& tags = bucket.tags[way / 8];
    const std::uint32_t shift = way % 8 * 8;
    tags = (tags & ~(0xffULL << shift)) | tag_of(id) << shift;
    bucket.ids[way] = id.key;
    bucket.bodies[way] = body;
    bucket.answers[way] = answer;
    const std::uint32_t bit = 1U << way;
    bucket.admitted = answer.is_refusal() ? bucket.admitted & ~bit : bucket.admitted | bit;
    std::copy(bucket.order + place + 1, bucket.order + bucket.used, bucket.order + place);
    bucket.order[bucket.used - 1] = static_cast<std::uint8_t>(way);
  }

  const KeySecret& secret_;
  Bucket* buckets_;  // the homes, then the spill buckets
  std::uint64_t homes_, spills_;
};

static_assert(sizeof(IdTable::Bucket) == 5 * kCacheLine);

}  // namespace sluice
