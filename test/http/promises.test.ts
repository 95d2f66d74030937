/** Options that are functions and answer later, and the limiters that they choose. */
import { type IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Limiter, ManualClock } from 'sluice';
import { limit } from 'sluice/http';
import { describe, expect, it, vi } from 'vitest';
import { mistyped } from '../mistyped.js';
import { closedAfterEach } from './closing.js';
import { frameworks, type Running, type SharedOptions } from './frameworks.js';
import { clientGone } from './leaving.js';

const closing = closedAfterEach();
async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(1);
}
const bucket = (burst: number) => ({
  tokenBucket: { ratePerSecond: 1e-6, burst },
  clock: new ManualClock(),
});

describe.each(Object.entries(frameworks))('%s', (_name, start) => {
  let handled = 0;
  const serve = async (options: SharedOptions, ...further: SharedOptions[]): Promise<Running> => {
    handled = 0;
    const answer = async () => {
      handled++;
      return { status: 200, body: 'fine' };
    };
    const running = await start(options, answer, ...further);
    closing.push(running);
    return running;
  };
  const status = async ({ url }: Running, init: RequestInit = {}): Promise<number> => {
    const response = await fetch(url, init);
    await response.arrayBuffer();
    return response.status;
  };

  it('waits for promises of skip, limiter, key and cost', async () => {
    const limiter = Limiter.create({ ...bucket(5), keys: { max: 10 } });
    const asked: string[] = [];
    const later = async <T>(name: string, value: T): Promise<T> => {
      await delay(1);
      asked.push(name);
      return value;
    };
    let skipped = false;
    const running = await serve({
      skip: () => later('skip', skipped),
      limiter: () => later('limiter', limiter),
      key: () => later('key', 'ann'),
      cost: () => later('cost', 3),
    });
    expect([await status(running), await status(running)]).toEqual([200, 429]);
    expect(asked.slice(0, 4)).toEqual(['skip', 'limiter', 'key', 'cost']);
    expect(limiter.peek({ key: 'ann' }).remaining).toBe(2);
    skipped = true;
    expect(await status(running)).toBe(200);
    expect(handled).toBe(2);
  });

  it('a request that is decided by promises is decided once', async () => {
    const limiter = Limiter.create(bucket(5));
    const running = await serve({ limiter, cost: async () => 2 }, { limiter, cost: async () => 2 });
    expect(await status(running)).toBe(200);
    expect(limiter.peek().remaining).toBe(3);
  });

  it('answers an error, charging nothing, where a promise is rejected or resolves to nothing usable', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 50 }, keys: { max: 9 } });
    const failing = async (): Promise<never> => {
      throw new Error('option');
    };
    const hopeless: SharedOptions[] = [
      { skip: failing },
      { skip: mistyped(async () => 'no') },
      { limiter: failing },
      { limiter: mistyped(async () => ({})) },
      { limiter: mistyped(() => null) },
      { key: failing },
      { key: mistyped(async () => ({})) },
      { cost: failing },
      { cost: async () => Number.NaN },
      { cost: mistyped(async () => '1') },
    ];
    for (const options of hopeless) {
      expect(await status(await serve({ limiter, key: () => 'ann', ...options }))).toBe(500);
      expect(handled).toBe(0);
    }
    expect(limiter.stats()).toMatchObject({ allowed: 0, inFlight: 0 });
  });

  // Frameworks treat some of these values as no error, and would handle the request.
  it.each([undefined, null, 0, '', 'route', 'router'])(
    'handles no request whose options throw %o',
    async (value) => {
      const limiter = Limiter.create(bucket(5));
      const thrower = (): never => {
        throw value;
      };
      const rejecter = async (): Promise<never> => thrower();
      for (const failing of [thrower, rejecter]) {
        for (const options of [{ skip: failing }, { cost: failing }, { limiter: failing }]) {
          expect(await status(await serve({ limiter, ...options }))).toBe(500);
        }
        const refuse = mistyped(failing);
        const running = await serve({ limiter: Limiter.create(bucket(1)), refuse });
        expect([await status(running), await status(running)].at(-1)).toBeOneOf([429, 500]);
        expect(handled).toBe(1);
      }
      expect(limiter.stats().allowed).toBe(0);
    },
  );

  it('charges no client that has gone away meanwhile, and handles its request no further', async () => {
    const limiter = Limiter.create({ ...bucket(5), queueDepth: { max: 50 } });
    const controller = new AbortController();
    let leaves = true;
    const running = await serve({
      limiter,
      cost: async (subject) => {
        if (!leaves) return 1;
        leaves = false;
        controller.abort();
        await clientGone(subject);
        return 1;
      },
    });
    expect(await status(running, { signal: controller.signal }).catch(() => 0)).toBe(0);
    expect(await status(running)).toBe(200);
    await until(() => limiter.stats().inFlight === 0);
    expect(limiter.stats().allowed).toBe(1);
    expect(handled).toBe(1);
  });

  it('charges nothing if the client left while earlier middleware was at work, and does not handle its request', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 50 }, ...bucket(5), keys: { max: 10 } });
    const controller = new AbortController();
    let leaves = true;
    const middleware: SharedOptions = {
      skip: async (subject) => {
        if (!leaves) return true;
        leaves = false;
        controller.abort();
        await clientGone(subject);
        return true;
      },
    };
    const running = await serve(middleware, { limiter, key: () => 'ann' });
    expect(await status(running, { signal: controller.signal }).catch(() => 0)).toBe(0);
    expect(await status(running)).toBe(200);
    await until(() => limiter.stats().inFlight === 0);
    expect(limiter.stats().allowed).toBe(1);
    expect(limiter.peek({ key: 'ann' }).remaining).toBe(4);
    expect(handled).toBe(1);
  });

  it('limits by the limiter that a function chooses, and not at all without one', async () => {
    const large = Limiter.create(bucket(2));
    const small = Limiter.create(bucket(1));
    let chosen: Limiter | undefined = small;
    const running = await serve({ limiter: () => chosen });
    expect([await status(running), await status(running)]).toEqual([200, 429]);
    chosen = large;
    expect([await status(running), await status(running), await status(running)]).toEqual([200, 200, 429]);
    chosen = undefined;
    expect(await status(running)).toBe(200);
  });
});

describe('limit', () => {
  it('decides at once where no function returns a promise', async () => {
    const limiter = Limiter.create({ ...bucket(5), keys: { max: 5 } });
    const request: IncomingMessage = mistyped({ socket: { remoteAddress: '192.0.2.1' }, headers: {} });
    const response = new ServerResponse(request);
    const nexts: unknown[] = [];
    const next = (error?: unknown) => nexts.push(error);
    limit({ limiter: () => limiter, key: () => 'ann', cost: () => 1, skip: () => false })(
      request,
      response,
      next,
    );
    expect(nexts).toEqual([undefined]);
    const { prototype } = Promise;
    const then = vi.spyOn(prototype, 'then');
    limit({ limiter, key: () => 'bob' })(request, response, next);
    const thens = then.mock.calls.length;
    then.mockRestore();
    expect(thens).toBe(0);
    expect(nexts).toEqual([undefined, undefined]);
    limit({ limiter, key: async () => 'eve' })(request, response, next);
    expect(nexts).toHaveLength(2);
    await until(() => nexts.length === 3);
    expect(nexts[2]).toBeUndefined();
  });
});
