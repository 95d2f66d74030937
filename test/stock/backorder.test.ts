import { Gate, ManualClock, Queue, record, Stock, type StockItem, type StockOptions, u32 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { seed } from '../seed.js';
import { expectError, thrown } from '../thrown.js';
import { WorkerThread, withThreads } from '../worker-thread.js';
import { reserved } from './reserved.js';

const most = 2 ** 32 - 1;

function ledger(item: Partial<StockItem>, options: Partial<StockOptions> = {}): Stock {
  return Stock.create({ items: [{ sku: 1, quantity: 10, ...item }], clock: new ManualClock(), ...options });
}

describe.each([1, 3])('a backorder cap, %i shards', (shards) => {
  it('lets units be reserved beyond the total, and new units cover these first', () => {
    const stock = ledger({ backorder: 5, shards });
    expect(stock.counts(1)).toEqual({
      total: 10,
      available: 10,
      reserved: 0,
      sold: 0,
      backorder: 5,
      backordered: 0,
    });
    const first = reserved(stock.reserve({ sku: 1, quantity: 9 }));
    const second = reserved(stock.reserveAll([{ sku: 1, quantity: 4 }]));
    expect(stock.counts(1)).toMatchObject({ available: 0, reserved: 13, backordered: 3 });
    expect(stock.reserve({ sku: 1, quantity: 3 })).toEqual({ ok: false, reason: 'sold-out' });
    expect(stock.confirm(first)).toBe('confirmed');
    expect(stock.restock(1, 2)).toEqual({
      total: 12,
      available: 0,
      reserved: 4,
      sold: 9,
      backorder: 5,
      backordered: 1,
    });
    expect(stock.reserve({ sku: 1, quantity: 5 })).toMatchObject({ reason: 'sold-out' });
    expect(stock.cancel(second)).toBe('cancelled');
    expect(stock.counts(1)).toMatchObject({ available: 3, sold: 9, backordered: 0 });
    expect(stock.return(first, { quantity: 2 })).toBe('returned');
    expect(stock.counts(1)).toMatchObject({ total: 12, available: 5, sold: 7, backordered: 0 });
    expect(stock.reserve({ sku: 1, quantity: 10 }).ok).toBe(true);
    expect(stock.counts(1)).toMatchObject({ available: 0, backordered: 5 });
    stock.audit();
  });

  it('is how far the total may be below the units reserved and sold; a withdrawal takes nothing of it', () => {
    const stock = ledger({ backorder: 4, shards });
    stock.confirm(reserved(stock.reserve({ sku: 1, quantity: 7 })));
    expect(stock.withdraw(1, 100)).toBe(3);
    expect(stock.withdraw(1, 100)).toBe(0);
    expect(stock.setTotal(1, 2)).toMatchObject({ ok: false, reason: 'units-taken', counts: { total: 7 } });
    expect(stock.setTotal(1, 3)).toMatchObject({ ok: true, counts: { available: 0, backordered: 4 } });
    expect(stock.setTotal(1, 6)).toMatchObject({ ok: true, counts: { available: 0, backordered: 1 } });
    expect(stock.setTotal(1, 0, { clamp: true })).toMatchObject({ ok: true, counts: { total: 3 } });
    expect(stock.reserve({ sku: 1, quantity: 1 })).toMatchObject({ reason: 'sold-out' });
    stock.audit();
  });

  it('is changed for all threads; below the backordered units, it is refused, or with `clamp` set to their number', () => {
    const stock = ledger({ shards });
    const other = Stock.attach(stock.handle);
    expect(other.reserve({ sku: 1, quantity: 14 })).toMatchObject({ reason: 'sold-out' });
    expect(stock.changeItem(1, { backorder: 5, perUser: 20 }).ok).toBe(true);
    const held = reserved(other.reserve({ sku: 1, quantity: 14, user: 7 }));
    const before = stock.counts(1);
    expect(stock.changeItem(1, { backorder: 3, perUser: 1 })).toEqual({
      ok: false,
      reason: 'units-taken',
      counts: before,
    });
    // The refused call changed nothing, not even the limit per user.
    expect(other.reserve({ sku: 1, quantity: 1, user: 8 }).ok).toBe(true);
    expect(stock.changeItem(1, { backorder: 0 }, { clamp: true })).toMatchObject({
      ok: true,
      counts: { backorder: 5, backordered: 5 },
    });
    expect(other.reserve({ sku: 1, quantity: 1, user: 8 })).toMatchObject({ reason: 'sold-out' });
    other.cancel(held);
    expect(stock.changeItem(1, {})).toMatchObject({ ok: true, counts: { backorder: 5 } });
    expect(stock.changeItem(1, { backorder: 0 })).toEqual({
      ok: true,
      counts: { total: 10, available: 9, reserved: 1, sold: 0 },
    });
    expect(other.reserve({ sku: 1, quantity: 10, user: 8 })).toMatchObject({ reason: 'sold-out' });
    stock.audit();
  });

  it('is in a snapshot, with the backordered units', () => {
    const stock = ledger({ backorder: 5, shards });
    const held = reserved(stock.reserve({ sku: 1, quantity: 12 }));
    const restored = Stock.restore(stock.snapshot(), { clock: new ManualClock() });
    expect(restored.counts(1)).toEqual(stock.counts(1));
    for (const each of [stock, restored]) {
      expect(each.reserve({ sku: 1, quantity: 4 })).toMatchObject({ reason: 'sold-out' });
      expect(each.reserve({ sku: 1, quantity: 3 }).ok).toBe(true);
      expect(each.cancel(held)).toBe('cancelled');
      expect(each.counts(1)).toMatchObject({ available: 7, reserved: 3, backordered: 0 });
      each.audit();
    }
  });
});

describe('a backorder cap', () => {
  it.each([
    ['Stock.create: items[0]: backorder', () => ledger({ backorder: most - 9 })],
    ['Stock.addItem: backorder', () => ledger({}).addItem({ sku: 2, quantity: most, backorder: 1 })],
    ['Stock.changeItem: backorder', () => ledger({}).changeItem(1, { backorder: most - 9 })],
    ['Stock.restock: quantity', () => ledger({ backorder: most - 10 }).restock(1, 1)],
    ['Stock.setTotal: total', () => ledger({ backorder: 5 }).setTotal(1, most - 4)],
    ['Stock.setTotal: total', () => ledger({ backorder: 5 }).setTotal(1, most - 4, { clamp: true })],
    ['Stock.changeItem: sku', () => ledger({}).changeItem(2, { backorder: 1 })],
  ])('and the total together are at most 2^32 - 1: %s', (option, call) => {
    const error = thrown(call);
    expectError(error, 'ERR_SLUICE_OPTION', RangeError);
    expect(error.message).toContain(option);
  });

  it('goes up to the largest number that options allow', () => {
    const stock = ledger({ backorder: most - 10 });
    reserved(stock.reserve({ sku: 1, quantity: most }));
    expect(stock.counts(1)).toMatchObject({ reserved: most, backordered: most - 10 });
    expect(stock.setTotal(1, 9)).toMatchObject({ ok: false, reason: 'units-taken' });
    stock.audit();
  });

  it('holds through the gate, in carts too', () => {
    const clock = new ManualClock();
    const items = [
      { sku: 1, quantity: 1, backorder: 2 },
      { sku: 2, quantity: 5 },
    ];
    const stock = Stock.create({ items, clock });
    const queue = Queue.create(record({ sku: u32, quantity: u32 }), { capacity: 8, clock });
    const gate = Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity' } });
    expect(gate.admit({ sku: 1, quantity: 2 })).toMatchObject({ outcome: 'admitted' });
    const lines = [
      { sku: 2, quantity: 5 },
      { sku: 1, quantity: 2 },
    ];
    expect(gate.admit({ sku: 0, quantity: 0 }, { lines })).toMatchObject({ outcome: 'sold-out', sku: 1 });
    expect(stock.counts(2).available).toBe(5);
    expect(gate.admit({ sku: 1, quantity: 1 })).toMatchObject({ outcome: 'admitted' });
    expect(stock.counts(1)).toMatchObject({ reserved: 3, backordered: 2 });
    stock.audit();
  });

  it('is included in the default of maxUsers', () => {
    const users = 65_536 + 2;
    const stock = ledger({ quantity: users - 2, backorder: 2, perUser: 1 }, { maxReservations: users });
    for (let user = 0; user < users; user++) reserved(stock.reserve({ sku: 1, quantity: 1, user }));
    expect(stock.counts(1)).toMatchObject({ available: 0, backordered: 2 });
  });

  it('while threads sell from items whose cap and total change: every audit passes', async () => {
    const skus = [1, 2, 3];
    const clock = new ManualClock();
    const items = skus.map((sku) => ({ sku, quantity: 1_000, backorder: 500, shards: sku }));
    const stock = Stock.create({ items, maxReservations: 4_096, maxUsers: 10_000, holdMs: 10, clock });
    const url = new URL('./workers/buyer.js', import.meta.url);
    const shared = new SharedArrayBuffer(8 * 6);
    const buyers = Array.from({ length: 2 }, (_, i) => {
      const data = { handle: stock.handle, skus, users: 100, rounds: 20_000, shared, seed: seed + i };
      return new WorkerThread(url, data);
    });
    await withThreads(buyers, async () => {
      let buying = true;
      const answers = Promise.all(buyers.map((buyer) => buyer.message('bought'))).finally(() => {
        buying = false;
      });
      for (let round = 0; buying; round++) {
        const sku = skus[round % skus.length] as number;
        const { total } = stock.counts(sku);
        stock.setTotal(sku, Math.max(0, total + (round % 5) * 100 - 150), { clamp: round % 2 === 0 });
        stock.changeItem(sku, { backorder: (round % 7) * 100 }, { clamp: round % 2 === 0 });
        stock.withdraw(sku, 10);
        const counts = stock.counts(sku);
        const { available, reserved, sold, backorder = 0, backordered = 0 } = counts;
        expect(available + reserved + sold, `${seed}`).toBe(counts.total + backordered);
        expect(backordered).toBeLessThanOrEqual(backorder);
        clock.advance(1);
        stock.expire();
        stock.audit();
        await new Promise((resolve) => setImmediate(resolve));
      }
      await answers;
    });
    stock.audit();
  });
});
