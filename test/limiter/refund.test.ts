import { setImmediate as turn } from 'node:timers/promises';
import { type Allowed, type Decision, Limiter, type LimiterOptions, ManualClock } from 'sluice';
import { describe, expect, it } from 'vitest';

const shapes: Record<string, LimiterOptions> = {
  'an exact window': { slidingWindow: { limit: 5, windowMs: 1_000, exact: true } },
  'a window': { slidingWindow: { limit: 5, windowMs: 1_000 } },
  'a bucket': { tokenBucket: { ratePerSecond: 5, burst: 5 } },
  'a bucket and a window': {
    tokenBucket: { ratePerSecond: 5, burst: 5 },
    slidingWindow: { limit: 5, windowMs: 1_000 },
  },
};
function allowed(decision: Decision): Allowed {
  if (!decision.allowed) throw new Error(`refused by ${decision.tier}`);
  return decision;
}

describe.each(
  Object.entries(shapes).flatMap(([name, options]) => [
    { name, options, key: undefined },
    { name: `${name}, with keys,`, options: { ...options, keys: { max: 8 } }, key: 'one' },
  ]),
)('refund() of $name', ({ options, key }) => {
  const make = (more: LimiterOptions = {}) => {
    const clock = new ManualClock();
    return { clock, limiter: Limiter.create({ ...options, ...more, clock }) };
  };
  const asked = (cost: number) => ({ ...(key === undefined ? {} : { key }), cost });
  const left = (limiter: Limiter) => limiter.peek(asked(1)).remaining;

  it('gives back what the decision charged, once', () => {
    const { limiter } = make();
    const three = allowed(limiter.tryAcquire(asked(3)));
    allowed(limiter.tryAcquire(asked(2)));
    three.refund();
    three.refund();
    expect(left(limiter)).toBe(3);
  });

  it('gives back what is left of the decision after release(), and release() after it does nothing', () => {
    const { limiter } = make({ queueDepth: { max: 9 } });
    const first = allowed(limiter.tryAcquire(asked(2)));
    const second = allowed(limiter.tryAcquire(asked(2)));
    first.release();
    first.refund();
    expect([left(limiter), limiter.stats().inFlight]).toEqual([3, 2]);
    second.refund();
    second.release();
    expect([left(limiter), limiter.stats().inFlight]).toEqual([5, 0]);
  });

  it('gives back nothing that other decisions have charged since', () => {
    const { clock, limiter } = make();
    const old = allowed(limiter.tryAcquire(asked(5)));
    clock.advance(1_500);
    allowed(limiter.tryAcquire(asked(5)));
    old.refund();
    expect(left(limiter)).toBe(0);
  });

  it.each<[string, (limiter: Limiter, clock: ManualClock) => void]>([
    ['a reset', (limiter) => limiter.reset(key)],
    [
      'a change of the rate and of the window',
      (limiter, clock) => {
        limiter.configure({
          ...(options.tokenBucket && { tokenBucket: { ratePerSecond: 50 } }),
          ...(options.slidingWindow && { slidingWindow: { windowMs: 500 } }),
        });
        clock.advance(1_000);
      },
    ],
  ])('gives back nothing of what was charged before %s', (_what, happens) => {
    const { clock, limiter } = make();
    const old = allowed(limiter.tryAcquire(asked(5)));
    happens(limiter, clock);
    allowed(limiter.tryAcquire(asked(5)));
    old.refund();
    expect(left(limiter)).toBe(0);
  });

  it('gives back nothing in a dry run that would have refused', async () => {
    const { limiter } = make({ enforce: false, queueDepth: { max: 100 } });
    allowed(limiter.tryAcquire(asked(5)));
    for (const decision of [limiter.tryAcquire(asked(1)), await limiter.acquire(asked(1))]) {
      const dry = allowed(decision);
      expect(dry.wouldRefuse).toBeDefined();
      dry.refund();
      expect(left(limiter)).toBe(0);
    }
    expect(limiter.stats().inFlight).toBe(5);
  });

  it('gives back what acquire() was served at once, or after a wait', async () => {
    const { clock, limiter } = make();
    const first = allowed(await limiter.acquire(asked(5)));
    const waiting = limiter.acquire(asked(5));
    while (limiter.stats().waiting === 0) await turn();
    first.refund();
    const second = allowed(await waiting);
    expect(left(limiter)).toBe(0);
    second.refund();
    expect(left(limiter)).toBe(5);
    first.refund();
    const third = allowed(await limiter.acquire(asked(5)));
    clock.advance(1_500);
    allowed(limiter.tryAcquire(asked(5)));
    third.refund();
    expect(left(limiter)).toBe(0);
  });

  it('does nothing once the limiter is disposed of', () => {
    const { limiter } = make();
    const other = Limiter.attach(limiter.handle);
    const decision = allowed(limiter.tryAcquire(asked(5)));
    limiter[Symbol.dispose]();
    decision.refund();
    expect(left(other)).toBe(0);
  });
});

describe('refund() of a key that was forgotten since', () => {
  it('gives nothing back', () => {
    const limiter = Limiter.create({
      slidingWindow: { limit: 5, windowMs: 1_000, exact: true },
      keys: { max: 8 },
      clock: new ManualClock(),
    });
    for (let key = 0; key < 16; key++) limiter.allow(key);
    const old = allowed(limiter.tryAcquire({ key: 'guest', cost: 5 }));
    for (let key = 100; key < 164; key++) limiter.allow(key);
    allowed(limiter.tryAcquire({ key: 'guest', cost: 5 }));
    old.refund();
    expect(limiter.peek({ key: 'guest' }).remaining).toBe(0);
  });
});
