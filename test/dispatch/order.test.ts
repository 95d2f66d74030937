import { describe, expect, it } from 'vitest';
import { until } from '../queue/until.js';
import { replay, seed } from '../seed.js';
import { SeededRandom } from '../seeded-random.js';
import { type Order, Shop } from './crew.js';
import { work } from './work.js';

/** What a hundred handlers do. */
const acts: readonly Order['act'][] = [
  ...Array.from({ length: 90 }, () => 'return' as const),
  ...Array.from({ length: 7 }, () => 'throw' as const),
  ...(['exit', 'cancel', 'cancel'] as const),
];

describe('orders of one key', () => {
  it('are handled one after the other, in their order, whatever fails and whichever worker ends', async () => {
    const random = new SeededRandom(seed);
    const orders = Array.from({ length: 1_500 }, (_, id) => {
      return work(id, { key: random.below(40), act: random.pick(acts), times: random.between(1, 3) });
    });
    const shop = new Shop();
    const crew = shop.dispatch({
      workers: 3,
      concurrency: random.between(1, 4),
      by: ({ key }) => key,
      retries: { max: 2, backoff: { baseMs: 1, maxMs: 10 } },
    });
    const killer = setInterval(() => crew.replace(random.below(3)), 400);
    shop.admit(orders);
    shop.queue.close();
    await crew.done;
    clearInterval(killer);

    const dead = new Set(shop.deadIds);
    /** By key: the id whose handler began last. */
    const last = new Map<number, number>();
    const ended = new Set<number>();
    for (const { event, id, key, deliveries } of shop.entries) {
      if (event === 'begin') {
        expect(
          id,
          `${replay}: order ${id} of key ${key} comes after ${last.get(key)}`,
        ).toBeGreaterThanOrEqual(last.get(key) ?? 0);
        expect(ended.has(id) && deliveries === 1, `${replay}: order ${id} has ended`).toBe(false);
        last.set(key, id);
      } else if (event === 'end') ended.add(id);
    }
    for (const { id, act } of orders) {
      const times = shop.deliveriesOf(id);
      expect(times.length, `${replay}: order ${id} was handed out`).toBeGreaterThan(0);
      if (act === 'return' && !dead.has(id))
        expect(ended.has(id), `${replay}: order ${id} was handled`).toBe(true);
    }
    const { handled, deadLettered, inHand } = crew.stats();
    expect([handled + deadLettered, deadLettered, inHand], replay).toEqual([orders.length, dead.size, 0]);
    const cancelled = shop.stock.stats().cancelled;
    shop.expectSettled(orders.length - cancelled);
  });

  it('go to one worker as long as one of them is not finished', async () => {
    const shop = new Shop();
    const crew = shop.dispatch({ workers: 3, concurrency: 2, by: ({ key }) => key });
    await crew.ready;
    // The first order of each key hangs until all others are in hand: each key has unfinished orders to the end.
    const acts = (id: number) => (id < 3 ? ({ act: 'hang', times: 1 } as const) : {});
    shop.admit(Array.from({ length: 600 }, (_, id) => work(id, { key: id % 3, ...acts(id) })));
    await until(() => crew.stats().inHand === 600 && shop.begun === 3);
    for (const worker of [0, 1, 2]) crew.replace(worker);
    shop.queue.close();
    await crew.done;
    const threads = new Set<number>();
    for (const key of [0, 1, 2]) {
      const [hung, ...own] = shop.entries.filter((entry) => entry.event === 'begin' && entry.key === key);
      expect(hung?.id).toBe(key);
      expect(own.map(({ id }) => id)).toEqual(own.map((_, i) => key + 3 * i));
      expect(own).toHaveLength(200);
      expect(new Set(own.map(({ thread }) => thread)).size).toBe(1);
      threads.add(own[0]?.thread ?? -1);
    }
    expect(threads.size).toBe(3);
  });

  it('wait while one of them waits for its next attempt; orders of other keys do not', async () => {
    const shop = new Shop();
    shop.admit([
      work(1, { key: 1, act: 'throw', times: 2 }),
      work(2, { key: 1 }),
      work(3, { key: 2 }),
      work(4, { key: 1 }),
    ]);
    await shop.handleAll({
      workers: 1,
      by: ({ key }) => key,
      retries: { max: 5, backoff: { baseMs: 100, factor: 1, jitter: 0 } },
    });
    expect(shop.entries.filter(({ event }) => event === 'end').map(({ id }) => id)).toEqual([3, 1, 2, 4]);
    shop.expectSettled(4);
  });

  it('go on when one of them is dead', async () => {
    const shop = new Shop();
    shop.admit([work(1, { key: 1, act: 'throw' }), work(2, { key: 1, act: 'exit' }), work(3, { key: 1 })]);
    await shop.handleAll({ by: ({ key }) => key });
    expect(shop.deadIds).toEqual([1, 2]);
    expect(shop.deliveriesOf(3)).toEqual([1]);
    shop.expectSettled(1);
  });

  it('whose key cannot be found are dead letters, and no handler gets them', async () => {
    const shop = new Shop();
    shop.admit([work(1), work(2), work(3)]);
    const by = ({ id }: Order): number => {
      if (id === 1) throw new Error('order 1 has no key');
      return id === 2 ? Number.NaN : id;
    };
    await shop.handleAll({ by });
    expect(shop.deliveriesOf(3)).toEqual([1]);
    expect(shop.entries.some(({ event, id }) => event === 'begin' && id !== 3)).toBe(false);
    expect(
      shop.dead.map(({ order: { id }, deliveries, error: { message } }) => [id, deliveries, message]),
    ).toEqual([
      [1, 0, 'order 1 has no key'],
      [2, 0, 'dispatch: by: expected a function that returns a number, a bigint or a string, got NaN'],
    ]);
    shop.expectSettled(1);
  });
});
