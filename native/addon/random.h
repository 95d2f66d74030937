// Secrets and tokens from the system's source of randomness. Each word is random in its full width.
#pragma once

#if defined(_WIN32)
#include <random>
#elif defined(__APPLE__)
#include <sys/random.h>
#else
#include <unistd.h>
#endif

#include <cstdint>

#include "core/base/check.h"
#include "core/base/key_hash.h"

namespace sluice {

// Needs no descriptor. It does not fail on a system that could start Node.js, which uses the same source.
inline std::uint64_t random_word() {
#if defined(_WIN32)
  std::random_device random;
  const std::uint64_t high = random();
  return high << 32 | random();
#else
  std::uint64_t word = 0;
  SLUICE_CHECK(getentropy(&word, sizeof word) == 0, "the system gives random numbers");
  return word;
#endif
}

inline KeySecret random_secret() {
  const std::uint64_t first = random_word();
  return {{first, random_word()}};
}

}  // namespace sluice
