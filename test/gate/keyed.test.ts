import { Gate, Limiter, type LimiterOptions, ManualClock, Queue, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { fields, Order, order } from './order.js';

function open(limits: LimiterOptions, quantity = 100) {
  const clock = new ManualClock(1_000);
  const queue = Queue.create(Order, { capacity: 100, clock });
  const limiter = Limiter.create({ keys: { max: 100 }, ...limits, clock });
  const stock = Stock.create({ items: [{ sku: 1, quantity }], clock });
  const gate = Gate.create({ queue, limiter, stock, fields });
  return { clock, queue, limiter, stock, gate };
}

/** Consumes `count` orders, with `act` as their handler. */
async function handle(
  gate: Gate<ReturnType<typeof order>>,
  count: number,
  act: () => unknown,
): Promise<void> {
  const abort = new AbortController();
  let left = count;
  const done = gate.consume(
    () => {
      if (--left === 0) abort.abort('done');
      return act();
    },
    { signal: abort.signal, batchSize: count },
  );
  await expect(done).rejects.toBe('done');
}

describe('a gate over a limiter with keys', () => {
  it.each([
    ['strings', 'a', 'b'],
    ['numbers', 1, 2],
    ['bigints', 1n, 2n],
    ['keys of different types that look alike', 1, '1'],
    ['long strings', 'x'.repeat(500), 'y'.repeat(500)],
  ])('limits each key by itself: %s', (_, one, other) => {
    const { gate, limiter } = open({ tokenBucket: { ratePerSecond: 1, burst: 2 } });
    expect(gate.admit(order(1), { key: one }).outcome).toBe('admitted');
    expect(gate.admit(order(2), { key: one }).outcome).toBe('admitted');
    expect(gate.admit(order(3), { key: one })).toEqual({
      outcome: 'rate-limited',
      tier: 'token-bucket',
      retryAfterMs: 1_000,
    });
    expect(gate.admit(order(4), { key: other }).outcome).toBe('admitted');
    // The gate has charged the keys of the limiter: `one` has no token left, `other` has one.
    expect([limiter.allow(one), limiter.allow(other), limiter.allow(other)]).toEqual([false, true, false]);
  });

  it('charges no key when the stock refuses', () => {
    const { gate, limiter, queue } = open({ tokenBucket: { ratePerSecond: 1, burst: 1 } }, 0);
    expect(gate.admit(order(1), { key: 'a' })).toEqual({ outcome: 'sold-out' });
    expect([queue.depth, limiter.stats().keys]).toEqual([0, 0]);
    expect(limiter.allow('a')).toBe(true);
  });

  it('gives a repeated id its earlier answer without charging its key', () => {
    const { gate, limiter } = open({ tokenBucket: { ratePerSecond: 1, burst: 2 }, queueDepth: { max: 9 } });
    const first = gate.admit(order(1), { key: 'a' });
    for (let i = 0; i < 9; i++)
      expect(gate.admit(order(1), { key: 'a' })).toEqual({ ...first, duplicate: true });
    expect(limiter.stats().inFlight).toBe(1);
    expect([limiter.allow('a'), limiter.allow('a')]).toEqual([true, false]);
  });

  it.each(['confirmed', 'cancelled'])('frees a place of the key whose order is %s', async (how) => {
    const { gate, limiter } = open({ queueDepth: { max: 2 } });
    for (const [id, key] of ['a', 'a', 'b', 'b'].entries()) gate.admit(order(id), { key });
    await handle(gate, 2, () => {
      if (how === 'cancelled') throw new Error('cancelled');
    });
    expect(limiter.stats().inFlight).toBe(2);
    expect(limiter.peek({ key: 'a' }).remaining).toBe(2);
    expect(limiter.peek({ key: 'b' }).remaining).toBe(0);
    await handle(gate, 2, () => {});
    expect(limiter.stats().inFlight).toBe(0);
    expect(limiter.peek({ key: 'b' }).remaining).toBe(2);
  });

  it('frees what a guest of the limiter held', async () => {
    const { gate, limiter } = open({ queueDepth: { max: 50 }, keys: { max: 1 } });
    let admitted = 0;
    while (limiter.stats().overflowed === 0) gate.admit(order(admitted), { key: admitted++ });
    await handle(gate, admitted, () => {});
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('is the same when it is attached by its handle', () => {
    const { gate } = open({ tokenBucket: { ratePerSecond: 1, burst: 1 } });
    const other = Gate.attach(Order, gate.handle);
    expect(gate.admit(order(1), { key: 'a' }).outcome).toBe('admitted');
    expect(other.admit(order(2), { key: 'a' }).outcome).toBe('rate-limited');
    expect(() => other.admit(order(2))).toThrow(/Gate.admit: key/);
  });

  it('needs a key in each call, and a gate without keys takes none: the error changes nothing', () => {
    const { gate, queue, stock } = open({ queueDepth: { max: 2 } });
    expect(() => gate.admit(order(1))).toThrow(/Gate.admit: key: expected a string, a number or a bigint/);
    expect(() => gate.admit(order(1), { holdMs: 5 })).toThrow(/Gate.admit: key/);
    for (const key of ['x'.repeat(1_025), 2n ** 8_192n]) {
      expect(() => gate.admit(order(1), { key })).toThrow(/Gate.admit: key: .*at most/);
    }
    expect([queue.depth, stock.counts(1).reserved]).toEqual([0, 0]);
    const limiter = Limiter.create({ queueDepth: { max: 2 } });
    const plain = Gate.create({ queue: Queue.create(Order, { capacity: 1 }), limiter });
    expect(() => plain.admit(order(1), { key: 'a' })).toThrow(/the limiter has no keys/);
    expect(plain.admit(order(1), { key: undefined }).outcome).toBe('admitted');
  });
});
