/**
 * The records of every measurement, and the check of their delivery.
 *
 * A record of 64 bytes has 56 bytes of fields: with the 8 bytes that each ring keeps for a slot it fills 64 bytes, a
 * cache line of most processors. Its fields are numbers that need no BigInt. So the codec costs little, and about the
 * same for every rival, and the comparison shows the transport. A record of 8 bytes has only the fields that the check
 * of delivery needs. A longer record has a payload of bytes, which its consumer reads.
 */

/** The sizes of records in bytes. All but the smallest include the bytes that a ring keeps for a slot. */
export const recordSizes = /** @type {const} */ ([8, 64, 256, 1024]);

/** @typedef {'u16' | 'u32' | 'u53' | 'f64'} NumberType */

const checkedFields = /** @type {const} */ ({ orderId: 'u32', quantity: 'u16', producer: 'u16' });
const fields = /** @type {const} */ ({
  orderId: 'u53',
  user: 'u53',
  price: 'f64',
  discount: 'f64',
  placedAt: 'f64',
  expiresAt: 'f64',
  sku: 'u32',
  quantity: 'u16',
  producer: 'u16',
});

/** @param {number} recordBytes @returns {Record<string, NumberType>} the numbers of an order, by name */
export function numberFields(recordBytes) {
  return recordBytes === 8 ? checkedFields : fields;
}

/** @param {number} recordBytes @returns {number} 0: an order of this size has no payload */
export function payloadBytes(recordBytes) {
  return recordBytes <= 64 ? 0 : recordBytes - 64 - 2; // 2: the length, which sluice keeps with it
}

/**
 * An order of 8 bytes has only the fields orderId, quantity and producer.
 * @typedef {{ -readonly [name in keyof typeof fields]: number } & { payload?: Uint8Array }} Order
 */

/**
 * @typedef {{ count: number, checksum: number }} Sent the checksum wraps at 32 bits, because such integers cost least
 */

/** The quantity that marks a producer's last order. */
const LAST = 0;

/** One producer's orders: the same objects over and over with new numbers, so that making them costs nothing. */
export class OrderSource {
  count = 0;
  checksum = 0;

  /**
   * @param {number} producer
   * @param {number} batch
   * @param {number} [recordBytes]
   */
  constructor(producer, batch, recordBytes = 64) {
    this.orders = Array.from({ length: batch }, (_, index) => newOrder(producer, index, recordBytes));
    this.number = recordBytes === 8 ? numberSmall : number;
  }

  /** The next batch. */
  next() {
    let { count, checksum } = this;
    const { orders, number } = this;
    for (const order of orders) checksum = (checksum + number(order, count++)) | 0;
    this.count = count;
    this.checksum = checksum;
    return this.orders;
  }

  /** An order that is marked as the last. */
  last() {
    const order = { .../** @type {Order} */ (this.orders[0]), quantity: LAST };
    this.checksum = (this.checksum + this.number(order, this.count++)) | 0;
    return order;
  }

  /** Returns the count and checksum of the orders sent since the last report. @returns {Sent} */
  report() {
    const { count, checksum } = this;
    this.count = 0;
    this.checksum = 0;
    return { count, checksum };
  }
}

/** @param {number} producer @param {number} index @param {number} recordBytes @returns {Order} */
function newOrder(producer, index, recordBytes) {
  if (recordBytes === 8) return /** @type {Order} */ ({ orderId: 0, quantity: 1, producer });
  const order = {
    orderId: 0,
    user: 0,
    price: 0.25,
    discount: 0.5,
    placedAt: 1_764_000_000.25,
    expiresAt: 1_764_000_002.25,
    sku: 1_001 + index,
    quantity: 1,
    producer,
  };
  const length = payloadBytes(recordBytes);
  return length === 0 ? order : { ...order, payload: new Uint8Array(length) };
}

/**
 * @param {Order} order
 * @param {number} sequence
 * @returns {number} its part of the checksum
 */
function number(order, sequence) {
  order.orderId = sequence;
  order.user = sequence & 0xffff;
  const { payload } = order;
  if (payload === undefined) return order.user + order.sku;
  payload[0] = sequence;
  payload[payload.length - 1] = sequence >> 8;
  return order.user + order.sku + sumOf(payload);
}

/** @param {Order} order @param {number} sequence */
function numberSmall(order, sequence) {
  order.orderId = sequence;
  return sequence & 0xffff;
}

/** @param {Uint8Array} payload */
function sumOf(payload) {
  return /** @type {number} */ (payload[0]) + /** @type {number} */ (payload[payload.length - 1]);
}

/** @typedef {{ count: number, checksum: number, disorder: number }} Received */

/**
 * Counts and sums the arriving orders, and compares every order's number with the number that its producer's next order
 * must have.
 * @param {number} producers
 * @param {(received: Received) => void} allArrived called when the last order of every producer has arrived
 * @param {number} [recordBytes]
 * @returns {(order: Readonly<Order>) => void} the visitor of each order
 */
export function deliveryCheck(producers, allArrived, recordBytes = 64) {
  const partOf = partsOf(recordBytes);
  const due = new Array(producers).fill(0);
  let count = 0;
  let checksum = 0;
  let disorder = 0;
  let ended = 0;
  return (order) => {
    const { producer, orderId } = order;
    if (orderId !== due[producer]) disorder++;
    due[producer] = orderId + 1;
    count++;
    checksum = (checksum + partOf(order)) | 0;
    if (order.quantity === LAST && ++ended === producers) {
      allArrived({ count, checksum, disorder });
      due.fill(0);
      count = checksum = disorder = ended = 0;
    }
  };
}

/** @param {number} recordBytes @returns {(order: Readonly<Order>) => number} an order's part of the checksum */
function partsOf(recordBytes) {
  if (recordBytes === 8) return ({ orderId }) => orderId & 0xffff;
  if (payloadBytes(recordBytes) === 0) return (order) => order.user + order.sku;
  return (order) => order.user + order.sku + sumOf(/** @type {Uint8Array} */ (order.payload));
}

/**
 * @param {Sent[]} sent one per producer
 * @param {Received} received
 * @throws if an order was lost, duplicated or out of its producer's order, or if the checksums differ
 */
export function assertDelivered(sent, { count, checksum, disorder }) {
  const sentCount = sent.reduce((sum, producer) => sum + producer.count, 0);
  const sentChecksum = sent.reduce((sum, producer) => (sum + producer.checksum) | 0, 0);
  if (count !== sentCount || checksum !== sentChecksum || disorder !== 0) {
    throw new Error(
      `delivery failed: ${sentCount} sent with checksum ${sentChecksum}, ` +
        `${count} received with checksum ${checksum}, ${disorder} out of order`,
    );
  }
}
