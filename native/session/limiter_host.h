// The functions that the face has for all sessions of one limiter.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice {

struct LimiterHost {
  // Makes the thread of the session with that number look at its waiters. Any thread may call it.
  virtual void ring(std::uint64_t session) noexcept = 0;
  // Returns memory for a session's table of the depth that it holds; nullptr: there is none.
  virtual void* allocate(std::size_t bytes) noexcept = 0;
  virtual void free(void* memory) noexcept = 0;

 protected:
  ~LimiterHost() = default;
};

}  // namespace sluice
