import { Gate, ManualClock, Queue, record, Stock, type StockOptions, u32 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { seed } from '../seed.js';
import { expectError, thrown } from '../thrown.js';
import { WorkerThread, withThreads } from '../worker-thread.js';
import { reserved } from './reserved.js';

const most = 2 ** 32 - 1;

function ledger(options: Partial<StockOptions> = {}): Stock {
  return Stock.create({ items: [{ sku: 1, quantity: 100 }], clock: new ManualClock(), ...options });
}

describe('reopenItem', () => {
  it('goes on with a sale that was closed, whichever thread closed it', () => {
    const stock = ledger();
    const other = Stock.attach(stock.handle);
    stock.closeItem(1);
    expect(other.reserve({ sku: 1, quantity: 1, id: 'late' })).toMatchObject({ reason: 'item-closed' });
    expect(other.reopenItem(1)).toBe(true);
    expect(stock.reserve({ sku: 1, quantity: 1 }).ok).toBe(true);
    expect(stock.reserve({ sku: 1, quantity: 1, id: 'late' })).toMatchObject({ reason: 'already-failed' });
    expect(stock.reopenItem(1)).toBe(true);
    expect(stock.reopenItem(2)).toBe(false);
  });
});

describe('setTotal', () => {
  it.each([1, 4])(
    'sets an absolute level, or changes nothing, or comes as near as it can: %i shards',
    (shards) => {
      const stock = ledger({ items: [{ sku: 1, quantity: 10, shards }] });
      const held = reserved(stock.reserve({ sku: 1, quantity: 4 }));
      stock.confirm(reserved(stock.reserve({ sku: 1, quantity: 3 })));
      const before = { total: 10, available: 3, reserved: 4, sold: 3 };
      expect(stock.setTotal(1, 6)).toEqual({ ok: false, reason: 'units-taken', counts: before });
      expect(stock.counts(1)).toEqual(before);
      expect(stock.setTotal(1, 6, { clamp: true })).toEqual({
        ok: true,
        counts: { total: 7, available: 0, reserved: 4, sold: 3 },
      });
      expect(stock.reserve({ sku: 1, quantity: 1 })).toMatchObject({ reason: 'sold-out' });
      expect(stock.setTotal(1, most)).toMatchObject({ ok: true, counts: { available: most - 7 } });
      stock.cancel(held);
      expect(stock.setTotal(1, 3, { clamp: false })).toMatchObject({ ok: true, counts: { available: 0 } });
      stock.audit();
    },
  );

  it('appends the difference as a movement', async () => {
    const stock = ledger();
    stock.setTotal(1, 130);
    stock.setTotal(1, 130);
    stock.setTotal(1, 90);
    const told = [];
    for await (const movement of stock.movements()) {
      told.push([movement.kind, 'quantity' in movement && movement.quantity]);
      if (told.length === 3) break;
    }
    expect(told).toEqual([
      ['added', 100],
      ['restocked', 30],
      ['withdrawn', 40],
    ]);
  });

  it.each([-1, 0.5, 2 ** 32, Number.NaN, '1', undefined])('takes 0 to 2^32 - 1, not %s', (total) => {
    const stock = ledger();
    const error = thrown(() => stock.setTotal(1, mistyped(total)));
    expectError(error, 'ERR_SLUICE_OPTION');
    expect(error.message).toContain('Stock.setTotal: total');
    expect(stock.counts(1).total).toBe(100);
  });

  it('fails with an error about `sku` if there is no such item', () => {
    const error = thrown(() => ledger().setTotal(2, 1));
    expectError(error, 'ERR_SLUICE_OPTION', RangeError);
    expect(error.message).toContain('Stock.setTotal: sku');
  });
});

describe('changeItem: perUser', () => {
  it('lowers and raises a limit: a user that has more keeps the units and gets no more', () => {
    const stock = ledger({ items: [{ sku: 'a', quantity: 100, perUser: 5 }] });
    const held = reserved(stock.reserve({ sku: 'a', quantity: 4, user: 'anna' }));
    expect(stock.changeItem('a', { perUser: 2 })).toMatchObject({
      ok: true,
      counts: { total: 100, reserved: 4 },
    });
    const another = { sku: 'a', quantity: 1, user: 'anna' };
    expect(stock.reserve(another)).toMatchObject({ reason: 'user-limit' });
    expect(stock.confirm(held)).toBe('confirmed');
    expect(stock.reserve(another)).toMatchObject({ reason: 'user-limit' });
    stock.changeItem('a', { perUser: 5 });
    expect(stock.reserve(another).ok).toBe(true);
    expect(stock.reserve(another)).toMatchObject({ reason: 'user-limit' });
    stock.changeItem('a', {});
    expect(stock.reserve(another)).toMatchObject({ reason: 'user-limit' });
    stock.changeItem('a', { perUser: null });
    expect(stock.reserve({ sku: 'a', quantity: 50 }).ok).toBe(true);
    stock.audit();
  });

  it('of an item that had no limit counts users from then on, over a snapshot too', () => {
    const stock = ledger();
    const before = reserved(stock.reserve({ sku: 1, quantity: 7, user: 1 }));
    stock.confirm(reserved(stock.reserve({ sku: 1, quantity: 8, user: 1 })));
    stock.changeItem(1, { perUser: 2 });
    const error = thrown(() => stock.reserve({ sku: 1, quantity: 1 }));
    expectError(error, 'ERR_SLUICE_OPTION', TypeError);
    expect(stock.reserve({ sku: 1, quantity: 2, user: 1 }).ok).toBe(true);
    stock.audit();
    const restored = Stock.restore(stock.snapshot(), { clock: new ManualClock() });
    for (const one of [stock, restored]) {
      expect(one.reserve({ sku: 1, quantity: 1, user: 1 })).toMatchObject({ reason: 'user-limit' });
      expect(one.confirm(before, { quantity: 3 })).toBe('confirmed');
      expect(one.reserve({ sku: 1, quantity: 1, user: 1 })).toMatchObject({ reason: 'user-limit' });
      expect(one.counts(1)).toEqual({ total: 100, available: 87, reserved: 2, sold: 11 });
      one.audit();
    }
  });

  it('fails with an error about `sku` if there is no such item', () => {
    const error = thrown(() => ledger().changeItem(2, { perUser: 1 }));
    expectError(error, 'ERR_SLUICE_OPTION', RangeError);
    expect(error.message).toContain('Stock.changeItem: sku');
  });

  it('while threads sell from items that change: every audit passes', async () => {
    const skus = [1, 2, 3, 4, 5, 6];
    const clock = new ManualClock();
    const items = skus.map((sku) => ({ sku, quantity: 1_000_000 }));
    const stock = ledger({ items, maxReservations: 4_096, maxUsers: 10_000, holdMs: 10, clock });
    const url = new URL('./workers/buyer.js', import.meta.url);
    const shared = new SharedArrayBuffer(8 * 12);
    const buyers = Array.from({ length: 2 }, (_, i) => {
      const data = { handle: stock.handle, skus, users: 100, rounds: 40_000, shared, seed: seed + i };
      return new WorkerThread(url, data);
    });
    await withThreads(buyers, async () => {
      let buying = true;
      const answers = Promise.all(buyers.map((buyer) => buyer.message('bought'))).finally(() => {
        buying = false;
      });
      for (let round = 0; buying; round++) {
        const sku = skus[round % skus.length] as number;
        stock.changeItem(sku, { perUser: round % 4 === 3 ? null : 1 + (round % 50) });
        if (round % 2 === 0) stock.closeItem(sku);
        stock.configure({ holdMs: 1 + (round % 20) });
        stock.setTotal(sku, 500_000 + (round % 7) * 10_000);
        clock.advance(1);
        stock.expire();
        stock.audit();
        stock.reopenItem(sku);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await answers;
    });
    stock.audit();
  });
});

describe('groups', () => {
  const consoles = {
    groups: [{ name: 'consoles', perUser: 3 }],
    items: [
      { sku: 1, quantity: 100, group: 'consoles' },
      { sku: 2, quantity: 100, group: 'consoles', perUser: 2, shards: 2 },
      { sku: 3, quantity: 100 },
    ],
  };

  it('share a limit per user over all their items, in addition to limits of the items', () => {
    const clock = new ManualClock();
    const stock = ledger({ ...consoles, clock });
    expectError(
      thrown(() => stock.reserve({ sku: 1, quantity: 1 })),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
    expect(stock.reserve({ sku: 2, quantity: 3, user: 1 })).toMatchObject({ reason: 'user-limit' });
    const held = reserved(stock.reserve({ sku: 2, quantity: 2, user: 1 }));
    const one = { sku: 1, quantity: 1, user: 1 };
    expect(stock.reserve({ ...one, quantity: 2 })).toMatchObject({ reason: 'user-limit' });
    expect(stock.reserve(one).ok).toBe(true);
    expect(stock.reserve(one)).toMatchObject({ reason: 'user-limit' });
    expect(stock.confirm(held, { quantity: 1 })).toBe('confirmed');
    expect(stock.reserve(one).ok).toBe(true);
    expect(stock.reserve(one)).toMatchObject({ reason: 'user-limit' });
    clock.advance(30_000);
    stock.expire();
    expect(stock.reserve({ ...one, quantity: 2 }).ok).toBe(true);
    const restored = Stock.restore(stock.snapshot(), { clock: new ManualClock() });
    expect(restored.reserve(one)).toMatchObject({ reason: 'user-limit' });
    expect(restored.changeGroup('consoles', { perUser: 4 })).toBe(true);
    expect(restored.reserve(one).ok).toBe(true);
    expect(restored.changeGroup('shirts', { perUser: 4 })).toBe(false);
    restored.audit();
  });

  it('count the lines of a cart together, all or none', () => {
    const stock = ledger(consoles);
    const lines = [
      { sku: 3, quantity: 1 },
      { sku: 1, quantity: 2 },
      { sku: 2, quantity: 2 },
    ];
    expect(stock.reserveAll(lines, { user: 1 })).toEqual({ ok: false, reason: 'user-limit', sku: 2 });
    for (const { sku } of lines) expect(stock.counts(sku).reserved).toBe(0);
    expect(stock.reserveAll(lines.slice(0, 2), { user: 1 }).ok).toBe(true);
    stock.audit();
  });

  it('are added while the ledger sells: at most 64, of at most 64 items each', () => {
    const stock = ledger();
    expect(stock.addGroup({ name: 'ü', perUser: 1 })).toBe('added');
    expect(stock.addGroup({ name: 'ü', perUser: 1 })).toBe('group-exists');
    for (let i = 1; i < 64; i++) expect(stock.addGroup({ name: `g${i}`, perUser: 1 })).toBe('added');
    expect(stock.addGroup({ name: 'more', perUser: 1 })).toBe('groups-full');
    const item = { quantity: 1, group: 'ü' };
    for (let sku = 100; sku < 164; sku++) expect(stock.addItem({ sku, ...item })).toBe('added');
    expect(stock.addItem({ sku: 164, ...item })).toBe('group-full');
    expectError(
      thrown(() => stock.counts(164)),
      'ERR_SLUICE_OPTION',
    );
    const error = thrown(() => stock.addItem({ sku: 165, quantity: 1, group: 'none' }));
    expectError(error, 'ERR_SLUICE_OPTION', RangeError);
    expect(error.message).toContain('Stock.addItem: group');
  });

  it.each([
    ['items[0]: group', { items: [{ sku: 1, quantity: 1, group: 'none' }] }],
    [
      'items[64]: group',
      { items: Array.from({ length: 65 }, (_, sku) => ({ sku, quantity: 1, group: 'g' })) },
    ],
    [
      'groups[1]: name',
      {
        groups: [
          { name: 'g', perUser: 1 },
          { name: 'g', perUser: 2 },
        ],
      },
    ],
  ])('a RangeError names what does not fit together: %s', (option, options) => {
    const error = thrown(() => ledger({ groups: [{ name: 'g', perUser: 1 }], ...options }));
    expectError(error, 'ERR_SLUICE_OPTION', RangeError);
    expect(error.message).toContain(`Stock.create: ${option}`);
  });

  it('make the gate need a user, and hold through it', () => {
    const clock = new ManualClock();
    const stock = ledger({ ...consoles, clock });
    const queue = Queue.create(record({ sku: u32, quantity: u32, user: u32 }), { capacity: 8, clock });
    const fields = { sku: 'sku', quantity: 'quantity' } as const;
    expect(thrown(() => Gate.create({ queue, stock, fields })).message).toContain('fields: user');
    const gate = Gate.create({ queue, stock, fields: { ...fields, user: 'user' } });
    expect(gate.admit({ sku: 1, quantity: 2, user: 1 })).toMatchObject({ outcome: 'admitted' });
    expect(gate.admit({ sku: 2, quantity: 2, user: 1 })).toMatchObject({ outcome: 'user-limit' });
    expect(gate.admit({ sku: 2, quantity: 1, user: 1 })).toMatchObject({ outcome: 'admitted' });
    const lines = [
      { sku: 1, quantity: 2 },
      { sku: 2, quantity: 2 },
    ];
    expect(gate.admit({ sku: 0, quantity: 0, user: 2 }, { lines })).toEqual({
      outcome: 'user-limit',
      sku: 2,
    });
    stock.audit();
  });
});

describe('configure: holdMs', () => {
  it('applies to new reservations, of every thread, and is in a snapshot', () => {
    const clock = new ManualClock();
    const stock = ledger({ holdMs: 10, clock });
    const other = Stock.attach(stock.handle);
    const short = reserved(stock.reserve({ sku: 1, quantity: 1 }));
    other.configure({ holdMs: 500.25 });
    other.configure({});
    expect(stock.reserve({ sku: 1, quantity: 1 })).toMatchObject({ expiresInMs: 500.25 });
    expect(stock.reserve({ sku: 1, quantity: 1, holdMs: 3 })).toMatchObject({ expiresInMs: 3 });
    const long = reserved(stock.reserveAll([{ sku: 1, quantity: 1 }]));
    clock.advance(10);
    expect(stock.confirm(short)).toBe('expired');
    clock.advance(490);
    expect(stock.confirm(long)).toBe('confirmed');
    const restored = Stock.restore(stock.snapshot(), { clock: new ManualClock() });
    expect(restored.reserve({ sku: 1, quantity: 1 })).toMatchObject({ expiresInMs: 500.25 });
  });
});
