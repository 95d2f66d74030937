/**
 * Orders as messages of ports, in the fastest form found. One record is sent as an array of its values, which is faster
 * than the object, a JSON or comma-separated string, a Float64Array or an ArrayBuffer. A batch, or a record with a
 * payload, is sent as one packed Float64Array. It is copied, which is faster than transferring it, and 10 times as fast
 * as an array of objects. On its event loop the consumer gets one message by an event, and then takes those that wait
 * in its port with receiveMessageOnPort, which is faster than one event for each message.
 *
 * A port has no bound. Here a shared count of records in flight limits them to the rings' capacity (several producers
 * may exceed it by a batch each), because flooding an unbounded port is slower, and takes memory without end.
 */
import { receiveMessageOnPort } from 'node:worker_threads';
import { CAPACITY } from '../../harness/rival.js';
import { numbersOf, pack, packedView, valuesOf } from './packed-orders.js';

/** @typedef {import('../../harness/rival.js').Order} Order */
/** @typedef {import('../../harness/rival.js').Visit} Visit */

/** @typedef {{ inFlight: Int32Array, recordBytes: number }} Bound the data that all ends of a link share */

/** Records taken before the event loop gets a turn. */
const TURN_RECORDS = 4_096;
const IN_FLIGHT = 0;

/** @param {number} recordBytes @returns {Bound} */
export function newBound(recordBytes) {
  return { inFlight: new Int32Array(new SharedArrayBuffer(4)), recordBytes };
}

/**
 * @param {{ postMessage(message: unknown): void }} port
 * @param {Bound} bound
 * @returns {import('../../harness/rival.js').Inlet}
 */
export function boundedInlet(port, { inFlight, recordBytes }) {
  const valuesOfOrder = valuesOf(recordBytes);
  const numbers = numbersOf(recordBytes);
  let packed = new Float64Array(0);

  /** @param {Order[]} orders */
  function packedForm(orders) {
    if (packed.length !== orders.length * numbers) packed = new Float64Array(orders.length * numbers);
    pack(orders, packed, recordBytes);
    return packed;
  }

  return {
    push(order) {
      if (Atomics.load(inFlight, IN_FLIGHT) >= CAPACITY) return false;
      Atomics.add(inFlight, IN_FLIGHT, 1);
      port.postMessage(order.payload === undefined ? valuesOfOrder(order) : packedForm([order]));
      return true;
    },
    pushMany(orders) {
      if (Atomics.load(inFlight, IN_FLIGHT) > CAPACITY - orders.length) return 0;
      Atomics.add(inFlight, IN_FLIGHT, orders.length);
      port.postMessage(packedForm(orders));
      return orders.length;
    },
  };
}

/**
 * @template Port
 * @param {Port[]} ports one for each producer
 * @param {Bound} bound
 * @param {(port: Port, receive: (values: ArrayLike<number>) => void) => void} listen calls `receive` with each message
 * @returns {import('../../harness/rival.js').Outlet}
 */
export function boundedOutlet(ports, { inFlight, recordBytes }, listen) {
  const view = packedView(recordBytes);
  const order = /** @type {Order} */ (view); // a record of 8 bytes has only three fields of an Order
  const numbers = numbersOf(recordBytes);

  /** @param {ArrayLike<number>} values @param {Visit} visit */
  function visitAll(values, visit) {
    view.values = values;
    for (view.at = 0; view.at < values.length; view.at += numbers) visit(order);
    return values.length / numbers;
  }

  /** @param {Port} port @param {Visit} visit @param {number} max */
  function take(port, visit, max) {
    let visited = 0;
    while (visited < max) {
      // the parameter's type allows no BroadcastChannel
      const received = receiveMessageOnPort(/** @type {any} */ (port));
      if (received === undefined) break;
      visited += visitAll(received.message, visit);
    }
    Atomics.sub(inFlight, IN_FLIGHT, visited);
    return visited;
  }

  return {
    drain(visit, max) {
      let visited = 0;
      for (const port of ports) {
        visited += take(port, visit, max - visited);
        if (visited >= max) break;
      }
      return visited;
    },
    consume(visit) {
      for (const port of ports) {
        listen(port, (values) => {
          Atomics.sub(inFlight, IN_FLIGHT, visitAll(values, visit));
          take(port, visit, TURN_RECORDS);
        });
      }
      return new Promise(() => {});
    },
  };
}
