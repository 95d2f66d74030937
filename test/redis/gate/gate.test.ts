import { channel } from 'node:diagnostics_channel';
import { Limiter, record, u32, utf8 } from 'sluice';
import { RedisGate, RedisLimiter, type RedisPort, RedisQueue } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fields, order } from '../../gate/order.js';
import { mistyped } from '../../mistyped.js';
import { connect, disconnect } from '../clients.js';
import { tampered } from '../ports.js';
import { TcpProxy } from '../proxy.js';
import { until } from '../scene.js';
import { endServers, noRedis, Server } from '../servers.js';
import { leaveSales } from '../stock/sales.js';
import { type Counter, type CounterOptions, openCounter, reservationOf, runOf } from './counter.js';

let server: Server;
const proxies: TcpProxy[] = [];
const limiters: Limiter[] = [];
beforeAll(async () => {
  if (!noRedis) server = await Server.start();
});
afterEach(async () => {
  for (const proxy of proxies) proxy.isHole = false;
  await leaveSales();
  disconnect();
  for (const proxy of proxies.splice(0)) await proxy.close();
  for (const limiter of limiters.splice(0)) limiter[Symbol.dispose]();
});
afterAll(endServers);

async function opened(more: Partial<CounterOptions> = {}): Promise<Counter> {
  const redis = more.redis ?? (await connect(server.port));
  return openCounter(redis, { items: [{ sku: 1, quantity: 3 }], ...more });
}

function limiterOf(limit: number): Limiter {
  const limiter = Limiter.create({ slidingWindow: { limit, windowMs: 3_600_000 } });
  limiters.push(limiter);
  return limiter;
}

/** A gate whose connections go through a proxy. */
async function behindProxy(
  more: Partial<CounterOptions> = {},
): Promise<{ counter: Counter; proxy: TcpProxy }> {
  const proxy = await TcpProxy.before(server.port);
  proxies.push(proxy);
  return { counter: await opened({ redis: await connect(proxy.port), ...more }), proxy };
}

describe.skipIf(noRedis)('A gate on Redis', () => {
  it('knows refusals without asking the server, and charges nothing for them', async () => {
    const limiter = limiterOf(5);
    const { gate, stock } = await opened({ limiter });
    expect(gate.refusal(order(1))).toBeUndefined();
    for (const id of [1, 2, 3]) await gate.admit(order(id));
    await until('it knows that nothing is left', () => gate.refusal(order(9)) !== undefined);
    const { calls } = stock.stats();
    for (let id = 10; id < 1_000; id++) {
      const refusal = gate.refusal(order(id));
      if (refusal?.outcome !== 'sold-out') throw new Error(`order ${id}: ${refusal?.outcome}`);
    }
    expect(stock.stats().calls).toBe(calls);
    expect(limiter.peek().remaining).toBe(2);
    // One that was admitted is no new order.
    expect(gate.refusal(order(1))).toBeUndefined();
    expect(await gate.admit(order(1))).toMatchObject({ outcome: 'admitted', duplicate: true });
    expect(gate.stats()).toMatchObject({ admitted: 3, duplicates: 1, soldOut: 991 });
    const cart = { lines: [{ sku: 1, quantity: 1 }] };
    expect(gate.refusal(order(5_000), cart)).toEqual({ outcome: 'sold-out', sku: 1 });
  });

  it('does not take a unit for sold that an order keeps which is then refused', async () => {
    for (let round = 0; round < 5; round++) {
      const { gate } = await opened({ items: [{ sku: 1, quantity: 2, perUser: 1 }], lease: {} });
      expect(await gate.admit(order(1))).toMatchObject({ outcome: 'admitted' });
      expect(await gate.admit(order(1))).toMatchObject({ duplicate: true }); // more demand: the last unit is leased
      expect(await gate.admit(order(2))).toEqual({ outcome: 'user-limit' });
      expect(await gate.admit(order(3, { user: 2 }))).toMatchObject({ outcome: 'admitted' });
      expect(await gate.admit(order(4, { user: 3 }))).toEqual({ outcome: 'sold-out' });
    }
  });

  it('takes no bad value for a known refusal, and says in admit what is wrong', async () => {
    const { gate, stock } = await opened();
    for (const id of [1, 2, 3]) await gate.admit(order(id));
    await until('it knows that nothing is left', () => gate.refusal(order(9)) !== undefined);
    const texts = ['', '1', {}, null, -1, 0.5, Number.NaN, 2n ** 64n, () => 1];
    for (const value of texts) {
      expect(gate.refusal(mistyped({ ...order(9), quantity: value }))).toBeUndefined();
      await expect(gate.admit(mistyped({ ...order(9), quantity: value }))).rejects.toMatchObject({
        ...{ code: 'ERR_SLUICE_FIELD', field: 'quantity' },
      });
    }
    for (const value of [{}, null, undefined, -1, 2n ** 64n, Symbol.iterator, '\ud800', 'x'.repeat(257)]) {
      expect(gate.refusal(mistyped({ ...order(9), id: value }))).toBeUndefined();
    }
    for (const none of [undefined, null, 7, 'order']) expect(gate.refusal(mistyped(none))).toBeUndefined();
    expect(() => gate.refusal(order(9), mistyped({ hold: 1 }))).toThrow(/RedisGate.refusal: unknown option/);
    expect(await stock.audit()).toEqual({ items: 1, held: 3 });
  });

  it('queues what it has checked, whatever the getters of an order do', async () => {
    const { gate, stock, cashiers, depth } = await opened();
    let reads = 0;
    const sly = {
      ...order(1),
      get quantity() {
        reads++;
        return reads;
      },
    };
    await gate.admit(sly);
    expect(reads).toBe(1);
    const seen: number[] = [];
    const run = runOf(cashiers(), ({ quantity }) => void seen.push(quantity));
    await until('the stream is empty', async () => (await depth()) === 0);
    await run.end();
    expect(seen).toEqual([1]);
    expect(await stock.counts(1)).toMatchObject({ sold: 1, available: 2 });
  });

  it('admits an order once when the reply is lost, and charges it once', async () => {
    const limiter = limiterOf(9);
    const { counter, proxy } = await behindProxy({ limiter });
    for (const id of [1, 2]) {
      const cut = proxy.cutAt(`n${id}`, { executes: id === 1 });
      const admission = counter.gate.admit(order(id));
      await cut;
      expect(await admission).toMatchObject({ outcome: 'admitted', duplicate: false });
    }
    expect(await counter.depth()).toBe(2);
    expect(limiter.peek().remaining).toBe(7);
    expect(await counter.stock.audit()).toEqual({ items: 1, held: 2 });
  });

  it("is 'unavailable' without an answer; what became of the order decides about the charge", async () => {
    const limiter = limiterOf(9);
    const { counter, proxy } = await behindProxy({ limiter, timeoutMs: 200 });
    proxy.isHole = true;
    const answers = [counter.gate.admit(order(1)), counter.gate.admit(order(2, { quantity: 4 }))];
    expect(await Promise.all(answers)).toEqual([{ outcome: 'unavailable' }, { outcome: 'unavailable' }]);
    expect(counter.gate.stats()).toMatchObject({ unavailable: 2, pending: 0 });
    expect(limiter.peek().remaining).toBe(7);
    proxy.isHole = false;
    proxy.cut();
    // The first one is admitted later, the second one is not: there are only three units.
    await until('the charge of the second one is back', () => limiter.peek().remaining === 8);
    await until('the first one is known', async () => (await counter.depth().catch(() => 0)) === 1);
    expect(await counter.gate.admit(order(1))).toMatchObject({ outcome: 'admitted', duplicate: true });
    expect(limiter.peek().remaining).toBe(8);
    const direct = await opened({ sale: counter.sale });
    // It was refused for good.
    expect(await direct.gate.admit(order(2, { quantity: 4 }))).toEqual({ outcome: 'already-failed' });
    expect(await direct.stock.audit()).toEqual({ items: 1, held: 1 });
  });

  it('lets an order without an id be handled although its answer came too late', async () => {
    const { id: _, ...withoutId } = fields;
    const { counter, proxy } = await behindProxy({ timeoutMs: 200, fields: withoutId });
    proxy.isHole = true;
    expect(await counter.gate.admit(order(1))).toEqual({ outcome: 'unavailable' });
    proxy.isHole = false;
    proxy.cut();
    const direct = await opened({ sale: counter.sale });
    await until('it is in the stream', async () => (await direct.depth()) === 1);
    await until('nothing more is to come', () => counter.stock.stats().pending === 0);
    const run = runOf(direct.cashiers(), () => {});
    await until('it is sold', async () => (await direct.stock.counts(1)).sold === 1);
    await run.end();
    expect(await direct.stock.audit()).toEqual({ items: 1, held: 0 });
  });

  it('gives the earlier answer, on another machine, too, while the limiter refuses', async () => {
    const first = await opened();
    const second = await opened({ sale: first.sale, limiter: limiterOf(1) });
    await second.gate.admit(order(9));
    const { reservation } = (await first.gate.admit(order(1))) as { reservation: bigint };
    await until('the second machine has heard of it', async () => {
      return (await second.gate.admit(order(1))).outcome === 'admitted';
    });
    expect(await second.gate.admit(order(1))).toEqual({
      ...{ outcome: 'admitted', reservation, duplicate: true, state: 'held' },
    });
    expect(await second.gate.admit(order(2))).toMatchObject({ outcome: 'rate-limited' });
  });

  it('is limited over all machines by a RedisLimiter, which a refusal does not charge', async () => {
    const redis = await connect(server.port);
    const open = () =>
      RedisLimiter.open({
        ...{ redis, prefix: 'test', name: 'gate', slidingWindow: { limit: 3, windowMs: 600_000 } },
        ...{ keys: { max: 100 }, lease: false as const },
      });
    const [first, second] = [await open(), await open()];
    const here = await opened({ limiter: first, items: [{ sku: 1, quantity: 9 }] });
    const there = await opened({ limiter: second, sale: here.sale });
    const remaining = async (key: string): Promise<number> => (await first.peek({ key })).remaining;
    expect(await here.gate.admit(order(1, { quantity: 10 }), { key: 'a' })).toEqual({ outcome: 'sold-out' });
    await until('the charge is back', async () => (await remaining('a')) === 3);
    expect(await here.gate.admit(order(2), { key: 'a' })).toMatchObject({ outcome: 'admitted' });
    expect(await there.gate.admit(order(3), { key: 'a' })).toMatchObject({ outcome: 'admitted' });
    expect(await there.gate.admit(order(4), { key: 'a' })).toMatchObject({ outcome: 'admitted' });
    expect(await here.gate.admit(order(5), { key: 'a' })).toMatchObject({
      ...{ outcome: 'rate-limited', tier: 'sliding-window', window: 0 },
    });
    expect(here.gate.refusal(order(6), { key: 'a' })).toMatchObject({ outcome: 'rate-limited' });
    expect(here.gate.refusal(order(6), { key: 'b' })).toBeUndefined();
    expect(here.gate.refusal(order(2), { key: 'a' })).toBeUndefined();
    expect(await here.gate.admit(order(2), { key: 'a' })).toMatchObject({ duplicate: true });
    expect(await here.gate.admit(order(5), { key: 'b' })).toMatchObject({ outcome: 'admitted' });
    await Promise.all([first.close(), second.close()]);
    await expect(here.gate.admit(order(7), { key: 'b' })).rejects.toMatchObject({
      code: 'ERR_SLUICE_CLOSED',
    });
  });

  it("is 'unavailable' while the server of its limiter does not answer", async () => {
    const proxy = await TcpProxy.before(server.port);
    proxies.push(proxy);
    const limiter = await RedisLimiter.open({
      ...{ redis: await connect(proxy.port), prefix: 'test', name: 'away', timeoutMs: 100 },
      tokenBucket: { ratePerSecond: 1, burst: 9 },
    });
    const { gate, stock } = await opened({ limiter });
    proxy.isHole = true;
    expect(await gate.admit(order(1))).toEqual({ outcome: 'unavailable' });
    expect(await stock.counts(1)).toMatchObject({ reserved: 0 });
    expect(gate.stats()).toMatchObject({ unavailable: 1, rateLimited: 0 });
    await limiter.close();
  });

  it('without a queue leaves the reservations to the caller', async () => {
    const { redis, sale, stock } = await opened();
    const gate = RedisGate.create<{ what: number; n: bigint; by: string }>({
      ...{ stock, fields: { sku: 'what', quantity: 'n', id: 'by' } },
    });
    const first = await gate.admit({ what: 1, n: 2n, by: 'ann' });
    expect(first).toMatchObject({ outcome: 'admitted', duplicate: false });
    expect(await gate.admit({ what: 1, n: 2n, by: 'ann' })).toMatchObject({ duplicate: true });
    expect(await stock.confirm(reservationOf(first))).toBe('confirmed');
    expect(await gate.admit({ what: 1, n: 2n, by: 'ann' })).toMatchObject({ state: 'confirmed' });
    for (const [field, bad] of [
      ['what', { what: -1, n: 1n, by: 'x' }],
      ['n', { what: 1, n: 0n, by: 'x' }],
      ['by', { what: 1, n: 1n, by: '' }],
      ['by', mistyped({ what: 1, n: 1n })],
    ] as const) {
      await expect(gate.admit(bad)).rejects.toMatchObject({ code: 'ERR_SLUICE_FIELD', field });
    }
    await expect(gate.admit(mistyped(null))).rejects.toMatchObject({ code: 'ERR_SLUICE_OPTION' });
    expect(await redis.send(['EXISTS', `test:{${sale}}:orders`])).toBe(0);
  });

  it('publishes its answers on the channels of a gate', async () => {
    const { gate } = await opened();
    const seen: string[] = [];
    const note = (message: unknown): void => {
      const {
        gate: by,
        order: of,
        admission,
      } = message as {
        gate: unknown;
        order: { id: bigint };
        admission: { outcome: string };
      };
      if (by === gate) seen.push(`${of.id} ${admission.outcome}`);
    };
    const names = ['sluice:gate:admitted', 'sluice:gate:refused'];
    for (const name of names) channel(name).subscribe(note);
    await gate.admit(order(1, { quantity: 3 }));
    await gate.admit(order(2));
    await until('it knows that nothing is left', () => gate.refusal(order(3)) !== undefined);
    for (const name of names) channel(name).unsubscribe(note);
    expect(seen).toEqual(['1 admitted', '2 sold-out', '3 sold-out']);
  });

  it('waits at its end for the orders that wait, and leaves its parts open', async () => {
    const { gate, stock, queue } = await opened();
    const admissions = [gate.admit(order(1)), gate.admit(order(2))];
    await Promise.all([gate.close(), gate.close()]);
    expect(gate.stats()).toMatchObject({ admitted: 2, pending: 0 });
    expect((await Promise.all(admissions)).map(({ outcome }) => outcome)).toEqual(['admitted', 'admitted']);
    await expect(gate.admit(order(3))).rejects.toMatchObject({ code: 'ERR_SLUICE_DISPOSED' });
    expect(() => gate.refusal(order(3))).toThrow(/closed/);
    expect([(await stock.counts(1)).reserved, await queue.depth()]).toEqual([2, 2]);
    await gate.close();
  });

  it('charges nothing for an order that a closed stock did not take', async () => {
    const limiter = limiterOf(9);
    const { gate, stock } = await opened({ limiter });
    await stock.close();
    await expect(gate.admit(order(1))).rejects.toMatchObject({ code: 'ERR_SLUICE_DISPOSED' });
    expect(limiter.peek().remaining).toBe(9);
  });

  it('shows its orders to the audit of the queue', async () => {
    const { gate, queue } = await opened();
    await gate.admit(order(1));
    await queue.push(order(2));
    await gate.admit(order(3));
    expect(await queue.audit()).toMatchObject({
      ...{ entries: 3, foreign: 0, twice: [], unremembered: [], orphans: 0, isPartial: false },
    });
  });

  it.each([
    ['another status', ['fine', 1, 1, [], '[]', ['0']]],
    ['no answers', ['ok', 1, 1, [], '[]', ['0']]],
    ['an empty answer', ['ok', 1, 1, [], '[[]]', ['0']]],
    ['nothing', null],
    ['a text', 'OK'],
  ])('is not led astray by a reply that is none: %s', async (_, wrong) => {
    const server_ = await connect(server.port);
    let left = 2;
    const redis: RedisPort = tampered(server_, {
      send: (args, send) =>
        args.some((arg) => String(arg).includes('["r",')) && left-- > 0 ? send().then(() => wrong) : send(),
    });
    const { gate, stock, depth } = await opened({ redis });
    expect(await gate.admit(order(1))).toMatchObject({ outcome: 'admitted', duplicate: false });
    expect(left).toBeLessThanOrEqual(0);
    expect(await depth()).toBe(1);
    expect(await stock.audit()).toEqual({ items: 1, held: 1 });
  });

  it('refuses, by name, options that are none of a gate', async () => {
    const { redis, stock, queue, sale } = await opened({ items: [{ sku: 1, quantity: 1, perUser: 1 }] });
    const make = (options: object) => () => RedisGate.create(mistyped({ stock, queue, fields, ...options }));
    const Other = record({ id: u32, name: utf8(8) });
    const queueOf = (stream: string) => new RedisQueue({ redis, stream, record: queue.record, id: 'id' });
    const depth = Limiter.create({ queueDepth: { max: 1 } });
    limiters.push(depth);
    for (const [options, message] of [
      [{ stock: undefined }, /create: stock: expected a RedisStock/],
      [{ stock: {} }, /create: stock: expected a RedisStock/],
      [{ queue: {} }, /create: queue: expected a RedisQueue/],
      [{ queue: queueOf('test:{other}:orders') }, /create: queue: .* the hash tag \{s\d+\}/],
      [{ queue: queueOf(`test:{${sale}}:movements`) }, /create: queue: .* no key of the stock/],
      [{ limiter: {} }, /create: limiter: expected a Limiter or a RedisLimiter/],
      [{ limiter: depth }, /create: limiter: expected a limiter without queueDepth/],
      [{ fields: undefined }, /create: fields: user/],
      [{ fields: { ...fields, user: undefined } }, /create: fields: user/],
      [{ fields: { ...fields, sku: undefined } }, /create: fields: sku/],
      [{ fields: { ...fields, sku: 'skus' } }, /create: fields: sku: expected the name of a field/],
      [{ fields: { ...fields, quantity: 'note' } }, /create: fields: quantity/],
      [{ fields: { ...fields, note: 'note' } }, /create: fields: unknown option/],
      [{ queue: new RedisQueue({ redis, stream: `{${sale}}:o`, record: Other, id: 'id' }) }, /fields: sku/],
      [{ queue: undefined, fields: { user: 7 } }, /create: fields: user: expected the name of a field/],
      [{ maxInHand: 1 }, /create: unknown option/],
    ] as const) {
      expect(make(options)).toThrow(message);
      expect(make(options)).toThrow(expect.objectContaining({ code: 'ERR_SLUICE_OPTION' }));
    }
    expect(() => Reflect.construct(RedisGate, [])).toThrow(/use RedisGate.create/);
    expect(make({})).not.toThrow();
  });

  it('needs a user where an item that was added later has a limit', async () => {
    const { user: _, ...withoutUser } = fields;
    const { gate, stock } = await opened({ fields: withoutUser });
    await stock.addItem({ sku: 2, quantity: 1, perUser: 1 });
    await expect(gate.admit(order(1, { sku: 2 }))).rejects.toThrow(/RedisGate.admit: user: expected a user/);
    expect(await gate.admit(order(2))).toMatchObject({ outcome: 'admitted' });
  });
});
