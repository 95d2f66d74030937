/** Workers that are bound to processors, and workers that are not. */
import { readFileSync } from 'node:fs';
import { measureCrew } from './measure.js';

const BOUND = 'bound to processors';
const FREE = 'not bound';
/** The processors that this process may use, the last first. */
const processors = process.platform === 'linux' ? allowed() : [];
const skip =
  process.platform !== 'linux'
    ? 'only Linux binds threads to processors'
    : processors.length < 2
      ? 'this process may use one processor only'
      : undefined;

/** @type {import('../../../harness/runner/group.js').Group} */
export const group = {
  name: 'dispatch',
  title: 'Workers bound to processors',
  about:
    'A crew of two workers handles orders that take 20 us each: as many as it can, then 1,000 a second. Each worker is ' +
    'bound to a processor of its own (the option cpus), or left to the system. "Busy": as many threads that only compute ' +
    'as there are processors run beside it.',
  comparisons: [comparison('idle', false), comparison('busy', true)],
  bars: ['idle', 'busy'].flatMap((machine) => [
    bar(`orders a second, bound against not bound, ${machine} machine`, `dispatch/${machine}/throughput`),
    bar(`p99 from push to handler, bound against not bound, ${machine} machine`, `dispatch/${machine}/p99`),
    bar(`context switches, bound against not bound, ${machine} machine`, `dispatch/${machine}/switches`),
  ]),
};

/** @param {string} machine @param {boolean} busy @returns {import('../../../harness/runner/group.js').Comparison} */
function comparison(machine, busy) {
  const id = `dispatch/${machine}`;
  /** @param {string} subject @param {number[] | undefined} cpus */
  const measured = (subject, cpus) => ({
    subject,
    ...(skip === undefined ? {} : { skip }),
    /** @param {import('../../../harness/runner/group.js').Scale} scale */
    run: async ({ warmUpMs, measuredMs }) => {
      const { perSecond, p99, switches } = await measureCrew({ cpus, busy, warmUpMs, measuredMs });
      return { [`${id}/throughput`]: perSecond, [`${id}/p99`]: p99, [`${id}/switches`]: switches };
    },
  });
  return {
    title: `Two workers, ${machine} machine`,
    figures: [
      { id: `${id}/throughput`, title: 'orders', unit: '1/s' },
      { id: `${id}/p99`, title: 'p99, push to handler', unit: 'ns' },
      { id: `${id}/switches`, title: 'context switches in 1,000 orders', unit: 'count' },
    ],
    cases: [measured(BOUND, processors.slice(0, 2)), measured(FREE, undefined)],
  };
}

/** @param {string} claim @param {string} figure @returns {import('../../../harness/runner/group.js').Bar} */
function bar(claim, figure) {
  return { claim, of: { figure, subject: BOUND }, to: { figure, subject: FREE } };
}

/** @returns {number[]} */
function allowed() {
  const [, list = ''] = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  const ranges = list.split(',').map((range) => range.split('-').map(Number));
  return ranges
    .flatMap(([first = 0, last = first]) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
    .reverse();
}
