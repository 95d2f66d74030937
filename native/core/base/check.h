// Assertions that stay on in release builds: they guard invariants whose violation would corrupt shared state,
// and each costs one predictable branch.
#pragma once

#include "core/base/system.h"

#define SLUICE_CHECK(condition, what)                     \
  do {                                                    \
    if (!(condition)) [[unlikely]]                        \
      ::sluice::system::broken(what, __FILE__, __LINE__); \
  } while (false)
