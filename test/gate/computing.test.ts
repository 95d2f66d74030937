import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Gate, Queue, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { fields, Order, order } from './order.js';

/** Keeps the thread busy for `ms` milliseconds. */
function compute(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

function sale(orders: number, holdMs: number) {
  const queue = Queue.create(Order, { capacity: 100 });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 100 }], holdMs });
  const gate = Gate.create({ queue, stock, fields });
  for (let id = 0; id < orders; id++) gate.admit(order(id));
  queue.close();
  return { queue, stock, gate };
}

/** Returns how many handled orders could not be confirmed while `act` ran. */
async function unconfirmed(act: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const listener = (): void => void count++;
  subscribe('sluice:gate:not-confirmed', listener);
  try {
    await act();
  } finally {
    unsubscribe('sluice:gate:not-confirmed', listener);
  }
  return count;
}

describe('handlers that compute without a pause', () => {
  it.each([1, 4])(
    'let no order that waits behind them lose its hold (concurrency %i)',
    async (concurrency) => {
      // The consumer takes all 40 orders at once. The last handler begins after 1,170 ms: without renewal, its order's
      // hold of 800 ms would be over.
      const { gate, stock } = sale(40, 800);
      const lost = await unconfirmed(() => gate.consume(() => compute(30), { batchSize: 64, concurrency }));
      expect(lost).toBe(0);
      expect(stock.counts(1)).toMatchObject({ sold: 40, reserved: 0 });
    },
  );

  it('have the holds behind them renewed before the next one starts, whether or not a timer had its turn', async () => {
    const { gate, stock } = sale(3, 400);
    const extended: number[] = [];
    await gate.consume(() => {
      extended.push(stock.stats().extended);
      compute(210);
    });
    expect(extended[0]).toBe(0);
    expect(extended[1]).toBeGreaterThanOrEqual(2);
    expect(extended[2]).toBeGreaterThanOrEqual(3);
  });

  it('have a hold renewed that is half over when its order is taken', async () => {
    const { gate, stock } = sale(1, 600);
    compute(310);
    const extended: number[] = [];
    await gate.consume(() => extended.push(stock.stats().extended));
    expect(extended).toEqual([1]);
  });

  it('give timers a turn between two of them', async () => {
    const { gate } = sale(30, 30_000);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await gate.consume(() => compute(10), { batchSize: 64 });
    clearInterval(timer);
    expect(turns).toBeGreaterThanOrEqual(15);
  });
});
