import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Gate, type GateOptions, type Hold, Limiter, ManualClock, Queue, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { run } from '../program.js';
import { fields, Order, order } from './order.js';

type Placed = ReturnType<typeof order>;

/** Makes a gate over `stock` with a new queue, as a process does when it starts. */
function gateOver(
  stock: Stock,
  clock: ManualClock,
  options: Partial<GateOptions<Placed>> = {},
  capacity = 10,
) {
  const queue = Queue.create(Order, { capacity, clock });
  return { queue, gate: Gate.create<Placed>({ queue, stock, fields, ...options }) };
}

/**
 * In a sale, orders 1 to 3 are queued, 4 is sold, and 5 cancelled. Returns what a process has that restores the sale's
 * snapshot, `downMs` later: the stock, its clock, and a gate with an empty queue.
 */
async function restarted(
  options: Partial<GateOptions<Placed>> = {},
  { downMs = 0, capacity = 10, quantity = 4 } = {},
) {
  const clock = new ManualClock(1_000);
  const stock = Stock.create({ items: [{ sku: 1, quantity, perUser: 5 }], clock });
  const before = gateOver(stock, clock);
  for (const id of [4, 5]) before.gate.admit(order(id));
  await handleAll(before.gate, 2, ({ id }) => {
    if (id === 5n) throw new Error('declined');
  });
  const first = [1, 2, 3].map((id) => before.gate.admit(order(id)) as { reservation: bigint });
  clock.advance(20_000);
  const bytes = stock.snapshot();
  const time = new ManualClock(5);
  const restored = Stock.restore(bytes, { clock: time });
  time.advance(downMs);
  const after = gateOver(restored, time, options, capacity);
  return { ...after, stock: restored, clock: time, first };
}

async function handleAll(
  gate: Gate<Placed>,
  count: number,
  act: (order: Placed, hold: Hold) => unknown = () => {},
): Promise<Array<{ id: bigint; reservation: bigint | undefined }>> {
  const abort = new AbortController();
  const seen: Array<{ id: bigint; reservation: bigint | undefined }> = [];
  const consumed = gate.consume(
    (one, hold) => {
      seen.push({ id: one.id, reservation: hold.reservation });
      if (seen.length === count) abort.abort('done');
      return act(one, hold);
    },
    { signal: abort.signal },
  );
  await expect(consumed).rejects.toBe('done');
  return seen;
}

describe('after a restart', () => {
  it.each([
    ['sold out', 4],
    ['units are left', 9],
  ])('a held order is queued again once, under its reservation, and sold once: %s', async (_, quantity) => {
    const { gate, queue, stock, first } = await restarted({}, { quantity });
    const total = { total: quantity, available: quantity - 4 };
    expect(queue.depth).toBe(0);
    for (const [i, id] of [1, 2, 3].entries()) {
      const { reservation } = first[i] as { reservation: bigint };
      const again = { outcome: 'admitted', reservation, duplicate: true, state: 'held' };
      expect(gate.admit(order(id))).toStrictEqual({ ...again, requeued: true });
      expect(gate.admit(order(id))).toStrictEqual(again);
    }
    expect(queue.depth).toBe(3);
    expect(stock.counts(1)).toEqual({ ...total, reserved: 3, sold: 1 });
    expect(gate.stats()).toMatchObject({ admitted: 0, requeued: 3, duplicates: 3 });
    expect(await handleAll(gate, 3)).toEqual(
      first.map(({ reservation }, i) => ({ id: BigInt(i + 1), reservation })),
    );
    expect(stock.counts(1)).toEqual({ ...total, reserved: 0, sold: 4 });
    expect(gate.admit(order(1))).toMatchObject({ duplicate: true, state: 'confirmed' });
    stock.audit();
  });

  it('orders that were sold or had ended stay so, and a new order is a new one', async () => {
    const { gate, queue } = await restarted();
    expect(gate.admit(order(4))).toMatchObject({ outcome: 'admitted', duplicate: true, state: 'confirmed' });
    expect(gate.admit(order(5))).toMatchObject({ outcome: 'already-ended', state: 'cancelled' });
    expect(gate.admit(order(6))).toEqual({ outcome: 'sold-out' });
    expect(queue.depth).toBe(0);
  });

  it('a hold that ran out meanwhile has ended, and its units are on sale', async () => {
    const { gate, stock, queue } = await restarted({}, { downMs: 10_000 });
    expect(gate.admit(order(1))).toMatchObject({ outcome: 'already-ended', state: 'expired' });
    stock.expire();
    expect(gate.admit(order(2))).toMatchObject({ outcome: 'already-ended', state: 'expired' });
    expect(gate.admit(order(7))).toMatchObject({ outcome: 'admitted', duplicate: false });
    expect([queue.depth, stock.counts(1).available]).toEqual([1, 2]);
  });

  it('an order that is queued again is held for as long as a new order', async () => {
    const { gate, stock, clock, first } = await restarted();
    gate.admit(order(1));
    gate.admit(order(2), { holdMs: 15_000 });
    clock.advance(14_999);
    expect(stock.expire()).toBe(1); // order 3
    clock.advance(1);
    expect(stock.expire()).toBe(1);
    expect(stock.confirm(first[0]?.reservation as bigint)).toBe('confirmed');
  });

  it('while the queue is full an order is refused, not answered as a duplicate', async () => {
    const { gate, queue, stock } = await restarted({}, { capacity: 2 });
    expect([1, 2, 3, 1].map((id) => gate.admit(order(id)).outcome)).toEqual([
      'admitted',
      'admitted',
      'queue-full',
      'admitted',
    ]);
    expect(queue.stats()).toMatchObject({ depth: 2, rejected: 1 });
    queue.tryPop();
    expect(gate.admit(order(3))).toMatchObject({ outcome: 'admitted', requeued: true });
    expect(stock.counts(1).reserved).toBe(3);
  });

  it('the limiter is charged once for each order that is queued again, and may refuse', async () => {
    const clock = new ManualClock(5);
    const bytes = (await restarted()).stock.snapshot();
    const stock = Stock.restore(bytes, { clock });
    const limiter = Limiter.create({ queueDepth: { max: 2 }, clock });
    const { gate, queue } = gateOver(stock, clock, { limiter });
    expect([1, 1, 2, 3, 2].map((id) => gate.admit(order(id)).outcome)).toEqual([
      'admitted',
      'admitted',
      'admitted',
      'rate-limited',
      'admitted',
    ]);
    expect([limiter.stats().inFlight, queue.depth]).toEqual([2, 2]);
    await handleAll(gate, 2);
    expect(limiter.stats().inFlight).toBe(0);
    expect(gate.admit(order(3))).toMatchObject({ requeued: true });
  });

  it('an order of several items is queued again as it was, and only as that', async () => {
    const clock = new ManualClock();
    const items = [
      { sku: 1, quantity: 5 },
      { sku: 2, quantity: 5 },
    ];
    const lines = [
      { sku: 1, quantity: 2 },
      { sku: 2, quantity: 5 },
    ];
    const before = Stock.create({ items, clock });
    const held = gateOver(before, clock).gate.admit(order(1), { lines });
    const stock = Stock.restore(before.snapshot(), { clock });
    const { gate } = gateOver(stock, clock);
    expect(gate.admit(order(1), { lines: lines.slice(1) })).toEqual({ outcome: 'id-mismatch' });
    expect(gate.admit(order(1), { lines })).toStrictEqual({ ...held, duplicate: true, requeued: true });
    await handleAll(gate, 1);
    expect([stock.counts(1).sold, stock.counts(2).sold]).toEqual([2, 5]);
  });

  it('an order is in no queue again once the ledger is restored again, also if it was queued meanwhile', async () => {
    const { stock, gate } = await restarted();
    gate.admit(order(1));
    const clock = new ManualClock();
    for (let restart = 0; restart < 2; restart++) {
      const again = Stock.restore(stock.snapshot(), { clock });
      const { gate: next } = gateOver(again, clock);
      expect(next.admit(order(1))).toMatchObject({ requeued: true });
      expect(next.admit(order(2))).toMatchObject({ requeued: true });
    }
  });

  it('a reservation that was made directly is no order of a gate', async () => {
    const clock = new ManualClock();
    const before = Stock.create({ items: [{ sku: 1, quantity: 5 }], clock });
    before.reserve({ sku: 1, quantity: 1, user: 1, id: 1 });
    const stock = Stock.restore(before.snapshot(), { clock });
    const { gate, queue } = gateOver(stock, clock);
    expect(gate.admit(order(1))).toMatchObject({ outcome: 'reserved-directly' });
    expect(stock.reserve({ sku: 1, quantity: 1, user: 1, id: 1 })).toMatchObject({
      ok: true,
      duplicate: true,
    });
    expect(queue.depth).toBe(0);
  });

  it('another process goes on with the sale: each order is handled and sold once', async () => {
    const orders = 200;
    const queue = Queue.create(Order, { capacity: orders });
    const stock = Stock.create({ items: [{ sku: 1, quantity: orders }], holdMs: 600_000 });
    const gate = Gate.create({ queue, stock, fields });
    for (let id = 0; id < orders; id++) gate.admit(order(id));
    await handleAll(gate, 64); // two batches
    const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
    const file = join(folder, 'stock');
    writeFileSync(file, stock.snapshot());
    const ended = await run(new URL('workers/restarted.js', import.meta.url), [file, String(orders)]);
    rmSync(folder, { recursive: true });
    expect(ended.stderr).toBe('');
    expect(JSON.parse(ended.stdout)).toEqual({
      requeued: orders - 64,
      handled: Object.fromEntries(Array.from({ length: orders - 64 }, (_, i) => [i + 64, 1])),
      counts: { total: orders, available: 0, reserved: 0, sold: orders },
    });
  });
});
