/**
 * Trap 2: false sharing.
 *
 * There are two counters, and one thread writes each. The threads share no variable, so the code looks as if it were as
 * fast as with one counter. But processors exchange cache lines, not variables: lines of 64 bytes on most processors
 * and 128 on others, and prefetchers fetch them in pairs. If both counters are in one cache line, every write takes it
 * away from the other processor. A write of a few cycles then costs a trip between processors, 50 ns and more. The
 * source does not show this, and two fields of a struct, or two words of an Int32Array, are such neighbours by default.
 *
 * sluice keeps words that different threads write 128 bytes apart: the words of a ring's producers, of its consumer,
 * the counters of each thread. `static_assert`s check the offsets, so code that breaks a distance does not compile.
 *
 * The trap measures counters 8 and 128 bytes apart, which two threads on two processors write: in C++ with a locked add
 * and with a plain store, in JavaScript with Atomics.add. Then it measures sluice's own ring, from the same header
 * compiled twice: unchanged, and with kCacheLine = 8, which packs its words. If `perf` can count cache misses here,
 * they are shown; in most virtual machines it cannot. Without a compiler only the JavaScript part runs.
 */
import { availableParallelism } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { answer, program, whyNot, withoutPadding } from '../harness/repository-only/native/native-program.js';
import { answerOf, runTrap, thread } from './trap.js';

/** The C++ program of the group core-ring, which measures the core's ring without Node.js. */
const ringsSource = new URL('../cases/repository-only/core-ring/rings.cc', import.meta.url);

const NEAR = 8;
const FAR = 128;
const title = 'False sharing: words of different threads 8 bytes apart, or 128';

/** @typedef {{ near: number[], far: number[] }} Pair */

/** One thread with its counter. @param {{ words: Int32Array, index: number, operations: number }} data */
function counter({ words, index, operations }) {
  // Waits until both threads have started. This word is 4,096 bytes away from the counters' start.
  Atomics.add(words, 1_024, 1);
  while (Atomics.load(words, 1_024) < 2);
  const started = Number(process.hrtime.bigint());
  for (let i = 0; i < operations; i++) Atomics.add(words, index, 1);
  parentPort?.postMessage({ started, ended: Number(process.hrtime.bigint()) });
}

/** The additions that threads made in JavaScript, and the additions that their counters show. */
let additions = 0;
let counted = 0;

/**
 * Returns the nanoseconds of an Atomics.add while two threads add.
 * @param {number} gap bytes
 * @param {number} operations
 */
async function inJavaScript(gap, operations) {
  const words = new Int32Array(new SharedArrayBuffer(8_192));
  const threads = [0, gap / 4].map((index) =>
    thread(import.meta.url, 'counter', { words, index, operations }),
  );
  const answers = await Promise.all(threads.map(answerOf));
  await Promise.all(threads.map((one) => one.terminate()));
  const began = Math.min(...answers.map(({ started }) => started));
  const ended = Math.max(...answers.map((one) => one.ended));
  additions += 2 * operations;
  counted += /** @type {number} */ (words[0]) + /** @type {number} */ (words[gap / 4]);
  return (ended - began) / operations;
}

/** @param {number} rounds @param {(padded: boolean) => Promise<number>} take @returns {Promise<Pair>} */
async function inTurn(rounds, take) {
  /** @type {Pair} */
  const pair = { near: [], far: [] };
  for (let round = 0; round < rounds; round++) {
    pair.near.push(await take(false));
    pair.far.push(await take(true));
  }
  return pair;
}

/** @param {Pair} pair @param {{ id: string, what: string, unit: 'ns' | '1/s' | 'count', atLeast?: number }} figure */
function figureOf({ near, far }, figure) {
  return { ...figure, naive: near, sluice: far };
}

/** @param {import('./trap.js').Settings} settings @returns {Promise<import('./trap.js').Measured>} */
async function measure({ quick, rounds }) {
  const operations = quick ? 200_000 : 10_000_000;
  const figures = [];
  const missing = [];
  const inJs = await inTurn(rounds, (padded) => inJavaScript(padded ? FAR : NEAR, operations));
  const noCompiler = await whyNot();
  if (noCompiler === undefined) {
    const counters = await program(new URL('./false-sharing.cc', import.meta.url));
    const perOperation = async (/** @type {string} */ how, /** @type {boolean} */ padded) =>
      (await answer(counters([how, padded ? FAR : NEAR, operations]))).nsPerOperation;
    const add = await inTurn(rounds, (padded) => perOperation('add', padded));
    const store = await inTurn(rounds, (padded) => perOperation('store', padded));
    figures.push(
      figureOf(add, { id: 'add', what: 'counters of two threads, locked add', unit: 'ns', atLeast: 3 }),
      figureOf(store, { id: 'store', what: 'counters of two threads, plain store', unit: 'ns' }),
    );
    figures.push(...(await rings(rounds, quick ? 50 : 500)));
    const misses = await cacheMisses(counters, operations);
    if (typeof misses === 'string') missing.push(misses);
    else figures.push(misses);
  } else {
    missing.push(`counters and rings in C++: ${noCompiler}`);
  }
  figures.push(figureOf(inJs, { id: 'atomics', what: 'JavaScript: Atomics.add of two threads', unit: 'ns' }));
  if (availableParallelism() < 2) missing.push('anything shared: there is one processor');
  const seen = [
    {
      claim: `none of ${additions} additions is lost: it costs time, not correctness`,
      holds: counted === additions,
    },
  ];
  return { figures, seen, missing };
}

/** The core's ring, packed and unchanged. @param {number} rounds @param {number} milliseconds */
async function rings(rounds, milliseconds) {
  const packed = await program(ringsSource, { more: [await withoutPadding()] });
  const padded = await program(ringsSource);
  const figures = [];
  for (const producers of [1, 4]) {
    const pair = await inTurn(rounds, async (isPadded) => {
      const ring = isPadded ? padded : packed;
      return (await answer(ring(['core', 64, 1, 'threads', producers, milliseconds]))).perSecond;
    });
    const what = `the core's ring, ${producers} producer${producers === 1 ? '' : 's'}, 64-byte items`;
    figures.push(figureOf(pair, { id: `ring/${producers}p`, what, unit: '1/s' }));
  }
  return figures;
}

/**
 * Returns the counts of `perf` for the locked add, or the reason why there are none.
 * @param {import('../harness/repository-only/native/native-program.js').Program} counters
 * @param {number} operations
 */
async function cacheMisses(counters, operations) {
  /** @type {number[]} */
  const perThousand = [];
  const under = ['perf', 'stat', '-x,', '-e', 'cache-misses'];
  for (const gap of [NEAR, FAR]) {
    const { code, output, problem } = await counters(['add', gap, operations], under);
    const line = output.split('\n').find((text) => text.includes('cache-misses'));
    const misses = Number(line?.split(',')[0]);
    if (code !== 0 || line === undefined || Number.isNaN(misses)) {
      return `cache misses: perf cannot count them (${problem || line?.split(',')[0] || output.trim().split('\n')[0]})`;
    }
    perThousand.push((misses * 1_000) / (2 * operations)); // two threads add
  }
  const [near, far] = /** @type {[number, number]} */ (perThousand);
  return figureOf(
    { near: [near], far: [far] },
    { id: 'misses', what: 'cache misses in 1,000 locked adds', unit: 'count' },
  );
}

await runTrap(import.meta.url, { title, measure, roles: { counter } });
