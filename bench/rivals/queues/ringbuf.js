/**
 * ringbuf.js: a ring of numbers in a SharedArrayBuffer for one producer and one consumer, without wake-ups.
 *
 * Several producers need a ring each, and the consumer reads all of them, so they divide the capacity. An order is nine
 * elements of a Float64Array ring. `writeCallbackWithOffset` writes them in place, without a copy and without garbage,
 * after `availableWrite()` has reported room for all of them (as in the package's ParameterWriter, because a push may
 * be partial). The length of a ring is a whole number of orders, so no order is split. There is no in-place form for
 * reading: `pop` copies into one array that is reused. The consumer polls in every turn of its event loop.
 */
import { RingBuffer } from 'ringbuf.js';
import { CAPACITY } from '../../harness/rival.js';
import { NUMBERS, packedView, writeNumbers } from '../built-in/packed-orders.js';
import { poll } from './poll.js';

/** @typedef {import('../../harness/traffic.js').Order} Order */
/** @typedef {Parameters<RingBuffer['writeCallbackWithOffset']>[1]} Write for arrays of every type */

/** Orders popped at a time: they fit into the first-level cache. */
const POP_ORDERS = 256;

export const file = import.meta.url;

/** @type {import('../../harness/rival.js').About} */
export const about = {
  title: 'ringbuf.js',
  producersMax: Number.POSITIVE_INFINITY,
  batches: true,
  recordBytes: 64,
};

/** @type {import('../../harness/rival.js').Rival['connect']} */
export function connect(producers) {
  const elements = Math.floor(CAPACITY / producers) * NUMBERS;
  // getStorageForCapacity() adds one element, which the ring keeps free.
  const rings = Array.from({ length: producers }, () =>
    RingBuffer.getStorageForCapacity(elements - 1, Float64Array),
  );
  return {
    consumer: { data: rings, transfer: [] },
    producers: rings.map((ring) => ({ data: ring, transfer: [] })),
    dispose() {},
  };
}

/** @type {import('../../harness/rival.js').Rival['openInlet']} */
export function openInlet(memory) {
  const ring = new RingBuffer(memory, Float64Array);
  /** @type {Order} */
  let pushed;
  /** @type {Order[]} */
  let batch;
  let taken = 0;

  /** @param {Float64Array} storage @param {number} at */
  const writeOne = (storage, at) => writeNumbers(pushed, storage, at);
  /** @param {Float64Array} storage @param {number} at @param {number} first @param {number} next */
  const writeMany = (storage, at, first, next) => {
    const firstOrders = first / NUMBERS;
    for (let i = 0; i < taken; i++) {
      const order = /** @type {Order} */ (batch[i]);
      writeNumbers(order, storage, i < firstOrders ? at + i * NUMBERS : next + (i - firstOrders) * NUMBERS);
    }
  };

  return {
    push(order) {
      if (ring.availableWrite() < NUMBERS) return false;
      pushed = order;
      ring.writeCallbackWithOffset(NUMBERS, /** @type {Write} */ (/** @type {unknown} */ (writeOne)));
      return true;
    },
    pushMany(orders) {
      taken = Math.min(orders.length, Math.floor(ring.availableWrite() / NUMBERS));
      if (taken === 0) return 0;
      batch = orders;
      ring.writeCallbackWithOffset(
        taken * NUMBERS,
        /** @type {Write} */ (/** @type {unknown} */ (writeMany)),
      );
      return taken;
    },
  };
}

/** @type {import('../../harness/rival.js').Rival['openOutlet']} */
export function openOutlet(memories) {
  const rings = memories.map(
    (/** @type {SharedArrayBuffer} */ memory) => new RingBuffer(memory, Float64Array),
  );
  const popped = new Float64Array(POP_ORDERS * NUMBERS);
  const view = packedView(64);
  const order = /** @type {Order} */ (view);
  view.values = popped;

  /** @type {import('../../harness/rival.js').Outlet['drain']} */
  function drain(visit, max) {
    let visited = 0;
    for (const ring of rings) {
      for (;;) {
        const orders = Math.min(POP_ORDERS, max - visited);
        const end = orders === 0 ? 0 : ring.pop(popped, orders * NUMBERS);
        if (end === 0) break;
        for (view.at = 0; view.at < end; view.at += NUMBERS) visit(order);
        visited += end / NUMBERS;
      }
    }
    return visited;
  }

  return { drain, consume: (visit) => poll((max) => drain(visit, max)) };
}
