/** The limiters' decisions as handlers can read them. */
import { Limiter, ManualClock } from 'sluice';
import { rateLimitOf } from 'sluice/fetch';
import { limit } from 'sluice/http';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { closedAfterEach } from './closing.js';
import { frameworks, type SharedOptions } from './frameworks.js';
import { items } from './items.js';

const closing = closedAfterEach();

describe.each(Object.entries(frameworks))('handlers find what limiters have decided: %s', (_name, start) => {
  const asked = async (options: SharedOptions, ...further: SharedOptions[]) => {
    let lists: unknown;
    const answer = async (_path: string, rateLimits: unknown) => {
      lists = rateLimits;
      return { status: 200, body: 'fine' };
    };
    const running = await start(options, answer, ...further);
    closing.push(running);
    const response = await fetch(running.url);
    await response.arrayBuffer();
    expect(response.status).toBe(200);
    return { list: lists, headers: response.headers };
  };
  const found = async (...options: [SharedOptions, ...SharedOptions[]]): Promise<unknown> =>
    (await asked(...options)).list;

  it('one item for each tier, with limit, what is left and the time until more is', async () => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 8, burst: 5 },
      slidingWindow: { limit: 7, windowMs: 2_500, exact: true },
      queueDepth: { max: 3 },
      clock: new ManualClock(),
    });
    expect(await found({ limiter, cost: 2, name: 'buy' })).toEqual([
      { name: 'buy-bucket', allowed: true, limit: 5, remaining: 3, resetMs: 125 },
      { name: 'buy-window', allowed: true, limit: 7, remaining: 5, resetMs: 2_500 },
      { name: 'buy-concurrency', allowed: true, limit: 3, remaining: 1, resetMs: Infinity },
    ]);
  });

  it('of several limiters in their order, also where clients are told of none', async () => {
    const bucket = (burst: number) =>
      Limiter.create({ tokenBucket: { ratePerSecond: 1, burst }, clock: new ManualClock() });
    const [all, own, last] = [bucket(9), bucket(5), bucket(2)];
    const list = await found(
      { limiter: all, name: 'all', headers: false },
      { limiter: own, headers: false },
      { limiter: last },
    );
    expect(list).toMatchObject([
      { name: 'all', remaining: 8 },
      { name: 'bucket', remaining: 4 },
      { name: 'bucket-2', remaining: 1 },
    ]);
  });

  it('by the names that the header fields have', async () => {
    const bucket = () =>
      Limiter.create({ tokenBucket: { ratePerSecond: 1, burst: 9 }, clock: new ManualClock() });
    const [outer, inner] = [bucket(), bucket()];
    inner.penalty(4);
    const { list, headers } = await asked({ limiter: outer }, { limiter: inner });
    expect(list).toMatchObject([
      { name: 'bucket', remaining: 8 },
      { name: 'bucket-2', remaining: 4 },
    ]);
    const fields = items(headers.get('RateLimit'));
    expect(fields.toSorted()).toMatchObject([
      ['bucket', { r: 8 }],
      ['bucket-2', { r: 4 }],
    ]);
  });

  it('what a dry run would have refused', async () => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1, burst: 1 },
      slidingWindow: { limit: 3, windowMs: 1_000, exact: true },
      enforce: false,
      clock: new ManualClock(),
    });
    limiter.penalty(1);
    expect(await found({ limiter })).toMatchObject([
      { name: 'bucket', allowed: false, remaining: 0 },
      { name: 'window', allowed: true, remaining: 2 },
    ]);
  });

  it('until when a block would refuse in a dry run', async () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1, burst: 1 }, enforce: false, clock });
    limiter.block(undefined, 5_000);
    expect(await found({ limiter })).toEqual([
      { name: 'bucket', allowed: false, limit: 1, remaining: 0, resetMs: 5_000 },
    ]);
  });
});

describe('the list', () => {
  it('is the request’s own, whatever Object.prototype has or others have put there', () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1, burst: 9 }, clock: new ManualClock() });
    const middleware = limit({ limiter, headers: false });
    const request = Object.assign(Object.create(null), { socket: {}, headers: {}, rateLimit: { limit: 1 } });
    const response = { getHeader: () => undefined, req: request, once: () => response };
    const polluted: unknown[] = [];
    Object.defineProperty(Object.prototype, 'rateLimit', { value: polluted, configurable: true });
    try {
      middleware(request, mistyped(response), () => {});
    } finally {
      Reflect.deleteProperty(Object.prototype, 'rateLimit');
    }
    expect(request.rateLimit).toMatchObject([{ name: 'bucket', remaining: 8 }]);
    expect(polluted).toEqual([]);
  });

  it('of a Request that no limiter was asked about is empty', () => {
    expect(rateLimitOf(new Request('http://localhost/'))).toEqual([]);
  });
});
