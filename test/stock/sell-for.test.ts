import { Gate, ManualClock, Queue, record, Stock, u32 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { bootTimeMs, sellUntil as sellUntilOf } from '../../dist/stock/index.js';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { reserved } from './reserved.js';

const over = { ok: false, reason: 'sale-over' };
const most = 31_622_400_000;

/** The internal function, to which the types of `sluice` and of its compiled modules are different. */
function sellUntil(stock: Stock, sku: number, atMs: number): void {
  sellUntilOf(mistyped(stock), sku, atMs);
}

function sale(): { clock: ManualClock; stock: Stock; buy: () => unknown } {
  const clock = new ManualClock();
  const items = [
    { sku: 1, quantity: 10, sellForMs: 100 },
    { sku: 'other', quantity: 10 },
  ];
  const stock = Stock.create({ items, clock });
  return { clock, stock, buy: () => stock.reserve({ sku: 1, quantity: 1 }) };
}

describe('an item with sellForMs', () => {
  it('is sold up to the last nanosecond, and from then on refused; what is held stays held', () => {
    const { clock, stock, buy } = sale();
    clock.advance(99.999_999);
    const held = reserved(stock.reserve({ sku: 1, quantity: 2 }));
    const cart = reserved(
      stock.reserveAll([
        { sku: 'other', quantity: 1 },
        { sku: 1, quantity: 1 },
      ]),
    );
    clock.advance(0.000_001);
    const before = stock.counts('other');
    expect(buy()).toEqual(over);
    expect(
      stock.reserveAll([
        { sku: 'other', quantity: 1 },
        { sku: 1, quantity: 1 },
      ]),
    ).toEqual({ ...over, sku: 1 });
    expect(stock.counts('other')).toEqual(before);
    expect(stock.change(held, { quantity: 3 })).toBe('sale-over');
    expect(stock.change(held, { quantity: 1 })).toBe('changed');
    expect(stock.confirm(held)).toBe('confirmed');
    expect(stock.cancel(cart)).toBe('cancelled');
    expect(stock.counts(1)).toEqual({ total: 10, available: 9, reserved: 0, sold: 1 });
    expect(stock.stats().refused).toBe(2);
    stock.audit();
  });

  it('is sold again after changeItem, for so long from then on, and with null without an end', () => {
    const { clock, stock, buy } = sale();
    clock.advance(5_000);
    expect(stock.changeItem(1, { perUser: null }).ok).toBe(true);
    expect(buy()).toEqual(over);
    stock.changeItem(1, { sellForMs: 7.25 });
    clock.advance(7);
    expect(buy()).toMatchObject({ ok: true });
    clock.advance(0.25);
    expect(buy()).toEqual(over);
    stock.changeItem(1, { sellForMs: null });
    clock.advance(most);
    expect(buy()).toMatchObject({ ok: true });
    expect(stock.addItem({ sku: 3, quantity: 1, sellForMs: most })).toBe('added');
    clock.advance(most);
    expect(stock.reserve({ sku: 3, quantity: 1 })).toEqual(over);
  });

  it('does not make a refusal final for an id, and a repetition gets its reservation', () => {
    const { clock, stock } = sale();
    const ask = (id: string): unknown => stock.reserve({ sku: 1, quantity: 1, id });
    expect(ask('a')).toMatchObject({ ok: true, duplicate: false });
    clock.advance(100);
    expect(ask('a')).toMatchObject({ ok: true, duplicate: true });
    expect(ask('b')).toEqual(over);
    stock.changeItem(1, { sellForMs: 1 });
    expect(ask('b')).toMatchObject({ ok: true, duplicate: false });
  });

  it('has in a restored ledger the time that was left, whatever its clock shows', () => {
    const { clock, stock, buy } = sale();
    clock.advance(60);
    const bytes = stock.snapshot();
    clock.advance(40);
    expect(buy()).toEqual(over);
    const late = stock.snapshot();
    for (const startMs of [0, 1e9]) {
      const then = new ManualClock(startMs);
      const restored = Stock.restore(bytes, { clock: then });
      then.advance(39);
      expect(restored.reserve({ sku: 1, quantity: 1 })).toMatchObject({ ok: true });
      then.advance(1);
      expect(restored.reserve({ sku: 1, quantity: 1 })).toEqual(over);
      expect(restored.reserve({ sku: 'other', quantity: 1 })).toMatchObject({ ok: true });
      const ended = Stock.restore(late, { clock: new ManualClock(startMs) });
      expect(ended.reserve({ sku: 1, quantity: 1 })).toEqual(over);
    }
  });

  it('is refused by a gate before anything is charged or queued', () => {
    const clock = new ManualClock();
    const Order = record({ sku: u32, quantity: u32 });
    const queue = Queue.create(Order, { capacity: 8, clock });
    const stock = Stock.create({
      items: [
        { sku: 1, quantity: 5, sellForMs: 10 },
        { sku: 2, quantity: 5 },
      ],
      clock,
    });
    const gate = Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity' } });
    const order = { sku: 1, quantity: 1 };
    expect(gate.admit(order).outcome).toBe('admitted');
    clock.advance(10);
    expect(gate.admit(order)).toEqual({ outcome: 'sale-over' });
    const lines = [{ sku: 2, quantity: 1 }, order];
    expect(gate.admit(order, { lines })).toEqual({ outcome: 'sale-over', sku: 1 });
    expect(queue.depth).toBe(1);
    expect(stock.counts(2).available).toBe(5);
    expect(gate.stats()).toMatchObject({ admitted: 1, otherwiseRefused: 2 });
  });

  it.each([0, 0.5, -1, most + 1, Number.NaN, Number.POSITIVE_INFINITY, '1', 1n, null])(
    'has a time of 1 to 31,622,400,000 ms, not %s',
    (sellForMs) => {
      const item = { sku: 9, quantity: 1, sellForMs: mistyped(sellForMs) };
      const { stock, buy } = sale();
      const calls = [
        () => Stock.create({ items: [item] }),
        () => stock.addItem(item),
        ...(sellForMs === null ? [] : [() => stock.changeItem(1, { sellForMs: item.sellForMs })]),
      ];
      for (const call of calls) {
        const error = thrown(call);
        expectError(error, 'ERR_SLUICE_OPTION');
        expect(error.message).toContain('sellForMs');
      }
      expect(buy()).toMatchObject({ ok: true });
    },
  );
});

describe('sellUntil', () => {
  it('sets the time of the clock until which an item is sold', () => {
    const { clock, stock, buy } = sale();
    sellUntil(stock, 1, 3);
    clock.advance(2.999_999);
    expect(buy()).toMatchObject({ ok: true });
    clock.advance(0.000_001);
    expect(buy()).toEqual(over);
    sellUntil(stock, 1, Number.POSITIVE_INFINITY);
    clock.advance(1e12);
    expect(buy()).toMatchObject({ ok: true });
    sellUntil(stock, 1, 1e300);
    expect(buy()).toMatchObject({ ok: true });
  });

  it.each([0, -1, Number.NEGATIVE_INFINITY, Number.NaN])('%s stops the sale, even at time 0', (at) => {
    const { stock, buy } = sale();
    sellUntil(stock, 1, at);
    expect(buy()).toEqual(over);
  });

  it('fails if there is no such item', () => {
    expectError(
      thrown(() => sellUntil(sale().stock, 2, 1)),
      'ERR_SLUICE_OPTION',
      RangeError,
    );
  });

  it('and sellForMs go by the clock of bootTimeMs, if the ledger has no manual clock', async () => {
    const stock = Stock.create({ items: [{ sku: 1, quantity: 10, sellForMs: most }] });
    const buy = (): unknown => stock.reserve({ sku: 1, quantity: 1 });
    const before = bootTimeMs();
    expect(bootTimeMs()).toBeGreaterThanOrEqual(before);
    expect(buy()).toMatchObject({ ok: true });
    sellUntil(stock, 1, bootTimeMs());
    expect(buy()).toEqual(over);
    sellUntil(stock, 1, bootTimeMs() + 3_600_000);
    expect(buy()).toMatchObject({ ok: true });
    sellUntil(stock, 1, before);
    expect(buy()).toEqual(over);
  });
});
