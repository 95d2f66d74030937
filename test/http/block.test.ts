/** Limits that block clients which go on asking after refusals. */
import { Limiter, ManualClock } from 'sluice';
import type { RefusalInfo } from 'sluice/http';
import { describe, expect, it } from 'vitest';
import { closedAfterEach } from './closing.js';
import { frameworks, type SharedOptions } from './frameworks.js';

const closing = closedAfterEach();
const block = { afterRefusals: 3, withinMs: 3_600_000, forMs: 120_000 };

describe.each(Object.entries(frameworks))('block: %s', (_name, start) => {
  const serve = async (options: SharedOptions, more: object = {}) => {
    const clock = new ManualClock();
    const tokenBucket = { ratePerSecond: 1, burst: 1 };
    const limiter = Limiter.create({ tokenBucket, keys: { max: 50 }, clock, ...more });
    const infos: RefusalInfo[] = [];
    const subject = { key: 'ann' };
    const running = await start(
      { limiter, key: () => subject.key, block, onRefused: (info) => infos.push(info), ...options },
      async () => ({ status: 200, body: 'fine' }),
    );
    closing.push(running);
    const ask = async () => {
      const response = await fetch(running.url);
      await response.arrayBuffer();
      return response;
    };
    const statuses = async (count: number) => {
      const all: number[] = [];
      for (let i = 0; i < count; i++) all.push((await ask()).status);
      return all;
    };
    return { clock, limiter, infos, subject, ask, statuses };
  };

  it('blocks a client that was refused once too often, and says for how long', async () => {
    const { clock, infos, ask, statuses } = await serve({});
    expect(await statuses(3)).toEqual([200, 429, 429]);
    const last = await ask();
    expect([last.status, last.headers.get('retry-after')]).toEqual([429, '120']);
    expect(last.headers.get('ratelimit')).toMatch(/^"bucket";r=0;t=120;/);
    expect(infos.map(({ tier, blockedMs, retryAfterMs }) => [tier, blockedMs, retryAfterMs])).toEqual([
      ['token-bucket', 0, 1_000],
      ['token-bucket', 0, 1_000],
      ['token-bucket', 120_000, 120_000],
    ]);
    clock.advance(60_000);
    expect((await ask()).headers.get('retry-after')).toBe('60');
    expect(infos.at(-1)).toMatchObject({ tier: 'blocked', blockedMs: 0 });
    clock.advance(60_000);
    // After the block the count begins again: refusals during the block do not count.
    expect(await statuses(3)).toEqual([200, 429, 429]);
    clock.advance(1_000);
    expect(await statuses(1)).toEqual([200]);
  });

  it('blocks no other client, and ends by a reset', async () => {
    const { limiter, subject, statuses } = await serve({});
    expect(await statuses(5)).toEqual([200, 429, 429, 429, 429]);
    subject.key = 'bob';
    expect(await statuses(1)).toEqual([200]);
    subject.key = 'ann';
    limiter.reset('ann');
    expect(await statuses(2)).toEqual([200, 429]);
  });

  it('does not count refusals of a cost that is too large, nor those of a dry run', async () => {
    const { clock, limiter, statuses } = await serve({ cost: 2, block: { ...block, afterRefusals: 1 } });
    expect(await statuses(2)).toEqual([413, 413]);
    expect(limiter.tryAcquire({ key: 'ann' }).allowed).toBe(true);
    clock.advance(1_000);
    const dry = await serve({ block: { ...block, afterRefusals: 1 } }, { enforce: false });
    expect(await dry.statuses(3)).toEqual([200, 200, 200]);
    dry.limiter.configure({ enforce: true });
    dry.clock.advance(1_000);
    expect(await dry.statuses(1)).toEqual([200]);
  });

  it('blocks a key in all plans', async () => {
    const keys = { max: 9 };
    const of = (burst: number) => Limiter.create({ tokenBucket: { ratePerSecond: 1, burst }, keys });
    const plans = [of(1), of(1_000)];
    let plan = plans[0];
    const { statuses } = await serve({ limiter: () => plan, plans, block: { ...block, afterRefusals: 1 } });
    expect(await statuses(2)).toEqual([200, 429]);
    plan = plans[1];
    expect(await statuses(1)).toEqual([429]);
  });

  it('has no key to block where the chosen limiter has none', async () => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1, burst: 1 },
      clock: new ManualClock(),
    });
    const { infos, statuses } = await serve({
      limiter: () => limiter,
      block: { ...block, afterRefusals: 1 },
    });
    expect(await statuses(3)).toEqual([200, 429, 429]);
    expect(infos.map(({ tier }) => tier)).toEqual(['token-bucket', 'token-bucket']);
  });
});
