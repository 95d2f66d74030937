// What the face does for all sessions of one limiter.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice {

struct LimiterHost {
  // The session with that number has something to hear: its thread is to look. From any thread.
  virtual void ring(std::uint64_t session) noexcept = 0;
  // Memory for what a session is asked to remember; nullptr: there is none.
  virtual void* allocate(std::size_t bytes) noexcept = 0;
  virtual void free(void* memory) noexcept = 0;

 protected:
  ~LimiterHost() = default;
};

}  // namespace sluice
