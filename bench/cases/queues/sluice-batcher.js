/** sluice's Queue, pushed to one record at a time through `queue.batcher()`, which publishes 64 with one call. */
import { attach } from './sluice.js';

export { connect, openOutlet } from './sluice.js';

export const file = import.meta.url;

/** @type {import('../../harness/rival.js').About} */
export const about = {
  title: 'sluice batcher()',
  producersMax: Number.POSITIVE_INFINITY,
  batches: false,
  gathers: true,
  recordBytes: 'any',
};

/** @type {import('../../harness/rival.js').Rival['openInlet']} */
export function openInlet(data) {
  const batcher = attach(data).batcher();
  return {
    push: (order) => batcher.push(order),
    pushMany: () => {
      throw new Error('a batcher takes one record at a time');
    },
    flush: () => void batcher.flush(),
  };
}
