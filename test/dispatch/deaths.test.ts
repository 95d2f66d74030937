import { describe, expect, it } from 'vitest';
import { until } from '../queue/until.js';
import { Shop } from './crew.js';
import { work } from './work.js';

const others = (count: number) => Array.from({ length: count }, (_, i) => work(100 + i));

describe('a worker that ends', () => {
  it.each([
    ['by process.exit', { act: 'exit' }, /exit code 3/],
    ['by an uncaught error', { act: 'uncaught' }, /nobody catches this/],
    ['because it is out of memory', { act: 'out-of-memory' }, /memory/],
    ['because a handler blocks it', { act: 'block' }, /blocked its worker for more than 100 ms/],
  ] as const)(
    '%s is replaced, and its order comes again, at most so often as is allowed',
    async (_, acts, why) => {
      const shop = new Shop();
      shop.admit([work(1, { ...acts, times: 1 }), work(2, acts), ...others(20)]);
      const crew = await shop.handleAll({
        workers: 2,
        retries: { max: 1, backoff: { baseMs: 1, maxMs: 5 } },
        resourceLimits: { maxOldGenerationSizeMb: 64 },
        ...(acts.act === 'block' ? { handlerTimeoutMs: 100 } : {}),
      });
      expect(shop.deliveriesOf(1)).toEqual([1, 2]);
      expect(shop.deliveriesOf(2)).toEqual([1, 2]);
      expect(shop.dead).toMatchObject([
        { order: { id: 2 }, deliveries: 2, error: { message: expect.stringMatching(why) } },
      ]);
      expect(crew.stats()).toMatchObject({ handled: 21, deadLettered: 1, deaths: 3, failures: 3 });
      for (const { id } of others(20)) expect(shop.deliveriesOf(id)).toEqual([1]);
      shop.expectSettled(21);
    },
  );

  it('by replace() loses no order: one that it had started comes again, the others as if nothing had been', async () => {
    const shop = new Shop();
    const crew = shop.dispatch({ workers: 1, concurrency: 2, handlerTimeoutMs: 60_000 });
    await crew.ready;
    shop.admit([work(1, { act: 'hang', times: 1 }), work(2, { act: 'hang', times: 1 }), work(3), work(4)]);
    await until(() => shop.begun === 2);
    await until(() => crew.stats().workers[0]?.inHand === 4);
    expect(crew.replace(0)).toBe(true);
    expect(crew.replace(1)).toBe(false);
    shop.queue.close();
    await crew.done;
    expect([1, 2, 3, 4].map((id) => shop.deliveriesOf(id))).toEqual([[1, 2], [1, 2], [1], [1]]);
    expect(crew.stats()).toMatchObject({ handled: 4, deaths: 1, failures: 2 });
    shop.expectSettled(4);
  });

  it('does not take other orders with it again: an order that it had comes back to a worker of its own', async () => {
    const shop = new Shop();
    // The poison is in the middle of orders that take a while: at its first death it takes up to three with it.
    const slow = (id: number) => work(id, { act: 'sleep' });
    shop.admit([slow(1), slow(2), work(3, { act: 'exit' }), slow(4), slow(5), slow(6), slow(7), slow(8)]);
    const crew = await shop.handleAll({
      workers: 1,
      concurrency: 4,
      retries: { max: 4, backoff: { baseMs: 1, maxMs: 5 } },
    });
    expect(shop.deliveriesOf(3)).toEqual([1, 2, 3, 4, 5]);
    expect(shop.deadIds).toEqual([3]);
    for (const id of [1, 2, 4, 5, 6, 7, 8]) expect(shop.deliveriesOf(id).length).toBeLessThanOrEqual(2);
    expect(crew.stats()).toMatchObject({ handled: 7, deaths: 5 });
    shop.expectSettled(7);
  });

  it('is none whose handlers wait for nothing but a promise', async () => {
    const shop = new Shop();
    shop.admit([
      work(1, { act: 'hang' }),
      ...others(30).map((order) => ({ ...order, act: 'sleep' as const })),
    ]);
    const crew = shop.dispatch({ workers: 2 });
    await until(() => crew.stats().handled >= 25); // the last of the others may be behind the order that hangs
    expect(crew.stats()).toMatchObject({ deaths: 0, failures: 0 });
    await crew.close({ timeoutMs: 0 });
    expect(shop.deliveriesOf(1)).toEqual([1]);
  });

  it.each(['gate', 'queue'] as const)(
    'after its handler had decided the order does not bring it back: of a %s',
    async (of) => {
      const shop = new Shop();
      const orders = [work(1, { act: 'decide-and-exit' }), work(2)];
      if (of === 'gate') shop.admit(orders);
      else for (const order of orders) shop.queue.tryPush(order);
      const crew = of === 'gate' ? shop.dispatch() : shop.dispatchQueue();
      shop.queue.close();
      await crew.done;
      expect(shop.deliveriesOf(1)).toEqual([1]);
      expect(crew.stats()).toMatchObject({ handled: 2, deaths: 1, failures: 0, deadLettered: 0 });
      if (of === 'gate') shop.expectSettled(2);
    },
  );

  it('again and again is replaced after ever longer waits, and the others go on meanwhile', async () => {
    const shop = new Shop();
    const poison = Array.from({ length: 4 }, (_, i) => work(i, { act: 'exit', key: 7 }));
    shop.admit([...poison, ...others(50)]);
    const crew = await shop.handleAll({
      workers: 2,
      by: ({ key }) => key,
      retries: { max: 1, backoff: { baseMs: 10, factor: 2, maxMs: 100 } },
    });
    expect(shop.deadIds).toEqual([0, 1, 2, 3]);
    expect(crew.stats()).toMatchObject({ handled: 50, deaths: 8 });
    shop.expectSettled(50);
  });
});

describe('a crew whose handler cannot be imported', () => {
  it.each([
    ['is not there', new URL('./workers/absent-handler.js', import.meta.url), /absent-handler/],
    [
      'has no default export',
      new URL('./work.js', import.meta.url),
      /default export is a function, got undefined/,
    ],
    ['fails in setup', new URL('./workers/work-handler.js', import.meta.url), /handle/],
  ])('fails before it takes an order, because it %s', async (_, handler, message) => {
    const shop = new Shop();
    shop.admit([work(1)]);
    const crew = shop.dispatch({ handler, data: 'no handle' });
    await expect(crew.done).rejects.toThrow(message);
    await expect(crew.ready).rejects.toThrow(message);
    expect(await crew.close()).toEqual({ unfinished: [] });
    expect(shop.queue.depth).toBe(1);
    expect(crew.stats().workers.map(({ state }) => state)).toEqual(['ended', 'ended']);
  });
});
