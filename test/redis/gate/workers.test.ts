import { channel } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Hold, RedisPort } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { order } from '../../gate/order.js';
import { connect, disconnect } from '../clients.js';
import { tampered } from '../ports.js';
import { TcpProxy } from '../proxy.js';
import { deadLetters, until } from '../scene.js';
import { endServers, noRedis, Server } from '../servers.js';
import { leaveSales } from '../stock/sales.js';
import { type Counter, type OneOrder, openCounter, reservationOf, runOf } from './counter.js';

let server: Server;
const proxies: TcpProxy[] = [];
beforeAll(async () => {
  if (!noRedis) server = await Server.start();
});
afterEach(async () => {
  await leaveSales();
  disconnect();
  for (const proxy of proxies.splice(0)) await proxy.close();
});
afterAll(endServers);

const items = [{ sku: 1, quantity: 9, perUser: 9 }];
const both = ['redis RESP 3', 'ioredis RESP 2'] as const;

async function opened(client: (typeof both)[number] = 'redis RESP 3', more = {}): Promise<Counter> {
  return openCounter(await connect(server.port, client), { items, ...more });
}

async function countsOf({ stock }: Counter): Promise<number[]> {
  const { available, reserved, sold } = await stock.counts(1);
  return [available, reserved, sold];
}

/** Collects what is published of orders that could not be confirmed. */
function unconfirmed(): { readonly seen: Array<{ id: bigint; resolution: string }>; end(): void } {
  const seen: Array<{ id: bigint; resolution: string }> = [];
  const note = (message: unknown): void => {
    const { order: of, resolution } = message as { order: OneOrder; resolution: string };
    seen.push({ id: of.id, resolution });
  };
  channel('sluice:gate:not-confirmed').subscribe(note);
  return { seen, end: () => void channel('sluice:gate:not-confirmed').unsubscribe(note) };
}

describe.skipIf(noRedis).each(both)('Workers with the stock of their orders, with %s,', (client) => {
  it('confirm what is handled and cancel what is cancelled, each before its entry is done', async () => {
    const counter = await opened(client);
    for (const id of [1, 2, 3, 4]) await counter.gate.admit(order(id));
    const holds = new Map<bigint, Hold>();
    const answers: string[] = [];
    const workers = counter.cashiers();
    const run = runOf(workers, async ({ id }, hold) => {
      holds.set(id, hold);
      await sleep(1);
      if (id === 2n) answers.push(hold.cancel(), hold.cancel());
      if (id === 3n) answers.push(hold.confirm(), hold.confirm());
    });
    await until('the stream is empty', async () => (await counter.depth()) === 0);
    // No entry is done before its reservation is.
    expect(await countsOf(counter)).toEqual([6, 0, 3]);
    await run.end();
    expect(answers).toEqual(['cancelled', 'already-cancelled', 'confirmed', 'already-confirmed']);
    for (const [id, state] of [
      [1, 'confirmed'],
      [2, 'cancelled'],
      [3, 'confirmed'],
      [4, 'confirmed'],
    ] as const) {
      const found = await counter.stock.find({ id });
      expect(found).toMatchObject({ state, reservation: holds.get(BigInt(id))?.reservation });
    }
    expect(workers.stats()).toMatchObject({
      handled: 3,
      cancelled: 1,
      unconfirmed: 0,
      inHand: 0,
      unsettled: 0,
    });
    expect(await counter.stock.audit()).toEqual({ items: 1, held: 0 });
  });

  it('keep the units of an order that fails, and sell them when a later try succeeds', async () => {
    const counter = await opened(client, { holdMs: 300 });
    await counter.gate.admit(order(1));
    const deliveries: number[] = [];
    // Each wait is longer than a hold and the time to notice a dead process.
    const patient = { claimIdleMs: 100, blockMs: 50, backoff: { baseMs: 900, factor: 1, jitter: 0 } };
    const run = runOf(counter.cashiers(patient), (_, hold) => {
      deliveries.push(hold.deliveries);
      if (deliveries.length < 3) throw new Error('the test lets it fail');
    });
    await until('the stream is empty', async () => (await counter.depth()) === 0);
    await run.end();
    expect(deliveries).toEqual([1, 2, 3]);
    expect(await countsOf(counter)).toEqual([8, 0, 1]);
  });

  it('put the units of a dead letter back on sale', async () => {
    const counter = await opened(client);
    await counter.gate.admit(order(1));
    const run = runOf(counter.cashiers({ maxDeliveries: 2 }), () => {
      throw new Error('the test lets it fail');
    });
    await until('the units are on sale', async () => (await countsOf(counter))[0] === 9);
    await run.end();
    const [letter] = await deadLetters(counter.redis, counter.stream);
    expect(letter).toMatchObject({ id: '1', 'sluice:reason': 'failed', reservation: expect.any(String) });
    expect(await counter.stock.find({ id: 1 })).toMatchObject({ state: 'cancelled' });
  });
});

describe.skipIf(noRedis)('Workers with the stock of their orders', () => {
  it('renew the hold of an order that is handled for long', async () => {
    const counter = await opened('redis RESP 3', { holdMs: 150 });
    await counter.gate.admit(order(1));
    const workers = counter.cashiers({ claimIdleMs: 200, blockMs: 50 });
    const run = runOf(workers, () => sleep(900));
    await until('the stream is empty', async () => (await counter.depth()) === 0);
    await run.end();
    expect(await countsOf(counter)).toEqual([8, 0, 1]);
    expect(workers.stats()).toMatchObject({ handled: 1, unconfirmed: 0 });
  });

  it('publish an order whose hold ran out in the stream, and acknowledge it', async () => {
    const counter = await opened();
    await counter.gate.admit(order(1), { holdMs: 20 });
    await counter.gate.admit(order(2), { holdMs: 20 });
    await sleep(40);
    const published = unconfirmed();
    const workers = counter.cashiers();
    let answer: string | undefined;
    const run = runOf(workers, async ({ id }, hold) => {
      // A handler that must not act in vain asks the server.
      if (id === 2n) answer = await counter.stock.confirm(String(hold.reservation));
    });
    await until('the stream is empty', async () => (await counter.depth()) === 0);
    await run.end();
    published.end();
    expect(answer).toBe('expired');
    expect(published.seen).toEqual([
      { id: 1n, resolution: 'expired' },
      { id: 2n, resolution: 'expired' },
    ]);
    expect(workers.stats()).toMatchObject({ handled: 2, unconfirmed: 2 });
    expect(await countsOf(counter)).toEqual([9, 0, 0]);
  });

  it('tell a handler that waits what has become of the reservation meanwhile', async () => {
    const counter = await opened();
    const first = await counter.gate.admit(order(1));
    await counter.stock.cancel(reservationOf(first));
    const answers: string[] = [];
    const run = runOf(counter.cashiers(), async (_, hold) => {
      while (answers.length === 0) {
        await sleep(5);
        // The renewal that began with the handler brings the answer.
        if (counter.stock.stats().pending === 0) answers.push(hold.confirm());
      }
    });
    await until('the stream is empty', async () => (await counter.depth()) === 0);
    await run.end();
    expect(answers).toEqual(['already-cancelled']);
  });

  it('hand out orders that were pushed past the gate, which have no reservation', async () => {
    const counter = await opened();
    await counter.queue.push(order(5));
    await counter.gate.admit(order(6));
    const seen: Array<[bigint, boolean]> = [];
    const run = runOf(counter.cashiers(), ({ id }, hold) => {
      seen.push([id, hold.reservation !== undefined]);
    });
    await until('the stream is empty', async () => (await counter.depth()) === 0);
    await run.end();
    expect(seen).toEqual([
      [5n, false],
      [6n, true],
    ]);
    expect(await countsOf(counter)).toEqual([8, 0, 1]);
  });

  it('without the stock leave the reservation to the handler', async () => {
    const counter = await opened();
    await counter.gate.admit(order(1));
    await counter.gate.admit(order(2));
    const { cashiers, stock } = counter;
    const without: object = { stock: undefined };
    const workers = cashiers(without);
    const run = runOf(workers, async ({ id }, { reservation = 0n }) => {
      if (id === 1n) await stock.confirm(reservation);
    });
    await until('the stream is empty', async () => (await counter.depth()) === 0);
    await run.end();
    expect(await countsOf(counter)).toEqual([7, 1, 1]);
  });

  it('acknowledge no order before the server has confirmed it, whatever replies are lost', async () => {
    const proxy = await TcpProxy.before(server.port);
    proxies.push(proxy);
    // The stock of the workers is reached through a proxy that breaks; the stream is not.
    const counter = await opened();
    const broken = await openCounter(await connect(proxy.port), {
      items,
      sale: counter.sale,
      timeoutMs: 300,
    });
    await counter.gate.admit(order(1));
    const workers = counter.cashiers({ stock: broken.stock });
    proxy.isHole = true;
    const run = runOf(workers, () => {});
    await until('the order is handled', () => workers.stats().handled === 1);
    await sleep(700); // longer than a call waits
    expect(await countsOf(counter)).toEqual([8, 1, 0]);
    expect(await counter.depth()).toBe(1);
    expect(workers.stats()).toMatchObject({
      unsettled: 1,
      lastFault: expect.stringMatching(/no answer in time/),
    });
    proxy.isHole = false;
    proxy.cut();
    await until('the stream is empty', async () => (await counter.depth()) === 0);
    await run.end();
    expect(await countsOf(counter)).toEqual([8, 0, 1]);
    expect(workers.stats()).toMatchObject({ unconfirmed: 0, unsettled: 0 });
  });

  it('give an order back if the stock was closed under them, and end', async () => {
    const counter = await opened();
    const own = await openCounter(await connect(server.port), { items, sale: counter.sale });
    await counter.gate.admit(order(1));
    let isClosed = false;
    const workers = counter.cashiers({ stock: own.stock });
    const ended = workers.run(async () => {
      await own.stock.close();
      isClosed = true;
    });
    await expect(ended).rejects.toMatchObject({ code: 'ERR_SLUICE_DISPOSED' });
    expect(isClosed).toBe(true);
    expect(await countsOf(counter)).toEqual([8, 1, 0]);
    const next = runOf(counter.cashiers(), () => {});
    await until('the stream is empty', async () => (await counter.depth()) === 0);
    await next.end();
    expect(await countsOf(counter)).toEqual([8, 0, 1]);
  });

  it('have the hash tag of the sale, and a stock of sluice', async () => {
    const counter = await opened();
    const wrong = /RedisWorkers: stock: expected a stock of the sale other/;
    expect(() => counter.cashiers({ stream: 'test:{other}:orders' })).toThrow(wrong);
    const noStock: object = { stock: { plan: {} } };
    expect(() => counter.cashiers(noStock)).toThrow(/RedisWorkers: stock: expected a RedisStock/);
  });

  it('take no answer that no script gives for a decision', async () => {
    const counter = await opened();
    await counter.gate.admit(order(1));
    let isWrong = true;
    const redis: RedisPort = tampered(counter.redis, {
      async send(args, send) {
        const reply = await send();
        if (!isWrong || !args.some((arg) => String(arg).includes('["c",'))) return reply;
        return ['ok', 1];
      },
    });
    const own = await openCounter(redis, { items, sale: counter.sale, timeoutMs: 1_000 });
    const workers = counter.cashiers({ stock: own.stock });
    const run = runOf(workers, () => {});
    await until('the order is handled', () => workers.stats().handled === 1);
    await until('a call was too late', () => /no answer/.test(workers.stats().lastFault ?? ''));
    expect(await counter.depth()).toBe(1);
    isWrong = false;
    await until('the stream is empty', async () => (await counter.depth()) === 0);
    await run.end();
    expect(await countsOf(counter)).toEqual([8, 0, 1]);
  });
});
