// Pushes records to a queue and takes each one: for counting the instructions that the probes cost.
//
//   push-and-pop <8|64> <records>
//
// The exit code is 1 if a record was not what was pushed.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "core/queue/queue_consumer.h"

namespace {

template <std::size_t Bytes>
int run(std::uint64_t records) {
  sluice::QueueShape shape;
  shape.capacity = 1'024;
  shape.record_bytes = Bytes;
  shape.weights[0] = 1;
  const std::align_val_t alignment{sluice::kCacheLine};
  const std::uint64_t bytes = sluice::Queue::bytes(shape);
  void* memory = ::operator new(bytes, alignment);
  std::memset(memory, 0, bytes);
  sluice::Queue queue(memory, shape);
  queue.format(0);
  sluice::QueueConsumer consumer(queue);
  const sluice::Clock clock;
  std::byte in[Bytes] = {};
  std::byte out[64 * Bytes];
  std::uint64_t wrong = 0;
  for (std::uint64_t i = 0; i < records; ++i) {
    std::memcpy(in, &i, sizeof i);
    if (queue.push(0, in, 0, 0, [](std::uint64_t) {}) != sluice::PushResult::kPushed) ++wrong;
    const std::uint32_t count = consumer.show(out, 1, clock, [](auto...) {}, [](auto...) { return true; });
    std::uint64_t taken = 0;
    std::memcpy(&taken, out, sizeof taken);
    if (count != 1 || taken != i) ++wrong;
    consumer.free_shown(count);
  }
  ::operator delete(memory, alignment);
  return wrong == 0 ? 0 : 1;
}

}  // namespace

int main(int, char** arguments) {
  const std::uint64_t records = std::strtoull(arguments[2], nullptr, 10);
  return std::strcmp(arguments[1], "8") == 0 ? run<8>(records) : run<64>(records);
}
