import { channel } from 'node:diagnostics_channel';
import { setImmediate as immediate } from 'node:timers/promises';
import { Gate, type Hold, Limiter, ManualClock, Queue, Stock } from 'sluice';
import { afterEach, describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, rejected, thrown } from '../thrown.js';
import { fields, Order, order } from './order.js';

/** Returns a gate over a stock and a limiter. It has admitted `count` orders, numbered from 0. */
function admitted(count: number) {
  const clock = new ManualClock();
  const queue = Queue.create(Order, { capacity: 1_000, clock });
  const limiter = Limiter.create({ queueDepth: { max: 1_000 }, clock });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 1_000 }], clock });
  const gate = Gate.create({ queue, limiter, stock, fields });
  for (let id = 0; id < count; id++) expect(gate.admit(order(id))).toMatchObject({ outcome: 'admitted' });
  return { clock, queue, limiter, stock, gate };
}

const range = (first: number, end: number) => Array.from({ length: end - first }, (_, i) => first + i);

interface Failure {
  order: { id: bigint };
  error: Error;
  reservation: bigint | undefined;
}

const published: Failure[] = [];
const listen = (message: unknown): void => void published.push(message as Failure);
const failures = channel('sluice:gate:handler-failed');
afterEach(() => {
  failures.unsubscribe(listen);
  published.length = 0;
});

describe('consume', () => {
  it('that waits ends when its gate is disposed of, and another gate object can consume at once', async () => {
    const { gate, stock } = admitted(0);
    const other = Gate.attach(Order, gate.handle);
    const consumed = gate.consume(() => {});
    await immediate();
    gate[Symbol.dispose]();
    await consumed;
    expectError(await rejected(gate.consume(() => {})), 'ERR_SLUICE_DISPOSED');
    expect(other.admit(order(1))).toMatchObject({ outcome: 'admitted' });
    other.queue.close();
    await other.consume(() => {});
    expect(stock.counts(1)).toMatchObject({ sold: 1, reserved: 0 });
  });

  it('confirms the reservation when the handler returns, and hands over orders as they were admitted', async () => {
    const { gate, queue, stock, limiter } = admitted(100);
    queue.close();
    const ids: number[] = [];
    await gate.consume(async (taken) => {
      ids.push(Number(taken.id));
      if (ids.length % 2) await immediate();
    });
    expect(ids).toEqual(range(0, 100));
    expect(stock.counts(1)).toEqual({ total: 1_000, available: 900, reserved: 0, sold: 100 });
    expect(limiter.stats()).toMatchObject({ allowed: 100, inFlight: 0 });
  });

  it('cancels the reservation when the handler throws or rejects, and goes on', async () => {
    const { gate, queue, stock, limiter } = admitted(9);
    queue.close();
    const ids: number[] = [];
    await gate.consume(({ id }) => {
      ids.push(Number(id));
      if (id % 3n === 0n) throw new Error('thrown');
      return id % 3n === 1n ? Promise.reject(new Error('rejected')) : undefined;
    });
    expect(ids).toEqual(range(0, 9));
    expect(stock.counts(1)).toEqual({ total: 1_000, available: 997, reserved: 0, sold: 3 });
    expect(stock.stats()).toMatchObject({ confirmed: 3, cancelled: 6 });
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('publishes each failure of a handler, with the order and its reservation', async () => {
    const { gate, queue } = admitted(4);
    queue.close();
    failures.subscribe(listen);
    const reservations: unknown[] = [];
    await gate.consume(async ({ id }, { reservation }) => {
      reservations.push(reservation);
      if (id % 2n === 1n) throw new Error(`no ${id}`);
    });
    expect(published.map(({ error }) => error.message)).toEqual(['no 1', 'no 3']);
    expect(published.map(({ order: failed }) => failed.id)).toEqual([1n, 3n]);
    expect(published.map(({ reservation }) => reservation)).toEqual([reservations[1], reservations[3]]);
  });

  it('runs up to `concurrency` handlers at a time', async () => {
    const { gate, queue, stock } = admitted(60);
    queue.close();
    let running = 0;
    let most = 0;
    await gate.consume(
      async () => {
        most = Math.max(most, ++running);
        await immediate();
        running--;
      },
      { concurrency: 7, batchSize: 3 },
    );
    expect(most).toBe(7);
    expect(stock.counts(1).sold).toBe(60);
  });

  it('sleeps until orders come, and ends when the queue is closed', async () => {
    const { gate, queue, stock } = admitted(0);
    let handled = 0;
    const done = gate.consume(() => {
      handled++;
    });
    for (let id = 0; id < 50; id++) {
      await immediate();
      gate.admit(order(id));
      while (handled <= id) await immediate();
    }
    queue.close();
    await done;
    expect(stock.counts(1).sold).toBe(50);
    expect(queue.stats().wakeups).toBeGreaterThan(0);
  });

  it('ends on abort when the handlers that run have ended; all other orders stay, in their order', async () => {
    const { gate, queue, stock } = admitted(100);
    const abort = new AbortController();
    const reason = new Error('enough');
    const ids: number[] = [];
    const error = await rejected(
      gate.consume(
        async ({ id }) => {
          ids.push(Number(id));
          if (ids.length === 3) abort.abort(reason);
          await immediate();
        },
        { signal: abort.signal, batchSize: 10 },
      ),
    );
    expect(error).toBe(reason);
    expect(ids).toEqual(range(0, 3));
    expect(stock.counts(1)).toMatchObject({ sold: 3, reserved: 97 });
    expect([queue.depth, gate.stats().inHand]).toEqual([90, 7]);
    queue.close();
    const deliveries = new Set<number>();
    await gate.consume(({ id }, hold) => {
      ids.push(Number(id));
      deliveries.add(hold.deliveries);
    });
    expect(ids).toEqual(range(0, 100));
    // No handler had been given these orders, so this counts as their first delivery.
    expect([...deliveries, gate.stats().redelivered]).toEqual([1, 0]);
    expect(stock.counts(1)).toMatchObject({ sold: 100, reserved: 0 });
  });

  it('is for one consumer at a time: another one is refused', async () => {
    const { gate, queue } = admitted(0);
    const other = Gate.attach(Order, gate.handle);
    const done = gate.consume(() => {});
    expectError(await rejected(other.consume(() => {})), 'ERR_SLUICE_CONSUMER');
    expectError(await rejected(gate.consume(() => {})), 'ERR_SLUICE_REENTRANT');
    expectError(await rejected(queue.consume(() => {})), 'ERR_SLUICE_REENTRANT');
    queue.close();
    await done;
    await other.consume(() => {});
  });

  it.each([undefined, null, {}, 'handler'])('refuses %s in place of a handler', async (handler) => {
    const { gate } = admitted(0);
    expectError(await rejected(gate.consume(mistyped(handler))), 'ERR_SLUICE_OPTION', TypeError);
  });

  it('fails when its stock is disposed of meanwhile', async () => {
    const { gate, stock } = admitted(3);
    expectError(await rejected(gate.consume(() => stock[Symbol.dispose]())), 'ERR_SLUICE_DISPOSED');
  });
});

describe('a handler that has sold its order, or a part of it', () => {
  const told: unknown[] = [];
  const lost = channel('sluice:gate:not-confirmed');
  const onLost = (message: unknown): void => void told.push(message);
  afterEach(() => {
    lost.unsubscribe(onLost);
    told.length = 0;
  });

  it('has its order confirmed, whether by its hold or by the stock', async () => {
    const { gate, queue, stock } = admitted(0);
    for (let id = 0; id < 4; id++) gate.admit(order(id, { quantity: 5 }));
    queue.close();
    lost.subscribe(onLost);
    failures.subscribe(listen);
    const sell: Array<(hold: Hold) => unknown> = [
      (hold) => hold.confirm({ quantity: 2 }),
      (hold) => stock.confirm(hold.reservation ?? 0n, { quantity: 3 }),
      (hold) => stock.confirm(hold.reservation ?? 0n),
      () => {},
    ];
    const answers: unknown[] = [];
    await gate.consume(({ id }, hold) => void answers.push(sell[Number(id)]?.(hold)));
    expect(answers).toEqual(['confirmed', 'confirmed', 'confirmed', undefined]);
    expect([...told, ...published]).toEqual([]);
    expect(stock.counts(1)).toEqual({ total: 1_000, available: 985, reserved: 0, sold: 15 });
    expect(gate.stats().inHand).toBe(0);
  });

  it('gets an error for a quantity that its order does not hold, and nothing is decided', async () => {
    const { gate, queue, stock } = admitted(0);
    gate.admit(order(1, { quantity: 5 }));
    queue.close();
    await gate.consume((_, hold) => {
      for (const quantity of [0, 6, 1.5, 2 ** 32]) {
        expectError(
          thrown(() => hold.confirm({ quantity })),
          'ERR_SLUICE_OPTION',
          RangeError,
        );
      }
      expectError(
        thrown(() => hold.confirm(mistyped({ units: 1 }))),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
      expect([hold.decided, gate.stats().inHand]).toEqual([false, 1]);
      expect([hold.confirm({ quantity: 5 }), gate.stats().inHand]).toEqual(['confirmed', 0]);
    });
    expect(stock.counts(1)).toMatchObject({ available: 995, sold: 5 });
  });

  it('has its order published if another caller has cancelled it', async () => {
    const { gate, queue, stock } = admitted(1);
    queue.close();
    lost.subscribe(onLost);
    await gate.consume((_, hold) => void stock.cancel(hold.reservation ?? 0n));
    expect(told).toMatchObject([{ resolution: 'already-cancelled' }]);
  });

  it('is awaited if it returns a thenable that is a function', async () => {
    const { gate, queue, stock } = admitted(1);
    queue.close();
    let sold = -1;
    await gate.consume(() =>
      Object.assign(() => {}, {
        // biome-ignore lint/suspicious/noThenProperty: what is tested
        then: (resolve: () => void) => {
          setImmediate(() => {
            sold = stock.counts(1).sold;
            resolve();
          });
        },
      }),
    );
    expect([sold, stock.counts(1).sold]).toEqual([0, 1]);
  });
});

describe('hold', () => {
  it('decides before the end of the handler, and its decision stays', async () => {
    const { gate, queue, stock } = admitted(4);
    queue.close();
    failures.subscribe(listen);
    const decide: Array<(hold: Hold) => unknown> = [
      (hold) => hold.confirm(),
      (hold) => hold.cancel(),
      (hold) => {
        hold.confirm();
        throw new Error('too late to cancel');
      },
      (hold) => {
        hold.cancel();
        throw new Error('cancelled anyway');
      },
    ];
    const before: unknown[] = [];
    await gate.consume(({ id }, hold) => {
      expect(hold.decided).toBe(false);
      try {
        return decide[Number(id)]?.(hold);
      } finally {
        before.push([hold.decided, stock.counts(1).sold, stock.counts(1).available]);
      }
    });
    expect(before).toEqual([
      [true, 1, 996],
      [true, 1, 997],
      [true, 2, 997],
      [true, 2, 998],
    ]);
    expect(stock.counts(1)).toEqual({ total: 1_000, available: 998, reserved: 0, sold: 2 });
    expect(published.map(({ error }) => error.message)).toEqual(['too late to cancel', 'cancelled anyway']);
  });

  it('answers each later call with its decision, and frees only one place of the limiter', async () => {
    const { gate, queue, limiter } = admitted(3);
    queue.close();
    const answers: unknown[] = [];
    const inFlight: number[] = [];
    await gate.consume(({ id }, hold) => {
      inFlight.push(limiter.stats().inFlight);
      if (id === 0n) answers.push(hold.confirm(), hold.confirm(), hold.cancel());
      else if (id === 1n) answers.push(hold.cancel(), hold.cancel(), hold.confirm());
      inFlight.push(limiter.stats().inFlight);
    });
    expect(answers).toEqual([
      'confirmed',
      'already-confirmed',
      'already-confirmed',
      'cancelled',
      'already-cancelled',
      'already-cancelled',
    ]);
    expect(inFlight).toEqual([3, 2, 2, 1, 1, 1]);
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('that ran out before the handler was done is not sold', async () => {
    const { gate, queue, stock, clock, limiter } = admitted(2);
    queue.close();
    const answers: unknown[] = [];
    await gate.consume(({ id }, hold) => {
      clock.advance(30_000);
      if (id === 0n) answers.push(hold.confirm());
    });
    expect(answers).toEqual(['expired']);
    expect(stock.counts(1)).toEqual({ total: 1_000, available: 1_000, reserved: 0, sold: 0 });
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('may be decided by another caller, by its reservation', async () => {
    const { gate, queue, stock } = admitted(1);
    queue.close();
    const answers: unknown[] = [];
    await gate.consume((_, hold) => {
      answers.push(stock.cancel(hold.reservation ?? 0n), hold.confirm());
    });
    expect(answers).toEqual(['cancelled', 'already-cancelled']);
    expect(stock.counts(1)).toMatchObject({ available: 1_000, sold: 0 });
  });

  it('of a gate without a stock has nothing to confirm', async () => {
    const queue = Queue.create(Order, { capacity: 10 });
    const limiter = Limiter.create({ queueDepth: { max: 2 } });
    const gate = Gate.create({ queue, limiter });
    gate.admit(order(1));
    gate.admit(order(2));
    queue.close();
    const seen: unknown[] = [];
    await gate.consume(({ id }, hold) => {
      seen.push(hold.reservation, limiter.stats().inFlight, id === 1n ? hold.confirm() : hold.cancel());
    });
    expect(seen).toEqual([undefined, 2, 'confirmed', undefined, 1, 'cancelled']);
    expect(limiter.stats().inFlight).toBe(0);
  });
});

describe('a record that was pushed past the gate', () => {
  it.each(['with', 'without'])(
    'is handled, %s a stock, and gives back nothing that it did not take',
    async (having) => {
      const queue = Queue.create(Order, { capacity: 4 });
      const limiter = Limiter.create({ queueDepth: { max: 4 } });
      const stock = Stock.create({ items: [{ sku: 1, quantity: 10 }] });
      const gate = Gate.create({ queue, limiter, ...(having === 'with' && { stock, fields }) });
      const seen: unknown[] = [];
      // All rounds use the same four slots of the queue, so a stale reservation of an earlier round would be found.
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 4; i++) {
          if (i % 2 === round % 2) queue.tryPush(order(100 + i));
          else gate.admit(order(round * 4 + i));
        }
        const abort = new AbortController();
        let left = 4;
        await rejected(
          gate.consume(
            ({ id }, hold) => {
              if (id >= 100n) seen.push(hold.reservation, limiter.stats().inFlight);
              if (--left === 0) abort.abort();
            },
            { signal: abort.signal },
          ),
        );
        expect(limiter.stats().inFlight).toBe(0);
      }
      const flights = [2, 1, 1, 0, 2, 1];
      expect(seen).toEqual(flights.flatMap((inFlight) => [undefined, inFlight]));
      expect(stock.counts(1).sold).toBe(having === 'with' ? 6 : 0);
      expect(gate.stats().admitted).toBe(6);
    },
  );

  it('has no reservation, so its hold decides nothing', async () => {
    const { gate, queue, limiter, stock } = admitted(0);
    queue.tryPush(order(1));
    queue.close();
    const answers: unknown[] = [];
    await gate.consume((_, hold) => {
      answers.push(hold.confirm(), hold.cancel());
    });
    expect(answers).toEqual(['unknown', 'unknown']);
    expect([limiter.stats().inFlight, stock.counts(1).available]).toEqual([0, 1_000]);
  });
});
