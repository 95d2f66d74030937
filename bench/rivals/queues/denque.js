/**
 * denque: a double-ended queue within one thread, in an array used as a ring. It is used by `push` and `shift`, as in
 * its README. It keeps references, not copies, and has no waits, so it costs little more than the least that a queue in
 * JavaScript can cost.
 */
import Denque from 'denque';

/** @typedef {import('../../harness/traffic.js').Order} Order */

export const file = import.meta.url;

/** @type {import('../../harness/rival.js').About} */
export const about = { title: 'denque', producersMax: 0, batches: false, recordBytes: 'any' };

/** @type {import('../../harness/rival.js').Rival['connect']} */
export function connect() {
  const end = { data: new Denque(), transfer: [] };
  return { consumer: end, producers: [end], dispose() {} };
}

/** @type {import('../../harness/rival.js').Rival['openInlet']} */
export function openInlet(/** @type {Denque<Order>} */ queue) {
  return {
    push(order) {
      queue.push(order);
      return true;
    },
    pushMany() {
      throw new Error('denque takes one item at a time');
    },
  };
}

/** @type {import('../../harness/rival.js').Rival['openOutlet']} */
export function openOutlet(/** @type {Denque<Order>} */ queue) {
  return {
    drain(visit, max) {
      let visited = 0;
      for (; visited < max; visited++) {
        const order = queue.shift();
        if (order === undefined) break;
        visit(order);
      }
      return visited;
    },
    consume() {
      throw new Error('denque works within one thread');
    },
  };
}
