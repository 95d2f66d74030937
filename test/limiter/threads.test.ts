import { setImmediate as immediate } from 'node:timers/promises';
import { Limiter, type LimiterOptions, ManualClock, type Tier } from 'sluice';
import { describe, expect, it } from 'vitest';
import { replay, seed } from '../seed.js';
import { SeededRandom } from '../seeded-random.js';
import { WorkerThread, withThreads } from '../worker-thread.js';

const random = new SeededRandom(seed);

interface Asked {
  allowed: number;
  cost: number;
  refused: Partial<Record<Tier, number>>;
}

/** Runs `act` with a limiter that four threads share. */
async function contended(
  options: LimiterOptions,
  act: (
    limiter: Limiter,
    ask: (attempts: number, costMax?: number) => Promise<Asked>,
    release: () => Promise<void>,
  ) => Promise<void>,
): Promise<void> {
  const limiter = Limiter.create(options);
  const url = new URL('./workers/asker.js', import.meta.url);
  const threads = Array.from({ length: 4 }, () => new WorkerThread(url, { handle: limiter.handle }));
  const ask = async (attempts: number, costMax = 1): Promise<Asked> => {
    for (const thread of threads) thread.post({ type: 'ask', attempts, costMax, seed: random.next() });
    const answers = await Promise.all(threads.map((thread) => thread.message<Asked>('asked')));
    const refused: Partial<Record<Tier, number>> = {};
    const sum = { allowed: 0, cost: 0, refused };
    for (const answer of answers) {
      sum.allowed += answer.allowed;
      sum.cost += answer.cost;
      for (const [tier, count] of Object.entries(answer.refused) as [Tier, number][]) {
        refused[tier] = (refused[tier] ?? 0) + count;
      }
    }
    return sum;
  };
  const release = async (): Promise<void> => {
    for (const thread of threads) thread.post({ type: 'release' });
    await Promise.all(threads.map((thread) => thread.message('released')));
  };
  await withThreads(threads, async () => {
    await Promise.all(threads.map((thread) => thread.message('ready')));
    await act(limiter, ask, release);
  });
}

const bucket = { ratePerSecond: 1_000, burst: 30_000 };
const window = { limit: 20_000, windowMs: 10_000, buckets: 10 };

describe('four threads that ask one limiter while its clock does not move', () => {
  it.each<[string, LimiterOptions, number, Tier]>([
    ['the token bucket', { tokenBucket: bucket }, 30_000, 'token-bucket'],
    ['the sliding window', { slidingWindow: window }, 20_000, 'sliding-window'],
    ['the depth tier', { queueDepth: { max: 10_000 } }, 10_000, 'queue-depth'],
    [
      'all tiers',
      { tokenBucket: bucket, slidingWindow: window, queueDepth: { max: 10_000 } },
      10_000,
      'queue-depth',
    ],
    ['bucket and window', { tokenBucket: bucket, slidingWindow: window }, 20_000, 'sliding-window'],
  ])('are allowed exactly what %s has', async (_, options, total, tier) => {
    await contended({ ...options, clock: new ManualClock(77) }, async (limiter, ask) => {
      const { allowed, refused } = await ask(25_000);
      expect(allowed, replay).toBe(total);
      expect(refused[tier], replay).toBe(100_000 - total);
      expect(limiter.stats(), replay).toMatchObject({ allowed: total, refused });
      expect(limiter.stats().inFlight, replay).toBe(options.queueDepth === undefined ? 0 : total);
    });
  });

  it('are allowed exactly that at random costs, too: no refusal keeps what it took from an earlier tier', async () => {
    const options = {
      tokenBucket: { ratePerSecond: 1, burst: 80_000 },
      slidingWindow: { limit: 60_000, windowMs: 10_000 },
      queueDepth: { max: 25_000 },
    };
    const clock = new ManualClock(5);
    await contended({ ...options, clock }, async (limiter, ask, release) => {
      // In the first two rounds the depth is the tightest tier, in the third it is the window. After the window has
      // passed, it is the bucket.
      let spent = 0;
      for (const [index, room] of [25_000, 25_000, 10_000].entries()) {
        const { cost } = await ask(3_000, 40);
        expect(cost, `${replay}, round ${index}`).toBeLessThanOrEqual(room);
        expect(cost, `${replay}, round ${index}`).toBeGreaterThan(room - 40);
        expect(limiter.stats().inFlight, replay).toBe(cost);
        // The limiter allows the rest, to the last unit.
        if (cost < room) expect(limiter.allow(undefined, room - cost), replay).toBe(true);
        expect(limiter.allow(), replay).toBe(false);
        if (cost < room) limiter.release(room - cost);
        await release();
        spent += room;
        expect(limiter.stats().inFlight, replay).toBe(0);
      }
      clock.advance(10_501);
      const tokens = 80_000 - spent + 10;
      const { cost } = await ask(3_000, 40);
      expect(tokens - cost, replay).toBeGreaterThanOrEqual(0);
      expect(tokens - cost, replay).toBeLessThan(40);
    });
  });

  it('are allowed exactly what comes back when the clock moves', async () => {
    const clock = new ManualClock();
    await contended({ tokenBucket: bucket, clock }, async (_limiter, ask) => {
      expect((await ask(10_000)).allowed, replay).toBe(30_000);
      for (const ms of [1, 10, 123, 1_000]) {
        clock.advance(ms);
        expect((await ask(1_000)).allowed, `${replay}, ${ms} ms`).toBe(ms);
      }
    });
  });

  it('are allowed exactly what has come back by the end when the clock moves while they ask', async () => {
    const clock = new ManualClock();
    await contended(
      { tokenBucket: bucket, slidingWindow: { limit: 60_000, windowMs: 60_000 }, clock },
      async (limiter, ask) => {
        let asking = true;
        const answer = ask(100_000).finally(() => {
          asking = false;
        });
        // The bucket is never full again: the burst is spent first, and 25 s bring fewer tokens than the burst.
        while (limiter.stats().allowed < 30_000 && asking) await immediate();
        let moved = 0;
        while (asking && moved < 25_000) {
          clock.advance(1);
          moved++;
          await immediate();
        }
        const { allowed } = await answer;
        const { allowed: rest } = await ask(25_000);
        expect(allowed + rest, `${replay}, ${moved} ms`).toBe(30_000 + moved);
      },
    );
  });
});
