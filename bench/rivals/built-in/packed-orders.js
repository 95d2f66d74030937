/** Orders as runs of numbers in one Float64Array: the form in which structured clone copies them fastest. */
import { numberFields, payloadBytes } from '../../harness/traffic.js';

/** @typedef {import('../../harness/traffic.js').Order} Order */

/** Numbers that an order of 64 bytes takes: its fields, in the sequence of traffic.js. */
export const NUMBERS = 9;

/** @param {number} recordBytes @returns {number} numbers that an order takes, its payload included */
export function numbersOf(recordBytes) {
  return Object.keys(numberFields(recordBytes)).length + Math.ceil(payloadBytes(recordBytes) / 8);
}

/**
 * @param {number} recordBytes
 * @returns {(order: Order) => number[]} a function that returns the values of an order without a payload
 */
export function valuesOf(recordBytes) {
  if (recordBytes === 8) return (order) => [order.orderId, order.quantity, order.producer];
  return (order) => [
    order.orderId,
    order.user,
    order.price,
    order.discount,
    order.placedAt,
    order.expiresAt,
    order.sku,
    order.quantity,
    order.producer,
  ];
}

/**
 * @param {Order[]} orders
 * @param {Float64Array} into
 * @param {number} recordBytes
 */
export function pack(orders, into, recordBytes) {
  if (recordBytes === 8) return packSmall(orders, into);
  const step = numbersOf(recordBytes);
  const bytes = recordBytes > 64 ? new Uint8Array(into.buffer) : undefined;
  let at = 0;
  for (const order of orders) {
    writeNumbers(order, into, at);
    if (order.payload !== undefined) bytes?.set(order.payload, (at + NUMBERS) * 8);
    at += step;
  }
}

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

/** @param {Order[]} orders @param {Float64Array} into */
function packSmall(orders, into) {
  let at = 0;
  for (const order of orders) {
    into[at] = order.orderId;
    into[at + 1] = order.quantity;
    into[at + 2] = order.producer;
    at += 3;
  }
}

/** @param {number} recordBytes */
export function packedView(recordBytes) {
  return recordBytes === 8 ? new SmallOrders() : new PackedOrders(payloadBytes(recordBytes));
}

/** A view of the order whose values begin at `at`. */
class PackedOrders {
  /** @type {ArrayLike<number>} */
  values = [];
  at = 0;
  #payloadBytes;

  /** @param {number} length */
  constructor(length) {
    this.#payloadBytes = length;
  }

  get orderId() {
    return this.#value(0);
  }
  get user() {
    return this.#value(1);
  }
  get price() {
    return this.#value(2);
  }
  get discount() {
    return this.#value(3);
  }
  get placedAt() {
    return this.#value(4);
  }
  get expiresAt() {
    return this.#value(5);
  }
  get sku() {
    return this.#value(6);
  }
  get quantity() {
    return this.#value(7);
  }
  get producer() {
    return this.#value(8);
  }
  /** Does not copy, because the message belongs to the receiver. */
  get payload() {
    const { buffer } = /** @type {Float64Array} */ (this.values);
    return new Uint8Array(buffer, (this.at + NUMBERS) * 8, this.#payloadBytes);
  }

  /** @param {number} field */
  #value(field) {
    return /** @type {number} */ (this.values[this.at + field]);
  }
}

/** A view like PackedOrders, of an order of 8 bytes. */
class SmallOrders {
  /** @type {ArrayLike<number>} */
  values = [];
  at = 0;

  get orderId() {
    return /** @type {number} */ (this.values[this.at]);
  }
  get quantity() {
    return /** @type {number} */ (this.values[this.at + 1]);
  }
  get producer() {
    return /** @type {number} */ (this.values[this.at + 2]);
  }
}
