import { RedisQueue, RedisWorkers } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Order, Shop } from '../dispatch/crew.js';
import { Work, work } from '../dispatch/work.js';
import handle, { setup } from '../dispatch/workers/work-handler.js';
import { connect, disconnect } from './clients.js';
import { newStream, until } from './scene.js';
import { endServers, noRedis, Server } from './servers.js';

let server: Server;
beforeAll(async () => {
  if (!noRedis) server = await Server.start();
});
afterEach(disconnect);
afterAll(endServers);

interface HandlerLimits {
  handlerTimeoutMs?: number;
}

/** Runs the handler module of the dispatcher's tests on orders: the same file in all three. */
const runs: Record<string, (shop: Shop, orders: readonly Order[], limits?: HandlerLimits) => Promise<void>> =
  {
    async 'gate.consume'(shop, orders, limits) {
      setup(shop.book.handle);
      shop.admit(orders);
      shop.queue.close();
      await shop.gate.consume(handle, { concurrency: 2, ...limits });
    },
    async dispatch(shop, orders, limits) {
      shop.admit(orders);
      await shop.handleAll(limits);
    },
    async RedisWorkers(shop, orders, limits) {
      setup(shop.book.handle);
      const redis = await connect(server.port);
      const stream = newStream();
      await new RedisQueue({ redis, stream, record: Work, id: 'id' }).pushMany(orders);
      const options = { redis, stream, record: Work, group: 'cashiers', patrolMs: 20 };
      const workers = new RedisWorkers({ ...options, backoff: { baseMs: 5 }, blockMs: 100 });
      const end = new AbortController();
      const ended = workers.run(handle, { signal: end.signal, concurrency: 2, ...limits }).catch(() => {});
      await until('all are done', async () => (await workers.backlog()).entries === 0);
      end.abort();
      await ended;
    },
  };

/** What the handler wrote down of each order. */
function booksOf(shop: Shop): string[] {
  return shop.entries
    .filter(({ event }) => event === 'begin' || event === 'end')
    .map(({ event, id, deliveries }) => `${id} ${event} ${deliveries}`)
    .sort();
}

describe.each(Object.keys(runs))('The same handler, with the same hold, in %s', (name) => {
  const skipped = noRedis && name === 'RedisWorkers';

  it.skipIf(skipped)('confirms, cancels, and decides once', async () => {
    const shop = new Shop();
    // 'twice' fails unless the second decision gets the first one as its answer.
    const orders = [
      work(1),
      work(2, { act: 'cancel' }),
      work(3, { act: 'twice' }),
      work(4, { act: 'sleep' }),
    ];
    await runs[name]?.(shop, orders);
    expect(booksOf(shop)).toEqual([1, 2, 3, 4].flatMap((id) => [`${id} begin 1`, `${id} end 1`]));
    if (name !== 'RedisWorkers') shop.expectSettled(2);
  });

  it.skipIf(skipped)('answers a decision that comes too late', async () => {
    const shop = new Shop();
    await runs[name]?.(shop, [work(1, { act: 'hang', times: 1 })], { handlerTimeoutMs: 100 });
    await until('the handler whose time is over has decided', () => shop.late.length === 2);
    expect(shop.late).toEqual(['expired', 'expired']);
    const other = new Shop();
    // So that the crew has not ended before the decision.
    const others = [2, 3, 4, 5, 6, 7].map((id) => work(id, { act: 'sleep' }));
    await runs[name]?.(other, [work(1, { act: 'late-return' }), ...others]);
    await until('the handler that had returned has decided', () => other.late.length === 2);
    expect(other.late).toEqual(['already-confirmed', 'already-confirmed']);
    const failed = new Shop();
    await runs[name]?.(failed, [work(1, { act: 'late-throw', times: 1 }), ...others]);
    await until('the handler that had failed has decided', () => failed.late.length === 2);
    expect(failed.late).toEqual(['expired', 'expired']);
  });

  // gate.consume() cancels an order whose handler throws, so it hands none out again.
  if (name === 'gate.consume') return;
  it.skipIf(skipped)('gets an order that failed again, with its deliveries', async () => {
    const shop = new Shop();
    await runs[name]?.(shop, [work(1, { act: 'throw', times: 2 })]);
    expect(booksOf(shop)).toEqual(['1 begin 1', '1 begin 2', '1 begin 3', '1 end 3']);
  });
});
