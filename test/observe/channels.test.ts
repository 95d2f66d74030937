import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import { setImmediate as immediate } from 'node:timers/promises';
import { Gate, Limiter, ManualClock, Queue, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { fields, Order, order } from '../gate/order.js';
import { published } from './published.js';

const events = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];
const handling = () => events.map((event) => published(`tracing:sluice:gate:handle:${event}`));

function gateOf(quantity = 10, max = 10) {
  const clock = new ManualClock();
  const queue = Queue.create(Order, { capacity: 100, clock });
  const limiter = Limiter.create({ queueDepth: { max }, clock });
  const stock = Stock.create({ items: [{ sku: 1, quantity }], clock });
  return Gate.create({ queue, limiter, stock, fields });
}

describe('sluice:gate:admitted and sluice:gate:refused', () => {
  it('publish each answer of admit, with the order and the gate', () => {
    const [admitted, refused] = [published('sluice:gate:admitted'), published('sluice:gate:refused')];
    const gate = gateOf(1);
    const [first, second] = [order(1), order(2)];
    const admission = gate.admit(first);
    expect(admitted).toEqual([{ gate, order: first, admission }]);
    const refusal = gate.admit(second);
    expect(refusal.outcome).toBe('sold-out');
    expect(refused).toEqual([{ gate, order: second, admission: refusal }]);
    const limited = gateOf(10, 1);
    limited.admit(order(3));
    limited.admit(order(4));
    expect(refused.at(-1)).toMatchObject({ gate: limited, admission: { outcome: 'rate-limited' } });
    expect(admitted).toHaveLength(2);
  });

  it('publish nothing for an order with a bad field, which throws', () => {
    const [admitted, refused] = [published('sluice:gate:admitted'), published('sluice:gate:refused')];
    const gate = gateOf();
    expect(() => gate.admit(order(1, { quantity: -1 }))).toThrow(/quantity/);
    expect([admitted, refused]).toEqual([[], []]);
  });
});

describe('sluice:limiter:refused', () => {
  it('publishes what allow, tryAcquire and acquire refuse, also after a wait', async () => {
    const refused = published('sluice:limiter:refused');
    const limiter = Limiter.create({ queueDepth: { max: 1 }, keys: { max: 10 } });
    expect(limiter.allow('ann')).toBe(true);
    expect(refused).toEqual([]);
    expect(limiter.allow('ann', 1)).toBe(false);
    const tried = limiter.tryAcquire({ key: 'ann' });
    const atOnce = await limiter.acquire({ key: 'ann', timeoutMs: 0 });
    const waited = await limiter.acquire({ key: 'ann', timeoutMs: 5 });
    expect(waited.allowed).toBe(false);
    expect(refused).toEqual([
      { limiter, key: 'ann', cost: 1, decision: undefined },
      ...[tried, atOnce, waited].map((decision) => ({ limiter, key: 'ann', cost: 1, decision })),
    ]);
  });

  it('publishes no request that only a dry run would refuse', () => {
    const refused = published('sluice:limiter:refused');
    const limiter = Limiter.create({ queueDepth: { max: 1 }, enforce: false });
    expect([limiter.allow(), limiter.allow(), limiter.tryAcquire().allowed]).toEqual([true, true, true]);
    expect(refused).toEqual([]);
  });
});

describe('sluice:stock:sold-out', () => {
  it('publishes the item that a request found sold out, also of a cart, and no other refusal', () => {
    const soldOut = published('sluice:stock:sold-out');
    const items = [7, 8, 9].map((sku) => ({ sku, quantity: sku === 7 ? 5 : 1, perUser: 1 }));
    const stock = Stock.create({ items });
    stock.reserve({ sku: 8, quantity: 1, user: 1 });
    expect(stock.reserve({ sku: 8, quantity: 1, user: 2 })).toMatchObject({ reason: 'sold-out' });
    expect(soldOut).toEqual([{ stock, sku: 8, user: 2, id: undefined }]);
    const lines = [7, 9, 8].map((sku) => ({ sku, quantity: 1 }));
    expect(stock.reserveAll(lines, { user: 3, id: 'x' })).toMatchObject({ reason: 'sold-out', sku: 8 });
    expect(soldOut[1]).toEqual({ stock, sku: 8, user: 3, id: 'x' });
    expect(stock.reserve({ sku: 5, quantity: 1 })).toMatchObject({ reason: 'unknown-sku' });
    expect(stock.reserve({ sku: 7, quantity: 2, user: 4 })).toMatchObject({ reason: 'user-limit' });
    expect(soldOut).toHaveLength(2);
  });
});

describe('tracing:sluice:gate:handle', () => {
  it('traces a handler that returns and one that throws, with the order and its hold', async () => {
    const [start, end, asyncStart, asyncEnd, error] = handling();
    const gate = gateOf();
    for (const id of [1, 2, 3]) gate.admit(order(id));
    gate.queue.close();
    const failure = new Error('no money');
    await gate.consume(async ({ id }) => {
      if (id === 2n) throw failure;
      if (id === 3n) await immediate();
      return `paid ${id}`;
    });
    expect(start).toEqual(end);
    expect(start).toEqual(asyncStart);
    expect(start).toEqual(asyncEnd);
    const holds = start?.map((message) => (message as { hold: { reservation?: bigint } }).hold);
    expect(holds?.map(({ reservation }) => typeof reservation)).toEqual(Array(3).fill('bigint'));
    expect(start).toMatchObject([
      { order: { id: 1n }, by: 'gate', result: 'paid 1' },
      { order: { id: 2n }, by: 'gate', error: failure },
      { order: { id: 3n }, by: 'gate', result: 'paid 3' },
    ]);
    expect(error).toEqual([start?.[1]]);
    expect(gate.stock?.counts(1)).toMatchObject({ sold: 2, available: 8 });
  });

  it('traces a handler that throws before it returns a promise as one that failed', async () => {
    const [start, , , asyncEnd, error] = handling();
    const gate = gateOf();
    gate.admit(order(1));
    gate.queue.close();
    await gate.consume(() => {
      throw new Error('at once');
    });
    expect(error).toMatchObject([{ error: { message: 'at once' } }]);
    expect([start?.length, asyncEnd?.length]).toEqual([1, 1]);
    expect(gate.stock?.counts(1)).toMatchObject({ sold: 0, available: 10 });
  });

  it('gives the handler the store that a subscriber has bound, until its end', async () => {
    const spans = new AsyncLocalStorage<unknown>();
    const { start } = tracingChannel('sluice:gate:handle');
    start.bindStore(spans, (message) => (message as { order: { id: bigint } }).order.id);
    try {
      const gate = gateOf();
      for (const id of [1, 2]) gate.admit(order(id));
      gate.queue.close();
      const seen: unknown[] = [];
      await gate.consume(
        async () => {
          await immediate();
          seen.push(spans.getStore());
        },
        { concurrency: 2 },
      );
      expect(seen).toEqual([1n, 2n]);
    } finally {
      start.unbindStore(spans);
    }
  });
});
