// What a JavaScript object can do with the limiter it is attached to.
#pragma once

#include <node_api.h>

#include "addon/limiter_attachment.h"

namespace sluice {

// The object with these functions, which owns `attachment`.
napi_value limiter_object(napi_env env, LimiterAttachment* attachment);

}  // namespace sluice
