/** Messages between threads, to a consumer on its event loop. */
import { contenders } from '../contenders/contender.js';
import { measureThroughput } from '../throughput/measure.js';

const all = await contenders();
const ring = 'Atomics ring';
const port = 'MessagePort';

/** @type {import('../runner/group.js').Group} */
export const group = {
  name: 'throughput',
  title: 'Throughput to an event loop',
  about:
    'Producer threads push records of 64 bytes as fast as they can to one consumer on its event loop. A message ' +
    'counts when the consumer has finished it; count, order per producer and checksum of each run are checked.',
  comparisons: [1, 2, 4].flatMap((producers) => [comparison(producers, 'one'), comparison(producers, '64')]),
  bars: [
    bar(1, 'one', ring, 'one', 1.3),
    bar(1, '64', ring, 'one', 8),
    bar(1, '64', ring, '64', 1.5),
    bar(4, 'one', ring, 'one', 2.5),
    bar(4, '64', ring, 'one', 10),
    bar(4, '64', ring, '64', 2),
    bar(1, 'one', port, 'one', 10),
    bar(1, '64', port, 'one', 80),
    bar(1, '64', port, '64'),
    bar(1, 'one', ring, 'one', undefined, 'sluice batcher()'),
    bar(4, 'one', ring, 'one', undefined, 'sluice batcher()'),
    bar(1, 'one', port, 'one', undefined, 'sluice batcher()'),
  ],
};

/** @param {number} producers @param {'one' | '64'} pattern */
function comparison(producers, pattern) {
  const figure = idOf(producers, pattern);
  const title = `${producers} producer${producers === 1 ? '' : 's'}, ${patternText(pattern)}`;
  return {
    title,
    figures: [{ id: figure, title, unit: /** @type {const} */ ('1/s') }],
    cases: all
      .filter(({ producersMax, batches }) => producersMax >= producers && (batches || pattern === 'one'))
      .map(({ title: subject, file }) => ({
        subject,
        run: async (/** @type {import('../runner/group.js').Scale} */ { warmUpMs, measuredMs }) => ({
          [figure]: await measureThroughput({
            contender: file,
            producers,
            batch: pattern === 'one' ? 1 : 64,
            warmUpMs,
            measuredMs,
          }),
        }),
      })),
  };
}

/**
 * @param {number} producers
 * @param {'one' | '64'} ours
 * @param {string} against
 * @param {'one' | '64'} theirs
 * @param {number} [atLeast]
 * @returns {import('../runner/group.js').Bar}
 */
function bar(producers, ours, against, theirs, atLeast, subject = 'sluice') {
  const ourPattern = subject === 'sluice' ? patternText(ours) : 'through batcher()';
  return {
    claim: `${producers} producer${producers === 1 ? '' : 's'}, ${ourPattern}, vs ${against} ${patternText(theirs)}`,
    of: { figure: idOf(producers, ours), subject },
    to: { figure: idOf(producers, theirs), subject: against },
    ...(atLeast === undefined ? {} : { atLeast }),
  };
}

/** @param {number} producers @param {string} pattern */
function idOf(producers, pattern) {
  return `throughput/${producers}p/${pattern}`;
}

/** @param {'one' | '64'} pattern */
function patternText(pattern) {
  return pattern === 'one' ? 'one at a time' : 'in batches of 64';
}
