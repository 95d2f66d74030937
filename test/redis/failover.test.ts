import type { RedisPort } from 'sluice/redis';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { connect, disconnect } from './clients.js';
import { TcpProxy } from './proxy.js';
import { newStream, order, queueOf, running, until, untilDone, workersOf } from './scene.js';
import { endServers, Server, servers } from './servers.js';

const proxies: TcpProxy[] = [];
afterEach(async () => {
  disconnect();
  for (const proxy of proxies.splice(0)) await proxy.close();
});
afterAll(endServers);

describe.each(servers)('A failover of $binary to a replica that lags', ({ binary, missing }) => {
  const orders = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, i) => order(from + i));
  const info = async (redis: RedisPort): Promise<string> => String(await redis.send(['INFO', 'replication']));

  /** Starts a master, and a replica that gets what passes the proxy. */
  async function pair(more: readonly string[] = []) {
    const master = await Server.start(binary, ['--repl-diskless-sync-delay', '0', ...more]);
    const replica = await Server.start(binary);
    const proxy = await TcpProxy.before(master.port);
    proxies.push(proxy);
    const [first, second] = [await connect(master.port), await connect(replica.port)];
    await second.send(['REPLICAOF', '127.0.0.1', String(proxy.port)]);
    await until('the replica follows', async () => /state=online/.test(await info(first)));
    return { master, proxy, first, second };
  }

  it.skipIf(missing)(
    'loses what no replica had: audit() warns of it, and a push that is repeated stores it again',
    async () => {
      const { master, proxy, first, second } = await pair();
      const stream = newStream();
      const before = queueOf(first, stream);
      await before.pushMany(orders(1, 5));
      await until(
        'the replica has five',
        async () => Number(await second.send(['XLEN', stream]).catch(() => 0)) === 5,
      );
      expect((await before.audit()).warnings.map(({ setting }) => setting)).toContain(
        'min-replicas-to-write',
      );
      proxy.isHole = true;
      const acknowledged = await before.pushMany(orders(6, 10));
      expect(acknowledged.map(({ outcome }) => outcome)).toEqual(Array(5).fill('stored'));
      await master.end('SIGKILL');
      await second.send(['REPLICAOF', 'NO', 'ONE']);
      const after = queueOf(second, stream);
      expect(await after.depth()).toBe(5);
      const again = await after.pushMany(orders(1, 10));
      const duplicates = again.map((one) => one.outcome === 'stored' && one.duplicate);
      expect(duplicates).toEqual([...Array(5).fill(true), ...Array(5).fill(false)]);
      expect(await after.audit()).toMatchObject({ entries: 10, twice: [], unremembered: [], orphans: 0 });
      const seen: number[] = [];
      const workers = workersOf(second, stream);
      const run = running(workers, ({ orderId }) => seen.push(orderId));
      await untilDone(workers);
      await run.end();
      expect(seen.sort((a, b) => a - b)).toEqual(orders(1, 10).map(({ orderId }) => orderId));
    },
  );

  it.skipIf(missing)('loses nothing that was acknowledged while the server asks for a replica', async () => {
    const asks = ['--min-replicas-to-write', '1', '--min-replicas-max-lag', '1'];
    const { proxy, first } = await pair(asks);
    const before = queueOf(first, newStream());
    await before.push(order(1));
    expect((await before.audit()).warnings.map(({ setting }) => setting)).not.toContain(
      'min-replicas-to-write',
    );
    proxy.isHole = true;
    await until('the replica counts no more', async () => /min_slaves_good_slaves:0/.test(await info(first)));
    const alone = before.push(order(2), { timeoutMs: 200 });
    await expect(alone).rejects.toMatchObject({ code: 'ERR_SLUICE_TIMEOUT' });
    expect(before.stats().retries).toBeGreaterThan(0);
    expect(await before.depth()).toBe(1);
  });
});
