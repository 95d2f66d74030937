import { ManualClock, Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../seeded-random.js';
import { expectError, thrown } from '../thrown.js';
import { WorkerThread, withThreads } from '../worker-thread.js';
import { Row, rows } from './row.js';
import { expectConserved, numbers, until } from './until.js';

const overwriting = (capacity: number, options: object = {}) =>
  Queue.create(Row, { capacity, overflow: 'overwrite', ...options });

describe("the policy 'overwrite'", () => {
  it('keeps exactly the newest records, whichever thread pushes them, and counts the others', async () => {
    for (const capacity of [1, 3, 64]) {
      const queue = overwriting(capacity);
      const last: number[] = [];
      const push = (count: number, act: (first: number) => unknown): void => {
        const first = (last.at(-1) ?? 0) + 1;
        act(first);
        for (let i = 0; i < count; i++) last.push(first + i);
      };
      const batcher = queue.batcher();
      for (let round = 0; round < 20; round++) {
        push(1, (number) => expect(queue.tryPush({ number })).toBe(true));
        push(200, (first) => expect(queue.tryPushMany(rows(first, 200))).toBe(200));
        push(1, (number) => expect(queue.pushSync({ number }, 0)).toBe(true));
        push(1, (number) => queue.tryReserve(1)?.send({ number }));
        push(1, (number) => expect(batcher.push({ number })).toBe(true));
        batcher.flush();
        expect(queue.depth).toBe(capacity);
        expectConserved(queue);
      }
      await queue.push({ number: 1e6 }, { timeoutMs: 0 });
      last.push(1e6);
      expect(numbers(queue.popMany(1_000))).toEqual(last.slice(-capacity));
      const { pushed, popped, dropped, rejected, highWater } = queue.stats();
      expect([pushed, popped, dropped]).toEqual([last.length, capacity, last.length - capacity]);
      expect([rejected, highWater]).toEqual([0, capacity]);
    }
  });

  it('keeps lanes apart, with their times to live and latencies', () => {
    const clock = new ManualClock();
    const queue = overwriting(2, { lanes: 2, ttlMs: 10, latency: true, clock });
    for (let number = 0; number < 5; number++) queue.tryPush({ number }, { lane: 1 });
    queue.tryPush({ number: 9 });
    clock.advance(5);
    for (let number = 5; number < 6; number++) queue.tryPush({ number }, { lane: 1 });
    clock.advance(5);
    expect(numbers(queue.popMany(10))).toEqual([5]);
    expect(queue.stats()).toMatchObject({ dropped: 4, expired: 2, popped: 1 });
    expectConserved(queue);
  });

  it('lets a visit of drain push over everything: visited records have left, the others are gone', () => {
    const queue = overwriting(4);
    queue.tryPushMany(rows(0, 4));
    const seen: number[] = [];
    queue.drain(({ number }) => {
      seen.push(number);
      if (number === 1) queue.tryPushMany(rows(10, 4));
    }, 4);
    expect(seen).toEqual([0, 1, 10, 11]);
    expect(numbers(queue.popMany(9))).toEqual([12, 13]);
    expect(queue.drain(() => expect.unreachable(), 0)).toBe(0);
    expectConserved(queue);
  });

  it('accepts nothing once it is closed, except on permits', () => {
    const queue = overwriting(2);
    queue.tryPushMany(rows(0, 2));
    const permit = queue.tryReserve(2);
    queue.close();
    expectError(
      thrown(() => queue.tryPush({ number: 5 })),
      'ERR_SLUICE_CLOSED',
    );
    permit?.send({ number: 6 });
    permit?.[Symbol.dispose]();
    expect(numbers(queue.popMany(9))).toEqual([1, 6]);
  });

  it('reports a record whose time ran out once, however often it is looked at afterwards', () => {
    const clock = new ManualClock();
    const queue = overwriting(4, { ttlMs: 10, clock });
    const expired: number[] = [];
    queue.on('expired', ({ number }) => expired.push(number));
    queue.tryPushMany(rows(0, 2));
    clock.advance(10);
    for (let i = 0; i < 3; i++) expect([queue.tryPop(), queue.popMany(5)]).toEqual([undefined, []]);
    expect(expired).toEqual([0, 1]);
  });

  it.each([1, 5])(
    'wakes its consumer, and refuses no record, while threads push over each other, %i at most',
    async (capacity) => {
      const queue = overwriting(capacity);
      const producers = Array.from({ length: 3 }, (_, producer) => {
        const data = { handle: queue.handle, producer, count: 50_000 };
        return new WorkerThread(new URL('./workers/overwriter.js', import.meta.url), data);
      });
      const newest = [-1, -1, -1];
      const random = new SeededRandom(1);
      await withThreads(producers, async () => {
        const consumed = queue.consume(
          (batch) => {
            for (const { number } of batch) {
              const [producer, sequence] = [number % 4, Math.floor(number / 4)];
              expect(sequence).toBeGreaterThan(newest[producer] as number);
              newest[producer] = sequence;
            }
            for (let i = random.below(2_000); i > 0; i--) random.next();
          },
          { batchSize: Math.min(3, capacity) },
        );
        let ended = false;
        void consumed.finally(() => {
          ended = true;
        });
        await Promise.all(producers.map((producer) => producer.message('done')));
        expect(ended).toBe(false);
        await until(() => queue.depth === 0);
        queue.close();
        await consumed;
      });
      const { pushed, rejected, waiting } = queue.stats();
      expect([pushed, rejected, waiting]).toEqual([150_000, 0, 0]);
      expect(Math.max(...newest)).toBe(49_999);
      expectConserved(queue);
    },
  );
});
