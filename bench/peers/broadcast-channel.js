/**
 * BroadcastChannel: every channel of one name gets every message but its own.
 *
 * Each producer has a name of its own, so that its messages go to the consumer alone: on one name for all, each
 * producer would be sent what the others send. Otherwise as MessagePort, on which it is built: one order goes as an
 * array of its values, a batch as one packed Float64Array, the consumer takes with receiveMessageOnPort what has come,
 * and a shared count of orders in flight gives it the bound that it lacks.
 */
import { BroadcastChannel, receiveMessageOnPort } from 'node:worker_threads';
import { CAPACITY } from '../contenders/contender.js';
import { NUMBERS, pack, packedView, valuesOf } from '../contenders/packed-orders.js';

/** @typedef {import('../traffic.js').Order} Order */

/** Records taken before the event loop gets its turn. */
const TURN_RECORDS = 4_096;
const IN_FLIGHT = 0;

/** @type {import('../contenders/contender.js').About} */
export const about = {
  title: 'BroadcastChannel',
  producersMax: Number.POSITIVE_INFINITY,
  batches: true,
  recordBytes: 64,
};

let links = 0;

/** @type {import('../contenders/contender.js').Contender['connect']} */
export function connect(producers) {
  const link = links++;
  const inFlight = new Int32Array(new SharedArrayBuffer(4));
  const names = Array.from({ length: producers }, (_, i) => `sluice-bench-${link}-${i}`);
  return {
    consumer: { data: { names, inFlight }, transfer: [] },
    producers: names.map((name) => ({ data: { name, inFlight }, transfer: [] })),
    dispose() {},
  };
}

/** @type {import('../contenders/contender.js').Contender['openInlet']} */
export function openInlet({ name, inFlight }) {
  const channel = new BroadcastChannel(name);
  const values = valuesOf(64);
  let packed = new Float64Array(0);
  return {
    push(order) {
      if (Atomics.load(inFlight, IN_FLIGHT) >= CAPACITY) return false;
      Atomics.add(inFlight, IN_FLIGHT, 1);
      channel.postMessage(values(order));
      return true;
    },
    pushMany(orders) {
      if (Atomics.load(inFlight, IN_FLIGHT) > CAPACITY - orders.length) return 0;
      Atomics.add(inFlight, IN_FLIGHT, orders.length);
      if (packed.length !== orders.length * NUMBERS) packed = new Float64Array(orders.length * NUMBERS);
      pack(orders, packed, 64);
      channel.postMessage(packed);
      return orders.length;
    },
  };
}

/** @type {import('../contenders/contender.js').Contender['openOutlet']} */
export function openOutlet({ names, inFlight }) {
  const channels = names.map((/** @type {string} */ name) => new BroadcastChannel(name));
  const view = packedView(64);
  const order = /** @type {Order} */ (view);

  /**
   * @param {ArrayLike<number>} values
   * @param {import('../contenders/contender.js').Visit} visit
   */
  function visitAll(values, visit) {
    view.values = values;
    for (view.at = 0; view.at < values.length; view.at += NUMBERS) visit(order);
    return values.length / NUMBERS;
  }

  /**
   * @param {BroadcastChannel} channel
   * @param {import('../contenders/contender.js').Visit} visit
   * @param {number} max
   */
  function take(channel, visit, max) {
    let visited = 0;
    while (visited < max) {
      const received = receiveMessageOnPort(/** @type {any} */ (channel)); // its types know only ports
      if (received === undefined) break;
      visited += visitAll(received.message, visit);
    }
    Atomics.sub(inFlight, IN_FLIGHT, visited);
    return visited;
  }

  return {
    drain(visit, max) {
      let visited = 0;
      for (const channel of channels) visited += take(channel, visit, max - visited);
      return visited;
    },
    consume(visit) {
      for (const channel of channels) {
        channel.onmessage = (/** @type {unknown} */ event) => {
          const { data } = /** @type {{ data: ArrayLike<number> }} */ (event);
          Atomics.sub(inFlight, IN_FLIGHT, visitAll(data, visit));
          take(channel, visit, TURN_RECORDS);
        };
      }
      return new Promise(() => {});
    },
  };
}
