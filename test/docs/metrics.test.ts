import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { metrics } from '../../dist/observe/metric-table.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

it('docs/guide/observability.md lists every metric with its type, and no other', () => {
  const guide = readFileSync(`${root}docs/guide/observability.md`, 'utf8');
  const listed = [...guide.matchAll(/^\| (`sluice_.*) \| (counter|gauge|histogram) \|/gm)].flatMap(
    ([, names = '', type]) => names.split(', ').map((name) => `${name.replaceAll('`', '')} ${type}`),
  );
  expect(listed.sort()).toEqual(metrics.map(({ name, type }) => `${name} ${type}`).sort());
});
