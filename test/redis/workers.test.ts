import { setTimeout as sleep } from 'node:timers/promises';
import type { Hold } from 'sluice';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { clients, connect, disconnect } from './clients.js';
import { deadLetters, newStream, order, queueOf, running, until, untilDone, workersOf } from './scene.js';
import { endServers, Server, servers } from './servers.js';

afterEach(disconnect);
afterAll(endServers);

const cases = servers.flatMap((server) => clients.map((client) => ({ ...server, client })));

describe.each(servers)('RedisWorkers on $binary', ({ binary, missing }) => {
  let server: Server;
  beforeAll(async () => {
    if (!missing) server = await Server.start(binary);
  });

  it.skipIf(missing).each(cases.filter((one) => one.binary === binary).map(({ client }) => client))(
    'hand out every order, and end with what was done: %s',
    async (client) => {
      const redis = await connect(server.port, client);
      const stream = newStream();
      const orders = queueOf(redis, stream);
      await orders.pushMany(Array.from({ length: 500 }, (_, i) => order(i, `note ${i}`)));
      const workers = workersOf(redis, stream);
      const seen: string[] = [];
      let [busy, most] = [0, 0];
      const run = running(
        workers,
        async (one, { deliveries }) => {
          most = Math.max(most, ++busy);
          seen.push(`${one.orderId} ${one.note} ${deliveries}`);
          await sleep(1);
          busy--;
        },
        { concurrency: 7 },
      );
      await untilDone(workers);
      await orders.push(order(500, 'late')); // the read waits for this one
      await until('the late order is done', () => seen.length === 501);
      expect(await run.end()).toMatchObject({ message: 'the test ends' });
      expect(seen.sort()).toEqual(
        [...Array.from({ length: 500 }, (_, i) => `${i} note ${i} 1`), '500 late 1'].sort(),
      );
      expect(most).toBe(7);
      expect(workers.stats()).toMatchObject({ handled: 501, inHand: 0, unsettled: 0, failed: 0, faults: 0 });
      expect(await workers.backlog()).toMatchObject({ entries: 0, pending: 0, unread: 0, isExact: true });
      expect(await redis.send(['XINFO', 'CONSUMERS', stream, 'cashiers'])).toEqual([]);
    },
  );

  it.skipIf(missing)(
    'never have more orders than handlers are free, and leave the others to others',
    async () => {
      const redis = await connect(server.port);
      const stream = newStream();
      await queueOf(redis, stream).pushMany(Array.from({ length: 20 }, (_, i) => order(i)));
      const slow = workersOf(redis, stream);
      const stuck = new AbortController();
      const run = running(slow, async (_, hold) => {
        await new Promise((resolve) => hold.signal.addEventListener('abort', resolve));
        throw new Error('interrupted');
      });
      await until('an order is in hand', () => slow.stats().inHand === 1);
      const quick = workersOf(redis, stream);
      const done = new Set<number>();
      const other = running(quick, ({ orderId }) => done.add(orderId), { concurrency: 4 });
      await until('the others are done', () => done.size === 19);
      expect(slow.stats()).toMatchObject({ inHand: 1, running: 1 });
      stuck.abort();
      await run.end(); // the handler fails: its order goes to the other consumer
      await until('all are done', () => done.size === 20);
      await other.end();
    },
  );

  it.skipIf(missing)(
    'hand a failed order out again after a wait, and bury it after maxDeliveries',
    async () => {
      const redis = await connect(server.port);
      const stream = newStream();
      await queueOf(redis, stream).pushMany([order(1), order(2), order(3)]);
      const workers = workersOf(redis, stream, { maxDeliveries: 3 });
      const tries: string[] = [];
      const run = running(workers, async ({ orderId }, { deliveries }) => {
        tries.push(`${orderId}:${deliveries}`);
        if (orderId === 1) throw new TypeError(`no ${'x'.repeat(2_000)}`);
        if (orderId === 2 && deliveries < 3) return Promise.reject('not an error');
      });
      await untilDone(workers);
      await run.end();
      expect(tries.sort()).toEqual(['1:1', '1:2', '1:3', '2:1', '2:2', '2:3', '3:1']);
      const [letter, ...others] = await deadLetters(redis, stream);
      expect(others).toEqual([]);
      expect(letter).toMatchObject({
        ...{ id: '1', 'sluice:deliveries': '3', 'sluice:reason': 'failed', 'sluice:group': 'cashiers' },
        'sluice:error': expect.stringMatching(/^TypeError: no x+$/),
        'sluice:id': expect.stringMatching(/^\d+-\d+$/),
      });
      expect(letter?.['sluice:error']).toHaveLength(500);
      expect(workers.stats()).toMatchObject({ handled: 2, failed: 5, deadLetters: 1, claimed: 4 });
    },
  );

  it.skipIf(missing)('wait for a place among the dead letters rather than lose one', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    await queueOf(redis, stream).pushMany([order(1), order(2)]);
    const workers = workersOf(redis, stream, { maxDeliveries: 1, maxDeadLetters: 1 });
    const run = running(workers, async () => {
      throw new Error('never');
    });
    await until('one is dead, one waits', () => {
      const { deadLetters, deadLettersFull } = workers.stats();
      return deadLetters === 1 && deadLettersFull >= 1;
    });
    expect(await workers.backlog()).toMatchObject({ entries: 1, pending: 1, waiting: 1, deadLetters: 1 });
    await redis.send(['DEL', `${stream}:dead`]);
    await redis.send(['ZADD', `${stream}:retry:cashiers`, '1', ...(await onlyEntry(redis, stream))]);
    await untilDone(workers);
    await run.end();
    expect(await deadLetters(redis, stream)).toHaveLength(1);
  });

  it.skipIf(missing)('take a decision of the hold: once, at once, and without a return', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    await queueOf(redis, stream).pushMany([order(1), order(2), order(3)]);
    const workers = workersOf(redis, stream);
    const said: unknown[][] = [];
    const run = running(workers, async ({ orderId }, hold) => {
      expect(hold.reservation).toBeUndefined();
      if (orderId === 1) said.push([hold.confirm(), hold.confirm(), hold.cancel()]);
      if (orderId === 2) said.push([hold.cancel(), hold.confirm()]);
      if (orderId === 3) {
        expect(() => hold.confirm({ quantity: 1 })).toThrow('Hold.confirm: quantity');
        said.push([hold.decided]);
        return;
      }
      throw new Error('after the decision');
    });
    await untilDone(workers);
    await run.end();
    expect(said).toEqual([
      ['confirmed', 'already-confirmed', 'already-confirmed'],
      ['cancelled', 'already-cancelled'],
      [false],
    ]);
    expect(workers.stats()).toMatchObject({ handled: 2, cancelled: 1, failed: 0 });
    expect(await deadLetters(redis, stream)).toEqual([]);
  });

  it.skipIf(missing)('renew an order as long as its handler runs', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    await queueOf(redis, stream).push(order(1));
    const hurried = { claimIdleMs: 1_000, blockMs: 50 };
    const first = workersOf(redis, stream, hurried);
    const second = workersOf(redis, stream, hurried);
    let calls = 0;
    const handler = async (_: unknown, hold: Hold) => {
      calls++;
      await sleep(2_500); // more than twice the idle time
      expect(hold.confirm()).toBe('confirmed');
    };
    const runs = [running(first, handler), running(second, handler)];
    await untilDone(first);
    await Promise.all(runs.map((run) => run.end()));
    expect(calls).toBe(1);
    expect(first.stats().claimed + second.stats().claimed).toBe(0);
  });

  it.skipIf(missing)(
    'give up a handler that takes too long, whose decision then counts no more',
    async () => {
      const redis = await connect(server.port);
      const stream = newStream();
      await queueOf(redis, stream).push(order(1));
      const workers = workersOf(redis, stream);
      const late: unknown[] = [];
      let freeFirst = (): void => {};
      const run = running(
        workers,
        async (_, hold) => {
          if (hold.deliveries > 1) return;
          await new Promise<void>((resolve) => {
            freeFirst = resolve;
          });
          late.push(hold.confirm());
        },
        { handlerTimeoutMs: 30 },
      );
      await untilDone(workers);
      freeFirst();
      await until('the late handler has decided', () => late.length === 1);
      await run.end();
      expect(late).toEqual(['expired']);
      expect(workers.stats()).toMatchObject({ handled: 1, failed: 1, claimed: 1, expired: 1, inHand: 0 });
    },
  );

  it.skipIf(missing)(
    'give back at the end what no handler has got, and do not count it as delivered',
    async () => {
      const redis = await connect(server.port);
      const stream = newStream();
      await queueOf(redis, stream).push(order(1));
      const workers = workersOf(redis, stream);
      const started = running(workers, (_, hold) => new Promise(() => hold), { graceMs: 0 });
      await until('the order is in hand', () => workers.stats().running === 1);
      // As if a reply had been lost: delivered to this consumer, and to no handler.
      const [consumer] = (await redis.send(['XINFO', 'CONSUMERS', stream, 'cashiers'])) as Array<{
        name: string;
      }>;
      await queueOf(redis, stream).push(order(2));
      await redis.send(['XREADGROUP', 'GROUP', 'cashiers', consumer?.name ?? '', 'STREAMS', stream, '>']);
      await started.end();
      const counted = new Map<number, number>();
      const next = workersOf(redis, stream);
      const run = running(next, ({ orderId }, { deliveries }) => counted.set(orderId, deliveries), {
        concurrency: 2,
      });
      await untilDone(next);
      await run.end();
      expect([...counted].sort()).toEqual([
        [1, 2],
        [2, 1],
      ]);
      expect(await next.backlog()).toMatchObject({ entries: 0, pending: 0 });
    },
  );

  it.skipIf(missing)('run once at a time, and again', async () => {
    const redis = await connect(server.port);
    const workers = workersOf(redis, newStream());
    const run = running(workers, () => {});
    await expect(workers.run(() => {})).rejects.toMatchObject({ code: 'ERR_SLUICE_CONSUMER' });
    await run.end();
    await expect(workers.run(() => {}, { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow(
      'before',
    );
  });

  it.skipIf(missing)('end with a typed error where the server refuses for good', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    await redis.send(['SET', stream, 'a text']);
    const workers = workersOf(redis, stream);
    await expect(workers.run(() => {})).rejects.toMatchObject({ code: 'ERR_SLUICE_REDIS' });
    await expect(workers.backlog()).rejects.toMatchObject({ code: 'ERR_SLUICE_REDIS' });
  });
});

async function onlyEntry(redis: Awaited<ReturnType<typeof connect>>, stream: string): Promise<string[]> {
  const entries = (await redis.send(['XRANGE', stream, '-', '+'])) as Array<[string, unknown]>;
  return entries.map(([id]) => id);
}
