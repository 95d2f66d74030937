import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RedisPort, RedisStock } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { clients, connect, disconnect } from '../clients.js';
import { TcpProxy } from '../proxy.js';
import { until } from '../scene.js';
import { type Binary, endServers, Server, servers } from '../servers.js';
import { leaveSales, newSale, openSale } from './sales.js';

const proxies: TcpProxy[] = [];
afterEach(async () => {
  await leaveSales();
  disconnect();
  for (const proxy of proxies.splice(0)) await proxy.close();
});
afterAll(endServers);

async function proxyBefore(server: Server): Promise<TcpProxy> {
  const proxy = await TcpProxy.before(server.port);
  proxies.push(proxy);
  return proxy;
}

const item = { sku: 7, quantity: 1_000 };

/** Reserves until an answer is one, as a client with an id does. */
async function insist(stock: RedisStock, id: number, user?: number) {
  for (;;) {
    const answer = await stock.reserve({ sku: 7, quantity: 1, id, ...(user === undefined ? {} : { user }) });
    if (answer.ok || answer.reason !== 'unavailable') return answer;
  }
}

describe.each(servers)('With $binary, a stock', ({ binary, missing }) => {
  let server: Server;
  beforeAll(async () => {
    if (!missing) server = await Server.start(binary);
  });

  it.skipIf(missing).each(clients)(
    'reserves once when replies or calls are lost, with %s',
    async (client) => {
      const proxy = await proxyBefore(server);
      const stock = await openSale(0, {
        redis: await connect(proxy.port, client),
        items: [item],
        timeoutMs: 20_000,
      });
      await insist(stock, 0);
      const answers = [];
      for (let i = 1; i <= 12; i++) {
        const cut = proxy.cutAt(`order-${i}-`, { executes: i % 2 === 0 });
        const some = ['a', 'b', 'c'].map((name) =>
          stock.reserve({ sku: 7, quantity: 1, id: `order-${i}-${name}` }),
        );
        await cut;
        answers.push(...(await Promise.all(some)));
      }
      expect(answers.every((answer) => answer.ok && !answer.duplicate)).toBe(true);
      expect(await stock.counts(7)).toMatchObject({ total: 1_000, reserved: 37, sold: 0 });
      expect(stock.stats()).toMatchObject({ reserved: 37, duplicates: 0, faults: 12, revoked: 0 });
      await stock.audit();
    },
  );

  it.skipIf(missing)('restocks once, and confirms once, when the reply is lost', async () => {
    const proxy = await proxyBefore(server);
    const stock = await openSale(0, { redis: await connect(proxy.port), items: [item], timeoutMs: 20_000 });
    const answer = await insist(stock, 1);
    for (const executes of [true, false]) {
      const cut = proxy.cutAt('4321', { executes });
      const counts = stock.restock(7, 4_321);
      await cut;
      expect(await counts).toMatchObject({ total: executes ? 5_321 : 9_642 });
    }
    if (!answer.ok) throw new Error('not reserved');
    const cut = proxy.cutAt(String(answer.reservation), { executes: true });
    const confirmed = stock.confirm(answer.reservation);
    await cut;
    expect(await confirmed).toBe('confirmed');
    await stock.audit();
  });

  it.skipIf(missing)(
    'answers unavailable while the server is away, and sells on when it is back',
    async () => {
      const proxy = await proxyBefore(server);
      const sale = newSale();
      const timeoutMs = 300;
      const stock = await openSale(0, { redis: await connect(proxy.port), sale, items: [item], timeoutMs });
      await insist(stock, 1);
      proxy.isHole = true;
      const unavailable = { ok: false, reason: 'unavailable' };
      expect(await stock.reserve({ sku: 7, quantity: 1, id: 2 })).toEqual(unavailable);
      expect(await stock.reserve({ sku: 7, quantity: 1 })).toEqual(unavailable);
      await expect(stock.confirm(1n)).rejects.toMatchObject({ code: 'ERR_SLUICE_TIMEOUT' });
      expect(stock.stats().lastFault).toMatch(/no reply/);
      proxy.isHole = false;
      expect(await insist(stock, 3)).toMatchObject({ ok: true });
      const again = await insist(stock, 2);
      expect(again).toMatchObject({ ok: true });
      // The order without an id has no caller any more: if it was settled, its units go back.
      await until('three are held', async () => (await stock.counts(7)).reserved === 3);
      await stock.audit();
    },
  );

  it.skipIf(missing)(
    'does not sell from a lease that is over: what it promised is revoked or found elsewhere',
    async () => {
      const proxy = await proxyBefore(server);
      const sale = newSale();
      const items = [{ sku: 7, quantity: 40 }];
      const lease = { ttlMs: 1_000, marginMs: 100, heartbeatMs: 20 };
      const cut = await openSale(0, {
        redis: await connect(proxy.port),
        sale,
        items,
        lease,
        timeoutMs: 20_000,
      });
      const other = await openSale(server.port, { sale, items, lease });
      await until('units are leased', async () => {
        await insist(cut, Math.trunc(performance.now()));
        return (await cut.counts(7)).leased >= 4;
      });
      const sold = (await cut.counts(7)).reserved;
      proxy.isHole = true;
      const promised = Array.from({ length: 4 }, () => cut.reserve({ sku: 7, quantity: 1 }));
      // The other one sells everything else, when the lease of this one is over.
      let won = 0;
      await until('all is sold', async () => {
        const answer = await other.reserve({ sku: 7, quantity: 1 });
        if (answer.ok) won++;
        return (await other.counts(7)).available === 0;
      });
      expect(won).toBe(40 - sold);
      proxy.isHole = false;
      proxy.cut();
      expect(await Promise.all(promised)).toEqual(Array(4).fill({ ok: false, reason: 'revoked' }));
      expect(cut.stats().fenced).toBeGreaterThan(0);
      expect(await cut.counts(7)).toMatchObject({ total: 40, available: 0, reserved: 40 });
      await cut.audit();
    },
  );

  it.skipIf(missing)('finds the last units, wherever they are leased', async () => {
    const sale = newSale();
    const items = [{ sku: 7, quantity: 300 }];
    const stocks = await Promise.all(Array.from({ length: 4 }, () => openSale(server.port, { sale, items })));
    let won = 0;
    const sellers = stocks.map(async (stock, i) => {
      // Three of the four stop early, each with units leased.
      for (let n = 0; n < (i === 0 ? 100_000 : 40); n++) {
        const answers = await Promise.all(
          Array.from({ length: 4 }, () => stock.reserve({ sku: 7, quantity: 1 })),
        );
        won += answers.filter(({ ok }) => ok).length;
        if (won >= 300) return;
        if (n % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      }
    });
    await Promise.all(sellers);
    expect(won).toBe(300);
    expect(await stocks[0]?.counts(7)).toMatchObject({ available: 0, leased: 0, reserved: 300 });
    await stocks[0]?.audit();
  });

  it.skipIf(missing)('says again what a server has lost that went back to an earlier state', async () => {
    const own = await Server.start(binary as Binary);
    const proxy = await proxyBefore(own);
    const control = await connect(own.port);
    const items = [{ sku: 7, quantity: 50, perUser: 1 }];
    const stock = await openSale(0, { redis: await connect(proxy.port), items, timeoutMs: 20_000 });
    for (let i = 1; i <= 10; i++) await insist(stock, i, i);
    await control.send(['SAVE']);
    copyFileSync(join(own.directory, 'dump.rdb'), join(own.directory, 'kept.rdb'));
    const later = [];
    for (let i = 11; i <= 30; i++) later.push(await insist(stock, i, i));
    const [first, second] = later;
    if (!first?.ok || !second?.ok) throw new Error('not reserved');
    expect(await stock.confirm(first.reservation)).toBe('confirmed');
    expect(await stock.cancel(second.reservation)).toBe('cancelled');
    await stock.restock(7, 5);
    proxy.isHole = true;
    await own.end('SIGKILL');
    copyFileSync(join(own.directory, 'kept.rdb'), join(own.directory, 'dump.rdb'));
    await own.start();
    proxy.isHole = false;
    proxy.cut();
    expect(await insist(stock, 31, 31)).toMatchObject({ ok: true });
    expect(stock.stats().repeated).toBeGreaterThan(20);
    expect(stock.stats().revoked).toBe(0);
    expect(await stock.counts(7)).toMatchObject({ total: 55, reserved: 29, sold: 1 });
    expect(await stock.find({ id: 11 })).toMatchObject({
      reservation: first.reservation,
      state: 'confirmed',
    });
    expect(await stock.find({ id: 12 })).toMatchObject({
      reservation: second.reservation,
      state: 'cancelled',
    });
    expect(await insist(stock, 13, 13)).toMatchObject({ duplicate: true });
    await stock.audit();
  });

  it.skipIf(missing)(
    'says which settled orders found no room, when others have bought the units meanwhile',
    async () => {
      const { subscribe, unsubscribe } = await import('node:diagnostics_channel');
      const revoked: unknown[] = [];
      const listen = (message: unknown): void => void revoked.push((message as { id: unknown }).id);
      subscribe('sluice:redis:revoked', listen);
      const own = await Server.start(binary as Binary);
      const proxy = await proxyBefore(own);
      const control: RedisPort = await connect(own.port);
      const sale = newSale();
      const items = [{ sku: 7, quantity: 4 }];
      const stock = await openSale(0, { redis: await connect(proxy.port), sale, items, timeoutMs: 20_000 });
      await control.send(['SAVE']);
      copyFileSync(join(own.directory, 'dump.rdb'), join(own.directory, 'kept.rdb'));
      for (let i = 1; i <= 4; i++) expect(await insist(stock, i)).toMatchObject({ ok: true });
      proxy.isHole = true;
      await own.end('SIGKILL');
      copyFileSync(join(own.directory, 'kept.rdb'), join(own.directory, 'dump.rdb'));
      await own.start();
      const other = await openSale(own.port, { sale, items });
      await until('the other one has three', async () => {
        await other.reserve({ sku: 7, quantity: 1 });
        return (await other.counts(7)).reserved === 3;
      });
      proxy.isHole = false;
      proxy.cut();
      await until('three are revoked', () => stock.stats().revoked === 3);
      unsubscribe('sluice:redis:revoked', listen);
      expect(revoked.length).toBe(3);
      expect(await stock.counts(7)).toMatchObject({ total: 4, available: 0, reserved: 4 });
      await stock.audit();
    },
  );

  it.skipIf(missing)('does nothing by halves while the server has no memory left, and goes on', async () => {
    const own = await Server.start(binary as Binary, ['--maxmemory-policy', 'noeviction']);
    const control = await connect(own.port);
    const stock = await openSale(own.port, { items: [item], timeoutMs: 300, holdMs: 150 });
    for (let id = 1; id <= 5; id++) expect(await insist(stock, id)).toMatchObject({ ok: true });
    await control.send(['CONFIG', 'SET', 'maxmemory', '1']);
    expect(await stock.reserve({ sku: 7, quantity: 1, id: 6 })).toEqual({ ok: false, reason: 'unavailable' });
    expect(stock.stats().lastFault).toMatch(/OOM/);
    await stock.audit();
    await control.send(['CONFIG', 'SET', 'maxmemory', '0']);
    expect(await insist(stock, 6)).toMatchObject({ ok: true });
    // Holds that ran out meanwhile are over, and their units on sale.
    await until(
      'all holds are over',
      async () => (await stock.expire()) >= 0 && (await stock.counts(7)).reserved === 0,
    );
    expect(await stock.counts(7)).toMatchObject({ total: 1_000, sold: 0, available: 1_000 });
    await stock.audit();
  });

  it.skipIf(missing)('is not opened with durability that the server does not have', async () => {
    const durability = { fsync: true };
    const opening = openSale(server.port, { items: [item], durability });
    // Redis 7.0 does not know the command, Valkey 8 has no file here.
    await expect(opening).rejects.toMatchObject({ code: 'ERR_SLUICE_REDIS' });
    await expect(openSale(server.port, { items: [item], durability })).rejects.toThrow(/WAITAOF/);
    if (binary !== 'valkey-server') return;
    const own = await Server.start(binary, ['--appendonly', 'yes', '--appendfsync', 'everysec']);
    const stock = await openSale(own.port, { items: [item], durability: { fsync: true, timeoutMs: 3_000 } });
    expect(await insist(stock, 1)).toMatchObject({ ok: true });
  });

  it.skipIf(missing)('settles nothing before enough replicas have it', async () => {
    const master = await Server.start(binary as Binary, ['--repl-diskless-sync-delay', '0']);
    const replica = await Server.start(binary as Binary);
    const proxy = await proxyBefore(master);
    const control = await connect(master.port);
    await (await connect(replica.port)).send(['REPLICAOF', '127.0.0.1', String(proxy.port)]);
    const isOnline = async () => /state=online/.test(String(await control.send(['INFO', 'replication'])));
    await until('the replica follows', isOnline);
    const durability = { replicas: 1, timeoutMs: 50 };
    const stock = await openSale(master.port, { items: [item], durability, timeoutMs: 400 });
    expect(await insist(stock, 1)).toMatchObject({ ok: true });
    proxy.isHole = true;
    expect(await stock.reserve({ sku: 7, quantity: 1, id: 2 })).toEqual({ ok: false, reason: 'unavailable' });
    expect(stock.stats().lastFault).toMatch(/0 of 1 replicas/);
    proxy.isHole = false;
    proxy.cut();
    await until('the replica follows again', isOnline, 30_000);
    expect(await insist(stock, 2)).toMatchObject({ ok: true });
    expect(await stock.counts(7)).toMatchObject({ reserved: 2 });
  });
});
