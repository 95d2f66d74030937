import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { tidy } from '../../dist/redis/stream/worker-scripts.js';
import { clients, connect, disconnect } from './clients.js';
import { newStream, order, queueOf, running, until, untilDone, workersOf } from './scene.js';
import { endServers, Server, servers } from './servers.js';

describe.each(servers)('On $binary', ({ binary, missing }) => {
  let server: Server;
  beforeAll(async () => {
    if (!missing) server = await Server.start(binary);
  });
  afterEach(disconnect);
  afterAll(endServers);

  describe.each(clients)('a group, with %s', (client) => {
    it.skipIf(missing)('that is deleted is made again, and no order is lost', async () => {
      const redis = await connect(server.port, client);
      const stream = newStream();
      const workers = workersOf(redis, stream);
      const times = new Map<number, number>();
      let isSlow = true;
      const run = running(
        workers,
        async ({ orderId }) => {
          times.set(orderId, (times.get(orderId) ?? 0) + 1);
          while (isSlow) await sleep(5);
        },
        { concurrency: 3 },
      );
      await queueOf(redis, stream).pushMany([1, 2, 3, 4, 5].map((id) => order(id)));
      await until('three are in hand', () => times.size === 3);
      await redis.send(['XGROUP', 'DESTROY', stream, 'cashiers']);
      isSlow = false;
      await until('all are done', () => times.size === 5);
      await untilDone(workers);
      await run.end();
      expect([...times.values()].reduce((sum, n) => sum + n, 0)).toBeLessThanOrEqual(5 + 3);
      expect(workers.stats().faults).toBeGreaterThan(0);
    });

    it.skipIf(missing)('is made again with its stream', async () => {
      const redis = await connect(server.port, client);
      const stream = newStream();
      const workers = workersOf(redis, stream);
      const seen: number[] = [];
      const run = running(workers, ({ orderId }) => seen.push(orderId));
      await until('the read waits', () => workers.stats().consumers === 1);
      await redis.send(['DEL', stream]);
      await queueOf(redis, stream).push(order(1));
      await until('the order is done', () => seen.length === 1);
      await run.end();
    });
  });

  it.skipIf(missing)(
    'what is in hand is not handed out once more by a group that was made again',
    async () => {
      const redis = await connect(server.port);
      const stream = newStream();
      const workers = workersOf(redis, stream);
      const begun: number[] = [];
      let isSlow = true;
      const run = running(
        workers,
        async ({ orderId }) => {
          begun.push(orderId);
          while (isSlow) await sleep(5);
        },
        { concurrency: 8 },
      );
      await queueOf(redis, stream).pushMany([1, 2, 3].map((id) => order(id)));
      await until('all are in hand', () => begun.length === 3);
      await redis.send(['XGROUP', 'DESTROY', stream, 'cashiers']);
      await until('the new group has delivered them', async () => (await workers.backlog()).pending === 3);
      await sleep(50); // the reply is on its way
      isSlow = false;
      await untilDone(workers);
      await run.end();
      expect(begun.sort()).toEqual([1, 2, 3]);
    },
  );

  it.skipIf(missing)(
    'workers end with a typed error when their group is deleted and others read the stream',
    async () => {
      const redis = await connect(server.port);
      const stream = newStream();
      await redis.send(['XGROUP', 'CREATE', stream, 'auditors', '0', 'MKSTREAM']);
      const workers = workersOf(redis, stream);
      const run = running(workers, () => {});
      await until('the group is there', async () => {
        const groups = (await redis.send(['XINFO', 'GROUPS', stream])) as unknown[];
        return groups.length === 2;
      });
      await redis.send(['XGROUP', 'DESTROY', stream, 'cashiers']);
      expect(await run.ended).toMatchObject({
        code: 'ERR_SLUICE_REDIS',
        message: expect.stringContaining('cashiers'),
      });
    },
  );

  it.skipIf(missing)('an entry stays until every group has done it, and is deleted then', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    const seen: string[] = [];
    const of = (group: string) => {
      const workers = workersOf(redis, stream, { group, patrolMs: 10 });
      return { workers, run: running(workers, ({ orderId }) => seen.push(`${group} ${orderId}`)) };
    };
    const cashiers = of('cashiers');
    await redis.send(['XGROUP', 'CREATE', stream, 'auditors', '0', 'MKSTREAM']).catch(() => {});
    await queueOf(redis, stream).pushMany([1, 2, 3].map((id) => order(id)));
    await until('the cashiers are done', () => seen.length === 3);
    await until('it is told', () => cashiers.workers.stats().unsettled === 0);
    expect(await cashiers.workers.backlog()).toMatchObject({
      entries: 3,
      pending: 0,
      unread: 0,
      isExact: true,
    });
    const auditors = of('auditors');
    await until('the auditors are done', () => seen.length === 6);
    await untilDone(cashiers.workers);
    await Promise.all([cashiers.run.end(), auditors.run.end()]);
    expect(seen.sort()).toEqual([
      'auditors 1',
      'auditors 2',
      'auditors 3',
      'cashiers 1',
      'cashiers 2',
      'cashiers 3',
    ]);
  });

  it.skipIf(missing)('what is unread is counted although entries were deleted', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    await redis.send(['XGROUP', 'CREATE', stream, 'cashiers', '0', 'MKSTREAM']);
    const pushed = await queueOf(redis, stream).pushMany(Array.from({ length: 10 }, (_, i) => order(i)));
    const entry = pushed[7];
    if (entry?.outcome !== 'stored') throw new Error('not stored');
    await redis.send(['XREADGROUP', 'GROUP', 'cashiers', 'c', 'COUNT', '2', 'STREAMS', stream, '>']);
    await redis.send(['XDEL', stream, entry.entry]);
    const workers = workersOf(redis, stream);
    expect(await workers.backlog()).toMatchObject({ entries: 9, pending: 2, unread: 7, isExact: true });
    await redis.send(['XGROUP', 'CREATE', stream, 'auditors', '0']);
    expect(await workers.backlog()).toMatchObject({ entries: 9, pending: 2, unread: 7, isExact: true });
  });

  it.skipIf(missing)('only entries before the first that a group has not done are trimmed', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    const read = (group: string, count: number): Promise<unknown> =>
      redis.send(['XREADGROUP', 'GROUP', group, 'c', 'COUNT', String(count), 'STREAMS', stream, '>']);
    const left = async (): Promise<string[]> => {
      await tidy.run(redis, [stream], ['cashiers', 3_600_000]);
      return ((await redis.send(['XRANGE', stream, '-', '+'])) as Array<[string, unknown]>).map(([id]) => id);
    };
    for (const group of ['cashiers', 'auditors']) {
      await redis.send(['XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM']);
    }
    const ids: string[] = [];
    for (let i = 0; i < 4; i++) ids.push((await queueOf(redis, stream).push(order(i))).entry);
    const [first = '', second = '', third = '', fourth = ''] = ids;
    await read('cashiers', 4);
    await redis.send(['XACK', stream, 'cashiers', first, second, fourth]);
    expect(await left()).toEqual(ids); // the auditors have read none
    await read('auditors', 2);
    expect(await left()).toEqual(ids); // they have not done them
    await redis.send(['XACK', stream, 'auditors', first, second]);
    expect(await left()).toEqual([third, fourth]);
    await read('auditors', 2);
    await redis.send(['XACK', stream, 'auditors', third, fourth]);
    expect(await left()).toEqual([third, fourth]); // the cashiers have not done the third
    await redis.send(['XACK', stream, 'cashiers', third]);
    expect(await left()).toEqual([]);
  });
});
