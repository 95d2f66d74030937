// Included before all else by each model's program (see test/core/mutants.js).
#pragma once

#include <cstdlib>

// The number of the mutant to explore: one weakened memory order. 0: none, all orders are as they are written.
inline const int sluice_weakened = [] {
  const char* const chosen = std::getenv("SLUICE_WEAKENED");
  return chosen == nullptr ? 0 : std::atoi(chosen);
}();
