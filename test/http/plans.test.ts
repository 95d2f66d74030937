/** A client that changes to another plan has used as much of it as if it had always had that plan. */
import { setTimeout as delay } from 'node:timers/promises';
import { Limiter, type LimiterOptions, ManualClock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { closedAfterEach } from './closing.js';
import { frameworks, type SharedOptions } from './frameworks.js';

const closing = closedAfterEach();
async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(1);
}

/** Limits for a minute. made() adds a depth tier, whose depth is 0 when all requests have ended. */
const kinds: Record<string, (limit: number) => LimiterOptions> = {
  'exact windows': (limit) => ({ slidingWindow: { limit, windowMs: 60_000, exact: true } }),
  windows: (limit) => ({ slidingWindow: { limit, windowMs: 60_000 } }),
  buckets: (burst) => ({ tokenBucket: { ratePerSecond: burst / 60, burst } }),
};

describe.each(Object.entries(frameworks))('plans: %s', (_name, start) => {
  const serve = async (options: SharedOptions & { plans: readonly Limiter[] }) => {
    let chosen = options.plans[0] as Limiter;
    const slow: Array<() => void> = [];
    const answer = async (path: string) => {
      if (path === '/slow') await new Promise<void>((resolve) => slow.push(resolve));
      return { status: path === '/bad' ? 404 : 200, body: 'fine' };
    };
    const running = await start({ limiter: () => chosen, ...options }, answer);
    closing.push(running);
    const ask = async (path = '/') => {
      const response = await fetch(running.url + path);
      await response.arrayBuffer();
      return response.status;
    };
    const ended = () => until(() => options.plans.every((one) => one.stats().inFlight === 0));
    /** Returns how many of `count` requests pass that are sent one after the other. */
    const passed = async (count: number, path = '/') => {
      let passes = 0;
      for (let i = 0; i < count; i++) {
        if ((await ask(path)) !== 429) passes++;
        await ended();
      }
      return passes;
    };
    const change = (to: Limiter) => {
      chosen = to;
    };
    return { ask, slow, ended, passed, change };
  };
  const made = (kind: keyof typeof kinds, keyed = true) => {
    const clock = new ManualClock();
    const keys = keyed ? { keys: { max: 10 } } : {};
    const of = (limit: number) =>
      Limiter.create({ ...kinds[kind]?.(limit), queueDepth: { max: 50 }, ...keys, clock });
    return { clock, free: of(4), pro: of(10) };
  };

  it.each(Object.keys(kinds))('keep what was used, up and down: %s', async (kind) => {
    const { clock, free, pro } = made(kind);
    const { passed, change } = await serve({ plans: [free, pro], key: () => 'ann' });
    expect(await passed(5)).toBe(4);
    change(pro);
    expect(await passed(8)).toBe(6); // 10 less the 4 that were used
    change(free);
    expect(await passed(2)).toBe(0);
    change(pro);
    expect(await passed(1)).toBe(0);
    clock.advance(130_000);
    expect(await passed(5)).toBe(5);
    change(free);
    expect(await passed(1)).toBe(0); // four of the five requests fill the free plan
    clock.advance(130_000);
    expect(await passed(6)).toBe(4);
  });

  it('forget what was used when its time has come, not later', async () => {
    const { clock, free, pro } = made('exact windows');
    const { passed, change } = await serve({ plans: [free, pro], key: () => 'ann' });
    expect(await passed(2)).toBe(2);
    clock.advance(30_000);
    change(pro);
    expect(await passed(3)).toBe(3);
    clock.advance(30_000); // the first two are a minute old
    change(free);
    expect(await passed(5)).toBe(2); // two of the three younger requests found room in the free plan, too
  });

  it('of one key do not count for another', async () => {
    const { free, pro } = made('buckets');
    let key = 'ann';
    const { passed, change } = await serve({ plans: [free, pro], key: () => key });
    expect(await passed(5)).toBe(4);
    key = 'bob';
    change(pro);
    expect(await passed(11)).toBe(10);
  });

  it('are given back together what a response gives back', async () => {
    const { free, pro } = made('exact windows', false);
    const { passed, change } = await serve({ plans: [free, pro], count: 'failed' });
    expect(await passed(6)).toBe(6);
    expect([free.peek().remaining, pro.peek().remaining]).toEqual([4, 10]);
    change(pro);
    expect(await passed(3, '/bad')).toBe(3);
    expect([free.peek().remaining, pro.peek().remaining]).toEqual([1, 7]);
  });

  it('are charged together a cost that is known in the end', async () => {
    const { free, pro } = made('exact windows', false);
    let final = 3;
    const { passed } = await serve({ plans: [free, pro], cost: 2, finalCost: () => final });
    expect(await passed(1)).toBe(1);
    expect([free.peek().remaining, pro.peek().remaining]).toEqual([1, 7]);
    final = 1;
    free.reset();
    pro.reset();
    expect(await passed(1)).toBe(1);
    expect([free.peek().remaining, pro.peek().remaining]).toEqual([3, 9]);
  });

  it('hold one depth', async () => {
    const of = (max: number) => Limiter.create({ queueDepth: { max } });
    const [free, pro] = [of(1), of(3)];
    const { ask, slow, ended, change } = await serve({ plans: [free, pro] });
    const first = ask('/slow');
    await until(() => slow.length === 1);
    change(pro);
    const others = [ask('/slow'), ask('/slow')];
    await until(() => slow.length === 3);
    expect(await ask()).toBe(429);
    change(free);
    expect(await ask()).toBe(429);
    for (const answer of slow) answer();
    expect(await Promise.all([first, ...others])).toEqual([200, 200, 200]);
    await ended();
    expect(await ask()).toBe(200);
  });

  it('are all that a function may choose', async () => {
    const { free, pro } = made('buckets', false);
    const { ask, change } = await serve({ plans: [free, pro] });
    change(made('buckets', false).free);
    expect(await ask()).toBe(500);
    expect(free.stats().allowed + pro.stats().allowed).toBe(0);
  });
});
