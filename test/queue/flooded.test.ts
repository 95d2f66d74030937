import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Queue, type QueueOptions } from 'sluice';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WorkerThread } from '../worker-thread.js';
import { Row, rows } from './row.js';
import { expectConserved } from './until.js';

type Rows = Queue<{ number: number }>;

const producers = 4;
/** If a 1 ms timer fires and a server answers this often, the consumer's event loop turns. */
const turnsEnough = 20;
const answersEnough = 5;

let threads: WorkerThread[] = [];
let server: ReturnType<typeof createServer>;
let url: string;

beforeEach(async () => {
  server = createServer((_request, response) => response.end('here'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterEach(async () => {
  await Promise.all(threads.splice(0).map((thread) => thread.terminate()));
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function answer(): Promise<void> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => response.resume().on('end', resolve)).on('error', reject);
  });
}

/**
 * Lets other threads flood `queue`, which this thread consumes, until this thread's timers and I/O have had their
 * turns. Returns how many records were pushed.
 */
async function flooded(queue: Rows, consuming: Promise<void>): Promise<number> {
  threads = Array.from(
    { length: producers },
    () => new WorkerThread(new URL('./workers/flooder.js', import.meta.url), { handle: queue.handle }),
  );
  const pushed = Promise.all(threads.map((thread) => thread.message<{ pushed: number }>('pushed')));
  const timer = new Promise<void>((resolve) => {
    let turns = 0;
    const every = setInterval(() => {
      const { popped, expired } = queue.stats();
      if (popped + expired === 0 || ++turns < turnsEnough) return;
      clearInterval(every);
      resolve();
    }, 1);
  });
  const answers = (async () => {
    for (let i = 0; i < answersEnough; i++) await answer();
  })();
  await Promise.all([timer, answers]);
  queue.close();
  await consuming;
  return (await pushed).reduce((sum, { pushed: count }) => sum + count, 0);
}

const consumers: Array<[string, Partial<QueueOptions<{ number: number }>>, (queue: Rows) => Promise<void>]> =
  [
    ['consume', {}, (queue) => queue.consume(() => {})],
    ['consume with large batches', {}, (queue) => queue.consume(() => {}, { batchSize: 4_096 })],
    [
      'consume with async handlers',
      {},
      (queue) => queue.consume(async () => {}, { concurrency: 8, batchSize: 8 }),
    ],
    ['consume that spins first', {}, (queue) => queue.consume(() => {}, { spin: 100 })],
    [
      'for await',
      {},
      async (queue) => {
        for await (const _ of queue);
      },
    ],
    ['consume of records that expire at once', { ttlMs: 0.001 }, (queue) => queue.consume(() => {})],
    ['consume of records that are dropped', { overflow: 'drop-oldest' }, (queue) => queue.consume(() => {})],
  ];

describe(`with ${producers} producers flooding the queue`, () => {
  it.each(consumers)(
    'a 1 ms timer and an HTTP server keep working beside %s',
    async (_, options, consume) => {
      const queue = Queue.create(Row, { capacity: 1_024, ...options });
      const pushed = await flooded(queue, consume(queue));
      expect(queue.stats()).toMatchObject({ pushed, depth: 0 });
      expectConserved(queue);
    },
  );

  it('drain() ends', async () => {
    const queue = Queue.create(Row, { capacity: 1_024 });
    let most = 0;
    const consuming = (async () => {
      while (!queue.closed || queue.depth > 0) {
        most = Math.max(
          most,
          queue.drain(() => {}),
        );
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await flooded(queue, consuming);
    expect(most).toBeLessThanOrEqual(1_024);
  });
});

describe('a queue that its own consumer fills again', () => {
  /** After this many records the test stops a loop that gives timers no turn. */
  const recordsMax = 1_000_000;

  /** Returns a handler that pushes its records again, until a 1 ms timer has fired `turnsEnough` times. */
  function turning(queue: Rows): (batch: { number: number }[]) => void {
    let turns = 0;
    let records = 0;
    const turn = (): void => {
      if (++turns < turnsEnough) setTimeout(turn, 1);
      else queue.close();
    };
    setTimeout(turn, 1);
    return (batch) => {
      records += batch.length;
      if (records > recordsMax) throw new Error(`${records} records and ${turns} turns`);
      if (!queue.closed) queue.tryPushMany(batch);
    };
  }

  it.each([1, 64, 4_096])('leaves turns to timers: batches of %d', async (batchSize) => {
    const queue = Queue.create(Row, { capacity: 4_096 });
    queue.tryPushMany(rows(0, 4_096));
    await queue.consume(turning(queue), { batchSize });
    expect(queue.depth).toBe(0);
  });

  it('leaves turns to timers: for await', async () => {
    const queue = Queue.create(Row, { capacity: 4_096 });
    queue.tryPushMany(rows(0, 4_096));
    const handle = turning(queue);
    for await (const value of queue) handle([value]);
    expect(queue.depth).toBe(0);
  });
});
