import type { RedisAllowed, RedisLimiter, RedisPort } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { replay, seed } from '../../seed.js';
import { SeededRandom } from '../../seeded-random.js';
import { connect, disconnect } from '../clients.js';
import { until } from '../scene.js';
import { endServers, noRedis, Server } from '../servers.js';
import { closeLimiters, newName, open, ServerClock } from './scene.js';

let server: Server;
let redis: RedisPort;
let clock: ServerClock;
beforeAll(async () => {
  if (noRedis) return;
  server = await Server.start();
  redis = await connect(server.port);
});
afterEach(async () => {
  clock.end();
  await closeLimiters();
});
afterAll(async () => {
  disconnect();
  await endServers();
});

const behaves = it.skipIf(noRedis);
const window = { slidingWindow: { limit: 1_000, windowMs: 1_000, buckets: 10 } };

/** Asks in a steady rhythm until tokens are leased. */
async function untilLeased(limiter: RedisLimiter, cost = 10): Promise<void> {
  for (let i = 0; i < 20 && limiter.stats().leased === 0; i++) {
    clock.advance(1);
    await limiter.allow(undefined, cost);
  }
  expect(limiter.stats().leased).toBeGreaterThan(0);
}

async function member(more: object = {}): Promise<RedisLimiter> {
  return await open(clock.over(redis), { ...window, lease: { maxTokens: 100, ttlMs: 50 }, ...more });
}

describe('A lease', () => {
  behaves('is taken for steady demand only, and pays without a call', async () => {
    clock = new ServerClock();
    const limiter = await member();
    for (let i = 0; i < 5; i++) {
      expect(await limiter.allow()).toBe(true); // one in 100 ms
      clock.advance(100);
    }
    expect(limiter.stats()).toMatchObject({ leased: 0, paidByLease: 0 });
    const surprised = await member();
    await Promise.all(Array.from({ length: 50 }, () => surprised.allow())); // its first ones
    expect(surprised.stats()).toMatchObject({ leased: 0, paidByLease: 0, calls: 1 });
    await untilLeased(limiter);
    const { calls, leased } = limiter.stats();
    expect(limiter.tryLeased(undefined, leased)).toMatchObject({ allowed: true });
    expect(limiter.tryLeased()).toBeUndefined();
    expect(limiter.stats()).toMatchObject({ calls, leased: 0 });
    expect(limiter.stats().paidByLease).toBeGreaterThan(0);
  });

  behaves('is not taken without the option', async () => {
    clock = new ServerClock();
    const limiter = await member({ lease: false });
    for (let i = 0; i < 50; i++) {
      clock.advance(1);
      await limiter.allow();
    }
    expect(limiter.stats()).toMatchObject({ leased: 0, paidByLease: 0, calls: 50 });
  });

  behaves('ends after its time, and with the bucket that counts it', async () => {
    clock = new ServerClock();
    const limiter = await member();
    await untilLeased(limiter);
    clock.advance(51);
    expect(limiter.tryLeased()).toBeUndefined();
    clock.advance(100 - ((clock.us / 1_000) % 100) + 80); // 20 ms before the end of a bucket
    await untilLeased(limiter);
    const inBucket = 100 - ((clock.us / 1_000) % 100);
    expect(inBucket).toBeLessThan(20);
    clock.advance(inBucket);
    expect(limiter.tryLeased()).toBeUndefined();
  });

  behaves('ends when the wall clock shows that the machine has slept', async () => {
    clock = new ServerClock();
    const limiter = await member();
    await untilLeased(limiter);
    const awake = Date.now;
    Date.now = () => awake() + 60;
    expect(limiter.tryLeased()).toBeUndefined();
    Date.now = () => awake() - 60; // set back: nobody knows for how long
    expect(limiter.tryLeased()).toBeUndefined();
    Date.now = awake;
    expect(limiter.tryLeased()).toBeDefined();
  });

  behaves('gives back what was not spent, in its time, and at close', async () => {
    clock = new ServerClock();
    const name = newName();
    const limiter = await member({ name });
    const other = await open(clock.over(redis), { ...window, name });
    await untilLeased(limiter);
    const before = limiter.stats().leased;
    const { remaining } = await other.peek();
    expect(limiter.tryLeased(undefined, 2)).toBeDefined();
    clock.advance(0.001);
    await until(
      'the timer has given it back',
      async () => (await other.peek()).remaining === remaining + before - 2,
    );
    await untilLeased(limiter);
    const { leased } = limiter.stats();
    const then = await other.peek();
    await limiter.close();
    expect((await other.peek()).remaining).toBe(then.remaining + leased);
    expect(() => limiter.tryLeased()).toThrow(expect.objectContaining({ code: 'ERR_SLUICE_CLOSED' }));
  });

  behaves('takes a refund of its tokens back, until its end', async () => {
    clock = new ServerClock();
    const name = newName();
    const limiter = await member({ name });
    const other = await open(clock.over(redis), { ...window, name });
    await untilLeased(limiter);
    const { leased, calls } = limiter.stats();
    const first = limiter.tryLeased(undefined, 2) as RedisAllowed;
    const second = limiter.tryLeased(undefined, 2) as RedisAllowed;
    first.refund();
    first.refund();
    expect(limiter.stats()).toMatchObject({ leased: leased - 2, calls });
    const { remaining } = await other.peek();
    clock.advance(60);
    second.refund();
    await until('the server has both', async () => (await other.peek()).remaining === remaining + leased);
  });

  behaves(
    'leaves half of what is left to others, and keeps back from a burst what may drain meanwhile',
    async () => {
      clock = new ServerClock();
      const name = newName();
      const tokenBucket = { ratePerSecond: 1_000, burst: 400 };
      const limits = { name, tokenBucket, slidingWindow: undefined };
      const limiter = await member({ ...limits, lease: { maxTokens: 10_000, ttlMs: 40 } });
      const other = await open(clock.over(redis), { name, tokenBucket });
      await untilLeased(limiter, 5);
      const { leased } = limiter.stats();
      const { remaining } = await other.peek();
      expect(leased).toBeLessThanOrEqual(remaining + 1);
      expect(await other.allow(undefined, 400)).toBe(false);
      clock.advance(1_000);
      expect(await other.allow(undefined, 400)).toBe(true); // no lease is out any more
    },
  );

  behaves(
    'and what others take leave together no more than the burst, however late it is spent',
    async () => {
      clock = new ServerClock();
      const name = newName();
      const tokenBucket = { ratePerSecond: 1_000, burst: 400 };
      const limits = { name, tokenBucket, slidingWindow: undefined };
      const limiter = await member({ ...limits, lease: { maxTokens: 10_000, ttlMs: 40 } });
      const other = await open(clock.over(redis), { name, tokenBucket });
      await untilLeased(limiter, 8);
      const { leased } = limiter.stats();
      clock.advance(38);
      const { remaining } = await other.peek();
      expect(await other.allow(undefined, remaining)).toBe(true);
      expect(limiter.tryLeased(undefined, leased)).toMatchObject({ allowed: true });
      expect(remaining + leased).toBeLessThanOrEqual(400);
      expect(remaining + leased).toBeGreaterThan(300);
    },
  );

  behaves('of a bucket that fills fast ends early, so that little is kept back', async () => {
    clock = new ServerClock();
    const name = newName();
    const tokenBucket = { ratePerSecond: 1_000, burst: 80 };
    const lease = { maxTokens: 10_000, ttlMs: 10_000 };
    const limiter = await member({ name, tokenBucket, slidingWindow: undefined, lease });
    const other = await open(clock.over(redis), { name, tokenBucket });
    await untilLeased(limiter, 3);
    clock.advance(9);
    expect((await other.peek()).remaining).toBeGreaterThanOrEqual(80 - 10 - limiter.stats().leased - 20);
    clock.advance(2);
    expect(limiter.tryLeased()).toBeUndefined();
  });

  behaves('is ended by a block and by a reset here', async () => {
    clock = new ServerClock();
    const limiter = await member();
    await untilLeased(limiter);
    await limiter.block(undefined, 1_000);
    expect(limiter.tryLeased()).toBeUndefined();
    expect(await limiter.tryAcquire()).toMatchObject({ tier: 'blocked' });
    await limiter.reset();
    await untilLeased(limiter);
    await limiter.reset();
    expect(limiter.tryLeased()).toBeUndefined();
    expect(await limiter.peek()).toMatchObject({ remaining: 1_000 });
  });

  behaves('of a key that had to go is given back', async () => {
    clock = new ServerClock();
    const limiter = await member({ keys: { max: 2 } });
    for (let i = 0; i < 20 && limiter.stats().leased === 0; i++) {
      clock.advance(1);
      await limiter.allow('a', 10);
    }
    const { leased } = limiter.stats();
    const { remaining } = await limiter.peek({ key: 'a' });
    await limiter.allow('b');
    await limiter.allow('c');
    await limiter.allow('d');
    expect(limiter.stats()).toMatchObject({ leased: 0, keys: 2, evicted: 2 });
    await until('it is back', async () => (await limiter.peek({ key: 'a' })).remaining >= remaining);
    expect(leased).toBeGreaterThan(0);
  });
});

/**
 * Three members ask at random, on a clock that stands still between: so the times at which tokens were spent are exact.
 * Returns these times in microseconds, one for each token, in order.
 */
async function storm(
  random: SeededRandom,
  options: object,
): Promise<{ spent: number[]; paidByLease: number }> {
  clock = new ServerClock();
  const name = newName();
  const members: RedisLimiter[] = [];
  for (let i = 0; i < 3; i++) {
    const lease = { maxTokens: random.between(1, 100), ttlMs: random.between(2, 80) };
    members.push(await open(clock.over(redis), { ...options, name, lease }));
  }
  const spent: number[] = [];
  const refundable: Array<{ decision: RedisAllowed; at: number; cost: number }> = [];
  for (let step = 0; step < 600; step++) {
    const pause = random.below(40);
    clock.advance(
      pause === 0 ? random.below(1_500) : pause < 5 ? random.below(60) : random.below(3_000) / 1_000,
    );
    const asking = Array.from({ length: random.between(1, 6) }, async () => {
      const limiter = members[random.below(3)] as RedisLimiter;
      const cost = random.between(1, 4);
      const decision = await limiter.tryAcquire({ cost });
      if (!decision.allowed) return;
      if (random.below(8) === 0) refundable.push({ decision, at: clock.us, cost });
      else for (let i = 0; i < cost; i++) spent.push(clock.us);
    });
    await Promise.all(asking);
    // What is given back was not used.
    if (random.below(10) === 0) for (const { decision } of refundable.splice(0)) decision.refund();
  }
  const paidByLease = members.reduce((sum, limiter) => sum + limiter.stats().paidByLease, 0);
  await closeLimiters();
  clock.end();
  return { spent, paidByLease };
}

describe('The sum over three members with leases', () => {
  behaves('is never above the limit in any window', async () => {
    const random = new SeededRandom(seed);
    let byLease = 0;
    for (const buckets of [2, 5, 10, 20]) {
      const limit = random.between(20, 300);
      const { spent, paidByLease } = await storm(random, {
        slidingWindow: { limit, windowMs: 300, buckets },
      });
      byLease += paidByLease;
      let worst = 0;
      for (let i = 0, j = 0; i < spent.length; i++) {
        while ((spent[j] ?? 0) <= (spent[i] ?? 0) - 300_000) j++;
        worst = Math.max(worst, i - j + 1);
      }
      expect(worst, replay).toBeLessThanOrEqual(limit);
      expect(worst, replay).toBeGreaterThan(limit / 2);
    }
    expect(byLease).toBeGreaterThan(100);
  });

  behaves('is never above burst and rate in any interval', async () => {
    const random = new SeededRandom(seed + 1);
    let byLease = 0;
    for (let round = 0; round < 4; round++) {
      const [ratePerSecond, burst] = [random.between(100, 2_000), random.between(20, 200)];
      const { spent, paidByLease } = await storm(random, { tokenBucket: { ratePerSecond, burst } });
      byLease += paidByLease;
      // The level of a bucket that gets every token when it is spent.
      let level = 0;
      let worst = 0;
      spent.forEach((at, i) => {
        level = Math.max(0, level - ((at - (spent[i - 1] ?? at)) * ratePerSecond) / 1e6) + 1;
        worst = Math.max(worst, level);
      });
      expect(worst, replay).toBeLessThanOrEqual(burst + 1e-6);
      expect(worst, replay).toBeGreaterThan(burst / 2);
    }
    expect(byLease).toBeGreaterThan(100);
  });
});
