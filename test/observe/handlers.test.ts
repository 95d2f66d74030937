import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as immediate } from 'node:timers/promises';
import { Gate, Limiter, Queue, Stock } from 'sluice';
import { RedisQueue, RedisWorkers } from 'sluice/redis';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Shop } from '../dispatch/crew.js';
import { Work, work } from '../dispatch/work.js';
import { fields, Order, order } from '../gate/order.js';
import { connect, disconnect } from '../redis/clients.js';
import { newStream, until } from '../redis/scene.js';
import { endServers, noRedis, Server } from '../redis/servers.js';
import { published } from './published.js';
import { Trace } from './workers/traced-handler.js';

afterEach(disconnect);
afterAll(endServers);

const callers = new AsyncLocalStorage<string>();

function gateOf() {
  const queue = Queue.create(Order, { capacity: 100 });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 100 }] });
  return Gate.create({ queue, stock, fields });
}

/** Runs workers on the stream until it is done. */
async function runWorkers(server: Server, handler: (order: { id: number }) => unknown): Promise<void> {
  const redis = await connect(server.port);
  const stream = newStream();
  const orders = [work(1), work(2)];
  await new RedisQueue({ redis, stream, record: Work, id: 'id' }).pushMany(orders);
  const workers = new RedisWorkers({ redis, stream, record: Work, group: 'cashiers', blockMs: 100 });
  const end = new AbortController();
  const ended = callers.run('workers', () => workers.run(handler, { signal: end.signal })).catch(() => {});
  await until('all are done', async () => (await workers.backlog()).entries === 0);
  end.abort();
  await ended;
}

describe('tracing:sluice:gate:handle', () => {
  it('traces the handlers of a crew, in its workers', async () => {
    const traces = Queue.create(Trace, { capacity: 100 });
    const shop = new Shop();
    shop.admit([work(1), work(2)]);
    const handler = new URL('./workers/traced-handler.js', import.meta.url);
    await shop.handleAll({ workers: 1, handler, data: traces.handle });
    expect(traces.popMany(100).map(({ text }) => text)).toEqual([
      ...['start dispatch 1 1', 'asyncEnd dispatch 1 1'],
      ...['start dispatch 2 1', 'error dispatch 2 1 not yet', 'asyncEnd dispatch 2 1 not yet'],
      ...['start dispatch 2 2', 'asyncEnd dispatch 2 2'],
    ]);
  });

  it.skipIf(noRedis)('traces the handlers of a stream', async () => {
    const [start, end] = ['start', 'asyncEnd'].map((event) =>
      published(`tracing:sluice:gate:handle:${event}`),
    );
    await runWorkers(await Server.start(), ({ id }) => id);
    const expected = [1, 2].map((id) => ({
      by: 'redis',
      order: { id },
      hold: { deliveries: 1 },
      result: id,
    }));
    expect(start).toMatchObject(expected);
    expect(end).toEqual(start);
  });
});

describe('the AsyncLocalStorage of the caller', () => {
  const seen = () => callers.getStore();

  it('is kept by push() and reserve() that wait for room', async () => {
    const queue = Queue.create(Order, { capacity: 1 });
    queue.tryPush(order(0));
    const pushed = ['ann', 'bob'].map((name) =>
      callers.run(name, async () => {
        await queue.push(order(1));
        return seen();
      }),
    );
    const reserved = callers.run('eve', async () => {
      const permit = await queue.reserve(1);
      permit.send(order(2));
      return seen();
    });
    for (let i = 0; i < 4; i++) {
      queue.tryPop();
      await immediate();
    }
    expect(await Promise.all([...pushed, reserved])).toEqual(['ann', 'bob', 'eve']);
  });

  it('is kept by a loop that waits for records, whoever pushes them', async () => {
    const queue = Queue.create(Order, { capacity: 10 });
    const read = callers.run('reader', async () => {
      const names = [];
      for await (const _ of queue) names.push(seen());
      return names;
    });
    for (let i = 0; i < 3; i++) {
      await immediate();
      callers.run('pusher', () => queue.tryPush(order(i)));
    }
    queue.close();
    expect(await read).toEqual(['reader', 'reader', 'reader']);
  });

  it('is that of consume() in the handlers of a queue, also after a wait', async () => {
    const queue = Queue.create(Order, { capacity: 10 });
    const names: unknown[] = [];
    const consumed = callers.run('consumer', () => queue.consume(() => void names.push(seen())));
    for (let i = 0; i < 3; i++) {
      await immediate();
      callers.run('pusher', () => queue.tryPush(order(i)));
    }
    queue.close();
    await consumed;
    expect(new Set(names)).toEqual(new Set(['consumer']));
  });

  it('is that of consume() in the handlers of a gate, with some at the same time', async () => {
    const gate = gateOf();
    const names: unknown[] = [];
    const handler = async () => {
      await immediate();
      names.push(seen());
    };
    const consumed = callers.run('consumer', () => gate.consume(handler, { concurrency: 2 }));
    for (let id = 0; id < 5; id++) {
      if (id % 2 === 0) await immediate();
      callers.run('shopper', () => gate.admit(order(id)));
    }
    gate.queue.close();
    await consumed;
    expect(names).toEqual(Array(5).fill('consumer'));
  });

  it.skipIf(noRedis)('is that of run() in the handlers of a stream', async () => {
    const names: unknown[] = [];
    await runWorkers(await Server.start(), () => void names.push(seen()));
    expect(names).toEqual(['workers', 'workers']);
  });

  it('is kept by acquire() that waits, and by drained()', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    limiter.allow();
    const acquired = callers.run('ann', async () => {
      await limiter.acquire();
      return seen();
    });
    limiter.release();
    expect(await acquired).toBe('ann');
    const queue = Queue.create(Order, { capacity: 1 });
    queue.tryPush(order(1));
    const drained = callers.run('bob', async () => {
      await queue.drained();
      return seen();
    });
    queue.close();
    await immediate();
    callers.run('eve', () => queue.tryPop());
    expect(await drained).toBe('bob');
  });
});
