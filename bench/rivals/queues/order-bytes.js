/**
 * An order as 56 bytes, for rivals that carry bytes. It uses a DataView, because not all of these rivals align the
 * bytes. The bytes are explicitly little-endian, which is native on most machines and needs no swap there.
 */

/** @typedef {import('../../harness/traffic.js').Order} Order */

export const ORDER_BYTES = 56;

/**
 * @param {Order} order
 * @param {DataView} into
 * @param {number} at
 */
export function writeBytes(order, into, at) {
  into.setFloat64(at, order.orderId, true);
  into.setFloat64(at + 8, order.user, true);
  into.setFloat64(at + 16, order.price, true);
  into.setFloat64(at + 24, order.discount, true);
  into.setFloat64(at + 32, order.placedAt, true);
  into.setFloat64(at + 40, order.expiresAt, true);
  into.setUint32(at + 48, order.sku, true);
  into.setUint16(at + 52, order.quantity, true);
  into.setUint16(at + 54, order.producer, true);
}

/** A view of the order whose bytes begin at `at`: reading it makes no object. */
export class OrderBytes {
  at = 0;

  /** @param {DataView} bytes */
  constructor(bytes) {
    this.bytes = bytes;
  }
  get orderId() {
    return this.bytes.getFloat64(this.at, true);
  }
  get user() {
    return this.bytes.getFloat64(this.at + 8, true);
  }
  get price() {
    return this.bytes.getFloat64(this.at + 16, true);
  }
  get discount() {
    return this.bytes.getFloat64(this.at + 24, true);
  }
  get placedAt() {
    return this.bytes.getFloat64(this.at + 32, true);
  }
  get expiresAt() {
    return this.bytes.getFloat64(this.at + 40, true);
  }
  get sku() {
    return this.bytes.getUint32(this.at + 48, true);
  }
  get quantity() {
    return this.bytes.getUint16(this.at + 52, true);
  }
  get producer() {
    return this.bytes.getUint16(this.at + 54, true);
  }
}
