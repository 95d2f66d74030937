import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Gate, Limiter, type LimiterOptions, ManualClock, Queue, record, u32 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';

const Row = record({ number: u32 });
const deep = { queueDepth: { max: 1_000_000 } };

describe('the adaptive tier, by the event loop', () => {
  it('refuses while the event loop is late, says so, and allows again when it is not', async () => {
    const limiter = Limiter.create({ ...deep, adaptive: { maxEventLoopDelayMs: 50, intervalMs: 20 } });
    const asOf = async (allowed: boolean, work: () => void): Promise<void> => {
      while (limiter.tryAcquire().allowed !== allowed) {
        work();
        await delay(1);
      }
    };
    await asOf(true, () => {});
    await asOf(false, () => {
      const end = process.hrtime.bigint() + 300_000_000n;
      while (process.hrtime.bigint() < end);
    });
    expect(limiter.tryAcquire()).toMatchObject({ allowed: false, tier: 'adaptive' });
    expect(limiter.peek()).toMatchObject({ allowed: false, tier: 'adaptive' });
    await asOf(true, () => {});
    expect(limiter.stats().refused.adaptive).toBeGreaterThan(0);
    limiter[Symbol.dispose]();
  });
});

describe('the adaptive tier, by the wait of a queue', () => {
  /** Returns a limiter that watches a queue, and a function that asks it every 5 ms of its clock. */
  function watching(options: Partial<LimiterOptions> = {}) {
    const clock = new ManualClock(50);
    const queue = Queue.create(Row, { capacity: 100, lanes: 2 });
    const limiter = Limiter.create({
      ...deep,
      adaptive: { queue, maxQueueWaitMs: 20, intervalMs: 100 },
      clock,
      ...options,
    });
    /** Returns how many requests were refused within `ms` milliseconds. */
    const refusedIn = (ms: number): number => {
      let refused = 0;
      for (let i = 0; i < ms / 5; i++) {
        clock.advance(5);
        if (!limiter.allow()) refused++;
      }
      return refused;
    };
    return { queue, limiter, clock, refusedIn };
  }

  it('refuses while the shortest wait over the interval exceeds the maximum', () => {
    const { queue, limiter, refusedIn } = watching();
    expect(refusedIn(1_000)).toBe(0);
    for (let number = 0; number < 10; number++) queue.tryPush({ number });
    expect(refusedIn(115)).toBe(0); // the wait exceeds the maximum, but has not done so for a whole interval
    expect(refusedIn(1_000)).toBeGreaterThanOrEqual(195);
    expect(limiter.tryAcquire()).toMatchObject({ allowed: false, tier: 'adaptive', retryAfterMs: 0 });
    expect(limiter.peek()).toMatchObject({ allowed: false, tier: 'adaptive' });
    while (queue.tryPop() !== undefined);
    expect(refusedIn(1_000)).toBe(0);
    expect(limiter.stats().refused.adaptive).toBeGreaterThanOrEqual(196);
  });

  it('refuses nothing in a burst, nor while a queue is never empty but moves', () => {
    const { queue, refusedIn } = watching();
    for (let burst = 0; burst < 5; burst++) {
      for (let number = 0; number < 100; number++) queue.tryPush({ number });
      expect(refusedIn(90)).toBe(0);
      while (queue.tryPop() !== undefined);
      expect(refusedIn(30)).toBe(0);
    }
    for (let number = 0; number < 500; number++) {
      queue.tryPush({ number });
      expect(refusedIn(10)).toBe(0);
      if (queue.depth > 1) queue.tryPop();
    }
    expect(queue.depth).toBe(1);
  });

  it('judges by the lane whose records wait the longest', () => {
    const { queue, refusedIn } = watching();
    queue.tryPush({ number: 1 }, { lane: 1 });
    expect(refusedIn(500)).toBeGreaterThan(70);
  });

  it('only reports a refusal in a dry run; without one, acquire() is refused at once', async () => {
    const dry = watching({ enforce: false });
    dry.queue.tryPush({ number: 1 });
    expect(dry.refusedIn(500)).toBe(0);
    expect(dry.limiter.tryAcquire()).toMatchObject({ allowed: true, wouldRefuse: 'adaptive' });
    const { queue, limiter, refusedIn } = watching();
    queue.tryPush({ number: 1 });
    refusedIn(500);
    expect(await limiter.acquire()).toMatchObject({ allowed: false, tier: 'adaptive' });
  });

  it('holds for all keys and in every thread, even when this thread has disposed of the queue', async () => {
    const { queue, limiter, clock } = watching({ keys: { max: 10 } });
    queue.tryPush({ number: 1 });
    for (const ms of [0, 5, 25, 200]) {
      clock.advance(ms);
      limiter.allow('a');
    }
    queue[Symbol.dispose]();
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.sluice).then(({ Limiter }) =>
        parentPort.postMessage(Limiter.attach(workerData.handle).tryAcquire({ key: 'b' })));`;
    const sluice = new URL('../../dist/index.js', import.meta.url).href;
    const worker = new Worker(code, { eval: true, workerData: { sluice, handle: limiter.handle } });
    const [decision] = await once(worker, 'message');
    expect(decision).toMatchObject({ allowed: false, tier: 'adaptive' });
    expect(limiter.tryAcquire({ key: 'c' })).toMatchObject({ allowed: false, tier: 'adaptive' });
    await worker.terminate();
  });

  it('works in a gate, whose own queue it may watch', () => {
    const clock = new ManualClock();
    const queue = Queue.create(Row, { capacity: 100, clock });
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1e6, burst: 1e6 },
      adaptive: { queue, maxQueueWaitMs: 20, intervalMs: 100 },
      clock,
    });
    const gate = Gate.create({ queue, limiter });
    const admit = () => {
      clock.advance(5);
      return gate.admit({ number: 1 });
    };
    for (let i = 0; i < 23; i++) expect(admit().outcome).toBe('admitted');
    for (let i = 0; i < 10; i++) admit();
    expect(admit()).toEqual({ outcome: 'rate-limited', tier: 'adaptive', retryAfterMs: 0 });
    while (queue.tryPop() !== undefined);
    expect(admit().outcome).toBe('admitted');
  });

  it('needs a queue and its longest wait, or the delay of the loop', () => {
    const queue = Queue.create(Row, { capacity: 10 });
    for (const adaptive of [
      {},
      { intervalMs: 100 },
      { queue },
      { maxQueueWaitMs: 5 },
      { queue: {}, maxQueueWaitMs: 5 },
      { queue, maxQueueWaitMs: '5' },
      { queue, maxQueueWait: 5 },
    ]) {
      expectError(
        thrown(() => Limiter.create(mistyped({ ...deep, adaptive }))),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    }
    for (const maxQueueWaitMs of [0, -1, Number.NaN, Infinity]) {
      expectError(
        thrown(() => Limiter.create({ ...deep, adaptive: { queue, maxQueueWaitMs } })),
        'ERR_SLUICE_OPTION',
        RangeError,
      );
    }
  });
});
