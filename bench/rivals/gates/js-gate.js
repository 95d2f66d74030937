/**
 * A gate made of npm packages, for one thread: rate-limiter-flexible in memory, the stock as a Map, fastq as the queue.
 *
 * It is as good as we can make it. It checks the stock and the room in the queue first, without waiting, so that a
 * refusal by one of them costs nothing more and charges no limit. Only then it awaits the limiter. Other requests may
 * have run meanwhile, so it checks both again and then takes the stock, without an interruption. If the order is
 * refused after it was charged, `reward` gives the charge back. fastq counts its tasks by walking through all of them,
 * so the gate keeps its own count.
 *
 * It serves one thread only, its reservations never expire, and it has no ids that would make a retry safe.
 */
import fastq from 'fastq';
import {
  assertAll,
  CAPACITY,
  ordersToPlace,
  SKU,
  settings,
} from '../../harness/repository-only/loads/gate-load.js';
import { EVERYONE } from '../../harness/repository-only/loads/limiter-load.js';
import { memoryLimiter } from '../limiters/rate-limiter-flexible.js';

/** @typedef {import('../../harness/repository-only/loads/gate-load.js').Order} Order */
/** @typedef {import('../../harness/repository-only/loads/gate-load.js').Outcome} Outcome */

export class JsGate {
  sold = 0;
  #depth = 0;
  /** @type {{ order: Order, done: import('fastq').done } | undefined} */
  #inHand;
  #capacity;
  #limiter;
  /** @type {Map<number, number>} */
  #stock;
  #queue;

  /** @param {import('../../harness/repository-only/loads/gate-load.js').Setting} setting */
  constructor({ stock, perSecond, atOnce, capacity }) {
    this.#capacity = capacity;
    this.#stock = new Map([[SKU, stock]]);
    this.#limiter = memoryLimiter(atOnce, atOnce / perSecond);
    // The worker has one order in hand until it is sold. (If the worker finished at once, fastq would call it
    // recursively for all orders of a full queue, until the stack is used up.)
    this.#queue = fastq((/** @type {Order} */ order, done) => {
      this.#inHand = { order, done };
    }, 1);
  }

  /**
   * @param {Order} order
   * @returns {Outcome | Promise<Outcome>}
   */
  admit(order) {
    const refusal = this.#refusal(order);
    return refusal ?? this.#admitIfAllowed(order);
  }

  /** Sells the queued orders. */
  drain() {
    while (this.#inHand !== undefined) {
      const { order, done } = this.#inHand;
      this.#inHand = undefined;
      this.#depth--;
      this.sold += order.quantity;
      done(null);
    }
  }

  /** Points taken from the limit. */
  async charged() {
    return (await this.#limiter.get(EVERYONE))?.consumedPoints ?? 0;
  }

  /** @param {Order} order */
  available({ sku }) {
    return this.#stock.get(sku) ?? 0;
  }

  /**
   * Gives `then` a function for each outcome, because catching a rejection costs more.
   * @param {Order} order
   * @returns {Promise<Outcome>}
   */
  #admitIfAllowed(order) {
    return this.#limiter.consume(EVERYONE).then(() => this.#admitNow(order), rateLimited);
  }

  /**
   * @param {Order} order
   * @returns {Outcome | Promise<Outcome>}
   */
  #admitNow(order) {
    const refusal = this.#refusal(order);
    if (refusal !== undefined) return this.#limiter.reward(EVERYONE).then(() => refusal);
    this.#stock.set(order.sku, this.available(order) - order.quantity);
    this.#depth++;
    this.#queue.push(order);
    return 'admitted';
  }

  /**
   * @param {Order} order
   * @returns {Outcome | undefined}
   */
  #refusal(order) {
    if (this.available(order) < order.quantity) return 'sold-out';
    if (this.#depth >= this.#capacity) return 'queue-full';
    return undefined;
  }
}

/** @returns {Outcome} */
const rateLimited = () => 'rate-limited';

/**
 * @param {Outcome} outcome
 * @returns {import('../../harness/repository-only/caller.js').Case}
 */
function admits(outcome) {
  return {
    async open() {
      const gate = new JsGate(settings[outcome]);
      const orders = ordersToPlace();
      // The first order takes the limiter's only point, or the queue's only place.
      if (outcome === 'rate-limited' || outcome === 'queue-full') {
        await gate.admit(/** @type {Order} */ (orders[0]));
      }
      let counted = 0;
      return {
        calls: CAPACITY,
        async turn() {
          for (const order of orders) {
            const answer = gate.admit(order);
            if ((typeof answer === 'string' ? answer : await answer) === outcome) counted++;
          }
        },
        rest: () => (outcome === 'admitted' ? gate.drain() : undefined),
        check(calls) {
          assertAll(outcome, counted, calls);
          if (outcome === 'admitted') assertAll('sold', gate.sold, calls);
        },
      };
    },
  };
}

export const file = import.meta.url;

export const cases = {
  admitted: admits('admitted'),
  'sold-out': admits('sold-out'),
  'rate-limited': admits('rate-limited'),
  'queue-full': admits('queue-full'),
};
