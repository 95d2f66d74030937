// What JavaScript calls on a queue, by who calls it: hot functions over QueueAttachment.
#pragma once

#include <cstdint>
#include <span>

#include "addon/hot_function.h"
#include "addon/queue_attachment.h"

namespace sluice {

// What these functions answer, beside counts.
inline constexpr std::int32_t kClosed = -1;
inline constexpr std::int32_t kNotConsumer = -2;
inline constexpr std::int32_t kLineFull = -4;

// The longest that one call sleeps, whatever it is asked for: a thread that is being terminated is not woken.
inline constexpr std::uint32_t kSleepMsMax = 100;

std::span<const HotFunction> queue_producer_functions();
std::span<const HotFunction> queue_consumer_functions();

}  // namespace sluice
