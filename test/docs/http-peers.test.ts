import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { closedAfterEach } from '../http/closing.js';
import { type Peer, peers, type Setup, started, windowMs } from './peers.js';

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

async function passed(peer: Peer, count: number, address: (i: number) => string): Promise<number> {
  let passes = 0;
  for (let i = 0; i < count; i++) if ((await peer.ask(address(i))).status === 200) passes++;
  return passes;
}
const same = () => '192.0.2.1';

/** What each row of the table tells, as it is seen. */
const rows: Record<string, { readonly setup: Setup; see(peer: Peer): Promise<string> }> = {
  '5 a minute: what passes in the 2 s around the end of a minute': {
    setup: { max: 5 },
    see: async (peer) => {
      await peer.ask();
      peer.pass(windowMs - 1_000);
      const before = await passed(peer, 5, same);
      peer.pass(1_001);
      return String(before + (await passed(peer, 5, same)));
    },
  },
  'the same middleware on the way twice: a request is charged': {
    setup: { max: 10, mounted: 'twice' },
    see: async (peer) => ((await passed(peer, 20, same)) === 10 ? 'once' : 'twice'),
  },
  '3 a minute: what one IPv6 network of 64 bits gets from 20 addresses': {
    setup: { max: 3 },
    see: async (peer) => String(await passed(peer, 20, (i) => `2001:db8:1:2::${i + 1}`)),
  },
  'two limiters, of 5 and of 105: the answer that passes tells of': {
    setup: { max: 5, mounted: 'two limiters' },
    see: async (peer) => {
      const { headers } = await peer.ask();
      const told = Object.entries(headers)
        .filter(([name]) => /ratelimit/.test(name))
        .flatMap(([, value]) => String(value).match(/\d+/g) ?? []);
      return ['5', '105'].filter((limit) => told.includes(limit)).join(' and ') || 'none';
    },
  },
  'a refusal has Retry-After': {
    setup: { max: 1 },
    see: async (peer) => {
      await peer.ask();
      const { status, headers } = await peer.ask();
      expect(status).toBe(429);
      return headers['retry-after'] === undefined ? 'no' : `${headers['retry-after']} s`;
    },
  },
  'a client is refused; 5,100 others come; it asks again': {
    setup: { max: 1 },
    see: async (peer) => {
      await passed(peer, 2, same);
      await passed(peer, 5_100, (i) => `198.18.${i >> 8}.${i & 255}`);
      return (await peer.ask()).status === 429 ? 'refused' : 'passes';
    },
  },
};

describe('docs/guide/http.md says of the others what is seen:', () => {
  it('their names and versions, in rows that are all run', () => {
    const { devDependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
    const named = peers.map((name) => (name === 'sluice' ? name : `${name} ${devDependencies[name]}`));
    expect([...shown]).toHaveLength(Object.keys(rows).length + 1);
    expect(shown.get('')).toEqual(named);
  });

  it.each(Object.entries(rows))('%s', async (name, { setup, see }) => {
    const seen: string[] = [];
    for (const peer of peers) {
      const running = await started(peer, setup);
      closing.push(running);
      seen.push(await see(running));
    }
    expect(shown.get(name)).toEqual(seen);
  });
});
