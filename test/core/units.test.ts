import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { unitsOf } from './units.js';

it('Each suite is compiled once: alone, or with those of its directory in a namespace of its own', () => {
  const made = mkdtempSync(join(tmpdir(), 'sluice-units-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  const sources = ['base/a_test.cc', 'base/b_test.cc', 'base/out_of_memory_test.cc', 'queue/c_test.cc'];
  for (const directory of ['base', 'queue']) mkdirSync(join(made, directory));
  for (const source of sources)
    writeFileSync(join(made, source), `#include <vector>\n#include "${source}.h"\n`);

  const units = unitsOf(made, sources, made);
  expect(units.map(({ name }) => name)).toEqual(['base', 'base-out_of_memory_test.cc', 'queue']);
  expect(units.slice(1).map(({ file }) => file)).toEqual(
    sources.slice(2).map((source) => join(made, source)),
  );
  expect(readFileSync(units[0]?.file ?? '', 'utf8')).toBe(`#include <vector>
#include "base/a_test.cc.h"
#include "base/b_test.cc.h"
namespace a_test {
#include "${made}/base/a_test.cc"
}
namespace b_test {
#include "${made}/base/b_test.cc"
}
`);
});
