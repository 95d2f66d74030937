import { setImmediate as immediate } from 'node:timers/promises';
import { Script } from 'node:vm';
import { Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { expectError, thrown } from '../thrown.js';
import { nativeOf } from './native-of.js';
import { RemoteQueue } from './remote-queue.js';
import { Row, rows } from './row.js';
import { expectConserved, numbers } from './until.js';

const queueOf = (capacity: number, options = {}) => Queue.create(Row, { capacity, ...options });

describe('a batcher', () => {
  it('publishes what was gathered also if the encoding of another record was cut off', async () => {
    const queue = queueOf(10);
    const batcher = queue.batcher();
    type Value = ReturnType<typeof rows>[number];
    const [first, second, third] = rows(0, 3) as [Value, Value, Value];
    expect(batcher.push(first)).toBe(true);
    const getter = {
      get() {
        for (;;);
      },
    };
    const endless = (): boolean => batcher.push(Object.defineProperty({ ...second }, 'number', getter));
    Object.assign(globalThis, { endless });
    expect(() => new Script('endless()').runInThisContext({ timeout: 20 })).toThrow('timed out');
    Reflect.deleteProperty(globalThis, 'endless');
    await immediate();
    expect(queue.depth).toBe(1);
    expect(batcher.push(third)).toBe(true);
  });

  it('publishes at the end of the turn what was gathered in it, with one native call', async () => {
    const queue = queueOf(100);
    let calls = 0;
    const flush = nativeOf(queue).flushBatch;
    nativeOf(queue).flushBatch = (batch) => {
      calls++;
      return flush(batch);
    };
    const batcher = queue.batcher();
    for (const value of rows(0, 10)) expect(batcher.push(value)).toBe(true);
    expect(batcher.size).toBe(10);
    expect(queue.stats()).toMatchObject({ depth: 0, pushed: 0, permits: 64 });
    await immediate();
    expect(calls).toBe(1);
    expect(batcher.size).toBe(0);
    expect(queue.stats()).toMatchObject({ depth: 10, permits: 0 });
    expect(numbers(queue.popMany(64))).toEqual(numbers(rows(0, 10)));
    await immediate();
    expect(calls).toBe(1);
    expectConserved(queue);
  });

  it('publishes when `max` are gathered, and on flush', () => {
    const queue = queueOf(100);
    const batcher = queue.batcher({ max: 3 });
    for (const value of rows(0, 7)) batcher.push(value);
    expect(queue.depth).toBe(6);
    expect(batcher.size).toBe(1);
    expect(batcher.flush()).toBe(1);
    expect(batcher.flush()).toBe(0);
    expect(numbers(queue.popMany(64))).toEqual(numbers(rows(0, 7)));
  });

  it('accepts only records that cannot be refused later, whatever other threads push or close', () => {
    const queue = queueOf(5);
    const batcher = queue.batcher({ max: 3 });
    expect(batcher.push({ number: 1 })).toBe(true);
    expect(queue.tryPushMany(rows(10, 9))).toBe(2);
    queue.close();
    expect(batcher.push({ number: 2 })).toBe(true);
    expect(batcher.push({ number: 3 })).toBe(true);
    expectError(
      thrown(() => batcher.push({ number: 4 })),
      'ERR_SLUICE_CLOSED',
    );
    expect(numbers(queue.popMany(9))).toEqual([10, 11, 1, 2, 3]);
    expectConserved(queue);
  });

  it('answers false when there is no room, counts it, and goes on when there is', () => {
    const queue = queueOf(2);
    const batcher = queue.batcher();
    expect(rows(0, 4).map((value) => batcher.push(value))).toEqual([true, true, false, false]);
    expect(queue.stats()).toMatchObject({ depth: 2, rejected: 2 });
    queue.tryPop();
    expect(batcher.push({ number: 9 })).toBe(true);
    expect(numbers(queue.popMany(9))).toEqual([1, 9]);
  });

  it('gathers nothing of a record with a bad value', () => {
    const queue = queueOf(9);
    const batcher = queue.batcher();
    batcher.push({ number: 1 });
    expectError(
      thrown(() => batcher.push({ number: 0.5 })),
      'ERR_SLUICE_FIELD',
      RangeError,
    );
    batcher.push({ number: 2 });
    batcher.flush();
    expect(numbers(queue.popMany(9))).toEqual([1, 2]);
  });

  it('refuses to be used from within a getter of a record that it gathers, and stays whole', () => {
    for (const within of ['push', 'flush'] as const) {
      const queue = queueOf(9);
      const batcher = queue.batcher();
      batcher.push({ number: 1 });
      const value = {
        get number() {
          return within === 'push' ? Number(batcher.push({ number: 7 })) : batcher.flush();
        },
      };
      expectError(
        thrown(() => batcher.push(value)),
        'ERR_SLUICE_REENTRANT',
      );
      batcher.push({ number: 2 });
      batcher.flush();
      expect(numbers(queue.popMany(9))).toEqual([1, 2]);
    }
  });

  it('has published what it gathered when its queue object is disposed of, and takes no more', () => {
    const queue = queueOf(9);
    const other = Queue.attach(Row, queue.handle);
    const batcher = other.batcher();
    batcher.push({ number: 1 });
    other[Symbol.dispose]();
    expectError(
      thrown(() => batcher.push({ number: 2 })),
      'ERR_SLUICE_DISPOSED',
    );
    expect(batcher.flush()).toBe(0);
    const third = Queue.attach(Row, queue.handle);
    const late = third.batcher();
    late.push({ number: 3 });
    const disposing = {
      get number() {
        third[Symbol.dispose]();
        return 4;
      },
    };
    expectError(
      thrown(() => late.push(disposing)),
      'ERR_SLUICE_DISPOSED',
    );
    expect(numbers(queue.popMany(9))).toEqual([1, 3]);
    expect(queue.stats().permits).toBe(0);
    expectConserved(queue);
  });

  it('publishes on dispose and is gone: its place in native memory goes to the next batcher', async () => {
    const queue = queueOf(9);
    for (let i = 0; i < 1_000; i++) {
      const batcher = queue.batcher({ max: 4_096 });
      batcher.push({ number: i });
      batcher[Symbol.dispose]();
      batcher[Symbol.dispose]();
      expectError(
        thrown(() => batcher.push({ number: i })),
        'ERR_SLUICE_DISPOSED',
      );
      expect(queue.tryPop()).toEqual({ number: i });
    }
    expect(nativeOf(queue).openBatch(new ArrayBuffer(64), 0)).toBe(0);
    await immediate();
    expectConserved(queue);
  });

  it('of a thread that ends before its turn does is published by its clean-up, with the lane it was for', async () => {
    const queue = queueOf(9, { lanes: 2 });
    for (const exits of [false, true]) {
      const { thread } = await RemoteQueue.attach(queue.handle);
      thread.post({ type: 'gather', rows: rows(0, 5), lane: 1, exits });
      expect(await thread.message('gathered')).toMatchObject({ size: 5 });
      if (exits) await thread.exited;
      else expect(queue.stats()).toMatchObject({ depth: 0, permits: 9 });
      await thread.terminate();
      expect(numbers(queue.popMany(9))).toEqual([0, 1, 2, 3, 4]);
      expect(queue.tryPushMany(rows(0, 20), { lane: 0 })).toBe(9);
      expect(queue.popMany(20)).toHaveLength(9);
      expect(queue.stats().permits).toBe(0);
      expectConserved(queue);
    }
  });
});
