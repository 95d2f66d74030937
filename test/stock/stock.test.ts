import { ManualClock, type Reserved, Stock, type StockOptions } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';

const item = { sku: 1, quantity: 10 };

/** Returns the reservation. Throws the reason if there is none. */
function reserved(answer: ReturnType<Stock['reserve']>): Reserved {
  if (!answer.ok) throw new Error(`refused: ${answer.reason}`);
  return answer;
}

/** Makes a ledger with `options`, on a clock that does not move. */
function ledger(options: Partial<StockOptions> = {}): Stock {
  return Stock.create({ items: [item], clock: new ManualClock(1_000), ...options });
}

describe('a reservation', () => {
  it('holds units until it is confirmed or cancelled', () => {
    const stock = ledger();
    expect(stock.counts(1)).toEqual({ total: 10, available: 10, reserved: 0, sold: 0 });
    const first = reserved(stock.reserve({ sku: 1, quantity: 3 }));
    expect(first).toEqual({
      ok: true,
      reservation: expect.any(BigInt),
      expiresInMs: 30_000,
      duplicate: false,
      state: 'held',
    });
    const second = reserved(stock.reserve({ sku: 1, quantity: 4 }));
    expect(stock.counts(1)).toEqual({ total: 10, available: 3, reserved: 7, sold: 0 });
    expect(stock.confirm(first.reservation)).toBe('confirmed');
    expect(stock.counts(1)).toEqual({ total: 10, available: 3, reserved: 4, sold: 3 });
    expect(stock.cancel(second.reservation)).toBe('cancelled');
    expect(stock.counts(1)).toEqual({ total: 10, available: 7, reserved: 0, sold: 3 });
    expect(stock.audit()).toEqual({ items: 1, held: 0 });
    expect(stock.stats()).toEqual({
      reserved: 2,
      confirmed: 1,
      cancelled: 1,
      expired: 0,
      extended: 0,
      parted: 0,
      changed: 0,
      returned: 0,
      refused: 0,
    });
  });

  it('is resolved once; later calls return what it became', () => {
    const stock = ledger();
    const one = reserved(stock.reserve({ sku: 1, quantity: 1 })).reservation;
    const two = reserved(stock.reserve({ sku: 1, quantity: 1 })).reservation;
    stock.confirm(one);
    stock.cancel(two);
    for (let i = 0; i < 3; i++) {
      expect([stock.confirm(one), stock.cancel(one)]).toEqual(['already-confirmed', 'already-confirmed']);
      expect([stock.confirm(two), stock.cancel(two)]).toEqual(['already-cancelled', 'already-cancelled']);
    }
    expect(stock.counts(1)).toEqual({ total: 10, available: 9, reserved: 0, sold: 1 });
  });

  it('that was never made is unknown', () => {
    const stock = ledger();
    reserved(stock.reserve({ sku: 1, quantity: 1 }));
    for (const made of [0n, 1n, 2n, 2n ** 32n, 2n ** 32n + 77n, 2n ** 33n + 1n, 2n ** 64n - 1n, 2n ** 63n]) {
      expect([stock.confirm(made), stock.cancel(made)], String(made)).toEqual(['unknown', 'unknown']);
    }
    expect(stock.counts(1).reserved).toBe(1);
  });

  it('whose place was used again is unknown, and its successor is not touched', () => {
    const stock = ledger({ maxReservations: 1 });
    const past: bigint[] = [];
    for (let use = 0; use < 5; use++) {
      const { reservation } = reserved(stock.reserve({ sku: 1, quantity: 1 }));
      expect(past).not.toContain(reservation);
      for (const old of past) expect([stock.confirm(old), stock.cancel(old)]).toEqual(['unknown', 'unknown']);
      expect(stock.counts(1).reserved).toBe(1);
      expect(stock.cancel(reservation)).toBe('cancelled');
      past.push(reservation);
    }
    expect(stock.audit()).toEqual({ items: 1, held: 0 });
  });

  it.each([1, '1n', null, undefined, {}, -1n, 2n ** 64n])(
    'is a bigint that reserve gave out, not %s',
    (value) => {
      const stock = ledger();
      for (const call of [() => stock.confirm(mistyped(value)), () => stock.cancel(mistyped(value))]) {
        expectError(thrown(call), 'ERR_SLUICE_OPTION', TypeError);
      }
    },
  );
});

describe('reserve is refused, and changes nothing,', () => {
  it('when fewer units are left than asked for', () => {
    const stock = ledger();
    expect(stock.reserve({ sku: 1, quantity: 11 })).toEqual({ ok: false, reason: 'sold-out' });
    reserved(stock.reserve({ sku: 1, quantity: 8 }));
    expect(stock.reserve({ sku: 1, quantity: 3 })).toEqual({ ok: false, reason: 'sold-out' });
    expect(stock.reserve({ sku: 1, quantity: 2 })).toMatchObject({ ok: true });
    expect(stock.reserve({ sku: 1, quantity: 1 })).toEqual({ ok: false, reason: 'sold-out' });
    expect(stock.counts(1)).toMatchObject({ available: 0, reserved: 10 });
    expect(stock.stats().refused).toBe(3);
  });

  it('not when units have come back: sold out is no state of the item', () => {
    const stock = ledger();
    const { reservation } = reserved(stock.reserve({ sku: 1, quantity: 10 }));
    expect(stock.reserve({ sku: 1, quantity: 1 })).toEqual({ ok: false, reason: 'sold-out' });
    stock.cancel(reservation);
    expect(stock.reserve({ sku: 1, quantity: 10 })).toMatchObject({ ok: true });
  });

  it('when there is no such item', () => {
    const stock = ledger();
    expect(stock.reserve({ sku: 2, quantity: 1 })).toEqual({ ok: false, reason: 'unknown-sku' });
    expectError(
      thrown(() => stock.counts(2)),
      'ERR_SLUICE_OPTION',
      RangeError,
    );
  });

  it('when the user would hold or have bought more than the limit of the item', () => {
    const stock = ledger({
      items: [
        { ...item, perUser: 3 },
        { sku: 2, quantity: 10, perUser: 1 },
        { sku: 3, quantity: 10 },
      ],
    });
    const first = reserved(stock.reserve({ sku: 1, quantity: 2, user: 7 }));
    expect(stock.reserve({ sku: 1, quantity: 2, user: 7 })).toEqual({ ok: false, reason: 'user-limit' });
    expect(stock.reserve({ sku: 1, quantity: 4, user: 8 })).toEqual({ ok: false, reason: 'user-limit' });
    reserved(stock.reserve({ sku: 1, quantity: 1, user: 7n })); // 7 and 7n are the same user
    expect(stock.reserve({ sku: 1, quantity: 1, user: 7 })).toEqual({ ok: false, reason: 'user-limit' });
    // User 7's limit for item 1 does not affect other users and other items.
    reserved(stock.reserve({ sku: 1, quantity: 3, user: 8 }));
    reserved(stock.reserve({ sku: 2, quantity: 1, user: 7 }));
    reserved(stock.reserve({ sku: 3, quantity: 9, user: 7 }));
    // Units that were bought count, too.
    stock.confirm(first.reservation);
    expect(stock.reserve({ sku: 1, quantity: 1, user: 7 })).toEqual({ ok: false, reason: 'user-limit' });
    expect(stock.audit()).toEqual({ items: 3, held: 4 });
  });

  it('not when the user has given units back by cancelling', () => {
    const stock = ledger({ items: [{ ...item, perUser: 2 }] });
    for (let i = 0; i < 20; i++) {
      const { reservation } = reserved(stock.reserve({ sku: 1, quantity: 2, user: 7 }));
      expect(stock.reserve({ sku: 1, quantity: 1, user: 7 })).toEqual({ ok: false, reason: 'user-limit' });
      stock.cancel(reservation);
    }
    stock.audit();
  });

  it('when as many reservations are held as there is room for', () => {
    const stock = ledger({ items: [{ ...item, perUser: 10 }], maxReservations: 3 });
    const held = [1, 2, 3].map((user) => reserved(stock.reserve({ sku: 1, quantity: 1, user })).reservation);
    expect(stock.reserve({ sku: 1, quantity: 1, user: 4 })).toEqual({ ok: false, reason: 'ledger-full' });
    expect(stock.counts(1)).toMatchObject({ available: 7, reserved: 3 });
    stock.audit();
    stock.confirm(held[1] as bigint);
    expect(stock.reserve({ sku: 1, quantity: 1, user: 4 })).toMatchObject({ ok: true });
    expect(stock.reserve({ sku: 1, quantity: 1, user: 5 })).toEqual({ ok: false, reason: 'ledger-full' });
    stock.audit();
  });

  it('when there is no room for another user', () => {
    const stock = ledger({
      items: [
        { ...item, perUser: 10 },
        { sku: 2, quantity: 10 },
      ],
      maxUsers: 3,
    });
    for (const user of [1, 2, 3, 1, 2, 3]) reserved(stock.reserve({ sku: 1, quantity: 1, user }));
    expect(stock.reserve({ sku: 1, quantity: 1, user: 4 })).toEqual({ ok: false, reason: 'users-full' });
    reserved(stock.reserve({ sku: 1, quantity: 1, user: 3 }));
    reserved(stock.reserve({ sku: 2, quantity: 1, user: 4 })); // an item without a limit does not count its users
    stock.audit();
  });

  it('with an error when the item has a limit and no user is given', () => {
    const stock = ledger({ items: [{ ...item, perUser: 1 }] });
    const error = thrown(() => stock.reserve({ sku: 1, quantity: 1 }));
    expectError(error, 'ERR_SLUICE_OPTION', TypeError);
    expect(error.message).toContain('user');
    expect(stock.counts(1).available).toBe(10);
  });
});

describe('quantities', () => {
  const most = 2 ** 32 - 1;

  it('up to 2^32 - 1 neither overflow nor spill into each other', () => {
    const stock = ledger({
      items: [
        { sku: 1, quantity: most, perUser: most },
        { sku: 2, quantity: most },
      ],
    });
    const all = reserved(stock.reserve({ sku: 1, quantity: most, user: 1 }));
    expect(stock.counts(1)).toEqual({ total: most, available: 0, reserved: most, sold: 0 });
    expect(stock.reserve({ sku: 1, quantity: 1, user: 1 })).toEqual({ ok: false, reason: 'sold-out' });
    stock.cancel(all.reservation);
    const parts = [most - 1, 1].map(
      (quantity) => reserved(stock.reserve({ sku: 1, quantity, user: 1 })).reservation,
    );
    expect(stock.confirm(parts[0] as bigint)).toBe('confirmed');
    expect(stock.counts(1)).toEqual({ total: most, available: 0, reserved: 1, sold: most - 1 });
    stock.cancel(parts[1] as bigint);
    expect(stock.reserve({ sku: 1, quantity: most, user: 1 })).toEqual({ ok: false, reason: 'sold-out' });
    reserved(stock.reserve({ sku: 1, quantity: 1, user: 1 }));
    expect(stock.counts(2)).toEqual({ total: most, available: most, reserved: 0, sold: 0 });
    stock.audit();
  });

  it('of an item may be 0', () => {
    const stock = ledger({ items: [{ sku: 1, quantity: 0 }] });
    expect(stock.reserve({ sku: 1, quantity: 1 })).toEqual({ ok: false, reason: 'sold-out' });
    expect(stock.audit()).toEqual({ items: 1, held: 0 });
  });

  it('are kept apart for 65,536 items', () => {
    const items = Array.from({ length: 65_536 }, (_, i) => ({
      sku: (i * 65_537) % 2 ** 32,
      quantity: i % 7,
    }));
    const stock = ledger({ items });
    for (let i = 0; i < items.length; i += 997) {
      const { sku, quantity } = items[i] as (typeof items)[number];
      expect(stock.counts(sku)).toEqual({ total: quantity, available: quantity, reserved: 0, sold: 0 });
      expect(stock.reserve({ sku, quantity: quantity + 1 })).toEqual({ ok: false, reason: 'sold-out' });
    }
    expect(stock.audit()).toEqual({ items: 65_536, held: 0 });
  });

  it('of two items with the same sku are refused at creation', () => {
    const error = thrown(() => ledger({ items: [item, { sku: 2, quantity: 1 }, { sku: 1, quantity: 5 }] }));
    expectError(error, 'ERR_SLUICE_OPTION', RangeError);
    expect(error.message).toContain('items[2]: sku');
  });

  it('of items are refused at creation if the list lacks an item', () => {
    const items = [item];
    items[2] = { sku: 2, quantity: 1 };
    const error = thrown(() => ledger({ items }));
    expectError(error, 'ERR_SLUICE_OPTION', TypeError);
    expect(error.message).toContain('items[1]: sku');
  });
});

describe('users and ids', () => {
  it('are told apart over their whole range', () => {
    const keys = [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2n ** 53n, 2n ** 63n, 2n ** 64n - 2n];
    const stock = ledger({ items: [{ sku: 1, quantity: 100, perUser: 1 }] });
    const seen = new Set<bigint>();
    for (const key of keys) {
      seen.add(reserved(stock.reserve({ sku: 1, quantity: 1, user: key, id: key })).reservation);
      expect(stock.reserve({ sku: 1, quantity: 1, user: key })).toEqual({ ok: false, reason: 'user-limit' });
      expect(stock.reserve({ sku: 1, quantity: 1, user: BigInt(key), id: BigInt(key) })).toMatchObject({
        duplicate: true,
      });
    }
    expect(seen.size).toBe(keys.length);
    stock.audit();
  });
});

describe('a ledger', () => {
  it('is shared by all objects that attach to its handle', () => {
    const stock = ledger({ items: [{ ...item, perUser: 2 }] });
    const other = Stock.attach(structuredClone(stock.handle));
    const { reservation } = reserved(stock.reserve({ sku: 1, quantity: 2, user: 1 }));
    expect(other.reserve({ sku: 1, quantity: 1, user: 1 })).toEqual({ ok: false, reason: 'user-limit' });
    expect(other.confirm(reservation)).toBe('confirmed');
    expect(stock.cancel(reservation)).toBe('already-confirmed');
    expect(other.counts(1)).toEqual(stock.counts(1));
    expect(other.stats()).toEqual({
      reserved: 1,
      confirmed: 1,
      cancelled: 0,
      expired: 0,
      extended: 0,
      parted: 0,
      changed: 0,
      returned: 0,
      refused: 1,
    });
  });

  it('that was disposed of refuses everything with its own error, while others go on', () => {
    const stock = ledger();
    const other = Stock.attach(stock.handle);
    const { reservation } = reserved(stock.reserve({ sku: 1, quantity: 1 }));
    stock[Symbol.dispose]();
    stock[Symbol.dispose]();
    const uses: Array<() => unknown> = [
      () => stock.reserve({ sku: 1, quantity: 1 }),
      () => stock.confirm(reservation),
      () => stock.cancel(reservation),
      () => stock.expire(),
      () => stock.counts(1),
      () => stock.audit(),
      () => stock.stats(),
    ];
    for (const use of uses) expectError(thrown(use), 'ERR_SLUICE_DISPOSED');
    expect(other.confirm(reservation)).toBe('confirmed');
    other[Symbol.dispose]();
    expectError(
      thrown(() => Stock.attach(stock.handle)),
      'ERR_SLUICE_HANDLE',
    );
  });
});
