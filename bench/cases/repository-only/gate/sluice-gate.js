/**
 * sluice's Gate: limiter, stock and queue in one step. The limiter is a token bucket, because the rivals' gate has one
 * limit. One more case has all three tiers; another has a limit per user, and an id for each order. A consumer takes
 * and confirms the admitted orders between the turns.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Gate, Limiter, Queue, record, Stock, u16, u32, u53 } from 'sluice';
import { assertAll, ordersToPlace, SKU, settings } from '../../../harness/repository-only/loads/gate-load.js';

const Order = record({ orderId: u53, user: u53, sku: u32, quantity: u16 });

/** A limit per user that no measurement reaches. */
const MANY = 4_000_000_000;

/** @typedef {import('../../../harness/repository-only/loads/gate-load.js').Outcome} Outcome */

/**
 * @param {Outcome} outcome
 * @param {object} [more]
 * @param {Omit<import('sluice').LimiterOptions, 'tokenBucket'>} [more.otherTiers]
 * @param {boolean} [more.identified] each order has an id, and its user a limit
 * @returns {import('../../../harness/repository-only/caller.js').Case}
 */
function admits(outcome, { otherTiers, identified = false } = {}) {
  return {
    share() {
      const { capacity, perSecond, atOnce, stock: quantity } = settings[outcome];
      const queue = Queue.create(Order, { capacity });
      const limiter = Limiter.create({
        tokenBucket: { ratePerSecond: perSecond, burst: atOnce },
        ...otherTiers,
      });
      const item = { sku: SKU, quantity, ...(identified ? { perUser: MANY } : {}) };
      const stock = Stock.create({ items: [item], maxReservations: 100_000 });
      const fields = {
        sku: /** @type {const} */ ('sku'),
        quantity: /** @type {const} */ ('quantity'),
        ...(identified ? { user: /** @type {const} */ ('user'), id: /** @type {const} */ ('orderId') } : {}),
      };
      const gate = Gate.create({ queue, limiter, stock, fields });
      // The first order takes the limiter's only token, or the queue's only place.
      if (outcome === 'rate-limited' || outcome === 'queue-full') gate.admit(firstOrder());
      return {
        data: gate.handle,
        dispose() {
          for (const part of [gate, queue, limiter, stock]) part[Symbol.dispose]();
        },
      };
    },
    open: (handle) => open(Gate.attach(Order, handle), outcome, identified),
  };
}

function firstOrder() {
  return /** @type {import('../../../harness/repository-only/loads/gate-load.js').Order} */ (
    ordersToPlace()[0]
  );
}

/**
 * @param {import('sluice').Gate<import('../../../harness/repository-only/loads/gate-load.js').Order>} gate
 * @param {Outcome} outcome
 * @param {boolean} identified
 * @returns {import('../../../harness/repository-only/caller.js').Caller}
 */
function open(gate, outcome, identified) {
  const orders = ordersToPlace();
  let counted = 0;
  let consumed = 0;
  /** @type {import('../../../harness/repository-only/caller.js').Caller} */
  const caller = {
    calls: orders.length,
    turn() {
      for (const order of orders) {
        // for an id that was used before, the gate returns its earlier answer
        if (identified) order.orderId += orders.length;
        if (gate.admit(order).outcome === outcome) counted++;
      }
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

export const file = import.meta.url;

export const cases = {
  admitted: admits('admitted'),
  'admitted, three tiers': admits('admitted', {
    otherTiers: {
      slidingWindow: { limit: 1_000_000_000, windowMs: 1_000 },
      queueDepth: { max: 1_000_000_000 },
    },
  }),
  'admitted, user limit and id': admits('admitted', { identified: true }),
  'sold-out': admits('sold-out'),
  'rate-limited': admits('rate-limited'),
  'queue-full': admits('queue-full'),
};
