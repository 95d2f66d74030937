/** The pure-JS ring of bench/baseline. */
import { consume } from '../baseline/consume.js';
import { record } from '../baseline/record.js';
import { Ring } from '../baseline/ring.js';
import { orderFields } from '../traffic.js';
import { CAPACITY } from './contender.js';

const Order = record(orderFields);

/** @type {import('./contender.js').About} */
export const about = {
  title: 'Atomics ring',
  producersMax: Number.POSITIVE_INFINITY,
  batches: true,
  recordBytes: 'any',
};

/** @type {import('./contender.js').Contender['connect']} */
export function connect(producers) {
  const ring = Ring.create(Order, { capacity: CAPACITY });
  const end = { data: ring.handle, transfer: [] };
  return { consumer: end, producers: new Array(producers).fill(end), dispose() {} };
}

/** @type {import('./contender.js').Contender['openInlet']} */
export function openInlet(handle) {
  const ring = Ring.attach(Order, handle);
  return { push: (order) => ring.tryPush(order), pushMany: (orders) => ring.tryPushMany(orders) };
}

/** @type {import('./contender.js').Contender['openOutlet']} */
export function openOutlet(handle) {
  const ring = Ring.attach(Order, handle);
  return { drain: (visit, max) => ring.drain(visit, max), consume: (visit) => consume(ring, visit) };
}
