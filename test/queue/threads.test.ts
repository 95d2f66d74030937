import { setImmediate as immediate } from 'node:timers/promises';
import { Queue, type QueueHandle } from 'sluice';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { replay, seed } from '../seed.js';
import { SeededRandom } from '../seeded-random.js';
import { WorkerThread } from '../worker-thread.js';
import { Arrivals } from './arrivals.js';
import { Numbered } from './record.js';

const producers = 4;
const random = new SeededRandom(seed);
let threads: WorkerThread[] = [];

interface Pushed {
  producer: number;
  pushed: number;
  rejected: number;
  closed: boolean;
}

beforeAll(async () => {
  threads = Array.from(
    { length: producers },
    () => new WorkerThread(new URL('./workers/producer.js', import.meta.url)),
  );
  for (const thread of threads) await thread.message('ready');
});
afterAll(async () => {
  await Promise.all(threads.map((thread) => thread.terminate()));
});

/** Lets every thread push `count` records. Resolves to the threads' answers. */
function pushAll(handle: QueueHandle, first: number, count: number): Promise<Pushed[]> {
  for (const [producer, thread] of threads.entries()) {
    thread.post({ type: 'push', handle, producer, first, count, seed: random.next() });
  }
  return Promise.all(threads.map((thread) => thread.message<Pushed>('pushed')));
}

const total = (results: readonly Pushed[], what: 'pushed' | 'rejected') =>
  results.reduce((sum, result) => sum + result[what], 0);

// On a busy machine with few processors, threads that fill a small queue wait for each other's turns.
describe('many producers and one consumer', { timeout: 240_000 }, () => {
  it.each([
    { capacity: 1, each: 1_000 },
    { capacity: 2, each: 2_000 },
    { capacity: 7, each: 10_000 },
    { capacity: 100, each: 500_000 },
    { capacity: 65_536, each: 5_000_000 },
  ])(
    'lose, tear, double and reorder nothing: capacity $capacity, $each records each',
    async ({ capacity, each }) => {
      const queue = Queue.create(Numbered, { capacity });
      const arrivals = new Arrivals(producers, 1_000);
      const pushing = pushAll(queue.handle, 1_000, each);
      let done = false;
      const finished = (): void => {
        done = true;
      };
      pushing.then(finished, finished);
      while (!done || queue.depth > 0) {
        const count = queue.drain((view) => arrivals.see(view), 65_536);
        expect(count, replay).toBeLessThanOrEqual(65_536);
        await immediate();
      }
      const results = await pushing;
      expect(arrivals.total, replay).toBe(producers * each);
      expect(queue.stats(), replay).toMatchObject({
        depth: 0,
        pushed: producers * each,
        popped: producers * each,
        rejected: total(results, 'rejected'),
      });
      expect(queue.stats().highWater, replay).toBeLessThanOrEqual(capacity);
      queue[Symbol.dispose]();
    },
  );

  it('reach a consumer that sleeps between them, through the event loop', async () => {
    const each = 500_000;
    const queue = Queue.create(Numbered, { capacity: 1_000 });
    const arrivals = new Arrivals(producers, 0);
    const pushing = pushAll(queue.handle, 0, each).then((results) => {
      queue.close();
      return results;
    });
    await queue.consume((batch) => {
      for (const value of batch) arrivals.see(value);
    });
    await pushing;
    expect(arrivals.total, replay).toBe(producers * each);
    queue[Symbol.dispose]();
  });
});

describe('producers that fill a queue at the same time', () => {
  it('get exactly as many records in as it has room for', async () => {
    for (let round = 0; round < 100; round++) {
      const capacity = random.between(1, 3_000);
      const queue = Queue.create(Numbered, { capacity });
      const already = Math.min(random.between(0, 2), capacity);
      for (let i = 0; i < already; i++) queue.tryPush({ producer: 99, sequence: i, checksum: 0 });
      // Each thread tries to push more than fits, until the threads together have filled the queue and it is closed.
      const pushing = pushAll(queue.handle, 0, 1e9);
      while (queue.depth < capacity) await immediate();
      queue.close();
      const results = await pushing;
      expect(total(results, 'pushed') + already, `${replay}, round ${round}, capacity ${capacity}`).toBe(
        capacity,
      );
      expect(queue.depth).toBe(capacity);
      expect(results.every(({ closed }) => closed)).toBe(true);
      queue[Symbol.dispose]();
    }
  });
});

describe('close', () => {
  it('while producers push: all that was accepted before it comes out, and nothing is accepted after it', async () => {
    for (let round = 0; round < 25; round++) {
      const queue = Queue.create(Numbered, { capacity: random.pick([1, 5, 64, 1_000]) });
      const arrivals = new Arrivals(producers, 0);
      const pushing = pushAll(queue.handle, 0, 1e9);
      const enough = random.between(0, 2_000);
      await queue.consume((batch) => {
        for (const value of batch) arrivals.see(value);
        if (arrivals.total >= enough) queue.close();
      });
      const results = await pushing;
      const message = `${replay}, round ${round}`;
      expect(arrivals.total, message).toBe(total(results, 'pushed'));
      expect(
        [...results].sort((a, b) => a.producer - b.producer).map(({ pushed }) => pushed),
        message,
      ).toEqual(arrivals.next);
      expect(queue.stats().depth, message).toBe(0);
      queue[Symbol.dispose]();
    }
  });
});
