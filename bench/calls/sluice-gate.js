/**
 * sluice's Gate: limiter, stock and queue in one step. The limiter is a token bucket, as the peers' gate has one limit;
 * what all three tiers cost is a case of its own. Admitted orders are consumed and confirmed between the turns.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Gate, Limiter, Queue, record, Stock, u16, u32, u53 } from 'sluice';
import { assertAll, ordersToPlace, SKU, settings } from './gate-load.js';

const Order = record({ orderId: u53, user: u53, sku: u32, quantity: u16 });

/** @typedef {import('./gate-load.js').Outcome} Outcome */

/**
 * @param {Outcome} outcome
 * @param {Omit<import('sluice').LimiterOptions, 'tokenBucket'>} [otherTiers]
 * @returns {import('./caller.js').Case}
 */
function admits(outcome, otherTiers) {
  return {
    share() {
      const { capacity, perSecond, atOnce, stock: quantity } = settings[outcome];
      const queue = Queue.create(Order, { capacity });
      const limiter = Limiter.create({
        tokenBucket: { ratePerSecond: perSecond, burst: atOnce },
        ...otherTiers,
      });
      const stock = Stock.create({ items: [{ sku: SKU, quantity }], maxReservations: 100_000 });
      const fields = /** @type {const} */ ({ sku: 'sku', quantity: 'quantity' });
      const gate = Gate.create({ queue, limiter, stock, fields });
      // The first takes the limiter's only token, or the queue's only place.
      if (outcome === 'rate-limited' || outcome === 'queue-full') gate.admit(firstOrder());
      return {
        data: gate.handle,
        dispose() {
          for (const part of [gate, queue, limiter, stock]) part[Symbol.dispose]();
        },
      };
    },
    open: (handle) => open(Gate.attach(Order, handle), outcome),
  };
}

function firstOrder() {
  return /** @type {import('./gate-load.js').Order} */ (ordersToPlace()[0]);
}

/**
 * @param {import('sluice').Gate<import('./gate-load.js').Order>} gate
 * @param {Outcome} outcome
 * @returns {import('./caller.js').Caller}
 */
function open(gate, outcome) {
  const orders = ordersToPlace();
  let counted = 0;
  let consumed = 0;
  /** @type {import('./caller.js').Caller} */
  const caller = {
    calls: orders.length,
    turn() {
      for (const order of orders) if (gate.admit(order).outcome === outcome) counted++;
    },
    check: (calls) => assertAll(outcome, counted, calls),
  };
  if (outcome !== 'admitted') return caller;

  const consuming = gate.consume(() => void consumed++, { batchSize: 64 });
  return {
    ...caller,
    async rest() {
      while (consumed < counted) await nextTurn();
    },
    check(calls) {
      assertAll('admitted', counted, calls);
      assertAll('consumed', consumed, calls);
      const { sold, reserved } = gate.stock?.counts(SKU) ?? { sold: 0, reserved: 0 };
      assertAll('sold', sold + reserved, calls);
    },
    async close() {
      gate.queue.close();
      await consuming;
    },
  };
}

export const cases = {
  admitted: admits('admitted'),
  'admitted, three tiers': admits('admitted', {
    slidingWindow: { limit: 1_000_000_000, windowMs: 1_000 },
    queueDepth: { max: 1_000_000_000 },
  }),
  'sold-out': admits('sold-out'),
  'rate-limited': admits('rate-limited'),
  'queue-full': admits('queue-full'),
};
