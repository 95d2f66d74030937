import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { until } from '../queue/until.js';
import { Shop } from './crew.js';
import { work } from './work.js';

const ids = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('a crew over a gate', () => {
  it('handles each order once, in all its workers, and confirms it', async () => {
    const shop = new Shop();
    const crew = shop.dispatch({ workers: 3 });
    await crew.ready;
    shop.admit(ids(300).map((id) => work(id)));
    shop.queue.close();
    await crew.done;
    shop.expectSettled(300);
    const begun = shop.entries.filter(({ event }) => event === 'begin');
    expect(begun.map(({ id }) => id).sort((a, b) => a - b)).toEqual(ids(300));
    expect(new Set(begun.map(({ deliveries }) => deliveries))).toEqual(new Set([1]));
    expect(new Set(begun.map(({ thread }) => thread)).size).toBe(3);
    expect(crew.stats()).toMatchObject({ handled: 300, inHand: 0, failures: 0, deaths: 0, pinning: 'off' });
    expect(
      crew
        .stats()
        .workers.map(({ handled }) => handled)
        .reduce((a, b) => a + b),
    ).toBe(300);
  });

  it('calls setup with the data before the first order of each worker, and teardown after the last', async () => {
    const shop = new Shop();
    shop.admit(ids(20).map((id) => work(id)));
    await shop.handleAll({ workers: 2 });
    const threads = new Set(shop.entries.map(({ thread }) => thread));
    expect(threads.size).toBe(2);
    for (const thread of threads) {
      const events = shop.entries.filter((entry) => entry.thread === thread).map(({ event }) => event);
      expect(events[0]).toBe('setup');
      expect(events.at(-1)).toBe('teardown');
      expect(events.filter((event) => event === 'setup' || event === 'teardown')).toHaveLength(2);
    }
  });

  it('takes a decision of the handler for final: an order that it cancels is not sold', async () => {
    const shop = new Shop();
    shop.admit([work(1), work(2, { act: 'cancel' }), work(3)]);
    const crew = await shop.handleAll();
    shop.expectSettled(2);
    expect(shop.stock.stats().cancelled).toBe(1);
    expect(crew.stats()).toMatchObject({ handled: 3, failures: 0, deadLettered: 0 });
  });

  it('takes from the gate only what its workers have places for', async () => {
    const shop = new Shop();
    shop.admit(ids(100).map((id) => work(id, { act: 'hang' })));
    const crew = shop.dispatch({ workers: 2, concurrency: 3, maxInHand: 1_000 });
    await until(() => shop.begun === 6);
    // Six orders are with handlers, and as many in the workers' queues. The gate's consumer takes up to six at once.
    expect(crew.stats().workers.map(({ inHand }) => inHand)).toEqual([6, 6]);
    expect(crew.stats().inHand).toBeLessThanOrEqual(13);
    expect(shop.queue.depth).toBeGreaterThanOrEqual(100 - 18);
    await crew.close({ timeoutMs: 0 });
  });

  it('renews the holds of its orders, wherever they are', async () => {
    const shop = new Shop({ holdMs: 1_000 });
    const crew = shop.dispatch({
      workers: 1,
      concurrency: 2,
      by: ({ key }) => key,
      handlerTimeoutMs: 2_500,
      retries: { max: 5, backoff: { baseMs: 700, factor: 1, jitter: 0 } },
    });
    await crew.ready; // until then its orders wait in the queue, where no hold is renewed
    shop.admit([
      work(1, { act: 'throw', times: 3 }),
      work(2, { act: 'hang', times: 1, key: 2 }),
      work(3, { key: 2 }),
    ]);
    shop.queue.close();
    await crew.done;
    expect([1, 2, 3].map((id) => shop.deliveriesOf(id))).toEqual([[1, 2, 3, 4], [1, 2], [1]]);
    shop.expectSettled(3);
  });

  it('hands an order that failed out again, with its deliveries counted, and does not block others', async () => {
    const shop = new Shop();
    const failures: unknown[] = [];
    const note = (message: unknown): void => void failures.push(message);
    subscribe('sluice:dispatch:handler-failed', note);
    shop.admit([work(1, { act: 'throw', times: 2 }), ...ids(50).map((id) => work(id + 10))]);
    const backoff = { baseMs: 200, factor: 1, maxMs: 200, jitter: 0 };
    const crew = await shop.handleAll({ workers: 1, retries: { max: 2, backoff } });
    unsubscribe('sluice:dispatch:handler-failed', note);
    expect(shop.deliveriesOf(1)).toEqual([1, 2, 3]);
    const ends = shop.entries.filter(({ event }) => event === 'end').map(({ id }) => id);
    expect(ends.at(-1)).toBe(1); // the others were handled while it waited
    expect(failures).toMatchObject([
      {
        order: { id: 1 },
        deliveries: 1,
        error: { name: 'RangeError', code: 'E_TEST', message: 'delivery 1 fails' },
      },
      { order: { id: 1 }, deliveries: 2, error: { message: 'delivery 2 fails' } },
    ]);
    expect(crew.stats()).toMatchObject({ handled: 51, failures: 2, deadLettered: 0 });
    shop.expectSettled(51);
  });

  it('lets a handler fail that takes too long, and hands its order out again', async () => {
    const shop = new Shop();
    shop.admit([work(1, { act: 'hang', times: 1 }), work(2)]);
    const crew = await shop.handleAll({ workers: 1, handlerTimeoutMs: 100 });
    expect(shop.deliveriesOf(1)).toEqual([1, 2]);
    expect(crew.stats()).toMatchObject({ handled: 2, failures: 1, deaths: 0 });
    expect(shop.late).toEqual(['expired', 'expired']);
    shop.expectSettled(2);
  });

  it.each(['gate', 'queue'] as const)('gives its handlers holds that decide once: of a %s', async (of) => {
    const shop = new Shop();
    const orders = [work(1, { act: 'twice' }), work(2)];
    if (of === 'gate') shop.admit([...orders, work(3, { act: 'part', quantity: 5 })]);
    else for (const order of orders) shop.queue.tryPush(order);
    const crew = of === 'gate' ? shop.dispatch() : shop.dispatchQueue();
    shop.queue.close();
    await crew.done;
    expect(shop.dead).toEqual([]);
    expect(crew.stats()).toMatchObject({ handled: of === 'gate' ? 3 : 2, failures: 0 });
    if (of === 'gate') shop.expectSettled(2); // of order 3 one unit is sold, and four are on sale again
  });
});

describe('a crew over a queue', () => {
  it('handles its records with holds that have no reservation', async () => {
    const shop = new Shop();
    for (const id of ids(100)) shop.queue.tryPush(work(id, id % 10 === 0 ? { act: 'throw', times: 1 } : {}));
    shop.queue.tryPush(work(100, { act: 'cancel' }));
    const crew = shop.dispatchQueue();
    shop.queue.close();
    await crew.done;
    expect(crew.stats()).toMatchObject({ handled: 101, failures: 10, inHand: 0 });
    for (const id of ids(101))
      expect(shop.deliveriesOf(id)).toEqual(id % 10 === 0 && id < 100 ? [1, 2] : [1]);
  });
});

describe('many orders', { timeout: 180_000 }, () => {
  it('100,000 of them are handled exactly once by four workers, and the books add up', async () => {
    const shop = new Shop();
    const crew = shop.dispatch({ workers: 4, concurrency: 8, by: ({ key }) => key });
    await crew.ready;
    for (let first = 0; first < 100_000; first += 10_000) {
      shop.admit(ids(10_000).map((id) => work(first + id, { key: id % 500 })));
      await shop.queue.empty();
    }
    shop.queue.close();
    await crew.done;
    const times = new Map<number, number>();
    let entries = 0;
    for (let batch = shop.book.popMany(65_536); batch.length > 0; batch = shop.book.popMany(65_536)) {
      entries += batch.length;
      for (const { event, id } of batch) if (event === 'end') times.set(id, (times.get(id) ?? 0) + 1);
    }
    expect(entries).toBe(200_000 + 8); // and a setup and a teardown of each worker
    expect(times.size).toBe(100_000);
    expect(new Set(times.values())).toEqual(new Set([1]));
    expect(crew.stats()).toMatchObject({ handled: 100_000, inHand: 0, deaths: 0 });
    shop.expectSettled(100_000);
  });
});
