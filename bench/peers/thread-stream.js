/**
 * thread-stream: a stream of text from one thread to a worker that it starts, over a SharedArrayBuffer.
 *
 * It carries text: what is written is decoded as UTF-8 on the other side, so bytes do not survive, and there are no
 * messages in it. An order goes as a line of its numbers, separated by commas, which takes less time to write and to
 * read than JSON does; a batch is written as one string. The producer writes until `write` returns false, then waits
 * for 'drain', as for any stream. Many writes are copied together, in the next turn of its event loop (`sync: true`
 * would copy each at once, with some ten Atomics calls). The buffer is as large as all orders in flight elsewhere.
 */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import ThreadStream from 'thread-stream';
import { CAPACITY } from '../contenders/contender.js';
import { textOf } from './order-text.js';

const LINE_BYTES = 72; // about: an order number of seven digits

/** @returns {Promise<import('../spawning/measure.js').Spawner>} */
export async function open() {
  const stream = new ThreadStream({
    filename: fileURLToPath(new URL('./thread-stream-destination.js', import.meta.url)),
    bufferSize: CAPACITY * LINE_BYTES,
  });
  await once(stream, 'ready');

  /** @param {string} text */
  const write = (text) => (stream.write(text) ? undefined : once(stream, 'drain'));

  return {
    push: (order) => write(textOf(order)),
    pushMany(orders) {
      let text = '';
      for (const order of orders) text += textOf(order);
      return write(text);
    },
    allArrived: async () => (await once(stream, 'arrived'))[0],
  };
}
