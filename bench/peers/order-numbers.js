/** An order as nine numbers in a row, for peers whose elements are numbers. Its fields in the order of traffic.js. */

/** @typedef {import('../traffic.js').Order} Order */

export const NUMBERS = 9;

/**
 * @param {Order} order
 * @param {Float64Array} into
 * @param {number} at
 */
export function writeNumbers(order, into, at) {
  into[at] = order.orderId;
  into[at + 1] = order.user;
  into[at + 2] = order.price;
  into[at + 3] = order.discount;
  into[at + 4] = order.placedAt;
  into[at + 5] = order.expiresAt;
  into[at + 6] = order.sku;
  into[at + 7] = order.quantity;
  into[at + 8] = order.producer;
}
