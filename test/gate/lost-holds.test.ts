import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Gate, ManualClock, Queue, record, Stock, u32, u53 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';

const Order = record({ id: u53, sku: u32, quantity: u32 });

function sale() {
  const clock = new ManualClock();
  const queue = Queue.create(Order, { capacity: 8, clock });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 9 }], holdMs: 100, clock });
  const gate = Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity' } });
  for (let id = 1; id <= 3; id++) gate.admit({ id, sku: 1, quantity: 1 });
  queue.close();
  return { clock, queue, stock, gate };
}

describe('Gate.consume', () => {
  it('publishes the orders that it could not confirm, because their holds ran out meanwhile', async () => {
    const { clock, stock, gate } = sale();
    const lost: unknown[] = [];
    const listener = (message: unknown) => lost.push(message);
    subscribe('sluice:gate:not-confirmed', listener);
    await gate.consume(({ id }) => void (id === 2 && clock.advance(100)));
    unsubscribe('sluice:gate:not-confirmed', listener);
    expect(lost).toMatchObject([
      { order: { id: 2 }, resolution: 'expired' },
      { order: { id: 3 }, resolution: 'expired' },
    ]);
    expect(stock.counts(1)).toMatchObject({ sold: 1, reserved: 0 });
  });

  it.each(['queue', 'stock', 'gate'] as const)(
    'rejects, and hands out no more orders, when the %s is disposed of meanwhile',
    async (part) => {
      const parts = sale();
      let handled = 0;
      const consumed = parts.gate.consume(() => {
        handled++;
        parts[part][Symbol.dispose]();
      });
      await expect(consumed).rejects.toMatchObject({ code: 'ERR_SLUICE_DISPOSED' });
      expect(handled).toBe(1);
    },
  );

  it('needs a gate, and Gate.create() without options fails with an error about the missing queue', () => {
    expect(() => Gate.create(mistyped(undefined))).toThrow(/queue: expected a Queue/);
  });
});
