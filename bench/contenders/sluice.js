/**
 * sluice's Queue. On the event loop it is woken by `consume` and takes the rest by `drain`, whose view costs no
 * object per record.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { f64, Queue, record, u16, u32, u53 } from 'sluice';
import { CAPACITY } from './contender.js';

/** Records drained before the event loop gets its turn. */
const TURN_RECORDS = 4_096;

const Order = record({
  orderId: u53,
  user: u53,
  price: f64,
  discount: f64,
  placedAt: f64,
  expiresAt: f64,
  sku: u32,
  quantity: u16,
  producer: u16,
});

/** @type {import('./contender.js').About} */
export const about = {
  title: 'sluice',
  producersMax: Number.POSITIVE_INFINITY,
  batches: true,
  recordBytes: 'any',
};

/** @type {import('./contender.js').Contender['connect']} */
export function connect(producers) {
  const queue = Queue.create(Order, { capacity: CAPACITY });
  const end = { data: queue.handle, transfer: [] };
  return {
    consumer: end,
    producers: new Array(producers).fill(end),
    dispose: () => queue[Symbol.dispose](),
  };
}

/** @param {import('sluice').QueueHandle} handle */
export function attach(handle) {
  return Queue.attach(Order, handle);
}

/** @type {import('./contender.js').Contender['openInlet']} */
export function openInlet(handle) {
  const queue = attach(handle);
  return { push: (order) => queue.tryPush(order), pushMany: (orders) => queue.tryPushMany(orders) };
}

/** @type {import('./contender.js').Contender['openOutlet']} */
export function openOutlet(handle) {
  const queue = attach(handle);
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
  };
}
