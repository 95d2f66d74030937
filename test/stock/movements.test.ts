import { setTimeout as sleep } from 'node:timers/promises';
import { ManualClock, type Movement, Stock, type StockOptions } from 'sluice';
import { describe, expect, it } from 'vitest';
import { replay, seed } from '../seed.js';
import { expectError, rejected, thrown } from '../thrown.js';
import { WorkerThread, withThreads } from '../worker-thread.js';
import { reserved } from './reserved.js';

function ledger(options: Partial<StockOptions> = {}) {
  const clock = new ManualClock(5);
  const stock = Stock.create({ items: [{ sku: 'shirt', quantity: 10 }], clock, ...options });
  return { clock, stock };
}
type Told = Awaited<ReturnType<ReturnType<Stock['movements']>['next']>>['value'];

/** Returns the next `count` movements of a reader. */
async function take(reader: ReturnType<Stock['movements']>, count: number): Promise<Told[]> {
  const told: Told[] = [];
  for (let i = 0; i < count; i++) told.push((await reader.next()).value);
  return told;
}
const brief = (told: Told) =>
  told === undefined || told.kind === 'lost' ? told : [told.kind, told.sku, told.quantity];

describe('movements', () => {
  it('have the change, its time, its user and its reservation', async () => {
    const { clock, stock } = ledger({ items: [{ sku: 'shirt', quantity: 10, perUser: 9 }] });
    const one = reserved(stock.reserve({ sku: 'shirt', quantity: 3, user: 'Ann' }));
    clock.advance(2);
    stock.confirm(one, { quantity: 2 });
    const two = reserved(stock.reserve({ sku: 'shirt', quantity: 1, user: 7 }));
    const three = reserved(stock.reserve({ sku: 'shirt', quantity: 4, user: 2n ** 64n - 1n }));
    stock.cancel(two);
    clock.advance(30_000);
    stock.expire();
    stock.restock('shirt', 5);
    stock.withdraw('shirt', 100);
    stock.closeItem('shirt');
    stock.closeItem('shirt'); // changes nothing
    stock.addItem({ sku: 6, quantity: 0 });
    const sku = 'shirt';
    const ann = { user: 'Ann', reservation: one };
    const seven = { user: 7n, reservation: two };
    const huge = { user: 2n ** 64n - 1n, reservation: three };
    const expected = [
      { kind: 'added', sku, quantity: 10, timeMs: 5 },
      { kind: 'reserved', sku, quantity: 3, timeMs: 5, ...ann },
      { kind: 'confirmed', sku, quantity: 2, timeMs: 7, ...ann },
      { kind: 'returned', sku, quantity: 1, timeMs: 7, ...ann },
      { kind: 'reserved', sku, quantity: 1, timeMs: 7, ...seven },
      { kind: 'reserved', sku, quantity: 4, timeMs: 7, ...huge },
      { kind: 'cancelled', sku, quantity: 1, timeMs: 7, ...seven },
      { kind: 'expired', sku, quantity: 4, timeMs: 30_007, ...huge },
      { kind: 'restocked', sku, quantity: 5, timeMs: 30_007 },
      { kind: 'withdrawn', sku, quantity: 13, timeMs: 30_007 },
      { kind: 'closed', sku, quantity: 0, timeMs: 30_007 },
      { kind: 'added', sku: 6, quantity: 0, timeMs: 30_007 },
    ].map((movement, position) => ({ position, ...movement }));
    expect(await take(stock.movements(), expected.length)).toEqual(expected);
  });

  it('of a cart are one for each line, under one reservation', async () => {
    const { stock } = ledger({ items: [1, 2].map((sku) => ({ sku, quantity: 9 })) });
    const lines = [1, 2].map((sku) => ({ sku, quantity: sku }));
    const reservation = reserved(stock.reserveAll(lines));
    stock.cancel(reservation);
    const told = await take(stock.movements({ from: 2 }), 4);
    expect(told.map(brief)).toEqual([
      ['reserved', 1, 1],
      ['reserved', 2, 2],
      ['cancelled', 1, 1],
      ['cancelled', 2, 2],
    ]);
    for (const one of told) expect(one).toMatchObject({ reservation });
    expect(told[0]).not.toHaveProperty('user');
  });

  it('come as they happen, to any number of readers in any thread', async () => {
    const { stock } = ledger();
    const readers = [stock.movements(), Stock.attach(stock.handle).movements()];
    for (const reader of readers) expect(brief((await reader.next()).value)).toEqual(['added', 'shirt', 10]);
    const waiting = readers.map((reader) => reader.next());
    reserved(stock.reserve({ sku: 'shirt', quantity: 2 }));
    for (const one of waiting) expect(brief((await one).value)).toEqual(['reserved', 'shirt', 2]);
  });

  it('that were overwritten before they were read are counted as lost, exactly', async () => {
    const { stock } = ledger({ movements: 8 });
    const slow = stock.movements();
    expect(brief((await slow.next()).value)).toEqual(['added', 'shirt', 10]);
    for (let i = 0; i < 10; i++) stock.cancel(reserved(stock.reserve({ sku: 'shirt', quantity: 1 })));
    // There are 21 movements in all: the reader has read one, and the ledger keeps the last 8.
    expect((await slow.next()).value).toEqual({ kind: 'lost', count: 12 });
    const told = (await take(slow, 8)) as Movement[];
    expect(told.map(({ position }) => position)).toEqual([13, 14, 15, 16, 17, 18, 19, 20]);
    // A new reader begins at the oldest movement that is kept, or at its `from`.
    expect((await stock.movements().next()).value).toMatchObject({ position: 13 });
    expect((await stock.movements({ from: 17 }).next()).value).toMatchObject({ position: 17 });
    const late = stock.movements({ from: 3 });
    expect(await take(late, 2)).toMatchObject([{ kind: 'lost', count: 10 }, { position: 13 }]);
  });

  it('end when the ledger is disposed of, and when the signal aborts, with its reason', async () => {
    const { stock } = ledger();
    const reader = stock.movements();
    const abort = new AbortController();
    const other = stock.movements({ signal: abort.signal });
    await reader.next();
    await other.next();
    const [next, otherNext] = [reader.next(), rejected(other.next())];
    abort.abort(new Error('enough'));
    expect((await otherNext).message).toBe('enough');
    stock[Symbol.dispose]();
    expect(await next).toEqual({ value: undefined, done: true });
  });

  it('are not kept if there is no room for any, and their reader throws instead of waiting for ever', () => {
    const { stock } = ledger({ movements: 0 });
    reserved(stock.reserve({ sku: 'shirt', quantity: 1 }));
    for (const one of [stock, Stock.attach(stock.handle), Stock.restore(stock.snapshot())]) {
      const error = thrown(() => one.movements());
      expectError(error, 'ERR_SLUICE_OPTION', TypeError);
      expect(error.message).toBe(
        'Stock.movements: expected a ledger that was created with room for some, got "movements: 0"',
      );
      one[Symbol.dispose]();
    }
  });
});

it('movements() refuses a `from` beyond the next movement, for which it would wait in vain', () => {
  const stock = Stock.create({ items: [{ sku: 1, quantity: 1 }] });
  expectError(
    thrown(() => stock.movements({ from: 2 })),
    'ERR_SLUICE_OPTION',
    RangeError,
  );
  stock[Symbol.dispose]();
});

it('movements() ends at once on an abort, even if nothing else keeps the process alive', async () => {
  const stock = Stock.create({ items: [] });
  const abort = new AbortController();
  const next = stock.movements({ signal: abort.signal }).next();
  abort.abort(new Error('enough'));
  expect(await rejected(next)).toMatchObject({ message: 'enough' });
  stock[Symbol.dispose]();
});

/** The longest of the short holds in workers/buyer.js. */
const shortHoldMsMax = 20;

// The threads take seconds where nothing else runs, and much longer on a busy machine.
describe('a reader beside four threads that sell', { timeout: 240_000 }, () => {
  it.each([
    { movements: 2 ** 17, loses: false },
    { movements: 64, loses: true },
  ])('gets every movement, or learns how many it lost: room for $movements', async ({ movements, loses }) => {
    const stock = Stock.create({
      items: [1, 2, 3].map((sku) => ({ sku, quantity: 10_000 })),
      movements,
      holdMs: 86_400_000,
    });
    const url = new URL('./workers/buyer.js', import.meta.url);
    const shared = new SharedArrayBuffer(8 * 12);
    const rounds = 10_000;
    const buyers = Array.from(
      { length: 4 },
      (_, i) =>
        new WorkerThread(url, {
          handle: stock.handle,
          skus: [1, 2, 3],
          users: 50,
          rounds,
          seed: seed + i,
          shared,
        }),
    );
    await withThreads(buyers, async () => {
      let buying = true;
      const end = Promise.all(
        buyers.map((buyer) => buyer.message<{ told: Record<string, number> }>('bought')),
      );
      end
        .then(async () => {
          await sleep(shortHoldMsMax + 1); // the short holds that buyers left are over, so nothing expires later
          stock.expire();
          buying = false;
          stock.restock(1, 1); // the last movement
        })
        .catch(() => {}); // awaited below
      let [read, lost, position] = [0, 0, 0];
      const open = new Map<bigint, number>();
      for await (const told of stock.movements()) {
        if (told.kind === 'lost') {
          expect(told.count, replay).toBeGreaterThan(0);
          lost += told.count;
          position += told.count;
          continue;
        }
        read++;
        expect(told.position, replay).toBe(position++);
        if (told.reservation !== undefined) {
          const units =
            (open.get(told.reservation) ?? 0) + (told.kind === 'reserved' ? 1 : -1) * told.quantity;
          open.set(told.reservation, units);
          if (!loses) expect(units, `${replay}, ${told.kind} ${told.position}`).toBeGreaterThanOrEqual(0);
        }
        if (!buying && told.kind === 'restocked') break;
      }
      const stats = stock.stats();
      // There is a movement for each of the three items, for each reservation, for each end of one, and for the
      // restock.
      expect(read + lost, replay).toBe(
        3 + stats.reserved + stats.confirmed + stats.cancelled + stats.expired + 1,
      );
      if (!loses) {
        expect(lost, replay).toBe(0);
        const held = [...open.values()].reduce((sum, units) => sum + units, 0);
        expect(held, replay).toBe([1, 2, 3].reduce((sum, sku) => sum + stock.counts(sku).reserved, 0));
      }
      expect((await end).length).toBe(4);
      stock.audit();
      stock[Symbol.dispose]();
    });
  });
});
