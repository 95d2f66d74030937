import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { Gate, Queue, record, Stock, u32, u53 } from 'sluice';
import { type SpillOptions, type Store, spill } from 'sluice/overflow';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { until } from '../queue/until.js';
import { MemoryStore } from './memory-store.js';

const Row = record({ id: u53 });
const upTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

interface Sizes {
  readonly capacity?: number;
  readonly lanes?: number;
}

function made(store: Store, sizes: Sizes = {}, options: Partial<SpillOptions<{ id: number }>> = {}) {
  const overflow = spill<{ id: number }>({ store, ...options });
  const queue = Queue.create(Row, { capacity: 4, overflow, ...sizes });
  const end = async (): Promise<void> => {
    queue[Symbol.dispose]();
    await overflow.close();
  };
  onTestFinished(end);
  return { overflow, queue, end };
}

/** Lets everything that is ready now go on. */
async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await setImmediate();
}

/** Returns a store with `count` rows, which an earlier queue has left there. */
async function left(count: number, lane = 0): Promise<MemoryStore> {
  const store = new MemoryStore();
  const { overflow, queue, end } = made(store, { capacity: 1, lanes: 2 });
  await overflow.opened();
  await Promise.all([
    queue.push({ id: 0 }, { lane }),
    ...upTo(count).map((id) => queue.push({ id }, { lane })),
  ]);
  await end();
  expect(store.kept.size).toBe(count);
  return store;
}

describe('The wait that a record has to expect', () => {
  /** A lane that a consumer of the test consumes, by a clock of the test. */
  async function clocked(capacity = 65_536) {
    let now = 1_000;
    const spy = vi.spyOn(performance, 'now').mockImplementation(() => now);
    onTestFinished(() => spy.mockRestore());
    const store = new MemoryStore();
    const { overflow, queue } = made(store, { capacity }, { expectedWaitMs: 5 });
    await overflow.opened();
    /** Pushes records until one goes to the store. Returns how many went to the ring. */
    const pushed = async (most: number): Promise<number> => {
      for (let count = 0; count < most; count++) {
        const before = queue.depth;
        void queue.push({ id: 1 });
        if (queue.depth === before) {
          await turns();
          return count;
        }
      }
      return most;
    };
    /** Lets `records` of them be consumed in each of so many milliseconds, while others take their places. */
    const consumed = (records: number, forMs: number): void => {
      for (let ms = 0; ms < forMs; ms++) {
        queue.tryPushMany(Array.from({ length: records }, () => ({ id: 1 })));
        now++;
        queue.popMany(records);
        for (let look = 0; look < 65; look++) void queue.push({ id: 1 });
        queue.popMany(65);
      }
    };
    return { queue, overflow, store, pushed, consumed, pass: (ms: number) => (now += ms) };
  }

  it('is short while the lane is empty or is consumed fast: all go to the ring', async () => {
    const { queue, store, pushed, consumed } = await clocked();
    await pushed(10);
    consumed(1_000, 60); // about 1,065 in a millisecond
    expect(queue.depth).toBe(10);
    expect(await pushed(3_000)).toBe(3_000); // less than 5 ms
    expect(store.kept.size).toBe(0);
  });

  it('is looked at before 64 more are pushed, however fast the lane was consumed', async () => {
    const { queue, pushed, consumed } = await clocked();
    await pushed(10);
    consumed(1_000, 60);
    queue.tryPushMany(Array.from({ length: 7_000 }, () => ({ id: 1 })));
    expect(await pushed(1_000)).toBeLessThanOrEqual(64);
  });

  it('is not known while nothing was consumed: a burst goes to the ring', async () => {
    const { store, pushed, pass } = await clocked();
    for (let ms = 0; ms < 40; ms++) {
      expect(await pushed(10)).toBe(10);
      pass(1);
    }
    expect(store.kept.size).toBe(0);
    pass(60); // longer than the rate remembers
    expect(await pushed(100)).toBeLessThan(100);
  });
});

describe('A lane of a queue that spills', () => {
  it('takes records to the ring though another lane has some in the store', async () => {
    const store = new MemoryStore();
    const { overflow, queue } = made(store, { lanes: 2 });
    await overflow.opened();
    await Promise.all(upTo(6).map((id) => queue.push({ id }, { lane: 1 })));
    await queue.push({ id: 100 }, { lane: 0 });
    expect([store.ids(0).length, store.ids(1).length]).toEqual([0, 2]);
  });

  it('has nothing in the store when all of its records were refused', async () => {
    const store = new MemoryStore(1);
    const { overflow, queue } = made(store);
    await overflow.opened();
    await Promise.allSettled(upTo(9).map((id) => queue.push({ id })));
    expect(overflow.stats()).toMatchObject({ records: 1, behind: 1, full: 4 });
    expect(queue.popMany(9)).toHaveLength(4);
    await until(() => queue.depth === 1);
    await turns();
    expect(overflow.stats().behind).toBe(0);
    expect(queue.tryPush({ id: 10 })).toBe(true);
  });

  it('lets nothing overtake what an earlier process has left, when the store is open, too', async () => {
    const { overflow, queue } = made(await left(8), { lanes: 2 });
    await overflow.opened();
    await until(() => queue.depth === 4);
    queue.tryPop();
    expect(queue.tryPush({ id: 9 }, { lane: 0 })).toBe(false);
    expect(queue.tryPush({ id: 9 }, { lane: 1 })).toBe(true);
  });

  it('ends a wait for room by its signal', async () => {
    const { overflow, queue } = made(new MemoryStore());
    await overflow.opened();
    await Promise.all(upTo(8).map((id) => queue.push({ id })));
    const stop = new AbortController();
    const waits = expect(queue.reserve(1, { signal: stop.signal })).rejects.toBe('no more');
    await turns();
    stop.abort('no more');
    await waits;
  });

  it('makes the end of the queue wait for no room in the ring', async () => {
    const { overflow, queue, end } = made(new MemoryStore());
    await overflow.opened();
    await Promise.all(upTo(8).map((id) => queue.push({ id })));
    await turns(); // the fifth one waits for room now
    await end();
  });
});

describe('A wait until the store is empty', () => {
  it('begins when the store is open', async () => {
    const { overflow, queue } = made(await left(2), { lanes: 2 });
    let isEmptied = false;
    const emptied = overflow.emptied().then(() => {
      isEmptied = true;
    });
    await until(() => queue.depth === 2);
    await turns();
    expect(isEmptied).toBe(false);
    expect(queue.popMany(9).map(({ id }) => id)).toEqual([1, 2]);
    await emptied;
  });

  it('is over at once where nothing is in the store, also after the end', async () => {
    const { overflow, end } = made(new MemoryStore());
    await overflow.emptied();
    await end();
    await overflow.emptied();
  });

  it('ends by its signal, and when the overflow or the ring ends', async () => {
    const { overflow, queue } = made(new MemoryStore());
    await overflow.opened();
    await Promise.all(upTo(6).map((id) => queue.push({ id })));
    const stop = new AbortController();
    const waits = expect(overflow.emptied({ signal: stop.signal })).rejects.toBe('no more');
    const closes = expect(overflow.emptied()).rejects.toMatchObject({ code: 'ERR_SLUICE_CLOSED' });
    await turns();
    stop.abort('no more');
    await waits;
    await overflow.close();
    await closes;
    const other = made(new MemoryStore());
    await other.overflow.opened();
    await Promise.all(upTo(6).map((id) => other.queue.push({ id })));
    const ends = expect(other.overflow.emptied()).rejects.toMatchObject({ code: 'ERR_SLUICE_CLOSED' });
    await turns();
    other.queue.close();
    other.queue.popMany(1);
    await ends;
  });
});

describe('What the store says when it is opened', () => {
  const damages = (): unknown[] => {
    const published: unknown[] = [];
    const note = (message: unknown): void => void published.push(message);
    subscribe('sluice:overflow:damaged', note);
    onTestFinished(() => void unsubscribe('sluice:overflow:damaged', note));
    return published;
  };
  const saying = (content: object): Store => {
    const store = new MemoryStore();
    const open: Store['open'] = async (format) => {
      const opened = await store.open(format);
      return { ...opened, content: { ...opened.content, ...content } };
    };
    return { name: 'memory', maxRecords: 9, maxBytes: 9_000, open };
  };

  it('is counted and published if something is lost', async () => {
    const published = damages();
    const { overflow } = made(saying({ lost: 3, damage: ['a page'] }));
    await overflow.opened();
    expect(overflow.stats().lost).toBe(3);
    expect(published).toEqual([{ store: 'memory', damage: 'a page', lost: 3 }]);
  });

  it('is published for no intact store', async () => {
    const published = damages();
    await made(saying({})).overflow.opened();
    expect(published).toEqual([]);
  });

  it('ends no process if it is an error, though no caller waits for it', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    onTestFinished(() => void process.off('unhandledRejection', unhandled));
    made({ ...saying({}), open: () => Promise.reject(new Error('no store')) });
    await turns();
    expect(unhandled).not.toHaveBeenCalled();
  });
});

it('Stored orders wait for the gate over their queue, whenever it is made', async () => {
  const Order = record({ id: u53, sku: u32, quantity: u32 });
  const store = new MemoryStore();
  const shop = () => {
    const overflow = spill<{ id: number; sku: number; quantity: number }>({ store });
    const queue = Queue.create(Order, { capacity: 4, overflow });
    const gate = () => {
      const stock = Stock.create({ items: [{ sku: 1, quantity: 100 }] });
      return Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity', id: 'id' } });
    };
    onTestFinished(async () => {
      queue[Symbol.dispose]();
      await overflow.close();
    });
    return { overflow, queue, gate };
  };
  const first = shop();
  const gate = first.gate();
  for (const id of upTo(8)) await gate.admitDurably({ id, sku: 1, quantity: 1 });
  first.queue[Symbol.dispose]();
  await first.overflow.close();
  const second = shop();
  await second.overflow.opened();
  await turns();
  expect(second.queue.depth).toBe(0);
  const handled: number[] = [];
  const consumed = second.gate().consume(({ id }) => void handled.push(id));
  await second.overflow.emptied();
  expect(handled).toEqual(upTo(8)); // the store was not open yet, so that all went there
  second.queue.close();
  await consumed;
});
