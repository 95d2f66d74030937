import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { RedisPort, RedisStock, RedisStockOptions } from 'sluice/redis';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { order } from '../../gate/order.js';
import { connect, disconnect } from '../clients.js';
import { type Counter, openCounter, runOf } from '../gate/counter.js';
import { TcpProxy } from '../proxy.js';
import { follow } from '../replicas.js';
import { until } from '../scene.js';
import { type Binary, endServers, Server, servers } from '../servers.js';
import { leaveSales } from './sales.js';

const proxies: TcpProxy[] = [];
afterEach(async () => {
  await leaveSales();
  disconnect();
  for (const proxy of proxies.splice(0)) await proxy.close();
});
afterAll(endServers);

async function proxyBefore({ port }: Server): Promise<TcpProxy> {
  const proxy = await TcpProxy.before(port);
  proxies.push(proxy);
  return proxy;
}

const quantity = 400;
const items = [{ sku: 1, quantity }];
const both = ['redis RESP 3', 'ioredis RESP 2'] as const;

/** A master, a replica that gets what passes `cable`, and a gate whose client reaches a server by `road`. */
async function scene(binary: Binary, client: (typeof both)[number], more: Partial<RedisStockOptions>) {
  const master = await Server.start(binary, ['--repl-diskless-sync-delay', '0']);
  const replica = await Server.start(binary, ['--repl-diskless-sync-delay', '0']);
  const [cable, road] = [await proxyBefore(master), await proxyBefore(master)];
  await follow(replica, cable.port);
  const redis = await connect(road.port, client);
  const counter = await openCounter(redis, { items, timeoutMs: 6_000, ...more });
  return { master, replica, cable, road, counter };
}

/** Asks for orders with these ids, 16 at a time, until each has an answer. Returns the answers that there were. */
async function askForAll({ gate }: Counter, ids: readonly number[], admitted: Set<number>) {
  const left = [...ids];
  const answers = new Set<string>();
  const loop = async (): Promise<void> => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      let outcome = 'unavailable';
      while (outcome === 'unavailable') ({ outcome } = await gate.admit(order(id)));
      answers.add(outcome);
      if (outcome === 'admitted') admitted.add(id);
    }
  };
  await Promise.all(Array.from({ length: 16 }, loop));
  return answers;
}

/** Admits orders with these ids, and adds them to `told`. */
async function admitAll(counter: Counter, ids: readonly number[], told: Set<number>): Promise<void> {
  expect(await askForAll(counter, ids, told)).toEqual(new Set(['admitted']));
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Returns those of the ids that a server does not know, and those that its stream does not have exactly once. */
async function missingOf(stock: RedisStock, redis: RedisPort, stream: string, ids: Iterable<number>) {
  const unknown: number[] = [];
  const reservations: string[] = [];
  for (const id of ids) {
    const found = await stock.find({ id: BigInt(id) });
    if (found?.state !== 'held') unknown.push(id);
    else reservations.push(String(found.reservation));
  }
  const entries = JSON.stringify(await redis.send(['XRANGE', stream, '-', '+']));
  const unlisted = reservations.filter((reservation) => entries.split(`"${reservation}"`).length !== 2);
  return { unknown, unlisted };
}

describe.each(servers)('When a master of $binary fails over to its replica', ({ binary, missing }) => {
  const ways = [
    { client: 'redis RESP 3', by: 'SIGKILL' },
    { client: 'ioredis RESP 2', by: 'SIGSTOP' },
  ] as const;

  it.skipIf(missing).each(ways)(
    'no order is missing that was acknowledged with `replicas: 1` ($client, $by)',
    async ({ client, by }) => {
      const { master, replica, cable, road, counter } = await scene(binary, client, {
        durability: { replicas: 1, timeoutMs: 100 },
      });
      const { sale, stream, stock } = counter;
      const told = new Set<number>();
      await admitAll(counter, range(1, 100), told);
      cable.isHole = true; // The replica misses all from here on, and the master goes on.
      const admitting = admitAll(counter, range(101, 200), told);
      const [old, promoted] = [await connect(master.port), await connect(replica.port)];
      const lags = async () => {
        const [here, there] = await Promise.all([old, promoted].map((one) => one.send(['XLEN', stream])));
        return Number(here) > Number(there);
      };
      const waits = () => /0 of 1 replicas/.test(stock.stats().lastFault ?? '');
      await until('the master has orders that the replica lacks', async () => waits() && (await lags()));
      road.isHole = true;
      if (by === 'SIGKILL') await master.end('SIGKILL');
      else master.signal('SIGSTOP');
      await promoted.send(['REPLICAOF', 'NO', 'ONE']);
      // A process that never spoke to the old master looks, before the seller can say anything again.
      const witness = await openCounter(promoted, { items, sale });
      expect(await missingOf(witness.stock, promoted, stream, [...told])).toEqual({
        unknown: [],
        unlisted: [],
      });

      const next = await Server.start(binary, ['--repl-diskless-sync-delay', '0']);
      await follow(next, replica.port);
      road.target = replica.port;
      road.isHole = false;
      if (by === 'SIGKILL') road.cut(); // otherwise the client must find by itself that nothing answers
      await admitting;
      expect(told.size).toBe(200);
      expect(stock.stats()).toMatchObject({ revoked: 0 });
      expect(await missingOf(witness.stock, promoted, stream, told)).toEqual({ unknown: [], unlisted: [] });
      const seen: bigint[] = [];
      const run = runOf(counter.cashiers(), ({ id }) => seen.push(id));
      await until('the stream is empty', async () => (await witness.depth()) === 0, 20_000);
      await run.end();
      expect(new Set(seen).size).toBe(200);
      expect(await witness.stock.counts(1)).toMatchObject({ total: quantity, reserved: 0, sold: 200 });
      expect(await witness.stock.audit()).toEqual({ items: 1, held: 0 });
      master.signal('SIGCONT');
    },
  );

  it.skipIf(missing).each(both)(
    'what is lost without `durability` is said again while there is room, and revoked otherwise (%s)',
    async (client) => {
      const { master, replica, cable, road, counter } = await scene(binary, client, {});
      const { sale, stream, stock } = counter;
      const told = new Set<number>();
      await admitAll(counter, range(1, 100), told);
      const promoted = await connect(replica.port);
      const has = async (): Promise<number> => Number(await promoted.send(['XLEN', stream]));
      await until('the replica has them', async () => (await has()) === 100);
      cable.isHole = true;
      await admitAll(counter, range(101, 300), told);
      road.isHole = true;
      await master.end('SIGKILL');
      await promoted.send(['REPLICAOF', 'NO', 'ONE']);
      const witness = await openCounter(promoted, { items, sale });
      const { unknown } = await missingOf(witness.stock, promoted, stream, told);
      expect(unknown.sort((a, b) => a - b)).toEqual(range(101, 300));
      // Another process sells half of the units that the lost orders had, before the seller is there again.
      // An order is sold out while the seller's lease has the last units. Its id stays so: each try has new ids.
      const others = new Set<number>();
      let last = 1_000;
      await until('others have bought', async () => {
        const wanted = Math.min(200 - others.size, 10);
        await askForAll(witness, range(last + 1, last + wanted), others);
        last += wanted;
        return others.size === 200;
      });

      const revoked: bigint[] = [];
      const listen = (message: unknown): void => void revoked.push((message as { id: bigint }).id);
      subscribe('sluice:redis:revoked', listen);
      road.target = replica.port;
      road.isHole = false;
      road.cut();
      await until('all are said again', async () => {
        const { repeated, revoked: without } = stock.stats();
        return repeated >= 200 && without === 100;
      });
      unsubscribe('sluice:redis:revoked', listen);
      expect(new Set(revoked).size).toBe(100);
      const lost = new Set(revoked.map(Number));
      const kept = [...told].filter((id) => !lost.has(id));
      expect(kept.length).toBe(200);
      expect(await missingOf(witness.stock, promoted, stream, kept)).toEqual({ unknown: [], unlisted: [] });
      expect((await missingOf(witness.stock, promoted, stream, lost)).unknown.length).toBe(100);
      const counts = { total: quantity, available: 0, reserved: quantity, sold: 0 };
      expect(await witness.stock.counts(1)).toMatchObject(counts);
      expect(await witness.stock.audit()).toEqual({ items: 1, held: quantity });
    },
  );

  it.skipIf(missing)(
    'an order whose reply was lost is not acknowledged before the replica has it',
    async () => {
      const { cable, road, counter } = await scene(binary, 'redis RESP 3', {
        durability: { replicas: 1, timeoutMs: 50 },
        timeoutMs: 1_200,
      });
      const { gate, stock, depth } = counter;
      expect(await gate.admit(order(1))).toMatchObject({ outcome: 'admitted' });
      cable.isHole = true;
      // The script runs, its reply is lost, and the connection that asks again has written no order itself.
      const cut = road.cutAt('"2"', { executes: true });
      const admission = gate.admit(order(2));
      await cut;
      expect(await admission).toEqual({ outcome: 'unavailable' });
      expect(stock.stats().lastFault).toMatch(/0 of 1 replicas/);
      expect(await depth()).toBe(2);
    },
  );
});
