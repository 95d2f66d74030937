import { Gate, Queue, record, Stock, u32, u53 } from 'sluice';
import { describe, expect, it } from 'vitest';

const Order = record({ id: u53, sku: u32, quantity: u32 });
const fields = { sku: 'sku', quantity: 'quantity' } as const;

describe('a gate', () => {
  it('refuses a queue of several lanes, whose slots it could not tell apart', () => {
    const queue = Queue.create(Order, { capacity: 4, lanes: 2 });
    const stock = Stock.create({ items: [{ sku: 1, quantity: 9 }] });
    expect(() => Gate.create({ queue, stock, fields })).toThrow(/one lane/);
  });

  it('does not give the reservation of an order that was consumed past it to the next record in the slot', async () => {
    const queue = Queue.create(Order, { capacity: 1 });
    const stock = Stock.create({ items: [{ sku: 1, quantity: 9 }] });
    const gate = Gate.create({ queue, stock, fields });
    expect(gate.admit({ id: 1, sku: 1, quantity: 1 }).outcome).toBe('admitted');
    expect(queue.tryPop()?.id).toBe(1);
    queue.releaseLease();
    queue.tryPush({ id: 2, sku: 1, quantity: 1 });
    queue.close();
    const reservations: Array<bigint | undefined> = [];
    await gate.consume((_, hold) => reservations.push(hold.reservation));
    expect(reservations).toEqual([undefined]);
    expect(stock.counts(1)).toMatchObject({ reserved: 1, sold: 0 });
  });
});
