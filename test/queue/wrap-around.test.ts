import { setImmediate as immediate } from 'node:timers/promises';
import { Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { replay, seed } from '../seed.js';
import { SeededRandom } from '../seeded-random.js';
import { WorkerThread, withThreads } from '../worker-thread.js';
import { Arrivals } from './arrivals.js';
import { Numbered, numbered } from './record.js';

// A position counts records in steps of 2^16. So as a word it passes 2^31 and 2^32 after 2^15 and 2^16 records, changes
// sign after 2^47, and returns to zero after 2^48. The other limits are for a layout with other steps.
const limits = [15, 16, 31, 32, 47, 48, 62, 63].map((bits) => [`2^${bits}`, 2n ** BigInt(bits)] as const);

describe.each(limits)('a queue that passes %s records', (_, limit) => {
  it.each([1, 2, 3, 7, 64, 100])('keeps order and an exact capacity of %i', (capacity) => {
    const random = new SeededRandom(seed + capacity);
    const before = 3 * capacity + 5;
    const queue = Queue.createAt(Numbered, { capacity }, limit - BigInt(before));
    let pushed = 0;
    let popped = 0;
    while (popped < 2 * before) {
      for (let i = random.below(capacity + 1); i > 0 && pushed - popped < capacity; i--) {
        expect(queue.tryPush(numbered(0, pushed++)), `${replay}, record ${pushed}`).toBe(true);
      }
      if (random.chance(0.5)) {
        const list = Array.from({ length: capacity + 1 }, (_, i) => numbered(0, pushed + i));
        const room = capacity - (pushed - popped);
        expect(queue.tryPushMany(list), `${replay}, record ${pushed}`).toBe(room);
        pushed += room;
        expect(queue.tryPush(numbered(0, 0))).toBe(false);
      }
      expect(queue.depth, replay).toBe(pushed - popped);
      const taken = queue.popMany(random.between(1, capacity));
      expect(taken.map(({ sequence }) => sequence)).toEqual(taken.map((_, i) => popped + i));
      popped += taken.length;
    }
    expect(queue.stats(), replay).toMatchObject({ pushed, popped, depth: pushed - popped });
    queue.close();
    expect(queue.popMany(65_536)).toHaveLength(pushed - popped);
  });

  it('does so with four producers', async () => {
    const each = 16_000;
    const queue = Queue.createAt(Numbered, { capacity: 100 }, limit - 30_000n);
    const arrivals = new Arrivals(4, 0);
    const threads = Array.from(
      { length: 4 },
      () => new WorkerThread(new URL('./workers/producer.js', import.meta.url)),
    );
    await withThreads(threads, async () => {
      for (const [producer, thread] of threads.entries()) {
        thread.post({
          type: 'push',
          handle: queue.handle,
          producer,
          first: 0,
          count: each,
          seed: seed + producer,
        });
      }
      while (arrivals.total < 4 * each) {
        queue.drain((view) => arrivals.see(view), 65_536);
        for (const { failure } of threads) if (failure !== undefined) throw failure;
        await immediate();
      }
      for (const thread of threads) await thread.message('pushed');
      expect(queue.stats(), replay).toMatchObject({ pushed: 4 * each, popped: 4 * each, depth: 0 });
    });
  });
});
