import { setImmediate as immediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ManualClock, Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, rejected, thrown } from '../thrown.js';
import { filled, Row, range, until } from './small-queue.js';

/** Pushes the numbers 0 to count - 1 from a thread of its own, and waits for room when there is none. */
const pusher = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { Queue, record, u32 } = require('sluice');
  const queue = Queue.attach(record({ number: u32 }), workerData.handle);
  for (let number = 0; number < workerData.count; number++) queue.pushSync({ number }, 30_000);
  queue.close();
`;

function collector(): { readonly seen: number[]; visit(row: { readonly number: number }): void } {
  const seen: number[] = [];
  return { seen, visit: ({ number }) => seen.push(number) };
}

describe('consumeInPlace', () => {
  it('visits what another thread pushes, in order, until the queue is closed and drained', async () => {
    const queue = Queue.create(Row, { capacity: 64 });
    const { seen, visit } = collector();
    const worker = new Worker(pusher, { eval: true, workerData: { handle: queue.handle, count: 20_000 } });
    try {
      await queue.consumeInPlace(visit);
    } finally {
      await worker.terminate();
    }
    expect(seen).toEqual(range(0, 20_000));
  });

  it('waits for records, and visits each soon after it came', async () => {
    const queue = Queue.create(Row, { capacity: 64 });
    const { seen, visit } = collector();
    const done = queue.consumeInPlace(visit, { spin: 10 });
    for (let number = 0; number < 20; number++) {
      queue.tryPush({ number });
      await until(() => seen.length === number + 1);
      await immediate();
    }
    queue.close();
    await done;
    expect(seen).toEqual(range(0, 20));
  });

  it('visits nothing before its caller has the promise', async () => {
    const queue = filled(3);
    queue.close();
    const { seen, visit } = collector();
    const done = queue.consumeInPlace(visit);
    expect(seen).toEqual([]);
    await done;
    expect(seen).toEqual([0, 1, 2]);
  });

  it('visits the records of a queue that a visit closes, then ends', async () => {
    const queue = filled(100);
    const { seen, visit } = collector();
    await queue.consumeInPlace((row) => {
      visit(row);
      if (row.number === 10) queue.close();
    });
    expect(seen).toEqual(range(0, 100));
  });

  it('leaves expired records out, and reports them', async () => {
    const clock = new ManualClock();
    const queue = Queue.create(Row, { capacity: 200, ttlMs: 10, clock });
    queue.tryPush({ number: 0 });
    clock.advance(20);
    queue.tryPushMany(range(1, 100).map((number) => ({ number })));
    queue.close();
    const expired: number[] = [];
    queue.on('expired', ({ number }) => expired.push(number));
    const { seen, visit } = collector();
    await queue.consumeInPlace(visit);
    expect([seen, expired]).toEqual([range(1, 100), [0]]);
  });

  it.each(['drop-oldest', 'reject'] as const)('visits the records of a queue with %s', async (overflow) => {
    const queue = Queue.create(Row, { capacity: 8, overflow });
    for (const number of range(0, 12)) queue.tryPush({ number });
    queue.close();
    const { seen, visit } = collector();
    await queue.consumeInPlace(visit);
    expect(seen).toEqual(overflow === 'reject' ? range(0, 8) : range(4, 12));
  });
});

describe('the event loop', () => {
  it('gets a turn after 4,096 records, however fast others push', async () => {
    const queue = Queue.create(Row, { capacity: 64 });
    queue.tryPush({ number: 0 });
    let visits = 0;
    const done = queue.consumeInPlace(() => {
      visits++;
      if (visits < 100_000) queue.tryPush({ number: visits });
    });
    await immediate();
    expect(visits).toBeLessThanOrEqual(4_096 + 64);
    await until(() => visits === 100_000);
    queue.close();
    await done;
  });

  it('gets a turn within 64 records of slow visits', async () => {
    const queue = filled(500);
    queue.close();
    let visits = 0;
    const done = queue.consumeInPlace(() => {
      visits++;
      const end = performance.now() + 1;
      while (performance.now() < end);
    });
    await immediate();
    expect(visits).toBeLessThanOrEqual(64);
    await done;
    expect(visits).toBe(500);
  });

  it('gets a turn after 4 ms of slow visits, if records are shown one by one', async () => {
    const queue = Queue.create(Row, { capacity: 64, overflow: 'overwrite' });
    for (const number of range(0, 64)) queue.tryPush({ number });
    queue.close();
    let [visits, most, isDone] = [0, 0, false];
    const done = queue.consumeInPlace(() => {
      visits++;
      for (const end = performance.now() + 1; performance.now() < end; );
    });
    void done.then(() => {
      isDone = true;
    });
    while (!isDone) {
      const before = visits;
      await immediate();
      most = Math.max(most, visits - before);
    }
    expect(visits).toBe(64);
    expect(most).toBeLessThanOrEqual(4);
  });
});

describe('an end before the queue is drained', () => {
  it('comes at once when a visit aborts the signal: the rest stays in the queue', async () => {
    const queue = filled(30);
    const other = Queue.attach(Row, queue.handle);
    const { seen, visit } = collector();
    const ending = new AbortController();
    const done = queue.consumeInPlace(
      (row) => {
        visit(row);
        if (row.number === 10) ending.abort(new Error('enough'));
      },
      { signal: ending.signal },
    );
    expect((await rejected(done)).message).toBe('enough');
    expect(seen).toEqual(range(0, 11));
    expect(other.popMany(100).map(({ number }) => number)).toEqual(range(11, 30));
  });

  it('comes when the signal aborts while it waits, or has aborted before', async () => {
    const queue = Queue.create(Row, { capacity: 8 });
    const ending = new AbortController();
    const { seen, visit } = collector();
    const done = queue.consumeInPlace(visit, { signal: ending.signal });
    await immediate();
    ending.abort(new Error('no more'));
    expect((await rejected(done)).message).toBe('no more');
    queue.tryPush({ number: 1 });
    const again = queue.consumeInPlace(visit, { signal: ending.signal });
    expect((await rejected(again)).message).toBe('no more');
    expect(seen).toEqual([]);
    expect(Queue.attach(Row, queue.handle).tryPop()).toEqual({ number: 1 });
  });

  it("is the visit's error: the record counts as visited, the rest stays", async () => {
    const queue = filled(30);
    const other = Queue.attach(Row, queue.handle);
    const done = queue.consumeInPlace(({ number }) => {
      if (number === 10) throw new Error('bad row');
    });
    expect((await rejected(done)).message).toBe('bad row');
    expect(other.popMany(100).map(({ number }) => number)).toEqual(range(11, 30));
  });

  it('comes when the object is disposed of, in a visit or while it waits', async () => {
    for (const waits of [false, true]) {
      const queue = filled(waits ? 0 : 30);
      const other = Queue.attach(Row, queue.handle);
      const done = rejected(
        queue.consumeInPlace(({ number }) => {
          if (number === 10) queue[Symbol.dispose]();
        }),
      );
      await immediate();
      if (waits) queue[Symbol.dispose]();
      expectError(await done, 'ERR_SLUICE_DISPOSED');
      expect(other.popMany(100).map(({ number }) => number)).toEqual(waits ? [] : range(11, 30));
    }
  });
});

it('refuses a second consumer, and calls that consume within a visit', async () => {
  const queue = filled(1);
  const other = Queue.attach(Row, queue.handle);
  let within: ReturnType<typeof thrown> | undefined;
  const done = queue.consumeInPlace(() => {
    within = thrown(() => queue.tryPop());
  });
  await until(() => within !== undefined);
  expect(within?.code).toBe('ERR_SLUICE_REENTRANT');
  expectError(await rejected(queue.consumeInPlace(() => {})), 'ERR_SLUICE_REENTRANT');
  expectError(await rejected(queue.consume(() => {})), 'ERR_SLUICE_REENTRANT');
  expectError(await rejected(other.consumeInPlace(() => {})), 'ERR_SLUICE_CONSUMER');
  queue.close();
  await done;
});

it.each([
  ['visit', mistyped('no function'), undefined],
  ['spin', () => {}, { spin: -1 }],
  ['spin', () => {}, { spin: mistyped('1') }],
  ['signal', () => {}, { signal: mistyped({}) }],
  ['batchSize', () => {}, mistyped({ batchSize: 1 })],
])('names a bad %s, and consumes nothing', async (name, visit, options) => {
  const queue = filled(2);
  const error = await rejected(queue.consumeInPlace(visit, options));
  expect(error.code).toBe('ERR_SLUICE_OPTION');
  expect(error.message).toMatch(new RegExp(`^Queue\\.consumeInPlace: .*${name}`));
  expect(queue.depth).toBe(2);
  expect(Queue.attach(Row, queue.handle).tryPop()).toEqual({ number: 0 });
});
