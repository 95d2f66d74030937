import fc from 'fast-check';
import { Limiter, type LimiterOptions, ManualClock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { replay, seed } from '../seed.js';
import { SeededRandom } from '../seeded-random.js';

const nanosecond = 1e-6; // in milliseconds
const day = 86_400_000;

/** Returns how many of `attempts` calls are allowed now. */
function allowed(limiter: Limiter, attempts: number): number {
  let count = 0;
  for (let i = 0; i < attempts; i++) if (limiter.allow()) count++;
  return count;
}

describe('a token bucket', () => {
  it.each([
    [1e-6, 2],
    [1 / 86_400, 1],
    [0.1, 3],
    [1, 10],
    [3, 5],
    [100, 100],
    [1_500, 7],
    [123_456.789, 50],
    [1e7, 1_000],
  ])(
    'of %f tokens a second and a burst of %i hands them out at that rate, and idles up to its burst',
    (rate, burst) => {
      const clock = new ManualClock(1_000);
      const limiter = Limiter.create({ tokenBucket: { ratePerSecond: rate, burst }, clock });
      expect(allowed(limiter, burst + 5)).toBe(burst);
      const intervalMs = 1_000 / rate;
      let count = 0;
      for (let i = 1; i <= 200; i++) {
        clock.advance(intervalMs);
        if (limiter.allow()) count++;
      }
      // The clock of the test moves in whole nanoseconds, so the count may be a token ahead or behind.
      const exact = ((clock.now() - 1_000) * rate) / 1_000;
      expect(Math.abs(count - exact)).toBeLessThanOrEqual(1);
      clock.advance(30 * day);
      const rested = Math.min(burst, Math.floor((30 * day * rate) / 1_000));
      expect(Math.abs(allowed(limiter, burst + 5) - rested)).toBeLessThanOrEqual(1);
    },
  );

  it.each([
    [1 / 86_400, 50],
    [1 / 86_400, 100],
    [1 / 86_400, 1_000],
    [1e-3, 20_000],
    [1e-6, 900],
    [1 / 31_622_400, 1],
    [1 / 31_622_400, 30],
  ])('of %f tokens a second allows %i when it said that it would, months and years ahead', (rate, burst) => {
    for (let i = 0; i < 50; i++) {
      const clock = new ManualClock();
      const limiter = Limiter.create({ tokenBucket: { ratePerSecond: rate, burst }, clock });
      clock.advance(i * 1_234.567_891);
      expect(limiter.allow(undefined, burst)).toBe(true);
      clock.advance(i * 98.765_432);
      clock.advance(limiter.peek({ cost: burst }).retryAfterMs);
      expect(limiter.allow(undefined, burst)).toBe(true);
    }
  });

  it('says never for what is more than 36 years ahead', () => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1e-6, burst: 2_000 },
      clock: new ManualClock(),
    });
    limiter.allow(undefined, 2_000);
    const near = limiter.peek({ cost: 1_100 }).retryAfterMs;
    expect(near).toBeGreaterThanOrEqual(1.1e12);
    expect(near).toBeLessThan(1.1e12 + 1);
    expect(limiter.peek({ cost: 1_200 }).retryAfterMs).toBe(Infinity);
  });

  it('does exactly what whole-number arithmetic on nanoseconds says', () => {
    const request = fc.record({ pauseNs: fc.nat({ max: 3_000_000 }), cost: fc.integer({ min: 1, max: 12 }) });
    const rates = fc.constantFrom(1, 8, 100, 1_000, 12_500, 1_000_000, 10_000_000);
    fc.assert(
      fc.property(
        rates,
        fc.integer({ min: 1, max: 20 }),
        fc.array(request, { maxLength: 200, size: 'max' }),
        (rate, burst, requests) => {
          const clock = new ManualClock();
          const limiter = Limiter.create({ tokenBucket: { ratePerSecond: rate, burst }, clock });
          const tokenNs = BigInt(1e9 / rate);
          let now = 0n;
          // GCRA: the time at which the bucket is full again.
          let fullAt = 0n;
          for (const { pauseNs, cost } of requests) {
            now += BigInt(pauseNs);
            clock.advance(pauseNs * nanosecond);
            const after = (fullAt > now ? fullAt : now) + BigInt(cost) * tokenNs;
            const expected = after - now <= BigInt(burst) * tokenNs;
            if (expected) fullAt = after;
            expect(limiter.allow(undefined, cost)).toBe(expected);
          }
        },
      ),
      { seed, numRuns: 100 },
    );
  });
});

describe('retryAfterMs', () => {
  const tiers = fc.record(
    {
      tokenBucket: fc.record({
        ratePerSecond: fc.constantFrom(1 / 86_400, 0.01, 0.3, 1, 7, 99.9, 1_000, 33_333, 1e7),
        burst: fc.integer({ min: 1, max: 30 }),
      }),
      slidingWindow: fc
        .tuple(
          fc.record({
            limit: fc.integer({ min: 1, max: 30 }),
            windowMs: fc.constantFrom(1, 2.5, 100, 1_000, 60_000),
          }),
          fc.constantFrom(
            { buckets: 1 },
            { buckets: 2 },
            { buckets: 3 },
            { buckets: 20 },
            { buckets: 60 },
            { exact: true },
          ),
        )
        .map(([window, kind]) => ({ ...window, ...kind })),
    },
    { requiredKeys: [] },
  );
  const request = fc.record({
    pauseMs: fc.nat({ max: 2_000_000 }).map((us) => us / 1_000),
    cost: fc.integer({ min: 1, max: 30 }),
  });

  it('is exact: allowed then, and not a nanosecond earlier', () => {
    let refusals = 0;
    fc.assert(
      fc.property(
        tiers.filter(({ tokenBucket, slidingWindow }) => (tokenBucket ?? slidingWindow) !== undefined),
        fc.array(request, { minLength: 1, maxLength: 60, size: 'max' }),
        (options, requests) => {
          const clock = new ManualClock(12_345);
          const limiter = Limiter.create({ ...(options as LimiterOptions), clock });
          for (const { pauseMs, cost } of requests) {
            clock.advance(pauseMs);
            const decision = limiter.tryAcquire({ cost });
            if (decision.allowed) continue;
            refusals++;
            const { burst = Infinity } = options.tokenBucket ?? {};
            const { limit = Infinity } = options.slidingWindow ?? {};
            if (cost > burst || cost > limit) {
              expect(decision.retryAfterMs).toBe(Infinity);
              continue;
            }
            expect(decision.retryAfterMs).toBeGreaterThan(0);
            // A wait of hours may be a nanosecond too long if the rate is no binary fraction. So the test looks 2 ns
            // before the end of such a wait.
            const early = decision.retryAfterMs < day / 10 ? nanosecond : 2 * nanosecond;
            clock.advance(decision.retryAfterMs - early);
            const refused = limiter.tryAcquire({ cost });
            expect(refused.allowed, `just before ${decision.retryAfterMs} ms`).toBe(false);
            const { retryAfterMs: left } = refused as { retryAfterMs: number };
            expect(left, `just before ${decision.retryAfterMs} ms`).toBeGreaterThan(0);
            expect(left, `just before ${decision.retryAfterMs} ms`).toBeLessThanOrEqual(early);
            clock.advance(early);
            expect(limiter.tryAcquire({ cost }), `after ${decision.retryAfterMs} ms`).toMatchObject({
              allowed: true,
            });
          }
        },
      ),
      { seed, numRuns: 300 },
    );
    expect(refusals, replay).toBeGreaterThan(100);
  });

  it('of a rate of one a day is a day, of ten million a second 100 ns: to the nanosecond', () => {
    for (const [ratePerSecond, ms] of [
      [1 / 86_400, day],
      [1, 1_000],
      [1e7, 0.0001],
    ] as const) {
      const clock = new ManualClock();
      const limiter = Limiter.create({ tokenBucket: { ratePerSecond, burst: 1 }, clock });
      for (let i = 0; i < 50; i++) {
        expect(limiter.allow()).toBe(true);
        const { retryAfterMs } = limiter.peek();
        // If the rate is not exact in binary, the request may be due one nanosecond later.
        expect(Math.round((retryAfterMs - ms) / nanosecond)).toBeOneOf([0, 1]);
        clock.advance(retryAfterMs);
      }
      expect(Math.abs(clock.now() - 50 * ms)).toBeLessThanOrEqual(50 * nanosecond);
    }
  });

  it('is 0 if only the depth tier refuses, since no clock tells when work ends', () => {
    const limiter = Limiter.create({ ...Limiter.flashSale, clock: new ManualClock() });
    allowed(limiter, 50);
    expect(limiter.tryAcquire()).toMatchObject({ allowed: false, tier: 'queue-depth', retryAfterMs: 0 });
  });

  it('is the longest of all tiers, not only that of the tier that refused', () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 100, burst: 10 },
      slidingWindow: { limit: 10, windowMs: 1_000, buckets: 10 },
      clock,
    });
    allowed(limiter, 10);
    expect(limiter.tryAcquire()).toMatchObject({ allowed: false, tier: 'token-bucket', retryAfterMs: 1_100 });
  });
});

/** Keeps admissions with their times. Fails if any window of `windowMs` holds more than `limit`. */
class WindowAudit {
  readonly #admitted: Array<{ at: number; cost: number }> = [];

  constructor(
    readonly limit: number,
    readonly windowMs: number,
  ) {}

  admit(at: number, cost: number): void {
    this.#admitted.push({ at, cost });
    let inWindow = 0;
    for (let i = this.#admitted.length - 1; i >= 0; i--) {
      const other = this.#admitted[i] as { at: number; cost: number };
      if (at - other.at >= this.windowMs) break;
      inWindow += other.cost;
    }
    expect(inWindow, `${replay}: admitted in the window that ends at ${at} ms`).toBeLessThanOrEqual(
      this.limit,
    );
  }

  get total(): number {
    return this.#admitted.reduce((sum, { cost }) => sum + cost, 0);
  }
}

describe('a sliding window', () => {
  const shapes = [1, 2, 3, 20, 60, 1_000].map((buckets) => ({ buckets }));

  it.each(shapes)(
    'of $buckets buckets: all at the end of one window, all at the start of the next',
    ({ buckets }) => {
      for (const offset of [0, nanosecond, 0.5, 999 / buckets, 1_000 / buckets, 500, 999.999_999]) {
        const clock = new ManualClock();
        const limiter = Limiter.create({ slidingWindow: { limit: 100, windowMs: 1_000, buckets }, clock });
        const audit = new WindowAudit(100, 1_000);
        clock.advance(offset);
        for (let step = 0; step < 40; step++) {
          while (limiter.allow()) audit.admit(clock.now(), 1);
          clock.advance(step % 2 === 0 ? 1_000 - nanosecond : nanosecond);
        }
        expect(audit.total).toBeGreaterThanOrEqual(20 * 100 * 0.5); // half the limit in each of 20 windows
      }
    },
  );

  it.each(shapes)('of $buckets buckets: one early, the rest late, then all at once', ({ buckets }) => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ slidingWindow: { limit: 100, windowMs: 1_000, buckets }, clock });
    const audit = new WindowAudit(100, 1_000);
    const take = (count: number): void => {
      for (let i = 0; i < count; i++) if (limiter.allow()) audit.admit(clock.now(), 1);
    };
    for (let round = 0; round < 20; round++) {
      take(1);
      clock.advance(1_000 - 2 * nanosecond);
      take(99);
      clock.advance(nanosecond);
      take(100);
      clock.advance(nanosecond);
      take(100);
      clock.advance(round * 7.3);
    }
  });

  it('is strict whatever comes, and allows all of its limit after a window and a bucket of rest', () => {
    const random = new SeededRandom(seed);
    for (let round = 0; round < 60; round++) {
      const limit = random.between(1, 50);
      const buckets = random.pick([1, 2, 5, 20, 60]);
      const windowMs = random.pick([1, 10, 1_000, 3_333.333]);
      const clock = new ManualClock(random.below(1e6) / 7);
      const limiter = Limiter.create({ slidingWindow: { limit, windowMs, buckets }, clock });
      const audit = new WindowAudit(limit, windowMs);
      for (let i = 0; i < 400; i++) {
        const cost = random.chance(0.8) ? 1 : random.between(1, limit);
        if (limiter.allow(undefined, cost)) audit.admit(clock.now(), cost);
        const step = random.pick([0, 0, windowMs / buckets, windowMs, windowMs / limit, windowMs / 3]);
        clock.advance(random.chance(0.5) ? step : (step * random.below(1_000)) / 1_000);
      }
      clock.advance(windowMs * (1 + 1 / buckets) + nanosecond * (buckets + 1));
      expect(limiter.allow(undefined, limit), `${replay}, round ${round}`).toBe(true);
    }
  });

  it('loses no more throughput than one bucket in each window', () => {
    for (const { buckets } of shapes.slice(0, 5)) {
      const clock = new ManualClock();
      const limiter = Limiter.create({ slidingWindow: { limit: 1_000, windowMs: 1_000, buckets }, clock });
      let count = 0;
      for (let ms = 0; ms < 30_000; ms++) {
        count += allowed(limiter, 3);
        clock.advance(1);
      }
      expect(count).toBeGreaterThanOrEqual(30_000 * (buckets / (buckets + 1)) - 1_000);
      expect(count).toBeLessThanOrEqual(31_000);
    }
  });

  it('starts afresh after idling for hours and days', () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ slidingWindow: { limit: 10, windowMs: 1_000 }, clock });
    for (const rest of [1_051, 60_000, 3_600_000, day, 365 * day]) {
      expect(allowed(limiter, 20)).toBe(10);
      clock.advance(rest);
    }
  });
});
