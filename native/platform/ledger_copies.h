// Audits and snapshots of a stock ledger. They allocate memory, which the core and the sessions never do by themselves
// (a limiter's session asks its host for memory).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "core/stock/ledger_audit.h"
#include "core/stock/ledger_snapshot.h"

namespace sluice {

using LedgerWords = std::vector<std::uint64_t>;

// Each of these functions may throw std::bad_alloc, and has then changed nothing in the ledger.

inline LedgerAudit audit(LedgerMemory& memory) {
  const auto scratch = std::make_unique_for_overwrite<std::uint64_t[]>(audit_words(memory.control->shape));
  return audit(memory, scratch.get());
}

inline LedgerWords snapshot_of(LedgerMemory& memory, std::uint64_t now) {
  LedgerWords words;
  LedgerSnapshot::write(memory, now, words);
  return words;
}

// Copies the words of a snapshot out of memory of any alignment, and checks the copy.
inline SnapshotError open_snapshot(const void* octets, std::size_t size, LedgerWords& words,
                                   LedgerShape& shape) {
  words.resize(size / sizeof words[0]);
  if (!words.empty()) std::memcpy(words.data(), octets, words.size() * sizeof words[0]);
  return LedgerSnapshot::open(words, size, shape);
}

inline SnapshotError read_snapshot(LedgerMemory& memory, const LedgerShape& shape, const LedgerWords& words,
                                   std::uint64_t now, Sweeping sweeping) {
  const auto scratch = std::make_unique_for_overwrite<std::uint64_t[]>(LedgerSnapshot::scratch_words(shape));
  return LedgerSnapshot::read(memory, shape, words, now, sweeping, scratch.get());
}

}  // namespace sluice
