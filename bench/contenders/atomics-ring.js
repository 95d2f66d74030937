/** The pure-JS ring of bench/baseline. */
import { consume } from '../baseline/consume.js';
import { record } from '../baseline/record.js';
import { Ring } from '../baseline/ring.js';
import { numberFields, payloadBytes } from '../traffic.js';
import { CAPACITY } from './contender.js';

/** @type {import('./contender.js').About} */
export const about = {
  title: 'Atomics ring',
  producersMax: Number.POSITIVE_INFINITY,
  batches: true,
  recordBytes: 'any',
};

/**
 * @typedef {import('../traffic.js').Order} Order
 * @typedef {{ handle: import('../baseline/ring.js').Handle, recordBytes: number }} Data
 */

/** @type {import('./contender.js').Contender['connect']} */
export function connect(producers, recordBytes = 64) {
  const ring = Ring.create(orderType(recordBytes), { capacity: CAPACITY });
  const end = { data: { handle: ring.handle, recordBytes }, transfer: [] };
  return { consumer: end, producers: new Array(producers).fill(end), dispose() {} };
}

/** @type {import('./contender.js').Contender['openInlet']} */
export function openInlet(data) {
  const ring = attach(data);
  return { push: (order) => ring.tryPush(order), pushMany: (orders) => ring.tryPushMany(orders) };
}

/** @type {import('./contender.js').Contender['openOutlet']} */
export function openOutlet(data) {
  const ring = attach(data);
  return { drain: (visit, max) => ring.drain(visit, max), consume: (visit) => consume(ring, visit) };
}

/** @param {Data} data @returns {Ring<Order>} */
function attach({ handle, recordBytes }) {
  return Ring.attach(orderType(recordBytes), handle);
}

/** @param {number} recordBytes */
function orderType(recordBytes) {
  const bytes = payloadBytes(recordBytes);
  const payload = bytes === 0 ? {} : { payload: { bytes } };
  const type = record({ ...numberFields(recordBytes), ...payload });
  return /** @type {import('../baseline/record.js').RecordType<Order>} */ (/** @type {unknown} */ (type));
}
