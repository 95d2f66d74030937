// Assertions that stay on in release builds: they guard invariants whose violation would corrupt shared state,
// and each costs one predictable branch.
#pragma once

#include <cstdio>
#include <cstdlib>

#define SLUICE_CHECK(condition, what)                                                           \
  do {                                                                                          \
    if (!(condition)) [[unlikely]] {                                                            \
      std::fprintf(stderr, "sluice: broken invariant: %s (%s:%d)\n", what, __FILE__, __LINE__); \
      std::abort();                                                                             \
    }                                                                                           \
  } while (false)
