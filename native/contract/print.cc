// Prints lib/binding/contract.ts: see scripts/contract.js.
#include <cstdio>

#include "contract/contract.h"

int main() {
  const std::string text = sluice::contract::text();
  std::printf(
      "/** Everything that TypeScript and C++ share. Printed by `npm run contract` from native/contract: do "
      "not edit. */\n\n"
      "/** The hash of the text below. The addon contains a hash, too: see addon.ts. */\n"
      "export const contractHash = '%s';\n%s",
      sluice::contract::hash_of(text).c_str(), text.c_str());
}
