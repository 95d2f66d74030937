// What a JavaScript object can do with the stock ledger it is attached to.
#pragma once

#include <node_api.h>

#include <span>

#include "addon/hot_function.h"
#include "addon/stock_attachment.h"

namespace sluice {

// The object with these functions, which owns `attachment`.
napi_value stock_object(napi_env env, StockAttachment* attachment);

// Those of its functions that are about a reservation.
std::span<const HotFunction> order_functions();
// Those that look for reservations.
std::span<const HotFunction> listing_functions();

// The first `count` lines of a cart as they stand in the staging of `stock`. Returns how many there are;
// 0 if a quantity is out of range (below `least`), which lib/ never gives.
std::uint32_t staged_lines(StockAttachment& stock, std::uint32_t count,
                           StockRequest::Line (&lines)[StockRequest::kLinesMax], std::uint64_t least = 1);

}  // namespace sluice
