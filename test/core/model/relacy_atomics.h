// An atomics policy for the core, on Relacy. Every access becomes a step of a simulated C++ memory model: a load may
// return any value that the model allows, plain bytes are checked for data races, and a thread that waits for ever
// is reported as a deadlock. The native headers are compiled as they are, but their memory orders can be weakened (see
// weakened.h). A defect is reported with the file and the line of the header.
#pragma once

// clang-format off
// The standard headers come first: they would not compile after the macros that relacy.hpp defines.
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <source_location>
#include <thread>

#include <relacy/relacy.hpp>
// clang-format on

// Relacy defines macros of these names for the programs that it tests. The core does not need them: it names memory
// orders as std::memory_order does, and it allocates nothing.
#undef memory_order_relaxed
#undef memory_order_consume
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef assert
#undef errno
#undef $

namespace sluice::model {

using Site = std::source_location;

inline rl::debug_info info(const Site& at) { return {at.function_name(), at.file_name(), at.line()}; }

inline rl::memory_order relacy(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return rl::mo_relaxed;
    case std::memory_order_consume:
      return rl::mo_consume;
    case std::memory_order_acquire:
      return rl::mo_acquire;
    case std::memory_order_release:
      return rl::mo_release;
    case std::memory_order_acq_rel:
      return rl::mo_acq_rel;
    case std::memory_order_seq_cst:
      return rl::mo_seq_cst;
  }
  std::abort();
}

// The functions of an Atomic have no default order, so that a header which leaves an order out does not compile here.
// An atomic that is made without a value has none: a load before the first store is a defect.
template <class T>
class Atomic {
 public:
  Atomic() = default;
  Atomic(T value) : cell_(value) {}
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(std::memory_order order, Site at = Site::current()) const noexcept {
    return cell_.load(relacy(order), info(at));
  }
  void store(T value, std::memory_order order, Site at = Site::current()) noexcept {
    cell_.store(value, relacy(order), info(at));
  }
  T exchange(T value, std::memory_order order, Site at = Site::current()) noexcept {
    return cell_.exchange(value, relacy(order), info(at));
  }
  T fetch_add(T value, std::memory_order order, Site at = Site::current()) noexcept {
    return cell_.fetch_add(value, relacy(order), info(at));
  }
  T fetch_sub(T value, std::memory_order order, Site at = Site::current()) noexcept {
    return cell_.fetch_sub(value, relacy(order), info(at));
  }
  T fetch_or(T value, std::memory_order order, Site at = Site::current()) noexcept {
    return cell_.fetch_or(value, relacy(order), info(at));
  }
  T fetch_and(T value, std::memory_order order, Site at = Site::current()) noexcept {
    return cell_.fetch_and(value, relacy(order), info(at));
  }
  bool compare_exchange_weak(T& expected, T value, std::memory_order success, std::memory_order failure,
                             Site at = Site::current()) noexcept {
    return cell_.compare_exchange_weak(expected, value, relacy(success), info(at), relacy(failure), info(at));
  }
  bool compare_exchange_strong(T& expected, T value, std::memory_order success, std::memory_order failure,
                               Site at = Site::current()) noexcept {
    return cell_.compare_exchange_strong(expected, value, relacy(success), info(at), relacy(failure),
                                         info(at));
  }

 private:
  rl::atomic<T> cell_;
};

// One word of plain memory, checked for data races.
using PlainWord = rl::var<std::uint64_t>;

struct RelacyAtomics {
  template <class T>
  using atomic = Atomic<T>;

  static void fence(std::memory_order order, Site at = Site::current()) noexcept {
    rl::atomic_thread_fence(relacy(order), info(at));
  }
  static void fence_after_release(std::memory_order order, Site at = Site::current()) noexcept {
    fence(order, at);
  }
  // For spin loops: lets other threads run. Afterwards a load returns no value that this thread had read before the
  // pause, if a newer one was stored.
  static void pause(Site at = Site::current()) noexcept { rl::yield(1, info(at)); }

  // A record in the ring is one PlainWord; outside the ring it is a std::uint64_t.
  static void write_bytes(void* slot, const void* from, std::size_t, Site at = Site::current()) noexcept {
    (*static_cast<PlainWord*>(slot))(info(at)).store(*static_cast<const std::uint64_t*>(from));
  }
  static void read_bytes(void* to, const void* slot, std::size_t, Site at = Site::current()) noexcept {
    *static_cast<std::uint64_t*>(to) = (*static_cast<const PlainWord*>(slot))(info(at)).load();
  }
  static void copy_bytes(void* slot, const void* from_slot, std::size_t bytes,
                         Site at = Site::current()) noexcept {
    std::uint64_t word = 0;
    read_bytes(&word, from_slot, bytes, at);
    write_bytes(slot, &word, bytes, at);
  }
};

// Fails the execution that is being explored.
inline void require(bool condition, const char* what, Site at = Site::current()) {
  if (!condition) rl::ctx().fail_test(what, rl::test_result_user_assert_failed, info(at));
}

}  // namespace sluice::model
