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

struct StdAtomics {
  template <class T>
  using atomic = std::atomic<T>;

  static void fence(std::memory_order order) noexcept { std::atomic_thread_fence(order); }
  static void pause() noexcept { cpu_pause(); }

  // The bytes of a record in its slot are not atomic: a thread reads them only after it has read the stamp that
  // publishes them.
  static void write_bytes(void* slot, const void* from, std::size_t bytes) noexcept {
    std::memcpy(slot, from, bytes);
  }
  static void read_bytes(void* to, const void* slot, std::size_t bytes) noexcept {
    std::memcpy(to, slot, bytes);
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
