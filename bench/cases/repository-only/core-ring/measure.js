/** Measures the rings of rings.cc, each in its own process; the program is compiled once. */
import { answer, program } from '../../../harness/repository-only/native/native-program.js';

/** @typedef {'core' | 'per-slot' | 'mutex'} Ring */

/** @type {Promise<import('../../../harness/repository-only/native/native-program.js').Program> | undefined} */
let made;

function rings() {
  made ??= program(new URL('./rings.cc', import.meta.url));
  return made;
}

/**
 * @param {{ ring: Ring, bytes: 8 | 64, batch: number, producers: number, measuredMs: number }} run
 * @returns {Promise<number>} items a second that the consumer finished; all were checked
 */
export async function measureRing({ ring, bytes, batch, producers, measuredMs }) {
  const run = await rings();
  return (await answer(run([ring, bytes, batch, 'threads', producers, measuredMs]))).perSecond;
}

/**
 * The numbers of items of two runs. The difference of the two runs' instruction counts leaves out the start and the end
 * of the program.
 */
const FEW = 64_000;
const MANY = 128_000;

/**
 * Returns the number of instructions to push and drain an item in one thread. callgrind counts them, so a busy machine
 * does not change the number. They include filling and checking the item, which is the same for all rings.
 * @param {{ ring: Ring, bytes: 8 | 64, batch: number }} run
 */
export async function countInstructions({ ring, bytes, batch }) {
  const under = ['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null'];
  const run = await rings();
  const counts = [];
  for (const items of [FEW, MANY]) {
    const { code, output, problem } = await run([ring, bytes, batch, 'alone', items], under);
    const count = Number(output.match(/Collected : (\d+)/)?.[1]);
    if (code !== 0 || Number.isNaN(count)) throw new Error(`callgrind: ${problem} ${output}`);
    counts.push(count);
  }
  const [few, many] = /** @type {[number, number]} */ (counts);
  return (many - few) / (MANY - FEW);
}
