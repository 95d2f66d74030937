import { type RedisPort, RedisWorkers } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { clients, connect, disconnect } from './clients.js';
import { tampered } from './ports.js';
import { TcpProxy } from './proxy.js';
import { newStream, Order, order, queueOf, running, until, untilDone, workersOf } from './scene.js';
import { endServers, Server, servers } from './servers.js';

const proxies: TcpProxy[] = [];
afterEach(async () => {
  disconnect();
  for (const proxy of proxies.splice(0)) await proxy.close();
});
afterAll(endServers);

/** Returns a port that calls `read` with the number that follows each of the words in a read. */
function readsOf(redis: RedisPort, read: (asked: { count: number; blockMs: number }) => void): RedisPort {
  return tampered(redis, {
    send(args, send) {
      const after = (word: string): number => Number(args[args.indexOf(word) + 1]);
      if (args[0] === 'XREADGROUP') read({ count: after('COUNT'), blockMs: after('BLOCK') });
      return send();
    },
  });
}

describe.each(servers)('A read of $binary', ({ binary, missing }) => {
  let server: Server;
  beforeAll(async () => {
    if (!missing) server = await Server.start(binary);
  });

  it.skipIf(missing).each([
    { concurrency: 1, count: 20, first: 1 },
    { concurrency: 7, count: 5, first: 5 },
    { concurrency: 7, count: 20, first: 7 },
    { concurrency: 64, count: 20, first: 20 },
  ])(
    'asks for no more orders than count ($count), and than handlers are free of $concurrency',
    async ({ concurrency, count, first }) => {
      const direct = await connect(server.port);
      const stream = newStream();
      await queueOf(direct, stream).pushMany(Array.from({ length: 200 }, (_, i) => order(i)));
      const asked: Array<{ count: number; free: number }> = [];
      const redis = readsOf(direct, (read) =>
        asked.push({ count: read.count, free: concurrency - workers.stats().inHand }),
      );
      const workers = workersOf(redis, stream, { count });
      const work = async ({ orderId }: { orderId: number }) => {
        await new Promise((resolve) => setTimeout(resolve, orderId % 4));
      };
      const run = running(workers, work, { concurrency });
      await untilDone(workers);
      await run.end();
      expect(asked[0]).toEqual({ count: first, free: concurrency });
      expect(asked.filter((one) => one.count > Math.min(count, one.free) || one.count < 1)).toEqual([]);
      expect(workers.stats()).toMatchObject({ handled: 200, faults: 0 });
    },
  );

  it.skipIf(missing)(
    'waits for five seconds unless told otherwise, and two seconds later counts as lost',
    async () => {
      await Promise.all(
        clients.map(async (client) => {
          const proxy = await TcpProxy.before(server.port);
          proxies.push(proxy);
          const stream = newStream();
          const reads: number[] = [];
          const redis = readsOf(await connect(proxy.port, client), ({ blockMs }) => reads.push(blockMs));
          const workers = new RedisWorkers({ redis, stream, record: Order, group: 'cashiers' });
          const seen: number[] = [];
          const run = running(workers, ({ orderId }) => seen.push(orderId));
          await until(
            `${client}: a second read, after one that brought nothing`,
            () => reads.length === 2,
            30_000,
          );
          expect(workers.stats()).toMatchObject({ silences: 0, faults: 0 });
          proxy.isHole = true;
          await until(`${client}: the silence is noticed`, () => workers.stats().silences === 1, 30_000);
          proxy.isHole = false;
          await queueOf(await connect(server.port), stream).push(order(1));
          await until(`${client}: the order is done`, () => seen.length === 1);
          await run.end();
          expect([...new Set(reads)], client).toEqual([5_000]);
        }),
      );
    },
    60_000,
  );
});
