import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { closedAfterEach } from '../http/closing.js';
import { type Rival, rivals, type Setup, started, windowMs } from './rivals.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const [, after = ''] = readFileSync(`${root}docs/guide/http.md`, 'utf8').split('\n## Beside the others\n');
/** The table's rows by their first cells. */
const shown = new Map(
  (/^\|[\s\S]*?\n\n/m.exec(after)?.[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('|') && !line.startsWith('|---'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .map(([name = '', ...cells]) => [name, cells] as const),
);
const closing = closedAfterEach();
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function passed(rival: Rival, count: number, address: (i: number) => string): Promise<number> {
  let passes = 0;
  for (let i = 0; i < count; i++) if ((await rival.ask(address(i))).status === 200) passes++;
  return passes;
}
const same = () => '192.0.2.1';

/** For each row of the table, how to observe what it states. */
const rows: Record<string, { readonly setup: Setup; see(rival: Rival): Promise<string> }> = {
  '5 a minute: what passes in the 2 s around the end of a minute': {
    setup: { max: 5 },
    see: async (rival) => {
      await rival.ask();
      rival.pass(windowMs - 1_000);
      const before = await passed(rival, 5, same);
      rival.pass(1_001);
      return String(before + (await passed(rival, 5, same)));
    },
  },
  'the same middleware on the way twice: a request is charged': {
    setup: { max: 10, mounted: 'twice' },
    see: async (rival) => ((await passed(rival, 20, same)) === 10 ? 'once' : 'twice'),
  },
  '3 a minute: what one IPv6 network of 64 bits gets from 20 addresses': {
    setup: { max: 3 },
    see: async (rival) => String(await passed(rival, 20, (i) => `2001:db8:1:2::${i + 1}`)),
  },
  'two limiters, of 5 and of 105: the answer that passes tells of': {
    setup: { max: 5, mounted: 'two limiters' },
    see: async (rival) => {
      const { headers } = await rival.ask();
      const told = Object.entries(headers)
        .filter(([name]) => /ratelimit/.test(name))
        .flatMap(([, value]) => String(value).match(/\d+/g) ?? []);
      return ['5', '105'].filter((limit) => told.includes(limit)).join(' and ') || 'none';
    },
  },
  'a refusal has Retry-After': {
    setup: { max: 1 },
    see: async (rival) => {
      await rival.ask();
      const { status, headers } = await rival.ask();
      expect(status).toBe(429);
      return headers['retry-after'] === undefined ? 'no' : `${headers['retry-after']} s`;
    },
  },
  'a client is refused; 5,100 others come; it asks again': {
    setup: { max: 1 },
    see: async (rival) => {
      await passed(rival, 2, same);
      await passed(rival, 5_100, (i) => `198.18.${i >> 8}.${i & 255}`);
      return (await rival.ask()).status === 429 ? 'refused' : 'passes';
    },
  },
};

describe('docs/guide/http.md states what is observed of each limiter:', () => {
  it('their names and versions, in rows that are all run', () => {
    const { dependencies } = JSON.parse(readFileSync(`${root}test/package.json`, 'utf8'));
    const named = rivals.map((name) => (name === 'sluice' ? name : `${name} ${dependencies[name]}`));
    expect([...shown]).toHaveLength(Object.keys(rows).length + 1);
    expect(shown.get('')).toEqual(named);
  });

  // One row makes 36,000 requests, one after the other.
  it.each(Object.entries(rows))('%s', { timeout: 480_000 }, async (name, { setup, see }) => {
    const seen: string[] = [];
    for (const rival of rivals) {
      const running = await started(rival, setup);
      closing.push(running);
      seen.push(await see(running));
    }
    expect(shown.get(name)).toEqual(seen);
  });
});
