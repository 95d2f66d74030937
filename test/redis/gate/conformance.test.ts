import {
  type Admission,
  type AdmitOptions,
  Gate,
  Limiter,
  type LimiterOptions,
  ManualClock,
  Queue,
  Stock,
  type StockItem,
} from 'sluice';
import type { RedisAdmission } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fields, Order, order } from '../../gate/order.js';
import { type Client, connect, disconnect } from '../clients.js';
import { until } from '../scene.js';
import { type Binary, endServers, noRedis, Server, servers } from '../servers.js';
import { leaveSales } from '../stock/sales.js';
import { type OneOrder, openCounter, reservationOf, runOf } from './counter.js';

type Promised<T> = T | Promise<T>;
/** What both gates have. */
interface Either {
  admit(order: OneOrder, options?: AdmitOptions): Promised<Admission | RedisAdmission>;
  stats(): { admitted: number; duplicates: number; rateLimited: number; soldOut: number };
}
type Stocks = Pick<Stock, 'reserve' | 'reserveAll' | 'confirm' | 'cancel' | 'counts' | 'closeItem' | 'audit'>;
type EitherStock = {
  [Name in keyof Stocks]: (...given: Parameters<Stock[Name]>) => Promised<ReturnType<Stocks[Name]> | object>;
};

interface Opened {
  readonly gate: Either;
  readonly stock: EitherStock;
  readonly limiter: Limiter | undefined;
  depth(): Promised<number>;
  pass(ms: number): Promise<void>;
  /** Hands the orders of the queue to `handler` until none is left. */
  handleAll(handler: (order: OneOrder, hold: { cancel(): unknown }) => unknown): Promise<void>;
}
interface Options {
  readonly items: StockItem[];
  readonly holdMs?: number;
  readonly room?: number;
  readonly limits?: LimiterOptions;
  readonly fields?: Partial<typeof fields>;
}
interface Kind {
  readonly name: string;
  readonly missing: boolean;
  open(options: Options): Promise<Opened>;
}

const running = new Map<Binary, Server>();
const disposables: Disposable[] = [];
function own<T extends Disposable>(made: T): T {
  disposables.unshift(made);
  return made;
}

const local: Kind = {
  ...{ name: 'a gate in this process', missing: false },
  async open({ items, holdMs = 30_000, room = 1_000, limits, fields: own_ = fields }) {
    const clock = new ManualClock();
    const queue = own(Queue.create(Order, { capacity: room, clock }));
    const stock = own(Stock.create({ items, holdMs, clock }));
    const limiter = limits && own(Limiter.create({ ...limits, clock }));
    const gate = own(Gate.create({ queue, stock, fields: own_, ...(limiter && { limiter }) }));
    return {
      ...{ gate, stock, limiter },
      depth: () => queue.depth,
      pass: async (ms) => void clock.advance(ms),
      async handleAll(handler) {
        const end = new AbortController();
        const consuming = gate.consume(handler, { signal: end.signal }).catch(() => {});
        await until('all orders are handled', () => queue.depth === 0 && gate.stats().inHand === 0);
        end.abort();
        await consuming;
      },
    };
  },
};

function onRedis(binary: Binary, missing: boolean, client: Client, hasLeases: boolean): Kind {
  return {
    ...{ name: `${binary}, ${client}${hasLeases ? '' : ', without leases'}`, missing },
    async open({ items, holdMs = 30_000, room = 1_000, limits, fields: own_ = fields }) {
      const redis = await connect((running.get(binary) as Server).port, client);
      const limiter = limits && own(Limiter.create(limits));
      const counter = await openCounter(redis, {
        ...{ items, holdMs, maxLength: room, fields: own_, ...(limiter && { limiter }) },
        ...(hasLeases ? {} : { lease: false as const }),
      });
      return {
        ...{ gate: counter.gate, stock: counter.stock, limiter, depth: () => counter.depth() },
        pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        async handleAll(handler) {
          const run = runOf(counter.cashiers({ maxDeliveries: 1 }), handler);
          await until('all orders are handled', async () => (await counter.depth()) === 0);
          await run.end();
        },
      };
    },
  };
}

beforeAll(async () => {
  for (const { binary, missing } of servers) if (!missing) running.set(binary, await Server.start(binary));
});
afterEach(async () => {
  await leaveSales();
  disconnect();
  for (const one of disposables.splice(0)) one[Symbol.dispose]();
});
afterAll(endServers);

const kinds: Kind[] = [
  local,
  ...servers.flatMap(({ binary, missing }) => [
    onRedis(binary, missing, 'redis RESP 3', true),
    onRedis(binary, missing, 'ioredis RESP 2', true),
  ]),
  onRedis('redis-server', noRedis, 'redis RESP 2', false),
];

const admitted = { outcome: 'admitted', duplicate: false, state: 'held' };
const ofThree = { slidingWindow: { limit: 3, windowMs: 3_600_000 } };

/** How much the limiter would still allow. */
function left(limiter: Limiter | undefined): number {
  return limiter?.peek().remaining ?? Number.NaN;
}
async function countsOf(stock: EitherStock, sku: number): Promise<number[]> {
  const { total, available, reserved, sold } = (await stock.counts(sku)) as ReturnType<Stock['counts']>;
  return [total, available, reserved, sold];
}

for (const kind of kinds) {
  describe.skipIf(kind.missing)(kind.name, () => {
    it('charges, reserves and queues an order, or does none of these', async () => {
      const { gate, stock, limiter, depth } = await kind.open({
        ...{ items: [{ sku: 1, quantity: 3 }], limits: ofThree, room: 2 },
      });
      expect(await gate.admit(order(1, { quantity: 2 }))).toEqual({
        ...admitted,
        reservation: expect.any(BigInt),
      });
      expect(await gate.admit(order(2, { quantity: 2 }))).toEqual({ outcome: 'sold-out' });
      expect(await gate.admit(order(3, { sku: 9 }))).toEqual({ outcome: 'unknown-sku' });
      expect([left(limiter), await depth()]).toEqual([2, 1]);
      expect(await gate.admit(order(4))).toMatchObject(admitted);
      expect(await countsOf(stock, 1)).toEqual([3, 0, 3, 0]);
      expect([left(limiter), await depth()]).toEqual([1, 2]);
      expect(gate.stats()).toMatchObject({ admitted: 2, soldOut: 1, rateLimited: 0 });
    });

    it('refuses an order that finds no room in the queue, and charges nothing for it', async () => {
      const { gate, stock, limiter, depth } = await kind.open({
        ...{ items: [{ sku: 1, quantity: 3, perUser: 3 }], limits: ofThree, room: 1 },
      });
      await gate.admit(order(1));
      expect(await gate.admit(order(2))).toEqual({ outcome: 'queue-full' });
      expect(await gate.admit(order(2))).toEqual({ outcome: 'queue-full' });
      expect([left(limiter), await depth()]).toEqual([2, 1]);
      expect(await countsOf(stock, 1)).toEqual([3, 2, 1, 0]);
      expect(await gate.admit(order(1))).toMatchObject({ duplicate: true });
    });

    it('refuses what the limiter refuses, but not what comes again', async () => {
      const limits = { slidingWindow: { limit: 1, windowMs: 3_600_000 } };
      const { gate, stock, limiter } = await kind.open({ items: [{ sku: 1, quantity: 9 }], limits });
      const first = await gate.admit(order(1));
      const refusal = { outcome: 'rate-limited', tier: 'sliding-window', window: 0 };
      expect(await gate.admit(order(2))).toEqual({ ...refusal, retryAfterMs: expect.any(Number) });
      expect(await gate.admit(order(1))).toEqual({ ...first, duplicate: true });
      expect(await gate.admit(order(1, { quantity: 2 }))).toEqual({ outcome: 'id-mismatch' });
      expect(await countsOf(stock, 1)).toEqual([9, 8, 1, 0]);
      expect(left(limiter)).toBe(0);
      expect(gate.stats()).toMatchObject({ admitted: 1, duplicates: 1, rateLimited: 1 });
    });

    it('answers an id that comes again by what has become of its order', async () => {
      const { gate, stock, limiter, depth, handleAll } = await kind.open({
        ...{ items: [{ sku: 1, quantity: 5, perUser: 5 }], limits: ofThree },
      });
      const reservations = [
        await gate.admit(order(1)),
        await gate.admit(order(2)),
        await gate.admit(order(3)),
      ];
      const [sold, cancelled, thrown] = reservations.map(reservationOf);
      expect(await gate.admit(order(1))).toStrictEqual({
        ...{ outcome: 'admitted', reservation: sold, duplicate: true, state: 'held' },
      });
      expect(await depth()).toBe(3);
      await handleAll(({ id }, hold) => {
        if (id === 2n) hold.cancel();
        if (id === 3n) throw new Error('the test lets it fail');
      });
      await until('all are decided', async () => (await countsOf(stock, 1))[2] === 0);
      expect(await gate.admit(order(1))).toStrictEqual({
        ...{ outcome: 'admitted', reservation: sold, duplicate: true, state: 'confirmed' },
      });
      for (const [id, reservation] of [
        [2, cancelled],
        [3, thrown],
      ] as const) {
        expect(await gate.admit(order(id))).toStrictEqual({
          ...{ outcome: 'already-ended', reservation, state: 'cancelled' },
        });
      }
      expect(JSON.parse(JSON.stringify(await gate.admit(order(2))))).toMatchObject({
        reservation: String(cancelled),
      });
      expect(await countsOf(stock, 1)).toEqual([5, 4, 0, 1]);
      expect([left(limiter), await depth()]).toEqual([0, 0]);
      expect(await stock.audit()).toEqual({ items: 1, held: 0 });
    });

    it('answers an id whose hold ran out, and one that was refused for good', async () => {
      const { gate, stock, pass } = await kind.open({ items: [{ sku: 1, quantity: 1, perUser: 1 }] });
      const first = await gate.admit(order(1), { holdMs: 30 });
      expect(await gate.admit(order(2, { user: 1 }))).toMatchObject({
        outcome: expect.stringMatching(/^(?:sold-out|user-limit)$/),
      });
      await pass(60);
      const reservation = reservationOf(first);
      expect(await gate.admit(order(1))).toEqual({ outcome: 'already-ended', reservation, state: 'expired' });
      await stock.closeItem(1);
      expect(await gate.admit(order(5, { user: 3 }))).toEqual({ outcome: 'item-closed' });
      expect(await gate.admit(order(5, { user: 3 }))).toEqual({ outcome: 'already-failed' });
      expect(await gate.admit(order(5, { user: 2 }))).toEqual({ outcome: 'id-mismatch' });
    });

    it('tells orders of a gate from those that were reserved directly', async () => {
      const { gate, stock, limiter, depth } = await kind.open({
        ...{ items: [{ sku: 1, quantity: 5 }], limits: ofThree },
      });
      const direct = { sku: 1, quantity: 1, user: 1, id: 1n };
      const first = (await stock.reserve(direct)) as { reservation: bigint };
      const answer = { outcome: 'reserved-directly', reservation: first.reservation };
      expect(await gate.admit(order(1))).toStrictEqual(answer);
      expect(await gate.admit(order(1))).toStrictEqual(answer);
      expect([left(limiter), await depth()]).toEqual([3, 0]);
      const { reservation } = (await gate.admit(order(2))) as { reservation: bigint };
      expect(await stock.reserve({ ...direct, id: 2 })).toStrictEqual({
        ...{ ok: false, reason: 'admitted-by-gate', reservation },
      });
      expect(await stock.confirm(first.reservation)).toBe('confirmed');
      expect(await gate.admit(order(1))).toStrictEqual(answer);
    });

    it('limits the units of a user', async () => {
      const { gate, limiter } = await kind.open({
        ...{ items: [{ sku: 1, quantity: 9, perUser: 2 }], limits: ofThree },
      });
      expect(await gate.admit(order(1, { quantity: 2 }))).toMatchObject(admitted);
      expect(await gate.admit(order(2))).toEqual({ outcome: 'user-limit' });
      expect(await gate.admit(order(2))).toEqual({ outcome: 'already-failed' });
      expect(await gate.admit(order(3, { user: 2 }))).toMatchObject(admitted);
      expect(left(limiter)).toBe(1);
    });

    it('admits a cart as a whole, and names the item that refuses it', async () => {
      const items = [
        { sku: 1, quantity: 9 },
        { sku: 2, quantity: 1 },
      ];
      const { gate, stock, depth } = await kind.open({ items, fields: { user: 'user', id: 'id' } });
      const lines = [
        { sku: 1, quantity: 1 },
        { sku: 2, quantity: 1 },
        { sku: 1, quantity: 2 },
      ];
      const cart = await gate.admit(order(1), { lines });
      expect(cart).toMatchObject(admitted);
      expect(await gate.admit(order(1), { lines: lines.toReversed() })).toMatchObject({ duplicate: true });
      expect(await gate.admit(order(2), { lines })).toEqual({ outcome: 'sold-out', sku: 2 });
      expect(await countsOf(stock, 1)).toEqual([9, 6, 3, 0]);
      expect(await depth()).toBe(1);
      await expect(async () => gate.admit(order(3))).rejects.toMatchObject({ code: 'ERR_SLUICE_OPTION' });
      await expect(async () => gate.admit(order(3))).rejects.toThrow(/admit: lines/);
      await expect(async () => gate.admit(order(3), { lines: [] })).rejects.toThrow(/admit: lines/);
      expect(await stock.confirm(reservationOf(cart))).toBe('confirmed');
    });

    it('gives each key its own limit', async () => {
      const limits = { slidingWindow: { limit: 1, windowMs: 3_600_000 }, keys: { max: 100 } };
      const { gate } = await kind.open({ items: [{ sku: 1, quantity: 9 }], limits });
      expect(await gate.admit(order(1), { key: 'a' })).toMatchObject(admitted);
      expect(await gate.admit(order(2), { key: 'a' })).toMatchObject({ outcome: 'rate-limited' });
      expect(await gate.admit(order(2), { key: 'b' })).toMatchObject(admitted);
      for (const given of [undefined, {}, { key: Number.NaN }]) {
        await expect(async () => gate.admit(order(3), given)).rejects.toThrow(/admit: key/);
      }
    });

    it('names what is wrong with an order', async () => {
      const { gate, stock, depth } = await kind.open({ items: [{ sku: 1, quantity: 9 }] });
      const bad: Array<[field: string, change: Partial<OneOrder>]> = [
        ['quantity', { quantity: 0 }],
        ['quantity', { quantity: 65_536 }],
        ['sku', { sku: -1 }],
        ['user', { user: 0.5 }],
        ['note', { note: 'longer than 8' }],
      ];
      for (const [field, change] of bad) {
        const given = { ...order(1), ...change };
        await expect(async () => gate.admit(given)).rejects.toMatchObject({
          code: 'ERR_SLUICE_FIELD',
          field,
        });
      }
      await expect(async () => gate.admit(order(1), { holdMs: 0 })).rejects.toThrow(/admit: holdMs/);
      await expect(async () => gate.admit(order(1), { key: 'a' })).rejects.toThrow(/admit: key/);
      const misspelled: object = { hold: 1 };
      await expect(async () => gate.admit(order(1), misspelled)).rejects.toThrow(/admit: unknown option/);
      expect(await countsOf(stock, 1)).toEqual([9, 9, 0, 0]);
      expect(await depth()).toBe(0);
    });

    it('sells each unit once to orders that come at the same time', async () => {
      const { gate, stock, depth, handleAll } = await kind.open({
        items: [{ sku: 1, quantity: 60, perUser: 3 }],
      });
      const answers = await Promise.all(
        Array.from({ length: 200 }, async (_, i) => gate.admit(order(i, { user: i % 50 }))),
      );
      const won = answers.filter(({ outcome }) => outcome === 'admitted');
      expect(won.length).toBe(60);
      expect(new Set(won.map(reservationOf)).size).toBe(60);
      expect(await depth()).toBe(60);
      const handled: bigint[] = [];
      await handleAll(({ id }) => void handled.push(id));
      expect(new Set(handled).size).toBe(60);
      expect(await countsOf(stock, 1)).toEqual([60, 0, 0, 60]);
      expect(await stock.audit()).toEqual({ items: 1, held: 0 });
    });
  });
}

it('has the answers of a gate in this process, and two more', () => {
  // A compile-time check.
  type Extra = 'unavailable' | 'revoked';
  type Shared = Exclude<RedisAdmission['outcome'], Extra>;
  const isLocal: Shared extends Admission['outcome'] ? true : false = true;
  type OfLocal<O> = Extract<Admission, { readonly outcome: O }>;
  type OfRedis<O> = Extract<RedisAdmission, { readonly outcome: O }>;
  const admittedToo: OfRedis<'admitted'> extends OfLocal<'admitted'> ? true : false = true;
  const ended: OfRedis<'already-ended'> extends OfLocal<'already-ended'> ? true : false = true;
  const limited: OfRedis<'rate-limited'> extends OfLocal<'rate-limited'> ? true : false = true;
  const direct: OfRedis<'reserved-directly'> extends OfLocal<'reserved-directly'> ? true : false = true;
  /** Outcomes of a local gate that cannot come of Redis. */
  type OnlyLocal = Exclude<Admission['outcome'], RedisAdmission['outcome']>;
  const onlyLocal: Record<OnlyLocal, true> = {
    ...{
      closed: true,
      'ledger-full': true,
      'users-full': true,
      'ids-full': true,
      'in-progress': true,
      'sale-over': true,
    },
  };
  expect([isLocal, admittedToo, ended, limited, direct, Object.keys(onlyLocal).length]).toEqual([
    ...[true, true, true, true, true, 6],
  ]);
});
