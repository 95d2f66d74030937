import { channel } from 'node:diagnostics_channel';
import { rmSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { clients, connect, disconnect } from './clients.js';
import { newStream, order, queueOf, running, until, untilDone, workersOf } from './scene.js';
import { endServers, Server, servers } from './servers.js';

afterEach(disconnect);
afterAll(endServers);

describe.each(servers)('A server that cannot just now: $binary', ({ binary, missing }) => {
  it.skipIf(missing)('because it loads its file, is asked again until it can', async () => {
    // Each command of the file takes 300 microseconds to load.
    const always = ['--appendonly', 'yes', '--appendfsync', 'always', '--key-load-delay', '300'];
    const server = await Server.start(binary, always);
    const redis = await connect(server.port);
    const stream = newStream();
    const orders = queueOf(redis, stream);
    const workers = workersOf(redis, stream);
    const faults = new Set<string>();
    const note = (message: unknown): void => {
      faults.add((message as { error: Error }).error.message.split(' ')[0] ?? '');
    };
    channel('sluice:redis:fault').subscribe(note);
    await orders.pushMany(Array.from({ length: 2_000 }, (_, i) => order(i)));
    await server.end('SIGKILL');
    const starting = server.start();
    const seen = new Set<number>();
    const run = running(workers, ({ orderId }) => seen.add(orderId), { concurrency: 64 });
    await until('a command meets the loading server', () => faults.has('LOADING'));
    const pushed = orders.push(order(2_000), { timeoutMs: 30_000 });
    await starting;
    expect(await pushed).toMatchObject({ duplicate: false });
    await untilDone(workers, 30_000);
    await run.end();
    channel('sluice:redis:fault').unsubscribe(note);
    expect(seen.size).toBe(2_001);
  });

  it.skipIf(missing).each(clients)(
    'because it has as many connections as it may have, is asked again until it can: %s',
    async (client) => {
      const server = await Server.start(binary);
      const admin = await connect(server.port);
      const redis = await connect(server.port, client);
      const stream = newStream();
      const orders = queueOf(redis, stream);
      const workers = workersOf(redis, stream);
      await orders.push(order(1));
      await admin.send(['CONFIG', 'SET', 'maxclients', '2']);
      const seen: number[] = [];
      const run = running(workers, ({ orderId }) => seen.push(orderId));
      await until('it was refused several times', () => workers.stats().faults > 3);
      expect(seen).toEqual([]);
      await admin.send(['CONFIG', 'SET', 'maxclients', '100']);
      await until('the order is done', () => seen.length === 1);
      await run.end();
    },
  );

  it.skipIf(missing)('because it cannot write its file, is asked again until it can', async () => {
    const server = await Server.start(binary);
    const redis = await connect(server.port);
    const orders = queueOf(redis, newStream());
    await redis.send(['CONFIG', 'SET', 'save', '3600 1']);
    rmSync(server.directory, { recursive: true });
    await orders.push(order(1));
    await redis.send(['BGSAVE']);
    const isBroken = async (): Promise<boolean> =>
      String(await redis.send(['INFO', 'persistence'])).includes('rdb_last_bgsave_status:err');
    await until('the server cannot save', isBroken);
    const pushed = orders.push(order(2), { timeoutMs: 30_000 });
    await until('it was asked again', () => orders.stats().retries > 1);
    await redis.send(['CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no']);
    expect(await pushed).toMatchObject({ duplicate: false });
  });
});
