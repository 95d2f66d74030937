/** Waking an idle event loop. */
import { queues } from '../queues/index.js';
import { IDLE_MS, measureWakeUp } from './measure.js';

const all = queues.filter(({ producersMax, gathers }) => producersMax > 0 && gathers !== true);

/** How many times as long as sluice's trip theirs must take at least. */
const rivals = /** @type {const} */ ([
  ['MessagePort', 1.3],
  ['Atomics ring', 1],
]);

/** @type {import('../../harness/runner/group.js').Group} */
export const group = {
  name: 'wake-up',
  title: 'Waking an idle event loop',
  about:
    'Round trips of one message between two threads whose event loops have nothing else to do: each trip wakes ' +
    `both. Back to back the processors are still awake; after ${IDLE_MS} ms of idleness they may sleep, and most of ` +
    'the time is their waking up.',
  comparisons: [
    comparison('back-to-back', 'back to back', 0),
    comparison('idle', `after ${IDLE_MS} ms idle`, IDLE_MS),
  ],
  bars: [
    ...rivals.map(([subject, atLeast]) =>
      bar(`${subject} vs sluice, back to back, round trip p50`, 'back-to-back', subject, atLeast),
    ),
    ...rivals.map(([subject, atLeast]) =>
      bar(`${subject} vs sluice, after ${IDLE_MS} ms of idleness, round trip p50`, 'idle', subject, atLeast),
    ),
  ],
};

/**
 * @param {string} name @param {string} title @param {number} pauseMs @returns
 * {import('../../harness/runner/group.js').Comparison}
 */
function comparison(name, title, pauseMs) {
  const id = `wake-up/${name}`;
  return {
    title: `Round trip, ${title}`,
    chart: 'log',
    figures: [
      { id: `${id}/p50`, title: 'p50', unit: 'ns' },
      { id: `${id}/p99`, title: 'p99', unit: 'ns' },
    ],
    cases: all.map(({ title: subject, file: rival }) => ({
      subject,
      run: async ({ warmUpMs, measuredMs }) => {
        const { p50, p99 } = await measureWakeUp({ rival, pauseMs, warmUpMs, measuredMs });
        return { [`${id}/p50`]: p50, [`${id}/p99`]: p99 };
      },
    })),
  };
}

/**
 * @param {string} claim
 * @param {string} name
 * @param {string} subject
 * @param {number} atLeast
 * @returns {import('../../harness/runner/group.js').Bar}
 */
function bar(claim, name, subject, atLeast) {
  const figure = `wake-up/${name}/p50`;
  return {
    claim,
    of: { figure, subject },
    to: { figure, subject: 'sluice' },
    atLeast,
  };
}
