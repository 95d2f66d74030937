import { setImmediate as immediate } from 'node:timers/promises';
import { Gate, type Hold, Limiter, ManualClock, Queue, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { until } from '../queue/until.js';
import { WorkerThread, withThreads } from '../worker-thread.js';
import { fields, Order, order } from './order.js';

function open(admitted: number, options: { maxInHand?: number } = {}) {
  const clock = new ManualClock(1_000);
  const queue = Queue.create(Order, { capacity: 100, clock });
  const limiter = Limiter.create({ queueDepth: { max: 100 }, clock });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 100 }], holdMs: 100, clock });
  const gate = Gate.create({ queue, limiter, stock, fields, ...options });
  for (let id = 0; id < admitted; id++) gate.admit(order(id));
  return { clock, queue, limiter, stock, gate };
}
type Open = ReturnType<typeof open>;

/** Attaches a consumer that takes all orders, decides `decided` of them, and is then disposed of. */
async function dies({ gate }: Open, decided: number): Promise<bigint[]> {
  const other = Gate.attach(Order, gate.handle);
  const handled: bigint[] = [];
  const consumed = other.consume(({ id }) => {
    if (handled.length === decided) other[Symbol.dispose]();
    else handled.push(id);
  });
  await expect(consumed).rejects.toMatchObject({ code: 'ERR_SLUICE_DISPOSED' });
  other.queue[Symbol.dispose]();
  return handled;
}

async function handleAll({ gate, queue }: Open): Promise<Array<[number, number]>> {
  const handled: Array<[number, number]> = [];
  queue.close();
  await gate.consume(({ id }, { deliveries }) => void handled.push([Number(id), deliveries]));
  return handled;
}

describe('orders that a consumer had in hand when it ended', () => {
  it('come to the next consumer before all others, in the order of their admission', async () => {
    const all = open(5);
    expect(await dies(all, 2)).toEqual([0n, 1n]);
    for (let id = 5; id < 8; id++) all.gate.admit(order(id));
    expect(all.gate.stats()).toMatchObject({ inHand: 3, redelivered: 0 });
    expect(await handleAll(all)).toEqual([
      [2, 2],
      [3, 1],
      [4, 1],
      [5, 1],
      [6, 1],
      [7, 1],
    ]);
    // The first consumer's handler had been given one of the three orders: only that one counts as redelivered.
    expect(all.gate.stats()).toMatchObject({ inHand: 0, redelivered: 1 });
    expect(all.stock.counts(1)).toMatchObject({ sold: 8, reserved: 0 });
    expect(all.limiter.stats().inFlight).toBe(0);
  });

  it('have each delivery to a handler counted, and none is lost', async () => {
    const all = open(3);
    for (let death = 0; death < 5; death++) await dies(all, 0);
    expect(all.gate.stats()).toMatchObject({ inHand: 3 });
    expect(await handleAll(all)).toEqual([
      [0, 6],
      [1, 1],
      [2, 1],
    ]);
  });

  it('come even when the queue is closed and drained meanwhile', async () => {
    const all = open(2);
    all.queue.close();
    await dies(all, 1);
    await all.queue.drained();
    expect(await handleAll(all)).toEqual([[1, 2]]);
  });

  it('go back on sale when their holds run out and no consumer is left', async () => {
    const all = open(3);
    await dies(all, 1);
    all.clock.advance(100);
    expect(all.stock.expire()).toBe(2);
    expect(all.stock.counts(1)).toMatchObject({ available: 99, sold: 1, reserved: 0 });
    // When the handlers of a later consumer confirm the orders, they get 'expired'.
    const seen: unknown[] = [];
    all.queue.close();
    await all.gate.consume((_, hold) => void seen.push(hold.confirm()));
    expect(seen).toEqual(['expired', 'expired']);
    expect(all.stock.counts(1)).toMatchObject({ available: 99, sold: 1, reserved: 0 });
    expect(all.limiter.stats().inFlight).toBe(0);
  });

  it('do not come when the handler had decided them, whatever became of the handler', async () => {
    const all = open(4);
    const other = Gate.attach(Order, all.gate.handle);
    const consumed = other.consume(
      ({ id }, hold) => {
        if (id === 0n) hold.confirm();
        if (id === 1n) hold.cancel();
        if (id === 2n) other[Symbol.dispose]();
        return immediate();
      },
      { concurrency: 4 },
    );
    await expect(consumed).rejects.toMatchObject({ code: 'ERR_SLUICE_DISPOSED' });
    other.queue[Symbol.dispose]();
    expect((await handleAll(all)).map(([id]) => id)).toEqual([2, 3]);
    expect(all.stock.counts(1)).toMatchObject({ sold: 3, reserved: 0 });
    expect(all.limiter.stats().inFlight).toBe(0);
  });

  it('come again when the handler had resolved only the reservation: the order is decided by its hold', async () => {
    const { gate, queue, stock } = open(2);
    const other = Gate.attach(Order, gate.handle);
    const consumed = other.consume(({ id }, { reservation }) => {
      if (id === 1n) return;
      stock.confirm(reservation as bigint);
      other[Symbol.dispose]();
    });
    await expect(consumed).rejects.toMatchObject({ code: 'ERR_SLUICE_DISPOSED' });
    other.queue[Symbol.dispose]();
    queue.close();
    const seen: unknown[] = [];
    await gate.consume(({ id }, hold) => void seen.push([Number(id), hold.deliveries, hold.confirm()]));
    expect(seen).toEqual([
      [0, 2, 'already-confirmed'],
      [1, 1, 'confirmed'],
    ]);
    expect(stock.counts(1)).toMatchObject({ sold: 2, reserved: 0 });
  });

  it('are not decided by a hold of the ended consumer once the next one has them', async () => {
    const all = open(1);
    const holds: Hold[] = [];
    const other = Gate.attach(Order, all.gate.handle);
    const consumed = other.consume((_, hold) => {
      holds.push(hold);
      other.queue[Symbol.dispose]();
    });
    await expect(consumed).rejects.toMatchObject({ code: 'ERR_SLUICE_DISPOSED' });
    expect(() => holds[0]?.confirm()).toThrow(/disposed/);
    all.queue.close();
    const seen: unknown[] = [];
    await all.gate.consume((_, hold) => {
      expect(() => holds[0]?.cancel()).toThrow(/disposed/);
      seen.push(hold.deliveries, hold.confirm());
    });
    expect(seen).toEqual([2, 'confirmed']);
  });

  it('lose their places in flight when the gate itself goes, and their units when their holds run out', async () => {
    const all = open(4);
    await dies(all, 1);
    all.gate.admit(order(9));
    expect(all.limiter.stats().inFlight).toBe(4);
    all.gate[Symbol.dispose]();
    expect(all.limiter.stats().inFlight).toBe(0);
    expect(all.stock.counts(1)).toMatchObject({ sold: 1, reserved: 4 });
    all.clock.advance(100);
    all.stock.expire();
    expect(all.stock.counts(1)).toMatchObject({ available: 99, sold: 1, reserved: 0 });
    all.stock.audit();
  });
});

describe('the room for orders in hand', () => {
  it('bounds what a consumer takes, and its concurrency', async () => {
    const all = open(20, { maxInHand: 3 });
    const over = all.gate.consume(() => {}, { concurrency: 4 });
    await expect(over).rejects.toThrow(/concurrency: expected a whole number from 1 to 3/);
    let most = 0;
    all.queue.close();
    await all.gate.consume(
      async () => {
        most = Math.max(most, all.gate.stats().inHand);
        await immediate();
      },
      { concurrency: 3 },
    );
    expect(most).toBe(3);
    expect(all.stock.counts(1).sold).toBe(20);
    expect(Gate.attach(Order, all.gate.handle).stats().inHand).toBe(0);
  });

  it('of one order is enough, even if consumers end', async () => {
    const all = open(5, { maxInHand: 1 });
    expect(await dies(all, 2)).toEqual([0n, 1n]);
    expect(await handleAll(all)).toEqual([
      [2, 2],
      [3, 1],
      [4, 1],
    ]);
  });
});

describe('a waiter for room in the queue', () => {
  it('is served when an order that was promised the room is refused', async () => {
    const queue = Queue.create(Order, { capacity: 1 });
    const stock = Stock.create({ items: [{ sku: 1, quantity: 100 }] });
    const gate = Gate.create({ queue, stock, fields });
    gate.admit(order(1));
    queue.tryPop();
    // The stock knows the id, so each repeated admission is promised room in the queue and gives the promise back.
    const stop = new SharedArrayBuffer(4);
    const repeats = new WorkerThread(new URL('./workers/repeater.js', import.meta.url), {
      handle: gate.handle,
      stop,
    });
    await withThreads([repeats], async () => {
      await repeats.message('ready');
      await until(() => gate.stats().duplicates > 0);
      for (let i = 0; i < 20_000; i++) {
        await queue.push(order(100 + i), { timeoutMs: 20_000 });
        expect(queue.tryPop()?.id).toBe(BigInt(100 + i));
      }
      Atomics.store(new Int32Array(stop), 0, 1);
      const { outcomes } = await repeats.message<{ outcomes: Record<string, number> }>('done');
      expect(outcomes['admitted']).toBeGreaterThan(0);
    });
    expect(queue.stats()).toMatchObject({ permits: 0, depth: 0 });
  });
});
