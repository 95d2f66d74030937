/**
 * MessagePort as programs usually use it: postMessage without a bound, one 'message' event for each record. The queue
 * grows as long as the producer is faster, and the receiver's loop delivers all messages that wait before timers and
 * I/O get a turn.
 */
import { connect as connectPorts } from './message-port.js';
import { packedView, valuesOf } from './packed-orders.js';

export const connect = connectPorts;

export const file = import.meta.url;

/** @type {import('../../harness/rival.js').About} */
export const about = {
  title: 'MessagePort, unbounded',
  producersMax: Number.POSITIVE_INFINITY,
  batches: false,
  recordBytes: 64,
};

/** @type {import('../../harness/rival.js').Rival['openInlet']} */
export function openInlet({ port, recordBytes }) {
  const valuesOfOrder = valuesOf(recordBytes);
  return {
    push(order) {
      port.postMessage(valuesOfOrder(order));
      return true;
    },
    pushMany: () => {
      throw new Error('one message a record');
    },
  };
}

/** @type {import('../../harness/rival.js').Rival['openOutlet']} */
export function openOutlet({ ports, recordBytes }) {
  const view = packedView(recordBytes);
  const order = /** @type {import('../../harness/rival.js').Order} */ (view);
  return {
    drain: () => {
      throw new Error('a port with a listener hands out by itself');
    },
    consume(visit) {
      for (const port of ports) {
        port.on('message', (/** @type {number[]} */ values) => {
          view.values = values;
          visit(order);
        });
      }
      return new Promise(() => {});
    },
  };
}
