import { getEventListeners } from 'node:events';
import { setImmediate as immediate } from 'node:timers/promises';
import { ManualClock, Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, rejected } from '../thrown.js';
import { WorkerThread, withThreads } from '../worker-thread.js';
import { filled, latch, Row, until } from './small-queue.js';

/** Returns an object whose `settled` becomes true when `promise` is settled. */
function watched(promise: Promise<unknown>): { settled: boolean } {
  const watch = { settled: false };
  const settle = (): void => {
    watch.settled = true;
  };
  promise.then(settle, settle);
  return watch;
}

describe('empty', () => {
  it('resolves at once if nothing is in the queue, closed or not', async () => {
    const queue = filled(0);
    await queue.empty();
    queue.close();
    await queue.empty({ timeoutMs: 0 });
  });

  it('resolves when the last record has left the queue, which stays open', async () => {
    for (const take of [
      (queue: Queue<Row>) => queue.tryPop(),
      (queue: Queue<Row>) => queue.popMany(1),
      (queue: Queue<Row>) => queue.drain(() => {}, 1),
    ]) {
      const queue = filled(3);
      const other = Queue.attach(Row, queue.handle);
      const waits = [queue.empty(), other.empty()];
      const watches = waits.map(watched);
      take(other);
      take(other);
      for (let turn = 0; turn < 10; turn++) await immediate();
      expect(watches).toEqual([{ settled: false }, { settled: false }]);
      take(other);
      await Promise.all(waits);
      expect([queue.closed, queue.tryPush({ number: 1 })]).toEqual([false, true]);
    }
  });

  it('sees a queue that was empty only between two of its looks', async () => {
    const queue = filled(1);
    const other = Queue.attach(Row, queue.handle);
    const empty = queue.empty();
    other.tryPop();
    other.tryPush({ number: 1 });
    await empty;
    expect(queue.depth).toBe(1);
  });

  it('counts neither room that is reserved ahead nor records that a handler has', async () => {
    const queue = filled(1);
    const permit = queue.tryReserve(5);
    const held = latch();
    const done = queue.consume(() => held.opened);
    await queue.empty();
    held.open();
    queue.close();
    permit?.[Symbol.dispose]();
    await done;
  });

  it('resolves when the last records were dropped, in any lane', async () => {
    const clock = new ManualClock();
    const queue = Queue.create(Row, { capacity: 4, lanes: 3, ttlMs: 10, clock });
    for (const lane of [0, 1, 2]) queue.tryPush({ number: 1 }, { lane });
    const empty = queue.empty();
    clock.advance(10);
    expect(queue.tryPop()).toBeUndefined();
    await empty;
    expect(queue.stats().expired).toBe(3);
  });

  it('ends by its time-out, its signal and with its object, and nothing of it is left', async () => {
    const queue = filled(1);
    const other = Queue.attach(Row, queue.handle);
    expectError(await rejected(queue.empty({ timeoutMs: 1 })), 'ERR_SLUICE_TIMEOUT');
    const abort = new AbortController();
    const aborted = rejected(queue.empty({ signal: abort.signal }));
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await aborted).toBe(reason);
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
    const disposed = rejected(queue.empty());
    queue[Symbol.dispose]();
    expectError(await disposed, 'ERR_SLUICE_DISPOSED');
    expectError(await rejected(queue.empty()), 'ERR_SLUICE_DISPOSED');
    expectError(await rejected(other.empty({ timeoutMs: -1 })), 'ERR_SLUICE_OPTION', RangeError);
    expectError(await rejected(other.empty(mistyped({ until: 1 }))), 'ERR_SLUICE_OPTION', TypeError);
    other.tryPop();
    await other.empty();
  });

  it('resolves when another thread takes the last record, time after time', async () => {
    const queue = Queue.create(Row, { capacity: 100 });
    const worker = new WorkerThread(new URL('./workers/taker.js', import.meta.url), { handle: queue.handle });
    let taken = 0;
    await withThreads([worker], async () => {
      for (let round = 0; round < 2_000; round++) {
        queue.tryPushMany(Array.from({ length: 1 + (round % 7) }, (_, number) => ({ number })));
        await queue.empty();
        expect(queue.depth).toBe(0);
      }
      taken = queue.stats().popped;
      queue.close();
      await worker.message('done');
    });
    expect(taken).toBe(queue.stats().pushed);
    await until(() => queue.depth === 0);
  });
});
