import { channel } from 'node:diagnostics_channel';
import type { Hold } from 'sluice';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { clients, connect, disconnect } from './clients.js';
import { TcpProxy } from './proxy.js';
import { newStream, order, queueOf, running, until, untilDone, workersOf } from './scene.js';
import { endServers, Server, servers } from './servers.js';

describe.each(servers)('On $binary', ({ binary, missing }) => {
  let server: Server;
  let proxy: TcpProxy;
  beforeAll(async () => {
    if (!missing) server = await Server.start(binary, ['--appendonly', 'yes', '--appendfsync', 'always']);
  });
  beforeEach(async () => {
    if (!missing) proxy = await TcpProxy.before(server.port);
  });
  afterEach(async () => {
    disconnect();
    await proxy?.close();
  });
  afterAll(endServers);

  describe.each(clients)('workers with %s', (client) => {
    it.skipIf(missing)('open a new connection when the old one is dead without a word', async () => {
      const direct = await connect(server.port, client);
      const stream = newStream();
      const workers = workersOf(await connect(proxy.port, client), stream);
      const seen: number[] = [];
      const run = running(workers, ({ orderId }) => seen.push(orderId));
      await queueOf(direct, stream).push(order(1));
      await until('the first order is done', () => seen.length === 1);
      proxy.isHole = true; // the read that waits is never answered
      await queueOf(direct, stream).push(order(2));
      await until('a silence is noticed', () => workers.stats().silences > 0);
      proxy.isHole = false; // for new connections: what was swallowed on the old ones stays lost
      await untilDone(workersOf(direct, stream), 20_000);
      await run.end();
      expect(seen).toEqual([1, 2]);
    });

    it.skipIf(missing)(
      'settle what they have done when the reply is lost, and handle nothing twice',
      async () => {
        const direct = await connect(server.port, client);
        const stream = newStream();
        const workers = workersOf(await connect(proxy.port, client), stream, { claimIdleMs: 10_000 });
        const seen: number[] = [];
        let free = (): void => {};
        const run = running(workers, async ({ orderId }) => {
          seen.push(orderId);
          if (orderId === 2)
            await new Promise<void>((resolve) => {
              free = resolve;
            });
        });
        await queueOf(direct, stream).push(order(1));
        await untilDone(workersOf(direct, stream));
        const { entry } = await queueOf(direct, stream).push(order(2));
        await until('the handler runs', () => seen.length === 2);
        const cut = proxy.cutAt(entry, { executes: true }); // the acknowledgement names the entry
        free();
        await cut;
        await untilDone(workersOf(direct, stream));
        await until('it is told', () => workers.stats().unsettled === 0);
        await run.end();
        expect(seen).toEqual([1, 2]);
        expect(workers.stats()).toMatchObject({ handled: 2, late: 1 });
      },
    );

    it.skipIf(missing)('get an order again whose delivery was lost, and count that', async () => {
      const direct = await connect(server.port, client);
      const stream = newStream();
      const workers = workersOf(await connect(proxy.port, client), stream);
      const seen: Array<readonly [number, number]> = [];
      const run = running(workers, ({ orderId }, { deliveries }: Hold) => seen.push([orderId, deliveries]));
      await queueOf(direct, stream).push(order(1));
      await until('the first order is done', () => seen.length === 1);
      // The next read is executed, and its reply is lost.
      const cut = proxy.cutAt('XREADGROUP', { executes: true });
      await cut;
      await queueOf(direct, stream).push(order(2));
      await untilDone(workersOf(direct, stream));
      await run.end();
      expect(seen).toEqual([
        [1, 1],
        [2, expect.any(Number)],
      ]);
      expect(seen[1]?.[1]).toBeLessThanOrEqual(2);
    });
  });

  it.skipIf(missing)(
    'workers go on when the server was killed, and say meanwhile what is wrong',
    async () => {
      const redis = await connect(server.port);
      const stream = newStream();
      const workers = workersOf(redis, stream);
      const faults: unknown[] = [];
      const note = (message: unknown): void => {
        faults.push(message);
      };
      channel('sluice:redis:fault').subscribe(note);
      const times = new Map<number, number>();
      const run = running(
        workers,
        async ({ orderId }) => {
          await new Promise((resolve) => setTimeout(resolve, 2));
          times.set(orderId, (times.get(orderId) ?? 0) + 1);
        },
        { concurrency: 4 },
      );
      await queueOf(redis, stream).pushMany(Array.from({ length: 400 }, (_, i) => order(i)));
      await until('some are done', () => times.size > 100);
      await server.end('SIGKILL');
      await until('it is noticed', () => workers.stats().faults > 2);
      expect(workers.stats().lastFault).toEqual(expect.any(String));
      await server.start();
      await untilDone(workers, 20_000);
      await run.end();
      channel('sluice:redis:fault').unsubscribe(note);
      expect(faults[0]).toEqual({ error: expect.any(Error) });
      expect(times.size).toBe(400);
      const again = [...times.values()].reduce((sum, n) => sum + n - 1, 0);
      expect(again).toBeLessThanOrEqual(4);
    },
  );

  it.skipIf(missing)('workers end while the server is away', async () => {
    const own = await Server.start(binary);
    const workers = workersOf(await connect(own.port), newStream());
    const run = running(workers, () => {}, { graceMs: 100 });
    await until('they wait for orders', () => workers.stats().consumers === 1);
    await own.end('SIGKILL');
    await until('it is noticed', () => workers.stats().faults > 0);
    expect(await run.end()).toMatchObject({ message: 'the test ends' });
  });

  it.skipIf(missing)('workers begin when the server is there', async () => {
    const own = await Server.start(binary);
    const redis = await connect(own.port);
    await own.end('SIGKILL');
    const stream = newStream();
    const workers = workersOf(redis, stream);
    const seen: number[] = [];
    const run = running(workers, ({ orderId }) => seen.push(orderId));
    await until('they try', () => workers.stats().faults > 1);
    await own.start();
    await queueOf(redis, stream).push(order(1), { timeoutMs: 20_000 });
    await until('the order is done', () => seen.length === 1);
    await run.end();
  });
});
