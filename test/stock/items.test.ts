import { ManualClock, Stock, type StockOptions } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { reserved } from './reserved.js';

const most = 2 ** 32 - 1;

function ledger(options: Partial<StockOptions> = {}): Stock {
  return Stock.create({ items: [{ sku: 1, quantity: 10 }], clock: new ManualClock(), ...options });
}

describe('restock', () => {
  it('puts units on sale at once, also of an item that was sold out', () => {
    for (const shards of [1, 4]) {
      const stock = ledger({ items: [{ sku: 1, quantity: 1, shards }] });
      reserved(stock.reserve({ sku: 1, quantity: 1 }));
      for (let i = 0; i < 10; i++) {
        expect(stock.reserve({ sku: 1, quantity: 1 })).toMatchObject({ reason: 'sold-out' });
        expect(stock.restock(1, 1)).toMatchObject({ total: 2 + i, available: 1 });
        reserved(stock.reserve({ sku: 1, quantity: 1 }));
      }
      stock.audit();
    }
  });

  it('never makes a total of more than 2^32 - 1, sold units included', () => {
    const stock = ledger({ items: [{ sku: 1, quantity: most - 5 }] });
    stock.confirm(reserved(stock.reserve({ sku: 1, quantity: most - 5 })));
    for (const quantity of [6, most]) {
      const error = thrown(() => stock.restock(1, quantity));
      expectError(error, 'ERR_SLUICE_OPTION', RangeError);
      expect(error.message).toContain('Stock.restock: quantity');
    }
    expect(stock.restock(1, 5)).toEqual({ total: most, available: 5, reserved: 0, sold: most - 5 });
    stock.audit();
  });

  it.each([0, -1, 1.5, 2 ** 32, Number.NaN, '1', 1n])('takes 1 to 2^32 - 1 units, not %s', (quantity) => {
    const stock = ledger();
    expectError(
      thrown(() => stock.restock(1, mistyped(quantity))),
      'ERR_SLUICE_OPTION',
    );
    expectError(
      thrown(() => stock.withdraw(1, mistyped(quantity))),
      'ERR_SLUICE_OPTION',
    );
    expect(stock.counts(1).total).toBe(10);
  });

  it.each(['restock', 'withdraw'] as const)('and withdraw fail if there is no such item: %s', (method) => {
    const error = thrown(() => ledger()[method](2, 1));
    expectError(error, 'ERR_SLUICE_OPTION', RangeError);
    expect(error.message).toContain(`Stock.${method}: sku`);
  });
});

describe('withdraw', () => {
  it('takes what is available off sale, never what is held or sold', () => {
    for (const shards of [1, 3]) {
      const stock = ledger({ items: [{ sku: 1, quantity: 10, shards }] });
      const held = reserved(stock.reserve({ sku: 1, quantity: 4 }));
      stock.confirm(reserved(stock.reserve({ sku: 1, quantity: 3 })));
      expect(stock.withdraw(1, 1)).toBe(1);
      expect(stock.withdraw(1, most)).toBe(2);
      expect(stock.withdraw(1, 1)).toBe(0);
      expect(stock.counts(1)).toEqual({ total: 7, available: 0, reserved: 4, sold: 3 });
      stock.cancel(held);
      expect(stock.counts(1)).toEqual({ total: 7, available: 4, reserved: 0, sold: 3 });
      stock.audit();
    }
  });
});

describe('addItem and closeItem', () => {
  it('add to a running sale, for every thread, until there is no room', () => {
    const stock = ledger({ maxItems: 5 });
    const other = Stock.attach(stock.handle);
    expect(other.reserve({ sku: 2, quantity: 1 })).toEqual({ ok: false, reason: 'unknown-sku' });
    expect(stock.addItem({ sku: 2, quantity: 3, perUser: 1, shards: 3 })).toBe('added');
    expect(other.counts(2)).toEqual({ total: 3, available: 3, reserved: 0, sold: 0 });
    reserved(other.reserve({ sku: 2, quantity: 1, user: 1 }));
    expect(other.reserve({ sku: 2, quantity: 1, user: 1 })).toMatchObject({ reason: 'user-limit' });
    expect(other.addItem({ sku: 2, quantity: 3 })).toBe('sku-exists');
    expect(other.addItem({ sku: 3, quantity: 3, shards: 2 })).toBe('items-full');
    expect(other.addItem({ sku: 3, quantity: 3 })).toBe('added');
    expect(other.addItem({ sku: 4, quantity: 3 })).toBe('items-full');
    expect(stock.audit()).toEqual({ items: 3, held: 1 });
  });

  it('close an item: units that are held can still be confirmed', () => {
    const stock = ledger();
    const held = reserved(stock.reserve({ sku: 1, quantity: 4 }));
    expect(stock.closeItem(1)).toBe(true);
    expect(stock.closeItem(1)).toBe(true);
    expect(stock.closeItem(2)).toBe(false);
    const late = { sku: 1, quantity: 1, id: 7 };
    expect(stock.reserve(late)).toEqual({ ok: false, reason: 'item-closed' });
    expect(stock.reserve(late)).toEqual({ ok: false, reason: 'already-failed' });
    stock.restock(1, 1);
    expect(stock.reserve({ sku: 1, quantity: 1 })).toEqual({ ok: false, reason: 'item-closed' });
    expect(stock.confirm(held)).toBe('confirmed');
    stock.audit();
  });
});

describe('a sku', () => {
  it('may be a text of up to 32 bytes, and is never taken for a number', () => {
    const texts = ['1', 'blue shirt, M', 'ü'.repeat(16), 'x'.repeat(32), '\u0000', '🛒'.repeat(8)];
    const stock = ledger({ items: [1, ...texts].map((sku, i) => ({ sku, quantity: 10 + i })) });
    for (const [i, sku] of [1, ...texts].entries()) {
      expect(stock.counts(sku).total, String(sku)).toBe(10 + i);
      reserved(stock.reserve({ sku, quantity: 10 + i }));
      expect(stock.counts(sku).available).toBe(0);
    }
    expect(stock.reserve({ sku: '2', quantity: 1 })).toMatchObject({ reason: 'unknown-sku' });
    expect(stock.audit()).toEqual({ items: 7, held: 7 });
    for (const sku of ['', 'x'.repeat(33), 'ü'.repeat(17), '\ud800', -1, 2 ** 32, 1.5, null, 1n]) {
      expectError(
        thrown(() => stock.counts(mistyped(sku))),
        'ERR_SLUICE_OPTION',
      );
    }
  });
});

describe('users and ids', () => {
  it('may be numbers, bigints or texts: 1 and 1n are the same, "1" is another', () => {
    const stock = ledger({ items: [{ sku: 1, quantity: 100, perUser: 1 }] });
    const users = [1, '1', 'ann@example.org', 'x'.repeat(64), 2n ** 64n - 1n, 2 ** 53 - 1, 0, '0'];
    for (const user of users) {
      reserved(stock.reserve({ sku: 1, quantity: 1, user, id: user }));
      expect(stock.reserve({ sku: 1, quantity: 1, user })).toMatchObject({ reason: 'user-limit' });
      expect(stock.reserve({ sku: 1, quantity: 1, user, id: user })).toMatchObject({ duplicate: true });
    }
    expect(stock.reserve({ sku: 1, quantity: 1, user: 1n })).toMatchObject({ reason: 'user-limit' });
    expect(stock.counts(1).reserved).toBe(users.length);
    reserved(stock.reserve({ sku: 1, quantity: 1, user: 'another', id: 'i'.repeat(256) }));
    stock.audit();
  });

  it('that have given everything back leave their place in the table to other users', () => {
    const clock = new ManualClock();
    const stock = ledger({ items: [{ sku: 1, quantity: 100, perUser: 2 }], maxUsers: 2, clock });
    const buyer = reserved(stock.reserve({ sku: 1, quantity: 2, user: 'buyer' }));
    stock.confirm(buyer, { quantity: 1 }); // the buyer keeps its place for good
    for (let i = 0; i < 300; i++) {
      const one = reserved(stock.reserve({ sku: 1, quantity: 2, user: `passing-${i}` }));
      const next = { sku: 1, quantity: 1, user: `next-${i}` };
      expect(stock.reserve(next)).toEqual({ ok: false, reason: 'users-full' });
      if (i % 2) {
        stock.cancel(one);
      } else {
        clock.advance(30_000);
        expect(stock.expire()).toBe(1);
      }
      stock.cancel(reserved(stock.reserve(next)));
    }
    expect(stock.reserve({ sku: 1, quantity: 2, user: 'buyer' })).toMatchObject({ reason: 'user-limit' });
    stock.audit();
  });
});

describe('an item with shards', () => {
  it('is sold out when all of its shards are, for any quantity', () => {
    const stock = ledger({ items: [{ sku: 1, quantity: 100, shards: 16 }] });
    let taken = 0;
    for (const quantity of [30, 20, 7, 13, 1, 1, 1, 27]) {
      reserved(stock.reserve({ sku: 1, quantity }));
      taken += quantity;
      expect(stock.counts(1)).toMatchObject({ available: 100 - taken, reserved: taken });
      expect(stock.reserve({ sku: 1, quantity: 101 - taken })).toMatchObject({ reason: 'sold-out' });
    }
    expect(taken).toBe(100);
    stock.audit();
  });

  it('sells each unit once to threads that begin at different shards', () => {
    const stock = ledger({ items: [{ sku: 1, quantity: 1_000, shards: 5 }] });
    const attached = [stock, Stock.attach(stock.handle), Stock.attach(stock.handle)];
    const all = [];
    for (let i = 0; ; i++) {
      const answer = attached[i % 3]?.reserve({ sku: 1, quantity: 1 });
      if (answer?.ok !== true) break;
      all.push(answer.reservation);
    }
    expect(all.length).toBe(1_000);
    for (const one of attached) {
      expect(one.reserve({ sku: 1, quantity: 1 })).toEqual({ ok: false, reason: 'sold-out' });
    }
    for (const id of all.slice(0, 10)) attached[2]?.cancel(id);
    reserved(attached[1]?.reserve({ sku: 1, quantity: 10 }) ?? { ok: false, reason: 'sold-out' });
    stock.audit();
  });
});
