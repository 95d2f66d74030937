/**
 * piscina: a pool of worker threads that run tasks. A pool belongs to one thread; here it has one worker.
 *
 * An order is a task, and so is a batch, in the forms that structured clone copies fastest: an array of the order's
 * values, and one packed Float64Array. `concurrentTasksPerWorker` lets some tasks wait in the worker's port, so that
 * the worker need not wait for the next one. (With many more it was slower again, because the worker never parked.)
 * `stricterFIFO` keeps the tasks in order, which they otherwise are not. `FixedQueue` is what the README recommends for
 * many tasks, and `recordTiming: false` saves the cost of the histograms. The producer has at most 256 tasks in flight.
 * When it has that many, it waits until half of them are done; waiting for the pool's 'drain' would stop it once for
 * every finished task.
 */
import { fileURLToPath } from 'node:url';
import { FixedQueue, Piscina } from 'piscina';
import { NUMBERS, pack, valuesOf } from '../built-in/packed-orders.js';

const IN_FLIGHT_MAX = 256;
const IN_PORT = 16;
const values = valuesOf(64);

export const file = import.meta.url;

/** @returns {Promise<import('../../harness/repository-only/spawning/measure.js').Spawner>} */
export async function open() {
  const pool = new Piscina({
    filename: fileURLToPath(new URL('./piscina-task.js', import.meta.url)),
    name: 'handle',
    minThreads: 1,
    maxThreads: 1,
    concurrentTasksPerWorker: IN_PORT,
    maxQueue: IN_FLIGHT_MAX,
    taskQueue: new FixedQueue(),
    recordTiming: false,
    stricterFIFO: true,
  });
  let inFlight = 0;
  let wake = () => {};
  /** @type {(report: import('../../harness/repository-only/spawning/consumer.js').Report) => void} */
  let arrived = () => {};
  /** @type {(error: unknown) => void} */
  let failed = () => {};

  /** @param {import('../../harness/repository-only/spawning/consumer.js').Report | undefined} report */
  function done(report) {
    if (--inFlight === IN_FLIGHT_MAX / 2) wake();
    if (report !== undefined) arrived(report);
  }

  /** @param {Float64Array | number[]} task */
  function run(task) {
    pool.run(task).then(done, failed);
    if (++inFlight < IN_FLIGHT_MAX) return undefined;
    return new Promise((resolve) => {
      wake = () => resolve(undefined);
    });
  }

  return {
    push: (order) => run(values(order)),
    pushMany(orders) {
      const packed = new Float64Array(orders.length * NUMBERS);
      pack(orders, packed, 64);
      return run(packed);
    },
    allArrived: () =>
      new Promise((resolve, reject) => {
        arrived = resolve;
        failed = reject;
      }),
  };
}
