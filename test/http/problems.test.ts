import type { IncomingMessage } from 'node:http';
import { Limiter, ManualClock, Queue, record, u32 } from 'sluice';
import type { LimitOptions } from 'sluice/http';
import { parseList } from 'structured-headers';
import { describe, expect, it } from 'vitest';
import { closedAfterEach } from './closing.js';
import { depth, serving } from './serving.js';

const closing = closedAfterEach();
const serve = serving(closing);

describe('a refusal', () => {
  const refusal = async (limiter: Limiter, options: LimitOptions<IncomingMessage> = {}) => {
    const response = await fetch((await serve({ limiter, problem: true, ...options })).url);
    return { response, problem: (await response.json()) as Record<string, unknown> };
  };
  const clock = new ManualClock();
  const quota = 'https://iana.org/assignments/http-problem-types#quota-exceeded';
  const reduced = 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity';

  it.each([
    [{ tokenBucket: { ratePerSecond: 1 / 86_400, burst: 1 } }, '86400'],
    [{ tokenBucket: { ratePerSecond: 3, burst: 1 } }, '1'],
    [{ tokenBucket: { ratePerSecond: 0.7, burst: 1 } }, '2'],
    [{ slidingWindow: { limit: 1, windowMs: 59_999, exact: true } }, '60'],
    [{ slidingWindow: { limit: 1, windowMs: 2_000, exact: true } }, '2'],
    [{ queueDepth: { max: 1 } }, '1'],
  ])('tells the whole time to wait, in seconds rounded up: %j, %s', async (options, seconds) => {
    const limiter = Limiter.create({ ...options, clock });
    limiter.allow();
    const { response } = await refusal(limiter);
    expect(response.headers.get('retry-after')).toBe(seconds);
    const [, parameters] = parseList(response.headers.get('ratelimit') ?? '')[0] ?? [];
    expect(Object.fromEntries(parameters as Map<string, unknown>)).toEqual({ r: 0, t: Number(seconds) });
  });

  it('tells how much of the wait remains, not how long the window is', async () => {
    const limiter = Limiter.create({ slidingWindow: { limit: 1, windowMs: 60_000, exact: true }, clock });
    limiter.allow();
    clock.advance(45_500);
    expect((await refusal(limiter)).response.headers.get('retry-after')).toBe('15');
  });

  it('of a cost that can never pass shows no time, but the policy that it exceeds', async () => {
    const tiers = {
      bucket: { tokenBucket: { ratePerSecond: 1, burst: 10 } },
      window: { slidingWindow: { limit: 10, windowMs: 1_000 } },
      concurrency: { queueDepth: { max: 10 } },
    };
    for (const [policy, options] of Object.entries(tiers)) {
      const limiter = Limiter.create({ ...options, clock });
      limiter.allow(undefined, 7);
      for (const [more, title] of [
        [{}, 'Content Too Large'],
        [{ oversizedStatus: 400, overloadStatus: 503 }, 'Bad Request'],
      ] as const) {
        const { response, problem } = await refusal(limiter, { cost: 11, ...more });
        const status = title === 'Bad Request' ? 400 : 413;
        expect(response.status).toBe(status);
        expect(response.headers.has('retry-after')).toBe(false);
        expect(problem).toEqual({
          type: 'about:blank',
          title,
          status,
          detail: expect.any(String),
          'violated-policies': [policy],
        });
        const [, parameters] = parseList(response.headers.get('ratelimit') ?? '')[0] ?? [];
        const told = Object.fromEntries(parameters as Map<string, unknown>);
        expect(told['r']).toBe(3);
        if (policy === 'concurrency') expect(told).not.toHaveProperty('t');
        else expect(told['t']).toBeLessThanOrEqual(2);
      }
    }
    const full = Limiter.create({ ...tiers.window, clock });
    expect((await refusal(full, { cost: 11 })).response.headers.get('ratelimit')).toBe('"window";r=10;t=1');
  });

  it('has a problem type by its cause, and names the policy that it violates', async () => {
    const window = Limiter.create({ slidingWindow: { limit: 1, windowMs: 1_000 }, clock });
    window.allow();
    expect((await refusal(window)).problem).toEqual({
      type: quota,
      title: 'Request cannot be satisfied as assigned quota has been exceeded',
      status: 429,
      'violated-policies': ['window'],
    });
    const full = depth(1);
    full.allow();
    expect((await refusal(full)).problem).toMatchObject({
      type: quota,
      status: 429,
      'violated-policies': ['concurrency'],
    });
    expect((await refusal(full, { overloadStatus: 503 })).problem).toMatchObject({
      type: reduced,
      status: 503,
      'violated-policies': ['concurrency'],
    });
    window.block(undefined, 5_000);
    expect((await refusal(window)).problem).toEqual({
      type: 'about:blank',
      title: 'Too Many Requests',
      status: 429,
    });
  });

  it('by the adaptive tier is 503 if so configured', async () => {
    const queue = Queue.create(record({ number: u32 }), { capacity: 10 });
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1, burst: 100 },
      adaptive: { queue, maxQueueWaitMs: 10, intervalMs: 10 },
      clock,
    });
    queue.tryPush({ number: 1 });
    for (const ms of [0, 50, 50]) {
      clock.advance(ms);
      limiter.allow();
    }
    const { response, problem } = await refusal(limiter, { overloadStatus: 503 });
    expect([response.status, problem['type']]).toEqual([503, reduced]);
    expect(response.headers.get('retry-after')).toBe('1');
  });
});
