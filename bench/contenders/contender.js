/**
 * What the harness knows of a contender. Each is one file of this folder and exports these functions; workers
 * load it by its name.
 *
 * @typedef {import('../traffic.js').Order} Order
 * @typedef {(order: Readonly<Order>) => void} Visit
 *
 * @typedef {object} End what one thread needs to open its end: `data` goes by structured clone
 * @property {unknown} data
 * @property {import('node:worker_threads').TransferListItem[]} transfer
 *
 * @typedef {object} Inlet a producer's end. Full is an answer, not an error: the harness backs off and tries again
 * @property {(order: Order) => boolean} push
 * @property {(orders: Order[]) => number} pushMany how many were taken, from the front
 *
 * @typedef {object} Outlet the consumer's end
 * @property {(visit: Visit, max: number) => number} drain visits what is there, now
 * @property {(visit: Visit) => Promise<void>} consume visits on the event loop, without starving it, for ever
 *
 * @typedef {object} Contender
 * @property {(producers: number) => { consumer: End, producers: End[], dispose(): void }} connect
 * @property {(data: any) => Inlet} openInlet
 * @property {(data: any) => Outlet} openOutlet
 */

/** @type {['sluice', 'atomics-ring', 'message-port']} the order in which each round runs them */
export const contenderNames = ['sluice', 'atomics-ring', 'message-port'];

/** @typedef {typeof contenderNames[number]} ContenderName */

/** The most records in flight, for every contender. */
export const CAPACITY = 65_536;

/**
 * @param {ContenderName} name
 * @returns {Promise<Contender>}
 */
export async function load(name) {
  return import(`./${name}.js`);
}
