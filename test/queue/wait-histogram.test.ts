import { ManualClock, Queue, WaitHistogram } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { Row } from './row.js';

/** A queue in which one record has waited each of these times, in nanoseconds. */
function waited(waits: readonly number[]) {
  const clock = new ManualClock();
  const queue = Queue.create(Row, { capacity: 1, latency: true, clock });
  const wait = (ns: number) => {
    queue.tryPush({ number: 1 });
    clock.advance(ns / 1e6);
    queue.tryPop();
  };
  for (const ns of waits) wait(ns);
  return { queue, wait };
}

describe('queue.waits()', () => {
  it('is undefined for a queue that measures none', () => {
    expect(Queue.create(Row, { capacity: 1 }).waits()).toBeUndefined();
  });

  it('counts exactly below every power of two', () => {
    const powers = Array.from({ length: 30 }, (_, i) => 2 ** (5 + i));
    const { queue } = waited(powers.flatMap((power) => [power - 1, power]));
    const waits = queue.waits();
    expect(waits?.count).toBe(60);
    expect(powers.map((power) => waits?.below(power))).toEqual(powers.map((_, i) => 2 * i + 1));
    expect([0, -1, Number.NEGATIVE_INFINITY].map((ns) => waits?.below(ns))).toEqual([0, 0, 0]);
    expect(waits?.below(Infinity)).toBe(60);
    expect(waits?.sumNs).toBe(powers.reduce((sum, power) => sum + 2 * power - 1, 0));
  });

  it('has the quantiles of stats(), and those of an interval', () => {
    const { queue, wait } = waited(Array.from({ length: 100 }, (_, i) => (i + 1) * 1_000));
    const before = queue.waits() as WaitHistogram;
    const { waitNs } = queue.stats();
    for (const [name, share] of [
      ['p50', 0.5],
      ['p90', 0.9],
      ['p99', 0.99],
      ['p999', 0.999],
    ] as const) {
      expect(before.quantile(share)).toBe(waitNs[name]);
    }
    for (let i = 0; i < 10; i++) wait(5_000_000);
    const recent = queue.waits()?.since(before);
    expect(recent?.count).toBe(10);
    expect(recent?.sumNs).toBe(50_000_000);
    for (const share of [0, 0.5, 1]) {
      expect(Math.abs((recent?.quantile(share) ?? 0) / 5_000_000 - 1)).toBeLessThan(1 / 64);
    }
  });

  it('has zeros for an interval without records, or of another queue', () => {
    const [first, second] = [waited([1_000]).queue.waits(), waited([9, 9]).queue.waits()] as WaitHistogram[];
    const none = first?.since(first);
    expect([none?.count, none?.sumNs, none?.quantile(0.5), none?.below(Infinity)]).toEqual([0, 0, 0, 0]);
    expect(first?.since(second as WaitHistogram)).toMatchObject({ count: 1 });
  });

  it('refuses what is no number, no share and no histogram, and cannot be constructed', () => {
    const waits = waited([1]).queue.waits() as WaitHistogram;
    for (const bad of [Number.NaN, '1', undefined]) {
      expectError(
        thrown(() => waits.below(mistyped(bad))),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    }
    expectError(
      thrown(() => waits.quantile(1.1)),
      'ERR_SLUICE_OPTION',
      RangeError,
    );
    expectError(
      thrown(() => waits.quantile(mistyped('0.5'))),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
    for (const bad of [{}, null, undefined, Object.create(WaitHistogram.prototype)]) {
      expectError(
        thrown(() => waits.since(mistyped(bad))),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    }
    const Made: new (...given: unknown[]) => object = mistyped(WaitHistogram);
    expectError(
      thrown(() => new Made({}, 1, new Float64Array(3))),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
  });

  it('throws once the queue is disposed of', () => {
    const { queue } = waited([1]);
    queue[Symbol.dispose]();
    expectError(
      thrown(() => queue.waits()),
      'ERR_SLUICE_DISPOSED',
    );
  });
});
