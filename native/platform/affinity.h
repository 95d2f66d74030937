// Binds the calling thread to one processor.
#pragma once

#include <cstdint>

namespace sluice {

enum class Pinning {
  kPinned,
  kRefused,      // there is no such processor, or this process may not run on it
  kUnsupported,  // this system has no call for it: only Linux has
};

// From now on the calling thread runs on the processor with this number only, as do the threads that it starts later.
Pinning pin_this_thread(std::uint32_t processor) noexcept;

}  // namespace sluice
