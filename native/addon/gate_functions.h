// What a JavaScript object can do with the gate it is attached to.
#pragma once

#include <node_api.h>

#include "addon/gate_attachment.h"

namespace sluice {

// The object with these functions, which owns `attachment`.
napi_value gate_object(napi_env env, GateAttachment* attachment);

}  // namespace sluice
