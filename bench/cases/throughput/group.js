/** Messages between threads, to a consumer on its event loop. */
import { patternText, producersText, throughputComparison } from './comparison.js';

/** @typedef {import('./comparison.js').Pattern} Pattern */

const ring = 'Atomics ring';
const port = 'MessagePort';
const gathering = 'sluice batcher()';

/** @type {import('../../harness/runner/group.js').Group} */
export const group = {
  name: 'throughput',
  title: 'Throughput to an event loop',
  about:
    'Producer threads push records of 64 bytes as fast as they can to one consumer on its event loop. A message ' +
    'counts when the consumer has finished it. Each run checks count, order per producer and checksum.',
  comparisons: [1, 2, 4].flatMap((producers) => [comparison(producers, 'one'), comparison(producers, '64')]),
  bars: [
    ...[1, 2, 4].flatMap((producers) => [
      bar(producers, 'one', ring, 'one', 1),
      bar(producers, '64', ring, '64', 1),
    ]),
    bar(1, 'one', port, 'one', 15),
    bar(1, '64', port, 'one', 60),
    bar(1, '64', port, '64'),
    gathered(1, ring),
    gathered(4, ring),
    gathered(1, port),
  ],
};

/** @param {number} producers @param {Pattern} pattern */
function comparison(producers, pattern) {
  const title = `${producersText(producers)}, ${patternText(pattern)}`;
  return throughputComparison({ id: idOf(producers, pattern), title, producers, pattern });
}

/**
 * @param {number} producers
 * @param {Pattern} ours
 * @param {string} against
 * @param {Pattern} theirs
 * @param {number} [atLeast]
 * @returns {import('../../harness/runner/group.js').Bar}
 */
function bar(producers, ours, against, theirs, atLeast) {
  return {
    claim: `${producersText(producers)}, ${patternText(ours)}, vs ${against} ${patternText(theirs)}`,
    of: { figure: idOf(producers, ours), subject: 'sluice' },
    to: { figure: idOf(producers, theirs), subject: against },
    ...(atLeast === undefined ? {} : { atLeast }),
  };
}

/** @param {number} producers @param {string} against */
function gathered(producers, against) {
  const figure = idOf(producers, 'one');
  return {
    claim: `${producersText(producers)}, one at a time through batcher(), vs ${against} one at a time`,
    of: { figure, subject: gathering },
    to: { figure, subject: against },
  };
}

/** @param {number} producers @param {Pattern} pattern */
function idOf(producers, pattern) {
  return `throughput/${producers}p/${pattern}`;
}
