#include <napi.h>

#include <exception>

#include "addon/environment.h"
#include "addon/objects.h"
#include "contract/contract.h"
#include "platform/bell.h"

#if defined(_WIN32)
#include <windows.h>
#elif defined(__APPLE__)
#include <dlfcn.h>
#endif

namespace {

// The registry is static data of this library. Node unloads a library with the last environment that loaded it, so a
// process in which only workers use sluice would lose the registry. For that reason the library pins itself. (On Linux
// the linker's option -z nodelete does that.)
void pin_library() {
#if defined(_WIN32)
  HMODULE module = nullptr;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                     reinterpret_cast<LPCWSTR>(&pin_library), &module);
#elif defined(__APPLE__)
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&pin_library), &info) != 0) {
    dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  }
#endif
}

// Returns whether the process is one of Bun, and not of Node.js.
bool is_bun(Napi::Env env) {
  const Napi::Object versions = sluice::nested(sluice::nested(env.Global(), "process"), "versions");
  return !sluice::get(versions, "bun").IsEmpty();
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) try {
  pin_library();
  // lib/ compares this hash first: it calls no function of an addon that was built from another contract.
  sluice::put(exports, "contract",
              Napi::String::New(env, sluice::contract::hash_of(sluice::contract::text())));
  if (is_bun(env)) sluice::Bell::listen_by_async();
  sluice::Environment::install(env);
  sluice::export_clock(exports);
  sluice::export_queue(exports);
  sluice::export_limiter(exports);
  sluice::export_stock(exports);
  sluice::export_gate(exports);
  sluice::export_affinity(exports);
  return exports;
} catch (const std::exception&) {
  napi_throw_error(env, nullptr, "the system has no memory to give");
  return exports;
}

}  // namespace

NODE_API_MODULE(sluice, initialise)
