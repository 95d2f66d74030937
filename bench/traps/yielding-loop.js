/**
 * Trap 3: yielding in a loop.
 *
 * A consumer with nothing to do looks again and again, and yields in between: sched_yield() in C++, runtime.Gosched()
 * in Go, setImmediate() in Node.js. It never sleeps, so it takes a whole processor from the very producers for which it
 * waits. And on a busy machine it is late: for the scheduler, a thread that yields has had its turn and goes to the end
 * of the run queue. Beside one busy thread on the same processor, it runs again when that thread's time slice is over:
 * after milliseconds, although the item has been there all the time.
 *
 * A consumer of sluice parks. With the option `spin` of `consume()` it first spins for a bounded time, with the
 * processor's pause instruction, in case an item comes at once. A producer that finds it parked rings the bell (an
 * eventfd), and the scheduler runs a thread that is woken from sleep at once, before threads that compute. A fence
 * separates store and load on both sides, so that no ring of the bell is lost.
 *
 * In C++ (Linux): the core's ring, one item a millisecond, and a consumer that yields or parks by the core's doorbell.
 * If the consumer is alone on its processor, the trap measures how much of it the consumer takes; beside a busy thread,
 * how late it is. In Node.js: a consumer thread that polls a queue by setImmediate(), and one that uses `consume()`,
 * beside as many busy threads as there are processors.
 */
import { availableParallelism } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { Queue, record, u53 } from '../../dist/index.js';
import { answer, program, whyNot } from '../harness/repository-only/native/native-program.js';
import { answerOf, runTrap, thread } from './trap.js';

const APART_MS = 1;
const Item = record({ sentAt: u53 });
const title = 'Waiting for items: yielding in a loop, or a bounded spin and then to sleep';

const nowNs = () => Number(process.hrtime.bigint());

/** @typedef {{ p50: number, p99: number, max: number }} Waits nanoseconds */
/** @typedef {Waits & { cpuNs: number, switches: number, vain: number }} Native */
/** @typedef {Waits & { vain: number, items: number }} Looped */

/** A thread that computes without end. */
function busy() {
  parentPort?.postMessage('busy');
  for (;;);
}

/** @param {import('../../dist/index.js').QueueHandle} handle */
async function naive(handle) {
  const queue = Queue.attach(Item, handle);
  /** @type {number[]} */
  const waits = [];
  let vain = 0;
  parentPort?.postMessage('ready');
  while (!queue.closed || queue.depth > 0) {
    const count = queue.drain(({ sentAt }) => {
      waits.push(nowNs() - sentAt);
    });
    if (count === 0) vain++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  parentPort?.postMessage({ ...spreadOf(waits), vain, items: waits.length });
}

/** @param {import('../../dist/index.js').QueueHandle} handle */
async function sluice(handle) {
  const queue = Queue.attach(Item, handle);
  /** @type {number[]} */
  const waits = [];
  parentPort?.postMessage('ready');
  await queue.consume((batch) => {
    const now = nowNs();
    for (const { sentAt } of batch) waits.push(now - sentAt);
  });
  // Each sleep begins after a look in vain, and ends with a wake-up. So there are as many looks in vain as wake-ups.
  parentPort?.postMessage({ ...spreadOf(waits), vain: queue.stats().wakeups, items: waits.length });
}

/** @param {number[]} waits @returns {Waits} */
function spreadOf(waits) {
  const sorted = [...waits].sort((a, b) => a - b);
  const at = (/** @type {number} */ share) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** @param {'naive' | 'sluice'} role @param {number} items @returns {Promise<Looped>} */
async function onEventLoop(role, items) {
  const queue = Queue.create(Item, { capacity: items });
  const others = Array.from({ length: availableParallelism() }, () =>
    thread(import.meta.url, 'busy', undefined),
  );
  const consumer = thread(import.meta.url, role, queue.handle);
  await Promise.all([...others, consumer].map(answerOf));
  const neverWoken = new Int32Array(new SharedArrayBuffer(4));
  for (let i = 0; i < items; i++) {
    Atomics.wait(neverWoken, 0, 0, APART_MS);
    queue.tryPush({ sentAt: nowNs() });
  }
  const consumed = answerOf(consumer);
  queue.close();
  const result = await consumed;
  await Promise.all([...others, consumer].map((one) => one.terminate()));
  queue[Symbol.dispose]();
  return result;
}

/**
 * @template T
 * @param {number} rounds
 * @param {(side: 'naive' | 'sluice') => Promise<T>} take
 */
async function inTurn(rounds, take) {
  /** @type {{ naive: T[], sluice: T[] }} */
  const both = { naive: [], sluice: [] };
  for (let round = 0; round < rounds; round++) {
    both.naive.push(await take('naive'));
    both.sluice.push(await take('sluice'));
  }
  return both;
}

/**
 * @template T
 * @param {{ naive: T[], sluice: T[] }} both
 * @param {string} id
 * @param {string} what
 * @param {'ns' | 'count'} unit
 * @param {(one: T) => number} of
 * @returns {import('./trap.js').Figure}
 */
function figure({ naive, sluice }, id, what, unit, of) {
  return { id, what, unit, naive: naive.map(of), sluice: sluice.map(of) };
}

/** @param {import('./trap.js').Settings} settings @returns {Promise<import('./trap.js').Measured>} */
async function measure({ quick, rounds }) {
  const items = quick ? 100 : 1_000;
  const figures = [];
  const missing = [];
  const noProgram =
    process.platform === 'linux' ? await whyNot() : 'the program uses eventfd, which Linux has';
  if (noProgram === undefined) {
    const run = await program(new URL('./yielding-loop.cc', import.meta.url));
    /** @type {(where: 'alone' | 'beside') => Promise<{ naive: Native[], sluice: Native[] }>} */
    const waiting = (where) =>
      inTurn(rounds, (side) =>
        answer(run([side === 'naive' ? 'yield' : 'park', where, items, APART_MS * 1_000])),
      );
    const alone = await waiting('alone');
    const beside = await waiting('beside');
    /** @type {(one: Native) => number} */
    const switches = (one) => one.switches / items;
    figures.push(
      figure(
        alone,
        'cpu',
        'C++: processor time of the consumer, an item',
        'ns',
        ({ cpuNs }) => cpuNs / items,
      ),
      figure(beside, 'p50', 'C++, beside a busy thread: push to read, median', 'ns', ({ p50 }) => p50),
      figure(beside, 'p99', 'C++, beside a busy thread: push to read, 99 % within', 'ns', ({ p99 }) => p99),
      figure(beside, 'max', 'C++, beside a busy thread: push to read, worst', 'ns', ({ max }) => max),
      {
        ...figure(alone, 'switches', 'C++: context switches, an item', 'count', switches),
        compare: /** @type {const} */ (false),
      },
      {
        ...figure(
          beside,
          'switches/beside',
          'C++, beside a busy thread: context switches, an item',
          'count',
          switches,
        ),
        compare: /** @type {const} */ (false),
      },
    );
  } else {
    missing.push(`yield and doorbell in C++: ${noProgram}`);
  }
  const loops = await inTurn(rounds, (side) => onEventLoop(side, items));
  figures.push(
    figure(loops, 'loop/p50', 'Node.js: push to read, median', 'ns', ({ p50 }) => p50),
    figure(loops, 'loop/p99', 'Node.js: push to read, 99 % within', 'ns', ({ p99 }) => p99),
    figure(loops, 'loop/max', 'Node.js: push to read, worst', 'ns', ({ max }) => max),
    figure(loops, 'loop/vain', `Node.js: looks in vain, ${items} items`, 'count', ({ vain }) => vain),
  );
  const all = [...loops.naive, ...loops.sluice];
  return {
    figures,
    seen: [
      { claim: 'every item came, in both', holds: all.every((one) => one.items === items) },
      {
        claim: 'polling: it looks in vain more often than items come',
        holds: loops.naive.every(({ vain }) => vain > items),
      },
      {
        claim: 'consume(): it is woken for an item, and otherwise sleeps',
        holds: loops.sluice.every(({ vain }) => vain > 0 && vain <= items + 1),
      },
    ],
    missing,
  };
}

await runTrap(import.meta.url, { title, measure, roles: { naive, sluice, busy } });
