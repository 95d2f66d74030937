import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { Queue, record, u53 } from 'sluice';
import { type OpenStore, type Store, spill } from 'sluice/overflow';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryStore } from './memory-store.js';

const Row = record({ id: u53 });
const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);

/** A store that is open only after a while, as `store`, but for what `change` returns. */
function slow(store: MemoryStore, change: (opened: OpenStore) => Partial<OpenStore> = () => ({})): Store {
  const { name, maxRecords, maxBytes } = store;
  return {
    ...{ name, maxRecords, maxBytes },
    async open(format) {
      await sleep(20);
      const opened = await store.open(format);
      return { ...opened, ...change(opened) };
    },
  };
}

function made(store: Store) {
  const overflow = spill<{ id: number }>({ store });
  const queue = Queue.create(Row, { capacity: 4, overflow });
  onTestFinished(async () => {
    queue[Symbol.dispose]();
    await overflow.close();
  });
  return { overflow, queue };
}

/** Lets everything that is ready now go on. */
async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await setImmediate();
}

function latch(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

describe('An overflow whose store is not open yet', () => {
  it('takes no more records than have room beside those of an earlier process', async () => {
    const store = new MemoryStore(6);
    const before = made(store);
    await before.overflow.opened();
    await Promise.all(upTo(8).map((id) => before.queue.push({ id }))); // 4 are in the ring
    before.queue[Symbol.dispose]();
    await before.overflow.close();
    expect(store.kept.size).toBe(4);
    const { overflow, queue } = made(slow(store));
    const pushed = await Promise.allSettled(upTo(5).map((id) => queue.push({ id: 100 + id })));
    expect(pushed.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'fulfilled', 'rejected', 'rejected', 'rejected'],
    ]);
    expect(pushed[2]).toMatchObject({ reason: { code: 'ERR_SLUICE_FULL' } });
    expect(overflow.stats()).toMatchObject({ records: 6, appended: 2, full: 3 });
  });

  it('keeps what an earlier process was allowed, and takes no more than it is allowed itself', async () => {
    const store = new MemoryStore();
    const before = made(store);
    await before.overflow.opened();
    await Promise.all(upTo(8).map((id) => before.queue.push({ id }))); // 4 are in the ring
    before.queue[Symbol.dispose]();
    await before.overflow.close();
    const { overflow, queue } = made({ ...slow(store), maxRecords: 2 });
    await expect(queue.push({ id: 9 })).rejects.toMatchObject({ code: 'ERR_SLUICE_FULL' });
    await overflow.opened();
    expect(overflow.stats().records).toBe(4);
  });

  it('is closed when it is open, if it is to end before that', async () => {
    const store = new MemoryStore();
    const { overflow } = made(slow(store));
    await overflow.close();
    expect(store.isOpen).toBe(false);
    await sleep(40);
    expect(store.isOpen).toBe(false);
  });

  it('rejects a wait for room with the error that it could not be opened with', async () => {
    const failing: Store = {
      ...{ name: 'failing', maxRecords: 1, maxBytes: 1_000 },
      async open() {
        await sleep(20);
        throw new RangeError('no such store');
      },
    };
    await expect(made(failing).queue.reserve(1)).rejects.toThrow('no such store');
  });

  it('publishes what is damaged', async () => {
    const published: unknown[] = [];
    const note = (message: unknown): void => void published.push(message);
    subscribe('sluice:overflow:damaged', note);
    onTestFinished(() => void unsubscribe('sluice:overflow:damaged', note));
    const store = new MemoryStore();
    const content = { lanes: [0], lastId: 3, lost: 2, damage: 'two pages are gone' };
    const { overflow } = made(slow(store, () => ({ content })));
    await overflow.opened();
    expect(published).toEqual([{ store: 'memory', damage: 'two pages are gone', lost: 2 }]);
  });
});

describe('An overflow that ends', () => {
  it('closes its store when the append that runs is finished', async () => {
    const store = new MemoryStore();
    const { opened: gate, open } = latch();
    store.gate = gate;
    const { overflow, queue } = made(store);
    await overflow.opened();
    const pushed = upTo(6).map((id) => queue.push({ id }));
    await turns();
    const closed = overflow.close();
    await turns();
    expect(store.isOpen).toBe(true);
    open();
    await Promise.all([...pushed, closed]);
    expect(store.isOpen).toBe(false);
    expect(store.kept.size).toBe(2);
  });

  it('closes its store when what it takes from there has come', async () => {
    const store = new MemoryStore();
    const { opened: gate, open } = latch();
    const slowTake = slow(store, (opened) => ({
      async take(...which) {
        await gate;
        return await opened.take(...which);
      },
    }));
    const { overflow, queue } = made(slowTake);
    await queue.push({ id: 1 });
    await turns();
    const closed = overflow.close();
    await turns();
    expect(store.isOpen).toBe(true);
    open();
    await closed;
    expect(store.isOpen).toBe(false);
  });

  it('closes its store when what was consumed is removed', async () => {
    const store = new MemoryStore();
    const { opened: gate, open } = latch();
    const slowRemoval = slow(store, (opened) => ({
      async remove(...which) {
        await gate;
        await opened.remove(...which);
      },
    }));
    const { overflow, queue } = made(slowRemoval);
    await queue.push({ id: 1 });
    while (queue.tryPop() === undefined) await setImmediate();
    const closed = overflow.close();
    await turns();
    expect(store.isOpen).toBe(true);
    open();
    await closed;
    expect(store.kept.size).toBe(0);
  });

  it('rejects a wait for room in the ring', async () => {
    const { overflow, queue } = made(slow(new MemoryStore()));
    await Promise.all(upTo(8).map((id) => queue.push({ id })));
    const waits = expect(queue.reserve(1)).rejects.toMatchObject({ code: 'ERR_SLUICE_CLOSED' });
    await overflow.close();
    await waits;
  });

  it('is emptied when the only append has failed', async () => {
    const store = new MemoryStore();
    const { opened: gate, open } = latch();
    store.gate = gate;
    const { overflow, queue } = made(slow(store));
    const pushed = expect(queue.push({ id: 1 })).rejects.toMatchObject({ code: 'ERR_SLUICE_STORE_FAILED' });
    await overflow.opened();
    const emptied = overflow.emptied();
    await turns();
    store.failing = 'append';
    open();
    await pushed;
    await emptied;
  });
});
