import { Worker } from 'node:worker_threads';
import { Limiter, ManualClock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { expectError, thrown } from '../thrown.js';

const all = (clock: ManualClock) => ({
  tokenBucket: { ratePerSecond: 10, burst: 10 },
  slidingWindow: { limit: 1_000, windowMs: 1_000 },
  queueDepth: { max: 100 },
  clock,
});
function drain(limiter: Limiter): number {
  let count = 0;
  while (limiter.allow()) count++;
  return count;
}

describe('Limiter.configure', () => {
  it('changes the rate without giving or taking a token', () => {
    const clock = new ManualClock();
    const limiter = Limiter.create(all(clock));
    expect(drain(limiter)).toBe(10);
    clock.advance(350); // three and a half tokens
    limiter.configure({ tokenBucket: { ratePerSecond: 1_000 } });
    expect(drain(limiter)).toBe(3);
    clock.advance(0.5); // the other half of the fourth token
    expect(drain(limiter)).toBe(1);
    limiter.configure({ tokenBucket: { ratePerSecond: 0.5 } });
    expect(limiter.tryAcquire()).toMatchObject({ tier: 'token-bucket', retryAfterMs: 2_000 });
    limiter.configure({ tokenBucket: { burst: 12 } });
    expect(drain(limiter)).toBe(2);
  });

  it('changes limits of window and depth without forgetting what was counted', () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({
      slidingWindow: { limit: 5, windowMs: 1_000 },
      queueDepth: { max: 9 },
      clock,
    });
    expect(drain(limiter)).toBe(5);
    limiter.configure({ slidingWindow: { limit: 7 } });
    expect(drain(limiter)).toBe(2);
    limiter.configure({ slidingWindow: { limit: 100, windowMs: 5_000 }, queueDepth: { max: 8 } });
    expect(limiter.allow()).toBe(true);
    expect(limiter.tryAcquire()).toMatchObject({ tier: 'queue-depth' });
    limiter.configure({ queueDepth: { max: 3 } });
    limiter.release(5);
    expect(limiter.allow()).toBe(false);
    limiter.release();
    expect(limiter.allow()).toBe(true);
  });

  it('takes effect in every thread at once', async () => {
    const limiter = Limiter.create(all(new ManualClock()));
    const code = `
      const { workerData } = require('node:worker_threads');
      import(workerData.sluice).then(({ Limiter }) =>
        Limiter.attach(workerData.handle).configure({ tokenBucket: { burst: 25 }, enforce: true }));`;
    const sluice = new URL('../../dist/index.js', import.meta.url).href;
    const worker = new Worker(code, { eval: true, workerData: { sluice, handle: limiter.handle } });
    await new Promise((resolve) => worker.once('exit', resolve));
    expect(drain(limiter)).toBe(25);
  });

  it('refuses tiers that the limiter was made without, and values out of range, by name', () => {
    const limiter = Limiter.create({ slidingWindow: { limit: 10, windowMs: 1_000, exact: true } });
    const failure = (changes: object) => thrown(() => limiter.configure(changes));
    for (const changes of [
      { tokenBucket: { burst: 2 } },
      { queueDepth: { max: 2 } },
      { keys: { max: 3 } },
      { slidingWindow: { buckets: 3 } },
      { slidingWindow: { exact: false } },
    ]) {
      expectError(failure(changes), 'ERR_SLUICE_OPTION', TypeError);
    }
    expectError(failure({ slidingWindow: { limit: 11 } }), 'ERR_SLUICE_OPTION', RangeError);
    expect(failure({ slidingWindow: { limit: 11 } }).message).toContain('slidingWindow: limit');
    limiter.configure({ slidingWindow: { limit: 2 } });
    expect(drain(limiter)).toBe(2);
  });
});

describe('a dry run', () => {
  it('allows everything, says what it would have refused, and can become real', () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ ...all(clock), enforce: false });
    for (let i = 0; i < 10; i++) expect(limiter.tryAcquire()).not.toHaveProperty('wouldRefuse');
    const decision = limiter.tryAcquire();
    expect(decision).toMatchObject({ allowed: true, wouldRefuse: 'token-bucket' });
    expect(limiter.allow()).toBe(true);
    expect(limiter.stats()).toMatchObject({ allowed: 10, dryRefusals: 2, inFlight: 12 });
    expect(limiter.stats().refused['token-bucket']).toBe(2);
    if (decision.allowed) decision.release();
    limiter.release(11);
    limiter.configure({ enforce: true });
    expect(limiter.allow()).toBe(false);
  });

  it('that begins while calls wait lets them all through at once, and charges them nothing but the depth', async () => {
    for (const keyed of [false, true]) {
      const clock = new ManualClock();
      const options = keyed ? { keys: { max: 10 } } : {};
      const limiter = Limiter.create({ ...all(clock), ...options });
      const request = keyed ? { key: 'a' } : {};
      for (let i = 0; i < 10; i++) expect(limiter.tryAcquire(request).allowed).toBe(true);
      const waiting = [1_000, 2_000, 1e9].map((timeoutMs) => limiter.acquire({ ...request, timeoutMs }));
      expect(limiter.stats()).toMatchObject({ waiting: 3 });
      limiter.configure({ enforce: false });
      const served = await Promise.all(waiting);
      for (const decision of served) {
        expect(decision).toMatchObject({ allowed: true, wouldRefuse: 'token-bucket' });
      }
      expect(limiter.stats()).toMatchObject({ waiting: 0, allowed: 10, dryRefusals: 3, inFlight: 13 });
      for (const decision of served) if (decision.allowed) decision.refund();
      expect(limiter.stats()).toMatchObject({ inFlight: 10 });
      expect(limiter.peek(request).remaining).toBe(0);
    }
  });
});

describe('a warm-up', () => {
  it('begins at a third of the rate and reaches all of it', () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 300, burst: 1, warmUpMs: 10_000 },
      clock,
    });
    const passedIn = (ms: number): number => {
      let count = 0;
      for (let i = 0; i < ms; i++) {
        clock.advance(1);
        if (limiter.allow()) count++;
      }
      return count;
    };
    expect(passedIn(1_000)).toBeGreaterThanOrEqual(105);
    expect(passedIn(9_000)).toBeLessThanOrEqual(2_000 - 105);
    const warm = passedIn(1_000);
    // A token takes 3.3 ms, and the loop asks once a millisecond: one request passes every 4 ms.
    expect(warm).toBeGreaterThan(240);
    limiter.configure({ tokenBucket: { warmUpMs: 10_000 } });
    expect(passedIn(1_000)).toBeLessThanOrEqual(112);
  });
});

describe('a window with exact: true', () => {
  it('admits again on the very nanosecond at which a request leaves it', () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ slidingWindow: { limit: 3, windowMs: 1_000, exact: true }, clock });
    limiter.allow();
    clock.advance(400);
    limiter.allow(undefined, 2);
    expect(limiter.tryAcquire()).toMatchObject({ tier: 'sliding-window', retryAfterMs: 600 });
    expect(limiter.peek({ cost: 2 })).toMatchObject({ allowed: false, retryAfterMs: 1_000 });
    clock.advance(599.999_999);
    expect(limiter.allow()).toBe(false);
    clock.advance(0.000_001);
    expect(limiter.allow()).toBe(true);
    expect(limiter.allow()).toBe(false);
  });
});

describe('peek, penalty, reward, reset and block', () => {
  it('peek says what would be answered and charges nothing', () => {
    const limiter = Limiter.create(all(new ManualClock()));
    for (let i = 0; i < 20; i++) {
      expect(limiter.peek()).toEqual({
        allowed: true,
        oversized: false,
        remaining: 10,
        tightest: 'token-bucket',
        retryAfterMs: 0,
      });
    }
    expect(limiter.peek({ cost: 11 })).toEqual({
      allowed: false,
      oversized: true,
      remaining: 10,
      tightest: 'token-bucket',
      tier: 'token-bucket',
      retryAfterMs: Infinity,
    });
    expect(drain(limiter)).toBe(10);
    expect(limiter.peek()).toMatchObject({ allowed: false, tier: 'token-bucket', retryAfterMs: 100 });
  });

  it('a penalty is owed, a reward given back, a reset forgets both but not what is in flight', () => {
    const limiter = Limiter.create(all(new ManualClock()));
    limiter.allow();
    limiter.penalty(14);
    expect(limiter.tryAcquire()).toMatchObject({ retryAfterMs: 600 });
    limiter.reward(7);
    expect(limiter.peek().remaining).toBe(2);
    limiter.penalty(100);
    limiter.reset();
    expect(limiter.peek().remaining).toBe(10);
    expect(limiter.stats().inFlight).toBe(1);
  });

  it('a block refuses everything until its time is over', () => {
    const clock = new ManualClock();
    const limiter = Limiter.create(all(clock));
    expect(limiter.block(undefined, 1_500)).toBe(true);
    clock.advance(1_000);
    expect(limiter.tryAcquire()).toMatchObject({ allowed: false, tier: 'blocked', retryAfterMs: 500 });
    expect(limiter.peek().remaining).toBe(0);
    clock.advance(500);
    expect(limiter.allow()).toBe(true);
    limiter.block(undefined, 1_500);
    limiter.block(undefined, 0);
    expect(limiter.allow()).toBe(true);
  });
});
