import { describe, expect, it } from 'vitest';
import type { HandledOrder } from '../../examples/flash-sale/cashier.js';
import { runQueueOfThisThread } from '../../examples/flash-sale/run-queue.js';
import { explainSlowest } from '../../examples/flash-sale/slowest.js';

/** An order with its times in milliseconds, and how long the cashier's thread had waited by the last two of them. */
function order(
  admittedAt: number,
  takenAt: number,
  decidedAt: number,
  taken?: number,
  decided = taken,
): HandledOrder {
  const waits = taken === undefined || decided === undefined ? {} : { processorWaits: { taken, decided } };
  const sold = { reservation: '1', id: 1, user: 1, sku: 1, quantity: 1, paid: true, result: 'confirmed' };
  return { ...sold, admittedAt, takenAt, decidedAt, ...waits };
}

describe('The explanation of the slowest order', () => {
  it('is nothing for a sale without orders', () => {
    expect(explainSlowest([])).toBeNull();
  });

  it('counts the time in which earlier orders were in hand', () => {
    const handled = [order(0, 1, 11, 0), order(0, 11, 31, 0), order(5, 32, 33, 0)];
    expect(explainSlowest(handled)).toEqual({ waitMs: 27, behindMs: 26, processorMs: 0, otherMs: 1 });
  });

  it('counts waits for a processor once, also those while an earlier order was in hand', () => {
    // 4 of the 20 ms of the first order, half of which are before the second one is admitted, and 5 of 6 afterwards
    const handled = [order(0, 10, 30, 1, 5), order(20, 36, 40, 10)];
    expect(explainSlowest(handled)).toEqual({ waitMs: 16, behindMs: 8, processorMs: 7, otherMs: 1 });
  });

  it('leaves out orders that were decided before', () => {
    const handled = [order(0, 1, 50, 0), order(60, 90, 91, 25)];
    const { waitMs, behindMs, otherMs } = explainSlowest(handled) ?? {};
    expect({ waitMs, behindMs, otherMs }).toEqual({ waitMs: 30, behindMs: 0, otherMs: 30 - 25 * (30 / 40) });
  });

  it('says that waits for a processor are not known where the system does not count them', () => {
    const handled = [order(0, 1, 11), order(5, 12, 13)];
    expect(explainSlowest(handled)).toEqual({ waitMs: 7, behindMs: 6, processorMs: null, otherMs: 1 });
  });
});

it('The waits of a thread for a processor grow, where the system counts them', () => {
  const waited = runQueueOfThisThread();
  expect(waited !== undefined).toBe(process.platform === 'linux');
  if (waited === undefined) return;
  const before = waited();
  expect(Number.isFinite(before)).toBe(true);
  expect(waited()).toBeGreaterThanOrEqual(before);
});
