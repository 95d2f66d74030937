import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parser } from '@prometheus-io/lezer-promql';
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
    readFileSync(`${root}${file}`, 'utf8').replaceAll('\\"', '"').replaceAll('\\|', '|'),
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

/** Returns the places at which a query is no PromQL. Grafana fills in its own variables first. */
function faultsOf(query: string): string[] {
  const text = query.replaceAll('$__rate_interval', '5m').replaceAll('$__range', '1h');
  const faults: string[] = [];
  parser.parse(text).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) faults.push(`${text.slice(0, from)}>>>${text.slice(from, to)}`);
    },
  });
  return text === '' ? ['an empty query'] : faults;
}

it('tells PromQL from what is none', () => {
  expect(faultsOf('sum by (le) (rate(a_bucket{b="c"}[$__rate_interval])) > 0.5 and b == 0')).toEqual([]);
  for (const bad of ['', 'rate(a[5m)', 'sum by a', 'a{b=c}', 'a > ', 'rate(a[$interval])', 'a )'])
    expect(faultsOf(bad), bad).not.toEqual([]);
});

it('every expression of the guide to alerts is PromQL', () => {
  const guide = readFileSync(`${root}docs/guide/observability.md`, 'utf8');
  const [, alerts = ''] = /\n## What to alert on\n([\s\S]*?)\n## /.exec(guide) ?? [];
  // A bar in the cell of a table is written with a backslash.
  const cells = alerts
    .split('\n')
    .map((row) => row.split(/(?<!\\)\|/).map((cell) => cell.replaceAll('\\|', '|')));
  const rows = cells.filter((row) => row.length > 1);
  expect(new Set(rows.map((row) => row.length))).toEqual(new Set([5]));
  const queries = rows.slice(2).map(([, , query = '']) => /`([^`]+)`/.exec(query)?.[1] ?? '');
  expect(queries.length).toBeGreaterThan(5);
  for (const query of queries) expect(faultsOf(query), query).toEqual([]);
});

interface Panel {
  id: number;
  type: string;
  title: string;
  datasource: unknown;
  gridPos: { x: number; y: number; w: number; h: number };
  targets: Array<{ refId: string; expr: string; datasource: unknown }>;
}

it('the Grafana board has what Grafana needs: panels side by side, a data source to choose, PromQL', () => {
  const board = JSON.parse(readFileSync(`${root}examples/grafana/sluice.json`, 'utf8'));
  expect(board).toMatchObject({
    title: 'sluice',
    uid: expect.stringMatching(/^[\w-]{1,40}$/),
    schemaVersion: expect.any(Number),
    time: { from: expect.stringMatching(/^now-/), to: 'now' },
    templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus' }] },
  });
  const datasource = { type: 'prometheus', uid: `\${${board.templating.list[0].name}}` };
  const panels = board.panels as Panel[];
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = new Set<string>();
  for (const { type, title, datasource: of, gridPos, targets } of panels) {
    expect(['timeseries', 'stat', 'gauge', 'bargauge', 'heatmap', 'table'], title).toContain(type);
    expect(of, title).toEqual(datasource);
    const { x, y, w, h } = gridPos;
    expect(x >= 0 && w > 0 && h > 0 && x + w <= 24, title).toBe(true);
    for (let i = x; i < x + w; i++) {
      for (let j = y; j < y + h; j++) {
        expect(cells.has(`${i} ${j}`), `${title} overlaps another panel`).toBe(false);
        cells.add(`${i} ${j}`);
      }
    }
    expect(targets.length, title).toBeGreaterThan(0);
    expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
    for (const { expr, datasource: own } of targets) {
      expect(own, title).toEqual(datasource);
      expect(faultsOf(expr), `${title}: ${expr}`).toEqual([]);
    }
  }
});
