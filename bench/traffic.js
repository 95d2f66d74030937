/**
 * What is sent in every measurement, and how its delivery is checked.
 *
 * The record is 56 bytes: with the 8 bytes that each ring keeps per slot, one cache line of 64. Its fields are
 * numbers that need no BigInt, so that the codec costs little and the same everywhere, and what is compared is
 * the transport.
 */
export const orderFields = /** @type {const} */ ({
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

/** @typedef {{ -readonly [name in keyof typeof orderFields]: number }} Order */

/** @typedef {{ count: number, checksum: number }} Sent the checksum wraps at 32 bits: integers cost least */

/** The quantity that marks a producer's last order. */
const LAST = 0;

/** One producer's orders: the same objects over and over, numbered anew, so that making them costs nothing. */
export class OrderSource {
  count = 0;
  checksum = 0;

  /**
   * @param {number} producer
   * @param {number} batch
   */
  constructor(producer, batch) {
    /** @type {Order[]} */
    this.orders = Array.from({ length: batch }, (_, index) => ({
      orderId: 0,
      user: 0,
      price: 0.25,
      discount: 0.5,
      placedAt: 1_764_000_000.25,
      expiresAt: 1_764_000_002.25,
      sku: 1_001 + index,
      quantity: 1,
      producer,
    }));
  }

  /** The next batch. */
  next() {
    let { count, checksum } = this;
    for (const order of this.orders) checksum = (checksum + number(order, count++)) | 0;
    this.count = count;
    this.checksum = checksum;
    return this.orders;
  }

  /** One order that says it is the last. */
  last() {
    const order = { .../** @type {Order} */ (this.orders[0]), quantity: LAST };
    this.checksum = (this.checksum + number(order, this.count++)) | 0;
    return order;
  }

  /** What was sent since the last report. @returns {Sent} */
  report() {
    const { count, checksum } = this;
    this.count = 0;
    this.checksum = 0;
    return { count, checksum };
  }
}

/**
 * @param {Order} order
 * @param {number} sequence
 * @returns {number} its part of the checksum
 */
function number(order, sequence) {
  order.orderId = sequence;
  order.user = sequence & 0xffff;
  return order.user + order.sku;
}

/** @typedef {{ count: number, checksum: number, disorder: number }} Received */

/**
 * Counts and sums what arrives, and compares every order's number with the one due from its producer.
 * @param {number} producers
 * @param {(received: Received) => void} allArrived called with the last order of the last producer
 * @returns {(order: Readonly<Order>) => void} the visitor of each order
 */
export function deliveryCheck(producers, allArrived) {
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
    checksum = (checksum + order.user + order.sku) | 0;
    if (order.quantity === LAST && ++ended === producers) {
      allArrived({ count, checksum, disorder });
      due.fill(0);
      count = checksum = disorder = ended = 0;
    }
  };
}

/**
 * @param {Sent[]} sent one per producer
 * @param {Received} received
 * @throws if anything was lost, doubled, altered or out of its producer's order
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
