import { ManualClock, Stock, type StockOptions } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { reserved } from './reserved.js';

const items = [
  { sku: 1, quantity: 1_000, perUser: 900 },
  { sku: 'two', quantity: 1_000, shards: 3 },
];

function ledger(options: Partial<StockOptions> = {}) {
  const clock = new ManualClock();
  return { clock, stock: Stock.create({ items, clock, ...options }) };
}
const one = { sku: 1, quantity: 1 };

describe('a reservation is found', () => {
  it('by its bigint and by its id, with what is left of its hold and of its units', () => {
    const { clock, stock } = ledger();
    const cart = [
      { sku: 1, quantity: 3 },
      { sku: 'two', quantity: 500 },
    ];
    const id = reserved(stock.reserveAll(cart, { user: 'anna', id: 'order-17' }));
    clock.advance(10_000);
    stock.confirm(id, { lines: [{ sku: 1, quantity: 2 }], rest: 'hold' });
    const found = {
      reservation: id,
      state: 'held',
      expiresInMs: 20_000,
      user: 'anna',
      id: 'order-17',
      lines: [
        { sku: 1, quantity: 1, sold: 2 },
        { sku: 'two', quantity: 500, sold: 0 },
      ],
    };
    expect(stock.find({ reservation: id })).toStrictEqual(found);
    expect(stock.find({ id: 'order-17' })).toStrictEqual(found);
    expect(stock.find({ user: 'anna' })).toStrictEqual([found]);
    expect(stock.find({ user: 'anna', sku: 'two' })).toStrictEqual([found]);
    expect(JSON.parse(JSON.stringify(stock.find({ id: 'order-17' })))).toEqual({
      ...found,
      reservation: String(id),
    });
    clock.advance(20_000);
    // After its deadline a reservation can no longer be confirmed, whether its units are back already or not.
    const ended = { ...found, state: 'expired', expiresInMs: 0 };
    expect(stock.find({ id: 'order-17' })).toEqual(ended);
    stock.expire();
    expect(stock.find({ id: 'order-17' })).toEqual(ended);
    stock.return(id, { lines: [{ sku: 1, quantity: 1 }] });
    expect(stock.find({ reservation: String(id) })).toEqual({
      ...ended,
      lines: [{ sku: 1, quantity: 1, sold: 1 }, ended.lines[1]],
    });
  });

  it('by numbers too, and without an id if it had none, or one of more than 56 bytes', () => {
    const { stock } = ledger();
    const big = 2n ** 64n - 1n;
    const numbers = reserved(stock.reserve({ ...one, user: 7, id: big }));
    const long = reserved(stock.reserve({ ...one, user: 8n, id: 'x'.repeat(57) }));
    const fits = reserved(stock.reserve({ ...one, user: 9, id: 'ü'.repeat(28) }));
    const none = reserved(stock.reserve({ sku: 'two', quantity: 1 }));
    expect(stock.find({ id: big })).toMatchObject({ reservation: numbers, user: 7n, id: big });
    expect(stock.find({ id: 'x'.repeat(57) })).toMatchObject({ reservation: long, user: 8n });
    expect(stock.find({ id: 'x'.repeat(57) })).not.toHaveProperty('id');
    expect(stock.find({ id: 'ü'.repeat(28) })).toMatchObject({ reservation: fits, id: 'ü'.repeat(28) });
    expect(Object.keys(stock.find({ reservation: none }) ?? {})).toEqual([
      'reservation',
      'state',
      'expiresInMs',
      'lines',
    ]);
    expect(stock.find({ id: 7 })).toBeUndefined();
    expect(stock.find({ user: '7' })).toEqual([]);
  });

  it('no more once its place is used again, nor by an id that was refused', () => {
    const { stock } = ledger({ maxReservations: 1 });
    const first = reserved(stock.reserve({ ...one, user: 1, id: 1 }));
    stock.cancel(first);
    expect(stock.find({ id: 1 })).toMatchObject({ state: 'cancelled', lines: [{ ...one, sold: 0 }] });
    expect(stock.reserve({ sku: 1, quantity: 901, user: 1, id: 2 })).toMatchObject({ reason: 'user-limit' });
    reserved(stock.reserve({ ...one, user: 2 }));
    expect(stock.find({ id: 1 })).toBeUndefined();
    expect(stock.find({ reservation: first })).toBeUndefined();
    expect(stock.find({ id: 2 })).toBeUndefined();
    expect(stock.find({ user: 1 })).toEqual([]);
  });
});

describe('a listing', () => {
  function full(places: number) {
    const made = ledger({ maxReservations: places, maxUsers: 1_000, maxIds: 20_000 });
    const ids = Array.from({ length: 900 }, (_, i) =>
      reserved(made.stock.reserve({ ...one, user: i % 3, id: i, holdMs: i % 2 === 0 ? 1_000 : 2_000 })),
    );
    return { ...made, ids };
  }

  it('has each reservation once, in pages too, whatever ends meanwhile', () => {
    const { clock, stock, ids } = full(20_000);
    expect([...stock.reservations()].map(({ reservation }) => reservation)).toEqual(ids);
    const listed: bigint[] = [];
    for (let after: bigint | undefined; ; after = listed.at(-1)) {
      const page = [...stock.reservations({ limit: 70, ...(after !== undefined && { after }) })];
      listed.push(...page.map(({ reservation }) => reservation));
      if (page.length < 70) break;
      stock.cancel(listed.at(-1) as bigint);
    }
    expect(listed).toEqual(ids);
    clock.advance(1_000);
    expect([...stock.reservations({ state: 'expired' })].map(({ id }) => id)).toEqual(
      ids.flatMap((_, i) => (i % 2 === 0 && i % 70 !== 69 ? [BigInt(i)] : [])),
    );
    stock.expire();
    const states = [...stock.reservations({ state: ['cancelled', 'held'], user: 1, sku: 1 })];
    expect(states.map(({ id }) => id)).toEqual(
      ids.flatMap((_, i) => (i % 3 === 1 && (i % 2 === 1 || i % 70 === 69) ? [BigInt(i)] : [])),
    );
    expect([...stock.reservations({ sku: 'two' })]).toEqual([]);
    expect([...stock.reservations({ state: [] })]).toEqual([]);
  });

  it('keeps no thread from reserving between two of its steps', () => {
    const { stock, ids } = full(1_000);
    let seen = 0;
    for (const { reservation, state } of stock.reservations()) {
      if (state === 'held') stock.cancel(reservation);
      reserved(stock.reserve({ ...one, user: 5 }));
      seen++;
      if (seen > 2_000) break;
    }
    expect(seen).toBeGreaterThanOrEqual(ids.length);
    stock.audit();
  });

  it('of a restored ledger has reservations that were held and that had ended', () => {
    const { clock, stock } = ledger();
    const held = reserved(stock.reserve({ ...one, user: 'anna', id: 'a' }));
    stock.confirm(reserved(stock.reserveAll([one, { sku: 'two', quantity: 400 }], { user: 1, id: 2 })));
    stock.cancel(reserved(stock.reserve({ sku: 'two', quantity: 5, id: 'c'.repeat(56) })));
    clock.advance(10);
    const before = [...stock.reservations()];
    expect(before).toMatchObject([{ reservation: held }, { id: 2n }, { id: 'c'.repeat(56) }]);
    const copy = Stock.restore(stock.snapshot(), { clock });
    expect([...copy.reservations()]).toEqual(before);
  });

  it('refuses a bad filter by its name, before the first step', () => {
    const { stock } = ledger();
    const bad: ReadonlyArray<[() => unknown, typeof TypeError | typeof RangeError, RegExp]> = [
      [() => stock.find(mistyped({})), TypeError, /^Stock\.find: expected reservation, id or user, got an/],
      [() => stock.find(mistyped({ id: 1, user: 2 })), TypeError, /^Stock\.find: user: .*beside id.*got 2/],
      [() => stock.find(mistyped({ id: 1, sku: 3 })), TypeError, /^Stock\.find: sku: .*beside id.*got 3/],
      [() => stock.find({ id: -1 }), RangeError, /^Stock\.find: id/],
      [() => stock.find({ reservation: mistyped(1) }), TypeError, /^Stock\.find: reservation/],
      [() => stock.find({ user: 1, sku: 9 }), RangeError, /^Stock\.find: sku/],
      [() => stock.reservations({ sku: 9 }), RangeError, /^Stock\.reservations: sku/],
      [() => stock.reservations({ state: mistyped('gone') }), RangeError, /: state/],
      [() => stock.reservations({ state: mistyped(1) }), TypeError, /: state/],
      [() => stock.reservations({ limit: 0 }), RangeError, /: limit/],
      [() => stock.reservations({ after: 'x' }), TypeError, /: after/],
    ];
    for (const [call, type, message] of bad) {
      expectError(thrown(call), 'ERR_SLUICE_OPTION', type);
      expect(call).toThrow(message);
    }
    stock[Symbol.dispose]();
    expectError(
      thrown(() => stock.reservations()),
      'ERR_SLUICE_DISPOSED',
    );
    expectError(
      thrown(() => stock.find({ id: 1 })),
      'ERR_SLUICE_DISPOSED',
    );
  });
});
