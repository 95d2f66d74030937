/** The cost of push and drain in one thread. */

import { queues } from '../queues/index.js';
import { measureCallCost } from './measure.js';

const BATCH = 64;

/** @type {import('../../harness/runner/group.js').Group} */
export const group = {
  name: 'call-cost',
  title: 'Call cost',
  about:
    'Typed push and drain in one thread, the codec included, per record of 64 bytes. This is the cost of the ' +
    'calls, not a throughput: no record crosses from one processor to another.',
  comparisons: [
    comparison('one', 'one at a time', 1, queues),
    comparison(
      '64',
      'batches of 64',
      BATCH,
      queues.filter(({ batches }) => batches),
    ),
  ],
  bars: [
    bar('one thread, one at a time, vs the Atomics ring', 'one', 'one', 2),
    bar('one thread, batches of 64, vs the Atomics ring one at a time', '64', 'one', 2.4),
    bar('one thread, batches of 64, vs the Atomics ring in batches of 64', '64', '64', 1.05),
  ],
};

/** @param {string} pattern @param {string} title @param {number} batch @param {typeof queues} measured */
function comparison(pattern, title, batch, measured) {
  const figure = `call-cost/${pattern}`;
  return {
    title,
    figures: [{ id: figure, title: `Push and drain, ${title}`, unit: /** @type {const} */ ('ns') }],
    cases: measured.map(({ title: subject, file }) => ({
      subject,
      run: async (/** @type {import('../../harness/runner/group.js').Scale} */ { warmUpMs, measuredMs }) => ({
        [figure]: await measureCallCost({ rival: file, batch, warmUpMs, measuredMs }),
      }),
    })),
  };
}

/**
 * A bar for the Atomics ring's cost as a multiple of sluice's.
 * @param {string} claim
 * @param {string} ours
 * @param {string} theirs
 * @param {number} atLeast
 */
function bar(claim, ours, theirs, atLeast) {
  return {
    claim,
    of: { figure: `call-cost/${theirs}`, subject: 'Atomics ring' },
    to: { figure: `call-cost/${ours}`, subject: 'sluice' },
    atLeast,
  };
}
