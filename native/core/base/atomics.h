// The atomics policy: how a class of the core reaches shared memory.
//
// Every class whose protocol is model-checked takes its atomics as a template parameter `A`, so that the same header
// runs on std::atomic in production, and in tests on a checker that explores interleavings.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

// Marks a function that is rarely called. The compiler does not inline it, so its callers stay short.
#if defined(_MSC_VER)
#define SLUICE_APART __declspec(noinline)
#else
#define SLUICE_APART __attribute__((noinline))
#endif
// Marks a short function that is called often. The compiler inlines it even in a large file, where it would not do so
// by itself.
#if defined(_MSC_VER)
#define SLUICE_INLINE __forceinline
#else
#define SLUICE_INLINE inline __attribute__((always_inline))
#endif

// Marks a hot function of a face. The compiler inlines all that the function calls, and what those functions call,
// except functions marked SLUICE_APART. Without it, the compiler stops at a limit that a long step exceeds.
#if defined(_MSC_VER)
#define SLUICE_FLATTEN
#else
#define SLUICE_FLATTEN __attribute__((flatten))
#endif

// Tells the compiler that `condition` is true, so that it makes no code for the other case.
#if defined(_MSC_VER)
#define SLUICE_ASSUME(condition) __assume(condition)
#else
#define SLUICE_ASSUME(condition)               \
  do {                                         \
    if (!(condition)) __builtin_unreachable(); \
  } while (false)
#endif

namespace sluice {

// Words that different threads write are kept this many bytes apart. A processor with x86-64 has cache lines of 64
// bytes, but prefetches the adjacent line with each; Apple silicon has cache lines of 128 bytes.
// std::hardware_destructive_interference_size is not used: it is 64, 256 or absent, depending on the compiler, so the
// layout would depend on the compiler, too.
inline constexpr std::size_t kCacheLine = 128;

// Tells the CPU that this is a spin loop. It does not yield the processor: if another thread is ready to run, the
// caller would then wait for that thread's whole time slice.
inline void cpu_pause() noexcept {
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
  _mm_pause();
#elif defined(_MSC_VER)
  __yield();
#elif defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");  // a longer pause than `yield`, which is a no-op on most cores
#else
  std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}

// Copies `bytes` bytes of a record. In WebAssembly a copy of a length that only the program knows is a call out of the
// module, which takes longer than the rest of a push. So short records, of whole words, are copied word by word, and
// without a loop: a thread may be ended at the head of a loop.
SLUICE_INLINE void copy_record(void* to, const void* from, std::size_t bytes) noexcept {
#if defined(__wasm__)
  auto* words = static_cast<std::uint64_t*>(to);
  const auto* source = static_cast<const std::uint64_t*>(from);
  switch (bytes) {
#define SLUICE_WORD(n)            \
  case 8 * (n):                   \
    words[(n)-1] = source[(n)-1]; \
    [[fallthrough]];
    SLUICE_WORD(16)
    SLUICE_WORD(15)
    SLUICE_WORD(14)
    SLUICE_WORD(13)
    SLUICE_WORD(12)
    SLUICE_WORD(11)
    SLUICE_WORD(10)
    SLUICE_WORD(9)
    SLUICE_WORD(8)
    SLUICE_WORD(7)
    SLUICE_WORD(6)
    SLUICE_WORD(5)
    SLUICE_WORD(4)
    SLUICE_WORD(3)
    SLUICE_WORD(2)
    SLUICE_WORD(1)
#undef SLUICE_WORD
    case 0:
      return;
    default:
      break;
  }
#endif
  std::memcpy(to, from, bytes);
}

// Announces to the CPU that the cache line of `address` will be written soon, so that the CPU fetches it early. It is
// only a hint: it changes no memory, and `address` may be any address.
inline void prefetch_to_write(const void* address) noexcept {
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
  _m_prefetchw(address);
#elif defined(_MSC_VER)
  __prefetch(address);
#elif defined(__x86_64__)
  // GCC's __builtin_prefetch would fetch the line for reading.
  asm volatile("prefetchw %0" ::"m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address, 1);
#endif
}

#if defined(__wasm__)
// Every atomic access of WebAssembly is sequentially consistent, so an atomic store is an exchange. A relaxed store is
// a plain store here: the word is aligned, so no thread sees half of it, and a later store with release orders it.
template <class T>
class StdAtomic : public std::atomic<T> {
 public:
  using std::atomic<T>::atomic;

  SLUICE_INLINE void store(T value, std::memory_order order) noexcept {
    static_assert(sizeof(T) == alignof(std::atomic<T>));
    if (order == std::memory_order_relaxed) {
      *reinterpret_cast<volatile T*>(this) = value;
    } else {
      std::atomic<T>::store(value, order);
    }
  }
};
#else
template <class T>
using StdAtomic = std::atomic<T>;
#endif

struct StdAtomics {
  template <class T>
  using atomic = StdAtomic<T>;

  static void fence(std::memory_order order) noexcept { std::atomic_thread_fence(order); }
  // As fence(), for a thread whose last write to shared memory was a store with release, or a read-modify-write. In
  // WebAssembly such a write is sequentially consistent, and so is each atomic load: there this only keeps the compiler
  // from changing their order.
  static void fence_after_release(std::memory_order order) noexcept {
#if defined(__wasm__)
    std::atomic_signal_fence(order);
#else
    std::atomic_thread_fence(order);
#endif
  }
  static void pause() noexcept { cpu_pause(); }

  // The bytes of a record in its slot are not atomic: a thread reads them only after it has read the stamp that
  // publishes them.
  static void write_bytes(void* slot, const void* from, std::size_t bytes) noexcept {
    copy_record(slot, from, bytes);
  }
  static void read_bytes(void* to, const void* slot, std::size_t bytes) noexcept {
    copy_record(to, slot, bytes);
  }
  // Copies a record from one place in shared memory into a slot.
  static void copy_bytes(void* slot, const void* from_slot, std::size_t bytes) noexcept {
    std::memcpy(slot, from_slot, bytes);
  }
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
static_assert(sizeof(std::atomic<std::uint64_t>) == 8 && alignof(std::atomic<std::uint64_t>) == 8);

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace sluice
