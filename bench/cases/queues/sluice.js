/**
 * sluice's Queue. On the event loop, `consume` hands one record at a time to its handler. The handler then takes up to
 * 4,096 more by `drain`, whose view costs no object for each record.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { bytes, f64, Queue, record, u16, u32, u53 } from 'sluice';
import { CAPACITY } from '../../harness/rival.js';
import { numberFields, payloadBytes } from '../../harness/traffic.js';

/** Records drained before the event loop gets its turn. */
const TURN_RECORDS = 4_096;

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
    consume: (visit) =>
      queue.consume(
        (batch) => {
          for (const order of batch) visit(order);
          if (queue.drain(visit, TURN_RECORDS) === TURN_RECORDS) return nextTurn();
        },
        { batchSize: 1 },
      ),
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
