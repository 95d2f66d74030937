import { ManualClock, Stock, type StockOptions } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { replay, seed } from '../seed.js';
import { expectError, thrown } from '../thrown.js';
import { WorkerThread, withThreads } from '../worker-thread.js';
import { reserved } from './reserved.js';

function ledger(options: Partial<StockOptions> = {}) {
  const clock = new ManualClock();
  const items = [
    { sku: 1, quantity: 10 },
    { sku: 2, quantity: 5, perUser: 3 },
    { sku: 'blue shirt', quantity: 1 },
  ];
  return { clock, stock: Stock.create({ items, clock, ...options }) };
}
const available = (stock: Stock) => [1, 2, 'blue shirt'].map((sku) => stock.counts(sku).available);

describe('a cart', () => {
  const lines = [
    { sku: 1, quantity: 2 },
    { sku: 2, quantity: 1 },
    { sku: 'blue shirt', quantity: 1 },
  ];

  it.each(['confirm', 'cancel', 'expire'] as const)('is one reservation of all its lines: %s', (end) => {
    const { stock, clock } = ledger();
    const cart = reserved(stock.reserveAll(lines, { user: 'Ann' }));
    expect(available(stock)).toEqual([8, 4, 0]);
    if (end === 'expire') clock.advance(30_000);
    expect(end === 'expire' ? stock.expire() : stock[end](cart)).toBe(
      { confirm: 'confirmed', cancel: 'cancelled', expire: 1 }[end],
    );
    expect(available(stock)).toEqual(end === 'confirm' ? [8, 4, 0] : [10, 5, 1]);
    expect([1, 2, 'blue shirt'].map((sku) => stock.counts(sku).reserved)).toEqual([0, 0, 0]);
    const late = { confirm: 'already-confirmed', cancel: 'already-cancelled', expire: 'expired' }[end];
    expect([stock.confirm(cart), stock.cancel(cart), stock.extend(cart, 5)]).toEqual([late, late, late]);
    stock.audit();
  });

  it.each([
    [{ sku: 'blue shirt', quantity: 2 }, 'sold-out', 'blue shirt'],
    [{ sku: 2, quantity: 4 }, 'user-limit', 2],
    [{ sku: 77, quantity: 1 }, 'unknown-sku', 77],
  ] as const)('is refused as a whole, and the answer names the item: %o', (line, reason, sku) => {
    const { stock } = ledger();
    for (const cart of [[{ sku: 1, quantity: 2 }, line], [line, { sku: 1, quantity: 2 }], [line]]) {
      expect(stock.reserveAll(cart, { user: 1 })).toEqual({ ok: false, reason, sku });
      expect(available(stock)).toEqual([10, 5, 1]);
    }
    expect(reserved(stock.reserve({ sku: 2, quantity: 3, user: 1 }))).toBeGreaterThan(0n);
    stock.audit();
  });

  it('has the lines that its array had at the call; an array with an impossible length is refused', () => {
    const { stock } = ledger();
    const growing: Array<{ sku: number; quantity: number }> = [];
    for (let sku = 100; sku < 160; sku++) {
      growing.push({
        get sku() {
          if (growing.length < 1_000)
            growing.push({ sku: 1, quantity: 1 }, { sku: growing.length, quantity: 1 });
          return sku;
        },
        quantity: 1,
      });
    }
    for (let sku = 100; sku < 160; sku++) stock.addItem({ sku, quantity: 1 });
    reserved(stock.reserveAll(growing));
    expect(growing.length).toBeGreaterThan(64);
    expect([stock.counts(1).reserved, stock.counts(159).reserved]).toEqual([0, 1]);
    for (const length of [Number.NaN, -1, 'one', undefined, 65, Infinity]) {
      const get = (target: object[], key: string) => (key === 'length' ? length : Reflect.get(target, key));
      const lying = new Proxy([{ sku: 1, quantity: 1 }], { get: mistyped(get) });
      expectError(
        thrown(() => stock.reserveAll(lying)),
        'ERR_SLUICE_OPTION',
        RangeError,
      );
    }
    expect(stock.stats()).toMatchObject({ reserved: 1 });
    stock.audit();
  });

  it('adds up the lines of one item, and so cannot pass a limit in two halves', () => {
    const { stock } = ledger();
    const twice = (sku: number | string, quantity: number) => [
      { sku, quantity },
      { sku, quantity },
    ];
    expect(stock.reserveAll(twice(1, 6))).toEqual({ ok: false, reason: 'sold-out', sku: 1 });
    expect(stock.reserveAll(twice(2, 2), { user: 1 })).toMatchObject({ reason: 'user-limit' });
    expect(stock.reserveAll(twice('blue shirt', 1))).toMatchObject({ reason: 'sold-out' });
    const five = reserved(stock.reserveAll([...twice(1, 1), ...twice(1, 1), { sku: 1, quantity: 1 }]));
    expect(stock.counts(1).reserved).toBe(5);
    // Such a cart is a reservation of one item, so a part of it can be confirmed by a quantity alone.
    expect(stock.confirm(five, { quantity: 3 })).toBe('confirmed');
    expect(stock.counts(1)).toEqual({ total: 10, available: 7, reserved: 0, sold: 3 });
    stock.audit();
  });

  it('whose lines of one item add up to more than 2^32 - 1 is refused with an error that names the line', () => {
    const { stock } = ledger();
    const most = 2 ** 32 - 1;
    const error = thrown(() =>
      stock.reserveAll([
        { sku: 1, quantity: most },
        { sku: 1, quantity: 1 },
      ]),
    );
    expectError(error, 'ERR_SLUICE_OPTION', RangeError);
    expect(error.message).toContain('lines[1]: quantity');
  });

  it('has 1 to 64 lines', () => {
    const items = Array.from({ length: 65 }, (_, sku) => ({ sku, quantity: 1 }));
    const { stock } = ledger({ items });
    expectError(
      thrown(() => stock.reserveAll([])),
      'ERR_SLUICE_OPTION',
      RangeError,
    );
    expectError(
      thrown(() => stock.reserveAll(items)),
      'ERR_SLUICE_OPTION',
      RangeError,
    );
    expectError(
      thrown(() => stock.reserveAll(mistyped('items'))),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
    stock.cancel(reserved(stock.reserveAll(items.slice(1))));
    stock.audit();
  });

  it('of several items cannot be confirmed in part by a quantity alone, and stays', () => {
    const { stock } = ledger();
    const cart = reserved(stock.reserveAll(lines, { user: 1 }));
    const error = thrown(() => stock.confirm(cart, { quantity: 1 }));
    expectError(error, 'ERR_SLUICE_OPTION', RangeError);
    expect(error.message).toContain('quantity');
    expect(stock.confirm(cart)).toBe('confirmed');
    expect(stock.confirm(cart, { quantity: 1 })).toBe('already-confirmed');
  });

  it('with an id gets the same answer again, whatever the order of its lines', () => {
    const { stock } = ledger();
    const first = stock.reserveAll(lines, { user: 1, id: 'cart-5' });
    const again = stock.reserveAll([...lines].reverse(), { user: 1, id: 'cart-5' });
    expect(again).toEqual({ ...first, duplicate: true });
    const halves = [{ sku: 1, quantity: 1 }, ...lines.slice(1), { sku: 1, quantity: 1 }];
    expect(stock.reserveAll(halves, { user: 1, id: 'cart-5' })).toEqual({ ...first, duplicate: true });
    expect(stock.reserveAll(lines.slice(1), { user: 1, id: 'cart-5' })).toEqual({
      ok: false,
      reason: 'id-mismatch',
    });
    expect(available(stock)).toEqual([8, 4, 0]);
  });

  it('needs a place of the table for each item, and gives back the places that it took if there are too few', () => {
    const { stock } = ledger({ maxReservations: 3 });
    const one = reserved(stock.reserve({ sku: 1, quantity: 1 }));
    expect(stock.reserveAll(lines, { user: 1 })).toEqual({ ok: false, reason: 'ledger-full' });
    expect(available(stock)).toEqual([9, 5, 1]);
    stock.cancel(one);
    reserved(stock.reserveAll(lines, { user: 1 }));
    stock.audit();
  });

  it('is refused if the table of users is full, and leaves no count behind', () => {
    const items = [1, 2].map((sku) => ({ sku, quantity: 10, perUser: 5 }));
    const { stock } = ledger({ items, maxUsers: 1 });
    const both = items.map(({ sku }) => ({ sku, quantity: 1 }));
    for (let i = 0; i < 3; i++) {
      expect(stock.reserveAll(both, { user: 1 })).toEqual({ ok: false, reason: 'users-full' });
    }
    reserved(stock.reserve({ sku: 2, quantity: 5, user: 1 }));
    stock.audit();
  });
});

describe('four threads with carts whose lines come in every order', () => {
  it('do not wait for each other, and leave exact totals', async () => {
    const skus = [1, 2, 3, 4, 5];
    const stock = Stock.create({
      items: skus.map((sku) => ({
        sku,
        quantity: 8,
        ...(sku % 2 && { perUser: 6 }),
        shards: sku === 2 ? 3 : 1,
      })),
      maxReservations: 64,
      holdMs: 86_400_000,
    });
    const url = new URL('./workers/carts.js', import.meta.url);
    const threads = Array.from(
      { length: 4 },
      (_, i) =>
        new WorkerThread(url, { handle: stock.handle, skus, user: i, rounds: 30_000, seed: seed + i }),
    );
    await withThreads(threads, async () => {
      const done = await Promise.all(
        threads.map((thread) => thread.message<{ sold: Record<number, number>; carts: number }>('done')),
      );
      expect(
        done.reduce((sum, { carts }) => sum + carts, 0),
        replay,
      ).toBeGreaterThan(0);
      for (const sku of skus) {
        const sold = done.reduce((sum, one) => sum + (one.sold[sku] ?? 0), 0);
        expect(stock.counts(sku), `${replay}, sku ${sku}`).toMatchObject({ reserved: 0, sold });
      }
      expect(stock.audit()).toEqual({ items: 5, held: 0 });
      stock[Symbol.dispose]();
    });
  });
});
