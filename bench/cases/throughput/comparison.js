/** Makes one comparison of throughputs, with all rivals that support the pattern. */
import { queues } from '../queues/index.js';
import { measureThroughput } from './measure.js';

/** @typedef {'one' | '64'} Pattern how many records each push has */

/**
 * @param {object} what
 * @param {string} what.id of the figure
 * @param {string} what.title
 * @param {number} what.producers
 * @param {Pattern} what.pattern
 * @param {number} [what.recordBytes]
 * @param {boolean} [what.spins]
 * @returns {import('../../harness/runner/group.js').Comparison}
 */
export function throughputComparison({ id, title, producers, pattern, recordBytes = 64, spins = false }) {
  const able = queues.filter(
    ({ producersMax, batches, recordBytes: takes }) =>
      producersMax >= producers &&
      (batches || pattern === 'one') &&
      (takes === 'any' || takes === recordBytes),
  );
  return {
    title,
    figures: [{ id, title, unit: '1/s' }],
    cases: able.map(({ title: subject, file: rival }) => ({
      subject,
      run: async ({ warmUpMs, measuredMs }) => ({
        [id]: await measureThroughput({
          rival,
          producers,
          batch: pattern === 'one' ? 1 : 64,
          recordBytes,
          spins,
          warmUpMs,
          measuredMs,
        }),
      }),
    })),
  };
}

/** @param {number} count */
export function producersText(count) {
  return `${count} producer${count === 1 ? '' : 's'}`;
}

/** @param {Pattern} pattern */
export function patternText(pattern) {
  return pattern === 'one' ? 'one at a time' : 'in batches of 64';
}
