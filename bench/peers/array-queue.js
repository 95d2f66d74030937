/**
 * An array as a queue within one thread: `push` and `shift`, which is what most code has. While it is short, as here,
 * `shift` moves a few references; with tens of thousands of waiting items it moves all of them each time.
 */

/** @typedef {import('../traffic.js').Order} Order */

/** @type {import('../contenders/contender.js').About} */
export const about = { title: 'an array', producersMax: 0, batches: true, recordBytes: 'any' };

/** @type {import('../contenders/contender.js').Contender['connect']} */
export function connect() {
  const end = { data: [], transfer: [] };
  return { consumer: end, producers: [end], dispose() {} };
}

/** @type {import('../contenders/contender.js').Contender['openInlet']} */
export function openInlet(/** @type {Order[]} */ queue) {
  return {
    push(order) {
      queue.push(order);
      return true;
    },
    pushMany(orders) {
      queue.push(...orders);
      return orders.length;
    },
  };
}

/** @type {import('../contenders/contender.js').Contender['openOutlet']} */
export function openOutlet(/** @type {Order[]} */ queue) {
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
      throw new Error('an array works within one thread');
    },
  };
}
