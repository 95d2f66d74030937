// Records changes of stock (see MovementKind) in a bounded ring, which any attached thread may read: user, item,
// quantity, time and reservation. Writers never wait for readers: they overwrite the oldest entries, and a reader that
// was too slow learns how many it missed.
//
//   entry, a cache line:  | stamp | when | reservation | item, quantity | kind, text length | user: number or text |
//
// A stamp is 2 * position + 1 while the entry of that position is being written, and 2 * position + 2 afterwards (a
// sequence lock per entry). The entries of one reservation are in the order in which the changes happened; other
// entries are in the order in which their writers took positions.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "core/base/atomics.h"
#include "core/base/layout.h"
#include "core/base/spin_wait.h"
#include "core/stock/ledger_key.h"

namespace sluice {

enum class MovementKind : std::uint8_t {
  kAdded = 1,  // an item was added, with its first units
  kRestocked = 2,
  kWithdrawn = 3,
  kClosed = 4,
  kReserved = 5,
  kConfirmed = 6,
  kCancelled = 7,
  kExpired = 8,
  kReturned = 9,  // units put back on sale because only a part was confirmed
  kReopened = 10,
  kReversed = 11,  // bought units are on sale again
};

struct Movement {
  MovementKind kind;
  std::uint32_t item;
  std::uint64_t quantity;
  std::uint64_t when_ns;
  std::uint64_t reservation;  // 0: none
  LedgerUser user;
};

template <class A = StdAtomics>
class MovementLog {
 public:
  using AtomicU64 = typename A::template atomic<std::uint64_t>;

  // Words 0 to 3: when, reservation, item and quantity, kind and text length. Then the key of the user, or its text.
  static constexpr std::uint32_t kUserWord = 4, kWords = kUserWord + LedgerUser::kWords;

  struct alignas(kCacheLine) Entry {
    AtomicU64 stamp;
    AtomicU64 words[kWords];
  };
  struct Control {
    alignas(kCacheLine) AtomicU64 head;  // the next position
  };

  static constexpr std::uint64_t entries(std::uint32_t capacity) {
    return capacity == 0 ? 0 : std::bit_ceil(std::uint64_t{capacity});
  }
  static constexpr Layout layout(std::uint32_t capacity) {
    return layout_of<Control, Entry>(1, entries(capacity));
  }
  static constexpr std::uint64_t bytes(std::uint32_t capacity) { return layout(capacity).bytes(); }

  // With a capacity of 0, the log keeps nothing.
  MovementLog(void* memory, std::uint32_t capacity)
      : control_(static_cast<Control*>(memory)),
        entries_(reinterpret_cast<Entry*>(control_ + 1)),
        size_(entries(capacity)) {}

  bool keeps() const noexcept { return size_ != 0; }

  void append(const Movement& movement) noexcept {
    append(movement.kind, movement.item, movement.quantity, movement.when_ns, movement.reservation,
           movement.user);
  }
  void append(MovementKind kind, std::uint32_t item, std::uint64_t quantity, std::uint64_t when_ns,
              std::uint64_t reservation, const LedgerUser& user) noexcept {
    if (size_ == 0) return;
    const std::uint64_t position = control_->head.fetch_add(1, std::memory_order_relaxed);
    Entry& entry = entries_[position & (size_ - 1)];
    // The writer that had this entry one lap ago may have been preempted; it must finish first. ACQ stamp: pairs with
    // the second REL below, so that this writer's words come after that one's.
    const std::uint64_t before = position < size_ ? 0 : 2 * (position - size_) + 2;
    spin_wait<A>([&] { return entry.stamp.load(std::memory_order_acquire) == before; });
    // REL stamp: pairs with ACQ in read(), whose caller then finds the head beyond this position.
    entry.stamp.store(2 * position + 1, std::memory_order_release);
    // Pairs with the fence in read(): a reader that has read a word written below then reads this stamp or a later one.
    A::fence(std::memory_order_release);
    const auto put = [&](std::uint32_t i, std::uint64_t word) {
      entry.words[i].store(word, std::memory_order_relaxed);
    };
    put(0, when_ns);
    put(1, reservation);
    put(2, std::uint64_t{item} << 32 | quantity);
    put(3, std::uint64_t{user.text_length} << 32 | static_cast<std::uint64_t>(kind));
    if (user.text_length == 0) {
      put(kUserWord, user.key.low);
      put(kUserWord + 1, user.key.high);
    }
    for (std::uint32_t i = 0; i < user.text_words(); ++i) put(kUserWord + i, user.text[i]);
    // REL stamp: pairs with ACQ in read() and append().
    entry.stamp.store(2 * position + 2, std::memory_order_release);
  }

  // The position of the next movement to come.
  std::uint64_t end() const noexcept { return control_->head.load(std::memory_order_relaxed); }

  // The oldest position that has not been overwritten.
  std::uint64_t oldest() const noexcept {
    const std::uint64_t head = control_->head.load(std::memory_order_relaxed);
    return head < size_ ? 0 : head - size_;
  }

  enum class Read : std::uint8_t { kRead, kNothingYet, kOverwritten };

  Read read(std::uint64_t position, Movement& movement) const noexcept {
    if (size_ == 0) return Read::kNothingYet;
    const Entry& entry = entries_[position & (size_ - 1)];
    const std::uint64_t written = 2 * position + 2;
    // ACQ stamp: pairs with REL in append().
    const std::uint64_t stamp = entry.stamp.load(std::memory_order_acquire);
    if (stamp < written) return Read::kNothingYet;
    if (stamp > written) return Read::kOverwritten;
    std::uint64_t words[kWords];
    for (std::uint32_t i = 0; i < kWords; ++i) words[i] = entry.words[i].load(std::memory_order_relaxed);
    // Pairs with the fence in append().
    A::fence(std::memory_order_acquire);
    // ACQ stamp: pairs with the first REL in append().
    if (entry.stamp.load(std::memory_order_acquire) != written) return Read::kOverwritten;
    const auto text = reinterpret_cast<const char*>(words + kUserWord);
    const std::size_t text_length = std::min<std::size_t>(words[3] >> 32, LedgerUser::kTextMax);
    movement = {static_cast<MovementKind>(words[3] & 0xff),
                static_cast<std::uint32_t>(words[2] >> 32),
                words[2] & 0xffffffff,
                words[0],
                words[1],
                {{words[kUserWord], words[kUserWord + 1]}, {text, text_length}}};
    return Read::kRead;
  }

 private:
  Control* control_;
  Entry* entries_;
  std::uint64_t size_;
};

static_assert(sizeof(MovementLog<>::Entry) == kCacheLine);

}  // namespace sluice
