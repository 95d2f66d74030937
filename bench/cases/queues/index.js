/** The queues that the groups compare, in the order in which each round runs them. */
import * as atomicsRing from '../../rivals/atomics-ring/rival.js';
import * as arrayQueue from '../../rivals/built-in/array-queue.js';
import * as messagePort from '../../rivals/built-in/message-port.js';
import * as unboundedMessagePort from '../../rivals/built-in/message-port-unbounded.js';
import * as sluice from './sluice.js';
import * as sluiceBatcher from './sluice-batcher.js';

/** @typedef {import('../../harness/rival.js').Rival} Rival */
/** @typedef {import('../../harness/rival.js').About & { file: string }} Queue */

export const queues = [sluice, sluiceBatcher, atomicsRing, messagePort, arrayQueue].map(asQueue);

/** A MessagePort without a bound, as programs usually use it. */
export const unbounded = asQueue(unboundedMessagePort);

/**
 * @param {Rival} rival
 * @returns {Queue}
 */
export function asQueue({ file, about }) {
  return { file, ...about };
}
