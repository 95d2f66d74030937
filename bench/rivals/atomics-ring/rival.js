/** The pure-JS ring as a rival. */

import { CAPACITY } from '../../harness/rival.js';
import { numberFields, payloadBytes } from '../../harness/traffic.js';
import { consume } from './consume.js';
import { record } from './record.js';
import { Ring } from './ring.js';

export const file = import.meta.url;

/** @type {import('../../harness/rival.js').About} */
export const about = {
  title: 'Atomics ring',
  producersMax: Number.POSITIVE_INFINITY,
  batches: true,
  recordBytes: 'any',
};

/**
 * @typedef {import('../../harness/traffic.js').Order} Order
 * @typedef {{ handle: import('./ring.js').Handle, recordBytes: number }} Data
 */

/** @type {import('../../harness/rival.js').Rival['connect']} */
export function connect(producers, recordBytes = 64) {
  const ring = Ring.create(orderType(recordBytes), { capacity: CAPACITY });
  const end = { data: { handle: ring.handle, recordBytes }, transfer: [] };
  return { consumer: end, producers: new Array(producers).fill(end), dispose() {} };
}

/** @type {import('../../harness/rival.js').Rival['openInlet']} */
export function openInlet(data) {
  const ring = attach(data);
  return { push: (order) => ring.tryPush(order), pushMany: (orders) => ring.tryPushMany(orders) };
}

/** @type {import('../../harness/rival.js').Rival['openOutlet']} */
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
  return /** @type {import('./record.js').RecordType<Order>} */ (/** @type {unknown} */ (type));
}
