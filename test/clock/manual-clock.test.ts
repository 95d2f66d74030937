import { Limiter, ManualClock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { WorkerThread, withThreads } from '../worker-thread.js';

it('a manual clock refuses a step past its largest time, and stays where it is', () => {
  const clock = new ManualClock(1e12);
  clock.advance(1e11);
  expect(clock.now()).toBe(1.1e12);
  for (const ms of [1, 1e12]) {
    const error = thrown(() => clock.advance(ms));
    expectError(error, 'ERR_SLUICE_OPTION', RangeError);
    expect(error.message).toContain('ManualClock.advance: ms');
  }
  expect([clock.advance(0), clock.now()]).toEqual([1.1e12, 1.1e12]);
});

describe('a manual clock', () => {
  it('stays at its start, and moves only by advance()', () => {
    expect(new ManualClock().now()).toBe(0);
    const clock = new ManualClock(1_500.25);
    expect(clock.now()).toBe(1_500.25);
    expect(clock.advance(0)).toBe(1_500.25);
    expect(clock.advance(0.000_001)).toBe(1_500.250_001);
    expect(clock.advance(86_400_000)).toBe(86_401_500.250_001);
    expect(clock.now()).toBe(86_401_500.250_001);
  });

  it('refuses bad times', () => {
    const clock = new ManualClock(5);
    for (const ms of [-1, Number.NaN, Infinity, 1e13]) {
      expectError(
        thrown(() => new ManualClock(ms)),
        'ERR_SLUICE_OPTION',
        RangeError,
      );
      expectError(
        thrown(() => clock.advance(ms)),
        'ERR_SLUICE_OPTION',
        RangeError,
      );
    }
    for (const ms of ['1', null, 1n]) {
      expectError(
        thrown(() => new ManualClock(mistyped(ms))),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
      expectError(
        thrown(() => clock.advance(mistyped(ms))),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    }
    expect(clock.now()).toBe(5);
  });

  it('is one clock for all attached objects, in other threads too', async () => {
    const clock = new ManualClock(10);
    const same = ManualClock.attach(structuredClone(clock.handle));
    same.advance(5);
    expect(clock.now()).toBe(15);
    const thread = new WorkerThread(new URL('./workers/advance.js', import.meta.url), {
      handle: clock.handle,
      ms: 7,
    });
    await withThreads([thread], async () => {
      await thread.message('advanced');
      expect([clock.now(), same.now()]).toEqual([22, 22]);
    });
  });

  it('is not attached by the handle of something else', () => {
    const limiter = Limiter.create(Limiter.flashSale);
    expectError(
      thrown(() => ManualClock.attach(mistyped(limiter.handle))),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
    expectError(
      thrown(() => ManualClock.attach({ ...limiter.handle, sluice: 'clock' })),
      'ERR_SLUICE_HANDLE',
    );
  });

  it('lives as long as what was created with it', () => {
    const limiter = (() => {
      const clock = new ManualClock();
      return Limiter.create({ tokenBucket: { ratePerSecond: 1, burst: 1 }, clock });
    })();
    expect([limiter.allow(), limiter.allow()]).toEqual([true, false]);
  });
});
