import { insideQueue } from '../../dist/queue/index.js';

/**
 * Returns the native object of a queue, so that a test can replace its functions or count their calls.
 * @param {import('sluice').Queue<any>} queue
 */
export const nativeOf = (queue) => insideQueue(queue).native;
