#include "platform/affinity.h"

#include "addon/objects.h"

namespace sluice {
namespace {

// pinThread(processor) -> whether the thread was pinned; undefined where the system has no call for it
Napi::Value pin_thread(const Napi::CallbackInfo& info) {
  const std::uint64_t processor = std::min<std::uint64_t>(u64(info[0]), ~0U);
  const Pinning pinning = pin_this_thread(static_cast<std::uint32_t>(processor));
  if (pinning == Pinning::kUnsupported) return info.Env().Undefined();
  return Napi::Boolean::New(info.Env(), pinning == Pinning::kPinned);
}

}  // namespace

void export_affinity(Napi::Object exports) { export_function<guarded<pin_thread>>(exports, "pinThread"); }

}  // namespace sluice
