import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Gate, Queue, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { fields, Order, order } from './order.js';

let lookedAt = 0;
/** The longest time, in milliseconds, between two calls of now(). It is long if the machine has stopped this thread. */
let longestPause = 0;
function now(): number {
  const at = performance.now();
  longestPause = Math.max(longestPause, at - lookedAt);
  lookedAt = at;
  return at;
}

/** Keeps the thread busy for `ms` milliseconds. */
function compute(ms: number): void {
  for (const end = now() + ms; now() < end; );
}

/**
 * Returns the result of `act`. Holds that are shorter than a pause of the thread run out, whatever the gate does. So
 * this calls `act` again if the machine has stopped the thread for more than 50 ms meanwhile.
 */
async function undisturbed<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    lookedAt = performance.now();
    longestPause = 0;
    const result = await act();
    now();
    if (longestPause <= 50) return result;
  }
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
      const result = await undisturbed(async () => {
        const { gate, stock } = sale(40, 800);
        const lost = await unconfirmed(() => gate.consume(() => compute(30), { batchSize: 64, concurrency }));
        return { lost, ...stock.counts(1) };
      });
      expect(result).toMatchObject({ lost: 0, sold: 40, reserved: 0 });
    },
  );

  it('have the holds behind them renewed before the next one starts, whether or not a timer had its turn', async () => {
    const extended = await undisturbed(async () => {
      const { gate, stock } = sale(3, 400);
      const counts: number[] = [];
      await gate.consume(() => {
        counts.push(stock.stats().extended);
        compute(210);
      });
      return counts;
    });
    expect(extended[0]).toBe(0);
    expect(extended[1]).toBeGreaterThanOrEqual(2);
    expect(extended[2]).toBeGreaterThanOrEqual(3);
  });

  it('have a hold renewed that is half over when its order is taken', async () => {
    const extended = await undisturbed(async () => {
      const { gate, stock } = sale(1, 600);
      compute(310);
      const counts: number[] = [];
      await gate.consume(() => counts.push(stock.stats().extended));
      return counts;
    });
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
