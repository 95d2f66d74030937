import { Queue, record, u32, utf8 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';

const Row = record({ number: u32, text: utf8(12) });
const row = (number: number) => ({ number, text: `row ${number}` });
const rows = (first: number, count: number) => Array.from({ length: count }, (_, i) => row(first + i));

describe('a queue', () => {
  it.each([1, 2, 3, 5, 50, 63, 64, 65, 100, 1_000])(
    'of capacity %i holds exactly that many, lap after lap',
    (capacity) => {
      const queue = Queue.create(Row, { capacity });
      expect(queue.capacity).toBe(capacity);
      let pushed = 0;
      let popped = 0;
      for (let lap = 0; lap < 5; lap++) {
        while (queue.tryPush(row(pushed))) pushed++;
        expect(pushed - popped).toBe(capacity);
        expect(queue.depth).toBe(capacity);
        expect(queue.tryPush(row(pushed))).toBe(false);
        const out = Math.ceil(capacity / (lap + 1));
        for (let i = 0; i < out; i++) expect(queue.tryPop()).toEqual(row(popped++));
      }
    },
  );

  it('gives records back in the order in which they were pushed', () => {
    const queue = Queue.create(Row, { capacity: 10 });
    for (let i = 0; i < 10; i++) queue.tryPush(row(i));
    expect([queue.tryPop(), queue.tryPop()]).toEqual(rows(0, 2));
    expect(queue.popMany(5)).toEqual(rows(2, 5));
    expect(queue.popMany(65_536)).toEqual(rows(7, 3));
  });

  it('answers at once when it is empty', () => {
    const queue = Queue.create(Row, { capacity: 3 });
    expect(queue.tryPop()).toBeUndefined();
    expect(queue.popMany(10)).toEqual([]);
    expect(queue.drain(() => expect.unreachable())).toBe(0);
    expect(queue.depth).toBe(0);
  });

  it('keeps no reference to what was pushed', () => {
    const queue = Queue.create(Row, { capacity: 3 });
    const value = row(1);
    queue.tryPush(value);
    value.number = 99;
    expect(queue.tryPop()).toEqual(row(1));
  });
});

describe('tryPushMany', () => {
  it.each([0, 1, 63, 64, 65, 128, 129, 500])('adds all of %i records when there is room', (count) => {
    const queue = Queue.create(Row, { capacity: 500 });
    expect(queue.tryPushMany(rows(0, count))).toBe(count);
    expect(queue.popMany(1_000)).toEqual(rows(0, count));
  });

  it.each([1, 10, 64, 65, 100, 128, 199])('adds the first %i when there is room for no more', (room) => {
    const queue = Queue.create(Row, { capacity: 200 });
    queue.tryPushMany(rows(1_000, 200 - room));
    expect(queue.tryPushMany(rows(0, 300))).toBe(room);
    expect(queue.tryPushMany(rows(0, 1))).toBe(0);
    expect(queue.popMany(1_000)).toEqual([...rows(1_000, 200 - room), ...rows(0, room)]);
    expect(queue.stats().rejected).toBe(300 - room + 1);
  });

  it.each([undefined, null, 'rows', {}, new Set([row(1)])])('refuses %s in place of an array', (list) => {
    const queue = Queue.create(Row, { capacity: 2 });
    expectError(
      thrown(() => queue.tryPushMany(mistyped(list))),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
  });
});

describe('popMany', () => {
  it.each([1, 63, 64, 65, 128, 300, 65_536])('takes up to %i, oldest first', (max) => {
    const queue = Queue.create(Row, { capacity: 300 });
    queue.tryPushMany(rows(0, 300));
    const taken = Math.min(max, 300);
    expect(queue.popMany(max)).toEqual(rows(0, taken));
    expect(queue.depth).toBe(300 - taken);
  });

  it('refuses a bad maximum, and takes nothing', () => {
    const queue = Queue.create(Row, { capacity: 3 });
    queue.tryPush(row(1));
    for (const max of [0, -1, 1.5, 65_537, Number.NaN, Infinity]) {
      expectError(
        thrown(() => queue.popMany(max)),
        'ERR_SLUICE_OPTION',
        RangeError,
      );
    }
    for (const max of ['1', null, undefined, 1n]) {
      expectError(
        thrown(() => queue.popMany(mistyped(max))),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    }
    expect(queue.depth).toBe(1);
  });
});

describe('close', () => {
  it('happens once, for all attached objects', () => {
    const queue = Queue.create(Row, { capacity: 3 });
    const other = Queue.attach(Row, queue.handle);
    expect([queue.closed, other.closed]).toEqual([false, false]);
    expect([other.close(), queue.close(), other.close()]).toEqual([true, false, false]);
    expect([queue.closed, other.closed]).toEqual([true, true]);
  });

  it('refuses every push, and lets every object take the records inside', () => {
    const queue = Queue.create(Row, { capacity: 3 });
    queue.tryPushMany(rows(0, 2));
    queue.close();
    for (const push of [() => queue.tryPush(row(9)), () => queue.tryPushMany([row(9)])]) {
      expectError(thrown(push), 'ERR_SLUICE_CLOSED');
    }
    expect(queue.depth).toBe(2);
    expect(queue.popMany(10)).toEqual(rows(0, 2));
    expect(queue.tryPop()).toBeUndefined();
  });

  it('is not taken for full: a full queue that is closed throws', () => {
    const queue = Queue.create(Row, { capacity: 1 });
    queue.tryPush(row(1));
    expect(queue.tryPush(row(2))).toBe(false);
    queue.close();
    expectError(
      thrown(() => queue.tryPush(row(2))),
      'ERR_SLUICE_CLOSED',
    );
  });
});

describe('stats', () => {
  it('count what was pushed, popped and rejected, and the largest depth', () => {
    const queue = Queue.create(Row, { capacity: 5 });
    const none = { count: 0, mean: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
    expect(queue.stats()).toStrictEqual({
      depth: 0,
      highWater: 0,
      pushed: 0,
      popped: 0,
      rejected: 0,
      expired: 0,
      dropped: 0,
      shed: 0,
      waiting: 0,
      waitersRefused: 0,
      permits: 0,
      wakeups: 0,
      waitNs: none,
      path: process.platform === 'linux' ? 'wasm' : 'native',
    });
    queue.tryPushMany(rows(0, 4));
    queue.popMany(3);
    queue.tryPushMany(rows(4, 2));
    expect(queue.stats()).toMatchObject({ depth: 3, highWater: 4, pushed: 6, popped: 3, rejected: 0 });
    queue.tryPushMany(rows(6, 4));
    queue.tryPush(row(10));
    expect(queue.stats()).toMatchObject({ depth: 5, highWater: 5, pushed: 8, popped: 3, rejected: 3 });
    queue.drain(() => {});
    expect(queue.stats()).toMatchObject({ depth: 0, highWater: 5, pushed: 8, popped: 8, rejected: 3 });
  });

  it('are those of all objects that are or were attached', () => {
    const queue = Queue.create(Row, { capacity: 1 });
    for (let i = 0; i < 3; i++) {
      const other = Queue.attach(Row, queue.handle);
      other.tryPush(row(i));
      other.tryPush(row(i));
      other[Symbol.dispose]();
    }
    expect(queue.stats()).toMatchObject({ pushed: 1, rejected: 5 });
  });
});

describe('an attached queue', () => {
  it('is the same queue, by a handle that survives structured clone', () => {
    const queue = Queue.create(Row, { capacity: 3 });
    const other = Queue.attach(Row, structuredClone(queue.handle));
    expect(other.capacity).toBe(3);
    queue.tryPush(row(1));
    other.tryPush(row(2));
    expect([queue.depth, other.depth]).toEqual([2, 2]);
    expect(other.popMany(3)).toEqual(rows(1, 2));
  });

  it('needs a record that record() made', () => {
    const queue = Queue.create(Row, { capacity: 3 });
    for (const bad of [undefined, null, {}, { number: u32 }, u32]) {
      const error = thrown(() => Queue.attach(mistyped(bad), queue.handle));
      expectError(error, 'ERR_SLUICE_OPTION', TypeError);
      expectError(
        thrown(() => Queue.create(mistyped(bad), { capacity: 1 })),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    }
  });
});

describe('a queue that was disposed of', () => {
  it('refuses everything with its own error, also the second time', async () => {
    const queue = Queue.create(Row, { capacity: 3 });
    queue.tryPush(row(1));
    queue[Symbol.dispose]();
    queue[Symbol.dispose]();
    const uses: Array<() => unknown> = [
      () => queue.tryPush(row(1)),
      () => queue.tryPushMany(rows(0, 2)),
      () => queue.tryPop(),
      () => queue.popMany(2),
      () => queue.drain(() => {}),
      () => queue.depth,
      () => queue.closed,
      () => queue.close(),
      () => queue.stats(),
    ];
    for (const use of uses) expectError(thrown(use), 'ERR_SLUICE_DISPOSED');
    await expect(queue.consume(() => {})).rejects.toMatchObject({ code: 'ERR_SLUICE_DISPOSED' });
    await expect(queue[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'ERR_SLUICE_DISPOSED' });
    queue.releaseLease();
  });

  it('lives on for the other objects', () => {
    const queue = Queue.create(Row, { capacity: 3 });
    const other = Queue.attach(Row, queue.handle);
    queue.tryPush(row(1));
    queue[Symbol.dispose]();
    expect(other.tryPop()).toEqual(row(1));
    expect(other.tryPush(row(2))).toBe(true);
  });

  it('is gone with the last of them: its handle is dead', () => {
    const queue = Queue.create(Row, { capacity: 3 });
    const { handle } = queue;
    const other = Queue.attach(Row, handle);
    queue[Symbol.dispose]();
    other[Symbol.dispose]();
    expectError(
      thrown(() => Queue.attach(Row, handle)),
      'ERR_SLUICE_HANDLE',
    );
  });
});
