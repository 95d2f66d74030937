// Faults planted to try the tests: a build with SLUICE_PLANTS has all of them asleep, and the one that the environment
// variable SLUICE_PLANT names awake. In every other build SLUICE_PLANTED(...) is the constant false.
#pragma once

#ifdef SLUICE_PLANTS

#include <cstdlib>
#include <cstring>

namespace sluice {

inline bool planted(const char* fault) noexcept {
  static const char* const chosen = std::getenv("SLUICE_PLANT");
  return chosen != nullptr && std::strcmp(chosen, fault) == 0;
}

}  // namespace sluice

#define SLUICE_PLANTED(fault) ::sluice::planted(#fault)

#else

#define SLUICE_PLANTED(fault) false

#endif
