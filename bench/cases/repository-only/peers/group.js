/** Queues of other packages, each in the best form that its documentation has: see bench/rivals. */
import { ifInstalled } from '../../../harness/repository-only/if-installed.js';
import { measureSpawning } from '../../../harness/repository-only/spawning/measure.js';
import * as arrayQueue from '../../../rivals/built-in/array-queue.js';
import * as messagePort from '../../../rivals/built-in/message-port.js';
import * as broadcastChannel from '../../../rivals/queues/broadcast-channel.js';
import { measureCallCost } from '../../call-cost/measure.js';
import * as sluice from '../../queues/sluice.js';
import { measureThroughput } from '../../throughput/measure.js';
import { measureIsolated } from './isolated.js';

/** @typedef {import('../../../harness/runner/group.js').Case} Case */
/** @typedef {import('../../../harness/repository-only/if-installed.js').Found<{ file: string }>} Found */
/** @typedef {{ producers: number, batch: number, spins: boolean }} Pattern */
/** @typedef {(pattern: Pattern & { warmUpMs: number, measuredMs: number }) => Promise<number>} Measure */

/**
 * @typedef {object} Rival
 * @property {string} subject
 * @property {Found} found
 * @property {Measure} measure
 * @property {(pattern: Pattern) => string | undefined} [cannot] why the rival cannot run this pattern
 */

const disruptor = 'shared-memory-disruptor';

/** @type {Rival[]} */
const rivals = [
  threads('sluice', { module: sluice }),
  isolated(disruptor, await ifInstalled(() => import('../../../rivals/queues/shared-memory-disruptor.js'))),
  threads('ringbuf.js', await ifInstalled(() => import('../../../rivals/queues/ringbuf.js'))),
  threads('MessagePort', { module: messagePort }),
  threads('BroadcastChannel', { module: broadcastChannel }),
  isolated('zeromq push/pull inproc', await ifInstalled(() => import('../../../rivals/queues/zeromq.js'))),
  spawning('thread-stream', await ifInstalled(() => import('../../../rivals/queues/thread-stream.js'))),
  spawning('piscina', await ifInstalled(() => import('../../../rivals/queues/piscina.js'))),
];

const spinning = rivals.filter(({ subject }) => ['sluice', disruptor, 'ringbuf.js'].includes(subject));

/** @type {import('../../../harness/runner/group.js').Group} */
export const group = {
  name: 'peers',
  title: 'Queues from npm',
  about:
    'Orders of 64 bytes between threads, each package in the best form that its documentation has; delivery is ' +
    'checked. Consumers are on event loops; without a wake-up (shared-memory-disruptor, ringbuf.js) they look ' +
    'again in every turn and keep a processor busy. ringbuf.js has a ring for each producer. zeromq and ' +
    'shared-memory-disruptor may abort the process when one of their threads is terminated, so each is measured ' +
    'in its own process.',
  comparisons: [
    throughput('1p/one', '1 producer, one at a time', { producers: 1, batch: 1, spins: false }),
    throughput('1p/64', '1 producer, in batches of 64', { producers: 1, batch: 64, spins: false }),
    throughput('4p/one', '4 producers, one at a time', { producers: 4, batch: 1, spins: false }),
    throughput('4p/64', '4 producers, in batches of 64', { producers: 4, batch: 64, spins: false }),
    throughput(
      'spins/64',
      '1 producer, in batches of 64, to a consumer that spins',
      { producers: 1, batch: 64, spins: true },
      spinning,
    ),
    {
      title: 'Push and take within one thread, one at a time',
      figures: [{ id: 'peers/one-thread', title: 'Push and take within one thread', unit: 'ns' }],
      cases: [
        oneThread('sluice', { module: sluice }),
        oneThread('array queue', { module: arrayQueue }),
        oneThread('denque', await ifInstalled(() => import('../../../rivals/queues/denque.js'))),
        oneThread('fastq', await ifInstalled(() => import('../../../rivals/queues/fastq.js'))),
      ],
    },
  ],
  bars: [
    bar('1 producer, in batches of 64', '1p/64', disruptor, 1.3),
    bar('1 producer, in batches of 64, to a consumer that spins', 'spins/64', disruptor, 1.3),
    bar('1 producer, one at a time', '1p/one', 'ringbuf.js', 1),
    bar('4 producers, one at a time', '4p/one', 'ringbuf.js', 1),
    ...[disruptor, 'BroadcastChannel', 'zeromq push/pull inproc', 'thread-stream', 'piscina'].map((subject) =>
      bar('1 producer, one at a time', '1p/one', subject),
    ),
    ...[disruptor, 'BroadcastChannel', 'zeromq push/pull inproc'].map((subject) =>
      bar('4 producers, one at a time', '4p/one', subject),
    ),
  ],
};

/**
 * A rival that is measured as the rivals of the group throughput are.
 * @param {string} subject
 * @param {Found} found
 * @returns {Rival}
 */
function threads(subject, found) {
  return {
    subject,
    found,
    measure: (pattern) => measureThroughput({ rival: fileOf(found), recordBytes: 64, ...pattern }),
  };
}

/**
 * A rival that does not survive the end of its threads.
 * @param {string} subject
 * @param {Found} found
 * @returns {Rival}
 */
function isolated(subject, found) {
  return {
    subject,
    found,
    measure: (pattern) => measureIsolated({ rival: fileOf(found), recordBytes: 64, ...pattern }),
  };
}

/**
 * A rival that starts its consumer itself.
 * @param {string} subject
 * @param {Found} found
 * @returns {Rival}
 */
function spawning(subject, found) {
  return {
    subject,
    found,
    measure: ({ batch, warmUpMs, measuredMs }) =>
      measureSpawning({ file: fileOf(found), batch, warmUpMs, measuredMs }),
    cannot: ({ producers }) =>
      producers > 1 ? 'cannot: its consumer belongs to the one thread that started it' : undefined,
  };
}

/**
 * @param {string} id
 * @param {string} title
 * @param {Pattern} pattern
 * @param {Rival[]} [measured]
 * @returns {import('../../../harness/runner/group.js').Comparison}
 */
function throughput(id, title, pattern, measured = rivals) {
  const figure = `peers/${id}`;
  return {
    title,
    figures: [{ id: figure, title, unit: '1/s' }],
    cases: measured.map(({ subject, found, measure, cannot }) => ({
      subject,
      ...skipped(found.missing ?? cannot?.(pattern)),
      run: async (
        /** @type {import('../../../harness/runner/group.js').Scale} */ { warmUpMs, measuredMs },
      ) => ({
        [figure]: await measure({ ...pattern, warmUpMs, measuredMs }),
      }),
    })),
  };
}

/**
 * @param {string} subject
 * @param {Found} found
 * @returns {Case}
 */
function oneThread(subject, found) {
  return {
    subject,
    ...skipped(found.missing),
    run: async ({ warmUpMs, measuredMs }) => ({
      'peers/one-thread': await measureCallCost({ rival: fileOf(found), batch: 1, warmUpMs, measuredMs }),
    }),
  };
}

/** @param {Found} found */
function fileOf({ module, missing }) {
  if (module === undefined) throw new Error(missing);
  return module.file;
}

/** @param {string | undefined} skip */
function skipped(skip) {
  return skip === undefined ? {} : { skip };
}

/**
 * @param {string} title
 * @param {string} id
 * @param {string} against
 * @param {number} [atLeast]
 * @returns {import('../../../harness/runner/group.js').Bar}
 */
function bar(title, id, against, atLeast) {
  const figure = `peers/${id}`;
  return {
    claim: `${title}, vs ${against}`,
    of: { figure, subject: 'sluice' },
    to: { figure, subject: against },
    ...(atLeast === undefined ? {} : { atLeast }),
  };
}
