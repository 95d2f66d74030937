import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { oneOf, Queue, record, u53 } from 'sluice';
import { type OpenStore, type SpillOptions, type Store, type StoredEntry, spill } from 'sluice/overflow';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryStore } from './memory-store.js';

const Row = record({ id: u53, size: oneOf('small', 'large') });
interface Row {
  id: number;
  size: 'small' | 'large';
}
const row = (id: number): Row => ({ id, size: 'large' });
const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);

type Answers = { [Name in keyof OpenStore]?: unknown };

/** A store that answers as `store`, but for what `change` returns. */
function changed(store: MemoryStore, change: (opened: OpenStore) => Answers): Store {
  const { name, maxRecords, maxBytes } = store;
  return {
    ...{ name, maxRecords, maxBytes },
    async open(format) {
      const opened = await store.open(format);
      return { ...opened, ...change(opened) } as OpenStore;
    },
  };
}

function made(options: SpillOptions<Row>) {
  const overflow = spill<Row>(options);
  const queue = Queue.create(Row, { capacity: 4, overflow });
  onTestFinished(async () => {
    queue[Symbol.dispose]();
    await overflow.close();
  });
  return { overflow, queue };
}

/** Returns a store with the rows 1 to `last`, which an earlier queue has left there. */
async function left(last: number): Promise<MemoryStore> {
  const store = new MemoryStore();
  const overflow = spill<Row>({ store });
  const queue = Queue.create(Row, { capacity: 1, overflow });
  await overflow.opened();
  await Promise.all(upTo(last + 1).map((id) => queue.push({ ...row(id - 1) }))); // 0 is in the ring
  queue[Symbol.dispose]();
  await overflow.close();
  expect(store.kept.size).toBe(last);
  return store;
}

async function take(queue: Queue<Row>, count: number): Promise<number[]> {
  const ids: number[] = [];
  for (const end = performance.now() + 10_000; ids.length < count; ) {
    if (performance.now() > end) throw new Error(`the lane stands still: ${ids}`);
    const next = queue.tryPop();
    if (next === undefined) await setImmediate();
    else ids.push(next.id);
  }
  return ids;
}

/** Collects the errors that the overflow publishes. */
function failures(): Array<{ code?: string; message: string }> {
  const errors: Array<{ code?: string; message: string }> = [];
  const note = (message: unknown): void => {
    errors.push((message as { error: Error }).error);
  };
  subscribe('sluice:overflow:failed', note);
  onTestFinished(() => void unsubscribe('sluice:overflow:failed', note));
  return errors;
}

describe('A store that a program wrote', () => {
  const content = { lanes: [0], lastId: 0, lost: 0, damage: undefined };
  it.each([
    ['no content', { content: undefined }, 'content.lanes'],
    ['no lanes', { content: { ...content, lanes: undefined } }, 'content.lanes'],
    ['too many lanes', { content: { ...content, lanes: [0, 0] } }, 'content.lanes'],
    ['a lane with NaN entries', { content: { ...content, lanes: [Number.NaN] } }, 'content.lanes'],
    ['a lane with -1 entries', { content: { ...content, lanes: [-1] } }, 'content.lanes'],
    ['a text as lastId', { content: { ...content, lastId: '7' } }, 'content.lastId'],
    ['a lastId beyond all numbers', { content: { ...content, lastId: 2 ** 50 } }, 'content.lastId'],
    ['half a lost entry', { content: { ...content, lost: 0.5 } }, 'content.lost'],
    ['no function take', { take: undefined }, 'take'],
    ['a text as close', { close: 'close' }, 'close'],
  ])('is refused with an error that names the field: %s', async (_, answers, field) => {
    const { overflow, queue } = made({ store: changed(new MemoryStore(), () => answers) });
    const refused = {
      code: 'ERR_SLUICE_STORE_FAILED',
      message: expect.stringContaining(`its ${field} must`),
    };
    await expect(overflow.opened()).rejects.toMatchObject(refused);
    await expect(queue.push(row(1))).rejects.toMatchObject(refused);
  });

  type Change = (entry: StoredEntry) => unknown;
  it.each<[string, string, Change, { damaged: number; lost: number }]>([
    [
      'too few bytes',
      'bytes',
      (one) => ({ ...one, bytes: one.bytes?.subarray(0, -1) }),
      { damaged: 1, lost: 0 },
    ],
    ['a text as bytes', 'bytes', (one) => ({ ...one, bytes: 'bytes' }), { damaged: 1, lost: 0 }],
    ['no number', 'id', (one) => ({ ...one, id: undefined }), { damaged: 0, lost: 1 }],
    ['the number before', 'id', (one) => ({ ...one, id: one.id - 1 }), { damaged: 0, lost: 1 }],
    ['half a number', 'id', (one) => ({ ...one, id: 2.5 }), { damaged: 0, lost: 1 }],
    ['a number beyond all', 'id', (one) => ({ ...one, id: 2 ** 50 }), { damaged: 0, lost: 1 }],
    [
      'a list as bytes',
      'bytes',
      (one) => ({ ...one, bytes: [...(one.bytes ?? [])] }),
      { damaged: 1, lost: 0 },
    ],
    ['no entry', 'id', () => undefined, { damaged: 0, lost: 1 }],
  ])('whose third entry has %s loses that one, and no other', async (_, field, change, counts) => {
    const errors = failures();
    const store = changed(await left(9), (opened) => ({
      take: async (lane: number, after: number, max: number) =>
        (await opened.take(lane, after, max)).map((one) => (one.id === 3 ? change(one) : one)),
    }));
    const { overflow, queue } = made({ store });
    await overflow.opened();
    expect(await take(queue, 8)).toEqual([1, 2, 4, 5, 6, 7, 8, 9]);
    expect(overflow.stats()).toMatchObject({ behind: 0, ...counts });
    expect(errors).toMatchObject([
      { code: 'ERR_SLUICE_STORE_FAILED', message: expect.stringContaining(`answer to take: ${field}`) },
    ]);
  });

  it('whose entry has the bytes of no record loses that one, and no other', async () => {
    const store = await left(9);
    for (const id of [3, 5]) store.kept.get(id)?.bytes.fill(255);
    const { overflow, queue } = made({ store });
    expect(await take(queue, 7)).toEqual([1, 2, 4, 6, 7, 8, 9]);
    expect(overflow.stats()).toMatchObject({ behind: 0, damaged: 2, lost: 0 });
    await overflow.emptied();
    expect(store.kept.size).toBe(0);
  });

  it('that answers more than it was asked for is believed no more than that', async () => {
    const store = changed(await left(9), (opened) => ({
      content: { ...opened.content, lanes: [5] },
      take: (lane: number, after: number) => opened.take(lane, after, 9),
    }));
    const { overflow, queue } = made({ store });
    expect(await take(queue, 5)).toEqual(upTo(5));
    await overflow.emptied();
    expect(overflow.stats()).toMatchObject({ records: 0, behind: 0, lost: 0, failures: 0 });
  });

  it('whose entries are damaged has said all that there is to say', async () => {
    const store = await left(3);
    store.damaged.add(2);
    const { overflow, queue } = made({ store });
    expect(await take(queue, 2)).toEqual([1, 3]);
    await overflow.emptied();
    expect(overflow.stats()).toMatchObject({ damaged: 1, failures: 0 });
  });

  it.each(['1', 0])('whose count of deliveries is %j has delivered the entry before', async (deliveries) => {
    const errors = failures();
    const store = changed(await left(2), (opened) => ({
      take: async (lane: number, after: number, max: number) =>
        (await opened.take(lane, after, max)).map((one) => ({ ...one, deliveries })),
    }));
    const again: unknown[] = [];
    const { queue } = made({ store, onRedelivered: ({ id }, count) => again.push([id, count]) });
    expect(await take(queue, 2)).toEqual([1, 2]);
    expect(again).toEqual([
      [1, 2],
      [2, 2],
    ]);
    expect(errors).toMatchObject([{ message: expect.stringContaining('answer to take: deliveries') }]);
  });

  it('that answers no list is asked again until it does', async () => {
    const errors = failures();
    let isWrong = true;
    const store = changed(await left(5), (opened) => ({
      take: async (...asked: [number, number, number]) => {
        const taken = await opened.take(...asked);
        return isWrong ? { length: 5 } : taken;
      },
    }));
    const { queue } = made({ store });
    while (errors.length < 2) await sleep(1);
    expect(errors[0]).toMatchObject({ code: 'ERR_SLUICE_STORE_FAILED' });
    isWrong = false;
    expect(await take(queue, 5)).toEqual(upTo(5));
  });
});

it('A record that onRedelivered spoils is handed out as it was stored, once, and takes no room of the ring', async () => {
  const store = await left(12);
  for (const entry of store.kept.values()) entry.deliveries = 1;
  const spoil = (order: Row): void => void Object.assign(order, { id: -1, size: 'none' });
  const { overflow, queue } = made({ store, onRedelivered: spoil });
  await overflow.opened();
  expect(await take(queue, 12)).toEqual(upTo(12));
  await overflow.emptied();
  expect([1, 2, 3, 4].every((id) => queue.tryPush(row(id)))).toBe(true); // the whole ring is free
  expect(overflow.stats()).toMatchObject({ redelivered: 12, damaged: 0, failures: 0 });
});

it('A record for which onRedelivered throws is shown again, with the same count', async () => {
  const store = await left(2);
  for (const entry of store.kept.values()) entry.deliveries = 1;
  const counts: number[] = [];
  const onRedelivered = (_: Row, deliveries: number): void => {
    if (counts.push(deliveries) === 1) throw new Error('not now');
  };
  const { queue } = made({ store, onRedelivered });
  expect(await take(queue, 2)).toEqual([1, 2]);
  expect(counts).toEqual([2, 2, 2]);
});
