import type { RedisPort } from 'sluice/redis';
import { afterEach, expect, it } from 'vitest';
import { closeLimiters, open } from './scene.js';

/** A server, or something between it and the client, that answers every command with `reply()`. */
function answering(reply: () => unknown): RedisPort {
  const port: RedisPort = { send: async () => reply(), duplicate: async () => port, close() {} };
  return port;
}

afterEach(closeLimiters);

const now = 1_800_000_000_000_000;
const wrong = [
  ...[null, undefined, 7, 'OK', {}, Object.create(null), new Map(), [], [now], [now, 0, 0, 5, 1, 0]],
  ...[
    [now, 0, 0, 5, 2, 0, 0],
    [now, 0, 0, 5, -1, 1, 0],
    [now, 0, 0, 5, 0, 0, 0],
    [now, 0, 0, 5, 1, 1, 0],
  ],
  ...[
    [now, 0, 0, -5, 1, 0, 0],
    [now, 0, 1, 5, 1, 0, 0],
    [now, 9, 0, 5, 1, 0, 0],
    [0, 0, 0, 5, 1, 0, 0],
  ],
  ...[
    [now, 0, 0, 5, 0, 3, 0],
    [now, 0, 0, 5, 0, -2, 0],
    [now, 0, 0, 5, 0, 1, -2],
    [now, 0, 0, 5, 0.5, 1, 0],
  ],
  ...[
    [now, 0, 0, 5, 'x', 0, 0],
    [now, 0, 0, 5, [1], 0, 0],
    [now, 0, 0, 5, 1, 0, 0, 0],
  ],
];

it.each(wrong.map((reply) => [reply]))('a request that is answered with %j is unavailable', async (reply) => {
  const limiter = await open(
    answering(() => reply),
    { tokenBucket: { ratePerSecond: 1, burst: 5 }, timeoutMs: 40 },
  );
  expect(await limiter.tryAcquire()).toMatchObject({ allowed: false, tier: 'unavailable' });
  expect(await limiter.peek()).toMatchObject({ allowed: false, tier: 'unavailable' });
  await expect(limiter.penalty(1)).rejects.toMatchObject({ code: 'ERR_SLUICE_TIMEOUT' });
  expect(limiter.stats()).toMatchObject({ allowed: 0, waiting: 0, leased: 0 });
});

it('the right answers are taken', async () => {
  const replies: unknown[] = [[0], [String(now), 0, '0', 5, 0, '1', 2_500], null, [now, 0, 0, 5, 1, 0, 0]];
  const limiter = await open(
    answering(() => replies.shift()),
    { tokenBucket: { ratePerSecond: 1, burst: 5 } },
  );
  expect(await limiter.tryAcquire({ cost: 2 })).toMatchObject({ tier: 'token-bucket', retryAfterMs: 2.5 });
  expect(await limiter.tryAcquire()).toMatchObject({ allowed: true, remaining: 4 });
  expect(limiter.stats().retries).toBe(1);
});

it('a connection that never comes is unavailable in time', async () => {
  const never = new Promise<never>(() => {});
  const port: RedisPort = { send: () => never, duplicate: () => never, close() {} };
  const limiter = await open(port, { tokenBucket: { ratePerSecond: 1, burst: 5 }, timeoutMs: 30 });
  expect(await limiter.tryAcquire()).toMatchObject({ tier: 'unavailable' });
});
