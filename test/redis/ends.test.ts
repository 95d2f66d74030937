import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { createCluster } from 'redis';
import { ioRedis, nodeRedis, type RedisPort } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endLease } from '../../dist/redis/stream/worker-scripts.js';
import { connect, disconnect } from './clients.js';
import { tampered } from './ports.js';
import { TcpProxy } from './proxy.js';
import { deadLetters, newStream, order, queueOf, running, until, untilDone, workersOf } from './scene.js';
import { endServers, noRedis, Server } from './servers.js';

let server: Server;
beforeAll(async () => {
  if (!noRedis) server = await Server.start();
});
afterEach(disconnect);
afterAll(endServers);

describe('Workers', () => {
  it.skipIf(noRedis)('open another connection after the server refused one for now', async () => {
    let refused = 0;
    const redis = tampered(await connect(server.port), {
      duplicate: (call) =>
        refused++ < 4 ? Promise.reject(new Error('LOADING Redis is loading the dataset in memory')) : call(),
    });
    const stream = newStream();
    const workers = workersOf(redis, stream);
    const seen: number[] = [];
    const run = running(workers, ({ orderId }) => seen.push(orderId));
    await queueOf(redis, stream).push(order(1));
    await until('the order is done', () => seen.length === 1);
    await run.end();
    expect(workers.stats().lastFault).toContain('LOADING');
  });

  it.skipIf(noRedis)(
    'that end while the server is away try once to leave, not once for each consumer',
    async () => {
      let [isAway, tries] = [false, 0];
      const away = <T>(call: () => Promise<T>): Promise<T> => {
        if (!isAway) return call();
        tries++;
        return Promise.reject(new Error('Socket closed unexpectedly'));
      };
      const redis = tampered(await connect(server.port), {
        send: (args, call) => (args[0] === 'XREADGROUP' ? call() : away(call)),
        duplicate: away,
      });
      const workers = workersOf(redis, newStream(), { pool: 8, patrolMs: 60_000 });
      const run = running(workers, () => {});
      await until('all wait for orders', () => workers.stats().consumers === 8);
      await sleep(50); // the first patrol is over
      isAway = true;
      await run.end();
      expect(tries).toBe(1);
    },
  );

  it.skipIf(noRedis)('begin no consumer once they end, though the backlog asked for one', async () => {
    let release = (): void => {};
    let isCounting = false;
    const redis = tampered(await connect(server.port), {
      async send(args, call) {
        const reply = await call();
        // The script that counts: three keys and the group.
        if (args[0] !== 'EVALSHA' || args[2] !== '3' || args.length !== 7) return reply;
        isCounting = true;
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        return reply;
      },
    });
    const stream = newStream();
    const direct = await connect(server.port);
    await queueOf(direct, stream).pushMany(Array.from({ length: 50 }, (_, i) => order(i)));
    const workers = workersOf(redis, stream, { pool: { min: 1, max: 9 } });
    const run = running(workers, () => sleep(5));
    await until('the backlog is being counted', () => isCounting);
    const { grown } = workers.stats();
    const ended = run.end();
    release();
    await ended;
    const { handled } = workers.stats();
    expect(workers.stats().grown).toBe(grown);
    await sleep(100);
    expect(workers.stats().handled).toBe(handled);
    expect(await direct.send(['XINFO', 'CONSUMERS', stream, 'cashiers'])).not.toContainEqual(
      expect.objectContaining({ pending: 1 }),
    );
  });

  it.skipIf(noRedis)('that cannot renew an order decide nothing after its time', async () => {
    const proxy = await TcpProxy.before(server.port);
    const direct = await connect(server.port);
    const stream = newStream();
    const workers = workersOf(await connect(proxy.port), stream, { claimIdleMs: 400, blockMs: 50 });
    await queueOf(direct, stream).push(order(1));
    const said: unknown[] = [];
    const run = running(workers, async (_, hold) => {
      if (hold.deliveries > 1) return;
      proxy.isHole = true;
      await sleep(700);
      said.push(hold.confirm(), hold.cancel());
    });
    await until('the handler has decided', () => said.length === 2);
    expect(said).toEqual(['expired', 'expired']);
    proxy.isHole = false;
    proxy.cut();
    await untilDone(workersOf(direct, stream), 20_000);
    await run.end();
    await proxy.close();
  });

  it.skipIf(noRedis)(
    'bury an order that maxDeliveries consumers fell silent with, and count one less',
    async () => {
      const redis = await connect(server.port);
      const stream = newStream();
      const orders = queueOf(redis, stream);
      const [killer, last] = [await orders.push(order(1)), await orders.push(order(2))];
      await redis.send(['XGROUP', 'CREATE', stream, 'cashiers', '0']);
      await redis.send(['XREADGROUP', 'GROUP', 'cashiers', 'dead', 'STREAMS', stream, '>']);
      const claim = ['XCLAIM', stream, 'cashiers', 'dead', '0'];
      await redis.send([...claim, killer.entry, 'RETRYCOUNT', '3']);
      await redis.send([...claim, last.entry, 'RETRYCOUNT', '2']);
      const workers = workersOf(redis, stream, { maxDeliveries: 3, claimIdleMs: 100, blockMs: 50 });
      const seen: unknown[] = [];
      const run = running(workers, ({ orderId }, hold) => seen.push([orderId, hold.deliveries]));
      await untilDone(workers);
      await run.end();
      expect(seen).toEqual([[2, 3]]);
      expect(await deadLetters(redis, stream)).toMatchObject([
        { id: '1', 'sluice:reason': 'deliveries', 'sluice:deliveries': '3', 'sluice:consumer': 'dead' },
      ]);
    },
  );

  it.skipIf(noRedis)('that have lost an order to another consumer decide nothing', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    const workers = workersOf(redis, stream, { claimIdleMs: 2_000, blockMs: 50, patrolMs: 60_000 });
    const { entry } = await queueOf(redis, stream).push(order(1));
    const said: unknown[] = [];
    const run = running(workers, async (_, hold) => {
      await redis.send(['XCLAIM', stream, 'cashiers', 'other', '0', entry]);
      await until('the loss is noticed', () => workers.stats().lost === 1);
      said.push(hold.confirm());
      throw new Error('lost');
    });
    await until('the handler has decided', () => said.length === 1);
    await run.end();
    expect(said).toEqual(['expired']);
    const pending = (await redis.send(['XPENDING', stream, 'cashiers', '-', '+', '9'])) as unknown[][];
    expect(pending.map(([id, consumer]) => [id, consumer])).toEqual([[entry, 'other']]);
  });

  it.skipIf(noRedis)(
    'hand out no more orders when too many failures wait for a server without memory',
    async () => {
      const own = await Server.start();
      const redis = await connect(own.port);
      const stream = newStream();
      await queueOf(redis, stream).pushMany(Array.from({ length: 7_000 }, (_, i) => order(i)));
      await redis.send(['XGROUP', 'CREATE', stream, 'cashiers', '0']); // a server without memory makes none
      await redis.send(['CONFIG', 'SET', 'maxmemory', '1']);
      const workers = workersOf(redis, stream, { backoff: { baseMs: 60_000, maxMs: 60_000 } });
      let begun = 0;
      const run = running(
        workers,
        async () => {
          begun++;
          throw new Error('fails');
        },
        { concurrency: 100 },
      );
      await until('they read no more', async () => {
        const before = begun;
        await sleep(300);
        return before > 0 && begun === before;
      });
      expect(workers.stats().lastFault).toContain('OOM');
      expect(workers.stats().unsettled).toBeLessThanOrEqual(4_096 + 2 * 100);
      await redis.send(['CONFIG', 'SET', 'maxmemory', '0']);
      await until('all have failed once', () => begun === 7_000, 40_000);
      await run.end();
    },
  );

  it.skipIf(noRedis)('leave a failed order to the consumer that has claimed it meanwhile', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    const workers = workersOf(redis, stream, { patrolMs: 60_000 });
    const { entry } = await queueOf(redis, stream).push(order(1));
    const run = running(workers, async () => {
      await redis.send(['XCLAIM', stream, 'cashiers', 'other', '0', entry]);
      throw new Error('fails');
    });
    await until('it has failed', () => workers.stats().failed === 1);
    await until('that is settled', () => workers.stats().unsettled === 0);
    await run.end();
    expect(await workers.backlog()).toMatchObject({ entries: 1, pending: 1, waiting: 0 });
  });

  it.skipIf(noRedis)('hand a failed order out no sooner than backoff says', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    const { entry } = await queueOf(redis, stream).push(order(1));
    const workers = workersOf(redis, stream, { backoff: { baseMs: 60_000, maxMs: 60_000, jitter: 0 } });
    const before = Date.now();
    const run = running(workers, async () => {
      throw new Error('fails');
    });
    await until('it waits', async () => (await workers.backlog()).waiting === 1);
    await run.end();
    expect(workers.stats()).toMatchObject({ failed: 1, claimed: 0 });
    const due = Number(await redis.send(['ZSCORE', `${stream}:retry:cashiers`, entry]));
    expect(due).toBeGreaterThanOrEqual(before + 60_000);
  });

  it.skipIf(noRedis)('hand failed orders out again also while there are always new ones', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    await queueOf(redis, stream).pushMany(Array.from({ length: 600 }, (_, i) => order(i)));
    const workers = workersOf(redis, stream, { patrolMs: 20 });
    const seen: number[] = [];
    const run = running(workers, async ({ orderId }, { deliveries }) => {
      seen.push(orderId);
      await sleep(2);
      if (orderId === 0 && deliveries === 1) throw new Error('fails once');
    });
    await untilDone(workers, 30_000);
    await run.end();
    expect(seen).toHaveLength(601);
    expect(seen.lastIndexOf(0)).toBeLessThan(600); // not when all others are done
  });

  it.skipIf(noRedis)('keep the next free place for an order that is due again', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    await queueOf(redis, stream).pushMany(Array.from({ length: 8 }, (_, i) => order(i)));
    const workers = workersOf(redis, stream, { patrolMs: 100 });
    const seen: number[] = [];
    const run = running(workers, async ({ orderId }, { deliveries }) => {
      seen.push(orderId);
      await sleep(250); // so long that patrols meet a handler at work, and none of the moments between two
      if (orderId === 0 && deliveries === 1) throw new Error('fails once');
    });
    await untilDone(workers);
    await run.end();
    expect(seen).toHaveLength(9);
    expect(seen.lastIndexOf(0)).toBeLessThan(5);
  });

  it.skipIf(noRedis)('settle what a consumer has decided before it leaves the pool', async () => {
    const direct = await connect(server.port);
    const stream = newStream();
    const redis = tampered(direct, {
      async send(args, send) {
        if (args.some((arg) => String(arg).includes('the pool is smaller'))) await sleep(300);
        return await send();
      },
    });
    const workers = workersOf(redis, stream, {
      ...{ pool: { min: 1, max: 2 }, patrolMs: 10, backoff: { baseMs: 60_000, maxMs: 60_000 } },
    });
    const begun: number[] = [];
    const free = new Map<number, () => void>();
    const run = running(workers, async ({ orderId }, hold) => {
      begun.push(orderId);
      if (orderId > 2) return;
      await new Promise<void>((resolve, reject) => {
        free.set(orderId, resolve);
        hold.signal.addEventListener('abort', () => reject(new Error('the pool is smaller')));
      });
    });
    await queueOf(direct, stream).pushMany([1, 2, 3, 4].map((id) => order(id)));
    await until('two handlers run', () => free.size === 2);
    const pending = (await direct.send(['XPENDING', stream, 'cashiers', '-', '+', '9'])) as string[][];
    const ofFirst = pending.findIndex(([, consumer]) => consumer?.endsWith('.1'));
    free.get(ofFirst + 1)?.(); // the other one is in the consumer that leaves
    await until('the pool is smaller', () => workers.stats().shrunk === 1 && workers.stats().consumers === 1);
    expect(await workers.backlog()).toMatchObject({ entries: 1, pending: 1, waiting: 1 });
    expect(workers.stats()).toMatchObject({ failed: 1, claimed: 0, handled: 3 });
    await run.end();
    expect(begun.sort()).toEqual([1, 2, 3, 4]);
  });

  it.skipIf(noRedis)('give back the name of a consumer only while they have it', async () => {
    const redis = await connect(server.port);
    const key = `${newStream()}:lease:cashiers:till`;
    await redis.send(['SET', key, 'another']);
    await endLease.run(redis, [key], ['mine']);
    expect(await redis.send(['GET', key])).toBe('another');
    await endLease.run(redis, [key], ['another']);
    expect(await redis.send(['EXISTS', key])).toBe(0);
  });
});

describe('A client of a cluster that cannot be reached', () => {
  it.each(['redis', 'ioredis'])('is closed when a connection of the workers fails: %s', async (name) => {
    let connections = 0;
    const deaf = createServer((socket) => {
      connections++;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(deaf, 'listening');
    const { port } = deaf.address() as { port: number };
    let redis: RedisPort;
    if (name === 'redis') {
      const rootNodes = [{ url: `redis://127.0.0.1:${port}` }];
      redis = nodeRedis(createCluster({ rootNodes, defaults: { disableOfflineQueue: true } }));
    } else {
      const redisOptions = { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 };
      const options = { lazyConnect: true, enableOfflineQueue: false, redisOptions };
      redis = ioRedis(new Cluster([{ host: '127.0.0.1', port }], options));
    }
    await expect(redis.duplicate('key')).rejects.toThrow();
    await sleep(100); // connections on their way
    const before = connections;
    expect(before).toBeGreaterThan(0);
    await sleep(1_000);
    expect(connections).toBe(before);
    deaf.close();
  });
});
