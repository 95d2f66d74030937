import { setImmediate as immediate } from 'node:timers/promises';
import { Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { expectError, rejected, thrown } from '../thrown.js';
import { Row, rows } from './row.js';
import { expectConserved, until } from './until.js';

const queueOf = (capacity: number) => Queue.create(Row, { capacity });

describe('readable()', () => {
  it('takes a record when its reader asks for one, not before, and ends when the queue is closed and drained', async () => {
    const queue = queueOf(9);
    queue.tryPushMany(rows(0, 5));
    const reader = queue.readable().getReader();
    await immediate();
    expect(queue.depth).toBe(5);
    expect(await reader.read()).toEqual({ value: { number: 0 }, done: false });
    await immediate();
    expect(queue.depth).toBe(4);
    queue.close();
    const rest: unknown[] = [];
    for (let next = await reader.read(); !next.done; next = await reader.read()) rest.push(next.value);
    expect(rest).toEqual(rows(1, 4));
    queue.tryPop(); // the lease is free
  });

  it('that is cancelled leaves the rest in the queue and releases the lease, also while a read waits', async () => {
    const queue = queueOf(9);
    const other = Queue.attach(Row, queue.handle);
    for (const waits of [false, true]) {
      const reader = queue.readable().getReader();
      queue.tryPushMany(rows(0, 2));
      await reader.read();
      if (waits) await reader.read();
      const reading = waits ? reader.read() : undefined;
      expectError(
        thrown(() => other.tryPop()),
        'ERR_SLUICE_CONSUMER',
      );
      await reader.cancel();
      if (reading !== undefined) expect((await reading).done).toBe(true);
      queue.tryPush({ number: 7 });
      await immediate();
      expect(other.popMany(9)).toEqual(waits ? [{ number: 7 }] : [{ number: 1 }, { number: 7 }]);
      other.releaseLease();
    }
    expectConserved(queue);
  });

  it('fails when another object consumes', async () => {
    const queue = queueOf(9);
    Queue.attach(Row, queue.handle).tryPop();
    expectError(await rejected(queue.readable().getReader().read()), 'ERR_SLUICE_CONSUMER');
  });
});

describe('an async iterator', () => {
  it('that is returned while it waits ends at once and loses no record', async () => {
    const queue = queueOf(9);
    const records = queue[Symbol.asyncIterator]();
    const next = records.next();
    await immediate();
    await records.return();
    expect(await next).toEqual({ value: undefined, done: true });
    queue.tryPush({ number: 1 });
    await immediate();
    expect(queue.depth).toBe(1);
  });

  it('that is returned before it began ends nothing but itself', async () => {
    const queue = queueOf(9);
    const seen: unknown[] = [];
    const consuming = queue.consume((batch) => seen.push(...batch));
    await queue[Symbol.asyncIterator]().return();
    queue.tryPush({ number: 1 });
    queue.close();
    await consuming;
    expect(seen).toEqual([{ number: 1 }]);
  });
});

describe('writable()', () => {
  it('writes while there is room and waits while there is none', async () => {
    const queue = queueOf(2);
    const writer = queue.writable().getWriter();
    const written: number[] = [];
    for (const value of rows(0, 5)) void writer.write(value).then(() => written.push(value.number));
    await until(() => queue.stats().waiting === 1);
    expect(written).toEqual([0, 1]);
    expect(writer.desiredSize).toBeLessThanOrEqual(0);
    for (const value of rows(0, 5)) {
      await until(() => queue.depth > 0);
      expect(queue.tryPop()).toEqual(value);
    }
    await writer.close();
    expect(queue.closed).toBe(false);
    expectConserved(queue);
  });

  it('ends its wait, and leaves no waiter, when it is aborted', async () => {
    const queue = queueOf(1);
    queue.tryPush({ number: 0 });
    const writer = queue.writable().getWriter();
    const writing = rejected(writer.write({ number: 1 }));
    const closed = rejected(writer.closed);
    await until(() => queue.stats().waiting === 1);
    const reason = new Error('enough');
    await writer.abort(reason);
    expect(await writing).toBe(reason);
    expect(await closed).toBe(reason);
    expect(queue.stats()).toMatchObject({ waiting: 0, depth: 1 });
  });

  it('closes the queue when it is closed, with `close`, and fails when the queue is closed', async () => {
    const queue = queueOf(1);
    await queue.writable({ close: true }).close();
    expect(queue.closed).toBe(true);
    const writer = queue.writable().getWriter();
    const closed = rejected(writer.closed);
    expectError(await rejected(writer.write({ number: 1 })), 'ERR_SLUICE_CLOSED');
    expectError(await closed, 'ERR_SLUICE_CLOSED');
  });
});

describe('a pipe from one queue to another', () => {
  it('moves every record in order, no faster than the second has room', async () => {
    const from = queueOf(9);
    const to = queueOf(2);
    const piping = from.readable().pipeTo(to.writable({ close: true }));
    const seen: unknown[] = [];
    const consuming = to.consume(
      async (batch) => {
        await immediate();
        expect(to.depth).toBeLessThanOrEqual(2);
        seen.push(...batch);
      },
      { batchSize: 1 },
    );
    for (const value of rows(0, 200)) await from.push(value);
    from.close();
    await piping;
    await consuming;
    expect(seen).toEqual(rows(0, 200));
    expectConserved(from);
    expectConserved(to);
  });
});
