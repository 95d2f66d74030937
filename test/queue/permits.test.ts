import { setImmediate as immediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, rejected, thrown } from '../thrown.js';
import { nativeOf } from './native-of.js';
import { RemoteQueue } from './remote-queue.js';
import { Row, rows } from './row.js';
import { expectConserved, numbers, until } from './until.js';

const queueOf = (capacity: number, options = {}) => Queue.create(Row, { capacity, ...options });

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

describe('a permit', () => {
  it('is room that no other push gets: as many records can be sent as it was reserved for, no more', () => {
    const queue = queueOf(3);
    using permit = queue.tryReserve(2);
    expect(queue.stats()).toMatchObject({ permits: 2, depth: 0, pushed: 0 });
    expect(queue.tryPushMany(rows(0, 5))).toBe(1);
    permit?.send({ number: 7 });
    permit?.send({ number: 8 });
    expect(permit?.remaining).toBe(0);
    expectError(
      thrown(() => permit?.send({ number: 9 })),
      'ERR_SLUICE_PERMIT',
    );
    expect(numbers(queue.popMany(9))).toEqual([0, 7, 8]);
    expect(queue.stats().permits).toBe(0);
    expectConserved(queue);
  });

  it('is for all of the records asked for or for none', () => {
    const queue = queueOf(3);
    queue.tryPush({ number: 1 });
    expect(queue.tryReserve(3)).toBeUndefined();
    expect(queue.stats().permits).toBe(0);
    queue.tryReserve(2);
    expect(queue.tryReserve(1)).toBeUndefined();
  });

  it('still sends after the queue was closed, which ends only when the permit has', async () => {
    const queue = queueOf(3);
    const permit = await queue.reserve(2);
    const seen: number[] = [];
    const consuming = queue.consume((batch) => seen.push(...numbers(batch)));
    queue.close();
    let ended = false;
    const drained = queue.drained().then(() => {
      ended = true;
    });
    await immediate();
    expect(ended).toBe(false);
    permit.send({ number: 1 });
    permit[Symbol.dispose]();
    await drained;
    await consuming;
    expect(seen).toEqual([1]);
    expectError(await rejected(queue.reserve(1)), 'ERR_SLUICE_CLOSED');
    expectError(
      thrown(() => queue.tryReserve(1)),
      'ERR_SLUICE_CLOSED',
    );
  });

  it('is not used up by a record with a bad value', () => {
    const queue = queueOf(1);
    const permit = queue.tryReserve(1);
    expectError(
      thrown(() => permit?.send({ number: -1 })),
      'ERR_SLUICE_FIELD',
      RangeError,
    );
    expect(permit?.remaining).toBe(1);
    permit?.send({ number: 1 });
    expect(queue.depth).toBe(1);
  });

  it('survives a record whose getter gives the permit back', () => {
    const queue = queueOf(2);
    const permit = queue.tryReserve(1);
    const returning = {
      get number() {
        permit?.[Symbol.dispose]();
        return 1;
      },
    };
    expectError(
      thrown(() => permit?.send(returning)),
      'ERR_SLUICE_PERMIT',
    );
    expect(queue.stats()).toMatchObject({ permits: 0, depth: 0 });
  });

  it('gives back what it did not use: on dispose, once; on abort; when its thread ends; when it is collected', async () => {
    const queue = queueOf(10);
    const controller = new AbortController();
    const disposed = await queue.reserve(2);
    const aborted = await queue.reserve(2, { signal: controller.signal });
    aborted.send({ number: 1 });
    const forgotten: unknown[] = [];
    (() => forgotten.push(queue.tryReserve(2)))();
    const remote = await RemoteQueue.attach(queue.handle);
    await remote.call('reserve', [2], { keep: 'permit' });
    await remote.call('send', [{ number: 2 }], { on: 'permit' });
    expect(queue.stats()).toMatchObject({ permits: 6, depth: 2 });
    disposed[Symbol.dispose]();
    disposed[Symbol.dispose]();
    expect(queue.stats().permits).toBe(4);
    controller.abort();
    expect(queue.stats().permits).toBe(3);
    expectError(
      thrown(() => aborted.send({ number: 9 })),
      'ERR_SLUICE_PERMIT',
    );
    await remote.thread.terminate();
    expect(queue.stats().permits).toBe(2);
    expect(forgotten).toHaveLength(1);
    forgotten.length = 0; // not before, because the collector may run at any time
    await until(() => {
      collect();
      return queue.stats().permits === 0;
    });
    expect(queue.tryPushMany(rows(0, 20))).toBe(8);
    expectConserved(queue);
  });

  it('gives back what it did not use when it is collected, though its signal lives on', async () => {
    const queue = queueOf(10);
    const { signal } = new AbortController();
    const reserved = async () => (await queue.reserve(2, { signal })).remaining;
    expect(await reserved()).toBe(2);
    expect(queue.stats().permits).toBe(2);
    await until(() => {
      collect();
      return queue.stats().permits === 0;
    });
    expect(signal.aborted).toBe(false);
  });

  it('goes back at once when the signal aborts between being served and settling', async () => {
    const queue = queueOf(1);
    queue.tryPush({ number: 0 });
    const controller = new AbortController();
    const reason = new Error('late');
    const reserving = queue.reserve(1, { signal: controller.signal });
    queue.tryPop();
    const waiting = queue.push({ number: 1 }); // settles the waits that were served
    controller.abort(reason);
    expect(await rejected(reserving)).toBe(reason);
    await waiting;
    expect(queue.stats()).toMatchObject({ permits: 0, depth: 1, waiting: 0 });
  });

  it('of a thread that ends lets a closed queue end for its consumer and for waits until it is drained', async () => {
    for (const maxWaiting of [0, 8]) {
      const queue = queueOf(4, { maxWaiting });
      const remote = await RemoteQueue.attach(queue.handle);
      await remote.call('tryReserve', [1], { keep: 'permit' });
      const consuming = queue.consume(() => {});
      queue.close();
      const drained = queue.drained();
      expect(nativeOf(queue).drained()).toBe(0);
      await remote.thread.terminate();
      await consuming;
      await drained;
    }
  });

  it('of a thread that ends lets a closed queue end also if it has no consumer', async () => {
    const queue = queueOf(4);
    const remote = await RemoteQueue.attach(queue.handle);
    await remote.call('tryReserve', [1], { keep: 'permit' });
    queue.close();
    const drained = queue.drained();
    await remote.thread.terminate();
    await drained;
    expect(queue.stats()).toMatchObject({ depth: 0, permits: 0 });
  });

  it('that is used lets in a waiter for more permits than a lane can have outstanding at a time', async () => {
    const queue = queueOf(40_000);
    const permit = queue.tryReserve(16_383);
    const waiting = queue.reserve(10);
    expect(queue.stats().waiting).toBe(1);
    for (const value of rows(0, 10)) permit?.send(value);
    expect((await waiting).remaining).toBe(10);
  });

  it.each([0, -1, 1.5, Number.NaN, 11, '1', undefined])('cannot be for %s records', async (count) => {
    const queue = queueOf(10);
    const kind = typeof count === 'number' ? RangeError : TypeError;
    expectError(
      thrown(() => queue.tryReserve(mistyped(count))),
      'ERR_SLUICE_OPTION',
      kind,
    );
    expectError(await rejected(queue.reserve(mistyped(count))), 'ERR_SLUICE_OPTION', kind);
  });
});

describe('a queue object that the program no longer refers to', () => {
  it('is collected with what it held, also after it has waited', async () => {
    const collected: string[] = [];
    const registry = new FinalizationRegistry((name: string) => collected.push(name));
    await (async () => {
      const queue = queueOf(1);
      registry.register(queue, 'queue');
      const batcher = queue.batcher();
      registry.register(batcher, 'batcher');
      queue.tryPush({ number: 1 });
      const waiting = queue.push({ number: 2 });
      queue.tryPop();
      await waiting;
    })();
    for (let i = 0; i < 1_000 && collected.length < 2; i++) {
      await immediate();
      collect();
    }
    expect(collected.sort()).toEqual(['batcher', 'queue']);
  });

  it("stays while it listens for 'closed', and is collected once that was emitted or it listens no more", async () => {
    const collected: string[] = [];
    const registry = new FinalizationRegistry((name: string) => collected.push(name));
    const told: string[] = [];
    const other = (() => {
      const closed = queueOf(1).on('closed', () => told.push('closed'));
      closed.close();
      registry.register(closed, 'closed');
      const listener = () => told.push('never');
      registry.register(queueOf(1).on('closed', listener).off('closed', listener), 'off');
      const listening = queueOf(1);
      registry.register(listening, 'listening');
      const attached = Queue.attach(Row, listening.handle);
      registry.register(
        attached.on('closed', () => told.push('attached')),
        'attached',
      );
      return listening;
    })();
    await until(() => {
      collect();
      return collected.length === 2;
    });
    expect(collected.sort()).toEqual(['closed', 'off']);
    other.close();
    await until(() => {
      collect();
      return collected.length === 3;
    });
    expect(collected[2]).toBe('attached');
    expect(told).toEqual(['closed', 'attached']);
    other[Symbol.dispose]();
  });
});
