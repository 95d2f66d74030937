/** Queues of other packages, each in the best form that its documentation has: see bench/rivals. */

import { measureSpawning } from '../../../harness/repository-only/spawning/measure.js';
import { whyNotInstalled } from '../../../harness/repository-only/whether-installed.js';
import { measureCallCost } from '../../call-cost/measure.js';
import { measureThroughput } from '../../throughput/measure.js';
import { measureIsolated } from './isolated.js';

/** @typedef {import('../../../harness/runner/group.js').Case} Case */
/** @typedef {{ producers: number, batch: number, spins: boolean }} Pattern */
/** @typedef {(pattern: Pattern & { warmUpMs: number, measuredMs: number }) => Promise<number>} Measure */

/**
 * @typedef {object} Rival
 * @property {string} subject
 * @property {string} file relative to bench/
 * @property {Measure} measure
 * @property {(pattern: Pattern) => string | undefined} [cannot] why it cannot do it
 */

const disruptor = 'shared-memory-disruptor';

/** @type {Rival[]} */
const rivals = [
  threads('sluice', 'cases/queues/sluice.js'),
  isolated(disruptor, 'rivals/queues/shared-memory-disruptor.js'),
  threads('ringbuf.js', 'rivals/queues/ringbuf.js'),
  threads('MessagePort', 'rivals/built-in/message-port.js'),
  threads('BroadcastChannel', 'rivals/queues/broadcast-channel.js'),
  isolated('zeromq push/pull inproc', 'rivals/queues/zeromq.js'),
  spawning('thread-stream', 'rivals/queues/thread-stream.js'),
  spawning('piscina', 'rivals/queues/piscina.js'),
];

const spinning = rivals.filter(({ subject }) => ['sluice', disruptor, 'ringbuf.js'].includes(subject));

/** @type {import('../../../harness/runner/group.js').Group} */
export const group = {
  name: 'peers',
  title: 'Queues from npm',
  about:
    'Orders of 64 bytes between threads, each package in the best form that its documentation has, delivery checked. ' +
    'Consumers are on event loops; those that nothing wakes (shared-memory-disruptor, ringbuf.js) look again in every ' +
    'turn and keep a processor busy. ringbuf.js has a ring for each producer. zeromq and shared-memory-disruptor, which may ' +
    'abort the process when a thread of theirs is ended, are measured in processes of their own.',
  comparisons: [
    await throughput('1p/one', '1 producer, one at a time', { producers: 1, batch: 1, spins: false }),
    await throughput('1p/64', '1 producer, in batches of 64', { producers: 1, batch: 64, spins: false }),
    await throughput('4p/one', '4 producers, one at a time', { producers: 4, batch: 1, spins: false }),
    await throughput('4p/64', '4 producers, in batches of 64', { producers: 4, batch: 64, spins: false }),
    await throughput(
      'spins/64',
      '1 producer, in batches of 64, to a consumer that spins',
      { producers: 1, batch: 64, spins: true },
      spinning,
    ),
    {
      title: 'Push and take within one thread, one at a time',
      figures: [{ id: 'peers/one-thread', title: 'Push and take within one thread', unit: 'ns' }],
      cases: await Promise.all([
        oneThread('sluice', 'cases/queues/sluice.js'),
        oneThread('array queue', 'rivals/built-in/array-queue.js'),
        oneThread('denque', 'rivals/queues/denque.js'),
        oneThread('fastq', 'rivals/queues/fastq.js'),
      ]),
    },
  ],
  bars: [
    bar('1 producer, in batches of 64', '1p/64', disruptor, 2),
    bar('1 producer, in batches of 64, to a consumer that spins', 'spins/64', disruptor, 2),
    ...[
      disruptor,
      'ringbuf.js',
      'BroadcastChannel',
      'zeromq push/pull inproc',
      'thread-stream',
      'piscina',
    ].map((subject) => bar('1 producer, one at a time', '1p/one', subject)),
    ...[disruptor, 'ringbuf.js', 'BroadcastChannel', 'zeromq push/pull inproc'].map((subject) =>
      bar('4 producers, one at a time', '4p/one', subject),
    ),
  ],
};

/**
 * A rival that fits the harness of all queues.
 * @param {string} subject
 * @param {string} file
 * @returns {Rival}
 */
function threads(subject, file) {
  return {
    subject,
    file,
    measure: (pattern) => measureThroughput({ rival: file, recordBytes: 64, ...pattern }),
  };
}

/**
 * A rival that does not survive the end of its threads.
 * @param {string} subject
 * @param {string} file
 * @returns {Rival}
 */
function isolated(subject, file) {
  return {
    subject,
    file,
    measure: (pattern) => measureIsolated({ rival: file, recordBytes: 64, ...pattern }),
  };
}

/**
 * A rival that starts its consumer itself.
 * @param {string} subject
 * @param {string} file
 * @returns {Rival}
 */
function spawning(subject, file) {
  return {
    subject,
    file,
    measure: ({ batch, warmUpMs, measuredMs }) => measureSpawning({ file, batch, warmUpMs, measuredMs }),
    cannot: ({ producers }) =>
      producers > 1 ? 'cannot: its consumer belongs to the one thread that started it' : undefined,
  };
}

/**
 * @param {string} id
 * @param {string} title
 * @param {Pattern} pattern
 * @param {Rival[]} [measured]
 * @returns {Promise<import('../../../harness/runner/group.js').Comparison>}
 */
async function throughput(id, title, pattern, measured = rivals) {
  const figure = `peers/${id}`;
  return {
    title,
    figures: [{ id: figure, title, unit: '1/s' }],
    cases: await Promise.all(
      measured.map(async ({ subject, file, measure, cannot }) => ({
        subject,
        ...skipped((await whyNotInstalled(file)) ?? cannot?.(pattern)),
        run: async (
          /** @type {import('../../../harness/runner/group.js').Scale} */ { warmUpMs, measuredMs },
        ) => ({
          [figure]: await measure({ ...pattern, warmUpMs, measuredMs }),
        }),
      })),
    ),
  };
}

/**
 * @param {string} subject
 * @param {string} file
 * @returns {Promise<Case>}
 */
async function oneThread(subject, file) {
  return {
    subject,
    ...skipped(await whyNotInstalled(file)),
    run: async ({ warmUpMs, measuredMs }) => ({
      'peers/one-thread': await measureCallCost({ rival: file, batch: 1, warmUpMs, measuredMs }),
    }),
  };
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
