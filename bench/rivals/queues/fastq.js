/**
 * fastq: a queue of tasks within one thread, and the worker function that gets them one by one.
 *
 * The callback form, which costs less than the one with promises, at concurrency 1, which keeps the order. Its worker
 * takes an order in hand and finishes it when it is drained: that is what a queue is for. (A worker that finishes at
 * once is called by `push` itself, so that nothing is ever queued; and after a pause it is called from within itself,
 * for every order that waited, until the stack is used up.)
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
