import { insideQueue } from '../../dist/queue/index.js';

/**
 * The native object of a queue, to replace or to count what is called on it.
 * @param {import('sluice').Queue<any>} queue
 */
export const nativeOf = (queue) => insideQueue(queue).native;
