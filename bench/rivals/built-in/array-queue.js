/**
 * A queue in one thread, as programs write it: an array, and the index of its front, so that nothing is shifted. A
 * waiting record needs its own object, so each push makes one.
 */

export const file = import.meta.url;

/** @type {import('../../harness/rival.js').About} */
export const about = { title: 'array queue', producersMax: 0, batches: false, recordBytes: 64 };

/** @type {import('../../harness/rival.js').Order[]} */
const items = [];
let front = 0;

/** @type {import('../../harness/rival.js').Rival['connect']} */
export function connect() {
  const end = { data: undefined, transfer: [] };
  return { consumer: end, producers: [end], dispose() {} };
}

/** @type {import('../../harness/rival.js').Rival['openInlet']} */
export function openInlet() {
  return {
    push(order) {
      items.push({
        orderId: order.orderId,
        user: order.user,
        price: order.price,
        discount: order.discount,
        placedAt: order.placedAt,
        expiresAt: order.expiresAt,
        sku: order.sku,
        quantity: order.quantity,
        producer: order.producer,
      });
      return true;
    },
    pushMany: () => {
      throw new Error('one record a push');
    },
  };
}

/** @type {import('../../harness/rival.js').Rival['openOutlet']} */
export function openOutlet() {
  return {
    drain(visit, max) {
      const end = Math.min(items.length, front + max);
      const visited = end - front;
      while (front < end) visit(/** @type {import('../../harness/rival.js').Order} */ (items[front++]));
      if (front === items.length) {
        items.length = 0;
        front = 0;
      }
      return visited;
    },
    consume: () => Promise.reject(new Error('it works within one thread only')),
  };
}
