// What a JavaScript object can do with the stock ledger it is attached to.
#pragma once

#include <node_api.h>

#include "addon/stock.h"

namespace sluice {

// The object with these functions, which owns `attachment`.
napi_value stock_object(napi_env env, StockAttachment* attachment);

}  // namespace sluice
