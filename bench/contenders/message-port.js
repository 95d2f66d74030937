/**
 * MessagePort, in the fastest form found: one record goes as an array of its values (faster than the object, a
 * JSON or comma-separated string, a Float64Array or an ArrayBuffer), a batch as one packed Float64Array, copied
 * (faster than transferring it, and 10x an array of objects). The consumer takes what its port holds with
 * receiveMessageOnPort, which is faster than one 'message' event each.
 *
 * A port has no bound. Here a shared count of records in flight gives it one, the rings' capacity (which several
 * producers may overshoot by a batch each): flooding an unbounded port is slower, and takes memory without end.
 */
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { orderFields } from '../traffic.js';
import { CAPACITY } from './contender.js';

/** Records taken before the event loop gets its turn. */
const TURN_RECORDS = 4_096;
const FIELDS = Object.keys(orderFields).length;
const IN_FLIGHT = 0;

/** @type {import('./contender.js').About} */
export const about = {
  title: 'MessagePort',
  producersMax: Number.POSITIVE_INFINITY,
  batches: true,
  recordBytes: 'any',
};

/** @type {import('./contender.js').Contender['connect']} */
export function connect(producers) {
  const inFlight = new Int32Array(new SharedArrayBuffer(4));
  const channels = Array.from({ length: producers }, () => new MessageChannel());
  const ports = channels.map((channel) => channel.port1);
  return {
    consumer: { data: { ports, inFlight }, transfer: ports },
    producers: channels.map(({ port2 }) => ({ data: { port: port2, inFlight }, transfer: [port2] })),
    dispose() {
      for (const channel of channels) channel.port1.close();
    },
  };
}

/** @type {import('./contender.js').Contender['openInlet']} */
export function openInlet({ port, inFlight }) {
  /** @type {Float64Array} */
  let packed = new Float64Array(0);
  return {
    push(order) {
      if (Atomics.load(inFlight, IN_FLIGHT) >= CAPACITY) return false;
      Atomics.add(inFlight, IN_FLIGHT, 1);
      port.postMessage([
        order.orderId,
        order.user,
        order.price,
        order.discount,
        order.placedAt,
        order.expiresAt,
        order.sku,
        order.quantity,
        order.producer,
      ]);
      return true;
    },
    pushMany(orders) {
      if (Atomics.load(inFlight, IN_FLIGHT) > CAPACITY - orders.length) return 0;
      Atomics.add(inFlight, IN_FLIGHT, orders.length);
      if (packed.length !== orders.length * FIELDS) packed = new Float64Array(orders.length * FIELDS);
      pack(orders, packed);
      port.postMessage(packed);
      return orders.length;
    },
  };
}

/** @type {import('./contender.js').Contender['openOutlet']} */
export function openOutlet({ ports, inFlight }) {
  /** @typedef {import('node:worker_threads').MessagePort} MessagePort */
  const view = new PackedOrders();

  /**
   * @param {ArrayLike<number>} values
   * @param {import('./contender.js').Visit} visit
   */
  function visitAll(values, visit) {
    view.values = values;
    for (view.at = 0; view.at < values.length; view.at += FIELDS) visit(view);
    return values.length / FIELDS;
  }

  /**
   * @param {MessagePort} port
   * @param {import('./contender.js').Visit} visit
   * @param {number} max
   */
  function take(port, visit, max) {
    let visited = 0;
    while (visited < max) {
      const received = receiveMessageOnPort(port);
      if (received === undefined) break;
      visited += visitAll(received.message, visit);
    }
    Atomics.sub(inFlight, IN_FLIGHT, visited);
    return visited;
  }

  return {
    drain: (visit, max) => take(ports[0], visit, max),
    consume(visit) {
      for (const port of ports) {
        port.on('message', (/** @type {ArrayLike<number>} */ values) => {
          Atomics.sub(inFlight, IN_FLIGHT, visitAll(values, visit));
          take(port, visit, TURN_RECORDS);
        });
      }
      return new Promise(() => {});
    },
  };
}

/**
 * @param {import('./contender.js').Order[]} orders
 * @param {Float64Array} into
 */
function pack(orders, into) {
  let at = 0;
  for (const order of orders) {
    into[at] = order.orderId;
    into[at + 1] = order.user;
    into[at + 2] = order.price;
    into[at + 3] = order.discount;
    into[at + 4] = order.placedAt;
    into[at + 5] = order.expiresAt;
    into[at + 6] = order.sku;
    into[at + 7] = order.quantity;
    into[at + 8] = order.producer;
    at += FIELDS;
  }
}

/** A view of the order whose values begin at `at`. */
class PackedOrders {
  /** @type {ArrayLike<number>} */
  values = [];
  at = 0;

  get orderId() {
    return this.#value(0);
  }
  get user() {
    return this.#value(1);
  }
  get price() {
    return this.#value(2);
  }
  get discount() {
    return this.#value(3);
  }
  get placedAt() {
    return this.#value(4);
  }
  get expiresAt() {
    return this.#value(5);
  }
  get sku() {
    return this.#value(6);
  }
  get quantity() {
    return this.#value(7);
  }
  get producer() {
    return this.#value(8);
  }

  /** @param {number} field */
  #value(field) {
    return /** @type {number} */ (this.values[this.at + field]);
  }
}
