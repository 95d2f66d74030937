import { channel } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';

import { RedisLimiter, type RedisPort, redisStore } from 'sluice/redis';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { disconnect } from './clients.js';
import { admins, cluster, leaveCluster, masters, moveSlot, startCluster } from './masters.js';
import { newStream, order, queueOf, running, until, untilDone, workersOf } from './scene.js';
import { endServers, servers } from './servers.js';

afterEach(leaveCluster);

describe.each(servers)('In a cluster of three masters of $binary', ({ binary, missing }) => {
  beforeAll(async () => {
    if (!missing) await startCluster(binary);
  });
  afterAll(async () => {
    disconnect();
    masters.length = 0;
    await endServers();
  });

  const both = Object.keys(cluster).flatMap((name) =>
    ([2, 3] as const).map((protocol) => ({ name, protocol })),
  );
  describe.each(both)('with $name and RESP $protocol', ({ name, protocol }) => {
    it.skipIf(missing)('queues and workers of several streams find their masters', async () => {
      const redis = (await cluster[name]?.(protocol)) as RedisPort;
      const seen: string[] = [];
      const runs = [];
      for (let i = 0; i < 6; i++) {
        const stream = newStream();
        const workers = workersOf(redis, stream);
        runs.push({ workers, run: running(workers, ({ orderId }) => seen.push(`${i} ${orderId}`)) });
        await queueOf(redis, stream).pushMany([order(1), order(2)]);
      }
      for (const { workers } of runs) await untilDone(workers);
      const spoken = (await Promise.all(admins.map((admin) => admin.send(['CLIENT', 'LIST'])))).join('');
      const reading = [...spoken.matchAll(/cmd=xreadgroup .*resp=(\d)/g)].map(([, resp]) => Number(resp));
      expect(new Set(reading)).toEqual(new Set([protocol]));
      await Promise.all(runs.map(({ run }) => run.end()));
      expect(seen.sort()).toEqual(Array.from({ length: 6 }, (_, i) => [`${i} 1`, `${i} 2`]).flat());
    });

    it.skipIf(missing)('a store has all its lanes on one master', async () => {
      const redis = (await cluster[name]?.(protocol)) as RedisPort;
      for (let i = 0; i < 6; i++) {
        const format = { schema: 1n, entryBytes: 4, lanes: 3 };
        const store = await redisStore({ redis, stream: newStream() }).open(format);
        const bytes = new Uint8Array([1, 2, 3, i]);
        await store.append([1, 2, 3].map((id) => ({ id, lane: id - 1, bytes })));
        expect(await store.take(2, 0, 5)).toEqual([{ id: 3, deliveries: 1, bytes }]);
        await store.remove(2, [3]);
        expect(await store.take(2, 0, 5)).toEqual([]);
        await store.close();
      }
    });

    it.skipIf(missing)(
      'a limiter with keys spreads them over the masters, and survives a slot that moves',
      async () => {
        const redis = (await cluster[name]?.(protocol)) as RedisPort;
        const options = {
          ...{ redis, prefix: 'test', name: `${name}${protocol}`, timeoutMs: 20_000 },
          ...{ tokenBucket: { ratePerSecond: 1 / 3_600, burst: 5 } },
        };
        const keyed = await RedisLimiter.open({ ...options, keys: {} });
        const keys = Array.from({ length: 30 }, (_, key) => key);
        const answers = await Promise.all(keys.map((key) => keyed.tryAcquire({ key, cost: 4 })));
        expect(answers.every(({ allowed }) => allowed)).toBe(true);
        const lists = await Promise.all(
          admins.map((admin) => admin.send(['KEYS', `test:{${options.name}:*`])),
        );
        expect(lists.map((list) => (list as string[]).length).reduce((sum, n) => sum + n)).toBe(30);
        for (const list of lists) expect(list).not.toHaveLength(0);
        const one = await RedisLimiter.open(options);
        expect(await one.allow(undefined, 2)).toBe(true);
        let isOver = false;
        const refused = (async () => {
          let count = 0;
          for (; !isOver; count++)
            expect(await one.tryAcquire({ cost: 4 })).toMatchObject({ tier: 'token-bucket' });
          return count;
        })();
        expect(await moveSlot(`test:{${options.name}}:limiter`)).toBe(1);
        isOver = true;
        expect(await refused).toBeGreaterThan(0);
        expect(await one.tryAcquire({ cost: 3 })).toMatchObject({ allowed: true, remaining: 0 });
        await keyed.close();
        await one.close();
      },
    );

    it.skipIf(missing)(
      'no order is lost or stored twice while a slot moves under pushes and workers',
      async () => {
        const redis = (await cluster[name]?.(protocol)) as RedisPort;
        const stream = newStream();
        const orders = queueOf(redis, stream);
        const workers = workersOf(redis, stream);
        const times = new Map<number, number>();
        const run = running(
          workers,
          async ({ orderId }) => {
            await sleep(1);
            times.set(orderId, (times.get(orderId) ?? 0) + 1);
          },
          { concurrency: 4 },
        );
        const faults = new Set<string>();
        const note = (message: unknown): void => {
          faults.add((message as { error: Error }).error.message.split(' ')[0] ?? '');
        };
        channel('sluice:redis:fault').subscribe(note);
        let isOver = false;
        let pushed = 0;
        let duplicates = 0;
        const pushing = (async () => {
          for (; !isOver; pushed++) {
            const { duplicate } = await orders.push(order(pushed), { timeoutMs: 30_000 });
            if (duplicate) duplicates++;
          }
        })();
        await until('it is under way', () => times.size > 100);
        const moved = await moveSlot(stream);
        const sizeThen = times.size;
        await until('it goes on', () => times.size > sizeThen + 100);
        isOver = true;
        await pushing;
        await untilDone(workers, 30_000);
        await run.end();
        channel('sluice:redis:fault').unsubscribe(note);
        expect(moved).toBeGreaterThan(100); // the remembered ids, and the stream
        expect(times.size).toBe(pushed);
        expect([...times.values()].reduce((sum, n) => sum + n - 1, 0)).toBeLessThanOrEqual(4);
        expect(duplicates).toBe(orders.stats().duplicates);
        // node-redis passes TRYAGAIN on; ioredis asks again by itself.
        if (name === 'redis') {
          expect(faults).toContain('TRYAGAIN');
          expect(orders.stats().retries).toBeGreaterThan(0);
        }
        expect(await workers.backlog()).toMatchObject({ entries: 0, pending: 0, unread: 0 });
      },
    );
  });
});
