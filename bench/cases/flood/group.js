/** The effect of a flood on the consumer's event loop and on memory. */

import { inChildProcess } from '../../harness/threads/in-child-process.js';
import { queues, unbounded } from '../queues/index.js';
import { producersText } from '../throughput/comparison.js';

/** A flood lasts this many times as long as a measurement of other groups. */
const LENGTH = 6;
const all = [...queues.filter(({ producersMax }) => producersMax > 0), unbounded];

/** @type {import('../../harness/runner/group.js').Group} */
export const group = {
  name: 'flood',
  title: 'A flooded consumer',
  about:
    'Producers push one at a time as fast as they can, for six times as long as in other groups (3 s), in a ' +
    "separate process. A timer of 1 ms runs on the consumer's loop: the gap is the longest time between two " +
    'ticks. Growth is that of resident memory after a warm-up. "MessagePort, unbounded" is a port as programs ' +
    'usually use it, without the bound that the other form has; its gap and its memory grow with the length of ' +
    'the flood.',
  comparisons: [comparison(1), comparison(4)],
  bars: [1, 4].flatMap((producers) => [
    {
      ...bar(
        producers,
        `${producersText(producers)}: largest timer gap of a flooded consumer`,
        unbounded.title,
      ),
      atMost: 1 / 50,
    },
    bar(producers, `${producersText(producers)}: largest timer gap of a flooded consumer`, 'MessagePort'),
  ]),
};

/** @param {number} producers @returns {import('../../harness/runner/group.js').Comparison} */
function comparison(producers) {
  const growth = `flood/${producers}p/growth`;
  return {
    title: `${producersText(producers)}, one at a time`,
    figures: [
      { id: gapOf(producers), title: 'Largest gap of a 1 ms timer', unit: 'ns' },
      { id: growth, title: 'Growth of resident memory', unit: 'bytes' },
    ],
    cases: all
      .filter(({ producersMax }) => producersMax >= producers)
      .map(({ title: subject, file: rival }) => ({
        subject,
        run: async ({ warmUpMs, measuredMs }, plot) => {
          const program = new URL('./program.js', import.meta.url);
          const run = { rival, producers, warmUpMs, measuredMs: measuredMs * LENGTH };
          const measured = await inChildProcess(program, run);
          const title = `Resident memory of a consumer flooded by ${producersText(producers)}`;
          plot(title, 'bytes', measured.points);
          return { [gapOf(producers)]: measured.gapNs, [growth]: measured.growth };
        },
      })),
  };
}

/** @param {number} producers */
function gapOf(producers) {
  return `flood/${producers}p/timer-gap`;
}

/** @param {number} producers @param {string} claim @param {string} subject */
function bar(producers, claim, subject) {
  const figure = gapOf(producers);
  return {
    claim: `${claim}, vs ${subject}`,
    of: { figure, subject: 'sluice' },
    to: { figure, subject },
  };
}
