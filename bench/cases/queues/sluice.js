/** sluice's Queue. On the event loop, `consumeInPlace` visits records through a view, as `drain` does. */
import { bytes, f64, Queue, record, u16, u32, u53 } from 'sluice';
import { CAPACITY } from '../../harness/rival.js';
import { numberFields, payloadBytes } from '../../harness/traffic.js';

/** Pauses for which an empty queue is looked at before the consumer sleeps: about as long as the Atomics ring looks. */
const LOOKS = 20;

export const file = import.meta.url;

/** @type {import('../../harness/rival.js').About} */
export const about = {
  title: 'sluice',
  producersMax: Number.POSITIVE_INFINITY,
  batches: true,
  recordBytes: 'any',
};

/**
 * @typedef {import('../../harness/traffic.js').Order} Order
 * @typedef {{ handle: import('sluice').QueueHandle, recordBytes: number }} Data
 */

/** @type {import('../../harness/rival.js').Rival['connect']} */
export function connect(producers, recordBytes = 64) {
  const queue = Queue.create(orderType(recordBytes), { capacity: CAPACITY });
  const end = { data: { handle: queue.handle, recordBytes }, transfer: [] };
  return {
    consumer: end,
    producers: new Array(producers).fill(end),
    dispose: () => queue[Symbol.dispose](),
  };
}

/** @param {Data} data */
export function attach({ handle, recordBytes }) {
  return Queue.attach(orderType(recordBytes), handle);
}

/** @type {import('../../harness/rival.js').Rival['openInlet']} */
export function openInlet(data) {
  const queue = attach(data);
  return {
    push: (order) => queue.tryPush(order),
    pushMany: (orders) => queue.tryPushMany(orders),
    dispose: () => queue[Symbol.dispose](),
  };
}

/** @type {import('../../harness/rival.js').Rival['openOutlet']} */
export function openOutlet(data) {
  const queue = attach(data);
  return {
    drain: (visit, max) => queue.drain(visit, max),
    consume: (visit) => queue.consumeInPlace(visit, { spin: LOOKS }),
    dispose: () => queue[Symbol.dispose](),
  };
}

/** @param {number} recordBytes */
function orderType(recordBytes) {
  const types = { u16, u32, u53, f64 };
  const numbers = Object.entries(numberFields(recordBytes)).map(([name, type]) => [name, types[type]]);
  const length = payloadBytes(recordBytes);
  const fields = length === 0 ? numbers : [...numbers, ['payload', bytes(length)]];
  return /** @type {import('sluice').RecordType<Order>} */ (record(Object.fromEntries(fields)));
}
