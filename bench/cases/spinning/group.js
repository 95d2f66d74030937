/** Messages between threads, to a consumer that spins. */
import { patternText, producersText, throughputComparison } from '../throughput/comparison.js';

const patterns = /** @type {const} */ (['one', '64']);

/** @type {import('../../harness/runner/group.js').Group} */
export const group = {
  name: 'spinning',
  title: 'Throughput to a spinning consumer',
  about:
    'As above, but the consumer looks for records without end and has no event loop: what a thread that does ' +
    'nothing else can take. Results are bimodal: a consumer that spins on the very slot being written pays for ' +
    'every message, one that drains a backlog pays for every batch.',
  roundsMax: 3,
  comparisons: [1, 4].flatMap((producers) =>
    patterns.map((pattern) =>
      throughputComparison({
        id: `spinning/${producers}p/${pattern}`,
        title: `${producersText(producers)}, ${patternText(pattern)}, spinning consumer`,
        producers,
        pattern,
        spins: true,
      }),
    ),
  ),
  bars: [],
};
