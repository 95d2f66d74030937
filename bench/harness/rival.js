/**
 * What the harness knows of a rival: a module that exports these. Worker threads load it by its file.
 *
 * @typedef {import('./traffic.js').Order} Order
 * @typedef {(order: Readonly<Order>) => void} Visit
 *
 * @typedef {object} About what it can do, and so what is measured of it
 * @property {string} title as the reports print it
 * @property {number} producersMax threads that can push to one consumer; 0: it works within one thread only
 * @property {boolean} batches whether `pushMany` costs less than as many `push`
 * @property {true} [gathers] `push` publishes many records at once, at a later push: no latency is measured of it
 * @property {'any' | 64} recordBytes whether it takes records of other sizes than the 64 bytes of an order
 *
 * @typedef {object} End what one thread needs to open its end: `data` goes by structured clone
 * @property {unknown} data
 * @property {import('node:worker_threads').TransferListItem[]} transfer
 *
 * @typedef {object} Inlet a producer's end. Full is an answer, not an error: the harness backs off and tries again
 * @property {(order: Order) => boolean} push
 * @property {(orders: Order[]) => number} pushMany how many were taken, from the front
 * @property {() => void} [flush] publishes what `push` has gathered
 * @property {() => void} [dispose] lets go of what this thread has attached, as its end does
 *
 * @typedef {object} Outlet the consumer's end
 * @property {(visit: Visit, max: number) => number} drain visits what is there, now
 * @property {(visit: Visit) => Promise<void>} consume visits on the event loop, without starving it, for ever
 * @property {() => void} [dispose] as an inlet's
 *
 * @typedef {object} Rival
 * @property {string} file its URL
 * @property {About} about
 * @property {(producers: number, recordBytes?: number) => { consumer: End, producers: End[], dispose(): void }} connect
 *   record sizes are those of traffic.js; default 64
 * @property {(data: any) => Inlet} openInlet
 * @property {(data: any) => Outlet} openOutlet
 */

/** The most records in flight, for every rival. */
export const CAPACITY = 65_536;

/**
 * @param {string} file the rival's URL
 * @returns {Promise<Rival>}
 */
export async function load(file) {
  return import(file);
}
