import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Gate, Limiter, Queue, record, Stock, u32, u53 } from 'sluice';
import { describe, expect, it } from 'vitest';

const Order = record({ id: u53, sku: u32, quantity: u32 });
const fields = { sku: 'sku', quantity: 'quantity' } as const;

describe('a gate whose consumer goes', () => {
  it('keeps the orders that a terminated consumer had in hand, and their places in flight, for the next', async () => {
    const queue = Queue.create(Order, { capacity: 8 });
    const stock = Stock.create({ items: [{ sku: 1, quantity: 99 }] });
    const limiter = Limiter.create({ queueDepth: { max: 4 } });
    const gate = Gate.create({ queue, limiter, stock, fields });
    for (let id = 0; id < 4; id++) expect(gate.admit({ id, sku: 1, quantity: 1 }).outcome).toBe('admitted');
    const worker = new Worker(new URL('./workers/stuck-consumer.js', import.meta.url), {
      workerData: gate.handle,
    });
    await once(worker, 'message');
    await worker.terminate();
    expect(gate.stats()).toMatchObject({ inHand: 4, redelivered: 0 });
    expect(gate.admit({ id: 9, sku: 1, quantity: 1 })).toMatchObject({ tier: 'queue-depth' });
    queue.close();
    const handled: unknown[] = [];
    await gate.consume(({ id }, { deliveries }) => handled.push([id, deliveries]));
    expect(handled).toEqual([0, 1, 2, 3].map((id) => [id, 2]));
    expect(gate.stats()).toMatchObject({ inHand: 0, redelivered: 4 });
    expect(limiter.stats().inFlight).toBe(0);
    expect(stock.counts(1)).toMatchObject({ reserved: 0, sold: 4 });
    stock.audit();
  });

  it('does not resolve the orders that an earlier gate left in the queue with the stock of the next', async () => {
    const queue = Queue.create(Order, { capacity: 8 });
    const first = Gate.create({ queue, stock: Stock.create({ items: [{ sku: 1, quantity: 9 }] }), fields });
    first.admit({ id: 1, sku: 1, quantity: 1 });
    first[Symbol.dispose]();
    const stock = Stock.create({ items: [{ sku: 1, quantity: 9 }] });
    const next = Gate.create({ queue, stock, fields });
    stock.reserve({ sku: 1, quantity: 1 }); // this reservation gets the bigint of the first stock's
    queue.close();
    const reservations: Array<bigint | undefined> = [];
    await next.consume((_, hold) => reservations.push(hold.reservation));
    expect(reservations).toEqual([undefined]);
    expect(stock.counts(1)).toMatchObject({ reserved: 1, sold: 0 });
  });
});
