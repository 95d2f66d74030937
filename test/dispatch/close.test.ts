import { describe, expect, it } from 'vitest';
import { until } from '../queue/until.js';
import { Shop } from './crew.js';
import { work } from './work.js';

describe('closing a crew', () => {
  it('hands out no order again that it has given back, though its next attempt becomes due', async () => {
    const shop = new Shop();
    const backoff = { baseMs: 200, factor: 1, maxMs: 200, jitter: 0 };
    const crew = shop.dispatch({ workers: 1, concurrency: 2, retries: { max: 3, backoff } });
    await crew.ready;
    shop.admit([work(1, { act: 'throw' }), work(2, { act: 'hang' })]);
    await until(() => crew.stats().delayed === 1 && shop.begun === 2);
    const { unfinished } = await crew.close({ timeoutMs: 1_000 });
    expect(unfinished.map(({ order }) => order.id)).toEqual([1, 2]);
    expect(shop.begun).toBe(2);
    expect(crew.stats().failures).toBe(2); // the worker of the second was ended
  });

  it('gives back an order that the dead letters refuse meanwhile, and does not offer it again', async () => {
    const shop = new Shop();
    let refuse = (): void => {};
    const refused = new Promise<void>((_, reject) => {
      refuse = () => reject(new Error('no room'));
    });
    let offers = 0;
    const deadLetters = (): Promise<void> => {
      offers++;
      return refused;
    };
    const crew = shop.dispatch({ workers: 1, retries: { max: 0 }, deadLetters });
    shop.admit([work(1, { act: 'throw' })]);
    await until(() => offers === 1);
    const closed = crew.close({ timeoutMs: 600_000 });
    refuse();
    const { unfinished } = await closed;
    expect(unfinished.map(({ order, deliveries }) => [order.id, deliveries])).toEqual([[1, 1]]);
    expect(offers).toBe(1);
  });

  it('waits for what its workers have, and leaves the rest to the next consumer of the gate, in order', async () => {
    const shop = new Shop();
    const crew = shop.dispatch({ workers: 1, by: ({ key }) => key });
    await crew.ready;
    const slow = { act: 'sleep', key: 1 } as const;
    shop.admit([work(1, slow), work(2, slow), work(3, slow), work(4), work(5), work(6)]);
    await until(() => shop.begun === 1);
    const { unfinished } = await crew.close();
    await crew.done;
    const handled = crew.stats().handled;
    expect(handled).toBeGreaterThan(0);
    expect(unfinished.map(({ deliveries }) => deliveries)).toEqual(unfinished.map(() => 0));
    expect(shop.gate.stats().inHand).toBe(unfinished.length);
    const rest: Array<[number, number]> = [];
    shop.queue.close();
    await shop.gate.consume(({ id }, hold) => void rest.push([id, hold.deliveries]));
    expect(rest.slice(0, unfinished.length).map(([id]) => id)).toEqual(
      unfinished.map(({ order }) => order.id),
    );
    expect(new Set(rest.map(([, deliveries]) => deliveries))).toEqual(new Set([1]));
    expect(rest.length + handled).toBe(6);
    shop.expectSettled(6);
  });

  it('ends handlers that are not done in time, and says which orders they had', async () => {
    const shop = new Shop();
    const crew = shop.dispatch({ workers: 2, concurrency: 2 });
    await crew.ready;
    shop.admit([1, 2, 3, 4, 5, 6].map((id) => work(id, { act: 'hang' })));
    await until(() => shop.begun === 4);
    const { unfinished } = await crew.close({ timeoutMs: 50 });
    expect(unfinished.map(({ order }) => order.id)).toEqual([1, 2, 3, 4, 5, 6].slice(0, unfinished.length));
    expect(unfinished.filter(({ deliveries }) => deliveries === 1)).toHaveLength(4);
    expect(unfinished.every(({ reservation }) => typeof reservation === 'bigint')).toBe(true);
    expect(crew.stats()).toMatchObject({ inHand: 0, handled: 0, deadLettered: 0, deaths: 0 });
    const rest: Array<[number, number]> = [];
    shop.queue.close();
    await shop.gate.consume(({ id }, hold) => void rest.push([id, hold.deliveries]));
    expect(rest.map(([id]) => id)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(rest.filter(([, deliveries]) => deliveries === 2)).toHaveLength(4);
    shop.expectSettled(6);
  });

  it('gives the records of a queue to its caller: none is handled and unfinished, none is lost', async () => {
    const shop = new Shop();
    const crew = shop.dispatchQueue({
      workers: 2,
      by: ({ key }) => key,
      retries: { max: 5, backoff: { baseMs: 60_000, maxMs: 60_000 } },
    });
    await crew.ready;
    shop.queue.tryPush(work(1, { act: 'throw', key: 1 }));
    shop.queue.tryPush(work(2, { key: 1 }));
    for (let id = 3; id <= 40; id++) shop.queue.tryPush(work(id, { act: 'sleep' }));
    await until(() => crew.stats().delayed === 1);
    const { unfinished } = await crew.close();
    const left = shop.queue.popMany(100).map(({ id }) => id);
    const ended = shop.entries.filter(({ event }) => event === 'end').map(({ id }) => id);
    const all = [...unfinished.map(({ order: { id } }) => id), ...left, ...ended];
    expect(all.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect(unfinished.slice(0, 2)).toMatchObject([
      { order: { id: 1 }, deliveries: 1, reservation: undefined },
      { order: { id: 2 }, deliveries: 0 },
    ]);
    expect(crew.stats()).toMatchObject({ handled: ended.length, inHand: 0, delayed: 0 });
  });

  it('answers every call alike, also after the end, and asyncDispose does the same', async () => {
    const shop = new Shop();
    const crew = shop.dispatch();
    const [first, second] = await Promise.all([crew.close(), crew.close({ timeoutMs: 1 })]);
    expect(second).toBe(first);
    await crew[Symbol.asyncDispose]();
    await crew.done;
    expect(crew.replace(0)).toBe(false);
    await expect(crew.close({ timeoutMs: -1 })).rejects.toThrow(/timeoutMs: expected a number from 0/);
  });

  it('in the middle of the start takes no order', async () => {
    const shop = new Shop();
    shop.admit([work(1)]);
    const crew = shop.dispatch();
    expect(await crew.close({ timeoutMs: 0 })).toEqual({ unfinished: [] });
    await crew.done;
    expect(shop.queue.depth).toBe(1);
  });

  it('with a dead letter on its way waits for it, until the time is over', async () => {
    const shop = new Shop();
    let taken = (): void => {};
    const crew = shop.dispatch({
      retries: { max: 0 },
      deadLetters: ({ order }) =>
        order.id === 1 ? new Promise<void>((resolve) => (taken = resolve)) : new Promise(() => {}),
    });
    shop.admit([work(1, { act: 'throw' }), work(2, { act: 'throw' })]);
    await until(() => crew.stats().failures === 2);
    const closed = crew.close({ timeoutMs: 100 });
    taken();
    expect((await closed).unfinished).toMatchObject([{ order: { id: 2 }, deliveries: 1 }]);
    expect(crew.stats()).toMatchObject({ deadLettered: 1 });
  });
});

describe('a crew', () => {
  it('fails when the gate is disposed of while it has orders in hand, and ends its workers', async () => {
    const shop = new Shop();
    const crew = shop.dispatch();
    await crew.ready;
    shop.admit([work(1, { act: 'sleep' })]);
    await until(() => shop.begun === 1);
    shop.gate[Symbol.dispose]();
    await expect(crew.done).rejects.toMatchObject({ code: 'ERR_SLUICE_DISPOSED' });
    expect(crew.stats().workers.map(({ state }) => state)).toEqual(['ended', 'ended']);
  });

  it('fails when the stock is disposed of and a worker ends', async () => {
    const shop = new Shop();
    const crew = shop.dispatch({ workers: 1 });
    await crew.ready;
    shop.admit([work(1, { act: 'hang' })]);
    await until(() => shop.begun === 1);
    shop.stock[Symbol.dispose]();
    crew.replace(0);
    await expect(crew.done).rejects.toMatchObject({ code: 'ERR_SLUICE_DISPOSED' });
    expect((await crew.close()).unfinished).toMatchObject([{ order: { id: 1 }, deliveries: 1 }]);
  });

  it('fails when another one consumes its source, and that one goes on', async () => {
    const shop = new Shop();
    const first = shop.dispatch();
    await first.ready;
    shop.admit([work(1)]);
    await until(() => first.stats().handled === 1);
    await expect(shop.dispatch().done).rejects.toMatchObject({ code: 'ERR_SLUICE_REENTRANT' });
    shop.admit([work(2)]);
    shop.queue.close();
    await first.done;
    shop.expectSettled(2);
  });
});
