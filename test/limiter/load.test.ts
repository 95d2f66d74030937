import { Limiter, type LimiterOptions } from 'sluice';
import { describe, expect, it } from 'vitest';
import { replay, seed } from '../seed.js';
import { SeededRandom } from '../seeded-random.js';
import { WorkerThread, withThreads } from '../worker-thread.js';
import { type Admission, fullestWindow, largestExcess } from './admission-audit.js';

const seconds = 30;
/** The length of a slot of time. A limiter is judged by what it admitted in the slots in which a thread asked it. */
const slotMs = 20;
/**
 * The least share that must be admitted, of what the tightest tier lets through in the slots in which a thread asked. A
 * window of 20 buckets gives 20/21 of its limit. The rest of the tolerance is for slots in which a thread was stopped
 * before it had asked for all that was available. Time in which no thread ran does not count, so the verdict does not
 * depend on how busy the machine is.
 */
const bar = 0.5;
const blurNs = 200_000;

interface Load {
  readonly options: LimiterOptions;
  readonly keys: number;
  readonly costMax: number;
}
const loads: Record<string, Load> = {
  'a token bucket': {
    options: { tokenBucket: { ratePerSecond: 2_000, burst: 100 } },
    keys: 0,
    costMax: 3,
  },
  'a sliding window': {
    options: { slidingWindow: { limit: 200, windowMs: 100 } },
    keys: 0,
    costMax: 1,
  },
  'an exact window': {
    options: { slidingWindow: { limit: 200, windowMs: 100, exact: true } },
    keys: 0,
    costMax: 3,
  },
  'windows of five keys': {
    options: { slidingWindow: { limit: 40, windowMs: 100 }, keys: { max: 100 } },
    keys: 5,
    costMax: 2,
  },
  'two windows': {
    options: {
      slidingWindow: [
        { limit: 100, windowMs: 40 },
        { limit: 200, windowMs: 100, exact: true },
      ],
    },
    keys: 0,
    costMax: 2,
  },
  'all tiers': {
    options: {
      tokenBucket: { ratePerSecond: 1_500, burst: 150 },
      slidingWindow: { limit: 160, windowMs: 100 },
      queueDepth: { max: 1_000 },
    },
    keys: 0,
    costMax: 1,
  },
};

interface Loaded {
  before: Float64Array;
  after: Float64Array;
  costs: Uint32Array;
  keys: Uint32Array;
  slots: number[];
}

/** Returns what a limiter admitted to all threads, by key, and in how many slots the threads asked it. */
function gathered(parts: readonly Loaded[], keys: number): { byKey: Admission[][]; slots: number } {
  const byKey: Admission[][] = Array.from({ length: Math.max(1, keys) }, () => []);
  const slots = new Set<number>();
  for (const part of parts) {
    for (const slot of part.slots) slots.add(slot);
    for (const [i, before] of part.before.entries()) {
      byKey[part.keys[i] as number]?.push({
        before,
        after: part.after[i] as number,
        cost: part.costs[i] as number,
      });
    }
  }
  return { byKey, slots: slots.size };
}

describe('thirty seconds of random load', () => {
  it.concurrent.each([2, 4])(
    'by %i threads: no true window above its limit, and little below',
    async (count) => {
      const random = new SeededRandom(seed + count);
      const limiters = Object.values(loads).map(({ options }) => Limiter.create(options));
      const startNs = process.hrtime.bigint();
      const threads = Array.from(
        { length: count },
        () =>
          new WorkerThread(new URL('./workers/loader.js', import.meta.url), {
            loads: Object.values(loads).map(({ keys, costMax }, i) => ({
              handle: limiters[i]?.handle,
              keys,
              costMax,
            })),
            seconds,
            slotMs,
            startNs,
            seed: random.next(),
          }),
      );
      const answers = await withThreads(threads, () =>
        Promise.all(threads.map((thread) => thread.message<{ loads: Loaded[] }>('loaded'))),
      );
      for (const [i, [name, { options, keys }]] of Object.entries(loads).entries()) {
        const where = `${replay}: ${name}`;
        const parts = answers.map((answer) => answer.loads[i] as Loaded);
        const { byKey, slots } = gathered(parts, keys);
        const { tokenBucket, slidingWindow } = options;
        let perSecond = Infinity;
        for (const window of [slidingWindow ?? []].flat()) {
          if (!('windowMs' in window)) continue;
          const { limit, windowMs } = window;
          perSecond = Math.min(perSecond, (limit / windowMs) * 1_000);
          for (const one of byKey) {
            expect(fullestWindow(one, windowMs * 1e6), where).toBeLessThanOrEqual(limit);
          }
        }
        if (tokenBucket !== undefined) {
          const { ratePerSecond, burst } = tokenBucket;
          perSecond = Math.min(perSecond, ratePerSecond);
          for (const one of byKey) {
            expect(largestExcess(one, ratePerSecond / 1e9, blurNs), where).toBeLessThanOrEqual(burst);
          }
        }
        const admitted = byKey.flat().reduce((sum, { cost }) => sum + cost, 0);
        const asked = (slots * slotMs) / 1_000;
        expect(asked, where).toBeGreaterThan(0);
        expect(admitted, `${where}, asked in ${asked} s`).toBeGreaterThanOrEqual(
          bar * perSecond * byKey.length * asked,
        );
        const stats = limiters[i]?.stats();
        expect(stats?.allowed, where).toBe(byKey.flat().length);
        expect(stats?.inFlight, where).toBe(0);
      }
    },
    240_000, // the threads run for 30 s; on a busy machine the audit takes long, too
  );
});

describe('the audit', () => {
  const at = (ms: number, cost = 1, tookMs = 0.001): Admission => ({
    before: ms * 1e6,
    after: (ms + tookMs) * 1e6,
    cost,
  });

  it('finds the fullest window, wherever it begins, and counts nothing that may lie outside', () => {
    const twice = [...Array.from({ length: 9 }, () => at(95)), ...Array.from({ length: 9 }, () => at(105))];
    expect(fullestWindow(twice, 100e6)).toBe(18);
    expect(fullestWindow(twice, 10e6)).toBe(9);
    expect(fullestWindow([at(0, 3), at(50, 4), at(99.998, 5), at(100.5, 7)], 100e6)).toBe(16);
    expect(fullestWindow([at(0, 3), at(1, 50, 500), at(2, 4)], 100e6)).toBe(7);
    expect(fullestWindow([at(0, 50, 500), at(400, 4), at(450, 5)], 100e6)).toBe(9);
  });

  it('finds what exceeds a rate', () => {
    const steady = Array.from({ length: 100 }, (_, i) => at(i));
    expect(largestExcess(steady, 1 / 1e6, 1_000)).toBeLessThanOrEqual(1);
    expect(largestExcess([...steady, at(50, 10)], 1 / 1e6, 1_000)).toBeGreaterThan(10);
    expect(largestExcess([...steady, at(50, 10, 1)], 1 / 1e6, 1_000)).toBeLessThanOrEqual(1);
  });
});
