import { Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { replay, seed } from '../seed.js';
import { WorkerThread, withThreads } from '../worker-thread.js';
import { Numbered } from './record.js';
import { acknowledge, sleepWords } from './sleeping.js';

describe('a consumer that sleeps', () => {
  it.each([
    { where: 'the main thread', producers: 1, sleeps: 10_000 },
    { where: 'a worker', producers: 1, sleeps: 10_000 },
    { where: 'the main thread', producers: 3, sleeps: 2_000 },
    { where: 'a worker', producers: 3, sleeps: 2_000 },
  ])(
    'in $where is woken each of $sleeps times (producers: $producers)',
    async ({ where, producers, sleeps }) => {
      const queue = Queue.create(Numbered, { capacity: 16 });
      const { handle } = queue;
      const words = sleepWords(producers);
      const consumer =
        where === 'a worker'
          ? [new WorkerThread(new URL('./workers/sleeper.js', import.meta.url), { handle, words, sleeps })]
          : [];
      const pingers = Array.from({ length: producers }, (_, producer) => {
        const data = { handle, producer, words, seed: seed + producer };
        return new WorkerThread(new URL('./workers/pinger.js', import.meta.url), data);
      });
      await withThreads([...consumer, ...pingers], async () => {
        const consumed =
          consumer[0]?.message<{ records: number }>('slept').then(({ records }) => records) ??
          acknowledge(queue, new Int32Array(words), sleeps);
        const pinged = pingers.map(async (pinger) => {
          const { lost } = await pinger.message<{ lost?: { producer: number; sequence: number } }>('ended');
          const { depth, wakeups } = queue.stats();
          expect(
            lost,
            `${replay}: did not wake the consumer; depth ${depth}, after ${wakeups} sleeps`,
          ).toBeUndefined();
        });
        await Promise.race([Promise.all(pinged), consumed]);
        await Promise.all(pinged);
        queue.close();
        const records = await consumed;
        expect(queue.stats().wakeups, replay).toBeGreaterThanOrEqual(sleeps);
        expect(queue.stats(), replay).toMatchObject({ pushed: records, popped: records, depth: 0 });
      });
    },
  );
});
