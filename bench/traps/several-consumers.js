/**
 * Trap 6: first come, first served, broken by several consumers.
 *
 * The orders are in one queue, but four threads take from it. A thread takes order 17, and before it finishes, it loses
 * the processor, collects garbage, or waits for a database. Meanwhile other threads take 18, 19 and 20 and finish them
 * first. It does not help that the queue delivers each order once and in order: the order in which threads finish
 * decides, and no thread controls that. The effect appears when the stock runs out: a later buyer has the last unit,
 * and an earlier buyer gets "sold out".
 *
 * sluice: a queue has one consumer at a time. The consumer holds a lease, which its thread gives back when the thread
 * ends; the queue refuses every other thread with `ERR_SLUICE_CONSUMER`. If handlers wait, `concurrency` overlaps the
 * waits of the one consumer: its handlers begin in the order of the queue, and decide which buyer gets a unit before
 * they wait.
 *
 * In the trap, 4 threads serve the same orders. Each order takes a few microseconds of work, some take more, and then
 * one unit while there are any. Naive: the head of the queue is an atomic counter, and every thread serves. sluice: all
 * 4 try, and one gets the lease. The trap counts the orders served after a later one, and the buyers that got a unit
 * although an earlier buyer was refused. It also shows the price of the lease: one thread does the work.
 */
import { parentPort } from 'node:worker_threads';
import { Queue, record, u32 } from '../../dist/index.js';
import { answerOf, runTrap, thread } from './trap.js';

const THREADS = 4;
const Order = record({ number: u32 });
const title = 'First come, first served: four consumers of one line, or one that holds the lease';

// Words of the shared memory, each in its own cache line.
const HEAD = 0; // naive: the next order
const SERVED = 32; // orders served so far
const UNITS = 64; // units left
const READY = 96; // threads that wait for the start
const REFUSED = 128; // threads that did not get the lease
const LOG = 160; // from here on the orders as they are served: number, or ~number without a unit

/**
 * Does the work of an order before the decision: some orders need more, as some baskets are larger.
 * @param {number} number
 */
function check(number) {
  let hash = number;
  const steps = number % 16 === 0 ? 20_000 : 2_000;
  for (let i = 0; i < steps; i++) hash = Math.imul(hash ^ i, 0x9e37_79b1);
  return hash;
}

/** @param {Int32Array} words @param {number} number */
function serve(words, number) {
  check(number);
  const gotOne = Atomics.sub(words, UNITS, 1) > 0;
  Atomics.store(words, LOG + Atomics.add(words, SERVED, 1), gotOne ? number : ~number);
}

/** @param {Int32Array} words */
function startTogether(words) {
  countUp(words, READY);
  waitFor(words, READY, THREADS);
}

/** @param {Int32Array} words @param {number} word */
function countUp(words, word) {
  Atomics.add(words, word, 1);
  Atomics.notify(words, word);
}

/** @param {Int32Array} words @param {number} word @param {number} count */
function waitFor(words, word, count) {
  for (;;) {
    const now = Atomics.load(words, word);
    if (now === count) return;
    Atomics.wait(words, word, now);
  }
}

/** @param {{ words: Int32Array, orders: number }} data */
function naive({ words, orders }) {
  startTogether(words);
  for (;;) {
    const number = Atomics.add(words, HEAD, 1);
    if (number >= orders) break;
    serve(words, number);
  }
  parentPort?.postMessage('served');
}

/** @param {{ words: Int32Array, handle: import('../../dist/index.js').QueueHandle }} data */
async function sluice({ words, handle }) {
  const queue = Queue.attach(Order, handle);
  startTogether(words);
  try {
    await queue.consume((batch) => {
      waitFor(words, REFUSED, THREADS - 1); // so that every thread has tried
      for (const { number } of batch) serve(words, number);
    });
    parentPort?.postMessage('served');
  } catch (error) {
    countUp(words, REFUSED);
    parentPort?.postMessage(/** @type {import('../../dist/index.js').SluiceError} */ (error).code);
  }
}

/** @param {'naive' | 'sluice'} role @param {number} orders @param {number} units */
async function run(role, orders, units) {
  const words = new Int32Array(new SharedArrayBuffer(4 * (LOG + orders)));
  words[UNITS] = units;
  const queue = Queue.create(Order, { capacity: orders });
  for (let number = 0; number < orders; number++) queue.tryPush({ number });
  queue.close();
  const started = performance.now();
  const threads = Array.from({ length: THREADS }, () =>
    thread(import.meta.url, role, { words, orders, handle: queue.handle }),
  );
  const answers = await Promise.all(threads.map(answerOf));
  const seconds = (performance.now() - started) / 1_000;
  await Promise.all(threads.map((one) => one.terminate()));
  queue[Symbol.dispose]();
  const servers = answers.filter((answer) => answer === 'served').length;
  const turnedAway = answers.filter((answer) => answer === 'ERR_SLUICE_CONSUMER').length;
  return { ...judge(words.subarray(LOG), orders, units), perSecond: orders / seconds, servers, turnedAway };
}

/**
 * @param {Int32Array} log
 * @param {number} orders
 * @param {number} units
 */
function judge(log, orders, units) {
  let latest = -1;
  let overtaken = 0;
  let unjust = 0;
  let sold = 0;
  for (const entry of log) {
    const gotOne = entry >= 0;
    const number = gotOne ? entry : ~entry;
    if (number < latest) overtaken++;
    else latest = number;
    if (gotOne) sold++;
    if (gotOne && number >= units) unjust++; // at least as many orders came before it as there were units
  }
  const served = new Set(log.map((entry) => (entry >= 0 ? entry : ~entry))).size;
  return { overtaken, unjust, sold, complete: served === orders && sold === units };
}

/** @typedef {Awaited<ReturnType<typeof run>>} Ran */

/** @param {import('./trap.js').Settings} settings @returns {Promise<import('./trap.js').Measured>} */
async function measure({ quick, rounds }) {
  const orders = quick ? 20_000 : 100_000;
  const units = orders / 2;
  /** @type {Ran[]} */
  const plain = [];
  /** @type {Ran[]} */
  const leased = [];
  for (let round = 0; round < rounds; round++) {
    plain.push(await run('naive', orders, units));
    leased.push(await run('sluice', orders, units));
  }
  /**
   * @type {(id: string, what: string, unit: 'count' | '1/s', of: (one: Ran) => number) => import('./trap.js').Figure}
   */
  const figure = (id, what, unit, of) => ({ id, what, unit, naive: plain.map(of), sluice: leased.map(of) });
  return {
    figures: [
      figure(
        'overtaken',
        `orders served after a later one, of ${orders}`,
        'count',
        ({ overtaken }) => overtaken,
      ),
      figure('unjust', 'units that went to a buyer who came too late', 'count', ({ unjust }) => unjust),
      figure('rate', 'orders served', '1/s', ({ perSecond }) => perSecond),
    ],
    seen: [
      {
        claim: 'every order was served once and every unit sold, in both',
        holds: [...plain, ...leased].every(({ complete }) => complete),
      },
      {
        claim: 'naive: orders are served after later ones',
        holds: plain.every(({ overtaken }) => overtaken > 0),
      },
      {
        claim: 'sluice: none is',
        holds: leased.every(({ overtaken, unjust }) => overtaken === 0 && unjust === 0),
      },
      {
        claim: `sluice: one thread serves, ${THREADS - 1} get ERR_SLUICE_CONSUMER`,
        holds: leased.every(({ servers, turnedAway }) => servers === 1 && turnedAway === THREADS - 1),
      },
    ],
  };
}

await runTrap(import.meta.url, { title, measure, roles: { naive, sluice } });
