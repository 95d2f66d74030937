// Each slot of a queue's ring has bytes for a tag beside it, for an object that builds on the queue (a gate). A tag
// contains what that object needs when the slot's record is taken or dropped. The queue itself knows only the first
// word of these bytes: it is 0 if the record has no tag.
//
//   tag of a slot:   put by the producer ----> cleared by the consumer that takes the record out of the queue
//                                        \---> taken, then given back by the thread that drops the record
//
// The object that uses the tags is called their user. A queue has at most one at a time. When the user ends, it takes
// the remaining tags itself, and waits until other threads have given back the tags that they have taken. That takes a
// few hundred nanoseconds, unless give_back() has to wait.
//
// The memory of the tags is zeroed at creation, and a queue whose tags never have a user neither reads nor writes it.
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
  typename A::template atomic<std::uint32_t> carried;  // how many tags were taken and not given back yet
};

// The user of the tags implements this.
struct TagReturns {
  virtual ~TagReturns() = default;
  // Gives back what the tag of a dropped record stands for, such as the hold of an order. Calls may overlap.
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

  // Makes the caller the user of the tags. False: the tags already have a user.
  bool begin() noexcept {
    // ACQ used: pairs with REL in end(): this user sees that the tags of the last user are cleared.
    return control_->used.exchange(1, std::memory_order_acquire) == 0;
  }
  // Makes the memory of the first `slots` tags resident, by clearing them. Called before the user puts a tag.
  void commit(std::uint64_t slots) noexcept {
    for (std::uint64_t slot = 0; slot < slots; ++slot) clear(slot);
  }
  // The user calls this when no thread puts tags any more, and after take_left() for each slot that may still have a
  // tag. When this returns, no thread gives a tag back any more, either.
  void end() noexcept {
    // ACQ carried: pairs with REL in given_back(). A tag that was taken before take_left() looked at it is counted.
    spin_wait<A>([this] { return control_->carried.load(std::memory_order_acquire) == 0; });
    // REL used: pairs with ACQ in begin().
    control_->used.store(0, std::memory_order_release);
  }
  // Only the user calls this. As take(), but the tag is not counted in `carried`, and the caller does not call
  // given_back().
  bool take_left(std::uint64_t slot, Tag& to) noexcept {
    // This reads first, so that it does not write memory without a tag, which may not be resident.
    // ACQ tag: pairs with REL in exchange(): a thread that has taken the tag is found in `carried` when end() looks.
    if (word(slot).load(std::memory_order_acquire) == 0) return false;
    return exchange(slot, to);
  }

  // ---- the consumer, and threads that drop records ---------------------------------------------------------------

  // Whether records may have tags. If this thread has read a record's stamp before, false means that this record has no
  // tag.
  bool used() const noexcept {
    // Relaxed: the user began before it put the tag, which the record's stamp publishes.
    return control_->used.load(std::memory_order_relaxed) != 0;
  }

  // The consumer calls this when it takes the slot's record out of the queue. Otherwise the slot's next record, for
  // which the producer may put no tag, would have this one.
  void clear(std::uint64_t slot) noexcept { word(slot).store(0, std::memory_order_relaxed); }

  // The thread that drops the slot's record calls this. Takes the record's tag, and returns whether it had one: then
  // the caller must give the tag back soon, and call given_back(). Waits for no other thread.
  bool take(std::uint64_t slot, Tag& to) noexcept {
    // The caller cannot ask used() at the beginning of its operation, because the first user may begin meanwhile.
    if (!used()) return false;
    // Relaxed: end() finds the tag counted, because take_left() acquires the exchange that follows.
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
  // The first word is atomic because the user, when it ends, takes all tags while the consumer and other threads may
  // clear or take them, too.
  Word& word(std::uint64_t slot) const noexcept { return *reinterpret_cast<Word*>(memory_ + slot * bytes_); }
  // Takes a tag. If several threads take the same tag, only the first one gets it.
  bool exchange(std::uint64_t slot, Tag& to) noexcept {
    // ACQ, REL tag: pair with each other: a thread that finds the tag taken sees everything that the thread that took
    // it wrote before.
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

// Takes the tags of dropped records at a moment at which the thread must not wait, such as under `front` (see
// overwriting.h). The destructor gives these tags back; the thread may wait then.
template <std::uint32_t kMax>
class CarriedTags {
 public:
  CarriedTags(SlotTags<>& tags, TagReturns& returns) noexcept : tags_(tags), returns_(returns) {}
  // Also takes the tag of `slot`, whose record is dropped.
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

  // Takes the tag of `slot`, whose record is dropped.
  void operator()(std::uint64_t slot) noexcept {
    SLUICE_CHECK(count_ < kMax, "no more records are dropped than tags can be carried");
    if (tags_.take(slot, carried_[count_])) ++count_;
  }

 private:
  SlotTags<>& tags_;
  TagReturns& returns_;
  std::uint32_t count_ = 0;
  Tag carried_[kMax];  // the first `count_` of these are written
};

}  // namespace sluice
