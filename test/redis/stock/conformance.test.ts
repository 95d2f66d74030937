import { ManualClock, Stock, type StockItem } from 'sluice';
import { RedisStock } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Client, clients, connect, disconnect } from '../clients.js';
import { type Binary, endServers, Server, servers } from '../servers.js';
import { leaveSales, openSale } from './sales.js';

type Shared =
  | ('reserve' | 'reserveAll' | 'confirm' | 'cancel' | 'extend' | 'expire' | 'counts')
  | ('addItem' | 'closeItem' | 'reopenItem' | 'restock' | 'withdraw' | 'audit');
/** The calls that both stocks have: those of the stock in this process, whose answers are promised or not. */
type Either = {
  [Name in Shared]: (
    ...given: Parameters<Stock[Name]>
  ) => ReturnType<Stock[Name]> | ReturnType<RedisStock[Name]>;
};

interface Kind {
  readonly name: string;
  readonly missing: boolean;
  /** Makes a stock, and what lets `ms` milliseconds pass for it. */
  open(items: StockItem[], holdMs?: number): Promise<{ stock: Either; pass(ms: number): Promise<void> }>;
}

const running = new Map<Binary, Server>();
const locals: Stock[] = [];

const local: Kind = {
  ...{ name: 'a stock in this process', missing: false },
  async open(items, holdMs = 30_000) {
    const clock = new ManualClock();
    const stock = Stock.create({ items, holdMs, clock });
    locals.push(stock);
    return { stock, pass: async (ms) => void clock.advance(ms) };
  },
};

function onRedis(binary: Binary, missing: boolean, client: Client, hasLeases: boolean): Kind {
  return {
    ...{ name: `${binary}, ${client}${hasLeases ? '' : ', without leases'}`, missing },
    async open(items, holdMs = 30_000) {
      const redis = await connect((running.get(binary) as Server).port, client);
      const lease = hasLeases ? {} : { lease: false as const };
      const stock = await openSale(0, { redis, items, holdMs, ...lease });
      return { stock, pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)) };
    },
  };
}

beforeAll(async () => {
  for (const { binary, missing } of servers) if (!missing) running.set(binary, await Server.start(binary));
});
afterEach(async () => {
  await leaveSales();
  disconnect();
  for (const stock of locals.splice(0)) stock[Symbol.dispose]();
});
afterAll(endServers);

const kinds: Kind[] = [
  local,
  ...servers.flatMap(({ binary, missing }) =>
    clients.map((client) => onRedis(binary, missing, client, true)),
  ),
  ...servers.map(({ binary, missing }) => onRedis(binary, missing, 'redis RESP 3', false)),
];

/** The reservation of an answer that must have one. */
function reservationOf(answer: object): bigint {
  if (!('reservation' in answer) || typeof answer.reservation !== 'bigint') throw new Error('not reserved');
  return answer.reservation;
}

/** The counts that both stocks have. */
async function countsOf(stock: Either, sku: number | string): Promise<number[]> {
  const { total, available, reserved, sold } = await stock.counts(sku);
  return [total, available, reserved, sold];
}

const soldOut = { ok: false, reason: 'sold-out' };

for (const kind of kinds) {
  describe.skipIf(kind.missing)(kind.name, () => {
    it('reserves, confirms and cancels each unit once', async () => {
      const { stock } = await kind.open([{ sku: 7, quantity: 3 }]);
      const first = await stock.reserve({ sku: 7, quantity: 1 });
      expect(first).toMatchObject({ ok: true, duplicate: false, state: 'held' });
      const second = await stock.reserve({ sku: 7, quantity: 2 });
      expect(await countsOf(stock, 7)).toEqual([3, 0, 3, 0]);
      expect(await stock.reserve({ sku: 7, quantity: 1 })).toEqual(soldOut);
      expect(await stock.confirm(reservationOf(first))).toBe('confirmed');
      expect(await stock.confirm(reservationOf(first))).toBe('already-confirmed');
      expect(await stock.cancel(String(reservationOf(first)))).toBe('already-confirmed');
      expect(await stock.cancel(reservationOf(second))).toBe('cancelled');
      expect(await stock.confirm(reservationOf(second))).toBe('already-cancelled');
      expect(await stock.confirm(12_345n)).toBe('unknown');
      expect(await countsOf(stock, 7)).toEqual([3, 2, 0, 1]);
      expect(await stock.audit()).toEqual({ items: 1, held: 0 });
    });

    it('gives a repeated id its answer, another body none, and a failed one no second chance', async () => {
      const { stock } = await kind.open([{ sku: 7, quantity: 4, perUser: 2 }]);
      const request = { sku: 7, quantity: 1, user: 42, id: 'order-1' };
      const first = await stock.reserve(request);
      const again = await stock.reserve({ ...request, user: 42n });
      expect(again).toMatchObject({ ok: true, duplicate: true, state: 'held' });
      expect(reservationOf(again)).toBe(reservationOf(first));
      expect(await stock.reserve({ ...request, quantity: 2 })).toEqual({ ok: false, reason: 'id-mismatch' });
      expect(await stock.reserve({ ...request, user: '42' })).toEqual({ ok: false, reason: 'id-mismatch' });
      expect(await stock.reserveAll([{ sku: 7, quantity: 1 }], { user: 42, id: 'order-1' })).toMatchObject({
        duplicate: true,
      });
      const tooMany = { sku: 7, quantity: 2, user: 42, id: 9 };
      expect(await stock.reserve(tooMany)).toEqual({ ok: false, reason: 'user-limit' });
      expect(await stock.cancel(reservationOf(first))).toBe('cancelled');
      expect(await stock.reserve(tooMany)).toEqual({ ok: false, reason: 'already-failed' });
      expect(await stock.reserve({ ...tooMany, quantity: 1 })).toEqual({ ok: false, reason: 'id-mismatch' });
      expect(await stock.reserve(request)).toMatchObject({
        duplicate: true,
        state: 'cancelled',
        expiresInMs: 0,
      });
      expect(await stock.reserve({ ...tooMany, id: '9' })).toMatchObject({ ok: true });
      expect(await stock.audit()).toEqual({ items: 1, held: 1 });
    });

    it('forgets no refusal of an item that is sold out, and remembers no other', async () => {
      const { stock } = await kind.open([{ sku: 7, quantity: 1 }]);
      const first = await stock.reserve({ sku: 7, quantity: 1 });
      const request = { sku: 7, quantity: 1, id: 'late' };
      expect(await stock.reserve(request)).toEqual(soldOut);
      await stock.cancel(reservationOf(first));
      expect(await stock.reserve(request)).toEqual({ ok: false, reason: 'already-failed' });
      const unknown = { sku: 8, quantity: 1, id: 'early' };
      expect(await stock.reserve(unknown)).toEqual({ ok: false, reason: 'unknown-sku' });
      expect(await stock.addItem({ sku: 8, quantity: 1 })).toBe('added');
      expect(await stock.addItem({ sku: 8, quantity: 1 })).toBe('sku-exists');
      expect(await stock.reserve(unknown)).toMatchObject({ ok: true });
    });

    it('limits the units of a user, whoever gave them back', async () => {
      const { stock } = await kind.open([{ sku: 7, quantity: 100, perUser: 2 }]);
      const request = { sku: 7, quantity: 1, user: 'ann' };
      const [first] = [await stock.reserve(request), await stock.reserve(request)];
      expect(await stock.reserve(request)).toEqual({ ok: false, reason: 'user-limit' });
      expect(await stock.reserve({ ...request, user: 'bob' })).toMatchObject({ ok: true });
      await stock.confirm(reservationOf(first));
      expect(await stock.reserve(request)).toEqual({ ok: false, reason: 'user-limit' });
      const { user: _, ...anonymous } = request;
      await expect(async () => stock.reserve(anonymous)).rejects.toMatchObject({ code: 'ERR_SLUICE_OPTION' });
      await expect(async () => stock.reserve(anonymous)).rejects.toThrow(/reserve: user/);
    });

    it('reserves a cart as a whole or not at all', async () => {
      const { stock } = await kind.open([
        { sku: 7, quantity: 5 },
        { sku: 'a|%7C', quantity: 2, perUser: 1 },
      ]);
      const lines = [
        { sku: 7, quantity: 2 },
        { sku: 'a|%7C', quantity: 1 },
        { sku: 7, quantity: 1 },
      ];
      const cart = await stock.reserveAll(lines, { user: 1, id: 'cart' });
      expect(cart).toMatchObject({ ok: true });
      expect(await stock.reserveAll([...lines].reverse(), { user: 1, id: 'cart' })).toMatchObject({
        duplicate: true,
      });
      expect(await countsOf(stock, 7)).toEqual([5, 2, 3, 0]);
      expect(await stock.reserveAll(lines, { user: 2 })).toEqual({ ...soldOut, sku: 7 });
      const limited = [
        { sku: 7, quantity: 1 },
        { sku: 'a|%7C', quantity: 1 },
      ];
      expect(await stock.reserveAll(limited, { user: 1 })).toEqual({
        ok: false,
        reason: 'user-limit',
        sku: 'a|%7C',
      });
      expect(await countsOf(stock, 7)).toEqual([5, 2, 3, 0]);
      expect(await countsOf(stock, 'a|%7C')).toEqual([2, 1, 1, 0]);
      expect(await stock.confirm(reservationOf(cart))).toBe('confirmed');
      expect(await countsOf(stock, 'a|%7C')).toEqual([2, 1, 0, 1]);
      expect(await stock.audit()).toEqual({ items: 2, held: 0 });
    });

    it('expires what is not confirmed in time, and extends', async () => {
      const { stock, pass } = await kind.open([{ sku: 7, quantity: 2, perUser: 1 }], 600);
      const short = await stock.reserve({ sku: 7, quantity: 1, user: 1 });
      const long = await stock.reserve({ sku: 7, quantity: 1, user: 2, holdMs: 400 });
      expect(await stock.extend(reservationOf(long), 60_000)).toBe('extended');
      await pass(800);
      expect(await stock.extend(reservationOf(short), 60_000)).toBe('expired');
      expect(await stock.confirm(reservationOf(short))).toBe('expired');
      expect(await stock.expire()).toBe(0);
      expect(await countsOf(stock, 7)).toEqual([2, 1, 1, 0]);
      expect(await stock.reserve({ sku: 7, quantity: 1, user: 1 })).toMatchObject({ ok: true });
      expect(await stock.confirm(reservationOf(long))).toBe('confirmed');
      expect(await stock.extend(reservationOf(long), 1)).toBe('already-confirmed');
      expect(await stock.audit()).toEqual({ items: 1, held: 1 });
    });

    it('restocks, withdraws, closes and reopens', async () => {
      const { stock } = await kind.open([{ sku: 7, quantity: 5 }]);
      const first = await stock.reserve({ sku: 7, quantity: 1 });
      expect(await stock.withdraw(7, 10)).toBe(4);
      expect(await countsOf(stock, 7)).toEqual([1, 0, 1, 0]);
      expect(await stock.restock(7, 2)).toMatchObject({ total: 3, available: 2, reserved: 1, sold: 0 });
      expect(await stock.closeItem(7)).toBe(true);
      expect(await stock.closeItem(8)).toBe(false);
      expect(await stock.reserve({ sku: 7, quantity: 1, id: 1 })).toEqual({
        ok: false,
        reason: 'item-closed',
      });
      expect(await stock.confirm(reservationOf(first))).toBe('confirmed');
      expect(await stock.reopenItem(7)).toBe(true);
      expect(await stock.reserve({ sku: 7, quantity: 1, id: 1 })).toEqual({
        ok: false,
        reason: 'already-failed',
      });
      await expect.poll(async () => stock.reserve({ sku: 7, quantity: 1 })).toMatchObject({ ok: true });
      await expect(async () => stock.restock(8, 1)).rejects.toThrow(/restock: sku/);
      await expect(async () => stock.withdraw(8, 1)).rejects.toThrow(/withdraw: sku/);
      await expect(async () => stock.counts(8)).rejects.toThrow(/counts: sku/);
      await expect(async () => stock.restock(7, 4_294_967_295)).rejects.toThrow(/restock: quantity/);
      expect(await stock.audit()).toEqual({ items: 1, held: 1 });
    });

    it('refuses what is no request, by the name of the option', async () => {
      const { stock } = await kind.open([{ sku: 7, quantity: 5 }]);
      for (const [option, request] of [
        ['sku', { sku: -1, quantity: 1 }],
        ['sku', { sku: 'x'.repeat(33), quantity: 1 }],
        ['quantity', { sku: 7, quantity: 0 }],
        ['quantity', { sku: 7, quantity: 1.5 }],
        ['user', { sku: 7, quantity: 1, user: '' }],
        ['user', { sku: 7, quantity: 1, user: 'u'.repeat(65) }],
        ['id', { sku: 7, quantity: 1, id: 'i'.repeat(257) }],
        ['holdMs', { sku: 7, quantity: 1, holdMs: 0 }],
      ] as const) {
        await expect(async () => stock.reserve(request)).rejects.toThrow(new RegExp(`reserve: ${option}`));
      }
      await expect(async () => stock.reserveAll([])).rejects.toThrow(/reserveAll: lines/);
      await expect(async () => stock.confirm('x')).rejects.toThrow(/confirm: reservation/);
      await expect(async () => stock.extend(1n, 0)).rejects.toThrow(/extend: ms/);
      expect(await countsOf(stock, 7)).toEqual([5, 5, 0, 0]);
    });

    it('sells every unit once to callers that come at the same time', async () => {
      const { stock } = await kind.open([{ sku: 7, quantity: 100, perUser: 3 }]);
      const answers = await Promise.all(
        Array.from({ length: 400 }, async (_, i) =>
          stock.reserve({ sku: 7, quantity: 1, user: i % 100, id: i }),
        ),
      );
      const won = answers.filter(({ ok }) => ok);
      expect(won.length).toBe(100);
      expect(new Set(won.map(reservationOf)).size).toBe(100);
      expect(await countsOf(stock, 7)).toEqual([100, 0, 100, 0]);
      expect(await stock.audit()).toEqual({ items: 1, held: 100 });
    });
  });
}

it('has the names and answers of a stock in this process', () => {
  // A compile-time check: what a RedisStock resolves to is what the local method of this name returns, or one of the
  // two reasons that only it has.
  type Local<Name extends Shared> = ReturnType<Stock[Name]>;
  type Remote<Name extends Shared> = Awaited<ReturnType<RedisStock[Name]>>;
  type Extra = { readonly ok: false; readonly reason: 'unavailable' | 'revoked' };
  const same: { [Name in Shared]: Exclude<Remote<Name>, Extra> extends Local<Name> | Extra ? true : Name } = {
    ...{
      reserve: true,
      reserveAll: true,
      confirm: true,
      cancel: true,
      extend: true,
      expire: true,
      counts: true,
    },
    ...{ addItem: true, closeItem: true, reopenItem: true, restock: true, withdraw: true, audit: true },
  };
  for (const name of Object.keys(same)) expect(RedisStock.prototype).toHaveProperty(name);
});
