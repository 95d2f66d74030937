// Prints lib/binding/contract.ts: see scripts/contract.js.
#include <cstdio>

#include "contract/contract.h"

int main() {
  const std::string text = sluice::contract::text();
  std::printf(
      "/** What TypeScript and C++ share. Printed by `npm run contract` from native/contract; not to be "
      "edited. */\n\n"
      "/** Of all that follows. The addon has one of its own: see addon.ts. */\n"
      "export const contractHash = '%s';\n%s",
      sluice::contract::hash_of(text).c_str(), text.c_str());
}
