// For libraries that zig links (scripts/zig.js). The C++ runtime is a part of them. Its handler of uncaught exceptions
// would bring a demangler along, a sixth of the library, only to print the name of a type. No exception leaves the
// addon. Without the demangler the runtime prints the name as it is.

#if defined(SLUICE_STATIC_RUNTIME)

#include <cstddef>

extern "C" char* __cxa_demangle(const char*, char*, std::size_t*, int* status) {
  if (status != nullptr) *status = -2;  // "not a valid name"
  return nullptr;
}

#endif
