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

// Marks a function that is rarely called: the compiler keeps it out of its callers.
#if defined(_MSC_VER)
#define SLUICE_APART __declspec(noinline)
#else
#define SLUICE_APART __attribute__((noinline))
#endif
// Marks a short function that is called often: in large files compilers do not inline it by themselves.
#if defined(_MSC_VER)
#define SLUICE_INLINE __forceinline
#else
#define SLUICE_INLINE inline __attribute__((always_inline))
#endif

namespace sluice {

// Words that different threads write are kept this many bytes apart. The lines of x86-64 have 64 bytes, but the
// adjacent line is prefetched with each; those of Apple silicon have 128 bytes. This is not
// std::hardware_destructive_interference_size: that is 64, 256 or absent, depending on the compiler, and would make the
// layout depend on the compiler.
inline constexpr std::size_t kCacheLine = 128;

// Tells the CPU that this is a spin loop. It does not yield the processor, because beside a busy thread a yield costs a
// time slice.
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

// Announces to the CPU that the line of `address` will be written soon. It is only a hint: it changes no memory, and
// `address` may be any address.
inline void prefetch_to_write(const void* address) noexcept {
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
  _m_prefetchw(address);
#elif defined(_MSC_VER)
  __prefetch(address);
#elif defined(__x86_64__)
  asm volatile(
      "prefetchw %0" ::"m"(*static_cast<const char*>(address)));  // GCC's builtin would fetch for reading
#else
  __builtin_prefetch(address, 1);
#endif
}

struct StdAtomics {
  template <class T>
  using atomic = std::atomic<T>;

  static void fence(std::memory_order order) noexcept { std::atomic_thread_fence(order); }
  static void pause() noexcept { cpu_pause(); }

  // Record bytes in a slot are plain memory, ordered by the slot's stamp.
  static void write_bytes(void* slot, const void* from, std::size_t bytes) noexcept {
    std::memcpy(slot, from, bytes);
  }
  static void read_bytes(void* to, const void* slot, std::size_t bytes) noexcept {
    std::memcpy(to, slot, bytes);
  }
  // Copies from one place in shared memory to another.
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
