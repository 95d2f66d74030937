import { Limiter, type LimiterOptions, ManualClock, Queue, record, u32 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';

/** Returns how many of `attempts` calls are allowed now. */
function allowed(limiter: Limiter, attempts: number): number {
  let count = 0;
  for (let i = 0; i < attempts; i++) if (limiter.allow()) count++;
  return count;
}

const slow = { ratePerSecond: 0.001, burst: 1_000 };
const wide = { limit: 1_000, windowMs: 60_000 };
const deep = { max: 1_000 };

describe('three tiers', () => {
  it('are asked in order, and the first that refuses is named', () => {
    const clock = new ManualClock();
    const cases: Array<[LimiterOptions, string]> = [
      [
        { tokenBucket: { ...slow, burst: 5 }, slidingWindow: { ...wide, limit: 5 }, queueDepth: { max: 5 } },
        'token-bucket',
      ],
      [{ tokenBucket: slow, slidingWindow: { ...wide, limit: 5 }, queueDepth: { max: 5 } }, 'sliding-window'],
      [{ tokenBucket: slow, slidingWindow: wide, queueDepth: { max: 5 } }, 'queue-depth'],
      [{ slidingWindow: { ...wide, limit: 5 }, queueDepth: deep }, 'sliding-window'],
      [{ tokenBucket: { ...slow, burst: 5 }, queueDepth: deep }, 'token-bucket'],
    ];
    for (const [options, tier] of cases) {
      const limiter = Limiter.create({ ...options, clock });
      expect(allowed(limiter, 20)).toBe(5);
      expect(limiter.tryAcquire()).toMatchObject({ allowed: false, tier });
    }
  });

  it.each(['sliding-window', 'queue-depth'])('charge nothing if the %s refuses, however often', (tier) => {
    const clock = new ManualClock();
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1e-6, burst: 21 },
      slidingWindow: { limit: tier === 'sliding-window' ? 5 : 20, windowMs: 1_000 },
      queueDepth: { max: tier === 'queue-depth' ? 5 : 20 },
      clock,
    });
    for (let round = 1; round <= 4; round++) {
      expect(allowed(limiter, 1_000)).toBe(5);
      expect(limiter.tryAcquire()).toMatchObject({ allowed: false, tier });
      expect(limiter.stats().inFlight).toBe(5);
      limiter.release(5);
      clock.advance(1_051);
    }
    // 4 rounds of 5 leave one token.
    expect(limiter.allow()).toBe(true);
    expect(limiter.tryAcquire()).toMatchObject({ allowed: false, tier: 'token-bucket' });
    expect(limiter.stats()).toMatchObject({
      allowed: 21,
      refused: {
        'token-bucket': 1,
        'sliding-window': tier === 'sliding-window' ? 4 * 996 : 0,
        'queue-depth': tier === 'queue-depth' ? 4 * 996 : 0,
      },
      inFlight: 1,
    });
  });

  it('say what the tightest of them would still allow', () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1, burst: 10 },
      slidingWindow: { limit: 8, windowMs: 1_000 },
      queueDepth: { max: 9 },
      clock,
    });
    expect(limiter.tryAcquire({ cost: 2 })).toMatchObject({ allowed: true, remaining: 6 });
    clock.advance(1_051);
    expect(limiter.tryAcquire()).toMatchObject({ remaining: 6 }); // depth: 9 - 3
    limiter.release(3);
    expect(limiter.tryAcquire()).toMatchObject({ remaining: 6 }); // window: 8 - 2
  });

  it('may each be absent, but not all', () => {
    for (const options of [{ tokenBucket: slow }, { slidingWindow: wide }, { queueDepth: deep }]) {
      expect(allowed(Limiter.create(options), 2_000)).toBe(1_000);
    }
    expectError(
      thrown(() => Limiter.create({})),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
    expectError(
      thrown(() => Limiter.create({ clock: new ManualClock() })),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
  });
});

describe('Limiter.flashSale', () => {
  it('has the figures of its documentation, for all requests together', () => {
    expect(Limiter.flashSale).toEqual({
      tokenBucket: { ratePerSecond: 100, burst: 100 },
      slidingWindow: { limit: 120, windowMs: 1_000, buckets: 20 },
      queueDepth: { max: 50 },
    });
    expect(Object.isFrozen(Limiter.flashSale)).toBe(true);
    expect(Object.isFrozen(Limiter.flashSale.tokenBucket)).toBe(true);
  });

  it('allows 50 in flight, bursts of 100, 120 in any second and 100 a second', () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ ...Limiter.flashSale, clock });
    expect(allowed(limiter, 60)).toBe(50);
    expect(limiter.tryAcquire()).toMatchObject({ allowed: false, tier: 'queue-depth' });
    limiter.release(50);
    expect(allowed(limiter, 60)).toBe(50);
    limiter.release(50);
    expect(limiter.tryAcquire()).toMatchObject({ allowed: false, tier: 'token-bucket', retryAfterMs: 10 });
    clock.advance(300);
    expect(allowed(limiter, 60)).toBe(20); // 120 in this second
    expect(limiter.tryAcquire()).toMatchObject({ allowed: false, tier: 'sliding-window' });
    limiter.release(20);
    let inTenSeconds = 0;
    for (let ms = 0; ms < 10_000; ms++) {
      clock.advance(1);
      if (limiter.allow()) {
        inTenSeconds++;
        limiter.release();
      }
    }
    expect(inTenSeconds).toBeGreaterThan(1_000 - 10);
    expect(inTenSeconds).toBeLessThanOrEqual(1_000 + 10);
  });
});

describe('a cost', () => {
  it('is charged to every tier as so many single requests', () => {
    const clock = new ManualClock();
    for (const options of [{ tokenBucket: slow }, { slidingWindow: wide }, { queueDepth: deep }]) {
      const limiter = Limiter.create({ ...options, clock });
      expect(limiter.allow(undefined, 600)).toBe(true);
      expect(limiter.allow(undefined, 401)).toBe(false);
      expect(limiter.allow(undefined, 400)).toBe(true);
      expect(limiter.allow()).toBe(false);
    }
  });

  it('beyond the whole size of a tier is never allowed, and the decision says so', () => {
    const clock = new ManualClock();
    for (const [options, tier] of [
      [{ tokenBucket: slow }, 'token-bucket'],
      [{ slidingWindow: wide }, 'sliding-window'],
      [{ queueDepth: deep }, 'queue-depth'],
    ] as const) {
      const limiter = Limiter.create({ ...options, clock });
      const window = tier === 'sliding-window' ? 0 : undefined;
      const never = { allowed: false, tier, window, oversized: true, retryAfterMs: Infinity };
      expect(limiter.tryAcquire({ cost: 1_001 })).toEqual(never);
      expect(limiter.tryAcquire({ cost: 2 ** 32 - 1 })).toEqual(never);
      expect(allowed(limiter, 2_000)).toBe(1_000);
    }
  });

  it.each([-1, 1.5, 2 ** 32, Number.NaN, Infinity])('is refused if out of range: %s', (cost) => {
    const limiter = Limiter.create({ queueDepth: deep });
    for (const call of [() => limiter.allow(undefined, cost), () => limiter.release(cost)]) {
      expectError(thrown(call), 'ERR_SLUICE_OPTION', RangeError);
    }
    expect(limiter.stats()).toMatchObject({ allowed: 0, inFlight: 0 });
  });

  it.each(['1', null, 1n, {}])('is refused if it is no number: %s', (cost) => {
    const limiter = Limiter.create({ queueDepth: deep });
    for (const call of [
      () => limiter.allow(undefined, mistyped(cost)),
      () => limiter.release(mistyped(cost)),
    ]) {
      expectError(thrown(call), 'ERR_SLUICE_OPTION', TypeError);
    }
  });

  it('has no key: a limiter without keys refuses a key, and does not ignore it', () => {
    const limiter = Limiter.create({ queueDepth: deep });
    const calls = [() => limiter.allow(mistyped('user 7')), () => limiter.release(1, mistyped('user 7'))];
    for (const call of calls) expectError(thrown(call), 'ERR_SLUICE_OPTION', TypeError);
    expect(limiter.stats().allowed).toBe(0);
  });
});

describe('release', () => {
  it('of a decision gives its cost back once', () => {
    const limiter = Limiter.create({ queueDepth: { max: 10 } });
    const decisions = [limiter.tryAcquire({ cost: 3 }), limiter.tryAcquire({ cost: 7 })];
    expect(limiter.allow()).toBe(false);
    const [first] = decisions;
    if (first?.allowed !== true) throw new Error('the first was refused');
    for (let i = 0; i < 3; i++) first.release();
    expect(limiter.stats().inFlight).toBe(7);
    expect(allowed(limiter, 10)).toBe(3);
  });

  it('of more than is in flight is an error, and changes nothing', () => {
    const limiter = Limiter.create({ queueDepth: { max: 10 } });
    limiter.allow(undefined, 4);
    expectError(
      thrown(() => limiter.release(5)),
      'ERR_SLUICE_RELEASE',
    );
    limiter.release(4);
    expectError(
      thrown(() => limiter.release()),
      'ERR_SLUICE_RELEASE',
    );
    expect(limiter.stats().inFlight).toBe(0);
    expect(allowed(limiter, 20)).toBe(10);
  });

  it('does nothing where no tier counts what is in flight', () => {
    const limiter = Limiter.create({ tokenBucket: { ...slow, burst: 1 } });
    const decision = limiter.tryAcquire();
    if (!decision.allowed) throw new Error('refused');
    decision.release();
    limiter.release(100);
    expect(limiter.allow()).toBe(false);
  });

  it('can come from another thread or object than the one that was allowed', () => {
    const limiter = Limiter.create({ queueDepth: { max: 2 } });
    const other = Limiter.attach(limiter.handle);
    expect(allowed(limiter, 3)).toBe(2);
    other.release(2);
    expect(allowed(other, 3)).toBe(2);
  });
});

describe('a depth tier that follows a queue', () => {
  const Row = record({ number: u32 });

  it('allows while the queue is less deep than its maximum, and has nothing to release', () => {
    const queue = Queue.create(Row, { capacity: 100 });
    const limiter = Limiter.create({ queueDepth: { max: 5, queue } });
    expect(allowed(limiter, 100)).toBe(100);
    for (let number = 0; number < 4; number++) queue.tryPush({ number });
    expect(limiter.tryAcquire({ cost: 2 })).toMatchObject({ allowed: false, tier: 'queue-depth' });
    expect(limiter.tryAcquire()).toMatchObject({ allowed: true, remaining: 1 });
    queue.tryPush({ number: 4 });
    expect(limiter.allow()).toBe(false);
    expect(limiter.stats().inFlight).toBe(5);
    limiter.release(100);
    expect(limiter.allow()).toBe(false);
    queue.tryPop();
    expect(limiter.allow()).toBe(true);
  });

  it('goes on when this thread disposes of the queue', () => {
    const queue = Queue.create(Row, { capacity: 100 });
    const limiter = Limiter.create({ queueDepth: { max: 1, queue } });
    queue.tryPush({ number: 1 });
    queue[Symbol.dispose]();
    expect(limiter.allow()).toBe(false);
    expect(Limiter.attach(limiter.handle).allow()).toBe(false);
  });
});

describe('a limiter', () => {
  it('is shared by all objects that attach to its handle, and counts for all of them', () => {
    const limiter = Limiter.create({ tokenBucket: { ...slow, burst: 6 } });
    const other = Limiter.attach(structuredClone(limiter.handle));
    expect([allowed(limiter, 3), allowed(other, 5), allowed(limiter, 2)]).toEqual([3, 3, 0]);
    const stats = {
      allowed: 6,
      refused: { 'token-bucket': 4, 'sliding-window': 0, 'queue-depth': 0 },
      inFlight: 0,
    };
    expect([limiter.stats(), other.stats()]).toMatchObject([stats, stats]);
  });

  it('that was disposed of refuses everything with its own error, while other objects go on', () => {
    const limiter = Limiter.create({ queueDepth: deep });
    const other = Limiter.attach(limiter.handle);
    const decision = limiter.tryAcquire();
    limiter[Symbol.dispose]();
    limiter[Symbol.dispose]();
    const uses = [
      () => limiter.allow(),
      () => limiter.tryAcquire(),
      () => limiter.release(),
      () => limiter.stats(),
    ];
    for (const use of uses) expectError(thrown(use), 'ERR_SLUICE_DISPOSED');
    if (decision.allowed) decision.release();
    expect(other.allow()).toBe(true);
    other[Symbol.dispose]();
    expectError(
      thrown(() => Limiter.attach(limiter.handle)),
      'ERR_SLUICE_HANDLE',
    );
  });
});
