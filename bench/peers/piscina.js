/**
 * piscina: a pool of worker threads that are given tasks. A pool belongs to one thread; here it has one worker.
 *
 * An order is a task, and so is a batch, in the forms that structured clone copies fastest: an array of the order's
 * values, and one packed Float64Array. `concurrentTasksPerWorker` lets many tasks wait in the worker's port instead of one, so
 * that the worker need not wait for the next; `stricterFIFO` keeps them in order (without it, they are not). When the pool's
 * own queue has reached `maxQueue`, the producer waits for 'drain', as the README shows.
 */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { valuesOf } from '../contenders/packed-orders.js';
import { NUMBERS, writeNumbers } from './order-numbers.js';

const TASKS = 256;
const values = valuesOf(64);

/** @returns {Promise<import('../spawning/measure.js').Spawner>} */
export async function open() {
  const pool = new Piscina({
    filename: fileURLToPath(new URL('./piscina-task.js', import.meta.url)),
    name: 'handle',
    minThreads: 1,
    maxThreads: 1,
    concurrentTasksPerWorker: TASKS,
    maxQueue: TASKS,
    recordTiming: false,
    stricterFIFO: true,
  });
  /** @type {(report: import('../spawning/consumer.js').Report) => void} */
  let arrived = () => {};
  /** @type {(error: unknown) => void} */
  let failed = () => {};

  /** @param {Float64Array | number[]} task */
  function run(task) {
    pool.run(task).then((report) => report && arrived(report), failed);
    return pool.queueSize >= TASKS ? once(pool, 'drain') : undefined;
  }

  return {
    push: (order) => run(values(order)),
    pushMany(orders) {
      const packed = new Float64Array(orders.length * NUMBERS);
      let at = 0;
      for (const order of orders) {
        writeNumbers(order, packed, at);
        at += NUMBERS;
      }
      return run(packed);
    },
    allArrived: () =>
      new Promise((resolve, reject) => {
        arrived = resolve;
        failed = reject;
      }),
  };
}
