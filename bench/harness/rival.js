/**
 * The interface of a rival: a module with these exports. Worker threads load it by its file.
 *
 * @typedef {import('./traffic.js').Order} Order
 * @typedef {(order: Readonly<Order>) => void} Visit
 *
 * @typedef {object} About its abilities, which decide what is measured
 * @property {string} title the name in the reports
 * @property {number} producersMax threads that can push to one consumer; 0: it works only within one thread
 * @property {boolean} batches whether `pushMany` costs less than as many calls of `push`
 * @property {true} [gathers] `push` gathers records, which a later `push` publishes together, so latency is not
 *   measured
 * @property {'any' | 64} recordBytes whether it takes records of other sizes than the 64 bytes of an order
 *
 * @typedef {object} End the data with which one thread opens its end; `data` is sent by structured clone
 * @property {unknown} data
 * @property {import('node:worker_threads').TransferListItem[]} transfer
 *
 * @typedef {object} Inlet a producer's end. Full is a result, not an error: the harness backs off and tries again
 * @property {(order: Order) => boolean} push
 * @property {(orders: Order[]) => number} pushMany returns how many were taken, from the front
 * @property {() => void} [flush] publishes the records that `push` has gathered
 * @property {() => void} [dispose] detaches this thread, as the end of the thread also does
 *
 * @typedef {object} Outlet the consumer's end
 * @property {(visit: Visit, max: number) => number} drain visits the records that are there, without waiting
 * @property {(visit: Visit) => Promise<void>} consume visits records on the event loop without end, and lets the loop
 *   do other work in between
 * @property {() => void} [dispose] detaches this thread, as the end of the thread also does
 *
 * @typedef {object} Rival
 * @property {string} file its URL
 * @property {About} about
 * @property {(producers: number, recordBytes?: number) => { consumer: End, producers: End[], dispose(): void }} connect
 *   record sizes are those of traffic.js; default 64
 * @property {(data: any) => Inlet} openInlet
 * @property {(data: any) => Outlet} openOutlet
 */

/** The most records in flight, for each rival that has a bound on records. */
export const CAPACITY = 65_536;

/**
 * @param {string} file the rival's URL
 * @returns {Promise<Rival>}
 */
export async function load(file) {
  return import(file);
}
