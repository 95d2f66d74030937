import { setImmediate as immediate } from 'node:timers/promises';
import { ManualClock, Queue, record, Stock, u32 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { replay, seed } from '../seed.js';
import { expectError, thrown } from '../thrown.js';
import { WorkerThread, withThreads } from '../worker-thread.js';
import { reserved } from './reserved.js';

function busy() {
  const clock = new ManualClock(1_000);
  const stock = Stock.create({
    items: [
      { sku: 1, quantity: 10, perUser: 4 },
      { sku: 'blue shirt', quantity: 20, shards: 3 },
    ],
    maxReservations: 16,
    maxUsers: 16,
    maxIds: 16,
    holdMs: 100,
    clock,
  });
  const held = reserved(stock.reserve({ sku: 1, quantity: 2, user: 'Ann', id: 'a' }));
  const cart = reserved(
    stock.reserveAll(
      [
        { sku: 1, quantity: 1 },
        { sku: 'blue shirt', quantity: 15 },
      ],
      { user: 7, id: 8n },
    ),
  );
  const sold = reserved(stock.reserve({ sku: 1, quantity: 3, user: 7 }));
  stock.confirm(sold);
  const cancelled = reserved(stock.reserve({ sku: 1, quantity: 1, user: 9, id: 3 }));
  stock.cancel(cancelled);
  stock.reserve({ sku: 'blue shirt', quantity: 6, id: 'late' }); // sold out
  return { clock, stock, held, cart, sold, cancelled };
}
const reason = (bytes: Uint8Array) => thrown(() => Stock.restore(bytes)).message;

describe('tables of other sizes', () => {
  it('larger: reservations and ids stay valid, and there is room for more', () => {
    const { stock, held, cart, sold, cancelled } = busy();
    const sizes = { maxItems: 2_000, maxReservations: 100, maxUsers: 200, maxIds: 1_000, movements: 0 };
    const copy = Stock.restore(stock.snapshot(), { clock: new ManualClock(), ...sizes });
    expect(copy.reserve({ sku: 1, quantity: 2, user: 'Ann', id: 'a' })).toMatchObject({ reservation: held });
    expect([copy.confirm(sold), copy.confirm(cancelled)]).toEqual(['already-confirmed', 'already-cancelled']);
    expect([copy.confirm(held), copy.confirm(cart)]).toEqual(['confirmed', 'confirmed']);
    expect(copy.addItem({ sku: 3, quantity: 1_000, perUser: 1 })).toBe('added');
    for (let user = 0; user < 100; user++)
      reserved(copy.reserve({ sku: 3, quantity: 1, user, id: `n${user}` }));
    expect(copy.reserve({ sku: 3, quantity: 1, user: 500 })).toMatchObject({ reason: 'ledger-full' });
    expect(thrown(() => copy.movements()).message).toContain('movements: 0');
    copy.audit();
    const again = Stock.restore(copy.snapshot(), { clock: new ManualClock(), maxUsers: 300 });
    expect(again.audit()).toEqual(copy.audit());
    expect(again.counts(3)).toEqual(copy.counts(3));
  });

  it('smaller: taken if the contents fit, otherwise a RangeError that names the option', () => {
    const { stock, held } = busy();
    const bytes = stock.snapshot();
    const clock = new ManualClock();
    const tight = Stock.restore(bytes, { clock, maxItems: 4, maxUsers: 2 });
    expect(tight.confirm(held)).toBe('confirmed');
    expect(tight.reserve({ sku: 1, quantity: 1, user: 'new' })).toMatchObject({ reason: 'users-full' });
    for (const option of [{ maxItems: 3 }, { maxReservations: 3 }, { maxUsers: 1 }]) {
      const error = thrown(() => Stock.restore(bytes, { clock, ...option }));
      expectError(error, 'ERR_SLUICE_OPTION', RangeError);
      expect(error.message).toContain(`Stock.restore: ${Object.keys(option)[0]}`);
    }
  });

  it('let a sale go on after users-full', { timeout: 60_000 }, () => {
    const most = 262_144; // the default of maxUsers for so many units
    const stock = Stock.create({
      items: [{ sku: 1, quantity: 300_000, perUser: 1 }],
      clock: new ManualClock(),
    });
    const buy = (ledger: Stock, user: number) => {
      const answer = ledger.reserve({ sku: 1, quantity: 1, user });
      return answer.ok ? ledger.confirm(answer.reservation) : answer.reason;
    };
    for (let user = 0; user < most; user++) buy(stock, user);
    expect(stock.counts(1).sold).toBe(most);
    expect(buy(stock, most)).toBe('users-full');
    const larger = Stock.restore(stock.snapshot(), { clock: new ManualClock(), maxUsers: 300_000 });
    expect(buy(larger, 0)).toBe('user-limit');
    for (let user = most; user < 300_000; user++) buy(larger, user);
    expect(larger.counts(1)).toEqual({ total: 300_000, available: 0, reserved: 0, sold: 300_000 });
    larger.audit();
  });
});

describe('a restored ledger', () => {
  it('gives the answers of the original: counts, reservations, users, ids', () => {
    const { stock, held, cart, sold, cancelled } = busy();
    const clock = new ManualClock();
    const copy = Stock.restore(stock.snapshot(), { clock });
    for (const sku of [1, 'blue shirt']) expect(copy.counts(sku)).toEqual(stock.counts(sku));
    expect(copy.audit()).toEqual(stock.audit());
    expect([copy.cancel(sold), copy.confirm(cancelled)]).toEqual(['already-confirmed', 'already-cancelled']);
    expect(copy.reserve({ sku: 1, quantity: 2, user: 'Ann', id: 'a' })).toMatchObject({
      reservation: held,
      duplicate: true,
    });
    expect(copy.reserve({ sku: 1, quantity: 1, user: 'Ann', id: 'a' })).toMatchObject({
      reason: 'id-mismatch',
    });
    expect(copy.reserve({ sku: 'blue shirt', quantity: 6, id: 'late' })).toMatchObject({
      reason: 'already-failed',
    });
    expect(copy.reserve({ sku: 1, quantity: 1, user: 7 })).toMatchObject({ reason: 'user-limit' });
    expect(copy.confirm(cart)).toBe('confirmed');
    expect(copy.confirm(held, { quantity: 1 })).toBe('confirmed');
    expect(copy.reserve({ sku: 1, quantity: 3, user: 'Ann' })).toMatchObject({ ok: true });
    copy.audit();
    // The ledger from which the snapshot was taken goes on independently.
    expect(stock.cancel(cart)).toBe('cancelled');
    stock.audit();
  });

  it('holds reservations for as long as they had left', () => {
    const { clock, stock, held } = busy();
    clock.advance(60);
    const other = new ManualClock(5);
    const copy = Stock.restore(stock.snapshot(), { clock: other });
    other.advance(40 - 1e-6);
    expect(copy.expire()).toBe(0);
    other.advance(1e-6);
    expect(copy.expire()).toBe(2);
    expect(copy.confirm(held)).toBe('expired');
    expect(copy.counts(1)).toEqual({ total: 10, available: 7, reserved: 0, sold: 3 });
    copy.audit();
  });

  it('is a ledger like any other: shared, swept by itself, and its snapshot is the same again', async () => {
    const { stock } = busy();
    const bytes = stock.snapshot();
    const copy = Stock.restore(bytes);
    const other = Stock.attach(copy.handle);
    while (other.counts(1).reserved > 0) await immediate();
    copy.audit();
    const clock = new ManualClock(99);
    expect(Buffer.compare(Stock.restore(bytes, { clock }).snapshot(), bytes)).toBe(0);
  });

  it('goes on where the original was, operation for operation', () => {
    const { clock, stock } = busy();
    const twin = new ManualClock(1_000);
    const copy = Stock.restore(stock.snapshot(), { clock: twin });
    for (let i = 0; i < 500; i++) {
      const request = { sku: i % 3 ? 1 : 'blue shirt', quantity: 1 + (i % 2), user: i % 5, id: i % 70 };
      const [answer, same] = [stock.reserve(request), copy.reserve(request)];
      expect(same).toEqual(answer);
      if (answer.ok && i % 4 === 0)
        expect(copy.cancel(answer.reservation)).toBe(stock.cancel(answer.reservation));
      clock.advance(7);
      twin.advance(7);
      if (i % 9 === 0) expect(copy.expire()).toBe(stock.expire());
    }
    expect(copy.counts(1)).toEqual(stock.counts(1));
  });
});

describe('bytes that are no whole snapshot are refused with the reason', () => {
  it('wherever they were cut', () => {
    const bytes = busy().stock.snapshot();
    for (let length = 0; length < bytes.length; length++) {
      const error = thrown(() => Stock.restore(bytes.subarray(0, length)));
      expectError(error, 'ERR_SLUICE_SNAPSHOT');
      expect(error.message).toContain(length < 8 ? 'not a snapshot' : 'damaged');
    }
    Stock.restore(bytes);
  });

  it('whichever byte was changed', () => {
    const bytes = busy().stock.snapshot();
    for (let at = 0; at < bytes.length; at++) {
      for (const flipped of [0x01, 0x80, 0xff]) {
        bytes[at] = (bytes[at] as number) ^ flipped;
        const error = thrown(() => Stock.restore(bytes));
        expectError(error, 'ERR_SLUICE_SNAPSHOT');
        expect(error.message, `byte ${at}`).toContain(
          at < 8 ? 'not a snapshot' : at < 16 ? 'another version' : 'damaged',
        );
        bytes[at] = (bytes[at] as number) ^ flipped;
      }
    }
    Stock.restore(bytes);
  });

  it('even if they are something else', () => {
    expect(reason(new Uint8Array())).toContain('not a snapshot');
    expect(reason(Buffer.from('hello'))).toContain('not a snapshot');
    expect(reason(new Uint8Array(4_096))).toContain('not a snapshot');
    expect(reason(Buffer.concat([busy().stock.snapshot(), Buffer.alloc(8)]))).toContain('damaged');
    expect(reason(Buffer.concat([busy().stock.snapshot(), Buffer.alloc(3)]))).toContain('damaged');
    for (const value of [
      undefined,
      null,
      'bytes',
      [],
      new ArrayBuffer(8),
      Queue.create(record({ a: u32 }), { capacity: 2 }),
    ]) {
      expectError(
        thrown(() => Stock.restore(mistyped(value))),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    }
  });

  it('but a whole one is read from any place of a larger buffer, aligned or not', () => {
    const bytes = busy().stock.snapshot();
    for (const offset of [0, 1, 3, 8]) {
      const larger = new Uint8Array(bytes.length + 16);
      larger.set(bytes, offset);
      Stock.restore(larger.subarray(offset, offset + bytes.length)).audit();
    }
  });
});

describe('a snapshot while four threads write', () => {
  it('is of one instant: the restored ledger adds up and passes its audit', async () => {
    const skus = [1, 2, 3];
    const stock = Stock.create({
      items: skus.map((sku) => ({ sku, quantity: 500, ...(sku === 1 && { perUser: 20 }), shards: sku })),
      maxReservations: 128,
      maxUsers: 512,
      maxIds: 512,
      holdMs: 2,
    });
    const url = new URL('./workers/buyer.js', import.meta.url);
    const shared = new SharedArrayBuffer(8 * 12);
    const buyers = Array.from(
      { length: 4 },
      (_, i) =>
        new WorkerThread(url, {
          handle: stock.handle,
          skus,
          users: 99,
          rounds: 30_000,
          seed: seed + i,
          shared,
        }),
    );
    await withThreads(buyers, async () => {
      let buying = true;
      const end = Promise.all(buyers.map((buyer) => buyer.message('bought'))).finally(() => {
        buying = false;
      });
      end.catch(() => {}); // reported below
      let [taken, sold] = [0, 0];
      while (buying || taken === 0) {
        const clock = new ManualClock();
        const copy = Stock.restore(stock.snapshot(), { clock });
        copy.audit();
        let now = 0;
        for (const sku of skus) {
          const counts = copy.counts(sku);
          expect(counts.available + counts.reserved + counts.sold, replay).toBe(500);
          now += counts.sold;
        }
        expect(now, `${replay}: what is sold stays sold`).toBeGreaterThanOrEqual(sold);
        sold = now;
        // Every held reservation ends in the copy as it would in the ledger.
        clock.advance(86_400_000);
        copy.expire();
        for (const sku of skus) expect(copy.counts(sku).reserved, replay).toBe(0);
        expect(copy.audit(), replay).toEqual({ items: 3, held: 0 });
        copy[Symbol.dispose]();
        taken++;
        await immediate();
      }
      await end;
      expect(taken).toBeGreaterThan(0);
      stock.audit();
      stock[Symbol.dispose]();
    });
  });
});
