import { ManualClock, Stock, type StockOptions } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { reserved } from './reserved.js';

const items = [
  { sku: 1, quantity: 10, perUser: 5 },
  { sku: 'two', quantity: 8 },
];

function ledger(options: Partial<StockOptions> = {}) {
  const clock = new ManualClock();
  const stock = Stock.create({ items, clock, ...options });
  const cart = () =>
    reserved(
      stock.reserveAll(
        [
          { sku: 1, quantity: 3 },
          { sku: 'two', quantity: 4 },
        ],
        { user: 'anna' },
      ),
    );
  return { clock, stock, cart };
}

describe('a shipment in two parts', () => {
  it('is confirmed line by line, and the rest stays held', () => {
    const { stock, cart } = ledger();
    const id = cart();
    expect(stock.confirm(id, { lines: [{ sku: 'two', quantity: 1 }], rest: 'hold' })).toBe('confirmed');
    expect(stock.counts('two')).toEqual({ total: 8, available: 4, reserved: 3, sold: 1 });
    expect(stock.counts(1)).toEqual({ total: 10, available: 7, reserved: 3, sold: 0 });
    const rest = {
      lines: [
        { sku: 1, quantity: 1 },
        { sku: 'two', quantity: 3 },
        { sku: 1, quantity: 2 },
      ],
    };
    expect(stock.confirm(id, { ...rest, rest: 'hold' })).toBe('confirmed');
    expect(stock.confirm(id)).toBe('already-confirmed');
    expect(stock.counts('two')).toEqual({ total: 8, available: 4, reserved: 0, sold: 4 });
    expect(stock.counts(1)).toEqual({ total: 10, available: 7, reserved: 0, sold: 3 });
    expect(stock.stats()).toMatchObject({ confirmed: 1, parted: 1 });
    stock.audit();
  });

  it('whose rest is not to be held puts it back on sale, which is the default', () => {
    const { stock, cart } = ledger();
    const lines = [{ sku: 'two', quantity: 1 }];
    expect(stock.confirm(cart(), { lines, rest: 'release' })).toBe('confirmed');
    expect(stock.confirm(cart(), { lines })).toBe('confirmed');
    expect(stock.counts('two')).toEqual({ total: 8, available: 6, reserved: 0, sold: 2 });
    expect(stock.counts(1)).toEqual({ total: 10, available: 10, reserved: 0, sold: 0 });
    stock.audit();
  });

  it('expires for the units that were not confirmed, at the deadline that it had', () => {
    const { clock, stock, cart } = ledger();
    const id = cart();
    clock.advance(29_999);
    expect(stock.confirm(id, { lines: [{ sku: 1, quantity: 1 }], rest: 'hold' })).toBe('confirmed');
    clock.advance(1);
    expect(stock.confirm(id, { lines: [{ sku: 1, quantity: 1 }], rest: 'hold' })).toBe('expired');
    expect(stock.counts(1)).toEqual({ total: 10, available: 9, reserved: 0, sold: 1 });
    expect(stock.counts('two')).toEqual({ total: 8, available: 8, reserved: 0, sold: 0 });
    // Anna may have five units, and has bought one.
    expect(stock.reserve({ sku: 1, quantity: 5, user: 'anna' })).toMatchObject({ reason: 'user-limit' });
    expect(stock.reserve({ sku: 1, quantity: 4, user: 'anna' })).toMatchObject({ ok: true });
    stock.audit();
  });
});

describe('a part that is cancelled', () => {
  it('is on sale again, and the rest stays held, until nothing is left', () => {
    const { stock, cart } = ledger();
    const id = cart();
    expect(stock.cancel(id, { lines: [{ sku: 1, quantity: 2 }] })).toBe('cancelled');
    expect(stock.counts(1)).toEqual({ total: 10, available: 9, reserved: 1, sold: 0 });
    expect(stock.reserve({ sku: 1, quantity: 4, user: 'anna' })).toMatchObject({ ok: true });
    expect(
      stock.cancel(id, {
        lines: [
          { sku: 1, quantity: 1 },
          { sku: 'two', quantity: 4 },
        ],
      }),
    ).toBe('cancelled');
    expect(stock.cancel(id)).toBe('already-cancelled');
    const one = reserved(stock.reserve({ sku: 'two', quantity: 3 }));
    expect(stock.cancel(one, { quantity: 1 })).toBe('cancelled');
    expect(stock.confirm(one)).toBe('confirmed');
    expect(stock.counts('two')).toEqual({ total: 8, available: 6, reserved: 0, sold: 2 });
    expect(stock.stats()).toMatchObject({ cancelled: 1, parted: 2 });
    stock.audit();
  });
});

describe('a part that does not fit its reservation', () => {
  it.each(['confirm', 'cancel', 'return'] as const)('is an error of %s that changes nothing', (act) => {
    const { stock, cart } = ledger();
    const id = cart();
    if (act === 'return') stock.confirm(id);
    const before = [stock.counts(1), stock.counts('two'), stock.stats()];
    const bad: ReadonlyArray<[object, RegExp, typeof TypeError | typeof RangeError]> = [
      [{ quantity: 1 }, /^Stock\.\w+: quantity: expected .*of one item/, RangeError],
      [{ lines: [{ sku: 'two', quantity: 5 }] }, /: lines: quantity of "two": expected at most/, RangeError],
      [
        {
          lines: [
            { sku: 1, quantity: 2 },
            { sku: 1, quantity: 2 },
          ],
        },
        /: lines: quantity of 1:/,
        RangeError,
      ],
      [
        {
          lines: [
            { sku: 1, quantity: 1 },
            { sku: 9, quantity: 1 },
          ],
        },
        /: lines: sku: .*of the reservation/,
        RangeError,
      ],
      [{ lines: [] }, /: lines: expected an array/, RangeError],
      [{ lines: [{ sku: 1, quantity: 0 }] }, /: lines\[0\]: quantity:/, RangeError],
      [{ lines: [{ sku: 1, quantity: 1 }], quantity: 1 }, /: quantity: expected no quantity/, TypeError],
    ];
    for (const [options, message, type] of bad) {
      expectError(
        thrown(() => stock[act](id, options)),
        'ERR_SLUICE_OPTION',
        type,
      );
      expect(() => stock[act](id, options)).toThrow(message);
    }
    expect([stock.counts(1), stock.counts('two'), stock.stats()]).toEqual(before);
    stock.audit();
  });
});

describe('units that were bought', () => {
  it("go back on sale and out of their user's count, once", () => {
    const { stock, cart } = ledger();
    const id = cart();
    expect(stock.return(id)).toBe('not-bought');
    stock.confirm(id);
    expect(stock.return(id, { lines: [{ sku: 1, quantity: 2 }] })).toBe('returned');
    expect(stock.counts(1)).toEqual({ total: 10, available: 9, reserved: 0, sold: 1 });
    expect(stock.reserve({ sku: 1, quantity: 5, user: 'anna' })).toMatchObject({ reason: 'user-limit' });
    expect(stock.reserve({ sku: 1, quantity: 4, user: 'anna' })).toMatchObject({ ok: true });
    expect(stock.return(String(id))).toBe('returned');
    expect(stock.return(id)).toBe('already-returned');
    expect(stock.counts('two')).toEqual({ total: 8, available: 8, reserved: 0, sold: 0 });
    expect(stock.stats()).toMatchObject({ returned: 2 });
    expect(stock.audit()).toEqual({ items: 2, held: 1 });
  });

  it('are returned by user and item as long as the user has bought as many', () => {
    const { stock, cart } = ledger({ maxReservations: 2 });
    const id = cart();
    stock.confirm(id);
    expect(stock.return({ sku: 1, quantity: 1, user: 'bert' })).toBe('not-bought');
    expect(stock.return({ sku: 1, quantity: 4, user: 'anna' })).toBe('not-bought');
    expect(stock.return({ sku: 1, quantity: 1, user: 'anna' })).toBe('returned');
    expect(stock.return(id, { lines: [{ sku: 1, quantity: 3 }] })).toBe('already-returned');
    // The next cart uses the reservation's place again. From then on only the user's count contains that reservation's
    // units.
    cart();
    expect(stock.return(id)).toBe('unknown');
    expect(stock.return({ sku: 1, quantity: 2, user: 'anna' })).toBe('returned');
    expect(stock.return({ sku: 1, quantity: 1, user: 'anna' })).toBe('not-bought');
    expect(stock.return({ sku: 'two', quantity: 5 })).toBe('not-bought');
    expect(stock.return({ sku: 'two', quantity: 4, user: 'anybody' })).toBe('returned');
    expect(stock.counts(1)).toEqual({ total: 10, available: 7, reserved: 3, sold: 0 });
    expect(stock.audit()).toEqual({ items: 2, held: 1 });
  });

  it('show in the movements when they are returned', async () => {
    const { stock, cart } = ledger();
    const id = cart();
    stock.confirm(id);
    stock.return(id, { lines: [{ sku: 1, quantity: 1 }] });
    stock.return({ sku: 1, quantity: 2, user: 'anna' });
    const told = [];
    for await (const movement of stock.movements({ from: 6 })) {
      told.push(movement);
      if (told.length === 2) break;
    }
    const units = { kind: 'reversed', sku: 1, timeMs: 0, user: 'anna' };
    expect(told).toEqual([
      { ...units, position: 6, quantity: 1, reservation: id },
      { ...units, position: 7, quantity: 2 },
    ]);
  });

  it('of an unknown item, or without a needed user, are refused with an error that names it', () => {
    const { stock, cart } = ledger();
    stock.confirm(cart());
    const refuses = (call: () => unknown, type: typeof TypeError | typeof RangeError, message: RegExp) => {
      expectError(thrown(call), 'ERR_SLUICE_OPTION', type);
      expect(call).toThrow(message);
    };
    refuses(() => stock.return({ sku: 9, quantity: 1 }), RangeError, /^Stock\.return: sku/);
    refuses(() => stock.return({ sku: 1, quantity: 1 }), TypeError, /^Stock\.return: user/);
    refuses(() => stock.return(mistyped({ sku: 1 })), TypeError, /^Stock\.return: quantity/);
    refuses(() => stock.return(mistyped(null)), TypeError, /^Stock\.return: reservation/);
  });

  it('can be returned after the ledger is restored, like the parts that are still held', () => {
    const { clock, stock, cart } = ledger();
    const [half, whole] = [cart(), reserved(stock.reserve({ sku: 'two', quantity: 2 }))];
    stock.confirm(half, { lines: [{ sku: 1, quantity: 2 }], rest: 'hold' });
    stock.confirm(whole);
    stock.return(whole, { quantity: 1 });
    const copy = Stock.restore(stock.snapshot(), { clock });
    for (const each of [stock, copy]) {
      expect(each.return(whole)).toBe('returned');
      expect(each.return(whole)).toBe('already-returned');
      expect(each.return({ sku: 1, quantity: 3, user: 'anna' })).toBe('not-bought');
      expect(each.return(half)).toBe('returned');
      expect(each.confirm(half)).toBe('confirmed');
      expect(each.return(half)).toBe('returned');
      expect(each.counts(1)).toEqual({ total: 10, available: 10, reserved: 0, sold: 0 });
      expect(each.counts('two')).toEqual({ total: 8, available: 8, reserved: 0, sold: 0 });
      each.audit();
    }
  });
});
