/** Measures a crew of two workers, bound to processors or not, on an idle machine or beside threads that compute. */
import { availableParallelism } from 'node:os';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { f64, Queue, record } from 'sluice';
import { dispatch } from 'sluice/dispatch';
import { cell, cells, histogramOf, PHASES } from './shared.js';

const Order = record({ sentAt: f64 });
const workers = 2;
const concurrency = 4;
/** Orders pushed in a turn of the event loop while the crew is saturated. */
const burst = 32;

/**
 * @typedef {object} Measured
 * @property {number} perSecond    orders handled while there were always more
 * @property {number} switches     context switches of the workers for each 1,000 of these orders
 * @property {number} p99          from push to handler, in nanoseconds, at about 1,000 orders a second
 */

/**
 * @param {{ cpus: number[] | undefined, busy: boolean, warmUpMs: number, measuredMs: number }} run
 * @returns {Promise<Measured>}
 */
export async function measureCrew({ cpus, busy, warmUpMs, measuredMs }) {
  const shared = new Int32Array(new SharedArrayBuffer(4 * cells));
  const queue = Queue.create(Order, { capacity: 1_024 });
  const others = Array.from({ length: busy ? availableParallelism() : 0 }, () => {
    return new Worker(new URL('./busy.js', import.meta.url));
  });
  const crew = dispatch(queue, {
    workers,
    concurrency,
    handler: new URL('./sold-handler.js', import.meta.url),
    data: shared.buffer,
    deadLetters: ({ error }) => {
      throw error;
    },
    ...(cpus === undefined ? {} : { cpus }),
  });
  try {
    await crew.ready;
    await saturate(queue, warmUpMs);
    Atomics.store(shared, cell.phase, PHASES.saturated);
    const elapsedMs = await saturate(queue, measuredMs);
    const handled = Atomics.load(shared, cell.handled);
    await queue.empty();
    Atomics.store(shared, cell.phase, PHASES.paced);
    await pace(queue, measuredMs);
    queue.close();
    await crew.done;
    return {
      perSecond: (1_000 * handled) / elapsedMs,
      switches: (1_000 * Atomics.load(shared, cell.switches)) / handled,
      p99: histogramOf(shared).quantile(0.99),
    };
  } finally {
    await Promise.all(others.map((other) => other.terminate()));
    await crew.close({ timeoutMs: 0 });
    queue[Symbol.dispose]();
  }
}

/** @param {Queue<{ sentAt: number }>} queue @param {number} ms @returns {Promise<number>} milliseconds */
async function saturate(queue, ms) {
  const begunAt = performance.now();
  while (performance.now() - begunAt < ms) {
    for (let i = 0; i < burst && queue.tryPush({ sentAt: 0 }); i++);
    await turn();
  }
  return performance.now() - begunAt;
}

/** @param {Queue<{ sentAt: number }>} queue @param {number} ms */
async function pace(queue, ms) {
  const begunAt = performance.now();
  while (performance.now() - begunAt < ms) {
    const [seconds, nanoseconds] = process.hrtime();
    queue.tryPush({ sentAt: seconds * 1e9 + nanoseconds });
    await sleep(1);
  }
}
