// A 64-bit atomic at an address that is not a multiple of 8, across the border of two cache lines, or at an aligned
// address:
//   misaligned-atomics refused         how the core answers a segment at each misaligned address of a cache line
//   misaligned-atomics add <offset> <operations>
//     locked adds at a cache line's start + offset, in one thread
//   misaligned-atomics torn <offset> <reads>
//     one thread writes all zeroes and all ones in turn, another counts the reads that are neither
// Each prints one JSON object. Where atomics must be aligned, the process dies of SIGBUS.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>

#include "core/base/segment.h"
#include "processors.h"

namespace {

using Word = std::atomic<std::uint64_t>;

alignas(256) std::byte memory[1024];

// As in naive code: a pointer into a buffer at the offset at which the caller's header ends.
Word* word_at(std::uint64_t offset) { return reinterpret_cast<Word*>(memory + 256 + offset); }

// The smallest object that can have a segment.
struct Words {
  static constexpr sluice::SegmentKind kKind = sluice::SegmentKind::kQueue;
  struct Shape {
    std::uint64_t count;
    bool sound() const { return true; }
  };
  static sluice::Layout layout(const Shape& shape) { return sluice::layout_of<Shape, Word>(1, shape.count); }
};

int refused() {
  constexpr std::uint64_t kBytes = 512;
  constexpr Words::Shape kShape{8};
  sluice::format_segment(memory, Words::kKind, kBytes, Words::layout(kShape).hash(), 0);
  new (memory + sluice::kSegmentBody) Words::Shape(kShape);
  const auto attach = [](std::uint64_t offset) {
    return sluice::check_segment<Words>(memory + offset, kBytes,
                                        [](const Words::Shape&) { return std::uint64_t{0}; });
  };
  int offered = 0, refused = 0;
  for (std::uint64_t offset = 1; offset < sluice::kCacheLine; ++offset) {
    ++offered;
    if (attach(offset) == sluice::AttachError::kMisaligned) ++refused;
  }
  const bool attached = attach(0) == sluice::AttachError::kNone;
  std::printf("{\"offered\": %d, \"refused\": %d, \"attached\": %s}\n", offered, refused,
              attached ? "true" : "false");
  return 0;
}

int add(std::uint64_t offset, std::uint64_t operations) {
  Word& word = *word_at(offset);
  const auto started = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < operations; ++i) word.fetch_add(1, std::memory_order_relaxed);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - started;
  std::uint64_t sum;
  std::memcpy(&sum, &word, sizeof sum);
  if (sum != operations) return 1;
  std::printf("{\"nsPerOperation\": %.3f}\n", took.count() / static_cast<double>(operations));
  return 0;
}

int torn(std::uint64_t offset, std::uint64_t reads) {
  Word& word = *word_at(offset);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    bench::use_processor(1);
    while (!stop.load(std::memory_order_relaxed)) {
      word.store(~0ULL, std::memory_order_relaxed);
      word.store(0, std::memory_order_relaxed);
    }
  });
  bench::use_processor(0);
  std::uint64_t neither = 0;
  for (std::uint64_t i = 0; i < reads; ++i) {
    const std::uint64_t value = word.load(std::memory_order_relaxed);
    if (value != 0 && value != ~0ULL) ++neither;
  }
  stop.store(true, std::memory_order_relaxed);
  writer.join();
  std::printf("{\"torn\": %llu}\n", static_cast<unsigned long long>(neither));
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 2 && std::strcmp(arguments[1], "refused") == 0) return refused();
  if (count != 4) return 2;
  const std::uint64_t offset = std::strtoull(arguments[2], nullptr, 10);
  const std::uint64_t times = std::strtoull(arguments[3], nullptr, 10);
  if (offset > 256 || times == 0) return 2;
  return std::strcmp(arguments[1], "add") == 0 ? add(offset, times) : torn(offset, times);
}
