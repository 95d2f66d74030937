import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { connect, disconnect } from './clients.js';
import { newStream, order, queueOf, running, until, untilDone, workersOf } from './scene.js';
import { endServers, noRedis, Server } from './servers.js';

let server: Server;
beforeAll(async () => {
  if (!noRedis) server = await Server.start();
});
afterEach(disconnect);
afterAll(endServers);

async function consumersOf(redis: Awaited<ReturnType<typeof connect>>, stream: string): Promise<string[]> {
  const consumers = (await redis.send(['XINFO', 'CONSUMERS', stream, 'cashiers'])) as Array<{ name: string }>;
  return consumers.map(({ name }) => name).sort();
}

it.skipIf(noRedis)('a pool has as many consumers as it was told', async () => {
  const redis = await connect(server.port);
  const stream = newStream();
  const workers = workersOf(redis, stream, { pool: 3, consumer: 'till' });
  let [busy, most] = [0, 0];
  const run = running(
    workers,
    async () => {
      most = Math.max(most, ++busy);
      await sleep(2);
      busy--;
    },
    { concurrency: 2 },
  );
  await queueOf(redis, stream).pushMany(Array.from({ length: 200 }, (_, i) => order(i)));
  await untilDone(workers);
  expect(await consumersOf(redis, stream)).toEqual(['till.1', 'till.2', 'till.3']);
  expect(workers.stats()).toMatchObject({ consumers: 3, handled: 200 });
  await run.end();
  expect(most).toBe(6);
  expect(await consumersOf(redis, stream)).toEqual([]);
});

it.skipIf(noRedis)('a pool grows with the orders that wait, and shrinks when there are none', async () => {
  const redis = await connect(server.port);
  const stream = newStream();
  const workers = workersOf(redis, stream, { pool: { min: 1, max: 4 }, patrolMs: 20 });
  let isSlow = true;
  const times = new Map<number, number>();
  const run = running(
    workers,
    async ({ orderId }) => {
      times.set(orderId, (times.get(orderId) ?? 0) + 1);
      while (isSlow) await sleep(5);
    },
    { concurrency: 2 },
  );
  await until('there is one', () => workers.stats().consumers === 1);
  await queueOf(redis, stream).pushMany(Array.from({ length: 300 }, (_, i) => order(i)));
  await until('there are four', () => workers.stats().consumers === 4);
  expect(workers.stats()).toMatchObject({ grown: 3, running: expect.any(Number) });
  isSlow = false;
  await untilDone(workers);
  await until('there is one again', () => workers.stats().consumers === 1);
  expect(await consumersOf(redis, stream)).toHaveLength(1);
  await queueOf(redis, stream).push(order(300));
  await until('the last one is done', () => times.size === 301);
  await run.end();
  expect([...times.values()].every((n) => n === 1)).toBe(true);
  expect(workers.stats()).toMatchObject({ shrunk: 3, failed: 0 });
});

it.skipIf(noRedis)('workers move from each stage to the next, and back, while orders come', async () => {
  const redis = await connect(server.port);
  const stream = newStream();
  const orders = queueOf(redis, stream);
  const times = new Map<number, number>();
  const stages = [1, 3, { min: 1, max: 4 }, 3, 1] as const;
  const start = (pool: (typeof stages)[number]) =>
    running(
      workersOf(redis, stream, { pool }),
      async ({ orderId }) => {
        await sleep(2);
        times.set(orderId, (times.get(orderId) ?? 0) + 1);
      },
      { concurrency: 2 },
    );
  let id = 0;
  let current = start(stages[0]);
  for (const pool of stages.slice(1)) {
    for (const last = id + 40; id < last; id++) await orders.push(order(id));
    const next = start(pool);
    for (const last = id + 40; id < last; id++) await orders.push(order(id));
    await current.end();
    current = next;
  }
  await untilDone(workersOf(redis, stream));
  await current.end();
  expect(times.size).toBe(id);
  expect([...times.values()].every((n) => n === 1)).toBe(true);
  // A consumer that had unhandled orders when it left has handed them to ~left.
  expect((await consumersOf(redis, stream)).filter((name) => name !== '~left')).toEqual([]);
});

it.skipIf(noRedis)('only one process has the name of a consumer at a time', async () => {
  const redis = await connect(server.port);
  const stream = newStream();
  const named = { consumer: 'till', claimIdleMs: 1_200, blockMs: 100 };
  const first = workersOf(redis, stream, named);
  const counted: number[] = [];
  const handler = (_: unknown, { deliveries }: { deliveries: number }) => {
    counted.push(deliveries);
    return counted.length === 1 ? new Promise<void>(() => {}) : undefined;
  };
  const run = running(first, handler, { graceMs: 0 });
  await queueOf(redis, stream).push(order(1));
  await until('the order is in hand', () => counted.length === 1);
  const second = workersOf(redis, stream, named);
  await expect(second.run(() => {})).rejects.toMatchObject({ code: 'ERR_SLUICE_CONSUMER' });
  // As if the first process had stood still until another had its name.
  await redis.send(['SET', `${stream}:lease:cashiers:till`, 'another', 'PX', '2000']);
  expect(await run.ended).toMatchObject({
    ...{ code: 'ERR_SLUICE_CONSUMER', message: expect.stringContaining('till') },
  });
  await redis.send(['DEL', `${stream}:lease:cashiers:till`]);
  const next = running(second, handler);
  await until('the second has the order', () => counted.length === 2);
  expect(counted).toEqual([1, 2]);
  await next.end();
  expect(await redis.send(['EXISTS', `${stream}:lease:cashiers:till`])).toBe(0);
});

it.skipIf(noRedis)('a process with the name of one that died goes on at once, and counts that', async () => {
  const redis = await connect(server.port);
  const stream = newStream();
  await queueOf(redis, stream).pushMany([order(1), order(2)]);
  await redis.send(['XGROUP', 'CREATE', stream, 'cashiers', '0']);
  for (const name of ['till.1', 'other.1']) {
    await redis.send(['XREADGROUP', 'GROUP', 'cashiers', name, 'COUNT', '1', 'STREAMS', stream, '>']);
  }
  const workers = workersOf(redis, stream, { consumer: 'till', claimIdleMs: 600_000 });
  const seen: unknown[] = [];
  const run = running(workers, ({ orderId }, { deliveries }) => seen.push([orderId, deliveries]));
  await until('the order of the same name is done', () => seen.length === 1);
  await run.end();
  expect(seen).toEqual([[1, 2]]);
  expect(await workers.backlog()).toMatchObject({ entries: 1, pending: 1 }); // the other one is not idle for long
});

it.skipIf(noRedis)('of the orders of dead consumers a process has one at a time', async () => {
  const redis = await connect(server.port);
  const stream = newStream();
  await queueOf(redis, stream).pushMany(Array.from({ length: 12 }, (_, i) => order(i)));
  await redis.send(['XGROUP', 'CREATE', stream, 'cashiers', '0']);
  await redis.send(['XREADGROUP', 'GROUP', 'cashiers', 'dead', 'COUNT', '10', 'STREAMS', stream, '>']);
  const workers = workersOf(redis, stream, { claimIdleMs: 200, blockMs: 100, pool: 2 });
  let [busy, most] = [0, 0];
  const deliveries: number[] = [];
  const run = running(
    workers,
    async (_, hold) => {
      deliveries.push(hold.deliveries);
      if (hold.deliveries === 1) return;
      most = Math.max(most, ++busy);
      await sleep(5);
      busy--;
    },
    { concurrency: 32 }, // more than a read asks for, so that a patrol has room for several
  );
  await untilDone(workers);
  await run.end();
  expect(most).toBe(1);
  expect(deliveries.filter((n) => n === 2)).toHaveLength(10);
  expect(deliveries).toHaveLength(12);
});
