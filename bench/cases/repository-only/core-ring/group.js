/** The ring of the core alone, without Node.js, beside two other queues that were written for this comparison. */
import { run as runProgram } from '../../../../test/core/compiler.js';
import { whyNot } from '../../../harness/repository-only/native/native-program.js';
import { countInstructions, measureRing } from './measure.js';

/** @typedef {import('./measure.js').Ring} Ring */

const noCompiler = await whyNot();
const noValgrind =
  (await runProgram('valgrind', ['--version'])).code === 0 ? undefined : 'there is no valgrind';

/** @type {Array<{ ring: Ring, subject: string }>} */
const rings = [
  { ring: 'core', subject: 'sluice' },
  { ring: 'per-slot', subject: 'per-slot release' },
  { ring: 'mutex', subject: 'mutex + deque' },
];
const producerCounts = [1, 2, 4];
const sizes = /** @type {const} */ ([8, 64]);
const batches = [1, 64];

/** @type {import('../../../harness/runner/group.js').Group} */
export const group = {
  name: 'core-ring',
  title: 'The core ring alone, in C++',
  about:
    'Producer threads push items as fast as they can; the consumer has its own processor and spins; every word ' +
    'of every item is checked. The ring of the core (native/core/queue/ring.h) is compared with a ring after ' +
    'Vyukov whose consumer releases each slot, and with a mutex and a std::deque, both with batches. Capacity ' +
    '65,536. callgrind counts the instructions, in one thread; they include making and checking the item.',
  comparisons: [
    ...sizes.flatMap((bytes) =>
      batches.flatMap((batch) => producerCounts.map((producers) => throughput(bytes, batch, producers))),
    ),
    ...batches.map((batch) => instructions(64, batch)),
  ],
  bars: rings.slice(1).flatMap(({ subject }) =>
    batches.flatMap((batch) =>
      producerCounts.map((producers) => ({
        claim: `${titleOf(64, batch, producers)}, vs ${subject}`,
        of: { figure: idOf(64, batch, producers), subject: 'sluice' },
        to: { figure: idOf(64, batch, producers), subject },
        moreThan: 1,
      })),
    ),
  ),
};

/** @param {8 | 64} bytes @param {number} batch @param {number} producers */
function throughput(bytes, batch, producers) {
  const id = idOf(bytes, batch, producers);
  const title = titleOf(bytes, batch, producers);
  return {
    title,
    figures: [{ id, title, unit: /** @type {const} */ ('1/s') }],
    cases: rings.map(({ ring, subject }) => ({
      subject,
      ...(noCompiler === undefined ? {} : { skip: noCompiler }),
      run: async (/** @type {import('../../../harness/runner/group.js').Scale} */ { measuredMs }) => ({
        [id]: await measureRing({ ring, bytes, batch, producers, measuredMs }),
      }),
    })),
  };
}

/** @param {8 | 64} bytes @param {number} batch */
function instructions(bytes, batch) {
  const id = `core-ring/instructions/${bytes}/${batch}`;
  const title = `instructions an item, ${bytes} bytes, ${batchText(batch)}`;
  const skip = noCompiler ?? noValgrind;
  return {
    title,
    figures: [{ id, title, unit: /** @type {const} */ ('count') }],
    cases: rings.map(({ ring, subject }) => ({
      subject,
      ...(skip === undefined ? {} : { skip }),
      run: async () => ({ [id]: await countInstructions({ ring, bytes, batch }) }),
    })),
  };
}

/** @param {8 | 64} bytes @param {number} batch @param {number} producers */
function idOf(bytes, batch, producers) {
  return `core-ring/${bytes}/${batch}/${producers}p`;
}

/** @param {8 | 64} bytes @param {number} batch @param {number} producers */
function titleOf(bytes, batch, producers) {
  return `${producers} producer${producers === 1 ? '' : 's'}, ${bytes} bytes, ${batchText(batch)}`;
}

/** @param {number} batch */
function batchText(batch) {
  return batch === 1 ? 'one at a time' : `batches of ${batch}`;
}
