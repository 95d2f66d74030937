// Static probes for tracers of Linux such as bpftrace and perf ("USDT"). A probe is a `nop`, and a note in the file
// that says where the `nop` is, and in which registers its arguments are. A tracer that listens puts a breakpoint
// there; `sluice trace` does so by bpftrace.
//
//   SLUICE_PROBE(push, ring, position);   one to four arguments, as words of 64 bits
//
// Without a listener a probe costs its `nop`, and what it takes to have the arguments in registers: pass only values
// that are at hand, and leave arithmetic to the tracer. In WebAssembly, and on systems other than 64-bit Linux, a probe
// is nothing at all, and its arguments are not evaluated.
//
// | probe  | arguments                              | fires
// | push   | ring, position                         | before a record is published
// | pop    | ring, position                         | when a record is shown to the consumer
// | drop   | ring, position, Dropped                | before a record leaves the queue without being consumed
// | full   | ring, count                            | when records count as rejected, because there is no room
// | park   | ring                                   | before the consumer sleeps
// | wake   | ring                                   | when the consumer's event loop has heard the bell
// | ring   | ring                                   | before a thread rings the consumer's bell
// | admit  | ring, Outcome, Tier, reservation       | when a gate has decided a request
// | hand   | ring, entry, reservation, deliveries   | when a gate's consumer has an order in hand
// | settle | ring, entry, confirmed, ResolveResult  | when an order in hand is decided
//
// `ring` names the ring of a lane, the same in all threads: see Ring::id(). Probes of a whole queue or gate name that
// of lane 0. A position is the word of the ring: its lower 16 bits are 0.
//
// The format of a note is version 3 of SystemTap's, as its <sys/sdt.h> writes it:
// https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation. This header needs no other. Notes have no
// semaphore (a counter of listeners), because a test of it would cost more than the `nop`.
#pragma once

#if defined(__linux__) && defined(__ELF__) && defined(__GNUC__) && \
    (defined(__x86_64__) || defined(__aarch64__)) && !defined(SLUICE_NO_PROBES)

#include <cstdint>

// `inline`: the compiler counts the many lines of the text as one instruction, not as many, when it decides whether to
// inline a function. The flag "?" puts the note into the group of the function's section, so that the linker keeps or
// drops both.
#define SLUICE_PROBE_NOTE(name, arguments, ...)                             \
  __asm__ __volatile__ __inline__(                                          \
      "990: nop\n"                                                          \
      ".pushsection .note.stapsdt,\"?\",%%note\n"                           \
      ".balign 4\n"                                                         \
      ".4byte 992f-991f, 994f-993f, 3\n"                                    \
      "991: .asciz \"stapsdt\"\n"                                           \
      "992: .balign 4\n"                                                    \
      "993: .8byte 990b, _.stapsdt.base, 0\n"                               \
      ".asciz \"sluice\", \"" #name "\", \"" arguments                      \
      "\"\n"                                                                \
      "994: .balign 4\n"                                                    \
      ".popsection\n"                                                       \
      ".ifndef _.stapsdt.base\n"                                            \
      ".pushsection .stapsdt.base,\"aG\",%%progbits,.stapsdt.base,comdat\n" \
      ".weak _.stapsdt.base\n"                                              \
      ".hidden _.stapsdt.base\n"                                            \
      "_.stapsdt.base: .space 1\n"                                          \
      ".size _.stapsdt.base, 1\n"                                           \
      ".popsection\n"                                                       \
      ".endif\n" ::__VA_ARGS__)

// A constant or a register. If memory were allowed, too, clang would first store every argument there.
#define SLUICE_PROBE_WORD(value) "nr"(static_cast<std::uint64_t>(value))

#define SLUICE_PROBE_1(name, a) SLUICE_PROBE_NOTE(name, "8@%0", SLUICE_PROBE_WORD(a))
#define SLUICE_PROBE_2(name, a, b) \
  SLUICE_PROBE_NOTE(name, "8@%0 8@%1", SLUICE_PROBE_WORD(a), SLUICE_PROBE_WORD(b))
#define SLUICE_PROBE_3(name, a, b, c) \
  SLUICE_PROBE_NOTE(name, "8@%0 8@%1 8@%2", SLUICE_PROBE_WORD(a), SLUICE_PROBE_WORD(b), SLUICE_PROBE_WORD(c))
#define SLUICE_PROBE_4(name, a, b, c, d)                                                     \
  SLUICE_PROBE_NOTE(name, "8@%0 8@%1 8@%2 8@%3", SLUICE_PROBE_WORD(a), SLUICE_PROBE_WORD(b), \
                    SLUICE_PROBE_WORD(c), SLUICE_PROBE_WORD(d))
#define SLUICE_PROBE_CHOSEN(a, b, c, d, chosen, ...) chosen
#define SLUICE_PROBE(name, ...)                                                                      \
  SLUICE_PROBE_CHOSEN(__VA_ARGS__, SLUICE_PROBE_4, SLUICE_PROBE_3, SLUICE_PROBE_2, SLUICE_PROBE_1, ) \
  (name, __VA_ARGS__)

#else

#define SLUICE_PROBE(...) static_cast<void>(0)

#endif
