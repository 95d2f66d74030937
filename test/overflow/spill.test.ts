import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { Queue, record, u32, u53 } from 'sluice';
import { lmdbStore, type Spill, type SpillOptions, spill, sqliteStore } from 'sluice/overflow';
import { describe, expect, it, onTestFinished } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { MemoryStore } from './memory-store.js';
import { temporary } from './temporary.js';

const Row = record({ id: u53, part: u32 });
interface Row {
  id: number;
  part: number;
}

interface Made {
  readonly queue: Queue<Row>;
  readonly overflow: Spill<Row>;
}

async function made(
  options: Partial<SpillOptions<Row>> & { store: SpillOptions<Row>['store'] },
  sizes: { capacity?: number; lanes?: number; maxWaiting?: number } = {},
): Promise<Made> {
  const overflow = spill<Row>(options);
  const queue = Queue.create(Row, { capacity: 4, overflow, ...sizes });
  onTestFinished(async () => {
    queue[Symbol.dispose]();
    await overflow.close();
  });
  await overflow.opened();
  return { queue, overflow };
}

const row = (id: number): Row => ({ id, part: id % 7 });
const upTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(1);
}

/** Takes records as they come, until `count` have come. */
async function take(queue: Queue<Row>, count: number): Promise<number[]> {
  const ids: number[] = [];
  while (ids.length < count) {
    const next = queue.tryPop();
    if (next === undefined) await setImmediate();
    else ids.push(next.id);
  }
  return ids;
}

describe('A queue that spills', { timeout: 30_000 }, () => {
  it('keeps records beyond its ring in the store, and hands all out once, in order', async () => {
    const store = new MemoryStore();
    const { queue, overflow } = await made({ store });
    await Promise.all(upTo(50).map((id) => queue.push(row(id))));
    expect(queue.depth).toBe(4);
    expect(store.kept.size).toBe(46);
    expect(await take(queue, 50)).toEqual(upTo(50));
    await overflow.emptied();
    expect(store.kept.size).toBe(0);
    expect(overflow.stats()).toMatchObject({ records: 0, behind: 0, appended: 46, redelivered: 0 });
  });

  it('pushes to the ring only, while the ring has room and is consumed fast', async () => {
    const store = new MemoryStore();
    const { queue, overflow } = await made({ store });
    for (const id of upTo(100)) {
      await queue.push(row(id));
      expect(queue.tryPop()).toEqual(row(id));
    }
    expect(queue.tryPush(row(101))).toBe(true);
    expect(store.appends).toEqual([]);
    expect(overflow.stats().appended).toBe(0);
  });

  it('stores records that would wait too long, though the ring has room', async () => {
    const store = new MemoryStore();
    const { queue } = await made({ store, expectedWaitMs: 5 }, { capacity: 1_000 });
    // One record in 10 ms or more: a hundred of them would wait for a second.
    expect(queue.tryPushMany(upTo(100).map(row))).toBe(100); // looks at no wait, however long it takes
    for (const id of upTo(3)) {
      expect(queue.tryPop()?.id).toBe(id);
      await sleep(10);
      for (let i = 0; i < 16; i++) await queue.push(row(200 + id)); // every 16th looks at the wait
    }
    expect(store.appends.length).toBeGreaterThan(0);
    expect(queue.depth).toBeLessThan(1_000);
  });

  it('lets nothing of this object overtake what is in the store', async () => {
    const store = new MemoryStore();
    let open: () => void = () => {};
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    const { queue, overflow } = await made({ store });
    const pushes = upTo(6).map((id) => queue.push(row(id)));
    await setImmediate();
    expect(queue.popMany(2).map(({ id }) => id)).toEqual([1, 2]); // the ring has room again
    expect(queue.tryPush(row(90))).toBe(false);
    expect(queue.tryPushMany([row(91)])).toBe(0);
    expect(queue.pushSync(row(92), 1_000)).toBe(false);
    expect(queue.tryReserve(1)).toBeUndefined();
    const permit = queue.reserve(1);
    const late = queue.push(row(7));
    open();
    await Promise.all([...pushes, late]);
    const taken = await take(queue, 5);
    expect(taken).toEqual([3, 4, 5, 6, 7]);
    (await permit).send(row(8));
    expect(await take(queue, 1)).toEqual([8]);
    await overflow.emptied();
    expect(queue.tryPush(row(9))).toBe(true);
  });

  it('keeps the order of each lane, and spills lanes apart', async () => {
    const store = new MemoryStore();
    const { queue } = await made({ store }, { lanes: 2 });
    await Promise.all(upTo(20).map((id) => queue.push(row(id), { lane: 1 })));
    expect(queue.tryPush(row(100), { lane: 0 })).toBe(true);
    expect(queue.tryPush(row(101), { lane: 1 })).toBe(false);
    const ids = await take(queue, 21);
    expect(ids.filter((id) => id < 100)).toEqual(upTo(20));
    expect(ids).toContain(100);
  });

  it('gathers the records that come while an append runs', async () => {
    const store = new MemoryStore();
    const { queue } = await made({ store });
    await Promise.all(upTo(300).map((id) => queue.push(row(id))));
    expect(store.appends.length).toBeLessThanOrEqual(2);
    expect(store.appends.reduce((sum, count) => sum + count, 0)).toBe(296);
  });

  it('counts the records that the store itself refuses because it is full', async () => {
    const store = new MemoryStore();
    const { queue, overflow } = await made({ store });
    await Promise.all(upTo(4).map((id) => queue.push(row(id))));
    store.failing = 'append';
    await expect(queue.push(row(5))).rejects.toMatchObject({ code: 'ERR_SLUICE_STORE_FAILED' });
    expect(overflow.stats()).toMatchObject({ records: 0, full: 0 });
    store.code = 'ERR_SLUICE_FULL';
    await expect(queue.push(row(6))).rejects.toMatchObject({ code: 'ERR_SLUICE_FULL' });
    expect(overflow.stats()).toMatchObject({ records: 0, full: 1 });
  });

  it.each([
    ['maxRecords', new MemoryStore(3)],
    ['maxBytes', new MemoryStore(undefined, 4 * (Row.bytes + 48) - 1)], // 48: what an entry has beyond its record
  ])('refuses records beyond %s of the store, and takes them when it has room again', async (_, store) => {
    const { queue, overflow } = await made({ store });
    await Promise.all(upTo(7).map((id) => queue.push(row(id))));
    await expect(queue.push(row(8))).rejects.toMatchObject({ code: 'ERR_SLUICE_FULL' });
    expect(overflow.stats()).toMatchObject({ records: 3, full: 1 });
    expect(await take(queue, 7)).toEqual(upTo(7));
    await overflow.emptied();
    await Promise.all(upTo(11, 9).map((id) => queue.push(row(id)))); // to the ring or to the store
    expect(await take(queue, 3)).toEqual(upTo(11, 9));
  });

  it('refuses more callers than maxWaiting', async () => {
    const { queue } = await made({ store: new MemoryStore() }, { maxWaiting: 2 });
    const results = await Promise.allSettled(upTo(7).map((id) => queue.push(row(id))));
    expect(results.map(({ status }) => status)).toEqual([...Array(6).fill('fulfilled'), 'rejected']);
    expect(results.at(-1)).toMatchObject({ reason: { code: 'ERR_SLUICE_WAITERS' } });
    expect(await take(queue, 6)).toEqual(upTo(6));
  });

  it('rejects the pushes whose append failed, and loses no other', async () => {
    const store = new MemoryStore();
    const { queue, overflow } = await made({ store });
    await Promise.all(upTo(4).map((id) => queue.push(row(id))));
    store.failing = 'append';
    await expect(queue.push(row(5))).rejects.toMatchObject({ code: 'ERR_SLUICE_STORE_FAILED' });
    expect(overflow.stats()).toMatchObject({ records: 0, behind: 0 });
    store.failing = undefined;
    await queue.push(row(6));
    expect(await take(queue, 5)).toEqual([1, 2, 3, 4, 6]);
  });

  it('tries again when the store cannot return or remove entries', async () => {
    const store = new MemoryStore();
    const { queue, overflow } = await made({ store });
    store.failing = 'take';
    await Promise.all(upTo(10).map((id) => queue.push(row(id))));
    expect(await take(queue, 4)).toEqual(upTo(4));
    await until(() => overflow.stats().failures > 0);
    store.failing = 'remove';
    expect(await take(queue, 6)).toEqual(upTo(10, 5));
    const before = overflow.stats().failures;
    await until(() => overflow.stats().failures > before);
    expect(store.kept.size).toBe(6);
    store.failing = undefined;
    await overflow.emptied();
    expect(store.kept.size).toBe(0);
  });

  it('keeps a record in the store while a handler of the same object has it', async () => {
    const store = new MemoryStore();
    const { queue, overflow } = await made({ store });
    await Promise.all(upTo(8).map((id) => queue.push(row(id))));
    let finish: () => void = () => {};
    const handled: number[] = [];
    const consumed = queue.consume(
      async ([first]) => {
        if (first?.id === 6) {
          await new Promise<void>((resolve) => {
            finish = resolve;
          });
        }
        handled.push(first?.id ?? 0);
      },
      { batchSize: 1 },
    );
    await until(() => handled.length === 5);
    await until(() => store.kept.size === 3); // 5 is removed
    await sleep(30); // longer than it takes to look for entries that can be removed
    expect(store.ids(0).length).toBe(3); // 6 has left the ring, and is being handled
    finish();
    await overflow.emptied();
    expect(handled).toEqual(upTo(8));
    queue.close();
    await consumed;
  });

  it('resumes with what an earlier queue has left, before all new records', async () => {
    const store = new MemoryStore();
    const again: Array<[number, number]> = [];
    const first = await made({ store });
    await Promise.all(upTo(12).map((id) => first.queue.push(row(id))));
    expect(await take(first.queue, 6)).toEqual(upTo(6)); // 1 to 4 were in the ring only, 5 and 6 are consumed
    first.queue[Symbol.dispose]();
    await first.overflow.close();
    expect(store.kept.size).toBe(6);

    const overflow = spill<Row>({ store, onRedelivered: ({ id }, n) => again.push([id, n]) });
    const queue = Queue.create(Row, { capacity: 4, overflow });
    onTestFinished(() => queue[Symbol.dispose]());
    expect(queue.tryPush(row(13))).toBe(false); // it is not known yet what is in the store
    const pushed = queue.push(row(13));
    expect(await take(queue, 7)).toEqual(upTo(13, 7));
    await pushed;
    expect(again).toEqual(upTo(12, 7).map((id) => [id, 2]));
    expect(overflow.stats()).toMatchObject({ redelivered: 6 });
    await overflow.emptied();
    await overflow.close();
  });

  it('does not hand out again what onRedelivered takes over', async () => {
    const store = new MemoryStore();
    const first = await made({ store });
    await Promise.all(upTo(8).map((id) => first.queue.push(row(id))));
    await until(() => store.kept.get(1)?.deliveries === 1);
    first.queue[Symbol.dispose]();
    await first.overflow.close();
    const dead: number[] = [];
    const { queue, overflow } = await made({
      store,
      onRedelivered: ({ id }) => {
        if (id % 2 === 0) dead.push(id);
        return id % 2 !== 0;
      },
    });
    expect(await take(queue, 2)).toEqual([5, 7]);
    await overflow.emptied();
    expect(dead).toEqual([6, 8]);
  });

  it('passes over records whose bytes are damaged, and counts them', async () => {
    const store = new MemoryStore();
    const first = await made({ store }, { capacity: 1 });
    await Promise.all(upTo(6).map((id) => first.queue.push(row(id))));
    first.queue[Symbol.dispose]();
    await first.overflow.close();
    store.damaged.add(3); // row 4: row 1 was in the ring only
    const { queue, overflow } = await made({ store });
    expect(await take(queue, 4)).toEqual([2, 3, 5, 6]);
    await overflow.emptied();
    expect(overflow.stats()).toMatchObject({ damaged: 1, records: 0 });
  });

  it('counts records that are missing in the store, and goes on with the others', async () => {
    const store = new MemoryStore();
    const first = await made({ store });
    await Promise.all(upTo(10).map((id) => first.queue.push(row(id))));
    first.queue[Symbol.dispose]();
    await first.overflow.close();
    store.missing.add(2).add(6); // rows 6 and 10: rows 1 to 4 were in the ring only
    const { queue, overflow } = await made({ store });
    expect(await take(queue, 4)).toEqual([5, 7, 8, 9]);
    await overflow.emptied();
    expect(overflow.stats()).toMatchObject({ lost: 2, records: 0, behind: 0 });
    expect(queue.tryPush(row(11))).toBe(true);
  });

  it('ends: an append that runs is finished, later pushes reject, stored records stay', async () => {
    const store = new MemoryStore();
    const { queue, overflow } = await made({ store });
    const pushes = upTo(6).map((id) => queue.push(row(id)));
    const ending = overflow.close();
    await Promise.all([...pushes, ending]);
    expect(store.kept.size).toBe(2);
    await expect(queue.push(row(7))).rejects.toMatchObject({ code: 'ERR_SLUICE_CLOSED' });
    await expect(overflow.emptied()).rejects.toMatchObject({ code: 'ERR_SLUICE_CLOSED' });
  });

  it('ends although its store cannot be closed, and counts that', async () => {
    const store = new MemoryStore();
    const { queue, overflow } = await made({ store });
    store.failing = 'close';
    queue[Symbol.dispose](); // begins the end, which no caller waits for: a rejection would end the process
    await overflow.close();
    expect(overflow.stats().failures).toBe(1);
  });

  it('takes no records once it is closed, and leaves the stored ones to the next queue', async () => {
    const store = new MemoryStore();
    const { queue } = await made({ store });
    await Promise.all(upTo(6).map((id) => queue.push(row(id))));
    expect(queue.close()).toBe(true);
    await expect(queue.push(row(7))).rejects.toMatchObject({ code: 'ERR_SLUICE_CLOSED' });
    const ids: number[] = [];
    await queue.consume((batch) => {
      ids.push(...batch.map(({ id }) => id));
    });
    expect(ids).toEqual(upTo(4));
    expect(store.kept.size).toBe(2);
  });

  it('rejects all pushes with the error that the store could not be opened with', async () => {
    const store = new MemoryStore();
    store.isOpen = true;
    const overflow = spill<Row>({ store });
    const queue = Queue.create(Row, { capacity: 4, overflow });
    const pushed = queue.push(row(1));
    await expect(overflow.opened()).rejects.toMatchObject({ code: 'ERR_SLUICE_STORE_LOCKED' });
    await expect(pushed).rejects.toMatchObject({ code: 'ERR_SLUICE_STORE_LOCKED' });
    await expect(queue.push(row(2))).rejects.toMatchObject({ code: 'ERR_SLUICE_STORE_LOCKED' });
    await expect(queue.reserve(1)).rejects.toMatchObject({ code: 'ERR_SLUICE_STORE_LOCKED' });
    queue[Symbol.dispose]();
  });

  it('stores nothing of a bad record, and rejects with its error', async () => {
    const store = new MemoryStore();
    const { queue } = await made({ store });
    await Promise.all(upTo(5).map((id) => queue.push(row(id))));
    await expect(queue.push({ id: -1, part: 0 })).rejects.toMatchObject({ field: 'id' });
    await expect(queue.push(row(6), { signal: AbortSignal.abort('no') })).rejects.toBe('no');
    expect(store.kept.size).toBe(1);
    expectError(
      thrown(() => queue.tryPush({ id: -1, part: 0 })),
      'ERR_SLUICE_FIELD',
    );
  });

  it('works over a real file, in the thread of the store', async () => {
    const directory = temporary();
    const first = await made({ store: lmdbStore(`${directory}/a.mdb`) });
    await Promise.all(upTo(500).map((id) => first.queue.push(row(id))));
    expect(await take(first.queue, 100)).toEqual(upTo(100));
    first.queue[Symbol.dispose]();
    await first.overflow.close();
    const { queue, overflow } = await made({ store: lmdbStore(`${directory}/a.mdb`) });
    const left = overflow.stats().records;
    expect(left).toBeGreaterThanOrEqual(400); // those in the ring, too
    expect(await take(queue, left)).toEqual(upTo(500, 501 - left));
    await overflow.emptied();
  });
});

describe('The options of an overflow', () => {
  it('are checked, and name what is wrong', () => {
    const store = new MemoryStore();
    const option = 'ERR_SLUICE_OPTION';
    for (const bad of [undefined, null, { maxRecords: 1, maxBytes: 1 }]) {
      const { message } = thrown(() => spill({ store: mistyped(bad) }));
      expect(message).toContain('spill: store: expected a store');
    }
    expectError(
      thrown(() => spill({ store, expectedWaitMs: -1 })),
      option,
    );
    for (const bound of ['maxRecords', 'maxBytes']) {
      const unbounded = { name: 'own', open: store.open, maxRecords: 1, maxBytes: 1, [bound]: undefined };
      expect(thrown(() => spill({ store: unbounded })).message).toContain(`spill: store: ${bound}: expected`);
    }
    expectError(
      thrown(() => lmdbStore('', {})),
      option,
    );
    expectError(
      thrown(() => lmdbStore('a', { maxRecords: 0 })),
      option,
    );
    expectError(
      thrown(() => lmdbStore('a\0b')),
      option,
    );
    const overflow = spill<Row>({ store });
    expectError(
      thrown(() => overflow.stats()),
      option,
    );
    expectError(
      thrown(() => Queue.create(Row, { capacity: 4, overflow, ttlMs: 5 })),
      option,
    );
    expectError(
      thrown(() => Queue.create(Row, { capacity: 4, overflow, shed: {} })),
      option,
    );
    const queue = Queue.create(Row, { capacity: 4, overflow });
    expectError(
      thrown(() => Queue.create(Row, { capacity: 4, overflow })),
      option,
    );
    expectError(
      thrown(() => queue.batcher()),
      option,
    );
    queue[Symbol.dispose]();
  });

  it.runIf(process.versions['sqlite'] === undefined)('names lmdbStore where there is no node:sqlite', () => {
    expect(() => sqliteStore('orders.db')).toThrow(/lmdbStore/);
  });
});
