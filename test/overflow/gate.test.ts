import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Gate, Limiter, Queue, record, Stock, u32, u53 } from 'sluice';
import { type SpillOptions, spill } from 'sluice/overflow';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../queue/until.js';
import { expectError, rejected, thrown } from '../thrown.js';
import { MemoryStore } from './memory-store.js';

const Order = record({ id: u53, sku: u32, quantity: u32, user: u53 });
interface Order {
  id: number;
  sku: number;
  quantity: number;
  user: number;
}
const fields = { sku: 'sku', quantity: 'quantity', user: 'user', id: 'id' } as const;
const order = (id: number): Order => ({ id, sku: 1, quantity: 1, user: id % 5 });
const upTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);
const depthMax = 1_000;

async function made(
  store: MemoryStore,
  units = 100,
  stock?: Stock,
  options: Partial<SpillOptions<Order>> = {},
) {
  const overflow = spill<Order>({ store, ...options });
  const queue = Queue.create(Order, { capacity: 4, overflow });
  const ledger =
    stock ??
    Stock.create({
      items: [{ sku: 1, quantity: units }],
      maxReservations: 1_000,
      maxUsers: 100,
      maxIds: 1_000,
    });
  const limiter = Limiter.create({ queueDepth: { max: depthMax } });
  const gate = Gate.create({ queue, stock: ledger, limiter, fields });
  const end = async (): Promise<void> => {
    gate[Symbol.dispose]();
    queue[Symbol.dispose]();
    await overflow.close();
  };
  onTestFinished(end);
  await overflow.opened();
  return { gate, queue, stock: ledger, limiter, overflow, end };
}

/** How many orders are in flight, as the limiter's depth tier counts them. */
const inFlight = (limiter: Limiter): number => depthMax - limiter.peek().remaining;

describe('A gate over a queue that spills', { timeout: 30_000 }, () => {
  it('reserves and stores orders beyond the ring, and confirms each once, in order', async () => {
    const store = new MemoryStore();
    const { gate, queue, stock, limiter, overflow } = await made(store);
    const admissions = await Promise.all(upTo(40).map((id) => gate.admitDurably(order(id))));
    expect(admissions.every(({ outcome }) => outcome === 'admitted')).toBe(true);
    expect(admissions.filter((answer) => 'stored' in answer && answer.stored).length).toBe(36);
    expect(stock.counts(1)).toMatchObject({ available: 60, reserved: 40 });
    expect(gate.admit(order(41))).toEqual({ outcome: 'queue-full' });
    const handled: number[] = [];
    const consumed = gate.consume(async ({ id }, hold) => {
      expect(hold.reservation).toBe((admissions[id - 1] as { reservation: bigint }).reservation);
      handled.push(id);
    });
    await overflow.emptied();
    expect(handled).toEqual(upTo(40));
    expect(stock.counts(1)).toMatchObject({ available: 60, reserved: 0, sold: 40 });
    expect(inFlight(limiter)).toBe(0);
    expect(gate.admit(order(42)).outcome).toBe('admitted');
    queue.close();
    await consumed;
    stock.audit();
  });

  it('gives the units and the place back if the store cannot keep the order', async () => {
    const store = new MemoryStore();
    const { gate, stock, limiter } = await made(store);
    await Promise.all(upTo(4).map((id) => gate.admitDurably(order(id))));
    store.failing = 'append';
    const { code } = await rejected(gate.admitDurably(order(5)));
    expect(code).toBe('ERR_SLUICE_STORE_FAILED');
    expect(stock.counts(1)).toMatchObject({ available: 96, reserved: 4 });
    expect(inFlight(limiter)).toBe(4);
    stock.audit();
  });

  it("answers 'queue-full' without reserving anything when the store is full", async () => {
    const { gate, stock } = await made(new MemoryStore(2));
    const answers = await Promise.all(upTo(7).map((id) => gate.admitDurably(order(id))));
    expect(answers.at(-1)).toEqual({ outcome: 'queue-full' });
    expect(stock.counts(1)).toMatchObject({ reserved: 6 });
  });

  it('answers a repeated order with the first one, and not before that one is durable', async () => {
    const store = new MemoryStore();
    const { gate } = await made(store);
    await Promise.all(upTo(4).map((id) => gate.admitDurably(order(id))));
    store.failing = 'append';
    const [first, second] = await Promise.allSettled([
      gate.admitDurably(order(5)),
      gate.admitDurably(order(5)),
    ]);
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'ERR_SLUICE_STORE_FAILED' } });
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'ERR_SLUICE_STORE_FAILED' } });
    store.failing = undefined;
    const [third, fourth] = await Promise.all([gate.admitDurably(order(6)), gate.admitDurably(order(6))]);
    expect([third, fourth]).toMatchObject([
      { outcome: 'admitted', duplicate: false, stored: true },
      { outcome: 'admitted', duplicate: true },
    ]);
    expect(store.kept.size).toBe(1);
  });

  it('refuses what the stock refuses, and stores nothing of it', async () => {
    const store = new MemoryStore();
    const { gate } = await made(store, 6);
    const answers = await Promise.all(upTo(9).map((id) => gate.admitDurably(order(id))));
    expect(answers.map(({ outcome }) => outcome)).toEqual([
      ...Array(6).fill('admitted'),
      ...Array(3).fill('sold-out'),
    ]);
    expect(store.kept.size).toBe(2);
  });

  it('keeps an order in the store until it is decided', async () => {
    const store = new MemoryStore();
    const { gate, overflow } = await made(store);
    await Promise.all(upTo(6).map((id) => gate.admitDurably(order(id))));
    let decide: () => void = () => {};
    const stop = new AbortController();
    let taken = 0;
    const consumed = gate.consume(
      async ({ id }) => {
        taken++;
        if (id < 6) return;
        await new Promise<void>((resolve) => {
          decide = resolve;
        });
      },
      { signal: stop.signal, concurrency: 2 },
    );
    while (taken < 6 || store.kept.size > 1) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(store.kept.size).toBe(1);
    decide();
    await overflow.emptied();
    stop.abort();
    await consumed.catch(() => {});
  });

  it('answers an order as before while the store is full', async () => {
    const store = new MemoryStore(1);
    const { gate, stock, limiter } = await made(store);
    const first = await Promise.all(upTo(5).map((id) => gate.admitDurably(order(id))));
    expect(await gate.admitDurably(order(6))).toEqual({ outcome: 'queue-full' });
    const { reservation } = first[4] as { reservation: bigint };
    expect(await gate.admitDurably(order(5))).toMatchObject({ outcome: 'admitted', reservation });
    expect(stock.counts(1)).toMatchObject({ available: 95, reserved: 5 });
    expect(inFlight(limiter)).toBe(5);
    expect(await gate.admitDurably(order(6))).toEqual({ outcome: 'queue-full' });
  });

  it('admits what an earlier process has left, again, and reports what it must refuse', async () => {
    const store = new MemoryStore();
    const first = await made(store);
    await Promise.all(upTo(14).map((id) => first.gate.admitDurably(order(id))));
    await first.end();
    expect(store.kept.size).toBe(10);
    const refused: unknown[] = [];
    const listener = (message: unknown): void => void refused.push(message);
    subscribe('sluice:overflow:refused', listener);
    const { gate, overflow, stock, queue } = await made(store, 8);
    const handled: number[] = [];
    const deliveries = new Set<number>();
    const consumed = gate.consume(async ({ id }, hold) => {
      handled.push(id);
      deliveries.add(hold.deliveries);
    });
    await overflow.emptied();
    unsubscribe('sluice:overflow:refused', listener);
    expect(handled).toEqual(upTo(12, 5));
    expect(deliveries).toEqual(new Set([2])); // the first process had taken them all from the store
    expect(refused).toMatchObject([
      { store: 'memory', order: { id: 13 }, outcome: 'sold-out' },
      { store: 'memory', order: { id: 14 }, outcome: 'sold-out' },
    ]);
    expect(overflow.stats().refusedOrders).toBe(2);
    expect(stock.counts(1)).toMatchObject({ sold: 8, available: 0 });
    queue.close();
    await consumed;
  });

  it('does not hand out again what a restored stock has confirmed', async () => {
    const store = new MemoryStore();
    const first = await made(store);
    await Promise.all(upTo(8).map((id) => first.gate.admitDurably(order(id))));
    const found = first.stock.find({ id: 6 });
    first.stock.confirm(found?.reservation as bigint);
    const snapshot = first.stock.snapshot();
    await first.end();
    const { gate, overflow, queue, stock } = await made(store, 0, Stock.restore(snapshot));
    const handled: number[] = [];
    const consumed = gate.consume(async ({ id }) => void handled.push(id));
    await overflow.emptied();
    expect(handled).toEqual([5, 7, 8]);
    expect(stock.counts(1)).toMatchObject({ sold: 4 });
    queue.close();
    await consumed;
  });

  it.each([
    ['throws', () => JSON.parse('no key') as number, /JSON/],
    ['returns none', () => undefined as unknown as number, /^spill: keyOf: expected a key/],
  ])('leaves an order in the store whose keyOf %s, and hands out the others', async (_, noKey, why) => {
    const store = new MemoryStore();
    const first = await made(store);
    for (const id of upTo(8)) await first.gate.admitDurably(order(id));
    await first.end();
    const stored = upTo(8, 5);
    const reports: unknown[] = [];
    const listener = (report: unknown): void => void reports.push(report);
    subscribe('sluice:overflow:refused', listener);
    const overflow = spill<Order>({ store, keyOf: ({ id }) => (id === 6 ? noKey() : id) });
    const queue = Queue.create(Order, { capacity: 4, overflow });
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1_000, burst: 100 },
      keys: { max: 16 },
      queueDepth: { max: depthMax },
    });
    const stock = Stock.create({ items: [{ sku: 1, quantity: 100 }] });
    const gate = Gate.create({ queue, stock, limiter, fields });
    await overflow.opened();
    const handled: number[] = [];
    const consumed = gate.consume(({ id }) => void handled.push(id));
    await until(() => handled.length === stored.length - 1 && store.kept.size === 1);
    unsubscribe('sluice:overflow:refused', listener);
    expect(handled).toEqual([5, 7, 8]);
    expect(reports).toMatchObject([{ order: { id: 6 }, error: { message: expect.stringMatching(why) } }]);
    expect(overflow.stats()).toMatchObject({ refusedOrders: 1, failures: 0, behind: 0 });
    queue.close();
    await consumed;
    gate[Symbol.dispose]();
    queue[Symbol.dispose]();
    await overflow.close();
  });

  it('needs an overflow, and keyOf if its limiter has keys', async () => {
    const plain = Queue.create(Order, { capacity: 4 });
    const gate = Gate.create({ queue: plain });
    expectError(await rejected(gate.admitDurably(order(1))), 'ERR_SLUICE_OPTION');
    const keyed = Limiter.create({ tokenBucket: { ratePerSecond: 1, burst: 1 }, keys: { max: 16 } });
    const spilling = (keyOf?: (given: Order) => number) =>
      Queue.create(Order, {
        capacity: 4,
        overflow: spill<Order>({ store: new MemoryStore(), ...(keyOf && { keyOf }) }),
      });
    expectError(
      thrown(() => Gate.create({ queue: spilling(), limiter: keyed })),
      'ERR_SLUICE_OPTION',
    );
    expect(() => Gate.create({ queue: spilling(({ user }) => user), limiter: keyed })).not.toThrow();
  });
});
