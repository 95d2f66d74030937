// The functions of a queue, those of producers and those of consumers: hot functions over QueueAttachment.
#pragma once

#include <cstdint>
#include <span>

#include "addon/hot_function.h"
#include "addon/queue_attachment.h"
#include "contract/limits.h"

namespace sluice {

std::span<const HotFunction<functions::kQueue>> queue_producer_functions();
std::span<const HotFunction<functions::kQueue>> queue_consumer_functions();

}  // namespace sluice
