// @ts-check
import { Gate, Limiter, Queue, Stock } from 'sluice';
import { CATALOGUE } from './catalogue.js';
import { Order } from './order-schema.js';
import { overflowAt } from './overflow.js';

/** Small on purpose: the opening burst fills it while the cashier's first payment is still under way. */
const QUEUE_CAPACITY = 32;

/** If the cashier has not decided an admitted order within this time, the ledger takes the units back. */
const HOLD_MS = 30_000;

/** The fewest users and ids to remember, for the unknown clients of --serve. */
const TABLE_SIZE_MIN = 131_072;

/**
 * The most users and ids to remember. If there are more ids, the ledger forgets the oldest; the retries of this
 * scenario come before that.
 */
const TABLE_SIZE_MAX = 1_000_000;

/**
 * @typedef {ReturnType<typeof openSale>} Sale
 */

/**
 * Creates everything that the threads share: the queue, the limiter, the stock, and the gate in front of them.
 * @param {{ requests: number, users: number, overflow?: string | undefined, dashboard?: boolean }} expected
 */
export function openSale({ requests, users, overflow: path, dashboard: latency = false }) {
  const overflow = path === undefined ? undefined : overflowAt(path);
  const queue = Queue.create(Order, { capacity: QUEUE_CAPACITY, latency, ...(overflow && { overflow }) });
  const limiter = Limiter.create({
    tokenBucket: { ratePerSecond: 250, burst: 150 },
    slidingWindow: { limit: 300, windowMs: 1_000, buckets: 20 },
  });
  const stock = Stock.create({
    items: CATALOGUE.map(({ sku, quantity, perUser }) => ({ sku, quantity, perUser })),
    maxReservations: 16_384,
    maxUsers: tableSize(users),
    maxIds: tableSize(requests),
    holdMs: HOLD_MS,
  });
  const gate = Gate.create({
    queue,
    limiter,
    stock,
    fields: { sku: 'sku', quantity: 'quantity', user: 'user', id: 'orderId' },
  });
  return {
    queue,
    limiter,
    stock,
    gate,
    overflow,
    async dispose() {
      for (const part of [gate, stock, limiter, queue]) part[Symbol.dispose]();
      await overflow?.close();
    },
  };
}

/** @param {number} wanted */
function tableSize(wanted) {
  return Math.min(TABLE_SIZE_MAX, Math.max(TABLE_SIZE_MIN, wanted));
}
