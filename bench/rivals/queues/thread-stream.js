/**
 * thread-stream: a stream of text from one thread to a worker that it starts, over a SharedArrayBuffer.
 *
 * It carries text: the other side decodes everything as UTF-8, so bytes do not survive, and there are no message
 * boundaries. base64 takes less time than JSON or numbers with commas. An order is 57 bytes (one is unused), so it
 * becomes 76 characters without padding, and any run of orders is decoded at once. A batch is one write. The producer
 * writes until `write` returns false, then waits for 'drain', as for any stream. The package copies many writes
 * together, in the next turn of the event loop (`sync: true` would copy each at once, with about ten Atomics calls).
 * The buffer has room for as many orders as the other rivals may have in flight.
 */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import ThreadStream from 'thread-stream';
import { CAPACITY } from '../../harness/rival.js';
import { writeBytes } from './order-bytes.js';
import { TEXT_BYTES, TEXT_CHARACTERS } from './order-text.js';

export const file = import.meta.url;

/** @returns {Promise<import('../../harness/repository-only/spawning/measure.js').Spawner>} */
export async function open() {
  const stream = new ThreadStream({
    filename: fileURLToPath(new URL('./thread-stream-destination.js', import.meta.url)),
    bufferSize: CAPACITY * TEXT_CHARACTERS,
  });
  await once(stream, 'ready');
  let message = Buffer.alloc(0);
  let bytes = new DataView(message.buffer, 0, 0);

  /** @param {import('../../harness/traffic.js').Order[]} orders */
  function writeAll(orders) {
    if (message.length !== orders.length * TEXT_BYTES) {
      message = Buffer.alloc(orders.length * TEXT_BYTES);
      bytes = new DataView(message.buffer, message.byteOffset, message.length);
    }
    let at = 0;
    for (const order of orders) {
      writeBytes(order, bytes, at);
      at += TEXT_BYTES;
    }
    return stream.write(message.toString('base64')) ? undefined : once(stream, 'drain');
  }

  return {
    push: (order) => writeAll([order]),
    pushMany: writeAll,
    allArrived: async () => (await once(stream, 'arrived'))[0],
  };
}
