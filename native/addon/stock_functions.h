// What a JavaScript object can do with the stock ledger it is attached to.
#pragma once

#include <span>

#include "addon/hot_function.h"

namespace sluice {

// Those of its functions that look for reservations.
std::span<const HotFunction<functions::kStock>> listing_functions();

}  // namespace sluice
