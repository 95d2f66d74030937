import { setImmediate as immediate } from 'node:timers/promises';
import { Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { expectError, rejected } from '../thrown.js';
import { filled, latch, Row, range, until } from './small-queue.js';

const forever = (): Promise<never> => new Promise(() => {});

describe('a handler of consume that hangs', () => {
  it('does not hold up an abort for longer than the grace; the other records stay in the queue', async () => {
    for (const concurrency of [1, 3]) {
      const queue = filled(30);
      const other = Queue.attach(Row, queue.handle);
      const abort = new AbortController();
      const reason = new Error('enough');
      const signals: AbortSignal[] = [];
      const done = rejected(
        queue.consume(
          (_, { signal }) => {
            signals.push(signal);
            return forever();
          },
          { batchSize: 5, concurrency, signal: abort.signal, graceMs: 1 },
        ),
      );
      await until(() => signals.length === concurrency);
      abort.abort(reason);
      expect(signals.map((signal) => signal.reason)).toEqual(Array(concurrency).fill(reason));
      expect(await done).toBe(reason);
      expect(other.popMany(100).map(({ number }) => number)).toEqual(range(5 * concurrency, 30));
    }
  });

  it('does not hold up the failure of another handler, either', async () => {
    const queue = filled(10);
    const failure = new Error('no');
    let reason: unknown;
    const done = rejected(
      queue.consume(
        ([row], { signal }) => {
          if (row?.number !== 0) throw failure;
          signal.addEventListener('abort', () => {
            reason = signal.reason;
          });
          return forever();
        },
        { batchSize: 1, concurrency: 4, graceMs: 1 },
      ),
    );
    expect(await done).toBe(failure);
    expect(reason).toBe(failure);
    expect(queue.depth).toBe(8);
  });

  it('does not keep another thread from consuming when its queue object is disposed of', async () => {
    const queue = filled(10);
    const other = Queue.attach(Row, queue.handle);
    const held = latch();
    const reasons: unknown[] = [];
    let started = false;
    const done = queue.consume(
      (_, { signal }) => {
        started = true;
        signal.addEventListener('abort', () => reasons.push(signal.reason));
        return held.opened;
      },
      { batchSize: 4 },
    );
    await until(() => started);
    queue[Symbol.dispose]();
    expectError(reasons[0] as Error, 'ERR_SLUICE_DISPOSED');
    expect(other.popMany(10).map(({ number }) => number)).toEqual(range(4, 10));
    held.open();
    await done;
  });

  it.each(['push', 'reserve'] as const)(
    'begins no %s when its queue object is disposed of',
    async (method) => {
      const queue = filled(10_000);
      const held = latch();
      let waits: Promise<Error> | undefined;
      let started = false;
      const done = queue.consume(
        ([row = { number: 0 }], { signal }) => {
          started = true;
          signal.addEventListener('abort', () => {
            while (queue.tryPush(row)); // until there is no room
            const waiting = method === 'push' ? queue.push(row, { timeoutMs: 5 }) : queue.reserve(1);
            waits = rejected(waiting);
          });
          return held.opened;
        },
        { batchSize: 1 },
      );
      await until(() => started);
      queue[Symbol.dispose]();
      expectError((await waits) as Error, 'ERR_SLUICE_DISPOSED');
      held.open();
      await done;
    },
  );

  it('fails the consumption when handlerTimeoutMs are over, and its late end changes nothing', async () => {
    for (const concurrency of [1, 2]) {
      const queue = filled(10);
      const held = latch();
      const done = rejected(
        queue.consume(() => held.opened, { batchSize: 1, concurrency, handlerTimeoutMs: 5, graceMs: 0 }),
      );
      expectError(await done, 'ERR_SLUICE_TIMEOUT');
      held.fail(new Error('late'));
      await immediate();
      expect(queue.tryPop()).toEqual({ number: concurrency });
    }
  });
});

describe('what a handler returns', () => {
  it('is awaited if it has a method then: an object, and a function, too', async () => {
    for (const concurrency of [1, 2]) {
      const queue = filled(2);
      queue.close();
      const ended: number[] = [];
      const thenable = (number: number, value: object) =>
        Object.assign(value, {
          // biome-ignore lint/suspicious/noThenProperty: what is tested
          then: (resolve: () => void) => {
            setImmediate(() => {
              ended.push(number);
              resolve();
            });
          },
        });
      const done = queue.consume(([row]) => thenable(row?.number ?? -1, row?.number === 0 ? () => {} : {}), {
        batchSize: 1,
        concurrency,
      });
      await done;
      expect(ended).toEqual([0, 1]);
    }
  });
});
