import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readTree, rules, violations } from '../scripts/structure.js';

const tree = readTree(fileURLToPath(new URL('..', import.meta.url)));
const wide = 'x'.repeat(121);
/** Files that break a rule: the rule, the path and the text of each, and what the rule reports. */
const planted: readonly (readonly [rule: string, file: string, text: string, found: string])[] = [
  // Includes
  ['arrows', 'native/core/base/a.h', '#include "addon/objects.h"\n', '-> native/addon/objects.h: the core'],
  ['arrows', 'native/core/gate/a.h', '#include "session/calls.h"\n', '-> native/session/calls.h: the core'],
  [
    'arrows',
    'native/core/gate/a.h',
    '  #  include "../../platform/bell.h"\n',
    '-> native/platform/bell.h: the core',
  ],
  ['arrows', 'native/core/queue/a.h', '#include "wasm/exports.h"\n', '-> native/wasm/exports.h: the core'],
  [
    'arrows',
    'native/core/base/a.h',
    '#include "contract/limits.h"\n',
    '-> native/contract/limits.h: the core',
  ],
  ['arrows', 'native/core/base/a.h', '#include <unistd.h>\n', '-> <unistd.h>: core and sessions'],
  ['arrows', 'native/core/base/a.h', '#include <sys/mman.h>\n', '-> <sys/mman.h>: core and sessions'],
  ['arrows', 'native/core/base/a.h', '#include <thread>\n', '-> <thread>: core and sessions'],
  ...[
    'memory',
    'vector',
    'string',
    'map',
    'unordered_map',
    'deque',
    'list',
    'set',
    'functional',
    'cstdlib',
  ].flatMap((header) =>
    ['native/core/stock/a.h', 'native/session/a.cc'].map(
      (file) => ['arrows', file, `#include <${header}>\n`, `-> <${header}>: core and sessions`] as const,
    ),
  ),
  [
    'arrows',
    'native/core/base/a.h',
    '#include "core/queue/ring.h"\n',
    '-> native/core/queue/ring.h: the base',
  ],
  ['arrows', 'native/core/queue/a.h', '#include "core/gate/order_tag.h"\n', 'order_tag.h: the queue'],
  ['arrows', 'native/core/queue/a.h', '#include "core/limiter/limiter.h"\n', 'limiter.h: the queue'],
  ['arrows', 'native/core/stock/a.h', '#include "core/queue/queue.h"\n', 'queue.h: the stock'],
  ['arrows', 'native/core/stock/a.h', '#include "core/limiter/limiter.h"\n', 'limiter.h: the stock'],
  ['arrows', 'native/core/stock/a.h', '#include "core/gate/admission.h"\n', 'admission.h: the stock'],
  ['arrows', 'native/core/limiter/a.h', '#include "core/stock/item_table.h"\n', 'item_table.h: the limiter'],
  ['names', 'native/addon/a.cc', '\n', 'native/addon/a.cc: is not included by native/addon/all.cc'],
  ['arrows', 'native/contract/a.h', '#include "addon/objects.h"\n', 'objects.h: the contract'],
  ['arrows', 'native/session/a.h', '#include "addon/objects.h"\n', 'objects.h: a session'],
  ['arrows', 'native/session/a.h', '#include "wasm/exports.h"\n', 'exports.h: a session'],
  ['arrows', 'native/session/a.h', '#include "platform/bell.h"\n', 'bell.h: a session'],
  ['arrows', 'native/session/a.h', '#include <napi.h>\n', '<napi.h>: core and sessions'],
  ['arrows', 'native/session/a.h', '#include <uv.h>\n', '<uv.h>: core and sessions'],
  ['arrows', 'native/platform/a.h', '#include "addon/objects.h"\n', 'objects.h: the platform'],
  ['arrows', 'native/addon/a.cc', '#include "wasm/exports.h"\n', 'exports.h: the two faces'],
  ['arrows', 'native/wasm/a.cc', '#include "addon/objects.h"\n', 'objects.h: the two faces'],
  // Imports
  ['arrows', 'lib/binding/a.ts', "import { Queue } from '../queue/index.js';\n", 'index.ts: the binding'],
  [
    'arrows',
    'lib/binding/a.ts',
    "import type {\n  Gate,\n} from '../gate/gate.js';\n",
    'gate.ts: the binding',
  ],
  ['arrows', 'lib/redis/a.ts', "import { queueLimits } from '../binding/index.js';\n", 'what is built of'],
  ['arrows', 'lib/overflow/a.ts', "export * from '../binding/index.js';\n", 'what is built of'],
  ['arrows', 'lib/dispatch/a.ts', "import '../binding/index.js';\n", 'what is built of'],
  ['arrows', 'lib/dispatch/affinity-of.ts', "import '../binding/index.js';\n", 'what is built of'],
  ['arrows', 'lib/observe/a.ts', "const b = await import('../binding/index.js');\n", 'what is built of'],
  ['arrows', 'lib/http/a.ts', "import { queueLimits } from '../binding/index.js';\n", 'index.ts: http'],
  ['arrows', 'lib/http/a.ts', "import type { Queue } from '../queue/index.js';\n", 'index.ts: http'],
  ['arrows', 'lib/input/a.ts', "import { Queue } from '../queue/index.js';\n", 'index.ts: input'],
  [
    'arrows',
    'lib/queue/a.ts',
    "import { program } from '../../test/program.js';\n",
    'program.ts: the package',
  ],
  ['arrows', 'bench/harness/a.js', "import { cases } from '../cases/index.js';\n", ': the harness'],
  [
    'arrows',
    'bench/harness/a.js',
    "const at = new URL('../rivals/a.js', import.meta.url);\n",
    ': the harness',
  ],
  // Circles
  ['circles', 'native/core/queue/a.h', '#include "core/queue/a.h"\n', 'a.h -> native/core/queue/a.h'],
  ['circles', 'lib/input/errors.ts', "export * from './index.js';\n", 'errors.ts -> lib/input/index.ts'],
  // The contract
  ['numbers', 'lib/queue/a.ts', 'const waitersMax = 16_777_216;\n', '16777216 is a number of the contract'],
  ['numbers', 'lib/queue/a.ts', 'const capacityMax = 2 ** 24;\n', '16777216 is a number of the contract'],
  ['offsets', 'lib/gate/a.ts', 'this.#staging[4] = 1;\n', 'staging[4] is an offset'],
  ['offsets', 'lib/gate/a.ts', 'view.getFloat64(16, true);\n', '.getFloat64(16 is an offset'],
  [
    'offsets',
    'lib/gate/a.ts',
    'new Uint32Array(staging, 528);\n',
    'new Uint32Array(staging, 528 is an offset',
  ],
  // Form
  ['columns', 'native/core/queue/a.h', `// ${wide}\n`, 'a.h:1: wider than 120 columns'],
  ['columns', 'docs/a.md', `\n${wide}\n`, 'a.md:2: wider than 120 columns'],
  ['lengths', 'native/core/queue/a.h', 'int a;\n'.repeat(351), '351 lines of code, more than 350'],
  ['lengths', 'lib/binding/contract.ts', 'a();\n'.repeat(10), 'has 10 lines of code now'],
  ['names', 'native/core/queue/RingBuffer.h', '', 'no part of the house'],
  ['names', 'native/core/ring.h', '', 'no part of the house'],
  ['names', 'lib/queue/ringBuffer.ts', '', 'no part of the house'],
  ['names', 'lib/helpers/a.ts', '', 'no part of the house'],
  ['names', 'bench/throughput/a.js', '', 'no part of bench/'],
  ['names', 'test/core/queue/ring.cc', '', 'a suite is named *_test.cc'],
];

describe('The structure of the sources', () => {
  it.each(Object.keys(rules))('has no violation: %s', (name) => {
    expect(violations(tree, [name])).toEqual([]);
  });

  it.each(planted)('%s: finds what is planted in %s: %j', (name, file, text, found) => {
    expect(newly(name, [file, text]).join('\n')).toContain(found);
  });

  it('lets tables and comments be as long as they are', () => {
    const sound: [string, string][] = [
      ['docs/a.md', `| ${wide} |\n`],
      ['lib/queue/a.ts', '// 2 ** 24\n/** What a line of documentation says. */\n'.repeat(400)],
      ['lib/queue/b.ts', "import type { C } from './c.js';\n"],
      ['lib/queue/c.ts', "import type { B } from './b.js';\n"],
    ];
    expect(Object.keys(rules).flatMap((name) => newly(name, ...sound))).toEqual([]);
  });
});

/** Returns what a rule finds when files are added to the tree. */
function newly(name: string, ...files: readonly (readonly [file: string, text: string])[]): string[] {
  const before = new Set(violations(tree, [name]));
  return violations(new Map([...tree, ...files]), [name]).filter((violation) => !before.has(violation));
}
