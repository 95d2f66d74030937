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

/** Names of metrics in a text, as Prometheus queries have them. */
function namesIn(text: string): string[] {
  return [...text.matchAll(/\bsluice_(?:queue|gate|limiter|stock)_[a-z_]+/g)].map(([name]) => name);
}

/** The names that the exporter writes, those of the parts of histograms included. */
const exported = new Set(
  metrics.flatMap(({ name, type }) =>
    type === 'histogram' ? ['', '_bucket', '_sum', '_count'].map((suffix) => name + suffix) : [name],
  ),
);

it('the Grafana board and the guide query only metrics that the exporter has, and the board all of them', () => {
  const board = namesIn(readFileSync(`${root}examples/grafana/sluice.json`, 'utf8'));
  const guide = namesIn(readFileSync(`${root}docs/guide/observability.md`, 'utf8'));
  expect(board.concat(guide).filter((name) => !exported.has(name))).toEqual([]);
  const shown = metrics.filter(({ name }) => board.some((used) => used.startsWith(name)));
  expect(shown.map(({ name }) => name)).toEqual(metrics.map(({ name }) => name));
});

it('a selector of the board and of the guide names only labels and values that the exporter has', () => {
  const texts = ['examples/grafana/sluice.json', 'docs/guide/observability.md'].map((file) =>
    readFileSync(`${root}${file}`, 'utf8').replaceAll('\\"', '"'),
  );
  const selectors = texts.flatMap((text) => [...text.matchAll(/(sluice_[a-z_]+)\{([a-z]+)=~?"([^"]+)"\}/g)]);
  const rows = new Map(
    [...(texts[1] ?? '').matchAll(/^\| (`sluice_.*) \| \w+ \| (.*) \|$/gm)].flatMap(
      ([, names = '', labels]) => names.split(', ').map((name) => [name.replaceAll('`', ''), labels ?? '']),
    ),
  );
  expect(selectors.length).toBeGreaterThan(5);
  for (const [, name = '', label = '', values = ''] of selectors) {
    const labels = rows.get(name.replace(/_bucket$/, '')) ?? '';
    expect(labels, name).toContain(`\`${label}\``);
    if (label !== 'le') for (const value of values.split('|')) expect(labels, name).toContain(value);
  }
});
