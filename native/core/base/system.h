// Everything that the core calls in the system on which it runs. The core includes no header of a system. A native
// program that is built on the core links native/platform/system.cc; a WebAssembly module imports these functions.
#pragma once

#include <cstdint>

#if defined(__wasm__)
#define SLUICE_SYSTEM(name) __attribute__((import_module("system"), import_name(name)))
#else
#define SLUICE_SYSTEM(name)
#endif

namespace sluice::system {

// Nanoseconds since an arbitrary start, by a clock that never goes back.
SLUICE_SYSTEM("monotonicNs") std::uint64_t monotonic_ns() noexcept;

// Nanoseconds since an arbitrary start, by a clock that never goes back and goes on while the machine is suspended.
SLUICE_SYSTEM("bootNs") std::uint64_t boot_ns() noexcept;

// Nanoseconds since 1970, by the wall clock, which goes forward or back when it is set.
SLUICE_SYSTEM("wallNs") std::uint64_t wall_ns() noexcept;

// Makes the calling thread sleep for about 50 microseconds.
SLUICE_SYSTEM("rest") void rest() noexcept;

// Reports a broken invariant (see check.h) and ends the process.
[[noreturn]] SLUICE_SYSTEM("broken") void broken(const char* what, const char* file, int line) noexcept;

}  // namespace sluice::system
