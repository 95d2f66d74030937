import { ManualClock, Stock, type StockOptions } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { reserved } from './reserved.js';

const items = [
  { sku: 1, quantity: 10, perUser: 6 },
  { sku: 'two', quantity: 8 },
];

function ledger(options: Partial<StockOptions> = {}) {
  const clock = new ManualClock();
  const stock = Stock.create({ items, clock, ...options });
  const cart = () =>
    reserved(
      stock.reserveAll(
        [
          { sku: 1, quantity: 2 },
          { sku: 'two', quantity: 3 },
        ],
        { user: 'anna', id: 'order-1' },
      ),
    );
  return { clock, stock, cart };
}

describe('the quantity of a held reservation', () => {
  it('counts for its user again after it was 0, even if another user has the place of that count by now', () => {
    // There is room for two counts: bob's takes the place that anna's count of item 1 has left.
    const { stock, cart } = ledger({ maxUsers: 2 });
    const id = cart();
    expect(stock.change(id, { lines: [{ sku: 1, quantity: 0 }] })).toBe('changed');
    reserved(stock.reserve({ sku: 1, quantity: 6, user: 'bob' }));
    expect(stock.change(id, { lines: [{ sku: 1, quantity: 2 }] })).toBe('changed');
    expect(stock.cancel(id)).toBe('cancelled');
    stock.audit();
    expect(stock.reserve({ sku: 1, quantity: 1, user: 'bob' })).toMatchObject({ reason: 'user-limit' });
  });

  it('goes up and down; bigint, deadline and the answer to the id stay', () => {
    const { clock, stock } = ledger();
    const request = { sku: 1, quantity: 2, user: 'anna', id: 'order-1' };
    const id = reserved(stock.reserve(request));
    clock.advance(10_000);
    expect(stock.change(id, { quantity: 5 })).toBe('changed');
    expect(stock.counts(1)).toEqual({ total: 10, available: 5, reserved: 5, sold: 0 });
    expect(stock.reserve({ sku: 1, quantity: 2, user: 'anna' })).toMatchObject({ reason: 'user-limit' });
    expect(stock.change(String(id), { quantity: 1 })).toBe('changed');
    expect(stock.counts(1)).toEqual({ total: 10, available: 9, reserved: 1, sold: 0 });
    expect(stock.change(id, { quantity: 1 })).toBe('changed');
    const found = { reservation: id, state: 'held', expiresInMs: 20_000, lines: [{ quantity: 1 }] };
    expect(stock.find({ id: 'order-1' })).toMatchObject(found);
    expect(stock.reserve(request)).toMatchObject({ ok: true, duplicate: true, reservation: id });
    expect(stock.reserve({ ...request, quantity: 1 })).toMatchObject({ reason: 'id-mismatch' });
    expect(stock.reserve({ sku: 1, quantity: 5, user: 'anna' })).toMatchObject({ ok: true });
    expect(stock.stats()).toMatchObject({ reserved: 2, changed: 3, cancelled: 0 });
    expect(stock.audit()).toEqual({ items: 2, held: 2 });
    clock.advance(20_000);
    expect(stock.change(id, { quantity: 2 })).toBe('expired');
    expect(stock.counts(1)).toEqual({ total: 10, available: 5, reserved: 5, sold: 0 });
  });

  it('changes by line: items that are not named stay, 0 takes an item out, and it can come back', () => {
    const { stock, cart } = ledger();
    const id = cart();
    const lines = [
      { sku: 1, quantity: 0 },
      { sku: 'two', quantity: 4 },
      { sku: 'two', quantity: 1 },
    ];
    expect(stock.change(id, { lines })).toBe('changed');
    expect(stock.counts(1)).toMatchObject({ available: 10, reserved: 0 });
    expect(stock.counts('two')).toMatchObject({ available: 3, reserved: 5 });
    expect(stock.change(id, { lines: [{ sku: 1, quantity: 6 }] })).toBe('changed');
    expect(stock.counts(1)).toMatchObject({ available: 4, reserved: 6 });
    expect(stock.confirm(id)).toBe('confirmed');
    expect(stock.change(id, { lines })).toBe('already-confirmed');
    expect(stock.counts('two')).toEqual({ total: 8, available: 3, reserved: 0, sold: 5 });
    expect(stock.return(id)).toBe('returned');
    expect(stock.audit()).toEqual({ items: 2, held: 0 });
  });

  it('is what a confirmed part has left', () => {
    const { stock, cart } = ledger();
    const id = cart();
    stock.confirm(id, { lines: [{ sku: 1, quantity: 1 }], rest: 'hold' });
    expect(stock.change(id, { lines: [{ sku: 1, quantity: 6 }] })).toBe('user-limit');
    expect(stock.change(id, { lines: [{ sku: 1, quantity: 5 }] })).toBe('changed');
    expect(stock.counts(1)).toEqual({ total: 10, available: 4, reserved: 5, sold: 1 });
    stock.cancel(id);
    expect(stock.change(id, { lines: [{ sku: 1, quantity: 5 }] })).toBe('already-cancelled');
    expect(stock.counts(1)).toEqual({ total: 10, available: 9, reserved: 0, sold: 1 });
    stock.audit();
  });

  it('stays as it was if there are not enough units, and the answer gives the reason', () => {
    const { stock, cart } = ledger({ maxReservations: 4, groups: [{ name: 'g', perUser: 3 }] });
    stock.addItem({ sku: 'grouped', quantity: 9, group: 'g' });
    const id = cart();
    const now = () => [stock.counts(1), stock.counts('two'), stock.find({ reservation: id })];
    const was = now();
    const refuses = (sku: number | string, quantity: number, reason: string) => {
      const lines = [
        { sku: sku === 1 ? 'two' : 1, quantity: 4 },
        { sku, quantity },
      ];
      expect(stock.change(id, { lines })).toBe(reason);
      expect(now()).toEqual(was);
      stock.audit();
    };
    refuses(1, 7, 'user-limit');
    refuses('two', 9, 'sold-out');
    stock.closeItem('two');
    refuses('two', 4, 'item-closed');
    expect(stock.change(id, { lines: [{ sku: 'two', quantity: 2 }] })).toBe('changed');
    stock.reopenItem('two');
    expect(stock.change(id, { lines: [{ sku: 'two', quantity: 3 }] })).toBe('changed');
    const other = reserved(stock.reserve({ sku: 'grouped', quantity: 2, user: 7 }));
    expect(stock.change(other, { quantity: 4 })).toBe('user-limit');
    refuses('two', 4, 'ledger-full');
    expect(stock.change(id, { lines: [{ sku: 'two', quantity: 4 }] })).toBe('changed');
  });

  it('without a user does not go up once the item has a limit', () => {
    const { stock } = ledger();
    const id = reserved(stock.reserve({ sku: 'two', quantity: 2 }));
    stock.changeItem('two', { perUser: 5 });
    expect(stock.change(id, { quantity: 3 })).toBe('user-limit');
    expect(stock.change(id, { quantity: 1 })).toBe('changed');
    stock.audit();
  });

  it('shows in the movements, as units reserved and cancelled', async () => {
    const { stock } = ledger();
    const id = reserved(stock.reserve({ sku: 1, quantity: 2, user: 'anna' }));
    stock.change(id, { quantity: 6 });
    stock.change(id, { quantity: 1 });
    const told = [];
    for await (const movement of stock.movements({ from: 3 })) {
      told.push(movement);
      if (told.length === 2) break;
    }
    const units = { sku: 1, timeMs: 0, user: 'anna', reservation: id };
    expect(told).toEqual([
      { ...units, kind: 'reserved', position: 3, quantity: 4 },
      { ...units, kind: 'cancelled', position: 4, quantity: 5 },
    ]);
  });

  it('is refused with an error that names the field if it is no quantity, and nothing is changed', () => {
    const { stock, cart } = ledger();
    const id = cart();
    const before = [stock.counts(1), stock.counts('two'), stock.stats()];
    const bad: ReadonlyArray<[unknown, RegExp, typeof TypeError | typeof RangeError]> = [
      [undefined, /^Stock\.change: quantity: expected a whole number/, TypeError],
      [{}, /: quantity: expected a whole number/, TypeError],
      [{ quantity: 0 }, /: quantity: expected a whole number from 1/, RangeError],
      [{ quantity: 3 }, /: quantity: expected a reservation of one item/, RangeError],
      [{ lines: [] }, /: lines: expected an array/, RangeError],
      [{ lines: [{ sku: 1, quantity: -1 }] }, /: lines\[0\]: quantity: .*from 0/, RangeError],
      [{ lines: [{ sku: 9, quantity: 1 }] }, /: lines: sku: expected an item of the reservation/, RangeError],
      [{ lines: [{ sku: 1, quantity: 1 }], quantity: 1 }, /: quantity: expected no quantity/, TypeError],
      [
        {
          lines: [
            { sku: 1, quantity: 0 },
            { sku: 'two', quantity: 0 },
          ],
        },
        /: lines: expected at least one unit/,
        RangeError,
      ],
    ];
    for (const [options, message, type] of bad) {
      const call = () => stock.change(id, mistyped(options));
      expectError(thrown(call), 'ERR_SLUICE_OPTION', type);
      expect(call).toThrow(message);
    }
    expect(() => stock.change('x', { quantity: 1 })).toThrow(/^Stock\.change: reservation/);
    expect([stock.counts(1), stock.counts('two'), stock.stats()]).toEqual(before);
    expect(stock.change(0n, { quantity: 1 })).toBe('unknown');
    stock.audit();
    stock[Symbol.dispose]();
    expectError(
      thrown(() => stock.change(id, { quantity: 1 })),
      'ERR_SLUICE_DISPOSED',
      Error,
    );
  });
});
