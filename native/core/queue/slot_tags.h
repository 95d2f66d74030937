// Tags are bytes beside each slot of a queue's ring, for an object that builds on the queue (a gate). A tag contains
// what that object needs when the record is taken or dropped. The queue itself knows only that the first word of a tag
// is 0 if the slot has none.
//
//   tag of a slot:   put by its producer ----> cleared by the consumer that takes the record out of the queue
//                                        \---> taken, then given back by the thread that drops the record
//
// A queue has one user of its tags at a time. A user that ends takes the remaining tags itself, and waits until other
// threads have given back the tags that they have taken: that takes them a few hundred nanoseconds, unless give_back()
// waits longer.
//
// The memory is zeroed at creation, and a queue whose tags never have a user does not touch it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/atomics.h"
#include "core/base/check.h"
#include "core/base/spin_wait.h"

namespace sluice {

inline constexpr std::uint64_t kTagBytesMax = 32;

// The copy of a tag that was taken.
struct Tag {
  alignas(std::uint64_t) std::byte bytes[kTagBytesMax];
};

template <class A = StdAtomics>
struct TagControl {
  typename A::template atomic<std::uint32_t> used;     // 1 while the tags have a user
  typename A::template atomic<std::uint32_t> carried;  // tags taken, and not given back yet
};

// The user of the tags implements this: it gives back the tags of dropped records. Calls may overlap.
struct TagReturns {
  virtual ~TagReturns() = default;
  virtual void give_back(const Tag& tag) noexcept = 0;
};

template <class A = StdAtomics>
class SlotTags {
 public:
  using Word = typename A::template atomic<std::uint64_t>;

  SlotTags() = default;
  // `memory` has `bytes` bytes for each slot: a Word, then the rest of the tag. `bytes` is a multiple of 8, at most
  // kTagBytesMax.
  SlotTags(TagControl<A>& control, std::byte* memory, std::uint64_t bytes) noexcept
      : control_(&control), memory_(memory), bytes_(bytes) {}

  // The tag of slot 0; the tag of slot i is i * `bytes` behind it.
  std::byte* memory() const noexcept { return memory_; }

  // ---- the user ------------------------------------------------------------------------------------------------

  // Makes the caller the user of the tags. False: there is one already.
  bool begin() noexcept {
    // ACQ used: pairs with REL in end(): the tags that the last user left are cleared.
    return control_->used.exchange(1, std::memory_order_acquire) == 0;
  }
  // Makes the memory of `slots` tags resident. Called before the user puts a tag.
  void commit(std::uint64_t slots) noexcept {
    for (std::uint64_t slot = 0; slot < slots; ++slot) clear(slot);
  }
  // Called when no thread puts tags any more, and the user has called take_left() for each slot that may still have
  // one. When this returns, no thread gives a tag back any more either.
  void end() noexcept {
    // ACQ carried: pairs with REL in given_back(). A tag that was taken before take_left() looked at it is counted.
    spin_wait<A>([this] { return control_->carried.load(std::memory_order_acquire) == 0; });
    // REL used: pairs with ACQ in begin().
    control_->used.store(0, std::memory_order_release);
  }
  // Only the user calls this. As take(), but the tag does not count as carried, and the caller does not call
  // given_back().
  bool take_left(std::uint64_t slot, Tag& to) noexcept {
    // It reads first, so that it writes no memory in which there is no tag.
    // ACQ tag: pairs with REL in exchange(): a thread that has taken the tag is found in `carried` when end() looks.
    if (word(slot).load(std::memory_order_acquire) == 0) return false;
    return exchange(slot, to);
  }

  // ---- the consumer, and threads that drop records ---------------------------------------------------------------

  // Whether records may have tags. For a record whose stamp this thread has read, the answer is exact.
  bool used() const noexcept {
    // Relaxed: the user began before it put the tag, which the record's stamp publishes.
    return control_->used.load(std::memory_order_relaxed) != 0;
  }

  // Called when the record is taken out of the queue. Otherwise the slot's next record, which may have no tag, would
  // get this one.
  void clear(std::uint64_t slot) noexcept { word(slot).store(0, std::memory_order_relaxed); }

  // Called when the record is dropped. If it had a tag, the caller must give that back soon, and then call
  // given_back(). Waits for nothing.
  bool take(std::uint64_t slot, Tag& to) noexcept {
    // This is asked here, and not at the beginning of the queue's operation, when there may have been no user yet.
    if (!used()) return false;
    // Relaxed: end() finds it counted, because take_left() acquires the exchange that follows.
    control_->carried.fetch_add(1, std::memory_order_relaxed);
    const bool taken = exchange(slot, to);
    if (!taken) given_back();
    return taken;
  }
  void given_back() noexcept {
    // REL carried: pairs with ACQ in end(), after which the user's TagReturns may be destroyed.
    control_->carried.fetch_sub(1, std::memory_order_release);
  }

 private:
  // The first word is atomic because a user that ends takes all tags, whatever the consumer does meanwhile.
  Word& word(std::uint64_t slot) const noexcept { return *reinterpret_cast<Word*>(memory_ + slot * bytes_); }
  // Only the first thread that takes a tag gets it.
  bool exchange(std::uint64_t slot, Tag& to) noexcept {
    // ACQ, REL: pair with each other: a thread that finds it taken sees everything that the taker wrote before.
    const std::uint64_t first = word(slot).exchange(0, std::memory_order_acq_rel);
    if (first == 0) return false;
    std::memcpy(to.bytes, &first, sizeof first);
    A::read_bytes(to.bytes + sizeof first, memory_ + slot * bytes_ + sizeof(Word), bytes_ - sizeof(Word));
    return true;
  }

  TagControl<A>* control_ = nullptr;
  std::byte* memory_ = nullptr;
  std::uint64_t bytes_ = 0;
};

// Holds tags of dropped records where a thread must not wait, such as under `front` (see overwriting.h). Its destructor
// gives them back, when the thread may wait again.
template <std::uint32_t kMax>
class CarriedTags {
 public:
  CarriedTags(SlotTags<>& tags, TagReturns& returns) noexcept : tags_(tags), returns_(returns) {}
  // Takes the tag of one slot at once.
  CarriedTags(SlotTags<>& tags, TagReturns& returns, std::uint64_t slot) noexcept
      : CarriedTags(tags, returns) {
    (*this)(slot);
  }
  ~CarriedTags() {
    for (std::uint32_t i = 0; i < count_; ++i) {
      returns_.give_back(carried_[i]);
      tags_.given_back();
    }
  }
  CarriedTags(const CarriedTags&) = delete;
  CarriedTags& operator=(const CarriedTags&) = delete;

  // Called when the record of the slot is dropped.
  void operator()(std::uint64_t slot) noexcept {
    SLUICE_CHECK(count_ < kMax, "no more are dropped than can be carried");
    if (tags_.take(slot, carried_[count_])) ++count_;
  }

 private:
  SlotTags<>& tags_;
  TagReturns& returns_;
  std::uint32_t count_ = 0;
  Tag carried_[kMax];  // not written before it is used
};

}  // namespace sluice
