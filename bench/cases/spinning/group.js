/** Messages between threads, to a consumer that spins. */
import { patternText, producersText, throughputComparison } from '../throughput/comparison.js';

const producerCounts = [1, 2, 4];
const patterns = /** @type {const} */ (['one', '64']);

/** @type {import('../../harness/runner/group.js').Group} */
export const group = {
  name: 'spinning',
  title: 'Throughput to a spinning consumer',
  about:
    'As above, but the consumer polls for records and has no event loop: the throughput of a thread that does ' +
    'nothing else. Results are bimodal: a consumer that polls the slot that is being written moves a cache line ' +
    'for every message, a consumer that drains a backlog does so for every batch.',
  roundsMax: 3,
  comparisons: producerCounts.flatMap((producers) =>
    patterns.map((pattern) =>
      throughputComparison({
        id: idOf(producers, pattern),
        title: `${producersText(producers)}, ${patternText(pattern)}, spinning consumer`,
        producers,
        pattern,
        spins: true,
      }),
    ),
  ),
  bars: producerCounts.flatMap((producers) =>
    patterns.map((pattern) => ({
      claim: `${producersText(producers)}, ${patternText(pattern)}, vs the Atomics ring, both spinning`,
      of: { figure: idOf(producers, pattern), subject: 'sluice' },
      to: { figure: idOf(producers, pattern), subject: 'Atomics ring' },
      atLeast: 1,
    })),
  ),
};

/** @param {number} producers @param {import('../throughput/comparison.js').Pattern} pattern */
function idOf(producers, pattern) {
  return `spinning/${producers}p/${pattern}`;
}
