/** Requests that wait instead of being refused. */
import { setTimeout as delay } from 'node:timers/promises';
import { Limiter, ManualClock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { closedAfterEach } from './closing.js';
import { frameworks, type SharedOptions } from './frameworks.js';

const closing = closedAfterEach();
async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(1);
}

describe.each(Object.entries(frameworks))('delay: %s', (_name, start) => {
  const serve = async (options: SharedOptions, more: object = {}) => {
    const clock = new ManualClock();
    const tokenBucket = { ratePerSecond: 1, burst: 2 };
    const limiter = Limiter.create({ tokenBucket, queueDepth: { max: 50 }, clock, ...more });
    const handled: string[] = [];
    const answer = async (path: string) => {
      handled.push(path);
      return { status: 200, body: 'fine' };
    };
    const running = await start({ limiter, delay: { maxMs: 5_000 }, ...options }, answer);
    closing.push(running);
    const ask = async (path = '/', init: RequestInit = {}) => {
      const response = await fetch(running.url + path, init);
      await response.arrayBuffer();
      return response;
    };
    const waiting = (count: number) => until(() => limiter.stats().waiting === count);
    return { clock, limiter, handled, ask, waiting };
  };

  it('serves waiting requests in their order, with the fields of the moment', async () => {
    const { clock, limiter, handled, ask, waiting } = await serve({});
    for (const remaining of [1, 0]) {
      const { status, headers } = await ask();
      expect([status, headers.get('ratelimit')?.split(',')[0]]).toEqual([200, `"bucket";r=${remaining};t=1`]);
    }
    const answers: Array<Promise<Response>> = [];
    for (const path of ['/a', '/b', '/c']) {
      answers.push(ask(path));
      await waiting(answers.length);
    }
    expect(handled).toEqual(['/', '/']);
    for (const [i, path] of ['/a', '/b', '/c'].entries()) {
      clock.advance(1_000);
      const response = (await answers[i]) as Response;
      expect([response.status, response.headers.get('ratelimit')?.split(',')[0]]).toEqual([
        200,
        '"bucket";r=0;t=1',
      ]);
      expect(response.headers.has('retry-after')).toBe(false);
      expect(handled.at(-1)).toBe(path);
    }
    await until(() => limiter.stats().inFlight === 0);
  });

  it('refuses at once a request that cannot be served in time, or finds too many waiting', async () => {
    const { limiter, ask, waiting, clock } = await serve({ cost: 2 }, { maxWaiting: 2 });
    await ask();
    const served = ask();
    await waiting(1);
    const second = ask();
    await waiting(2);
    // two are waiting, and the third would have to wait for six seconds
    expect((await ask()).status).toBe(429);
    clock.advance(2_000);
    expect((await served).status).toBe(200);
    clock.advance(2_000);
    expect((await second).status).toBe(200);
    expect(limiter.stats()).toMatchObject({ allowed: 3, waiting: 0 });
  });

  it('refuses a request that has waited its time, and says when to come again', async () => {
    const { limiter, ask, waiting, clock } = await serve(
      { delay: true },
      { tokenBucket: undefined, queueDepth: { max: 1 } },
    );
    limiter.allow();
    const refused = ask();
    await waiting(1);
    clock.advance(5_000);
    const { status, headers } = await refused;
    expect([status, headers.get('retry-after')]).toEqual([429, '1']);
    expect(limiter.stats()).toMatchObject({ waiting: 0, inFlight: 1 });
  });

  it('removes the waiter of a client that goes away, and charges the client nothing', async () => {
    const { limiter, handled, ask, waiting, clock } = await serve({});
    await ask();
    await ask();
    const controller = new AbortController();
    const gone = ask('/gone', { signal: controller.signal }).catch(() => undefined);
    await waiting(1);
    const stays = ask('/stays');
    await waiting(2);
    controller.abort();
    await gone;
    await waiting(1);
    clock.advance(1_000);
    expect((await stays).status).toBe(200);
    expect(handled).toEqual(['/', '/', '/stays']);
    await until(() => limiter.stats().inFlight === 0);
    expect(limiter.stats().allowed).toBe(3);
    expect(limiter.peek().remaining).toBe(0);
  });

  it('does not let a client wait without being asked to', async () => {
    for (const options of [{ delay: false }, { delay: mistyped(undefined) }]) {
      const { ask } = await serve(options, { tokenBucket: { ratePerSecond: 1, burst: 1 } });
      expect([(await ask()).status, (await ask()).status]).toEqual([200, 429]);
    }
  });
});
