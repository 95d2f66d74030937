import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

it('docs/guide/observability.md lists every diagnostics channel of lib/, and no other', () => {
  const lib = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(root, 'lib', name), 'utf8'))
    .join('\n');
  const made = [...lib.matchAll(/\b(tracingC|c)hannel(?:<[^(]*>)?\('([^']+)'\)/g)].map(([, kind, name]) =>
    kind === 'c' ? name : `tracing:${name}`,
  );
  const guide = readFileSync(join(root, 'docs/guide/observability.md'), 'utf8');
  const rows = guide
    .match(/^\| `.*/gm)
    ?.map((row) => row.split('|')[1] ?? '')
    .join();
  const listed = [...(rows ?? '').matchAll(/`((?:tracing:)?sluice:[a-z:-]+)`/g)].map(([, name]) => name);
  expect(made.length).toBeGreaterThan(15);
  expect(listed.sort()).toEqual(made.sort());
});
