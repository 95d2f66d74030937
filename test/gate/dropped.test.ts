import { setImmediate as immediate } from 'node:timers/promises';
import { Gate, Limiter, ManualClock, Queue, type QueueOptions, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { fields, Order, order } from './order.js';

type Options = Omit<QueueOptions<ReturnType<typeof order>>, 'clock'>;

function open(options: Options) {
  const clock = new ManualClock(1_000);
  const queue = Queue.create(Order, { ...options, clock });
  const limiter = Limiter.create({ queueDepth: { max: 100 }, keys: { max: 10 }, maxWaiting: 4, clock });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 100, perUser: 50 }], clock });
  const gate = Gate.create({ queue, limiter, stock, fields });
  const admit = (id: number) =>
    expect(gate.admit(order(id, { user: id % 2 }), { key: id % 3 }).outcome).toBe('admitted');
  return { clock, queue, limiter, stock, gate, admit };
}
type Open = ReturnType<typeof open>;

/**
 * Each way: its name, a function that makes a gate with six admitted orders, and how many of them the queue drops when
 * it is consumed.
 */
const ways: Array<[string, () => Open, number]> = [
  [
    'because their time is over',
    () => {
      const all = open({ capacity: 10, ttlMs: 50 });
      for (let id = 0; id < 4; id++) all.admit(id);
      all.clock.advance(49);
      for (let id = 4; id < 6; id++) all.admit(id);
      all.clock.advance(1);
      return all;
    },
    4,
  ],
  [
    'as the oldest of too many',
    () => {
      const all = open({ capacity: 4, overflow: 'drop-oldest' });
      for (let id = 0; id < 6; id++) all.admit(id);
      return all;
    },
    2,
  ],
  [
    'because the queue is congested',
    () => {
      const all = open({ capacity: 10, shed: { targetMs: 5, intervalMs: 100 } });
      for (let id = 0; id < 4; id++) all.admit(id);
      // A consumer that pops once in an interval sees only long waits. By then, the orders that are left have waited
      // long, too.
      all.clock.advance(101);
      expect(all.queue.tryPop()?.id).toBe(0n);
      all.limiter.release(1, 0);
      all.clock.advance(101);
      all.queue.releaseLease();
      for (let id = 4; id < 6; id++) all.admit(id);
      return all;
    },
    3,
  ],
];

const consumers: Array<[string, (all: Open) => Promise<unknown>]> = [
  ['gate.consume', ({ gate }) => gate.consume(() => {})],
  [
    'queue.consume',
    ({ queue, limiter }) =>
      queue.consume((batch) => {
        for (const { id } of batch) limiter.release(1, Number(id) % 3);
      }),
  ],
];
const cases = ways.flatMap(([way, make, drops]) =>
  consumers.map(([by, consume]) => [way, by, make, consume, drops] as const),
);

describe('orders that the queue drops', () => {
  it.each(cases)('%s go back on sale at once, only once, and free their places: by %s', async (...given) => {
    const [, by, make, consume, drops] = given;
    const all = make();
    all.queue.close();
    await consume(all);
    const { expired, dropped, pushed, popped } = all.queue.stats();
    expect([expired + dropped, pushed, popped]).toEqual([drops, 6, 6 - drops]);
    expect(all.stock.stats()).toMatchObject({ reserved: 6, cancelled: drops, expired: 0 });
    expect(all.limiter.stats().inFlight).toBe(0);
    // No handler of the gate confirmed the orders that were taken past it. They are still held, and expire later.
    const sold = by === 'gate.consume' ? all.stock.stats().confirmed : 0;
    const held = 6 - drops - sold;
    expect(all.stock.counts(1)).toEqual({ total: 100, available: 100 - sold - held, reserved: held, sold });
    all.clock.advance(30_000);
    expect([all.stock.expire(), all.stock.expire()]).toEqual([held, 0]);
    expect(all.stock.counts(1)).toMatchObject({ available: 100 - sold, reserved: 0 });
    all.stock.audit();
  });

  it('past the gate give their places in flight to waiters', async () => {
    const clock = new ManualClock(1_000);
    const queue = Queue.create(Order, { capacity: 10, ttlMs: 50, clock });
    const limiter = Limiter.create({ queueDepth: { max: 1 }, maxWaiting: 4, clock });
    const gate = Gate.create({ queue, limiter });
    gate.admit(order(1));
    const waiting = limiter.acquire();
    clock.advance(50);
    // The clock has woken the waiter. In these turns it asks, before the place is free, and is refused.
    for (let turn = 0; turn < 20; turn++) await immediate();
    expect(limiter.stats()).toMatchObject({ waiting: 1, inFlight: 1 });
    expect(queue.tryPop()).toBeUndefined();
    expect(await waiting).toMatchObject({ allowed: true });
  });
});

describe('orders that are consumed past the gate', () => {
  it('that a failed drain leaves in the queue are still those of the gate', async () => {
    const all = open({ capacity: 10 });
    for (let id = 0; id < 3; id++) all.admit(id);
    const failing = () =>
      all.queue.drain(() => {
        throw new Error('failed');
      });
    expect(failing).toThrow('failed');
    all.queue.releaseLease();
    all.limiter.release(1, 0);
    all.queue.close();
    await all.gate.consume(() => {});
    // The failed visit took the first order out of the queue. Its hold is left to the program that visited it.
    expect(all.stock.counts(1)).toMatchObject({ sold: 2, reserved: 1 });
    expect(all.limiter.stats().inFlight).toBe(0);
  });

  it('have no places in flight once the gate is gone, whichever object consumes them then', () => {
    const all = open({ capacity: 10 });
    for (let id = 0; id < 3; id++) all.admit(id);
    all.gate[Symbol.dispose]();
    expect(all.limiter.stats().inFlight).toBe(0);
    expect(all.queue.popMany(9)).toHaveLength(3);
    const next = Gate.create({ queue: all.queue, limiter: all.limiter });
    expect(next.admit(order(9), { key: 1 }).outcome).toBe('admitted');
    expect(all.limiter.stats().inFlight).toBe(1);
    expect(all.stock.counts(1).reserved).toBe(3);
    all.clock.advance(30_000);
    expect(all.stock.expire()).toBe(3);
    expect(all.stock.counts(1)).toMatchObject({ available: 100, reserved: 0 });
  });
});
