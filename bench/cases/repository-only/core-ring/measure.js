/** Measures the rings of rings.cc, each in a process of its own; the program is made once. */
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

/** Items of the two runs whose difference is counted: it has neither the start of the program nor its end. */
const FEW = 64_000;
const MANY = 128_000;

/**
 * Instructions that an item takes in one thread, pushed and drained, as callgrind counts them: the same on a busy
 * machine. Filling and checking the item is part of it, and alike for all.
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
