import { ManualClock, Stock, type StockOptions } from 'sluice';
import { describe, expect, it } from 'vitest';
import { expectError, thrown } from '../thrown.js';
import { reserved } from './reserved.js';

function ledger(options: Partial<StockOptions> = {}) {
  const clock = new ManualClock();
  const stock = Stock.create({ items: [{ sku: 1, quantity: 10, perUser: 10 }], clock, ...options });
  return { clock, stock, hold: (quantity = 3) => reserved(stock.reserve({ sku: 1, quantity, user: 1 })) };
}

describe('every late or double resolution has its own answer', () => {
  const ends = {
    confirm: ['confirmed', 'already-confirmed'],
    'confirm a part': ['confirmed', 'already-confirmed'],
    cancel: ['cancelled', 'already-cancelled'],
    expiry: [1, 'expired'],
    'expiry found by confirm': ['expired', 'expired'],
    'expiry found by extend': ['expired', 'expired'],
  } as const;

  it.each(Object.entries(ends))('after %s', (end, [first, late]) => {
    const { clock, stock, hold } = ledger({ maxReservations: 1 });
    const id = hold();
    if (end.startsWith('expiry')) clock.advance(30_000);
    const acts: Record<string, () => unknown> = {
      confirm: () => stock.confirm(id),
      'confirm a part': () => stock.confirm(id, { quantity: 1 }),
      cancel: () => stock.cancel(id),
      expiry: () => stock.expire(),
      'expiry found by confirm': () => stock.confirm(id),
      'expiry found by extend': () => stock.extend(id, 1_000),
    };
    expect(acts[end]?.()).toBe(first);
    const counts = stock.counts(1);
    const again = () => [
      stock.confirm(id),
      stock.confirm(id, { quantity: 2 }),
      stock.confirm(id, { quantity: 4_000 }),
      stock.cancel(id),
      stock.extend(id, 1_000),
    ];
    expect(again()).toEqual(Array.from({ length: 5 }, () => late));
    expect(stock.counts(1)).toEqual(counts);
    // The next reservation uses the old one's place again. The old bigint is unknown, and cannot resolve the new one.
    const next = hold(1);
    const before = stock.counts(1);
    expect(again()).toEqual(Array.from({ length: 5 }, () => 'unknown'));
    expect(stock.counts(1)).toEqual(before);
    expect(stock.confirm(next)).toBe('confirmed');
    stock.audit();
  });
});

describe('a part of a reservation', () => {
  it('is sold, and the rest is on sale and free for its user again', () => {
    const { stock, hold } = ledger({ items: [{ sku: 1, quantity: 10, perUser: 4 }] });
    expect(stock.confirm(hold(4), { quantity: 1 })).toBe('confirmed');
    expect(stock.counts(1)).toEqual({ total: 10, available: 9, reserved: 0, sold: 1 });
    expect(stock.reserve({ sku: 1, quantity: 4, user: 1 })).toMatchObject({ reason: 'user-limit' });
    hold(3);
    stock.audit();
  });

  it('may be all of it, but not more: more is refused, and the reservation stays', () => {
    const { stock, hold } = ledger();
    const id = hold(3);
    const error = thrown(() => stock.confirm(id, { quantity: 4 }));
    expectError(error, 'ERR_SLUICE_OPTION', RangeError);
    expect(error.message).toContain('Stock.confirm: quantity');
    expect(stock.counts(1).reserved).toBe(3);
    expect(stock.confirm(id, { quantity: 3 })).toBe('confirmed');
    expect(stock.counts(1)).toMatchObject({ available: 7, sold: 3 });
  });

  it('belongs to the given reservation, whatever the getters of its options do', () => {
    const { stock, hold } = ledger();
    const [meant, other] = [hold(2), hold(3)];
    const options = {
      get quantity() {
        stock.cancel(other);
        return 1;
      },
    };
    expect(stock.confirm(meant, options)).toBe('confirmed');
    expect(stock.counts(1)).toEqual({ total: 10, available: 9, reserved: 0, sold: 1 });
  });
});

describe('extend', () => {
  it('holds from now on, never for less than before', () => {
    const { clock, stock, hold } = ledger();
    const id = hold();
    expect(stock.extend(id, 1)).toBe('extended');
    clock.advance(29_999);
    expect(stock.expire()).toBe(0);
    expect(stock.extend(id, 500.5)).toBe('extended');
    clock.advance(500);
    expect(stock.expire()).toBe(0);
    clock.advance(0.5);
    expect(stock.expire()).toBe(1);
    expect(stock.extend(id, 500)).toBe('expired');
    expect(stock.stats()).toMatchObject({ extended: 2, expired: 1 });
  });

  it.each([0, 0.5, 86_400_001, Number.NaN, -1])('is for 1 to 86,400,000 ms, not %s', (ms) => {
    const { stock, hold } = ledger();
    const id = hold();
    expectError(
      thrown(() => stock.extend(id, ms)),
      'ERR_SLUICE_OPTION',
      RangeError,
    );
  });

  it('can be repeated without end', () => {
    const { clock, stock, hold } = ledger({ holdMs: 10 });
    const id = hold();
    for (let i = 0; i < 2_000; i++) {
      clock.advance(9);
      stock.expire();
      expect(stock.extend(id, 10)).toBe('extended');
    }
    expect(stock.confirm(id)).toBe('confirmed');
  });
});
