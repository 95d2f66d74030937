import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Queue, record, u32, utf8 } from 'sluice';
import { deadLetterRecord } from 'sluice/dispatch';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { until } from '../queue/until.js';
import { Shop } from './crew.js';
import { Work, work } from './work.js';

const poison = (id: number) => work(id, { act: 'throw' });

describe('dead letters', () => {
  it('have an order for which `by` throws, whatever it throws', async () => {
    const refusing = {
      getPrototypeOf() {
        throw new TypeError('no prototype');
      },
      get() {
        throw new TypeError('no properties');
      },
    };
    const throwable = [
      new Error('no key'),
      'no key',
      undefined,
      Object.create(null),
      new Proxy({}, refusing),
    ];
    const shop = new Shop();
    shop.admit([...throwable.map((_, i) => work(i + 1, { key: i })), work(10, { key: 10 })]);
    const by = ({ key }: { readonly key: number }): number => {
      if (key < throwable.length) throw throwable[key];
      return key;
    };
    const crew = await shop.handleAll({ by });
    expect(crew.stats()).toMatchObject({ handled: 1, deadLettered: throwable.length });
    expect(shop.dead.map(({ error }) => error instanceof Error)).toEqual(throwable.map(() => true));
  });

  it('have the order, its last error, its deliveries and its first time; its units go back on sale', async () => {
    const shop = new Shop();
    const published: unknown[] = [];
    const note = (message: unknown): void => void published.push(message);
    subscribe('sluice:dispatch:dead-lettered', note);
    const before = Date.now();
    shop.admit([poison(1), work(2)]);
    const crew = await shop.handleAll();
    unsubscribe('sluice:dispatch:dead-lettered', note);
    const [letter] = shop.dead;
    expect(shop.dead).toHaveLength(1);
    expect(letter).toMatchObject({
      order: poison(1),
      error: {
        name: 'RangeError',
        message: 'delivery 4 fails',
        code: 'E_TEST',
        stack: expect.stringContaining('work-handler.js'),
      },
      deliveries: 4,
      reservation: expect.any(BigInt),
    });
    expect(letter?.error).toBeInstanceOf(Error);
    expect(letter?.firstAt).toBeGreaterThanOrEqual(before);
    expect(letter?.firstAt).toBeLessThanOrEqual(Date.now());
    expect(published).toEqual([letter]);
    expect(crew.stats()).toMatchObject({ handled: 1, deadLettered: 1, failures: 4 });
    shop.expectSettled(1);
    expect(shop.stock.stats().cancelled).toBe(1);
  });

  it('fill a queue of their own as records, and wait for room in it', async () => {
    const shop = new Shop();
    const dead = Queue.create(deadLetterRecord(Work, { errorBytes: 20 }), { capacity: 1 });
    shop.admit([poison(1), poison(2), poison(3), work(4)]);
    const crew = shop.dispatch({ workers: 1, deadLetters: dead, retries: { max: 0 } });
    shop.queue.close();
    await until(() => crew.stats().handled === 1);
    await until(() => crew.stats().inHand === 2); // one dead letter is in the queue, two wait for room
    expect(shop.stock.counts(1)).toMatchObject({ sold: 1, reserved: 2 });
    const letters = [];
    for await (const letter of dead) {
      letters.push(letter);
      if (letters.length === 3) break;
    }
    await crew.done;
    expect(letters.map(({ id }) => id).sort()).toEqual([1, 2, 3]);
    expect(letters[0]).toMatchObject({ act: 'throw', deliveries: 1, error: 'RangeError: delivery' });
    expect(letters[0]?.firstAt).toBeGreaterThan(1e12);
    shop.expectSettled(1);
  });

  it('go to any object with a method push', async () => {
    const shop = new Shop();
    const pushed: unknown[] = [];
    shop.admit([poison(1)]);
    await shop.handleAll({
      deadLetters: { push: async (letter) => void pushed.push(letter) },
      retries: { max: 0 },
    });
    expect(pushed).toEqual([
      { ...poison(1), error: 'RangeError: delivery 1 fails', deliveries: 1, firstAt: expect.any(Number) },
    ]);
  });

  it('that are not taken are offered again, and the order is not decided before', async () => {
    const shop = new Shop();
    let offers = 0;
    shop.admit([poison(1), work(2)]);
    const crew = shop.dispatch({
      retries: { max: 0, backoff: { baseMs: 1, maxMs: 5 } },
      deadLetters: () => {
        expect(shop.stock.counts(1).reserved).toBeGreaterThan(0);
        offers++;
        if (offers === 1) throw new Error('not now');
        if (offers < 4) return Promise.reject(new Error('not yet'));
        return undefined;
      },
    });
    shop.queue.close();
    await crew.done;
    expect(offers).toBe(4);
    expect(crew.stats()).toMatchObject({ deadLettered: 1, deadLetterFailures: 3, failures: 1 });
    shop.expectSettled(1);
  });

  it('that are not taken until the crew is closed are unfinished: the gate still has the order', async () => {
    const shop = new Shop();
    shop.admit([poison(1)]);
    const crew = shop.dispatch({
      retries: { max: 0 },
      deadLetters: () => Promise.reject(new Error('never')),
    });
    await until(() => crew.stats().deadLetterFailures > 0);
    expect((await crew.close()).unfinished).toMatchObject([{ order: { id: 1 }, deliveries: 1 }]);
    expect(shop.gate.stats().inHand).toBe(1);
    expect(shop.stock.counts(1)).toMatchObject({ reserved: 1 });
  });
});

describe('deadLetterRecord', () => {
  it('refuses a record that has a field of one of its names', () => {
    expect(() => deadLetterRecord(record({ error: u32 }))).toThrow(/a record without a field "error"/);
    expect(() => deadLetterRecord(mistyped({}))).toThrow(/deadLetterRecord: order/);
    expect(() => deadLetterRecord(Work, { errorBytes: 0 })).toThrow(/errorBytes/);
  });

  it('has texts that are cut off between characters', async () => {
    const shop = new Shop();
    const dead = Queue.create(deadLetterRecord(Work, { errorBytes: 13 }), { capacity: 4 });
    shop.admit([work(1)]);
    const crew = shop.dispatch({
      deadLetters: dead,
      by: () => {
        throw new Error('\u{1f525}\u{1f525}\u{1f525}');
      },
    });
    shop.queue.close();
    await crew.done;
    expect(dead.tryPop()?.error).toBe('Error: \u{1f525}'); // 11 bytes: the next character has four
  });

  it('is what a queue of dead letters must have', () => {
    const shop = new Shop();
    const other = Queue.create(record({ error: utf8(8) }), { capacity: 1 });
    expect(() => shop.dispatch({ deadLetters: mistyped(other) })).toThrow(/one without the field deliveries/);
  });
});
