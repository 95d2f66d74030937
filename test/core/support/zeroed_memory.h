// Zeroed memory of exactly the size asked for, like a Segment's body. It is on the heap, so that the address sanitizer
// finds an access to the first byte beyond it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "core/base/atomics.h"

namespace sluice::test {

class ZeroedMemory {
 public:
  explicit ZeroedMemory(std::uint64_t bytes)
      : base_(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kCacheLine}))) {
    std::memset(base_, 0, bytes);
  }
  ZeroedMemory(const ZeroedMemory&) = delete;
  ZeroedMemory& operator=(const ZeroedMemory&) = delete;
  ~ZeroedMemory() { ::operator delete (base_, std::align_val_t{kCacheLine}); }

  std::byte* get() const { return base_; }
  // NOLINTNEXTLINE(google-explicit-constructor): it is used as the pointer that it holds
  operator void*() const { return base_; }

 private:
  std::byte* base_;
};

}  // namespace sluice::test
