import { Limiter, ManualClock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../seeded-random.js';

const day = 86_400_000;
const year = 366 * day;

describe.each([
  ['of 20 buckets', { buckets: 20 }],
  ['of 1,000 buckets', { buckets: 1_000 }],
  ['exact', { exact: true }],
])('a window of 366 days, %s,', (_, shape) => {
  const windowOf = (limit: number, windowMs = year) => ({ slidingWindow: { limit, windowMs, ...shape } });

  it('lets no more than its limit through in 366 days, and as much as it said, when it said', () => {
    const random = new SeededRandom(11);
    const clock = new ManualClock(random.below(1e9));
    const limiter = Limiter.create({ ...windowOf(5), clock });
    const admitted: number[] = [];
    for (let i = 0; i < 2_000 && clock.now() < 1e12; i++) {
      const decision = limiter.tryAcquire();
      if (decision.allowed) admitted.push(clock.now());
      else {
        expect(decision.retryAfterMs).toBeLessThanOrEqual(year * (1 + 1 / 20));
        clock.advance(decision.retryAfterMs);
        expect(limiter.peek().allowed).toBe(true);
      }
      clock.advance(random.below(60 * day));
    }
    expect(admitted.length).toBeGreaterThan(60);
    admitted.forEach((at, i) => {
      const fifth = admitted[i + 5];
      if (fifth !== undefined) expect(fifth - at).toBeGreaterThanOrEqual(year);
    });
  });

  it('keeps what it has counted when it grows from a second, and when it shrinks', () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ ...windowOf(5, 1_000), clock });
    limiter.allow(undefined, 3);
    limiter.configure({ slidingWindow: { windowMs: year } });
    expect(limiter.limits().windowMs).toBeCloseTo(year, -1);
    expect(limiter.peek().remaining).toBe(2);
    clock.advance(year - 1);
    expect(limiter.allow(undefined, 2)).toBe(true);
    expect(limiter.peek().remaining).toBe(0);
    limiter.configure({ slidingWindow: { windowMs: 1_000 } });
    clock.advance(2_000);
    expect(limiter.peek().remaining).toBe(5);
  });

  it('gives back late what is still in it', () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ ...windowOf(5), keys: { max: 4 }, clock });
    const early = limiter.tryAcquire({ key: 'a', cost: 5 });
    clock.advance(300 * day);
    if (early.allowed) early.refund();
    expect(limiter.peek({ key: 'a' }).remaining).toBe(5);
    const late = limiter.tryAcquire({ key: 'a', cost: 5 });
    clock.advance(2 * year);
    limiter.allow('a', 5);
    if (late.allowed) late.refund();
    expect(limiter.peek({ key: 'a' }).remaining).toBe(0);
  });
});
