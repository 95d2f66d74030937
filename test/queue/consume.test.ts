import { setImmediate as immediate } from 'node:timers/promises';
import { Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, rejected } from '../thrown.js';
import { filled, type Latch, latch, Row, range, until } from './small-queue.js';

describe('consume', () => {
  it('hands over arrays of at most batchSize, oldest first, and ends after close and drain', async () => {
    const queue = filled(150);
    queue.close();
    const sizes: number[] = [];
    const numbers: number[] = [];
    await queue.consume((batch) => {
      sizes.push(batch.length);
      numbers.push(...batch.map(({ number }) => number));
    });
    expect(sizes).toEqual([64, 64, 22]);
    expect(numbers).toEqual(range(0, 150));
  });

  it.each([1, 7, 64, 65, 149, 150, 65_536])('takes a batchSize of %i', async (batchSize) => {
    const queue = filled(150);
    queue.close();
    const batches: number[][] = [];
    await queue.consume((batch) => batches.push(batch.map(({ number }) => number)), { batchSize });
    expect(Math.max(...batches.map(({ length }) => length))).toBe(Math.min(batchSize, 150));
    expect(batches.flat()).toEqual(range(0, 150));
  });

  it('gives each batch away for good', async () => {
    const queue = filled(130);
    queue.close();
    const batches: Row[][] = [];
    await queue.consume((batch) => batches.push(batch), { batchSize: 10 });
    expect(batches.flat()).toEqual(range(0, 130).map((number) => ({ number })));
  });

  it('takes the next batch when the promise of the handler resolves, not before', async () => {
    const queue = filled(30);
    const latches = [latch(), latch(), latch()];
    const started: number[] = [];
    const done = queue.consume(
      async ([first]) => {
        started.push(first?.number ?? -1);
        await latches[started.length - 1]?.opened;
      },
      { batchSize: 10 },
    );
    for (let i = 0; i < 3; i++) {
      await until(() => started.length > i);
      for (let turn = 0; turn < 10; turn++) await immediate();
      expect(started).toEqual([0, 10, 20].slice(0, i + 1));
      expect(queue.depth).toBe(20 - i * 10);
      latches[i]?.open();
    }
    queue.close();
    await done;
  });

  it.each([2, 5])('runs up to %i handlers at a time, never more, started in order', async (concurrency) => {
    const queue = filled(40);
    const running = new Map<number, Latch>();
    const started: number[] = [];
    let ended = 0;
    let most = 0;
    queue.close();
    const done = queue.consume(
      async (batch) => {
        const { number } = batch[0] as Row;
        started.push(number);
        const mine = latch();
        running.set(number, mine);
        most = Math.max(most, running.size);
        await mine.opened;
        running.delete(number);
        ended++;
      },
      { batchSize: 1, concurrency },
    );
    for (let i = 0; i < 40; i++) {
      await until(() => running.size === Math.min(concurrency, 40 - ended));
      running.get(Math.max(...running.keys()))?.open();
      await until(() => ended === i + 1);
    }
    await done;
    expect(most).toBe(concurrency);
    expect(started).toEqual(range(0, 40));
  });

  it('takes what its own handler pushes', async () => {
    const queue = filled(1);
    const seen: number[] = [];
    await queue.consume((batch) => {
      for (const { number } of batch) {
        seen.push(number);
        if (number < 50) queue.tryPush({ number: number + 1 });
        else queue.close();
      }
    });
    expect(seen).toEqual(range(0, 51));
  });

  it('ends when the queue is closed while it sleeps, or while a batch is in the handler', async () => {
    const asleep = filled(0);
    const other = Queue.attach(Row, asleep.handle);
    const slept = asleep.consume(() => expect.unreachable());
    await immediate();
    other.close();
    await slept;

    const busy = filled(3);
    const held = latch();
    const seen: number[] = [];
    const done = busy.consume(
      async ([row]) => {
        seen.push(row?.number ?? -1);
        await held.opened;
      },
      { batchSize: 1 },
    );
    await until(() => seen.length === 1);
    busy.close();
    held.open();
    await done;
    expect(seen).toEqual([0, 1, 2]);
  });

  it('ends when the queue is disposed of, and a batch in the handler is its last', async () => {
    const asleep = filled(0);
    const slept = asleep.consume(() => expect.unreachable());
    await immediate();
    asleep[Symbol.dispose]();
    await slept;

    const busy = filled(3);
    const seen: number[] = [];
    await busy.consume(
      async ([row]) => {
        seen.push(row?.number ?? -1);
        await immediate();
        busy[Symbol.dispose]();
      },
      { batchSize: 1 },
    );
    expect(seen).toEqual([0]);
  });

  it('lets timers and immediates of its thread run, however full the queue is', async () => {
    const queue = filled(10_000);
    queue.close();
    let consumed = 0;
    let sinceTurn = 0;
    let longest = 0;
    const turns = setInterval(() => {}, 1);
    const turn = (): void => {
      sinceTurn = 0;
      if (consumed < 10_000) setImmediate(turn);
    };
    setImmediate(turn);
    await queue.consume((batch) => {
      consumed += batch.length;
      sinceTurn += batch.length;
      longest = Math.max(longest, sinceTurn);
    });
    clearInterval(turns);
    expect(consumed).toBe(10_000);
    // The consumer may use up two budgets of 1,024 records between two runs of turn(): one before it and one after it.
    expect(longest).toBeLessThanOrEqual(2 * 1_024);
  });

  it('runs once at a time in one object', async () => {
    const queue = filled(0);
    const first = queue.consume(() => {});
    expectError(await rejected(queue.consume(() => {})), 'ERR_SLUICE_REENTRANT');
    expectError(await rejected(queue[Symbol.asyncIterator]().next()), 'ERR_SLUICE_REENTRANT');
    queue.close();
    await first;
  });

  it.each([undefined, null, {}, 'handler'])('refuses %s in place of a handler', async (handler) => {
    expectError(await rejected(filled(0).consume(mistyped(handler))), 'ERR_SLUICE_OPTION', TypeError);
  });
});

describe('for await', () => {
  it('yields each record, sleeps between them, and ends after close and drain', async () => {
    const queue = filled(100);
    const seen: number[] = [];
    for await (const { number } of queue) {
      seen.push(number);
      if (number === 99) setImmediate(() => queue.tryPush({ number: 100 }));
      if (number === 100) setImmediate(() => queue.close());
    }
    expect(seen).toEqual(range(0, 101));
  });

  it('left early keeps the rest in the queue and frees it for another consumer', async () => {
    const queue = filled(100);
    const other = Queue.attach(Row, queue.handle);
    for await (const { number } of queue) if (number === 9) break;
    expect(other.popMany(1_000).map(({ number }) => number)).toEqual(range(10, 100));

    const again = filled(5);
    const third = Queue.attach(Row, again.handle);
    const error = await rejected(
      (async () => {
        for await (const _ of again) throw new Error('left');
      })(),
    );
    expect(error.message).toBe('left');
    expect(third.tryPop()).toEqual({ number: 1 });
  });

  it('can be taken up again', async () => {
    const queue = filled(6);
    const seen: number[] = [];
    for (let round = 0; round < 3; round++) {
      for await (const { number } of queue) {
        seen.push(number);
        if (number % 2 === 1) break;
      }
    }
    expect(seen).toEqual(range(0, 6));
  });

  it('holds nothing before its first step', async () => {
    const queue = filled(1);
    const other = Queue.attach(Row, queue.handle);
    queue[Symbol.asyncIterator]();
    expect(other.tryPop()).toEqual({ number: 0 });
  });
});
