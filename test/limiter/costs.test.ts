import { Limiter, type LimiterOptions, ManualClock, type Tier } from 'sluice';
import { describe, expect, it } from 'vitest';

const tiers = {
  'token-bucket': { tokenBucket: { ratePerSecond: 1, burst: 5 } },
  'sliding-window': { slidingWindow: { limit: 5, windowMs: 1_000 } },
  'queue-depth': { queueDepth: { max: 5 } },
} as const satisfies Record<string, LimiterOptions>;
const exact: LimiterOptions = { slidingWindow: { limit: 5, windowMs: 1_000, exact: true } };

describe('a cost that can never pass', () => {
  it.each(Object.entries(tiers))('is refused at once as oversized: %s', async (tier, options) => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ ...options, clock });
    const window = tier === 'sliding-window' ? 0 : undefined;
    const never = { allowed: false, tier, window, oversized: true, retryAfterMs: Infinity };
    expect(limiter.tryAcquire({ cost: 6 })).toEqual(never);
    expect(await limiter.acquire({ cost: 6 })).toEqual(never);
    expect(limiter.peek({ cost: 6 })).toMatchObject(never);
    expect(limiter.stats().refused[tier as Tier]).toBe(2);
    expect(limiter.peek({ cost: 5 })).toMatchObject({ allowed: true, oversized: false });
    const decision = limiter.tryAcquire({ cost: 5 });
    expect(decision.allowed).toBe(true);
    expect(limiter.tryAcquire({ cost: 1 })).toMatchObject({ allowed: false, tier, oversized: false });
  });

  it('names the tier that it exceeds, whichever other tier refuses it, too', async () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({
      ...tiers['token-bucket'],
      slidingWindow: { limit: 2, windowMs: 1_000 },
      clock,
    });
    limiter.penalty(5);
    expect(limiter.tryAcquire({ cost: 3 })).toMatchObject({ tier: 'sliding-window', oversized: true });
    expect(limiter.tryAcquire({ cost: 2 })).toMatchObject({ tier: 'token-bucket', oversized: false });
    limiter.block(undefined, 500);
    expect(limiter.tryAcquire({ cost: 3 })).toMatchObject({ tier: 'sliding-window', oversized: true });
    expect(limiter.tryAcquire({ cost: 2 })).toMatchObject({ tier: 'blocked', oversized: false });
    expect(limiter.peek({ cost: 6 })).toMatchObject({ tier: 'token-bucket', oversized: true });
  });

  it('is not the same as a wait of more than 36 years', () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst: 2_000 } });
    limiter.penalty(2_000);
    expect(limiter.tryAcquire({ cost: 2_000 })).toMatchObject({ oversized: false, retryAfterMs: Infinity });
    expect(limiter.peek({ cost: 2_000 })).toMatchObject({ oversized: false, retryAfterMs: Infinity });
  });

  it('passes once the limit is larger, and ends a wait once it is smaller', async () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ ...tiers['token-bucket'], clock });
    expect(limiter.tryAcquire({ cost: 6 })).toMatchObject({ oversized: true });
    limiter.configure({ tokenBucket: { burst: 6 } });
    expect(limiter.tryAcquire({ cost: 6 }).allowed).toBe(true);
    const waits = limiter.acquire({ cost: 6 });
    limiter.configure({ tokenBucket: { burst: 5 } });
    expect(await waits).toMatchObject({ allowed: false, tier: 'token-bucket', oversized: true });
  });

  it('is allowed by a dry run', () => {
    const limiter = Limiter.create({ ...tiers['sliding-window'], enforce: false });
    expect(limiter.tryAcquire({ cost: 6 })).toMatchObject({ allowed: true, wouldRefuse: 'sliding-window' });
    expect(limiter.peek({ cost: 6 })).toMatchObject({ allowed: false, oversized: true });
  });
});

describe('a cost of 0', () => {
  it.each(Object.entries({ ...tiers, exact }))('charges nothing and is allowed: %s', async (_, options) => {
    for (const keys of [{}, { keys: { max: 4 } }]) {
      const key = 'keys' in keys ? { key: 'a' } : {};
      const limiter = Limiter.create({ ...options, ...keys, clock: new ManualClock() });
      for (let i = 0; i < 3; i++) {
        const decision = limiter.tryAcquire({ cost: 0, ...key });
        expect(decision).toMatchObject({ allowed: true, remaining: 5 });
        if (decision.allowed) decision.refund();
        expect((await limiter.acquire({ cost: 0, ...key })).allowed).toBe(true);
      }
      expect(limiter.stats()).toMatchObject({ allowed: 6, keys: 0, inFlight: 0 });
      expect(limiter.tryAcquire({ cost: 5, ...key }).allowed).toBe(true);
      limiter.penalty(3, key.key);
      expect(limiter.tryAcquire({ cost: 1, ...key }).allowed).toBe(false);
      expect(limiter.tryAcquire({ cost: 0, ...key }).allowed).toBe(true);
      expect(limiter.peek({ cost: 0, ...key })).toMatchObject({
        allowed: true,
        remaining: 0,
        retryAfterMs: 0,
      });
      expect(limiter.allow(key.key, 0)).toBe(true);
      limiter.release(0, key.key);
      expect((await limiter.acquire({ cost: 0, timeoutMs: 0, ...key })).allowed).toBe(true);
    }
  });

  it('waits behind no other call, and is refused by a block', async () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ ...tiers['token-bucket'], clock });
    limiter.allow(undefined, 5);
    const waits = limiter.acquire();
    expect(limiter.tryAcquire()).toMatchObject({ tier: 'waiting-line' });
    expect(limiter.tryAcquire({ cost: 0 }).allowed).toBe(true);
    expect(limiter.peek({ cost: 0 })).toMatchObject({ allowed: true, retryAfterMs: 0 });
    clock.advance(1_000);
    expect((await waits).allowed).toBe(true);
    limiter.block(undefined, 500);
    expect(limiter.tryAcquire({ cost: 0 })).toMatchObject({ tier: 'blocked', retryAfterMs: 500 });
    const blocked = limiter.acquire({ cost: 0 });
    clock.advance(500);
    expect((await blocked).allowed).toBe(true);
  });

  it('makes the limiter forget no key', () => {
    const limiter = Limiter.create({ ...tiers['token-bucket'], keys: { max: 1 } });
    const key = 'the one';
    limiter.allow(key, 5);
    for (let i = 0; i < 1_000; i++) limiter.allow(i, 0);
    expect(limiter.stats()).toMatchObject({ keys: 1, evicted: 0, overflowed: 0 });
    limiter.penalty(0, 'another');
    limiter.reward(0, 'another');
    expect(limiter.allow(key)).toBe(false);
  });
});
