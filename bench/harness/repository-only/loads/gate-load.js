/**
 * The load of gates in every measurement: orders of one unit of one item, and for each outcome the settings that lead
 * to it. An order has the fields that a reservation needs and little else.
 */

/** @typedef {{ orderId: number, user: number, sku: number, quantity: number }} Order */
/** @typedef {'admitted' | 'sold-out' | 'rate-limited' | 'queue-full'} Outcome */

export const SKU = 1_001;

/** The capacity of a queue, and the number of orders admitted between two drains. */
export const CAPACITY = 4_096;

/** More than any measurement sells. */
const PLENTY = 4_000_000_000;

/**
 * The settings that lead to each outcome. The limiter has the rate `perSecond` and the burst `atOnce`. For
 * 'rate-limited' the rate is almost zero: the first call takes the burst, and the measurement is over before another
 * order could pass.
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

/** Returns the orders of a turn. Every turn uses the same objects, so that making them costs nothing. */
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
