/** What a request is charged in the end: `count` as a function, and a cost that is known only after the response. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as delay } from 'node:timers/promises';
import { Limiter, ManualClock } from 'sluice';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mistyped } from '../mistyped.js';
import { closedAfterEach } from './closing.js';
import { frameworks, type SharedOptions } from './frameworks.js';

const closing = closedAfterEach();
const failures: Array<{ option: string; error: Error }> = [];
const listener = (message: unknown) => {
  failures.push(message as (typeof failures)[number]);
};
afterEach(() => {
  unsubscribe('sluice:http:callback-failed', listener);
  failures.splice(0);
  vi.restoreAllMocks();
});
function hearFailures(): void {
  subscribe('sluice:http:callback-failed', listener);
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
}
async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(1);
}
/** Limits of ten requests. made() adds a depth tier, whose depth is 0 when all requests have ended. */
const tiers = {
  bucket: { tokenBucket: { ratePerSecond: 1, burst: 10 } },
  window: { slidingWindow: { limit: 10, windowMs: 10_000 } },
  'exact window': { slidingWindow: { limit: 10, windowMs: 10_000, exact: true } },
};
const made = (name: keyof typeof tiers = 'exact window') => {
  const clock = new ManualClock();
  return { clock, limiter: Limiter.create({ ...tiers[name], queueDepth: { max: 100 }, clock }) };
};

describe.each(Object.entries(frameworks))('%s', (_name, start) => {
  const asking = async (limiter: Limiter, options: SharedOptions) => {
    const answer = async (path: string) => {
      if (path === '/throws') throw new Error('handler');
      return { status: path === '/bad' ? 404 : 200, body: 'fine' };
    };
    const running = await start({ limiter, ...options }, answer);
    closing.push(running);
    return async (path = '/', init: RequestInit = {}) => {
      const response = await fetch(running.url + path, init);
      await response.arrayBuffer();
      await until(() => limiter.stats().inFlight === 0);
      return response.status;
    };
  };

  it('count may be a function of the status and the response', async () => {
    const { limiter } = made();
    const responses: unknown[] = [];
    const ask = await asking(limiter, {
      count: (response, status) => {
        responses.push(response);
        return status === 404;
      },
    });
    expect(await ask()).toBe(200);
    expect(limiter.peek().remaining).toBe(10);
    expect(await ask('/bad')).toBe(404);
    expect(limiter.peek().remaining).toBe(9);
    expect(responses.every((one) => typeof one === 'object')).toBe(true);
    const [first] = responses as Array<{ statusCode?: unknown; status?: unknown; res?: { status: unknown } }>;
    expect([first?.res?.status, first?.statusCode, first?.status]).toContain(200);
    expect(await ask('/throws')).toBe(500);
    expect(limiter.peek().remaining).toBe(9);
  });

  it('count gets the status 499 for a client that has gone away', async () => {
    const { limiter } = made();
    const controller = new AbortController();
    const statuses: number[] = [];
    const answer = async () => {
      controller.abort();
      return new Promise<never>(() => {});
    };
    const count = (_response: unknown, status: number) => {
      statuses.push(status);
      return false;
    };
    const running = await start({ limiter, count, cost: 4 }, answer);
    closing.push(running);
    await fetch(running.url, { signal: controller.signal }).catch(() => {});
    await until(() => statuses.length === 1);
    expect(statuses).toEqual([499]);
    expect(limiter.peek().remaining).toBe(10);
  });

  it('a count or a finalCost that fails leaves the request charged, and is reported', async () => {
    hearFailures();
    const failing = (): never => {
      throw new Error('mine');
    };
    const hopeless: SharedOptions[] = [
      { count: failing },
      { count: mistyped(() => 'no') },
      { count: mistyped(async () => false) },
      { finalCost: failing },
      { finalCost: () => -1 },
      { finalCost: () => 0.5 },
      { finalCost: () => 2 ** 32 },
      { finalCost: mistyped(async () => 1) },
    ];
    for (const options of hopeless) {
      const { limiter } = made();
      const ask = await asking(limiter, { ...options, cost: 3 });
      expect(await ask()).toBe(200);
      expect(limiter.peek().remaining).toBe(7);
      expect(failures.splice(0).map(({ option }) => option)).toEqual(Object.keys(options));
    }
  });

  it.each(Object.keys(tiers) as Array<keyof typeof tiers>)(
    'a final cost replaces the first one: %s',
    async (tier) => {
      const { clock, limiter } = made(tier);
      let final = 2;
      const ask = await asking(limiter, { cost: 5, finalCost: () => final });
      expect(await ask()).toBe(200);
      expect(limiter.peek().remaining).toBe(8);
      final = 0;
      await ask();
      expect(limiter.peek().remaining).toBe(8);
      final = 5;
      await ask();
      expect(limiter.peek().remaining).toBe(3);
      clock.advance(20_000);
      final = 13; // more than is left: the limiter is in debt
      await ask();
      expect(limiter.peek().remaining).toBe(0);
      expect(await ask()).toBe(429);
      if (tier !== 'bucket') return;
      clock.advance(3_000);
      expect(limiter.peek().remaining).toBe(0);
      clock.advance(1_000);
      expect(limiter.peek().remaining).toBe(1);
    },
  );

  it('what is given back of a first cost is what is still in force', async () => {
    for (const tier of ['exact window', 'bucket'] as const) {
      const { clock, limiter } = made(tier);
      const answer = async () => {
        clock.advance(12_000); // the request takes longer than its charge lasts
        expect(limiter.tryAcquire({ cost: 6 }).allowed).toBe(true);
        return { status: 200, body: 'fine' };
      };
      const running = await start({ limiter, cost: 10, finalCost: () => 1 }, answer);
      closing.push(running);
      await (await fetch(running.url)).arrayBuffer();
      await until(() => limiter.stats().inFlight === 6);
      expect(limiter.peek().remaining).toBe(4);
    }
  });

  it('a response that does not count has no final cost', async () => {
    const { limiter } = made();
    let asked = 0;
    const finalCost = () => {
      asked++;
      return 9;
    };
    const ask = await asking(limiter, { count: 'failed', finalCost });
    await ask();
    expect([asked, limiter.peek().remaining]).toEqual([0, 10]);
    await ask('/bad');
    expect([asked, limiter.peek().remaining]).toEqual([1, 1]);
  });

  it('a dry run that would have refused charges no final cost', async () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ ...tiers.bucket, queueDepth: { max: 9 }, enforce: false, clock });
    limiter.penalty(10);
    const ask = await asking(limiter, { finalCost: () => 9 });
    expect(await ask()).toBe(200);
    clock.advance(1_000);
    expect(limiter.peek().remaining).toBe(1);
  });
});
