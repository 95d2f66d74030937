/**
 * What gates are asked in every measurement: orders of one unit of one item, and with each outcome the figures that
 * lead to it. An order is a reservation to make, so it carries what that takes and little else.
 */

/** @typedef {{ orderId: number, user: number, sku: number, quantity: number }} Order */
/** @typedef {'admitted' | 'sold-out' | 'rate-limited' | 'queue-full'} Outcome */

export const SKU = 1_001;

/** Orders that a queue holds, and as many are admitted between two drains. */
export const CAPACITY = 4_096;

/** More than is sold in any measurement. */
const PLENTY = 4_000_000_000;

/**
 * A limit of so many a second and at once. For 'rate-limited' it is as good as none: the first call takes what there
 * is, and the measurement is over before there is more.
 *
 * @typedef {{ stock: number, perSecond: number, atOnce: number, capacity: number }} Setting
 * @type {Record<Outcome, Setting>}
 */
export const settings = {
  admitted: { stock: PLENTY, perSecond: 1e7, atOnce: PLENTY, capacity: CAPACITY },
  'sold-out': { stock: 0, perSecond: 1e7, atOnce: PLENTY, capacity: CAPACITY },
  'rate-limited': { stock: PLENTY, perSecond: 1e-4, atOnce: 1, capacity: CAPACITY },
  'queue-full': { stock: PLENTY, perSecond: 1e7, atOnce: PLENTY, capacity: 1 },
};

/** The same objects over and over, so that making them costs nothing. */
export function ordersToPlace() {
  return Array.from({ length: CAPACITY }, (_, i) => ({
    orderId: i,
    user: 70_000 + i,
    sku: SKU,
    quantity: 1,
  }));
}

/**
 * @param {string} outcome
 * @param {number} counted
 * @param {number} calls
 */
export function assertAll(outcome, counted, calls) {
  if (counted !== calls) throw new Error(`${calls} calls, ${counted} of them ${outcome}`);
}
