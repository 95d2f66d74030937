/**
 * zeromq, push to pull over inproc: all worker threads of a process share its context, and messages between them
 * cross no network.
 *
 * One order is one message of 56 bytes; a batch is one message whose parts hold two orders each. More do not fit: a
 * part of more than 128 bytes is sent and received without a copy, and between threads of one process the receiver then
 * reads memory that the sender's thread owns and reuses. Batches packed into one part arrived altered. With
 * `sendTimeout: 0` nothing waits: `send` has done its work, or failed, when it returns, and its promise need not be
 * awaited. At the high-water marks sends fail now and then although there is room (a pipe learns of room in steps), so
 * a shared count of orders in flight is the bound instead, as for MessagePort. The consumer is the README's: `for await
 * (const parts of socket)`.
 *
 * If a worker thread with an open socket is terminated, the process aborts. So it is measured in a separate process.
 */
import { Pull, Push } from 'zeromq';
import { CAPACITY } from '../../harness/rival.js';
import { ORDER_BYTES, OrderBytes, writeBytes } from './order-bytes.js';

/** @typedef {import('../../harness/traffic.js').Order} Order */

const IN_FLIGHT = 0;
const PART_BYTES = 2 * ORDER_BYTES;

export const file = import.meta.url;

/** @type {import('../../harness/rival.js').About} */
export const about = {
  title: 'zeromq push/pull',
  producersMax: Number.POSITIVE_INFINITY,
  batches: true,
  recordBytes: 64,
};

let sockets = 0;

/** @type {import('../../harness/rival.js').Rival['connect']} */
export function connect(producers) {
  const address = `inproc://sluice-bench-${sockets++}`;
  const end = { data: { address, inFlight: new Int32Array(new SharedArrayBuffer(4)) }, transfer: [] };
  return { consumer: end, producers: new Array(producers).fill(end), dispose() {} };
}

/** @type {import('../../harness/rival.js').Rival['openInlet']} */
export function openInlet({ address, inFlight }) {
  const socket = new Push({ sendHighWaterMark: 0, sendTimeout: 0, linger: 0 });
  socket.connect(address);
  // The buffer is reused, because `send` copies a part of this size.
  let message = Buffer.alloc(0);
  let bytes = viewOf(message);
  /** @type {Buffer[]} */
  let parts = [];

  /** @param {Order[]} orders */
  function sendAll(orders) {
    if (message.length !== orders.length * ORDER_BYTES) {
      message = Buffer.alloc(orders.length * ORDER_BYTES);
      bytes = viewOf(message);
      parts = [];
      for (let at = 0; at < message.length; at += PART_BYTES)
        parts.push(message.subarray(at, at + PART_BYTES));
    }
    let at = 0;
    for (const order of orders) {
      writeBytes(order, bytes, at);
      at += ORDER_BYTES;
    }
    void socket.send(parts);
  }

  const one = Buffer.alloc(ORDER_BYTES);
  const oneBytes = viewOf(one);
  return {
    push(order) {
      if (Atomics.load(inFlight, IN_FLIGHT) >= CAPACITY) return false;
      Atomics.add(inFlight, IN_FLIGHT, 1);
      writeBytes(order, oneBytes, 0);
      void socket.send(one);
      return true;
    },
    pushMany(orders) {
      if (Atomics.load(inFlight, IN_FLIGHT) > CAPACITY - orders.length) return 0;
      Atomics.add(inFlight, IN_FLIGHT, orders.length);
      sendAll(orders);
      return orders.length;
    },
  };
}

/** @param {Buffer} buffer */
function viewOf({ buffer, byteOffset, length }) {
  return new DataView(buffer, byteOffset, length);
}

/** @type {import('../../harness/rival.js').Rival['openOutlet']} */
export function openOutlet({ address, inFlight }) {
  const socket = new Pull({ receiveHighWaterMark: 0, linger: 0 });
  const view = new OrderBytes(viewOf(Buffer.alloc(0)));

  /**
   * @param {Buffer} part
   * @param {import('../../harness/rival.js').Visit} visit
   */
  function visitAll(part, visit) {
    view.bytes = viewOf(part);
    for (view.at = 0; view.at < part.length; view.at += ORDER_BYTES) visit(view);
    return part.length / ORDER_BYTES;
  }

  return {
    drain() {
      throw new Error('messages come by promises only');
    },
    async consume(visit) {
      await socket.bind(address);
      for await (const parts of socket) {
        let visited = 0;
        for (const part of parts) visited += visitAll(/** @type {Buffer} */ (part), visit);
        Atomics.sub(inFlight, IN_FLIGHT, visited);
      }
    },
  };
}
