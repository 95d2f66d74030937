/**
 * fastq: a queue of tasks within one thread, and the worker function that gets them one by one.
 *
 * It is used with callbacks, which cost less than promises, and with concurrency 1, which keeps the order. Its worker
 * takes an order in hand and finishes it when the queue is drained, so that orders are queued at all. (If the worker
 * finished at once, `push` itself would call it, and nothing would ever be queued. After a pause, fastq would call it
 * recursively for all waiting orders, until the stack is used up.)
 */
import fastq from 'fastq';

/** @typedef {import('../../harness/traffic.js').Order} Order */

export const file = import.meta.url;

/** @type {import('../../harness/rival.js').About} */
export const about = { title: 'fastq', producersMax: 0, batches: false, recordBytes: 'any' };

class HandedQueue {
  /** @type {Order | undefined} */
  inHand;
  /** @type {import('fastq').done} */
  done = () => {};
  queue = fastq((/** @type {Order} */ order, done) => {
    this.inHand = order;
    this.done = done;
  }, 1);
}

/** @type {import('../../harness/rival.js').Rival['connect']} */
export function connect() {
  const end = { data: new HandedQueue(), transfer: [] };
  return { consumer: end, producers: [end], dispose() {} };
}

/** @type {import('../../harness/rival.js').Rival['openInlet']} */
export function openInlet({ queue }) {
  return {
    push(order) {
      queue.push(order);
      return true;
    },
    pushMany() {
      throw new Error('fastq takes one task at a time');
    },
  };
}

/** @type {import('../../harness/rival.js').Rival['openOutlet']} */
export function openOutlet(/** @type {HandedQueue} */ handed) {
  return {
    drain(visit, max) {
      let visited = 0;
      for (; visited < max && handed.inHand !== undefined; visited++) {
        const { inHand, done } = handed;
        handed.inHand = undefined;
        visit(inHand);
        done(null);
      }
      return visited;
    },
    consume() {
      throw new Error('fastq works within one thread');
    },
  };
}
